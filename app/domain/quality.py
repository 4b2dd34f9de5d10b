"""What is worth a look in accepted dossiers (chất lượng dữ liệu): named rules, found and weighed.

A rule describes what was told and does not accuse. Rules of one dossier are functions of what was
told of it; the rules ``ACROSS`` dossiers compare many and are asked of the store.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, get_args

from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import Due, clock_start, compute_due
from app.domain.dossier import Issue, in_order
from app.domain.edges import Standing
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import united
from app.domain.procedure import OnlineLevel, Procedure
from app.domain.reading import Clocked
from app.domain.record import OPEN_STATUSES, Channel, Message, MessageKind, Told
from app.domain.timeliness import Reading
from app.domain.values import immutable

MANY: Final = 10
"""How many dossiers of one unit, closed together, are worth a look."""
AHEAD: Final = timedelta(minutes=5)
"""How far the clock of a sender may run ahead of ours before a date counts as one to come."""
ENTERED_LATE_FROM: Final = 2
"""The working days between receipt and its entry from which the entry is late."""
JUST_BEFORE: Final = 1
"""The working days before the due day from which on a pause opens just before it."""


class Severity(StrEnum):
    """How soon an issue is worth a look."""

    INFORMATION = "information"
    ATTENTION = "attention"
    SERIOUS = "serious"


SEVERITIES: Final[Mapping[Issue, Severity]] = MappingProxyType(
    dict.fromkeys(
        (
            *(Issue.FINISH_FROM_RETURN, Issue.END_INFERRED, Issue.UNKNOWN_CHANNEL),
            *(Issue.UNKNOWN_PARENT, Issue.ZERO_DURATION, Issue.STATUS_BACKWARDS),
            *(Issue.NOTICE_LATE, Issue.DATES_AHEAD, Issue.NUMBER_DATE_DIFFERS),
            *(Issue.LATE_BEFORE_CORRECTION, Issue.ONLINE_AT_INFORMATION_LEVEL),
            *(Issue.RENUMBERED, Issue.UNIT_BY_NAME),
        ),
        Severity.INFORMATION,
    )
    | dict.fromkeys(
        (
            *(Issue.FINISHED_WITHOUT_DATE, Issue.FINISH_BEFORE_RECEIPT, Issue.RECEIPT_UNKNOWN),
            *(Issue.NO_DUE, Issue.DUE_NOT_COMPUTABLE, Issue.DUE_NOT_REPRODUCIBLE),
            *(Issue.DUE_CHANGED_SILENTLY, Issue.SECOND_EXTENSION, Issue.EXTENSION_TOO_LATE),
            *(Issue.MORE_THAN_ONE_SUPPLEMENT, Issue.UNKNOWN_UNIT, Issue.UNKNOWN_PROCEDURE),
            *(Issue.PAUSE_LONGER_THAN_LIMIT, Issue.PAUSE_JUST_BEFORE_DUE),
            *(Issue.RECEIPT_ENTERED_LATE, Issue.CLOSED_IN_SAME_MINUTE),
            *(Issue.SAME_FROM_TWO_SOURCES, Issue.NUMBER_UNCLEAR),
        ),
        Severity.ATTENTION,
    )
    | dict.fromkeys(
        (
            *(Issue.FINISH_DATE_CHANGED, Issue.FINISH_BACKDATED),
            *(Issue.DUE_CHANGED_AFTER_PASSING, Issue.CLOSED_IN_BULK),
        ),
        Severity.SERIOUS,
    )
)
"""The weight of each issue: serious is what rewrites lateness or ends many dossiers at once."""

ACROSS: Final = frozenset({Issue.CLOSED_IN_SAME_MINUTE, Issue.CLOSED_IN_BULK})
"""Issues that no dossier shows by itself."""


@immutable
class Case:
    """One dossier under the rules: its number, its news in order, and what the law says of it."""

    code: str
    news: Sequence[Message]
    clocked: Clocked

    def day(self, instant: datetime) -> date:
        """Return the local day of an instant at the unit."""
        return self.clocked.terms.calendar.local_date(instant)

    def working_days(self, start: date, end: date) -> int:
        """Count the working days of the unit after a day up to and including another."""
        return self.clocked.terms.calendar.working_days_between(start, end)


def find(code: str, messages: Sequence[Message], clocked: Clocked) -> frozenset[Issue]:
    """Return what the rules of one dossier find, beside what its reading noted already.

    ``messages`` are in order of arrival. A rule that needs a calendar year which is not loaded
    finds nothing until the year arrives.
    """
    is_plain = len(messages) == 1 and not clocked.pauses
    news = in_order(messages) if len(messages) > 1 else messages
    case = Case(code, news, clocked)
    found = []
    for issue, rule in _OF_PLAIN if is_plain else _OF_ALL:
        try:
            if rule(case):
                found.append(issue)
        except _NOT_COMPUTABLE:
            continue
    return frozenset(found) if found else _NOTHING


def overlong_at(clocked: Clocked) -> datetime | None:
    """Return from when on a pause that is still open will have lasted longer than the limit.

    None without an open pause or a limit, and while a calendar year is missing.
    """
    spans = united(clocked.pauses, clocked.start) if clocked.pauses and clocked.start else ()
    if not spans or spans[-1].ended_at is not None:
        return None
    try:
        return _limit_spent(clocked.terms.calendar, clocked.limit, spans[-1].started_at)
    except _NOT_COMPUTABLE:
        return None


_NOT_COMPUTABLE = (CalendarYearMissing, CalendarNeverOpens)


# ---------------------------------------------------------------- dates

_DateName = Literal[
    "submitted_at",
    "received_at",
    "clock_start_at",
    "finished_at",
    "ended_at",
    "returned_at",
    "entered_at",
]
_DATES: Final[tuple[_DateName, ...]] = get_args(_DateName)


def _dates_ahead(case: Case) -> bool:
    """Tell whether a date was told before it came; more than a day ahead is not accepted."""
    return told_ahead(case.news)


def told_ahead(messages: Sequence[Message]) -> bool:
    """Tell whether one of some messages told a date before it came."""
    for message in messages:
        horizon, told = message.recorded_at + AHEAD, message.told
        for name in _DATES:
            at = told.get(name)
            if at is not None and at > horizon:
                return True
    return False


@lru_cache(maxsize=16_384)
def _day_in(beginning: str) -> date | None:
    """Return the day in a number without its last part; None without six digits that name one."""
    for part in beginning.split("-")[1:]:
        if len(part) == len("yymmdd") and part.isdecimal():
            try:
                return date(2000 + int(part[:2]), int(part[2:4]), int(part[4:]))
            except ValueError:
                return None
    return None


def _number_date_differs(case: Case) -> bool:
    """Tell whether the day in the number is that of neither the receipt nor the submission."""
    facts = case.clocked.history.facts
    received_at = facts.get("received_at")
    if received_at is None:
        return False
    return number_differs(case.code, case.day(received_at), facts, case.clocked.terms.calendar)


def number_differs(code: str, received_on: date, facts: Told, calendar: WorkCalendar) -> bool:
    """Tell whether the day in a number is that of neither the receipt nor the submission.

    Source: dossier numbers are ``{unit}-{yymmdd}-{sequence}``.
    """
    numbered = _day_in(code.rpartition("-")[0])
    if numbered is None or numbered == received_on:
        return False
    submitted_at = facts.get("submitted_at")
    return submitted_at is None or numbered != calendar.local_date(submitted_at)


def _receipt_entered_late(case: Case) -> bool:
    """Tell whether the receipt was typed in days after it happened."""
    return entered_late(case.clocked.history.facts, case.clocked.terms.calendar)


def entered_late(facts: Told, calendar: WorkCalendar) -> bool:
    """Tell whether a receipt was typed in days after it happened."""
    entered_at, received_at = facts.get("entered_at"), facts.get("received_at")
    if entered_at is None or received_at is None:
        return False
    begun, entered_on = calendar.local_date(received_at), calendar.local_date(entered_at)
    return calendar.working_days_between(begun, entered_on) >= ENTERED_LATE_FROM


# ---------------------------------------------------------------- rewritten dates


def _seen_at(message: Message) -> datetime:
    """Return when the source saw what a message tells: its stamp, else when we heard it."""
    return message.source_updated_at if message.stamped else message.recorded_at


def _finish_backdated(case: Case) -> bool:
    """Tell whether a finish was told for a day before one on which it was still told to be open.

    Days are compared, for many senders know the day of a finish and not its hour. A correction
    that a superior approved is none of these.
    """
    return finish_backdated(case.news, case.clocked.terms.calendar)


def finish_backdated(news: Sequence[Message], calendar: WorkCalendar) -> bool:
    """Tell of messages, in the order of news, whether a finish was told backwards in time."""
    if len(news) == 1:
        return False
    seen_open: datetime | None = None
    for message in news:
        told = message.told
        finished_at = told.get("finished_at")
        if finished_at is None:
            if told.get("status") in OPEN_STATUSES and told.get("ended_at") is None:
                seen = _seen_at(message)
                seen_open = seen if seen_open is None else max(seen, seen_open)
        elif (
            seen_open is not None
            and not told.get("approved")
            and calendar.local_date(finished_at) < calendar.local_date(seen_open)
        ):
            return True
    return False


def _due_changed_after_passing(case: Case) -> bool:
    """Tell whether a record named another due date when the held one had passed.

    A date that follows from a pause, an extension or a correction is no change.
    """
    if len(case.news) == 1:
        return False
    records = [
        one
        for one in case.news
        if one.kind is MessageKind.RECORD and one.told.get("due_at") is not None
    ]
    if len(records) < 2:
        return False
    lines = [case.clocked.courses[one].standings for one in (Reading.PROMISED, Reading.EXTENDED)]
    known = {standing.due.due_on for line in lines for standing in line if standing.due is not None}
    held: date | None = None
    for message in records:
        due_at = message.told.get("due_at")
        named = None if due_at is None else case.day(due_at)
        if (
            held is not None
            and named not in {held, *known}
            and all(_has_passed(line, _seen_at(message)) for line in lines)
        ):
            return True
        held = named
    return False


def _has_passed(line: Sequence[Standing], at: datetime) -> bool:
    """Tell whether the clock ran and its due moment lay behind at an instant."""
    standing = next((one for one in reversed(line) if one.at <= at), None)
    if standing is None or standing.paused or standing.due is None:
        return False
    return at > standing.due.on_time_until


# ---------------------------------------------------------------- pauses


def _pause_longer_than_limit(case: Case) -> bool:
    """Tell whether a pause that is over lasted longer than the whole limit."""
    clocked = case.clocked
    if not clocked.pauses or clocked.start is None:
        return False
    calendar, limit = clocked.terms.calendar, clocked.limit
    spans = united(clocked.pauses, clocked.start)
    return any(outlasts(calendar, limit, span.started_at, span.ended_at) for span in spans)


def outlasts(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    started_at: datetime,
    ended_at: datetime | None,
) -> bool:
    """Tell whether a pause that is over lasted longer than the whole limit."""
    spent_at = None if ended_at is None else _limit_spent(calendar, limit, started_at)
    return spent_at is not None and ended_at is not None and ended_at > spent_at


def _limit_spent(
    calendar: WorkCalendar, limit: TimeLimit | None, started_at: datetime
) -> datetime | None:
    """Return when the whole limit would be spent if it ran from an instant on."""
    if limit is None or limit.kind is LimitKind.NONE:
        return None
    due = compute_due(calendar, limit, clock_start(calendar, limit, started_at))
    return None if due is None else due.on_time_until


def _pause_just_before_due(case: Case) -> bool:
    """Tell whether a pause opened on the due day or the working day before it."""
    if not case.clocked.pauses:
        return False
    line = case.clocked.courses[Reading.PROMISED].standings
    if not line:
        return False
    calendar, received_at = case.clocked.terms.calendar, line[0].at
    return any(
        opens_just_before(calendar, received_at, standing.due, standing.at)
        for standing in line
        if standing.paused
    )


def opens_just_before(
    calendar: WorkCalendar, received_at: datetime, due: Due | None, started_at: datetime
) -> bool:
    """Tell whether a pause opened on the due day that it found or the working day before it.

    Limits so short that every pause would be one are left out.
    """
    if due is None or started_at > due.on_time_until:
        return False
    if calendar.working_days_between(calendar.local_date(received_at), due.due_on) <= JUST_BEFORE:
        return False
    begun = calendar.local_date(started_at)
    return calendar.working_days_between(begun, due.due_on) <= JUST_BEFORE


# ---------------------------------------------------------------- catalogue


def _online_at_information_level(case: Case) -> bool:
    """Tell whether it came online for a procedure that only informs online."""
    return only_informs(case.clocked.history.facts, case.clocked.terms.procedure)


def only_informs(facts: Told, procedure: Procedure | None) -> bool:
    """Tell whether a dossier came online for a procedure that only informs online (mức 2)."""
    return (
        procedure is not None
        and procedure.online_level is _INFORMATION
        and facts.get("channel") is _ONLINE
    )


RULES: Final[Mapping[Issue, Callable[[Case], bool]]] = MappingProxyType(
    {
        Issue.DATES_AHEAD: _dates_ahead,
        Issue.NUMBER_DATE_DIFFERS: _number_date_differs,
        Issue.RECEIPT_ENTERED_LATE: _receipt_entered_late,
        Issue.FINISH_BACKDATED: _finish_backdated,
        Issue.DUE_CHANGED_AFTER_PASSING: _due_changed_after_passing,
        Issue.PAUSE_LONGER_THAN_LIMIT: _pause_longer_than_limit,
        Issue.PAUSE_JUST_BEFORE_DUE: _pause_just_before_due,
        Issue.ONLINE_AT_INFORMATION_LEVEL: _online_at_information_level,
    }
)
"""The rules of one dossier that its reading does not need; the others are in ``reading``."""

OF_CHANGES: Final = frozenset(
    {
        *(Issue.FINISH_BACKDATED, Issue.DUE_CHANGED_AFTER_PASSING),
        *(Issue.PAUSE_LONGER_THAN_LIMIT, Issue.PAUSE_JUST_BEFORE_DUE),
    }
)
"""What a dossier that was told once and never paused cannot show."""

_OF_ALL: Final = tuple(RULES.items())
_OF_PLAIN: Final = tuple((issue, rule) for issue, rule in _OF_ALL if issue not in OF_CHANGES)
_NOTHING: Final = frozenset[Issue]()
_ONLINE: Final = Channel.ONLINE
_INFORMATION: Final = OnlineLevel.INFORMATION
