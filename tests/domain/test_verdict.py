"""The verdict at an instant, and that the edges tell the same."""

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import gather
from app.domain.edges import Edge
from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion, Procedure
from app.domain.reading import Terms, read
from app.domain.record import Message
from app.domain.timeliness import JUST, Reading, State
from app.domain.verdict import classify
from app.rulebook.calendars import load_state_calendar
from tests.strategies import histories, instants

CALENDAR = load_state_calendar()
INTAKE = TimeLimit.working_hours(timedelta(hours=8))
PROCEDURES = {
    "P": Procedure("P", (LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)),)),
    "H": Procedure(
        "H", (LimitVersion(TimeLimit.working_hours(timedelta(hours=6)), date(2020, 1, 1)),)
    ),
    "?": None,
}
UNITS = {(0, "A"): 1, (0, "B"): 2}


def _terms(messages: list[Message]) -> Terms:
    return Terms(CALENDAR, PROCEDURES[messages[0].told["procedure"]], INTAKE)


def _state(edges: tuple[Edge, ...], as_of: datetime) -> tuple[State, int] | None:
    """Read the state off the edges as SQL does: the last edge of the unit that still holds it."""
    last = {edge.unit: edge for edge in edges if edge.at < as_of}
    held = [edge for edge in last.values() if edge.state is not State.TRANSFERRED_OUT]
    assert len(held) <= 1
    return (held[0].state, held[0].unit) if held else None


@given(histories(("A", "B")), instants, st.sampled_from(Reading))
def test_the_edges_tell_the_state_that_the_facts_before_an_instant_give(
    messages: list[Message], as_of: datetime, reading: Reading
) -> None:
    history = gather(messages, UNITS)
    terms = _terms(messages)

    edges = read(history, terms).edges(reading)

    assert _state(edges, as_of) == classify(history, terms, reading=reading, as_of=as_of)


@given(histories(), st.sampled_from(Reading), st.data())
def test_they_agree_on_both_sides_of_every_boundary(
    messages: list[Message], reading: Reading, data: st.DataObject
) -> None:
    history = gather(messages, UNITS)
    terms = _terms(messages)
    edges = read(history, terms).edges(reading)
    if not edges:
        return
    edge = data.draw(st.sampled_from(edges))

    for as_of in (edge.at, edge.at + JUST, edge.at + 2 * JUST):
        found = classify(history, terms, reading=reading, as_of=as_of)

        assert _state(edges, as_of) == found
