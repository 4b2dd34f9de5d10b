"""Time limits on the wire."""

from datetime import time, timedelta
from typing import Any

import pytest

from app.api.limits import DatedLimitIn, LimitIn
from app.domain.errors import Invalid
from app.domain.limits import TimeLimit
from app.domain.pauses import PauseKind, PausePolicy


@pytest.mark.parametrize(
    ("told", "limit"),
    [
        ({"kind": "working_days", "value": 5}, TimeLimit.working_days(5)),
        ({"kind": "calendar_days", "value": 15}, TimeLimit.calendar_days(15)),
        (
            {"kind": "working_hours", "duration": "PT4H30M"},
            TimeLimit.working_hours(timedelta(hours=4.5)),
        ),
        (
            {"kind": "working_hours", "value": 4.5},
            TimeLimit.working_hours(timedelta(hours=4.5)),
        ),
        ({"kind": "same_day"}, TimeLimit.same_day()),
        (
            {"kind": "same_day", "cutoff": "14:30", "reception": False},
            TimeLimit.same_day(time(14, 30), reception=False),
        ),
        ({"kind": "none"}, TimeLimit.none()),
    ],
)
def test_each_kind_is_read(told: dict[str, Any], limit: TimeLimit) -> None:
    assert LimitIn.model_validate(told).to_limit() == limit


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "working_days"},
        {"kind": "working_days", "value": 0},
        {"kind": "working_days", "value": 1, "duration": "PT1H"},
        {"kind": "calendar_days", "value": 1.5},
        {"kind": "none", "value": 1},
    ],
)
def test_what_cannot_be_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        LimitIn.model_validate(told).to_limit()


def test_a_dated_limit_keeps_what_holds_by_default() -> None:
    told = {
        "kind": "working_days",
        "value": 5,
        "valid_from": "2025-07-01",
        "pauses": {"supplement": "shift"},
        "source": "unverified",
    }

    dated = DatedLimitIn.model_validate(told).to_dated()

    assert not dated.is_verified
    assert dated.version.policies[PauseKind.SUPPLEMENT] is PausePolicy.SHIFT
    assert dated.version.policies[PauseKind.PAYMENT] is PausePolicy.SHIFT
    assert len(dated.version.policies) == len(PauseKind)
