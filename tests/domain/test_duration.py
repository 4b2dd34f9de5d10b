"""Durations of ISO 8601, read and written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.duration import read_duration, write_duration


@given(st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_what_is_written_reads_back(duration: timedelta) -> None:
    assert read_duration(write_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT4H30M", 16_200), ("PT3600S", 3600), ("PT0.5S", 0.5), ("PT90M", 5400), ("PT0S", 0)],
)
def test_hours_minutes_and_seconds_are_read(text: str, seconds: float) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "PT", "P1D", "P1DT1H", "pt1h", "PT1", "-PT1H", "PT1,5S", "PT٣H"]
)
def test_what_is_no_such_duration_is_none(text: str) -> None:
    assert read_duration(text) is None
