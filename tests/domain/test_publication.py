"""A procedure is public in full when it hangs at the office and stands online."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.publication import (
    Publication,
    PublicationCount,
    PublicationReversed,
    PublicationState,
    counts,
    state,
)

FIRST = date(2026, 1, 1)


def day(offset: int) -> date:
    return FIRST + timedelta(days=offset)


@pytest.mark.parametrize(
    ("publication", "on", "expected"),
    [
        (Publication(FIRST), day(-1), PublicationState.NOT_APPLICABLE),
        (Publication(FIRST, applies_until=day(9)), day(10), PublicationState.NOT_APPLICABLE),
        (Publication(FIRST, applies_until=day(9)), day(9), PublicationState.MISSING),
        (Publication(FIRST, at_office_on=day(3)), day(2), PublicationState.MISSING),
        (Publication(FIRST, at_office_on=day(3)), day(3), PublicationState.AT_OFFICE_ONLY),
        (Publication(FIRST, online_on=day(3)), day(3), PublicationState.ONLINE_ONLY),
        (
            Publication(FIRST, at_office_on=day(3), online_on=day(5)),
            day(5),
            PublicationState.FULL,
        ),
    ],
)
def test_the_state_is_that_of_the_end_of_the_day(
    publication: Publication, on: date, expected: PublicationState
) -> None:
    assert state(publication, on=on) is expected


def test_a_validity_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PublicationReversed):
        Publication(FIRST, applies_until=day(-1))


@pytest.mark.parametrize(
    ("at_office", "online", "on_time"), [(5, 10, 1), (5, 11, 0), (11, 5, 0), (None, 5, 0)]
)
def test_a_text_is_on_time_when_both_forms_are_by_its_last_day(
    at_office: int | None, online: int, on_time: int
) -> None:
    told = Publication(
        FIRST,
        due_on=day(10),
        at_office_on=None if at_office is None else day(at_office),
        online_on=day(online),
    )

    found = counts([told], first=day(10), last=day(10))

    assert found[PublicationCount.DUE] == 1
    assert found[PublicationCount.ON_TIME] == on_time
    assert counts([told], first=day(11), last=day(40))[PublicationCount.DUE] == 0


days = st.none() | st.integers(-5, 40).map(day)
publications = st.builds(
    Publication,
    applies_from=st.integers(0, 20).map(day),
    applies_until=st.none() | st.integers(20, 60).map(day),
    due_on=days,
    at_office_on=days,
    online_on=days,
    is_complete=st.none() | st.booleans(),
)


@given(st.lists(publications, max_size=12), st.integers(0, 60), st.integers(0, 30))
def test_counts_agree_with_the_states(told: list[Publication], start: int, length: int) -> None:
    first, last = day(start), day(start + length)

    found = counts(told, first=first, last=last)

    states = [state(one, on=last) for one in told]
    applicable = [one for one in states if one is not PublicationState.NOT_APPLICABLE]
    assert found[PublicationCount.APPLICABLE] == len(applicable)
    assert found[PublicationCount.POSTED] == states.count(PublicationState.FULL)
    assert found[PublicationCount.NOT_POSTED] == len(applicable) - states.count(
        PublicationState.FULL
    )
    both = found[PublicationCount.AT_OFFICE] + found[PublicationCount.ONLINE]
    missing = states.count(PublicationState.MISSING)
    assert both - found[PublicationCount.POSTED] + missing == len(applicable)
    assert found[PublicationCount.COMPLETE] <= found[PublicationCount.POSTED]
    assert found[PublicationCount.ON_TIME] <= found[PublicationCount.DUE]
