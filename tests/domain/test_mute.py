"""Mutes end."""

from datetime import timedelta

import pytest

from app.domain.mute import LONGEST, MuteEndsWrongly, check_end
from tests.factories import local

NOW = local("2026-08-10", 8)


def test_a_mute_ends_in_the_future_and_not_too_far() -> None:
    for span in (timedelta(seconds=1), LONGEST):
        check_end(NOW + span, now=NOW)
    for span in (timedelta(), timedelta(days=-1), LONGEST + timedelta(seconds=1)):
        with pytest.raises(MuteEndsWrongly):
            check_end(NOW + span, now=NOW)
