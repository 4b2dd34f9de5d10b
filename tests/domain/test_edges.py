"""Edges: in order, balanced between entering and leaving, and each at the unit that counts it."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.deadline import Due
from app.domain.dossier import Closing, Ending, gather
from app.domain.edges import Course, Edge, Standing, edges, in_force, judge
from app.domain.limits import TimeLimit
from app.domain.reading import Terms, read
from app.domain.record import Message
from app.domain.stay import Stay
from app.domain.timeliness import JUST, Flow, Reading, State
from app.rulebook.calendars import load_state_calendar
from tests.strategies import histories

UNITS = {(0, "A"): 1, (0, "B"): 2}
TERMS = Terms(load_state_calendar(), None, TimeLimit.working_hours(timedelta(hours=8)))
LEAVING = {
    *(Flow.FINISHED_EARLY, Flow.FINISHED_ON_TIME, Flow.FINISHED_LATE, Flow.FINISHED_NO_DUE),
    *(Flow.WITHDRAWN, Flow.WITHDRAWN_LATE, Flow.STOPPED, Flow.VOIDED),
    *(Flow.TRANSFERRED_OUT, Flow.SUCCEEDED_OUT),
}


def at(day: int, hour: int = 2) -> datetime:
    """Return an instant of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def due(day: int) -> Due:
    """Return a due date judged by the local day."""
    return Due(
        due_on=date(2026, 3, day),
        due_at=at(day, 10),
        early_before=at(day - 1, 17),
        on_time_until=at(day, 17) - JUST,
        provisional=False,
        by_instant=False,
    )


def course(**more: object) -> Course:
    """Return the course of a dossier received on the 2nd and due on the 9th."""
    given_facts: dict[str, object] = {
        "stays": (Stay(1, None),),
        "submitted_at": None,
        "intake_due_at": None,
        "unreceived": None,
        "received_at": at(2),
        "standings": (Standing(at(2), paused=False, due=due(9)),),
        "closings": (),
        "by_as_sent": False,
        "voided_at": None,
    }
    return Course(**{**given_facts, **more})  # type: ignore[arg-type]  # facts by keyword


def closing(day: int, ending: Ending = Ending.FINISHED) -> Closing:
    """Return an end."""
    return Closing(ending, at(day), at(day), at(day))


@given(histories(("A", "B")), st.sampled_from(Reading))
def test_what_enters_a_unit_leaves_it_or_is_in_its_hands(
    messages: list[Message], reading: Reading
) -> None:
    found = read(gather(messages, UNITS), TERMS).edges(reading)

    for unit in (1, 2):
        own = [edge for edge in found if edge.unit == unit]
        entered = sum(edge.flow.enters for edge in own)
        left = sum(edge.flow in LEAVING for edge in own)
        assert entered - left == (1 if own and own[-1].state.in_hand else 0)


@given(histories(("A", "B")), st.sampled_from(Reading))
def test_edges_are_in_order_of_time(messages: list[Message], reading: Reading) -> None:
    found = read(gather(messages, UNITS), TERMS).edges(reading)

    assert [edge.at for edge in found] == sorted(edge.at for edge in found)


def test_an_open_dossier_lapses_just_after_its_last_instant_in_time() -> None:
    assert edges(course()) == (
        Edge(at(2), State.OPEN_IN_TIME, Flow.RECEIVED, date(2026, 3, 9), 1),
        Edge(at(9, 17), State.OPEN_OVERDUE, Flow.NONE, date(2026, 3, 9), 1),
    )


def test_a_finish_in_time_leaves_no_lapse() -> None:
    found = edges(course(closings=(closing(6),)))

    assert [(edge.state, edge.flow) for edge in found] == [
        (State.OPEN_IN_TIME, Flow.RECEIVED),
        (State.FINISHED_EARLY, Flow.FINISHED_EARLY),
    ]


def test_a_transfer_is_counted_on_both_sides_while_in_hand() -> None:
    found = edges(course(stays=(Stay(1, None), Stay(2, at(5)))))

    assert [(edge.unit, edge.flow) for edge in found] == [
        (1, Flow.RECEIVED),
        (1, Flow.TRANSFERRED_OUT),
        (2, Flow.TRANSFERRED_IN),
        (2, Flow.NONE),
    ]


def test_a_transfer_to_the_successor_is_told_from_others() -> None:
    found = edges(course(stays=(Stay(1, None), Stay(2, at(5), succeeds=True))))

    assert [(edge.unit, edge.flow) for edge in found[1:3]] == [
        (1, Flow.SUCCEEDED_OUT),
        (2, Flow.SUCCEEDED_IN),
    ]


def test_a_transfer_after_the_end_moves_no_count() -> None:
    found = edges(course(stays=(Stay(1, None), Stay(2, at(8))), closings=(closing(6),)))

    assert [edge.flow for edge in found[2:]] == [Flow.NONE, Flow.MOVED]
    assert found[-1].state is State.FINISHED_EARLY


def test_a_void_leaves_a_count_only_while_in_hand() -> None:
    in_hand = edges(course(voided_at=at(5)))
    finished = edges(course(closings=(closing(4),), voided_at=at(5)))

    assert in_hand[-1].flow is Flow.VOIDED
    assert (finished[-1].state, finished[-1].flow) == (State.VOIDED, Flow.NONE)


def test_waiting_for_intake_becomes_overdue_and_ends_with_the_receipt() -> None:
    found = edges(course(submitted_at=at(1), intake_due_at=at(1, 10), received_at=at(2)))

    assert [edge.state for edge in found][:3] == [
        State.AWAITING_INTAKE_IN_TIME,
        State.AWAITING_INTAKE_OVERDUE,
        State.OPEN_IN_TIME,
    ]


def test_a_finish_is_judged_on_both_sides_of_each_bound() -> None:
    held = due(9)

    assert judge(None, at(9)) is State.FINISHED_NO_DUE
    assert judge(held, held.early_before - JUST) is State.FINISHED_EARLY
    assert judge(held, held.early_before) is State.FINISHED_ON_TIME
    assert judge(held, held.on_time_until) is State.FINISHED_ON_TIME
    assert judge(held, held.on_time_until + JUST) is State.FINISHED_LATE


def test_the_due_value_in_force_is_that_of_the_last_standing() -> None:
    line = (
        Standing(at(2), paused=False, due=due(9)),
        Standing(at(4), paused=True, due=due(9)),
        Standing(at(6), paused=False, due=due(11)),
    )

    assert in_force(line, at(5)) == due(9)
    assert in_force(line, at(6)) == due(11)
