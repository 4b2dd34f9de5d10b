"""Where a dossier stands at one instant, decided directly from the facts known before it.

This is the decision in the words of ``measures.md``: the first state that fits. It rewinds the
history to the instant and asks the clock anew, so it shares nothing with ``domain.edges`` but the
facts; figures are read from edges, and a property test holds both equal.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from app.domain.deadline import Due
from app.domain.dossier import Closing, Ending, History
from app.domain.edges import Course
from app.domain.reading import Clocked, Terms, read
from app.domain.record import PauseTold
from app.domain.timeliness import JUST, Reading, State


def classify(
    history: History, terms: Terms, *, reading: Reading, as_of: datetime
) -> tuple[State, int] | None:
    """Return the state of a dossier at ``as_of`` (exclusive) and the unit that holds it.

    None when nothing had happened yet. What happens at or after ``as_of`` changes nothing, save
    for the reading ``as_sent``, which judges by the dates that the sender tells today.
    """
    rewound = rewound_to(history, as_of, reading)
    last = as_of - JUST
    voided_at = rewound.voided_at
    if voided_at is not None:
        held = [stay for stay in rewound.stays if stay.since is None or stay.since <= voided_at]
        return State.VOIDED, held[-1].unit
    unit = rewound.stays[-1].unit
    clocked = read(rewound, terms)
    received_at = rewound.received_at
    if received_at is None or received_at > last:
        state = _before_receipt(clocked.courses[reading], as_of)
        return None if state is None else (state, unit)
    return _after_receipt(clocked, reading, last), unit


def _before_receipt(course: Course, as_of: datetime) -> State | None:
    last = as_of - JUST
    if course.unreceived is not None and course.unreceived[0] <= last:
        return course.unreceived[1]
    if course.submitted_at is None or course.submitted_at > last:
        return None
    if course.intake_due_at is not None and last > course.intake_due_at:
        return State.AWAITING_INTAKE_OVERDUE
    return State.AWAITING_INTAKE_IN_TIME


def _after_receipt(clocked: Clocked, reading: Reading, last: datetime) -> State:
    course = clocked.courses[reading]
    closing = clocked.history.closings[-1] if clocked.history.closings else None
    held = [standing for standing in course.standings if standing.at <= last]
    standing = held[-1] if held else course.standings[0]
    due = standing.due
    if closing is not None and closing.reopened_at is None:
        return _ended(closing.ending, due, course.closed_at(closing))
    if standing.paused:
        return State.PAUSED
    if due is None:
        return State.OPEN_NO_DUE
    return State.OPEN_OVERDUE if last > due.on_time_until else State.OPEN_IN_TIME


def _ended(ending: Ending, due: Due | None, at: datetime) -> State:
    match ending:
        case Ending.WITHDRAWN:
            return State.WITHDRAWN
        case Ending.STOPPED:
            return State.STOPPED
        case Ending.FINISHED if due is None:
            return State.FINISHED_NO_DUE
        case Ending.FINISHED if at > due.on_time_until:
            return State.FINISHED_LATE
        case Ending.FINISHED:
            return State.FINISHED_EARLY if at < due.early_before else State.FINISHED_ON_TIME


def rewound_to(history: History, as_of: datetime, reading: Reading) -> History:
    """Return a history without what happened at or after an instant.

    The reading ``as_sent`` judges by the end that the sender tells today.
    """
    voided_at = history.voided_at
    return replace(
        history,
        stays=tuple(one for one in history.stays if one.since is None or one.since < as_of),
        closings=tuple(
            _open_again(one, as_of)
            for one in history.closings
            if (one.as_sent_at if reading is Reading.AS_SENT else one.at) < as_of
        ),
        pauses=tuple(_unended(history.pauses, as_of)),
        inferred=tuple(_unended(history.inferred, as_of)),
        extensions=tuple(one for one in history.extensions if one.issued_at < as_of),
        voided_at=None if voided_at is None or voided_at >= as_of else voided_at,
    )


def _open_again(closing: Closing, as_of: datetime) -> Closing:
    """Forget a reopening that had not happened yet."""
    reopened_at = closing.reopened_at
    if reopened_at is None or reopened_at < as_of:
        return closing
    return replace(closing, reopened_at=None)


def _unended(pauses: tuple[PauseTold, ...], as_of: datetime) -> Iterator[PauseTold]:
    """Forget pauses that had not begun, and the ends that had not come."""
    for pause in pauses:
        if pause.started_at < as_of:
            ended_at = pause.ended_at
            gone = ended_at is not None and ended_at >= as_of
            yield replace(pause, ended_at=None) if gone else pause
