from datetime import UTC, time, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from app.domain.limits import (
    LimitKind,
    LimitNotDivisible,
    LimitNotPositive,
    LimitValueMissing,
    LimitValueUnexpected,
    TimeLimit,
)

DAY_KINDS = (LimitKind.WORKING_DAYS, LimitKind.CALENDAR_DAYS)


@pytest.mark.parametrize("kind", [*DAY_KINDS, LimitKind.WORKING_HOURS])
@pytest.mark.parametrize("value", [0, -1, Fraction(-1, 2)])
def test_a_limit_of_nothing_or_less_is_refused(kind: LimitKind, value: Fraction) -> None:
    with pytest.raises(LimitNotPositive) as refusal:
        TimeLimit(kind, Fraction(value))

    assert refusal.value.kind == kind.value


@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(1, 4), Fraction(7, 10)])
def test_working_days_come_in_halves(value: Fraction) -> None:
    with pytest.raises(LimitNotDivisible):
        TimeLimit.working_days(value)


def test_calendar_days_are_whole() -> None:
    with pytest.raises(LimitNotDivisible):
        TimeLimit(LimitKind.CALENDAR_DAYS, Fraction(1, 2))


def test_hours_may_be_given_as_a_number() -> None:
    limit = TimeLimit(LimitKind.WORKING_HOURS, Fraction(Decimal("4.5")))

    assert limit == TimeLimit.working_hours(timedelta(hours=4, minutes=30))


@pytest.mark.parametrize("hours", [Fraction(1, 7), Fraction(10**15)])
def test_hours_that_no_clock_can_keep_are_refused(hours: Fraction) -> None:
    with pytest.raises(LimitNotDivisible):
        TimeLimit(LimitKind.WORKING_HOURS, hours)


@pytest.mark.parametrize("kind", [*DAY_KINDS, LimitKind.WORKING_HOURS])
def test_a_limit_without_its_number_is_refused(kind: LimitKind) -> None:
    with pytest.raises(LimitValueMissing):
        TimeLimit(kind)


@pytest.mark.parametrize("kind", [LimitKind.SAME_DAY, LimitKind.NONE])
def test_a_limit_without_a_number_takes_none(kind: LimitKind) -> None:
    with pytest.raises(LimitValueUnexpected) as value:
        TimeLimit(kind, Fraction(1))
    with pytest.raises(LimitValueUnexpected) as duration:
        TimeLimit(kind, duration=timedelta(hours=1))

    assert (value.value.field, duration.value.field) == ("value", "duration")


def test_a_number_and_a_duration_together_are_refused() -> None:
    with pytest.raises(LimitValueUnexpected):
        TimeLimit(LimitKind.WORKING_HOURS, Fraction(1), timedelta(hours=1))
    with pytest.raises(LimitValueUnexpected):
        TimeLimit(LimitKind.WORKING_DAYS, Fraction(1), timedelta(hours=1))


def test_a_cut_off_is_a_local_wall_time() -> None:
    with pytest.raises(LimitValueUnexpected):
        TimeLimit.same_day(time(15, tzinfo=UTC))


def test_only_hours_and_halves_are_judged_by_instant() -> None:
    assert TimeLimit.working_hours(timedelta(hours=1)).by_instant
    assert TimeLimit.working_days(Fraction(1, 2)).by_instant
    assert not TimeLimit.working_days(1).by_instant
    assert not TimeLimit.calendar_days(1).by_instant
    assert not TimeLimit.same_day().by_instant
    assert not TimeLimit.none().by_instant
