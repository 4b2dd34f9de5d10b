"""Dossiers in hand whose due moment has passed: candidates for alerts, and the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from app.domain.alert import DossierKey, Overdue, overdue_since
from app.domain.timeliness import JUST, Reading, State
from app.store.base import Instant
from app.store.session import ReadSession
from app.store.tables import alert, dossier, dossier_reading, procedure, source, unit

_CANDIDATE: Final = (
    *("unit_id", "source_id", "code", "unit_lft", "first_recorded_at", "is_current"),
    *("is_counted", "due_on", "due_at", "on_time_until", "edge_at", "edge_state"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of the oldest due moment first."""

    on_time_until: datetime
    unit_id: int
    source_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """One batch of overdue dossiers, and where the next one begins (None after the last)."""

    overdue: list[Overdue]
    looked_at: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class OverdueRow:
    """A dossier of the overdue list (danh sách hồ sơ quá hạn)."""

    place: Place
    key: DossierKey
    unit: str
    source: str
    procedure: str | None
    leg: str | None
    due_on: date
    due_at: datetime
    apology_at: datetime | None
    apology_exempt: bool


def candidates(
    session: ReadSession,
    *,
    as_of: datetime,
    stages: Sequence[str],
    after: Place | None,
    limit: int,
) -> Candidates:
    """Return one batch of current dossiers that are overdue in the promised reading.

    Those whose due moment has already had all the stages are left out; legs of joint dossiers
    too. The walk is by key over a partial index, so a batch costs the same wherever it lies.
    """
    last = as_of - JUST
    walk = (
        sa.select(*(dossier.c[name] for name in _CANDIDATE))
        .where(
            dossier.c.is_open,
            dossier.c.on_time_until < sa.bindparam("last", last, type_=Instant),
        )
        .order_by(*_place(dossier))
        .limit(limit)
    )
    if after is not None:
        walk = walk.where(_after(dossier, after))
    batch = walk.cte("batch").prefix_with("MATERIALIZED", dialect="postgresql")
    told = (
        sa.select(sa.func.count())
        .where(
            alert.c.unit_id == batch.c.unit_id,
            alert.c.source_id == batch.c.source_id,
            alert.c.code == batch.c.code,
            alert.c.due_at == batch.c.due_at,
            alert.c.stage.in_(list(stages)),
        )
        .scalar_subquery()
    )
    wanted = (
        sa.select(
            batch.c.unit_id,
            batch.c.source_id,
            batch.c.code,
            batch.c.on_time_until,
            batch.c.unit_lft,
            batch.c.due_on,
            batch.c.due_at,
            batch.c.first_recorded_at,
            batch.c.edge_at,
            batch.c.edge_state,
            unit.c.code.label("unit"),
            source.c.code.label("source"),
            sa.and_(
                batch.c.is_current,
                batch.c.is_counted,
                batch.c.due_on.is_not(None),
                _state(batch.c.edge_at, batch.c.edge_state, last) == int(State.OPEN_OVERDUE),
                told < len(stages),
            ).label("wanted"),
        )
        .join_from(batch, unit, unit.c.id == batch.c.unit_id)
        .join(source, source.c.id == batch.c.source_id)
        .order_by(*_place(batch))
    )
    rows = session.execute(wanted).mappings().all()
    return Candidates(
        overdue=[_overdue(row, as_of) for row in rows if row["wanted"]],
        looked_at=len(rows),
        after=_place_of(rows[-1]) if len(rows) == limit else None,
    )


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    as_of: datetime,
    reading: Reading,
    open_now: bool,
    after: Place | None,
    limit: int,
) -> list[OverdueRow]:
    """Return overdue dossiers of a subtree, oldest due moment first.

    :param open_now: ``as_of`` is the present, so that only dossiers still in hand are looked at.
    """
    base = _listed(lft=lft, rgt=rgt, as_of=as_of, reading=reading, open_now=open_now)
    listed = base.subquery()
    wanted = sa.select(listed).order_by(*_place(listed)).limit(limit)
    if after is not None:
        wanted = wanted.where(_after(listed, after))
    return [_row(row) for row in session.execute(wanted).mappings()]


def count(
    session: ReadSession, *, lft: int, rgt: int, as_of: datetime, reading: Reading, open_now: bool
) -> int:
    """Count the dossiers that ``page`` lists."""
    base = _listed(lft=lft, rgt=rgt, as_of=as_of, reading=reading, open_now=open_now)
    return session.execute(sa.select(sa.func.count()).select_from(base.subquery())).scalar_one()


def open_legs(
    session: ReadSession, parents: Sequence[DossierKey]
) -> dict[tuple[int, str], tuple[str, str | None]]:
    """Return who holds the newest open leg of joint dossiers: unit and leg, by (source, code)."""
    if not parents:
        return {}
    keys = sa.tuple_(dossier.c.source_id, dossier.c.parent)
    found = session.execute(
        sa.select(dossier.c.source_id, dossier.c.parent, unit.c.code, dossier.c.leg)
        .join_from(dossier, unit, unit.c.id == dossier.c.unit_id)
        .where(dossier.c.is_leg, dossier.c.is_open, dossier.c.is_current)
        .where(keys.in_([(key.source_id, key.code) for key in parents]))
        .order_by(dossier.c.received_at.nulls_first(), dossier.c.code)
    )
    return {(source_id, parent): (held_by, leg) for source_id, parent, held_by, leg in found}


def _listed(
    *, lft: int, rgt: int, as_of: datetime, reading: Reading, open_now: bool
) -> sa.Select[*tuple[object, ...]]:
    last = as_of - JUST
    table, clock = _clock_of(reading, last)
    wanted = (
        sa.select(
            dossier.c.unit_id,
            dossier.c.source_id,
            dossier.c.code,
            dossier.c.leg,
            dossier.c.apology_at,
            dossier.c.apology_exempt,
            clock["on_time_until"].label("on_time_until"),
            clock["due_on"].label("due_on"),
            clock["due_at"].label("due_at"),
            unit.c.code.label("unit"),
            source.c.code.label("source"),
            sa.func.coalesce(procedure.c.code, dossier.c.procedure_told).label("procedure"),
        )
        .select_from(table)
        .join(unit, unit.c.id == dossier.c.unit_id)
        .join(source, source.c.id == dossier.c.source_id)
        .outerjoin(procedure, procedure.c.id == dossier.c.procedure_id)
        .where(dossier.c.unit_lft.between(lft, rgt), dossier.c.is_counted)
        .where(clock["on_time_until"] < sa.bindparam("last", last, type_=Instant))
        .where(clock["state"] == int(State.OPEN_OVERDUE))
    )
    return wanted.where(dossier.c.is_open) if open_now else wanted


def _clock_of(
    reading: Reading, last: datetime
) -> tuple[sa.FromClause, dict[str, sa.ColumnElement[object]]]:
    """Return the due value and the state of a reading, and what to read them from.

    Another reading than the promised one is kept only where it differs.
    """
    promised = _values(dossier, last)
    if reading is Reading.PROMISED:
        return dossier, promised
    other = dossier_reading
    joined = dossier.outerjoin(
        other,
        sa.and_(
            other.c.unit_id == dossier.c.unit_id,
            other.c.source_id == dossier.c.source_id,
            other.c.code == dossier.c.code,
            other.c.reading == reading.value,
        ),
    )
    differs = other.c.reading.is_not(None)
    return joined, {
        name: sa.case((differs, value), else_=promised[name])
        for name, value in _values(other, last).items()
    }


def _values(table: sa.Table, last: datetime) -> dict[str, sa.ColumnElement[object]]:
    return {
        "due_on": table.c.due_on,
        "due_at": table.c.due_at,
        "on_time_until": table.c.on_time_until,
        "state": _state(table.c.edge_at, table.c.edge_state, last),
    }


def _state(
    edge_at: sa.ColumnElement[object], edge_state: sa.ColumnElement[object], last: datetime
) -> sa.ColumnElement[int]:
    """Return the state at an instant: that of the last edge at or before it."""
    moment = sa.bindparam("at", last, type_=Instant, unique=True)
    place = sa.func.width_bucket(moment, edge_at)
    states = sa.type_coerce(edge_state, ARRAY(sa.SmallInteger))
    return sa.type_coerce(states[place], sa.SmallInteger)


def _place(table: sa.FromClause) -> tuple[sa.ColumnElement[object], ...]:
    return (table.c.on_time_until, table.c.unit_id, table.c.source_id, table.c.code)


def _after(table: sa.FromClause, place: Place) -> sa.ColumnElement[bool]:
    known = (place.on_time_until, place.unit_id, place.source_id, place.code)
    types: tuple[TypeEngine[Any], ...] = (Instant(), sa.Integer(), sa.Integer(), sa.Text())
    bound = [sa.literal(value, kind) for value, kind in zip(known, types, strict=True)]
    return sa.tuple_(*_place(table)) > sa.tuple_(*bound)


def _place_of(row: sa.RowMapping) -> Place:
    return Place(row["on_time_until"], row["unit_id"], row["source_id"], row["code"])


def _overdue(row: sa.RowMapping, as_of: datetime) -> Overdue:
    since = overdue_since(row["edge_at"], row["edge_state"], as_of)
    if since is None:
        raise AssertionError("SQL and the domain disagree on the state of a dossier")
    return Overdue(
        key=DossierKey(row["unit_id"], row["source_id"], row["code"]),
        unit=row["unit"],
        source=row["source"],
        unit_lft=row["unit_lft"],
        due_on=row["due_on"],
        due_at=row["due_at"],
        late_since=since,
        first_recorded_at=row["first_recorded_at"],
    )


def _row(row: sa.RowMapping) -> OverdueRow:
    return OverdueRow(
        place=_place_of(row),
        key=DossierKey(row["unit_id"], row["source_id"], row["code"]),
        unit=row["unit"],
        source=row["source"],
        procedure=row["procedure"],
        leg=row["leg"],
        due_on=row["due_on"],
        due_at=row["due_at"],
        apology_at=row["apology_at"],
        apology_exempt=row["apology_exempt"],
    )
