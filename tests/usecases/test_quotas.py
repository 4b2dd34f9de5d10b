"""How much one sender may ask in a minute."""

from datetime import UTC, datetime, timedelta

import pytest

from app.usecases import quotas
from app.usecases.quotas import Quota, QuotaExceeded

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def test_a_quota_is_used_up_and_whole_again_after_a_minute() -> None:
    quota = Quota(2)

    assert quota.take("a", now=NOW).left == 1
    assert quota.take("a", now=NOW + timedelta(seconds=20)).left == 0
    with pytest.raises(QuotaExceeded) as refused:
        quota.take("a", now=NOW + timedelta(seconds=20, milliseconds=1))
    assert refused.value.retry_after_seconds == 40
    assert quota.take("a", now=NOW + timedelta(seconds=60)).left == 1


def test_senders_do_not_share_a_quota() -> None:
    quota = Quota(1)
    quota.take("a", now=NOW)

    assert quota.take("b", now=NOW).left == 0


def test_a_clock_that_steps_back_begins_a_new_window() -> None:
    quota = Quota(1)
    quota.take("a", now=NOW)

    assert quota.take("a", now=NOW - timedelta(hours=2)).left == 0


def test_memory_is_bounded() -> None:
    quota = Quota(5)

    for number in range(quotas.TRACKED + 50):
        quota.take(str(number), now=NOW)

    assert quota.take("0", now=NOW).left == 4  # forgotten, so it begins anew
    assert quota.take(str(quotas.TRACKED + 49), now=NOW).left == 3
