"""The edges of a dossier: each instant at which it is counted, or counted elsewhere.

``edges`` is one pure function of a dossier's history. Everything that is ever counted is read from
its result: the state at an instant T is that of the last edge before T, and a flow of a period is
an edge that lies in it. Counters add ``edges(new) - edges(old)``; a recount reads them all.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app.domain.deadline import Due
from app.domain.dossier import Closing, Ending
from app.domain.stay import Stay
from app.domain.timeliness import FINISHES, JUST, Flow, State


@dataclass(frozen=True, slots=True)
class Standing:
    """How an open dossier stands from an instant on, until the next standing.

    While ``paused`` is true the clock stands still; ``due`` is then the date held before. A
    dossier without a due date has ``due`` None throughout.
    """

    at: datetime
    paused: bool
    due: Due | None


@dataclass(frozen=True, slots=True)
class Edge:
    """From ``at`` on the dossier is in ``state`` at ``unit``; ``flow`` is what that counts."""

    at: datetime
    state: State
    flow: Flow
    due_on: date | None
    unit: int


@dataclass(frozen=True, slots=True)
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
    line = list(_states(course))
    if course.voided_at is not None:
        line = _voided(line, course.voided_at)
    if len(course.stays) == 1:
        unit = course.stays[0].unit
        return tuple([Edge(*point, unit) for point in line])
    return tuple(_placed(line, course.stays))


_Point = tuple[datetime, State, Flow, date | None]


def _states(course: Course) -> Iterator[_Point]:
    """Yield (at, state, flow, due) over the whole life, as if at one unit."""
    received_at = course.received_at
    yield from _before_receipt(course)
    if received_at is None:
        return
    open_line = list(_open(course.standings))
    flow = Flow.RECEIVED
    begins = received_at
    for closing in course.closings:
        closes = max(course.closed_at(closing), begins)
        yield from _slice(open_line, begins, closes, flow)
        yield _closed(course, closing, closes)
        if closing.reopened_at is None:
            return
        begins = max(closing.reopened_at, closes)
        flow = Flow.REOPENED
    yield from _slice(open_line, begins, None, flow)


def _before_receipt(course: Course) -> Iterator[_Point]:
    submitted_at, unreceived = course.submitted_at, course.unreceived
    until = course.received_at or (None if unreceived is None else unreceived[0])
    if submitted_at is not None and (until is None or submitted_at < until):
        yield submitted_at, State.AWAITING_INTAKE_IN_TIME, Flow.NONE, None
        due_at = course.intake_due_at
        if due_at is not None and (until is None or due_at + JUST < until):
            yield due_at + JUST, State.AWAITING_INTAKE_OVERDUE, Flow.NONE, None
    if course.received_at is None and unreceived is not None:
        yield *unreceived, Flow.NONE, None


def _open(standings: Sequence[Standing]) -> Iterator[tuple[datetime, State, date | None]]:
    """Yield the states of a dossier that is never closed, with the passing of each due date."""
    for index, standing in enumerate(standings):
        due = standing.due
        if standing.paused:
            yield standing.at, State.PAUSED, None if due is None else due.due_on
            continue
        if due is None:
            yield standing.at, State.OPEN_NO_DUE, None
            continue
        lapse = due.on_time_until + JUST
        if lapse <= standing.at:
            yield standing.at, State.OPEN_OVERDUE, due.due_on
            continue
        yield standing.at, State.OPEN_IN_TIME, due.due_on
        ends = standings[index + 1].at if index + 1 < len(standings) else None
        if ends is None or lapse < ends:
            yield lapse, State.OPEN_OVERDUE, due.due_on


def _slice(
    open_line: Sequence[tuple[datetime, State, date | None]],
    begins: datetime,
    ends: datetime | None,
    flow: Flow,
) -> Iterator[_Point]:
    """Yield the part of the open line in [begins, ends), entering it with a flow."""
    here = max(_index(open_line, begins), 0)
    _, state, due_on = open_line[here]
    yield begins, state, flow, due_on
    for at, state, due_on in open_line[here + 1 :]:
        if ends is not None and at >= ends:
            return
        yield at, state, Flow.NONE, due_on


def _index(open_line: Sequence[tuple[datetime, State, date | None]], at: datetime) -> int:
    return bisect_right(open_line, at, key=lambda point: point[0]) - 1


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
