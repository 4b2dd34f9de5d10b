"""A key speaks for its units: for the time at which they held a dossier, and by transfers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.authority import Span, held_at, may_tell
from app.domain.stay import Stay

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
STAYS = (Stay(1, None), Stay(2, FIRST + 2 * DAY), Stay(3, FIRST + 4 * DAY))


@pytest.mark.parametrize(("days", "unit"), [(-9, 1), (1, 1), (2, 2), (3, 2), (4, 3), (99, 3)])
def test_who_held_a_dossier_at_a_moment(days: int, unit: int) -> None:
    assert held_at(STAYS, FIRST + days * DAY) == unit


@given(st.integers(-2, 9), st.sampled_from([1, 2, 3, 4]), st.sampled_from([None, 1, 2, 3, 4]))
def test_a_key_tells_of_its_own_time_and_of_what_is_passed_to_it(
    days: int, own: int, to: int | None
) -> None:
    at = FIRST + days * DAY

    told = may_tell(STAYS, at, entitled=lambda unit: unit == own, taken_over_by=to)

    assert told == (held_at(STAYS, at) == own or to == own)


def test_above_is_more_than_covering() -> None:
    province, commune, other = Span(0, 99), Span(10, 19), Span(20, 29)

    assert province.covers(commune)
    assert province.is_above(commune)
    assert commune.covers(commune)
    assert not commune.is_above(commune)
    assert not commune.covers(province)
    assert not other.covers(commune)
