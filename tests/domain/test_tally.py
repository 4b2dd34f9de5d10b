"""The counts of a period: they add, and their sums hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.tally import CHANNELS, COUNTS, Count, Tally, identities

numbers = st.integers(0, 10**7)
tallies = st.lists(numbers, min_size=len(COUNTS), max_size=len(COUNTS)).map(
    lambda values: Tally(tuple(values))
)


def test_counts_not_named_are_zero() -> None:
    tally = Tally.from_mapping({"received": 3})

    assert tally[Count.RECEIVED] == 3
    assert sum(tally.values) == 3


def test_a_name_that_is_no_count_is_refused() -> None:
    with pytest.raises(KeyError):
        Tally.from_mapping({"recieved": 3})


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Tally.from_mapping({"received": -1})


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="counts"):
        Tally((1, 2))


@given(tallies)
def test_a_tally_survives_its_dictionary(tally: Tally) -> None:
    assert Tally.from_mapping(tally.to_dict()) == tally


@given(st.lists(tallies, max_size=6))
def test_adding_all_at_once_is_adding_one_by_one(parts: list[Tally]) -> None:
    one_by_one = Tally()
    for part in parts:
        one_by_one += part

    assert Tally.total(parts) == one_by_one


@given(tallies, tallies)
def test_what_is_left_over_adds_too(north: Tally, south: Tally) -> None:
    both, one, other = identities(north + south), identities(north), identities(south)

    assert both == {name: one[name] + other[name] for name in both}


def test_the_identities_hold_where_every_dossier_went_somewhere() -> None:
    tally = Tally.from_mapping(
        {
            "carried_over": 4,
            "received": 10,
            "received_online": 6,
            "received_in_person": 2,
            "received_by_post": 1,
            "received_unknown_channel": 1,
            "reopened": 1,
            "transferred_in": 1,
            "finished_early": 3,
            "finished_on_time": 2,
            "finished_late": 2,
            "finished_late_with_apology": 1,
            "finished_late_without_apology": 1,
            "finished_no_due": 1,
            "withdrawn": 1,
            "withdrawn_late": 1,
            "stopped": 1,
            "voided": 1,
            "transferred_out": 1,
            "open_in_time": 1,
            "open_overdue": 1,
            "open_no_due": 1,
            "paused": 1,
        }
    )

    assert identities(tally) == {"I1": 0, "I2": 0}


def test_a_dossier_that_vanished_is_left_over() -> None:
    tally = Tally.from_mapping({"received": 2, "received_online": 1, "open_in_time": 1})

    assert identities(tally) == {"I1": 1, "I2": 1}


def test_every_channel_is_a_count_of_receipt() -> None:
    assert all(channel.value.startswith("received_") for channel in CHANNELS)
