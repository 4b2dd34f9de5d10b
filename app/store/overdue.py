"""Dossiers in hand whose due moment has passed: candidates for alerts, and the list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from app.domain.alert import DossierKey, InHand, overdue_since, running_since
from app.domain.attribution import Hold
from app.domain.timeliness import JUST, Reading, State
from app.store.base import Instant
from app.store.session import ReadSession
from app.store.tables import dossier, dossier_reading, procedure, source, unit

_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of the oldest due moment first."""

    on_time_until: datetime
    unit_id: int
    source_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A dossier in hand, and what was raised of it before.

    ``told`` are the stages raised for the due moment that it has; ``former`` the numbers of its
    episodes, by due moment.
    """

    dossier: InHand
    told: tuple[str, ...]
    former: Mapping[datetime, int]


@dataclass(frozen=True, slots=True)
class Candidates:
    """One batch of dossiers to be judged, and where the next one begins (None after the last)."""

    found: list[Candidate]
    looked_at: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class Look:
    """What a run looks for: at which instant, how far ahead, and what it would raise.

    ``since`` leaves out what had lapsed by then; ``until`` is where the due moments end for which
    a stage may have come. ``warnings`` and ``overdue`` are the stages looked for, each with the
    last due day for which it may have come.
    """

    as_of: datetime
    now: datetime
    since: datetime | None
    until: datetime
    warnings: Mapping[str, date]
    overdue: Mapping[str, date]


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
    session: ReadSession, look: Look, *, after: Place | None, limit: int, most: int
) -> Candidates:
    """Return one batch of counted dossiers in hand that may deserve an alert.

    A warning is looked for while a dossier is in time, now and then, a stage after the due day
    while it is overdue, both in the promised reading. The walk is by key over a partial index, so
    a batch costs the same wherever it lies; histories are read only of what is left.

    :param limit: dossiers to be looked at.
    :param most: dossiers to be found; the batch ends with the last of them.
    """
    end = _end_of_batch(session, look, after=after, limit=limit)
    if end is None:
        return Candidates([], 0, None)
    last, looked_at = end
    rows = session.execute(
        sa.text(_WANTED),
        {
            **_bounds(look, after),
            "to_moment": last.on_time_until,
            "to_unit": last.unit_id,
            "to_source": last.source_id,
            "to_code": last.code,
            "last": look.as_of - JUST,
            "present": max(look.now, look.as_of) - JUST,
            "warnings": list(look.warnings),
            "warning_days": list(look.warnings.values()),
            "overdue": list(look.overdue),
            "overdue_days": list(look.overdue.values()),
            "most": most,
        },
    ).all()
    found = [_candidate(row, look.as_of) for row in rows]
    if len(found) == most:
        key = found[-1].dossier.key
        place = Place(rows[-1].on_time_until, key.unit_id, key.source_id, key.code)
        return Candidates(found, rows[-1].number, place)
    return Candidates(found, looked_at, last if looked_at == limit else None)


_WALK: Final = """
    FROM dossier
   WHERE is_open AND on_time_until >= :since AND on_time_until < :until
     AND (on_time_until, unit_id, source_id, code) > (:moment, :unit_id, :source_id, :code)"""

_END: Final = f"""
SELECT on_time_until, unit_id, source_id, code, count(*) OVER () AS looked_at
  FROM (SELECT on_time_until, unit_id, source_id, code {_WALK}
         ORDER BY on_time_until, unit_id, source_id, code LIMIT :limit) walk
 ORDER BY on_time_until DESC, unit_id DESC, source_id DESC, code DESC LIMIT 1"""  # noqa: S608

_WANTED: Final = f"""
WITH walk AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY on_time_until, unit_id, source_id, code) AS number,
         is_current AND is_counted AND due_on IS NOT NULL AS is_looked_for,
         unit_id, source_id, code, on_time_until, unit_lft, due_on, due_at, received_at,
         first_recorded_at, edge_at, edge_state,
         edge_state[width_bucket(CAST(:last AS timestamptz), edge_at)] AS state,
         edge_state[width_bucket(CAST(:present AS timestamptz), edge_at)] AS state_now
  {_WALK}
     AND (on_time_until, unit_id, source_id, code)
         <= (:to_moment, :to_unit, :to_source, :to_code)
), judged AS (
  SELECT walk.*, former.told, former.dues, former.episodes
    FROM walk CROSS JOIN LATERAL (
         SELECT coalesce(array_agg(a.stage) FILTER (WHERE a.due_at = walk.due_at), '{{}}') AS told,
                array_agg(a.due_at) AS dues, array_agg(a.episode) AS episodes
           FROM alert a
          WHERE a.unit_id = walk.unit_id AND a.source_id = walk.source_id
            AND a.code = walk.code) AS former
   WHERE is_looked_for
     AND (state = {State.OPEN_OVERDUE:d}
          OR (state = {State.OPEN_IN_TIME:d} AND state_now = {State.OPEN_IN_TIME:d}))
)
SELECT judged.unit_id, judged.source_id, judged.code, unit.code AS unit, source.code AS source,
       unit_lft, due_on, due_at, received_at, first_recorded_at, edge_at, edge_state, told, dues,
       episodes, on_time_until, number
  FROM judged JOIN unit ON unit.id = judged.unit_id JOIN source ON source.id = judged.source_id
 WHERE EXISTS (
       SELECT 1 FROM unnest(CAST(:overdue AS text[]), CAST(:overdue_days AS date[])) s (name, day)
        WHERE state = {State.OPEN_OVERDUE:d} AND due_on <= s.day AND s.name <> ALL (told)
       UNION ALL
       SELECT 1 FROM unnest(CAST(:warnings AS text[]), CAST(:warning_days AS date[])) s (name, day)
        WHERE state = {State.OPEN_IN_TIME:d} AND due_on <= s.day AND s.name <> ALL (told))
 ORDER BY number LIMIT :most"""  # noqa: S608


def _bounds(look: Look, after: Place | None) -> dict[str, object]:
    begin = after or Place(_BEGINNING, 0, 0, "")
    return {
        "since": look.since or _BEGINNING,
        "until": look.until,
        "moment": begin.on_time_until,
        "unit_id": begin.unit_id,
        "source_id": begin.source_id,
        "code": begin.code,
    }


def _end_of_batch(
    session: ReadSession, look: Look, *, after: Place | None, limit: int
) -> tuple[Place, int] | None:
    """Return the last dossier of the next batch and how many there are in it."""
    bounds = _bounds(look, after)
    row = session.execute(sa.text(_END), {**bounds, "limit": limit}).mappings().one_or_none()
    return None if row is None else (_place_of(row), row["looked_at"])


@dataclass(frozen=True, slots=True)
class Horizon:
    """Up to which due day dossiers in time are listed: one for most units, others for some."""

    due_on: date
    others: Mapping[int, date]


def page_due_soon(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    as_of: datetime,
    horizon: Horizon,
    after: Place | None,
    limit: int,
) -> list[OverdueRow]:
    """Return the dossiers of a subtree in time at the present, up to a due day, soonest first."""
    listed = _soon(lft=lft, rgt=rgt, as_of=as_of, horizon=horizon).subquery()
    wanted = sa.select(listed).order_by(*_place(listed)).limit(limit)
    if after is not None:
        wanted = wanted.where(_after(listed, after))
    return [_row(row) for row in session.execute(wanted).mappings()]


def count_due_soon(
    session: ReadSession, *, lft: int, rgt: int, as_of: datetime, horizon: Horizon
) -> int:
    """Count the dossiers that ``page_due_soon`` lists."""
    base = _soon(lft=lft, rgt=rgt, as_of=as_of, horizon=horizon).subquery()
    return session.execute(sa.select(sa.func.count()).select_from(base)).scalar_one()


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


def legs_of(session: ReadSession, source_id: int, parent: str) -> list[Hold]:
    """Return who held the legs of a joint dossier from when to when, in order of beginning."""
    ended = sa.func.coalesce(dossier.c.finished_at, dossier.c.ended_at, dossier.c.source_updated_at)
    found = session.execute(
        sa.select(
            dossier.c.received_at,
            sa.case((dossier.c.is_open, None), else_=ended),
            unit.c.code,
            dossier.c.leg,
        )
        .join_from(dossier, unit, unit.c.id == dossier.c.unit_id)
        .where(dossier.c.is_leg, dossier.c.is_current, dossier.c.received_at.is_not(None))
        .where(dossier.c.source_id == source_id, dossier.c.parent == parent)
        .order_by(dossier.c.received_at, dossier.c.code)
    )
    return [Hold(*row) for row in found]


def _listed(
    *, lft: int, rgt: int, as_of: datetime, reading: Reading, open_now: bool
) -> sa.Select[*tuple[object, ...]]:
    last = as_of - JUST
    table, clock = _clock_of(reading, last)
    wanted = (
        _counted(table, clock, lft, rgt)
        .where(clock["on_time_until"] < sa.bindparam("last", last, type_=Instant))
        .where(clock["state"] == int(State.OPEN_OVERDUE))
    )
    return wanted.where(dossier.c.is_open) if open_now else wanted


def _soon(
    *, lft: int, rgt: int, as_of: datetime, horizon: Horizon
) -> sa.Select[*tuple[object, ...]]:
    last = as_of - JUST
    table, clock = _clock_of(Reading.PROMISED, last)
    wanted = (
        _counted(table, clock, lft, rgt)
        .where(dossier.c.is_open)
        .where(dossier.c.on_time_until >= sa.bindparam("last", last, type_=Instant))
        .where(clock["state"] == int(State.OPEN_IN_TIME))
    )
    farthest = max([horizon.due_on, *horizon.others.values()])
    if farthest == horizon.due_on and not horizon.others:
        return wanted.where(dossier.c.due_on <= farthest)
    days = sa.func.unnest(
        sa.bindparam("units", list(horizon.others), type_=ARRAY(sa.Integer)),
        sa.bindparam("days", list(horizon.others.values()), type_=ARRAY(sa.Date)),
    )
    other = days.table_valued("unit_id", "due_on").render_derived(name="other")
    own = sa.select(other.c.due_on).where(other.c.unit_id == dossier.c.unit_id).scalar_subquery()
    return wanted.where(
        dossier.c.due_on <= farthest,
        dossier.c.due_on <= sa.func.coalesce(own, sa.literal(horizon.due_on, sa.Date)),
    )


def _counted(
    table: sa.FromClause, clock: Mapping[str, sa.ColumnElement[object]], lft: int, rgt: int
) -> sa.Select[*tuple[object, ...]]:
    """Return the counted dossiers of a subtree, with all that a list shows of each."""
    return (
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
    )


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


def _candidate(row: sa.Row[*tuple[Any, ...]], as_of: datetime) -> Candidate:
    unit_id, source_id, code, unit_code, source_code, unit_lft, due_on, due_at, *rest = row
    received_at, first_recorded_at, edge_at, edge_state, told, dues, episodes, _, _ = rest
    running = running_since(edge_at, edge_state, as_of)
    if running is None:
        raise AssertionError("SQL and the domain disagree on the state of a dossier")
    dossier = InHand(
        key=DossierKey(unit_id, source_id, code),
        unit=unit_code,
        source=source_code,
        unit_lft=unit_lft,
        due_on=due_on,
        due_at=due_at,
        late_since=overdue_since(edge_at, edge_state, as_of),
        running_since=running,
        received_at=received_at,
        first_recorded_at=first_recorded_at,
    )
    former = dict(zip(dues, episodes, strict=True)) if dues else {}
    return Candidate(dossier, tuple(told), former)


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
