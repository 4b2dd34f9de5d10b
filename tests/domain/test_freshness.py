"""A source is held to its own rhythm, in working days."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import WorkCalendar
from app.domain.freshness import DAYS, Freshness, freshness
from app.rulebook.calendars import load_state_calendar

CALENDAR: WorkCalendar = load_state_calendar()
MONDAY = date(2026, 3, 2)


def days(*offsets: int) -> list[date]:
    """Return days after Monday 2 March 2026, newest first."""
    return [MONDAY + timedelta(days=offset) for offset in sorted(offsets, reverse=True)]


DAILY = days(0, 1, 2, 3, 4)
WEEKLY = days(-10, -3, 4, 11)


@pytest.mark.parametrize(
    ("heard", "today", "expected"),
    [
        (DAILY, days(4)[0], Freshness(days(4)[0], 1, 0)),
        (DAILY, days(7)[0], Freshness(days(4)[0], 1, 1)),
        (WEEKLY, days(18)[0], Freshness(days(11)[0], 5, 5)),
        (days(0), days(4)[0], Freshness(MONDAY, None, 4)),
    ],
    ids=["today", "over a weekend", "every Friday", "a single day"],
)
def test_gaps_are_counted_in_working_days(
    heard: list[date], today: date, expected: Freshness
) -> None:
    assert freshness(heard, CALENDAR, today=today) == expected


@pytest.mark.parametrize(
    ("heard", "quiet_until", "silent"),
    [
        (DAILY, 9, False),
        (DAILY, 10, True),
        (WEEKLY, 32, False),
        (WEEKLY, 35, True),
        (days(0), 300, False),
    ],
)
def test_silence_begins_after_three_times_the_rhythm(
    heard: list[date], quiet_until: int, silent: bool
) -> None:
    found = freshness(heard, CALENDAR, today=days(quiet_until)[0])

    assert found.is_silent is silent


def test_who_sends_on_days_off_too_may_be_quiet_for_a_working_day() -> None:
    weekend = days(5, 6)

    assert freshness(weekend, CALENDAR, today=days(7)[0]).rhythm == 0
    assert not freshness(weekend, CALENDAR, today=days(7)[0]).is_silent
    assert freshness(weekend, CALENDAR, today=days(8)[0]).is_silent


def test_without_a_calendar_nobody_is_called_silent() -> None:
    old = [date(1999, 3, 2), date(1999, 3, 1)]
    bare = replace(CALENDAR, loaded_years=frozenset({2026}))

    found = freshness(old, bare, today=MONDAY)

    assert (found.rhythm, found.quiet, found.is_silent) == (None, None, False)


@given(st.sets(st.integers(0, 120), min_size=1, max_size=60), st.integers(0, 30))
def test_older_days_than_the_newest_thirty_gaps_change_nothing(
    offsets: set[int], later: int
) -> None:
    heard = days(*offsets)
    today = heard[0] + timedelta(days=later)

    whole = freshness(heard, CALENDAR, today=today)

    assert whole == freshness(heard[: DAYS + 1], CALENDAR, today=today)
    assert whole.quiet is not None
    assert 0 <= whole.quiet <= later
