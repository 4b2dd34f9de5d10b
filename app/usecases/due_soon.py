"""What falls due soon: dossiers in time with few working days left, the soonest first."""

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.alert import Stage, last_due_day, working_days_left
from app.domain.calendar import CalendarNeverOpens, CalendarYearMissing, WorkCalendar
from app.store import overdue, units
from app.store.overdue import Horizon, OverdueRow, Place
from app.store.session import ReadSession
from app.usecases.calendars import calendars_of, state_calendar
from app.usecases.overdue import LONGEST_CLOSURE, Holder, holder_of
from app.usecases.subtree import Subtree


@dataclass(frozen=True, slots=True)
class DueDossier:
    """One line of the list; ``working_days_left`` is None where no calendar can tell."""

    row: OverdueRow
    working_days_left: int | None
    holder: Holder


@dataclass(frozen=True, slots=True)
class DueSoonPage:
    """A page of what falls due soon."""

    as_of: datetime
    total: int
    dossiers: list[DueDossier]
    after: Place | None


def list_due_soon(
    session: ReadSession,
    *,
    within: Subtree,
    days: int,
    now: datetime,
    after: Place | None,
    limit: int,
) -> DueSoonPage:
    """Return a page of the dossiers in time that have at most so many working days left.

    0 asks for those due today. Days are those of each unit's own calendar.
    """
    horizon = _horizon(session, within, days, now)
    rows = overdue.page_due_soon(
        session,
        lft=within.lft,
        rgt=within.rgt,
        as_of=now,
        horizon=horizon,
        after=after,
        limit=limit + 1,
    )
    shown = rows[:limit]
    legs = overdue.open_legs(session, [row.key for row in shown])
    calendars = calendars_of(session, {row.key.unit_id for row in shown})
    return DueSoonPage(
        as_of=now,
        total=overdue.count_due_soon(
            session, lft=within.lft, rgt=within.rgt, as_of=now, horizon=horizon
        ),
        dossiers=[
            DueDossier(row, _left(calendars[row.key.unit_id], row, now), holder_of(row, legs))
            for row in shown
        ],
        after=shown[-1].place if len(rows) > limit else None,
    )


def _horizon(session: ReadSession, within: Subtree, days: int, now: datetime) -> Horizon:
    """Return the last due days in sight: that of the state's calendar, and those that differ."""
    general = _in_sight(state_calendar(session), days, now)
    asked = [unit.id for unit in units.subtree(session, within.lft, within.rgt)]
    known: dict[int, date] = {}
    others = {}
    for unit_id, calendar in calendars_of(session, asked).items():
        day = known.setdefault(id(calendar), _in_sight(calendar, days, now))
        if day != general:
            others[unit_id] = day
    return Horizon(general, others)


def _in_sight(calendar: WorkCalendar, days: int, now: datetime) -> date:
    today = calendar.local_date(now)
    try:
        return last_due_day(calendar, today, Stage(-days))
    except (CalendarYearMissing, CalendarNeverOpens):
        return today + LONGEST_CLOSURE


def _left(calendar: WorkCalendar, row: OverdueRow, now: datetime) -> int | None:
    try:
        return working_days_left(calendar, row.due_on, now)
    except CalendarYearMissing:
        return None
