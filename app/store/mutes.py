"""Mutes: of one dossier, or of a unit and all below it, with or without a stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import text

from app.domain.alert import DossierKey
from app.store.session import ReadSession, WriteSession
from app.store.tables import mute, source, unit


@dataclass(frozen=True, slots=True)
class MuteRow:
    """A mute as it stands; ``code`` None is everything of the unit and all below it."""

    id: UUID
    unit_id: int
    unit: str
    lft: int
    source: str | None
    code: str | None
    stage: str | None
    reason: str
    until: datetime
    actor: str
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


def add(session: WriteSession, values: Mapping[str, object]) -> None:
    """Write a new mute, by its columns."""
    session.execute(sa.insert(mute).values(**values))


def _select() -> sa.Select[*tuple[object, ...]]:
    return (
        sa.select(
            *(mute.c[name] for name in ("id", "unit_id", "code", "stage", "reason", "until")),
            *(mute.c[name] for name in ("actor", "created_at", "lifted_at", "lifted_by")),
            unit.c.code.label("unit"),
            unit.c.lft,
            source.c.code.label("source"),
        )
        .join_from(mute, unit, unit.c.id == mute.c.unit_id)
        .outerjoin(source, source.c.id == mute.c.source_id)
    )


def find(session: ReadSession, mute_id: UUID) -> MuteRow | None:
    """Find a mute, wherever it is."""
    row = session.execute(_select().where(mute.c.id == mute_id)).mappings().one_or_none()
    return None if row is None else MuteRow(**row)


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    live_at: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[MuteRow]:
    """Return mutes of a subtree, the newest first, after a place (``created_at``, id).

    :param live_at: only those that hold at an instant; all of them when None.
    """
    wanted = _select().where(unit.c.lft.between(lft, rgt))
    if live_at is not None:
        wanted = wanted.where(mute.c.lifted_at.is_(None), mute.c.until > live_at)
    if after is not None:
        wanted = wanted.where(sa.tuple_(mute.c.created_at, mute.c.id) < after)
    ordered = wanted.order_by(mute.c.created_at.desc(), mute.c.id.desc()).limit(limit)
    return [MuteRow(**row) for row in session.execute(ordered).mappings()]


def lift(session: WriteSession, mute_id: UUID, *, by: str, now: datetime) -> bool:
    """End a mute; tell whether it still held."""
    lifted = session.execute(
        sa.update(mute)
        .where(mute.c.id == mute_id, mute.c.lifted_at.is_(None), mute.c.until > now)
        .values(lifted_at=now, lifted_by=by)
        .returning(mute.c.id)
    )
    return lifted.one_or_none() is not None


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that may be muted: its dossier, where that is, and its stage."""

    key: DossierKey
    unit_lft: int
    stage: str


_IS_ANY = text("SELECT EXISTS (SELECT FROM mute WHERE lifted_at IS NULL AND until > :now)")
_MUTED = text(
    "SELECT a.n, max(m.until) AS until"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:sources AS int[]), CAST(:codes AS text[]),"
    " CAST(:places AS bigint[]), CAST(:stages AS text[])) AS a(n, source_id, code, lft, stage)"
    " JOIN mute m ON m.lifted_at IS NULL AND m.until > :now"
    " AND (m.stage IS NULL OR m.stage = a.stage)"
    " JOIN unit u ON u.id = m.unit_id"
    " WHERE CASE WHEN m.code IS NULL THEN a.lft BETWEEN u.lft AND u.rgt"
    " ELSE m.code = a.code AND m.source_id = a.source_id END GROUP BY a.n"
)


def muted_until(
    session: ReadSession, alerts: Sequence[Told], *, now: datetime
) -> dict[int, datetime]:
    """Return until when alerts are muted, by their place in the sequence, for those that are."""
    if not alerts or not session.scalar(_IS_ANY, {"now": now}):
        return {}
    rows = session.execute(
        _MUTED,
        {
            "numbers": list(range(len(alerts))),
            "sources": [each.key.source_id for each in alerts],
            "codes": [each.key.code for each in alerts],
            "places": [each.unit_lft for each in alerts],
            "stages": [each.stage for each in alerts],
            "now": now,
        },
    )
    return {row.n: row.until for row in rows}
