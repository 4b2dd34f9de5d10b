"""Whose time it was: every instant belongs to one party, and the parts are the whole."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.attribution import (
    Hold,
    Wait,
    attribute,
    holder_at,
    since,
    worked,
)
from app.domain.pauses import PauseKind
from app.rulebook.calendars import load_state_calendar

CALENDAR = load_state_calendar()
START = datetime(2026, 8, 3, 2, tzinfo=UTC)
OWN, OTHER = "H44.100", "H44.200"


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def parties(
    legs: list[Hold] | None = None,
    waits: list[Wait] | None = None,
    closed: list[tuple[datetime, datetime]] | None = None,
) -> list[tuple[str, float, str | None]]:
    found = attribute(
        hour(0),
        hour(100),
        stays=[Hold(hour(0), None, OWN)],
        legs=legs or [],
        waits=waits or [],
        closed=closed or [],
    )
    return [(one.party.value, one.length / timedelta(hours=1), one.unit) for one in found]


def test_a_dossier_that_nobody_else_touched_is_its_units_alone() -> None:
    assert parties() == [("own_unit", 100, OWN)]


def test_a_leg_elsewhere_is_the_other_agencys_time_and_a_leg_at_home_is_not() -> None:
    legs = [Hold(hour(10), hour(40), OTHER, "thuế"), Hold(hour(50), hour(60), OWN, "trả")]

    assert parties(legs) == [
        ("own_unit", 10, OWN),
        ("other_agency", 30, OTHER),
        ("own_unit", 10, OWN),
        ("own_unit", 10, OWN),  # its own leg
        ("own_unit", 40, OWN),
    ]


def test_of_two_open_legs_the_one_begun_last_holds_the_dossier() -> None:
    legs = [Hold(hour(10), None, OTHER, "a"), Hold(hour(20), hour(30), "H44.300", "b")]

    assert [unit for _, _, unit in parties(legs)] == [OWN, OTHER, "H44.300", OTHER]


def test_while_the_applicant_is_asked_nobody_else_is() -> None:
    legs = [Hold(hour(10), hour(40), OTHER, "thuế")]
    waits = [Wait(PauseKind.SUPPLEMENT, hour(20), hour(30))]

    assert parties(legs, waits) == [
        ("own_unit", 10, OWN),
        ("other_agency", 10, OTHER),
        ("applicant", 10, OWN),
        ("other_agency", 10, OTHER),
        ("own_unit", 60, OWN),
    ]


@pytest.mark.parametrize(
    ("kind", "party"),
    [
        (PauseKind.SUPPLEMENT, "applicant"),
        (PauseKind.PAYMENT, "applicant"),
        (PauseKind.OTHER_AGENCY, "other_agency"),
        (PauseKind.STOPPED, "own_unit"),
        (PauseKind.OTHER, "own_unit"),
    ],
)
def test_each_kind_of_pause_is_somebodys(kind: PauseKind, party: str) -> None:
    assert parties(waits=[Wait(kind, hour(40), None)])[1][0] == party


def test_while_it_was_closed_it_was_nobodys() -> None:
    assert parties(closed=[(hour(20), hour(50))]) == [
        ("own_unit", 20, OWN),
        ("nobody", 30, None),
        ("own_unit", 50, OWN),
    ]


def test_the_holder_at_the_due_moment_is_named() -> None:
    found = attribute(
        hour(0),
        hour(100),
        stays=[Hold(hour(0), None, OWN), Hold(hour(70), None, "H44.900")],
        legs=[Hold(hour(10), hour(40), OTHER, "thuế")],
    )

    at_due, moved = holder_at(found, hour(39.9)), holder_at(found, hour(100))

    assert at_due is not None
    assert (at_due.unit, at_due.leg) == (OTHER, "thuế")
    assert moved is not None
    assert moved.unit == "H44.900"
    assert holder_at(found, hour(101)) is None
    assert next(one.length for one in since(found, hour(30))) == timedelta(hours=10)


def test_a_dossier_without_a_unit_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="held by a unit"):
        attribute(hour(0), hour(1), stays=[])


hours = st.integers(-20, 220)
spans = st.tuples(hours, hours).map(sorted)
holds = st.builds(
    lambda span, unit, is_open: Hold(hour(span[0]), None if is_open else hour(span[1]), unit, unit),
    spans,
    st.sampled_from([OWN, OTHER, "H44.300"]),
    st.booleans(),
)
waits = st.builds(
    lambda span, kind, is_open: Wait(kind, hour(span[0]), None if is_open else hour(span[1])),
    spans,
    st.sampled_from(PauseKind),
    st.booleans(),
)
gaps = spans.map(lambda span: (hour(span[0]), hour(span[1])))


@given(
    st.lists(holds, max_size=4),
    st.lists(waits, max_size=4),
    st.lists(gaps, max_size=2),
    st.integers(0, 200),
)
def test_the_stretches_part_the_life_and_add_up_exactly(
    legs: list[Hold], paused: list[Wait], closed: list[tuple[datetime, datetime]], length: int
) -> None:
    begins, ends = hour(0), hour(length)

    found = attribute(
        begins, ends, stays=[Hold(begins, None, OWN)], legs=legs, waits=paused, closed=closed
    )

    assert [one.begins for one in found[1:]] == [one.ends for one in found[:-1]]
    assert all(one.begins < one.ends for one in found)
    assert sum((one.length for one in found), timedelta()) == ends - begins
    if found:
        assert (found[0].begins, found[-1].ends) == (begins, ends)
    total = sum(worked(CALENDAR, found).values(), timedelta())
    assert total == CALENDAR.working_time_between(begins, ends)
