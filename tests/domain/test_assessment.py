"""Periods of assessment as they are written."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.assessment import PeriodUnreadable, kind_of, read_period, written
from app.domain.period import Period, PeriodReversed
from app.domain.rule_set import PeriodKind


@pytest.mark.parametrize(
    ("text", "first", "last", "kind"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31), PeriodKind.YEAR),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31), PeriodKind.QUARTER),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), PeriodKind.MONTH),
        ("2025-12-15..2026-12-14", date(2025, 12, 15), date(2026, 12, 14), PeriodKind.YEAR),
        ("2026-01-01..2026-01-09", date(2026, 1, 1), date(2026, 1, 9), None),
    ],
)
def test_four_forms_are_read(text: str, first: date, last: date, kind: PeriodKind | None) -> None:
    period = read_period(text)

    assert (period, kind_of(period)) == (Period(first, last), kind)


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-Q5", "2026-1", "2026-02-30..2026-03-01", "２０２６"]
)
def test_nothing_else_is_guessed(text: str) -> None:
    with pytest.raises(PeriodUnreadable):
        read_period(text)


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(PeriodReversed):
        read_period("2026-02-01..2026-01-01")


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)), st.integers(0, 400))
def test_what_is_written_reads_as_the_same_days(first: date, days: int) -> None:
    period = Period(first, date.fromordinal(first.toordinal() + days))

    assert read_period(written(period)) == period
