"""Which nights are owed."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.night import (
    LOOK_BACK_DAYS,
    NightToCome,
    hour_owed,
    newest_night,
    night_by_hand,
    night_of,
    nights_owed,
)
from tests.factories import local

DAY = date(2026, 8, 7)


def test_a_night_looks_at_one_in_the_morning_of_its_day() -> None:
    slot = night_of(DAY)

    assert (slot.key, slot.as_of) == ("2026-08-07", datetime(2026, 8, 6, 18, tzinfo=UTC))


@pytest.mark.parametrize(
    ("last", "now", "owed"),
    [
        (None, local(DAY, 0, 59), ["2026-08-06"]),
        (None, local(DAY, 1), ["2026-08-07"]),
        (DAY, local(DAY, 23, 59), []),
        (DAY, local("2026-08-08", 0, 59), []),
        (DAY, local("2026-08-10", 8), ["2026-08-08", "2026-08-09", "2026-08-10"]),
        (date(2026, 12, 31), local("2027-01-01", 2), ["2027-01-01"]),
        (date(2028, 2, 28), local("2028-03-01", 2), ["2028-02-29", "2028-03-01"]),
        (date(2030, 1, 1), local(DAY, 8), []),
    ],
)
def test_the_nights_since_the_last_one_known_are_owed(
    last: date | None, now: datetime, owed: list[str]
) -> None:
    assert [slot.key for slot in nights_owed(last, now=now)] == owed


def test_after_a_long_silence_the_look_back_is_bounded() -> None:
    owed = nights_owed(date(2020, 1, 1), now=local(DAY, 8))

    assert len(owed) == LOOK_BACK_DAYS
    assert owed[-1].key == "2026-08-07"


@given(st.integers(0, 5_000_000), st.integers(0, 500))
def test_no_night_is_skipped_or_doubled_whenever_one_looks(minutes: int, hours: int) -> None:
    first = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    last = date.fromisoformat(nights_owed(None, now=first)[-1].key)

    owed = nights_owed(last, now=first + timedelta(hours=hours))

    days = [date.fromisoformat(slot.key) for slot in owed]
    assert days == [last + timedelta(days=n + 1) for n in range(len(days))]
    assert all(slot.as_of <= first + timedelta(hours=hours) for slot in owed)


def test_a_night_by_hand_may_be_today_s_but_not_tomorrow_s() -> None:
    assert night_by_hand(DAY, now=local(DAY, 0, 1)) == night_of(DAY)
    with pytest.raises(NightToCome):
        night_by_hand(DAY, now=local("2026-08-06", 23, 59))


@pytest.mark.parametrize(
    ("hour", "minute", "slot"),
    [
        (6, 59, None),
        (7, 0, "2026-08-07T07"),
        (11, 30, "2026-08-07T11"),
        (17, 59, "2026-08-07T17"),
        (18, 0, None),
    ],
)
def test_the_hours_of_the_day_are_owed_one_at_a_time(
    hour: int, minute: int, slot: str | None
) -> None:
    owed = hour_owed(now=local("2026-08-07", hour, minute))

    assert (None if owed is None else owed.key) == slot
    if owed is not None:
        assert owed.as_of == local("2026-08-07", hour)


def test_before_one_the_newest_night_is_that_of_yesterday() -> None:
    assert newest_night(now=local("2026-08-07", 0, 59)).key == "2026-08-06"
    assert newest_night(now=local("2026-08-07", 1)).key == "2026-08-07"
