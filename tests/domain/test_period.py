"""Periods: explicit local days, cut at calendar borders, observed no later than their end."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.period import (
    LENGTHS,
    ONE_DAY,
    ObservedAfterEnd,
    Period,
    PeriodKind,
    PeriodLabelInvalid,
    PeriodReversed,
    Step,
    midnight,
)

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


# ---------------------------------------------------------------- named kinds


def kind(months: int, begins_on: int) -> PeriodKind:
    return PeriodKind("k", months, begins_on, "Kỳ", "Period", "t")


@pytest.mark.parametrize(
    ("months", "begins_on", "label", "first", "last"),
    [
        (1, 1, "2026-02", "2026-02-01", "2026-02-28"),
        (3, 1, "2026-Q3", "2026-07-01", "2026-09-30"),
        (6, 1, "2026-H2", "2026-07-01", "2026-12-31"),
        (12, 1, "2026", "2026-01-01", "2026-12-31"),
        (1, 15, "2026-01", "2025-12-15", "2026-01-14"),
        (3, 15, "2026-Q1", "2025-12-15", "2026-03-14"),
        (6, 15, "2026-H1", "2025-12-15", "2026-06-14"),
        (12, 15, "2026", "2025-12-15", "2026-12-14"),
        (1, 21, "2021-08", "2021-07-21", "2021-08-20"),
        (3, 21, "2021-Q1", "2020-12-21", "2021-03-20"),
    ],
)
def test_a_named_period_has_its_days_and_its_days_their_name(
    months: int, begins_on: int, label: str, first: str, last: str
) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last))

    assert kind(months, begins_on).period(label) == period
    assert kind(months, begins_on).label_of(period) == label


@given(st.sampled_from(LENGTHS), st.integers(1, 28), st.integers(1990, 2100))
def test_periods_of_a_kind_follow_each_other_without_a_gap(
    months: int, begins_on: int, year: int
) -> None:
    one = kind(months, begins_on)
    labels = [one.label(year, number) for number in range(1, 12 // months + 1)]
    labels.append(one.label(year + 1, 1))

    for before, after in pairwise(one.period(label) for label in labels):
        assert before.ends == after.begins


@pytest.mark.parametrize(
    ("months", "label"),
    [
        (1, "2026-13"),
        (1, "2026-00"),
        (1, "2026-8"),
        (1, "2026-Q1"),
        (1, "2026"),
        (3, "2026-Q5"),
        (3, "2026-3"),
        (6, "2026-Q1"),
        (12, "2026-01"),
        (12, "0001"),
        (1, "tháng 8"),
        (1, "٢٠٢٦-01"),
        (1, ""),
    ],
)
def test_a_name_of_another_form_is_refused(months: int, label: str) -> None:
    with pytest.raises(PeriodLabelInvalid):
        kind(months, 1).period(label)


def test_other_days_have_no_name() -> None:
    assert kind(1, 1).label_of(Period(date(2019, 12, 1), date(2020, 2, 29))) is None
    assert kind(1, 15).label_of(Period(date(2026, 1, 1), date(2026, 1, 31))) is None
