"""How numbers and instants of an account are written as JSON."""

from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from app.api.ledgers import DueOut, SuspendedOut, number, shown


def test_a_whole_number_is_written_whole_and_a_half_as_it_is() -> None:
    assert (number(Fraction(5)), number(Fraction(5, 2))) == (5, 2.5)
    assert isinstance(number(Fraction(5)), int)


def test_an_instant_is_written_in_the_zone_of_the_answer() -> None:
    at = datetime(2026, 8, 3, 2, 10, tzinfo=UTC)

    assert shown(at, ZoneInfo("Asia/Ho_Chi_Minh")) == "2026-08-03T09:10:00+07:00"
    assert shown(None, UTC) is None


def test_nothing_is_answered_as_null() -> None:
    assert DueOut.of(None, UTC) is None
    assert SuspendedOut.of(None, UTC, has_end=True) is None
