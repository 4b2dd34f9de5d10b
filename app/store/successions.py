"""Which unit goes on for which: mergers, splits, renamings and abolitions, and their reversals.

Rows are only ever added. A succession is in force unless a later row reverses it; a unit has one
in force at most. ``unit.heir_id`` repeats who goes on in the end, so that figures need no chain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain.dossier import ZONE
from app.domain.stay import Heir, final
from app.domain.timeliness import Flow, State
from app.store import flags
from app.store.dossiers import Key
from app.store.session import ReadSession, WriteSession
from app.store.tables import succession, unit
from app.store.units import UnitRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessionRow:
    """What became of a unit on a day; ``heir_id`` takes over what it still holds, None nobody."""

    id: int
    unit_id: int
    kind: str
    effective_on: date
    successor_ids: tuple[int, ...]
    heir_id: int | None
    children_to_id: int | None
    former_valid_to: date | None
    document: str
    actor: str
    recorded_at: datetime


def begins(day: date) -> datetime:
    """Return the first instant of a local day, at which a succession takes effect."""
    return datetime.combine(day, time(), ZONE)


_reversal = succession.alias("reversal")


def _in_force(known_at: datetime | None = None) -> sa.Select[*tuple[object, ...]]:
    undone = sa.exists().where(_reversal.c.reverses == succession.c.id)
    found = sa.select(succession).where(succession.c.kind != "reversal")
    if known_at is not None:
        undone = undone.where(_reversal.c.recorded_at <= known_at)
        found = found.where(succession.c.recorded_at <= known_at)
    return found.where(~undone)


def _rows(
    session: ReadSession, statement: sa.Select[*tuple[object, ...]]
) -> tuple[SuccessionRow, ...]:
    return tuple(
        SuccessionRow(
            id=row["id"],
            unit_id=row["unit_id"],
            kind=row["kind"],
            effective_on=row["effective_on"],
            successor_ids=tuple(row["successor_ids"]),
            heir_id=row["heir_id"],
            children_to_id=row["children_to_id"],
            former_valid_to=row["former_valid_to"],
            document=row["document"],
            actor=row["actor"],
            recorded_at=row["recorded_at"],
        )
        for row in session.execute(statement.order_by(succession.c.id)).mappings()
    )


def find(session: ReadSession, unit_id: int) -> SuccessionRow | None:
    """Return what became of a unit, None while it goes on."""
    found = _rows(session, _in_force().where(succession.c.unit_id == unit_id))
    return found[0] if found else None


def of_units(
    session: ReadSession, ids: Iterable[int]
) -> tuple[tuple[SuccessionRow, ...], tuple[SuccessionRow, ...]]:
    """Return the successions in force of some units, and those by which they follow others."""
    wanted = sa.bindparam("ids", list(ids), type_=ARRAY(sa.Integer))
    gone = _in_force().where(succession.c.unit_id == sa.any_(wanted))
    came = _in_force().where(succession.c.successor_ids.overlap(wanted))
    return _rows(session, gone), _rows(session, came)


def heirs(session: ReadSession, ids: Iterable[int]) -> dict[int, Heir]:
    """Return the heir of each of some units and of those heirs in turn."""
    found: dict[int, Heir] = {}
    wanted = set(ids)
    while wanted:
        asked = sa.any_(sa.bindparam("ids", sorted(wanted), type_=ARRAY(sa.Integer)))
        for row in _rows(session, _in_force().where(succession.c.unit_id == asked)):
            if row.heir_id is not None:
                found[row.unit_id] = Heir(row.heir_id, begins(row.effective_on))
        wanted = {found[number].unit for number in wanted & found.keys()} - found.keys()
    return found


def finals(session: ReadSession, *, known_at: datetime | None = None) -> dict[int, int]:
    """Return who goes on in the end for each unit that ceased, as known at a moment."""
    chain = {
        row.unit_id: Heir(row.heir_id, begins(row.effective_on))
        for row in _rows(session, _in_force(known_at))
        if row.heir_id is not None
    }
    return {number: final(number, chain) for number in chain}


def forebears(session: ReadSession, unit_id: int) -> tuple[int, ...]:
    """Return the units for which one goes on, at once or through others, without itself."""
    rows = session.scalars(
        text(
            "WITH RECURSIVE chain AS ("
            " SELECT s.unit_id, s.heir_id FROM succession s WHERE s.kind <> 'reversal'"
            " AND NOT EXISTS (SELECT FROM succession r WHERE r.reverses = s.id)),"
            " before AS (SELECT unit_id FROM chain WHERE heir_id = :unit"
            " UNION SELECT c.unit_id FROM chain c JOIN before b ON c.heir_id = b.unit_id)"
            " SELECT unit_id FROM before ORDER BY unit_id"
        ),
        {"unit": unit_id},
    )
    return tuple(rows)


# ---------------------------------------------------------------- writing


def add(
    session: WriteSession,
    *,
    unit_id: int,
    kind: str,
    effective_on: date,
    successor_ids: Sequence[int],
    heir_id: int | None,
    children_to_id: int | None,
    former_valid_to: date | None,
    document: str,
    actor: str,
    now: datetime,
    reverses: int | None = None,
) -> int:
    """Append a succession, or the reversal of one, and return its number."""
    number: int = session.execute(
        sa.insert(succession)
        .values(
            unit_id=unit_id,
            kind=kind,
            effective_on=effective_on,
            successor_ids=list(successor_ids),
            heir_id=heir_id,
            children_to_id=children_to_id,
            former_valid_to=former_valid_to,
            document=document,
            reverses=reverses,
            actor=actor,
            recorded_at=now,
        )
        .returning(succession.c.id)
    ).scalar_one()
    _settle_heirs(session)
    return number


def _settle_heirs(session: WriteSession) -> None:
    """Write beside each unit who goes on for it in the end, by what is in force now."""
    wanted = finals(session)
    held = session.execute(
        sa.select(unit.c.id, unit.c.heir_id).where(unit.c.heir_id.is_not(None))
    ).all()
    known = {row.id: row.heir_id for row in held}
    changed = [
        {"which": number, "to_heir": wanted.get(number)}
        for number in wanted.keys() | known.keys()
        if wanted.get(number) != known.get(number)
    ]
    if changed:
        session.execute(
            sa.update(unit)
            .where(unit.c.id == sa.bindparam("which"))
            .values(heir_id=sa.bindparam("to_heir")),
            changed,
        )


# ---------------------------------------------------------------- dossiers concerned

_CONCERNED = text(
    f"""
    SELECT DISTINCT d.source_id, d.code FROM dossier d
     WHERE d.unit_id = ANY(CAST(:units AS int[]))
       AND (d.edge_at[cardinality(d.edge_at)] >= :at
            OR d.edge_state[cardinality(d.edge_state)] IN ({flags.LASTING})
            OR cardinality(d.edge_at) = 0
            OR d.edge_flow && CAST(ARRAY[{Flow.TRANSFERRED_OUT:d}, {Flow.SUCCEEDED_OUT:d}]
                                   AS smallint[]))
     ORDER BY d.source_id, d.code
    """  # noqa: S608  # built from constants
)


def concerned(session: ReadSession, ids: Iterable[int], *, at: datetime) -> list[Key]:
    """Return the dossiers that a succession of one of these units at an instant may move.

    They are those of which anything happened there since, those that wait there, and those that
    went from there to another unit, which may turn out to be the successor. What ended before is
    left alone.
    """
    rows = session.execute(_CONCERNED, {"units": sorted(ids), "at": at})
    return [(row.source_id, row.code) for row in rows]


_STRANDED = text(
    """
    SELECT d.source_id, d.code
      FROM dossier d JOIN unit u ON u.id = d.unit_id AND u.heir_id IS NOT NULL
     WHERE d.is_open AND d.is_current
     ORDER BY d.source_id, d.code LIMIT :limit
    """
)


def stranded(session: ReadSession, *, limit: int) -> list[Key]:
    """Return dossiers that are open at a unit that ceased: they arrived while it was told."""
    return [(row.source_id, row.code) for row in session.execute(_STRANDED, {"limit": limit})]


_COUNT = text(
    f"""
    WITH stood AS (
        SELECT d.edge_state, width_bucket(CAST(:at AS timestamptz) - interval '1 microsecond',
                                          d.edge_at) AS place
          FROM dossier d WHERE d.unit_id = :unit AND d.is_counted)
    SELECT count(*) FILTER (WHERE edge_state[place] BETWEEN :first AND :last) AS open,
           count(*) FILTER (WHERE edge_state[place] NOT BETWEEN :first AND :last
                              AND edge_state[place] IN ({flags.LASTING})) AS awaiting,
           count(*) FILTER (WHERE place = 0 AND cardinality(edge_state) > 0) AS since
      FROM stood
    """  # noqa: S608  # built from constants
)


def count(session: ReadSession, unit_id: int, *, at: datetime) -> tuple[int, int, int]:
    """Count what a unit held at an instant: in hand, not yet received, and all that came since."""
    first, last = int(State.OPEN_IN_TIME), int(State.PAUSED)
    row = session.execute(_COUNT, {"unit": unit_id, "at": at, "first": first, "last": last}).one()
    return row.open, row.awaiting, row.since


_NOT_UNDERSTOOD = text(
    """
    SELECT DISTINCT d.source_id, d.code FROM dossier d
      JOIN unit u ON u.id = d.unit_id
     WHERE u.is_bucket AND d.is_current AND d.unit_told = ANY(CAST(:words AS text[]))
       AND (u.parent_id IS NULL OR u.parent_id = ANY(CAST(:above AS int[])))
    """
)


def not_understood(
    session: ReadSession, words: Iterable[str], *, above: Iterable[UnitRow]
) -> list[Key]:
    """Return the dossiers in places of unknown units that were told with one of some words.

    A name that two units share means neither, until one is known as the successor of the other.
    """
    places = [row.id for row in above]
    rows = session.execute(_NOT_UNDERSTOOD, {"words": sorted(words), "above": places})
    return [(row.source_id, row.code) for row in rows]
