"""The named kinds of periods: as shipped, and what a broken file is told."""

from datetime import date

import pytest

from app.domain.period import Period
from app.rulebook.entry import RulebookRefused
from app.rulebook.periods import (
    PeriodKindUnknown,
    load_period_kinds,
    parse_period_kinds,
    period_kind,
)

GOOD = """
[[kind]]
id = "month"
months = 1
begins_on = 1
title = { vi = "Tháng", en = "Month" }
used_by = "t"
"""


def test_calendar_periods_and_both_cut_off_days_are_shipped() -> None:
    kinds = load_period_kinds()

    assert {(one.months, one.begins_on) for one in kinds.values()} >= {
        *((months, 1) for months in (1, 3, 6, 12)),
        *((months, 15) for months in (1, 3, 6, 12)),
        (1, 21),
    }


def test_the_august_of_the_centre_of_vinh_phuc_began_in_july() -> None:
    assert period_kind("month-21").period("2021-08") == Period(date(2021, 7, 21), date(2021, 8, 20))


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(PeriodKindUnknown) as refused:
        period_kind("fortnight")

    assert "quarter-15" in refused.value.known


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (GOOD.replace("months = 1", "months = 2"), "rulebook.not_a_choice"),
        (GOOD.replace("begins_on = 1", "begins_on = 31"), "rulebook.not_a_choice"),
        (GOOD.replace("used_by", "used_for"), "rulebook.missing_key"),
        (GOOD + 'colour = "red"', "rulebook.unknown_key"),
        (GOOD + GOOD, "rulebook.twice"),
        ("[[kind", "rulebook.unreadable"),
    ],
)
def test_a_broken_file_names_its_fault(told: str, fault: str) -> None:
    with pytest.raises(RulebookRefused) as refused:
        parse_period_kinds(told, file="t.toml")

    assert refused.value.fault == fault
