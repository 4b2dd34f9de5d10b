"""Days late in classes, and ranks of days taken."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.lateness import Lateness, Spread, classes, days_late, lateness_of, nearest_rank
from app.rulebook.calendars import load_state_calendar

CALENDAR = load_state_calendar()


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (0, Lateness.NONE),
        (1, Lateness.FEW),
        (3, Lateness.FEW),
        (4, Lateness.SOME),
        (10, Lateness.SOME),
        (11, Lateness.MANY),
        (30, Lateness.MANY),
        (31, Lateness.MOST),
        (400, Lateness.MOST),
        (None, Lateness.UNKNOWN),
    ],
)
def test_days_late_fall_into_classes(days: int | None, found: Lateness) -> None:
    assert lateness_of(days) is found


@given(st.integers(0, 500))
def test_every_number_of_days_is_in_exactly_one_class(days: int) -> None:
    fitting = [
        one
        for one in Lateness
        if (bounds := one.bounds) is not None
        and bounds[0] <= days
        and (bounds[1] is None or days <= bounds[1])
    ]

    assert fitting == [lateness_of(days)]


def test_days_late_are_working_days_after_the_due_day() -> None:
    friday, saturday, monday = date(2026, 3, 6), date(2026, 3, 7), date(2026, 3, 9)

    assert days_late(CALENDAR, friday, friday) == 0
    assert days_late(CALENDAR, friday, saturday) == 0
    assert days_late(CALENDAR, friday, monday) == 1
    assert days_late(CALENDAR, monday, friday) == 0


def test_a_year_that_is_not_loaded_is_not_guessed() -> None:
    assert days_late(CALENDAR, date(2026, 3, 6), date(2031, 3, 6)) is None


@given(st.lists(st.integers(0, 60), min_size=1), st.integers(1, 100))
def test_a_rank_is_the_one_of_the_sorted_list(days: list[int], percent: int) -> None:
    histogram = {day: days.count(day) for day in days}
    rank = -(-percent * len(days) // 100)

    assert nearest_rank(histogram, percent) == sorted(days)[rank - 1]


def test_nothing_has_no_rank_and_a_rank_lies_within_a_hundred() -> None:
    assert nearest_rank({}, 50) is None
    with pytest.raises(ValueError, match="rank"):
        nearest_rank({1: 1}, 0)


def test_a_spread_counts_late_ones_by_class_and_finishes_by_days() -> None:
    spread = Spread(taken={2: 1, 9: 1, None: 3})
    spread.add_late("finished_late", 2, 1)
    spread.add_late("finished_late", 3, 2)
    spread.add_late("open_overdue", None, 1)

    assert classes(spread.finished_late) == {"0": 0, "1-3": 3, "4-10": 0, "11-30": 0, "over-30": 0}
    assert classes(spread.open_overdue)["not_computable"] == 1
    assert (spread.finishes, spread.days_at(50), spread.days_at(90)) == (2, 2, 9)
