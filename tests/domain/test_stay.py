"""Stays: what a unit still holds when it ceases goes to its successor, and nothing is lost."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import gather
from app.domain.reading import Terms, read
from app.domain.record import Message, Status, Told
from app.domain.stay import Heir, Heirs, Stay, final, inherited, is_heir
from app.domain.timeliness import Flow, Reading, State
from app.domain.verdict import classify
from app.rulebook.calendars import load_state_calendar
from app.rulebook.intake import intake_rule_at
from tests.strategies import FIRST, histories, instants, message

UNITS = {(0, "A"): 1, (0, "B"): 2, (0, "C"): 3}
CALENDAR = load_state_calendar()
TERMS = Terms(CALENDAR, None, intake_rule_at(CALENDAR.local_date(FIRST)).limit)


def at(day: int, hour: int = 2) -> datetime:
    """Return an instant of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


ONE_HEIR: Heirs = {1: Heir(2, at(10))}
CHAIN: Heirs = {1: Heir(2, at(10)), 2: Heir(3, at(20))}


@st.composite
def chains(draw: st.DrawFn) -> Heirs:
    """Draw successions among three units, in either order of time."""
    first, second = draw(instants), draw(instants)
    return draw(
        st.sampled_from(
            [
                {1: Heir(2, first)},
                {1: Heir(2, first), 2: Heir(3, second)},
                {1: Heir(3, first), 2: Heir(3, second)},
                {2: Heir(1, first)},
            ]
        )
    )


def stays(
    *told: Stay, heirs: Heirs = ONE_HEIR, begins: datetime, ended: datetime | None = None
) -> tuple[Stay, ...]:
    """Return the stays of a dossier that ends for good at an instant, if it does."""
    lulls = () if ended is None else ((ended, None),)
    return inherited(told, heirs, begins=begins, lulls=lulls)


def test_what_waits_passes_to_the_successor_on_its_day() -> None:
    assert stays(Stay(1, None), begins=at(2)) == (
        Stay(1, None),
        Stay(2, at(10), succeeds=True),
    )


def test_what_has_ended_stays_where_it_ended() -> None:
    assert stays(Stay(1, None), begins=at(2), ended=at(9)) == (Stay(1, None),)
    assert len(stays(Stay(1, None), begins=at(2), ended=at(10))) == 2


def test_what_is_taken_up_again_is_taken_up_by_the_successor() -> None:
    found = inherited((Stay(1, None),), ONE_HEIR, begins=at(2), lulls=((at(9), at(15)),))

    assert found == (Stay(1, None), Stay(2, at(15), succeeds=True))


def test_an_old_code_used_after_the_day_means_the_successor() -> None:
    assert stays(Stay(1, None), begins=at(10)) == (Stay(2, None),)
    assert stays(Stay(1, None), begins=at(25), heirs=CHAIN) == (Stay(3, None),)


def test_a_sender_that_tells_the_move_later_moves_nothing_again() -> None:
    assert stays(Stay(1, None), Stay(2, at(13)), begins=at(2)) == (
        Stay(1, None),
        Stay(2, at(10), succeeds=True),
    )


def test_a_move_told_before_the_day_is_to_the_successor_all_the_same() -> None:
    assert stays(Stay(1, None), Stay(2, at(8)), begins=at(2)) == (
        Stay(1, None),
        Stay(2, at(8), succeeds=True),
    )


def test_a_move_elsewhere_is_an_ordinary_transfer() -> None:
    assert stays(Stay(1, None), Stay(3, at(13)), begins=at(2)) == (
        Stay(1, None),
        Stay(2, at(10), succeeds=True),
        Stay(3, at(13)),
    )


def test_a_chain_passes_on_step_by_step() -> None:
    assert [stay.unit for stay in stays(Stay(1, None), heirs=CHAIN, begins=at(2))] == [1, 2, 3]
    assert final(1, CHAIN) == 3
    assert final(1, CHAIN, at=at(12)) == 2
    assert is_heir(3, 1, CHAIN)
    assert not is_heir(1, 3, CHAIN)


def test_a_dossier_refused_before_the_day_is_not_moved_and_one_that_waits_is() -> None:
    refused = message(Told(unit="A", status=Status.REFUSED_AT_INTAKE), at=at(3))
    waiting = message(Told(unit="A", status=Status.SUBMITTED, submitted_at=at(3)), at=at(3))

    assert gather([refused], UNITS, heirs=ONE_HEIR).stays == (Stay(1, None),)
    assert gather([waiting], UNITS, heirs=ONE_HEIR).stays[-1].unit == 2


def test_a_finish_before_the_day_leaves_the_figures_of_the_old_unit_alone() -> None:
    told = message(Told(unit="A", received_at=at(3), finished_at=at(5)), at=at(5))

    found = read(gather([told], UNITS, heirs=ONE_HEIR), TERMS).edges(Reading.PROMISED)

    assert {edge.unit for edge in found} == {1}


@given(histories(("A", "B", "C")), chains(), st.sampled_from(Reading))
def test_a_succession_moves_counts_between_units_and_changes_no_other(
    messages: list[Message], heirs: Heirs, reading: Reading
) -> None:
    told = read(gather(messages, UNITS), TERMS).edges(reading)
    found = read(gather(messages, UNITS, heirs=heirs), TERMS).edges(reading)

    def events(edges: object) -> list[object]:
        moving = {*(Flow.TRANSFERRED_IN, Flow.TRANSFERRED_OUT, Flow.MOVED)}
        moving |= {Flow.SUCCEEDED_IN, Flow.SUCCEEDED_OUT}
        return [
            (edge.at, edge.state, edge.flow, edge.due_on)
            for edge in edges  # type: ignore[attr-defined]  # the edges of one reading
            if edge.flow not in moving and edge.state is not State.TRANSFERRED_OUT
        ]

    assert events(found) == events(told)
    assert [edge.at for edge in found] == sorted(edge.at for edge in found)
    for unit in UNITS.values():
        own = [edge for edge in found if edge.unit == unit]
        entered = sum(edge.flow.enters for edge in own)
        left = sum(edge.flow >= Flow.FINISHED_EARLY for edge in own)
        assert entered - left == (1 if own and own[-1].state.in_hand else 0)


@given(histories(("A", "B", "C")), chains(), st.sampled_from(Reading), st.data())
def test_the_state_at_an_instant_is_that_of_the_last_edge_at_the_unit_that_holds_it(
    messages: list[Message], heirs: Heirs, reading: Reading, data: st.DataObject
) -> None:
    history = gather(messages, UNITS, heirs=heirs)
    found = read(history, TERMS).edges(reading)
    moments = [edge.at for edge in found] or [FIRST]
    as_of = data.draw(st.one_of(instants, st.sampled_from(moments)))

    verdict = classify(history, TERMS, reading=reading, as_of=as_of)

    before = [edge for edge in found if edge.at < as_of]
    assert verdict == ((before[-1].state, before[-1].unit) if before else None)


@given(histories(("A", "B", "C")), chains())
def test_nothing_waits_at_a_unit_that_has_ceased(messages: list[Message], heirs: Heirs) -> None:
    found = read(gather(messages, UNITS, heirs=heirs), TERMS).edges(Reading.PROMISED)

    for unit, heir in heirs.items():
        for own in [edge for edge in found if edge.unit == unit and edge.at > heir.since]:
            assert not own.state.in_hand
            assert not own.flow.enters
