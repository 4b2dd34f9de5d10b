"""The edges of a dossier: each instant at which it is counted, or counted elsewhere.

``edges`` is one pure function of a dossier's history. Everything that is ever counted is read from
its result: the state at an instant T is that of the last edge before T, and a flow of a period is
an edge that lies in it. Counters add ``edges(new) - edges(old)``; a recount reads them all.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from app.domain.deadline import Due
from app.domain.dossier import Closing, Ending
from app.domain.stay import Stay
from app.domain.timeliness import FINISHES, JUST, Flow, State
from app.domain.values import immutable


@immutable
class Standing:
    """How an open dossier stands from an instant on, until the next standing.

    While ``paused`` is true the clock stands still; ``due`` is then the date held before. A
    dossier without a due date has ``due`` None throughout.
    """

    at: datetime
    paused: bool
    due: Due | None


@immutable
class Edge:
    """From ``at`` on the dossier is in ``state`` at ``unit``; ``flow`` is what that counts."""

    at: datetime
    state: State
    flow: Flow
    due_on: date | None
    unit: int


@immutable
class Course:
    """All that decides the states of one dossier under one reading.

    ``intake_due_at`` is the last instant at which taking it in is in time; ``unreceived`` is what
    became of a dossier without a receipt, and since when; ``standings`` are in order and begin at
    the receipt.
    """

    stays: tuple[Stay, ...]
    submitted_at: datetime | None
    intake_due_at: datetime | None
    unreceived: tuple[datetime, State] | None
    received_at: datetime | None
    standings: tuple[Standing, ...]
    closings: tuple[Closing, ...]
    by_as_sent: bool
    voided_at: datetime | None

    def closed_at(self, closing: Closing) -> datetime:
        """Return the end that judges under this reading."""
        return closing.as_sent_at if self.by_as_sent else closing.at


def judge(due: Due | None, finished_at: datetime) -> State:
    """Judge a finish by the due value: early before it, on time until its end, late after.

    Source: II.06a/VPCP columns 8, 9 and 10.
    """
    if due is None:
        return State.FINISHED_NO_DUE
    if finished_at < due.early_before:
        return State.FINISHED_EARLY
    if finished_at <= due.on_time_until:
        return State.FINISHED_ON_TIME
    return State.FINISHED_LATE


def edges(course: Course) -> tuple[Edge, ...]:
    """Return the edges of a dossier in order, each at the unit that counts it."""
    line = _states(course)
    if course.voided_at is not None:
        line = _voided(line, course.voided_at)
    if len(course.stays) == 1:
        unit = course.stays[0].unit
        return tuple([Edge(at, state, flow, due_on, unit) for at, state, flow, due_on in line])
    return tuple(_placed(line, course.stays))


_Point = tuple[datetime, State, Flow, date | None]
_Open = tuple[datetime, State, date | None]


def _states(course: Course) -> list[_Point]:
    """Return (at, state, flow, due) over the whole life, as if at one unit."""
    line = _before_receipt(course)
    received_at = course.received_at
    if received_at is None:
        return line
    open_line = _open(course.standings)
    flow = _RECEIVED
    begins = received_at
    for closing in course.closings:
        closes = max(course.closed_at(closing), begins)
        line += _slice(open_line, begins, closes, flow)
        line.append(_closed(course, closing, closes))
        if closing.reopened_at is None:
            return line
        begins = max(closing.reopened_at, closes)
        flow = Flow.REOPENED
    line += _slice(open_line, begins, None, flow)
    return line


def _before_receipt(course: Course) -> list[_Point]:
    line: list[_Point] = []
    submitted_at, unreceived = course.submitted_at, course.unreceived
    until = course.received_at or (None if unreceived is None else unreceived[0])
    if submitted_at is not None and (until is None or submitted_at < until):
        line.append((submitted_at, _AWAITING, _NONE, None))
        due_at = course.intake_due_at
        if due_at is not None and (until is None or due_at + JUST < until):
            line.append((due_at + JUST, State.AWAITING_INTAKE_OVERDUE, _NONE, None))
    if course.received_at is None and unreceived is not None:
        line.append((*unreceived, _NONE, None))
    return line


def _open(standings: Sequence[Standing]) -> list[_Open]:
    """Return the states of a dossier that is never closed, with the passing of each due date."""
    line: list[_Open] = []
    last = len(standings) - 1
    for index, standing in enumerate(standings):
        at, due = standing.at, standing.due
        if standing.paused:
            line.append((at, _PAUSED, None if due is None else due.due_on))
        elif due is None:
            line.append((at, State.OPEN_NO_DUE, None))
        elif (lapse := due.on_time_until + JUST) <= at:
            line.append((at, _OVERDUE, due.due_on))
        else:
            line.append((at, _IN_TIME, due.due_on))
            if index == last or lapse < standings[index + 1].at:
                line.append((lapse, _OVERDUE, due.due_on))
    return line


def _slice(
    open_line: Sequence[_Open], begins: datetime, ends: datetime | None, flow: Flow
) -> list[_Point]:
    """Return the part of the open line in [begins, ends), entering it with a flow."""
    here = max(_index(open_line, begins), 0)
    _, state, due_on = open_line[here]
    line: list[_Point] = [(begins, state, flow, due_on)]
    for at, state, due_on in open_line[here + 1 :]:
        if ends is not None and at >= ends:
            break
        line.append((at, state, _NONE, due_on))
    return line


def _index(open_line: Sequence[_Open], at: datetime) -> int:
    index = len(open_line) - 1
    while index >= 0 and open_line[index][0] > at:
        index -= 1
    return index


_NONE: Final = Flow.NONE
_RECEIVED: Final = Flow.RECEIVED
_AWAITING: Final = State.AWAITING_INTAKE_IN_TIME
_IN_TIME: Final = State.OPEN_IN_TIME
_OVERDUE: Final = State.OPEN_OVERDUE
_PAUSED: Final = State.PAUSED
# Members by a name of the module: to ask an enumeration for one takes ten times as long.


def _closed(course: Course, closing: Closing, closes: datetime) -> _Point:
    due = in_force(course.standings, closes)
    due_on = None if due is None else due.due_on
    match closing.ending:
        case Ending.FINISHED:
            state = judge(due, course.closed_at(closing))
            return closes, state, FINISHES[state], due_on
        case Ending.WITHDRAWN:
            late = due is not None and closes > due.on_time_until
            return closes, State.WITHDRAWN, Flow.WITHDRAWN_LATE if late else Flow.WITHDRAWN, due_on
        case Ending.STOPPED:
            return closes, State.STOPPED, Flow.STOPPED, due_on


def in_force(standings: Sequence[Standing], at: datetime) -> Due | None:
    """Return the due value that judges an end at an instant."""
    held = standings[0].due
    for standing in standings:
        if standing.at > at:
            break
        held = standing.due
    return held


def _voided(line: list[_Point], voided_at: datetime) -> list[_Point]:
    """Cut the line where the dossier was voided; only one in hand leaves a count behind."""
    kept = [point for point in line if point[0] < voided_at]
    in_hand = bool(kept) and kept[-1][1].in_hand
    kept.append((voided_at, State.VOIDED, Flow.VOIDED if in_hand else Flow.NONE, None))
    return kept


def _placed(line: list[_Point], stays: tuple[Stay, ...]) -> Iterator[Edge]:
    """Give each point to the unit that holds the dossier then, with both sides of a transfer."""
    moves = stays[1:]
    unit = stays[0].unit
    move = 0
    last: _Point | None = None
    for point in line:
        while move < len(moves) and (moves[move].since or point[0]) <= point[0]:
            target = moves[move]
            yield from _transfer(last, target.since or point[0], unit, target)
            unit = target.unit
            move += 1
        yield Edge(*point, unit)
        last = point
    for target in moves[move:]:
        if target.since is not None:
            yield from _transfer(last, target.since, unit, target)
        unit = target.unit


def _transfer(last: _Point | None, at: datetime, source: int, target: Stay) -> Iterator[Edge]:
    if last is None or last[1] is State.VOIDED:
        return
    _, state, _, due_on = last
    if not state.in_hand:
        out, into = Flow.NONE, Flow.MOVED
    elif target.succeeds:
        out, into = Flow.SUCCEEDED_OUT, Flow.SUCCEEDED_IN
    else:
        out, into = Flow.TRANSFERRED_OUT, Flow.TRANSFERRED_IN
    yield Edge(at, State.TRANSFERRED_OUT, out, None, source)
    yield Edge(at, state, into, due_on, target.unit)
