"""Periods: explicit local days, cut at calendar borders, observed no later than their end."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.period import ONE_DAY, ObservedAfterEnd, Period, PeriodReversed, Step, midnight

days = st.dates(date(2018, 1, 1), date(2028, 12, 31))


def test_a_period_begins_and_ends_at_local_midnight() -> None:
    july = Period(date(2026, 7, 1), date(2026, 7, 31))

    assert july.begins == datetime(2026, 6, 30, 17, tzinfo=UTC)
    assert july.ends == datetime(2026, 7, 31, 17, tzinfo=UTC)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PeriodReversed):
        Period(date(2026, 7, 2), date(2026, 7, 1))


@given(days, st.integers(0, 900), st.sampled_from(Step))
def test_parts_cover_the_period_without_gap_or_overlap(
    first: date, length: int, step: Step
) -> None:
    whole = Period(first, first + timedelta(days=length))

    parts = [part for _, part in whole.parts(step)]

    assert parts[0].first == whole.first
    assert parts[-1].last == whole.last
    assert all(one.last + ONE_DAY == two.first for one, two in pairwise(parts))


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        (Step.MONTH, ["2026-11", "2026-12", "2027-01"]),
        (Step.QUARTER, ["2026-Q4", "2027-Q1"]),
        (Step.YEAR, ["2026", "2027"]),
    ],
)
def test_parts_are_named_by_the_calendar(step: Step, labels: list[str]) -> None:
    period = Period(date(2026, 11, 15), date(2027, 1, 14))

    assert [label for label, _ in period.parts(step)] == labels


def test_a_running_period_is_observed_now_and_a_past_one_at_its_end() -> None:
    july = Period(date(2026, 7, 1), date(2026, 7, 31))

    assert july.observed_at(None, now=midnight(date(2026, 7, 10))) == midnight(date(2026, 7, 10))
    assert july.observed_at(None, now=midnight(date(2026, 9, 1))) == july.ends
    assert july.observed_at(None, now=midnight(date(2026, 6, 1))) == july.begins


def test_the_moment_of_observation_may_not_lie_behind_the_end() -> None:
    july = Period(date(2026, 7, 1), date(2026, 7, 31))

    with pytest.raises(ObservedAfterEnd):
        july.observed_at(july.ends + ONE_DAY, now=july.ends)
    assert july.observed_at(july.ends, now=july.begins) == july.ends
