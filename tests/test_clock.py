"""The clock."""

from datetime import timedelta

from app.clock import system_clock


def test_the_system_clock_tells_an_aware_instant_in_utc() -> None:
    assert system_clock().utcoffset() == timedelta(0)


def test_the_system_clock_does_not_go_back_between_two_looks() -> None:
    assert system_clock() <= system_clock()
