"""Causes of lateness: those that units added, and what was said of each dossier. Append-only."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text

from app.domain.late_cause import CauseGroup, LateCause, local_id
from app.store.dossiers import Key
from app.store.session import ReadSession, WriteSession
from app.store.tables import late_cause, late_cause_own, unit


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a dossier, by whom and when; the seat of the key is its home unit."""

    cause: str
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A dossier that a cause may be named for: its key, its home unit and who holds it."""

    key: Key
    home_unit_id: int
    unit_lft: int
    source: str


@dataclass(frozen=True, slots=True)
class Own:
    """A cause that a unit added, with the part of the tree for which it holds."""

    cause: LateCause
    lft: int
    rgt: int


def own(session: ReadSession, *, above: int | None = None, lft: int, rgt: int) -> list[Own]:
    """Return the causes added by units of a span and, with ``above``, by those above a place."""
    newest = sa.func.row_number().over(
        partition_by=(late_cause_own.c.unit_id, late_cause_own.c.code),
        order_by=late_cause_own.c.seq.desc(),
    )
    ranked = sa.select(late_cause_own, newest.label("rank")).subquery()
    within: sa.ColumnElement[bool] = unit.c.lft.between(lft, rgt)
    if above is not None:
        within = sa.or_(within, sa.and_(unit.c.lft <= above, unit.c.rgt >= above))
    rows = session.execute(
        sa.select(ranked, unit.c.code.label("unit"), unit.c.lft, unit.c.rgt)
        .join_from(ranked, unit, unit.c.id == ranked.c.unit_id)
        .where(ranked.c.rank == 1, within)
        .order_by(unit.c.lft, ranked.c.code)
    )
    return [_own(row) for row in rows.mappings()]


def _own(row: sa.RowMapping) -> Own:
    return Own(
        LateCause(
            id=local_id(row["unit"], row["code"]),
            group=CauseGroup(row["group"]),
            vi=row["vi"],
            en=row["en"],
            unit=row["unit"],
            is_retired=row["is_retired"],
        ),
        row["lft"],
        row["rgt"],
    )


def put_own(
    session: WriteSession, unit_id: int, code: str, cause: LateCause, *, actor: str, now: datetime
) -> None:
    """Write the next state of a cause that a unit adds."""
    mine = late_cause_own.c.unit_id == unit_id, late_cause_own.c.code == code
    last = session.scalar(sa.select(sa.func.max(late_cause_own.c.seq)).where(*mine))
    session.execute(
        sa.insert(late_cause_own).values(
            unit_id=unit_id,
            code=code,
            seq=(last or 0) + 1,
            group=cause.group.value,
            vi=cause.vi,
            en=cause.en,
            is_retired=cause.is_retired,
            actor=actor,
            recorded_at=now,
        )
    )


# ---------------------------------------------------------------- said of dossiers


def places(
    session: ReadSession, asked: Iterable[tuple[str, str | None]], *, lft: int, rgt: int
) -> dict[tuple[str, str | None], list[Place]]:
    """Return the dossiers that a subtree holds now under each (code, source or None)."""
    wanted = list(dict.fromkeys(asked))
    rows = session.execute(
        text(
            "SELECT a.code AS asked_code, a.source AS asked_source, d.source_id, d.code,"
            " d.home_unit_id, d.unit_lft, s.code AS source"
            " FROM unnest(CAST(:codes AS text[]), CAST(:sources AS text[])) AS a(code, source)"
            " JOIN dossier d ON d.code = a.code"
            " JOIN source s ON s.id = d.source_id AND (a.source IS NULL OR s.code = a.source)"
            " WHERE d.is_current AND d.unit_lft BETWEEN :lft AND :rgt ORDER BY s.code"
        ),
        {
            "codes": [code for code, _ in wanted],
            "sources": [source for _, source in wanted],
            "lft": lft,
            "rgt": rgt,
        },
    )
    found: dict[tuple[str, str | None], list[Place]] = {}
    for row in rows:
        place = Place((row.source_id, row.code), row.home_unit_id, row.unit_lft, row.source)
        found.setdefault((row.asked_code, row.asked_source), []).append(place)
    return found


_NEWEST = (
    "SELECT DISTINCT ON (c.source_id, c.code) c.source_id, c.code, c.cause, c.seq"
    " FROM late_cause c JOIN unnest(CAST(:sources AS int[]), CAST(:codes AS text[]))"
    " AS k(source_id, code) ON k.source_id = c.source_id AND k.code = c.code"
    " ORDER BY c.source_id, c.code, c.seq DESC"
)


def newest(session: ReadSession, keys: Collection[Key]) -> dict[Key, str]:
    """Return the cause last named for each of the dossiers that have one."""
    return {(row.source_id, row.code): row.cause for row in _newest(session, keys)}


def _newest(session: ReadSession, keys: Collection[Key]) -> Sequence[sa.Row[Any]]:
    if not keys:
        return []
    asked = {"sources": [key[0] for key in keys], "codes": [key[1] for key in keys]}
    return session.execute(text(_NEWEST), asked).all()


def say(
    session: WriteSession, places: Sequence[Place], cause: str, *, actor: str, now: datetime
) -> frozenset[Key]:
    """Name a cause for dossiers; return the keys of those for which it was another before.

    Two that speak of one dossier at once take turns.
    """
    keys = sorted(place.key for place in places)
    _take_turns(session, keys)
    last = {(row.source_id, row.code): row for row in _newest(session, keys)}
    changed = [place for place in places if place.key not in last or last[place.key].cause != cause]
    if changed:
        session.execute(
            sa.insert(late_cause),
            [
                {
                    "source_id": place.key[0],
                    "code": place.key[1],
                    "seq": last[place.key].seq + 1 if place.key in last else 1,
                    "unit_id": place.home_unit_id,
                    "cause": cause,
                    "actor": actor,
                    "recorded_at": now,
                }
                for place in sorted(changed, key=lambda place: place.key)
            ],
        )
    return frozenset(place.key for place in changed)


_TURNS = (
    "SELECT 1 FROM locator l JOIN unnest(CAST(:sources AS int[]), CAST(:codes AS text[]))"
    " AS k(source_id, code) ON k.source_id = l.source_id AND k.code = l.code"
    " ORDER BY l.source_id, l.code FOR NO KEY UPDATE OF l"
)


def _take_turns(session: WriteSession, keys: Sequence[Key]) -> None:
    asked = {"sources": [key[0] for key in keys], "codes": [key[1] for key in keys]}
    session.execute(text(_TURNS), asked)


def history(session: ReadSession, key: Key) -> list[Said]:
    """Return everything that was said of a dossier, the oldest first."""
    rows = session.execute(
        sa.select(late_cause.c.cause, late_cause.c.actor, late_cause.c.recorded_at)
        .where(late_cause.c.source_id == key[0], late_cause.c.code == key[1])
        .order_by(late_cause.c.seq)
    )
    return [Said(*row) for row in rows]
