"""Whose time a dossier took, and whose the delay was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.attribution import (
    Hold,
    Party,
    Stretch,
    Wait,
    attribute,
    holder_at,
    since,
    worked,
)
from app.domain.calendar import CalendarYearMissing, WorkCalendar
from app.domain.dossier import History
from app.domain.timeliness import Reading
from app.store import overdue
from app.store.session import ReadSession
from app.usecases.dossiers import DueDateMissing, Whole


@dataclass(frozen=True, slots=True)
class Delay:
    """The life of a dossier until its end or ``as_of``, by party.

    ``late`` is what lies after the due moment; ``at_due`` who held the dossier then. Working time
    is None where a year of the calendar is not loaded.
    """

    begins: datetime
    ends: datetime
    due_at: datetime | None
    stretches: tuple[Stretch, ...]
    late: tuple[Stretch, ...]
    at_due: Stretch | None
    now: Stretch | None
    working: Mapping[Party, timedelta] | None
    working_late: Mapping[Party, timedelta] | None


def delay_of(session: ReadSession, whole: Whole, *, reading: Reading) -> Delay:
    """Return whose time a dossier took until its end or the moment at which it is looked at.

    :raises DueDateMissing: the dossier has no receipt.
    """
    clocked = whole.clocked_then[reading]
    history = clocked.history
    begins = clocked.start
    if begins is None or begins >= whole.as_of:
        raise DueDateMissing(dossier=str(whole.row["code"]))
    closed, ended = _closings(history)
    ends = max(begins, min(ended or whole.as_of, whole.as_of))
    stretches = attribute(
        begins,
        ends,
        stays=_stays(whole, history, begins),
        legs=_legs(session, whole),
        waits=[
            Wait(pause.kind, pause.started_at, pause.ended_at)
            for pause in clocked.pauses
            if pause.started_at < ends
        ],
        closed=closed,
    )
    due = clocked.due(reading)
    due_at = None if due is None else due.due_at
    late = () if due is None else since(stretches, due.on_time_until)
    calendar = clocked.terms.calendar
    return Delay(
        begins=begins,
        ends=ends,
        due_at=due_at,
        stretches=stretches,
        late=late,
        at_due=None if due_at is None else holder_at(stretches, due_at),
        now=stretches[-1] if stretches and ended is None else None,
        working=_worked(calendar, stretches),
        working_late=_worked(calendar, late),
    )


def _worked(
    calendar: WorkCalendar, stretches: tuple[Stretch, ...]
) -> dict[Party, timedelta] | None:
    try:
        return worked(calendar, stretches)
    except CalendarYearMissing:
        return None


def _closings(history: History) -> tuple[list[tuple[datetime, datetime]], datetime | None]:
    """Return the times for which the dossier was closed and opened again, and its end."""
    again = [
        (closing.at, closing.reopened_at)
        for closing in history.closings
        if closing.reopened_at is not None
    ]
    last = history.closings[-1] if history.closings else None
    return again, last.at if last is not None and last.reopened_at is None else history.voided_at


def _stays(whole: Whole, history: History, begins: datetime) -> list[Hold]:
    return [Hold(stay.since or begins, None, whole.unit_code(stay.unit)) for stay in history.stays]


def _legs(session: ReadSession, whole: Whole) -> list[Hold]:
    """Return the legs of a joint dossier that had begun by then."""
    legs = overdue.legs_of(session, int(whole.row["source_id"]), str(whole.row["code"]))
    return [
        Hold(
            leg.begins,
            leg.ends if leg.ends is not None and leg.ends < whole.as_of else None,
            leg.unit,
            leg.leg,
        )
        for leg in legs
        if leg.begins < whole.as_of
    ]
