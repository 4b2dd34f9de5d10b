"""Sources that fell silent: one row for each silence, whoever notices it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app.store.freshness import ANY_UNIT
from app.store.session import ReadSession, WriteSession
from app.store.tables import silence, source


@dataclass(frozen=True, slots=True)
class Fallen:
    """A source that has been quiet for longer than it usually is."""

    id: UUID
    source: str
    last_heard_on: date
    rhythm: int


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A silence as it stands."""

    id: UUID
    source: str
    last_heard_on: date
    rhythm: int
    raised_at: datetime
    resolved_at: datetime | None


def add(session: WriteSession, fallen: Sequence[Fallen], *, now: datetime) -> frozenset[UUID]:
    """Write the silences that nobody has noticed before, and return the ids of those."""
    if not fallen:
        return frozenset()
    ids = session.execute(
        sa.select(source.c.code, source.c.id).where(
            source.c.code.in_([each.source for each in fallen])
        )
    )
    numbers = {row.code: row.id for row in ids}
    rows = [
        {
            "source_id": numbers[each.source],
            "last_heard_on": each.last_heard_on,
            "id": each.id,
            "rhythm": each.rhythm,
            "raised_at": now,
        }
        for each in sorted(fallen, key=lambda one: one.source)
    ]
    written = insert(silence).on_conflict_do_nothing().returning(silence.c.id)
    return frozenset(session.execute(written, rows).scalars())


_RESOLVE = text(
    "UPDATE silence SET resolved_at = :now WHERE resolved_at IS NULL AND (EXISTS ("
    " SELECT 1 FROM source_heard h WHERE h.source_id = silence.source_id AND h.unit_id = :any"
    " AND h.heard_on > silence.last_heard_on)"
    " OR source_id IN (SELECT id FROM source WHERE code = ANY(:also))) RETURNING id"
)
_UNRESOLVED = text(
    "SELECT DISTINCT x.code FROM silence s JOIN source x ON x.id = s.source_id"
    " WHERE s.resolved_at IS NULL ORDER BY x.code"
)


def unresolved(session: ReadSession) -> list[str]:
    """Return the sources whose silence lasts."""
    return list(session.scalars(_UNRESOLVED))


def resolve(session: WriteSession, *, also: Collection[str] = (), now: datetime) -> int:
    """End the silences of sources that were heard since, and of those named; count them."""
    told = {"now": now, "any": ANY_UNIT, "also": sorted(also)}
    return len(session.execute(_RESOLVE, told).all())


_WITHIN = (
    "SELECT s.id, x.code AS source, s.last_heard_on, s.rhythm, s.raised_at, s.resolved_at"
    " FROM silence s JOIN source x ON x.id = s.source_id"
    " WHERE EXISTS (SELECT 1 FROM source_heard h JOIN unit u ON u.id = h.unit_id"
    " WHERE h.source_id = s.source_id AND u.lft BETWEEN :lft AND :rgt)"
)
_RAISED = (
    _WITHIN.replace(":lft", "$1::bigint").replace(":rgt", "$2::bigint")
    + " AND s.resolved_at IS NULL AND s.raised_at >= $3::timestamptz"
    " AND s.raised_at < $4::timestamptz ORDER BY x.code"
).encode()
_ALL = text(f"{_WITHIN} ORDER BY s.raised_at DESC, x.code LIMIT :most")


def raised(
    session: ReadSession, *, lft: int, rgt: int, since: datetime, until: datetime
) -> list[SilenceRow]:
    """Return the silences of a subtree's sources that were raised in a window and still last."""
    found = session.ask(_RAISED, lft, rgt, since.isoformat(), until.isoformat())
    return [SilenceRow(*row) for row in found]


def newest(session: ReadSession, *, lft: int, rgt: int, most: int) -> list[SilenceRow]:
    """Return the silences of the sources that told of a subtree, the newest first."""
    found = session.execute(_ALL, {"lft": lft, "rgt": rgt, "most": most})
    return [SilenceRow(*row) for row in found]


_PLACES = text(
    "SELECT DISTINCT x.code AS source, u.lft FROM source_heard h JOIN unit u ON u.id = h.unit_id"
    " JOIN source x ON x.id = h.source_id WHERE x.code = ANY(:sources)"
)


def places(session: ReadSession, sources: Sequence[str]) -> dict[str, list[int]]:
    """Return the places in the tree of the units of which each source ever told."""
    found: dict[str, list[int]] = {name: [] for name in sources}
    for row in session.execute(_PLACES, {"sources": list(sources)}):
        found[row.source].append(row.lft)
    return found
