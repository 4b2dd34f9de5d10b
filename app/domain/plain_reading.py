"""The shortest way from a plain history to what is counted of it.

Most dossiers are told by records of dates alone, at one unit: no letter, no correction, no
withdrawal, a limit in days, at most one pause that is over. For them every reading follows from one
due date or two, and the edges from three instants or a few more. ``read`` says so without the
values in between; ``reading.read``, ``edges.edges`` and ``quality.find`` say the same of them, only
slower, and a property test holds both equal for whatever is drawn. What is not plain is left to
those.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, ParamSpec, Required, TypedDict

from app.domain import quality
from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import BY_DAY, Due, days_taken, due_by_day, due_phases, promise
from app.domain.dossier import Closing, Ending, History, Issue, in_order
from app.domain.edges import judge
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, Pause, PauseKind
from app.domain.procedure import LimitVersion, Procedure
from app.domain.reading import intake_due
from app.domain.record import Channel, Message, MessageKind, Status, Told
from app.domain.timeliness import FINISHES, JUST, Flow, Reading, State
from app.domain.values import immutable

Asked = ParamSpec("Asked")

IntakeLimit = Callable[[date], TimeLimit]
"""Gives the limit of intake in force on the day on which a dossier was handed in."""


class Line(TypedDict, total=False):
    """The edges of one reading as columns of a row, each a list over all edges.

    ``edge_days`` are the working days that a finish took; it is missing where none is known.
    """

    edge_at: Required[list[datetime]]
    edge_state: Required[list[int]]
    edge_flow: Required[list[int]]
    edge_due: Required[list[date | None]]
    edge_days: list[int | None]


OtherLine = tuple[Reading, Due | None, Line]
"""Another reading, its due value and its line."""

_Dues = tuple[Due | None, ...]
"""The due value held from the receipt on, and the one after a pause that it met."""


@immutable
class Plain:
    """What the law says of a plain history.

    ``line`` is that of the promise and ``due`` what it holds last; ``others`` are the readings
    that differ from it. ``is_open`` tells whether the unit holds it and owes a result.
    """

    limit_kind: LimitKind | None
    start: datetime
    due: Due | None
    due_origin: str
    line: Line
    others: list[OtherLine]
    is_open: bool
    supplement_at: list[datetime]
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
    received_on = calendar.local_date(received_at)
    begun_on = received_on if begun is received_at else calendar.local_date(begun)
    version = None if procedure is None else _version(procedure, facts, begun_on)
    limit = None if version is None else version.limit
    if limit is not None and (limit.kind not in BY_DAY or limit.is_half):
        return None
    issues = _noticed(code, messages, history, calendar, procedure, received_on)
    law = _computed(calendar, limit, begun_on, issues)
    told = _told(history, calendar, law, issues)
    pause: Pause | None = None
    if not history.pauses:
        dues, others = _unmoved(told, law)
    else:
        pause = _pause(history, version, since=max(begun, received_at))
        moved = None if pause is None else _moved(calendar, limit, begun, pause, told, law)
        if pause is None or moved is None:
            return None
        dues, others = moved
        issues += _noticed_of_pause(calendar, limit, received_at, pause, dues[0])
    waited = _waited(history, received_at, calendar, intake_limit)
    end = _end(history, calendar, begun, received_at, pause)
    return Plain(
        None if limit is None else limit.kind,
        begun,
        dues[-1],
        "told" if told is not None else "none" if law is None else "computed",
        _line(dues, waited, received_at, pause, end),
        [(reading, own[-1], _line(own, waited, received_at, pause, end)) for reading, own in others]
        if others
        else [],
        end is None,
        [pause.started_at] if pause is not None and pause.kind is _SUPPLEMENT else [],
        issues,
    )


def _is_plain(history: History, messages: Sequence[Message]) -> bool:
    """Tell whether nothing was told but records of dates, at one unit, for one due date."""
    if (
        len(history.stays) != 1
        or history.inferred
        or history.extensions
        or history.facts.get("parent") is not None
    ):
        return False
    due_at, held = history.facts.get("due_at"), history.promise
    if held is not None and held.due_at != due_at:
        return False
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


def _pause(history: History, version: LimitVersion | None, *, since: datetime) -> Pause | None:
    """Return the one pause if it began after an instant and was over before the end."""
    one = history.pauses[0]
    ended_at = one.ended_at
    if len(history.pauses) > 1 or ended_at is None or not since < one.started_at < ended_at:
        return None
    if history.closings and ended_at > history.closings[0].at:
        return None
    kind = PauseKind(one.kind)
    policies = DEFAULT_POLICIES if version is None else version.policies
    return Pause(kind, one.started_at, ended_at, policies[kind], new_due_at=one.new_due_at)


# ---------------------------------------------------------------- due dates


def _version(procedure: Procedure, facts: Told, begun_on: date) -> LimitVersion | None:
    return procedure.limit_at(
        begun_on,
        case=facts.get("case"),
        channel=facts.get("channel") or _UNKNOWN,
    )


def _computed(
    calendar: WorkCalendar, limit: TimeLimit | None, begun_on: date, issues: list[Issue]
) -> Due | None:
    """Return the due date that the law gives, before any pause."""
    if limit is None:
        return None
    try:
        return due_by_day(calendar, limit, begun_on)
    except _NOT_COMPUTABLE:
        issues.append(_DUE_NOT_COMPUTABLE)
        return None


def _told(
    history: History, calendar: WorkCalendar, law: Due | None, issues: list[Issue]
) -> Due | None:
    """Return the promise that was told; None if none was, and the law makes it."""
    held = history.promise
    if held is None:
        if law is None:
            issues.append(_NO_DUE)
        return None
    due = promise(calendar, held.due_at, by_instant=False)
    if law is not None and law.due_on != due.due_on:
        issues.append(_NOT_REPRODUCIBLE)
    return due


def _unmoved(told: Due | None, law: Due | None) -> tuple[_Dues, Sequence[tuple[Reading, _Dues]]]:
    """Return what is held of a dossier that was never paused, and by the readings that differ."""
    if told is None:
        return (law,), () if law is None else _ONLY_AS_SENT
    if law is not None and law.due_on == told.due_on and law == told:
        return (told,), ()
    return (told,), ((_STATUTORY, (law,)),)


def _moved(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    begun: datetime,
    pause: Pause,
    told: Due | None,
    law: Due | None,
) -> tuple[_Dues, Sequence[tuple[Reading, _Dues]]] | None:
    """Return the same of one that was paused; None if a year is missing for it."""

    def past(due: Due | None, *, is_told: bool) -> _Dues:
        if due is None:
            return (None, None)
        promised = due if is_told else None
        phases = due_phases(calendar, limit, begun, (pause,), promised=promised)
        return (due, phases[1].due) if len(phases) > 1 else (due,)

    if limit is not None and law is None:
        return None
    try:
        statutory = past(law, is_told=False)
        held = statutory if told is None else past(told, is_told=True)
    except _NOT_COMPUTABLE:
        return None
    sent = (told,) * len(held) if told is not None else (None, None)
    readings = ((_AS_SENT, sent), (_STATUTORY, statutory))
    return held, [(reading, own) for reading, own in readings if own != held]


# ---------------------------------------------------------------- edges


_Waited = tuple[list[datetime], list[int], list[int]]
"""The edges before the receipt: instants, states and flows."""
_End = tuple[datetime, datetime, int | None]
"""When a finish counts, the instant by which it is judged, and the days that it took."""


def _waited(
    history: History, received_at: datetime, calendar: WorkCalendar, intake_limit: IntakeLimit
) -> _Waited:
    """Return how the dossier waited to be taken in."""
    facts = history.facts
    since = facts.get("submitted_at")
    if since is None:
        since = history.status_at if facts.get("status") is _SUBMITTED else None
        handed_in = history.source_updated_at
    else:
        handed_in = since
    if since is None or since >= received_at:
        return [], [], []
    due_at = intake_due(calendar, intake_limit(calendar.local_date(handed_in)), since, received_at)
    if due_at is None or due_at + JUST >= received_at:
        return [since], [_AWAITING], [_NONE]
    return [since, due_at + JUST], [_AWAITING, _AWAITING_OVERDUE], [_NONE, _NONE]


def _line(
    dues: _Dues,
    waited: _Waited,
    received_at: datetime,
    pause: Pause | None,
    end: _End | None,
) -> Line:
    """Return the edges with one due value, or with one before the pause and one after it."""
    at, states, flows = waited[0].copy(), waited[1].copy(), [*waited[2], _RECEIVED]
    due_on: list[date | None] = [None] * len(at)
    due = dues[-1]
    closes = None if end is None else end[0]
    if pause is None or pause.ended_at is None or len(dues) == 1:
        _open(at, states, received_at, due, closes)
    else:
        _open(at, states, received_at, dues[0], pause.started_at)
        at.append(pause.started_at)
        states.append(_PAUSED)
        due_on += [_day(dues[0])] * (len(at) - len(due_on))
        if closes is None or pause.ended_at < closes:
            _open(at, states, pause.ended_at, due, closes)
    flows += _NO_FLOW * (len(states) - len(flows))
    if end is not None:
        state, flow = _FINISHES[judge(due, end[1])]
        at.append(end[0])
        states.append(state)
        flows.append(flow)
    due_on += [None if due is None else due.due_on] * (len(at) - len(due_on))
    line: Line = {"edge_at": at, "edge_state": states, "edge_flow": flows, "edge_due": due_on}
    if end is not None and end[2] is not None:
        line["edge_days"] = [*[None] * (len(at) - 1), end[2]]
    return line


def _open(
    at: list[datetime],
    states: list[int],
    since: datetime,
    due: Due | None,
    until: datetime | None,
) -> None:
    """Add how a dossier stands from an instant on, and the passing of its due date if it comes."""
    at.append(since)
    if due is None:
        states.append(_OPEN_NO_DUE)
        return
    lapse = due.on_time_until + JUST
    if lapse <= since:
        states.append(_OVERDUE)
        return
    states.append(_IN_TIME)
    if until is None or lapse < until:
        at.append(lapse)
        states.append(_OVERDUE)


def _day(due: Due | None) -> date | None:
    return None if due is None else due.due_on


def _end(
    history: History,
    calendar: WorkCalendar,
    begun: datetime,
    received_at: datetime,
    pause: Pause | None,
) -> _End | None:
    """Return the finish with the whole working days that it took; None if a year is missing."""
    if not history.closings:
        return None
    ended_at = history.closings[0].at
    closes = max(ended_at, received_at)
    try:
        taken = days_taken(calendar, begun, closes, () if pause is None else (pause,))
    except CalendarYearMissing:
        return closes, ended_at, None
    return closes, ended_at, taken


# ---------------------------------------------------------------- things to look at


def _noticed(
    code: str,
    messages: Sequence[Message],
    history: History,
    calendar: WorkCalendar,
    procedure: Procedure | None,
    received_on: date,
) -> list[Issue]:
    """Return what is worth a look whatever the due date is."""
    facts = history.facts
    issues = _told_by_days(code, messages, facts, calendar, received_on)
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


def _noticed_of_pause(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    received_at: datetime,
    pause: Pause,
    due: Due | None,
) -> list[Issue]:
    """Return what is worth a look in a pause, given the due value that it found."""
    issues = []
    if _is_so(quality.outlasts, calendar, limit, pause.started_at, pause.ended_at):
        issues.append(_LONGER_THAN_LIMIT)
    if _is_so(quality.opens_just_before, calendar, received_at, due, pause.started_at):
        issues.append(_JUST_BEFORE_DUE)
    return issues


def _told_by_days(
    code: str,
    messages: Sequence[Message],
    facts: Told,
    calendar: WorkCalendar,
    received_on: date,
) -> list[Issue]:
    """Return what local days show, as far as their years are known."""
    issues = []
    if quality.number_differs(code, received_on, facts, calendar):
        issues.append(_NUMBER_DIFFERS)
    if facts.get("entered_at") is not None and _is_so(quality.entered_late, facts, calendar):
        issues.append(_ENTERED_LATE)
    if len(messages) > 1 and _is_so(quality.finish_backdated, in_order(messages), calendar):
        issues.append(_BACKDATED)
    return issues


def _is_so(rule: Callable[Asked, bool], *asked: Asked.args, **named: Asked.kwargs) -> bool:
    """Ask a rule; one that needs a calendar year which is not loaded finds nothing."""
    try:
        return rule(*asked, **named)
    except _NOT_COMPUTABLE:
        return False


def _notice_end(ended_at: datetime, facts: Told, issues: list[Issue]) -> None:
    received_at = facts.get("received_at")
    if received_at is not None and ended_at <= received_at:
        issues.append(_BEFORE_RECEIPT if ended_at < received_at else _ZERO_DURATION)


_NOT_COMPUTABLE = (CalendarYearMissing, CalendarNeverOpens)
_AWAITING: Final = State.AWAITING_INTAKE_IN_TIME.value
_AWAITING_OVERDUE: Final = State.AWAITING_INTAKE_OVERDUE.value
_OPEN_NO_DUE: Final = State.OPEN_NO_DUE.value
_IN_TIME: Final = State.OPEN_IN_TIME.value
_OVERDUE: Final = State.OPEN_OVERDUE.value
_PAUSED: Final = State.PAUSED.value
_NONE: Final = Flow.NONE.value
_RECEIVED: Final = Flow.RECEIVED.value
_NO_FLOW: Final = [Flow.NONE.value]
_FINISHES: Final = {state: (state.value, flow.value) for state, flow in FINISHES.items()}
_AS_SENT: Final = Reading.AS_SENT
_STATUTORY: Final = Reading.STATUTORY
_ONLY_AS_SENT: Final[Sequence[tuple[Reading, _Dues]]] = ((_AS_SENT, (None,)),)
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
_LONGER_THAN_LIMIT: Final = Issue.PAUSE_LONGER_THAN_LIMIT
_JUST_BEFORE_DUE: Final = Issue.PAUSE_JUST_BEFORE_DUE
_SUPPLEMENT: Final = PauseKind.SUPPLEMENT
# Members by a name of the module: to ask an enumeration for one takes ten times as long.
