"""The shortest way from a plain history to what is counted of it.

Most dossiers are told by records of dates alone, at one unit: no pause, no letter, no correction,
no withdrawal, a limit in days. For them every reading follows from one due date or two, and the
edges from three or four instants. ``read`` says so without the values in between; ``reading.read``,
``edges.edges`` and ``quality.find`` say the same of them, only slower, and a property test holds
both equal for whatever is drawn. What is not plain is left to those.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from app.domain import quality
from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import BY_DAY, Due, compute_due, days_taken, promise
from app.domain.dossier import Closing, Ending, History, Issue, in_order
from app.domain.edges import judge
from app.domain.limits import LimitKind, TimeLimit
from app.domain.procedure import Procedure
from app.domain.reading import intake_due
from app.domain.record import Channel, Message, MessageKind, Status, Told
from app.domain.timeliness import FINISHES, JUST, Flow, Reading, State
from app.domain.values import immutable

IntakeLimit = Callable[[date], TimeLimit]
"""Gives the limit of intake in force on the day on which a dossier was handed in."""


class Line(NamedTuple):
    """The edges of one reading, one list for each of their parts, and the days a finish took."""

    at: list[datetime]
    states: list[int]
    flows: list[int]
    due_on: list[date | None]
    days: list[int | None]


OtherLine = tuple[Reading, Due | None, Line]
"""Another reading, its due value and its line."""


@immutable
class Plain:
    """What the law says of a plain history.

    ``line`` is that of the promise; ``other`` is the one reading that differs from it, with its
    due value and its line. ``is_open`` tells whether the unit holds it and owes a result.
    """

    limit_kind: LimitKind | None
    start: datetime
    due: Due | None
    due_origin: str
    line: Line
    other: OtherLine | None
    is_open: bool
    issues: list[Issue]


def read(
    code: str,
    messages: Sequence[Message],
    history: History,
    *,
    calendar: WorkCalendar,
    procedure: Procedure | None,
    intake_limit: IntakeLimit,
) -> Plain | None:
    """Lay the law over a plain history; None if it is not plain.

    ``messages`` are what was told, in order of arrival, and ``code`` the number of the dossier.
    """
    facts = history.facts
    received_at = facts.get("received_at")
    if received_at is None or not _is_plain(history, messages):
        return None
    begun = facts.get("clock_start_at") or received_at
    limit = None if procedure is None else _limit(procedure, facts, calendar, begun)
    if limit is not None and (limit.kind not in BY_DAY or limit.is_half):
        return None
    issues = _noticed(code, messages, history, calendar, procedure)
    computed = _computed(calendar, limit, begun, issues)
    due = _due(history, calendar, computed, issues)
    closing = history.closings[0] if history.closings else None
    waited = _waited(history, received_at, calendar, intake_limit)
    taken = None if closing is None else _taken(calendar, begun, closing, received_at)
    line = _line(waited, received_at, due, closing, taken)
    other: OtherLine | None = None
    if history.promise is None:
        if due is not None:
            other = (_AS_SENT, None, _line(waited, received_at, None, closing, taken))
    elif computed != due:
        other = (_STATUTORY, computed, _line(waited, received_at, computed, closing, taken))
    kind = None if limit is None else limit.kind
    origin = "told" if history.promise is not None else "none" if due is None else "computed"
    return Plain(kind, begun, due, origin, line, other, closing is None, issues)


def _is_plain(history: History, messages: Sequence[Message]) -> bool:
    """Tell whether nothing was told but records of dates, at one unit, for one due date."""
    if (
        len(history.stays) != 1
        or history.pauses
        or history.inferred
        or history.extensions
        or history.facts.get("parent") is not None
    ):
        return False
    due_at = history.facts.get("due_at")
    for message in messages:
        if message.kind is not _RECORD or message.told.get("due_at") != due_at:
            return False
    return not history.closings or _is_one_end(history.closings)


def _is_one_end(closings: Sequence[Closing]) -> bool:
    one = closings[0]
    return (
        len(closings) == 1
        and one.ending is _FINISHED
        and one.reopened_at is None
        and (one.as_sent_at is one.at or one.as_sent_at == one.at)
    )


def _limit(
    procedure: Procedure, facts: Told, calendar: WorkCalendar, begun: datetime
) -> TimeLimit | None:
    version = procedure.limit_at(
        calendar.local_date(begun),
        case=facts.get("case"),
        channel=facts.get("channel") or _UNKNOWN,
    )
    return None if version is None else version.limit


def _due(
    history: History, calendar: WorkCalendar, computed: Due | None, issues: list[Issue]
) -> Due | None:
    """Return the promise: what was told, or else what the limit gives."""
    held = history.promise
    if held is None:
        if computed is None:
            issues.append(_NO_DUE)
        return computed
    due = promise(calendar, held.due_at, by_instant=False)
    if computed is not None and computed.due_on != due.due_on:
        issues.append(_NOT_REPRODUCIBLE)
    return due


def _computed(
    calendar: WorkCalendar, limit: TimeLimit | None, begun: datetime, issues: list[Issue]
) -> Due | None:
    if limit is None:
        return None
    try:
        return compute_due(calendar, limit, begun)
    except _NOT_COMPUTABLE:
        issues.append(_DUE_NOT_COMPUTABLE)
        return None


# ---------------------------------------------------------------- edges


class _Waited(NamedTuple):
    """Since when a dossier waited to be taken in, and from when on that was too long."""

    since: datetime
    overdue_at: datetime | None


def _waited(
    history: History, received_at: datetime, calendar: WorkCalendar, intake_limit: IntakeLimit
) -> _Waited | None:
    facts = history.facts
    since = facts.get("submitted_at")
    if since is None:
        since = history.status_at if facts.get("status") is _SUBMITTED else None
        handed_in = history.source_updated_at
    else:
        handed_in = since
    if since is None or since >= received_at:
        return None
    limit = intake_limit(calendar.local_date(handed_in))
    due_at = intake_due(calendar, limit, since, received_at)
    if due_at is None or due_at + JUST >= received_at:
        return _Waited(since, None)
    return _Waited(since, due_at + JUST)


def _line(
    waited: _Waited | None,
    received_at: datetime,
    due: Due | None,
    closing: Closing | None,
    taken: int | None,
) -> Line:
    """Return the edges with one due value, or with none."""
    at: list[datetime] = []
    states: list[int] = []
    flows: list[int] = []
    if waited is not None:
        at.append(waited.since)
        states.append(_AWAITING)
        flows.append(_NONE)
        if waited.overdue_at is not None:
            at.append(waited.overdue_at)
            states.append(_AWAITING_OVERDUE)
            flows.append(_NONE)
    dues: list[date | None] = [None] * len(at)
    at.append(received_at)
    flows.append(_RECEIVED)
    closes = None if closing is None else max(closing.at, received_at)
    if due is None:
        states.append(_OPEN_NO_DUE)
    elif (lapse := due.on_time_until + JUST) <= received_at:
        states.append(_OVERDUE)
    else:
        states.append(_IN_TIME)
        if closes is None or lapse < closes:
            at.append(lapse)
            states.append(_OVERDUE)
            flows.append(_NONE)
    if closing is not None and closes is not None:
        state = judge(due, closing.at)
        at.append(closes)
        states.append(state.value)
        flows.append(_FINISHES[state])
    dues += [None if due is None else due.due_on] * (len(at) - len(dues))
    days = [] if taken is None else [*[None] * (len(at) - 1), taken]
    return Line(at, states, flows, dues, days)


def _taken(
    calendar: WorkCalendar, begun: datetime, closing: Closing, received_at: datetime
) -> int | None:
    """Return the whole working days that the finish took; None if a year is missing."""
    try:
        return days_taken(calendar, begun, max(closing.at, received_at))
    except CalendarYearMissing:
        return None


# ---------------------------------------------------------------- things to look at


def _noticed(
    code: str,
    messages: Sequence[Message],
    history: History,
    calendar: WorkCalendar,
    procedure: Procedure | None,
) -> list[Issue]:
    """Return what is worth a look whatever the due date is."""
    facts = history.facts
    issues = _told_by_days(code, messages, facts, calendar)
    issues += history.issues
    channel = facts.get("channel")
    if channel is None or channel is _UNKNOWN:
        issues.append(_UNKNOWN_CHANNEL)
    if procedure is None:
        issues.append(_UNKNOWN_PROCEDURE)
    elif quality.only_informs(facts, procedure):
        issues.append(_ONLY_INFORMS)
    if not history.closings:
        if facts.get("status") in _ENDED:
            issues.append(_WITHOUT_DATE)
    else:
        _notice_end(history.closings[0].at, facts, issues)
    if quality.told_ahead(messages):
        issues.append(_DATES_AHEAD)
    return issues


def _told_by_days(
    code: str, messages: Sequence[Message], facts: Told, calendar: WorkCalendar
) -> list[Issue]:
    """Return what local days show, as far as their years are known."""
    issues = []
    if _number_differs(code, facts, calendar):
        issues.append(_NUMBER_DIFFERS)
    if facts.get("entered_at") is not None and _entered_late(facts, calendar):
        issues.append(_ENTERED_LATE)
    if len(messages) > 1 and _backdated(messages, calendar):
        issues.append(_BACKDATED)
    return issues


def _notice_end(ended_at: datetime, facts: Told, issues: list[Issue]) -> None:
    received_at = facts.get("received_at")
    if received_at is not None and ended_at <= received_at:
        issues.append(_BEFORE_RECEIPT if ended_at < received_at else _ZERO_DURATION)


def _number_differs(code: str, facts: Told, calendar: WorkCalendar) -> bool:
    try:
        return quality.number_differs(code, facts, calendar)
    except _NOT_COMPUTABLE:
        return False


def _entered_late(facts: Told, calendar: WorkCalendar) -> bool:
    try:
        return quality.entered_late(facts, calendar)
    except _NOT_COMPUTABLE:
        return False


def _backdated(messages: Sequence[Message], calendar: WorkCalendar) -> bool:
    try:
        return quality.finish_backdated(in_order(messages), calendar)
    except _NOT_COMPUTABLE:
        return False


_NOT_COMPUTABLE = (CalendarYearMissing, CalendarNeverOpens)
_AWAITING: Final = State.AWAITING_INTAKE_IN_TIME.value
_AWAITING_OVERDUE: Final = State.AWAITING_INTAKE_OVERDUE.value
_OPEN_NO_DUE: Final = State.OPEN_NO_DUE.value
_IN_TIME: Final = State.OPEN_IN_TIME.value
_OVERDUE: Final = State.OPEN_OVERDUE.value
_NONE: Final = Flow.NONE.value
_RECEIVED: Final = Flow.RECEIVED.value
_FINISHES: Final = {state: flow.value for state, flow in FINISHES.items()}
_AS_SENT: Final = Reading.AS_SENT
_STATUTORY: Final = Reading.STATUTORY
_RECORD: Final = MessageKind.RECORD
_FINISHED: Final = Ending.FINISHED
_UNKNOWN: Final = Channel.UNKNOWN
_SUBMITTED: Final = Status.SUBMITTED
_ENDED: Final = frozenset({Status.FINISHED, Status.RETURNED})
_NO_DUE: Final = Issue.NO_DUE
_NOT_REPRODUCIBLE: Final = Issue.DUE_NOT_REPRODUCIBLE
_DUE_NOT_COMPUTABLE: Final = Issue.DUE_NOT_COMPUTABLE
_UNKNOWN_CHANNEL: Final = Issue.UNKNOWN_CHANNEL
_UNKNOWN_PROCEDURE: Final = Issue.UNKNOWN_PROCEDURE
_ONLY_INFORMS: Final = Issue.ONLINE_AT_INFORMATION_LEVEL
_WITHOUT_DATE: Final = Issue.FINISHED_WITHOUT_DATE
_BEFORE_RECEIPT: Final = Issue.FINISH_BEFORE_RECEIPT
_ZERO_DURATION: Final = Issue.ZERO_DURATION
_DATES_AHEAD: Final = Issue.DATES_AHEAD
_BACKDATED: Final = Issue.FINISH_BACKDATED
_NUMBER_DIFFERS: Final = Issue.NUMBER_DATE_DIFFERS
_ENTERED_LATE: Final = Issue.RECEIPT_ENTERED_LATE
# Members by a name of the module: to ask an enumeration for one takes ten times as long.
