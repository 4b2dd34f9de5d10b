"""Administrative procedures (thủ tục hành chính) and the dated limits that bind them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from app.domain.limits import TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, PauseKind, PausePolicy
from app.domain.record import Channel


class OnlineLevel(StrEnum):
    """How far a procedure can be done online (mức độ dịch vụ công trực tuyến)."""

    FULL = "full"
    PARTIAL = "partial"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class LimitVersion:
    """One version of a time limit (thời hạn giải quyết): from when, for which case and channel.

    ``case`` and ``channel`` None hold for every case and channel that has no version of its own;
    ``valid_to`` is the last day, None while in force.
    """

    limit: TimeLimit
    valid_from: date
    valid_to: date | None = None
    case: str | None = None
    channel: Channel | None = None
    policies: Mapping[PauseKind, PausePolicy] = field(default_factory=lambda: DEFAULT_POLICIES)

    def holds(self, day: date, case: str | None, channel: Channel) -> bool:
        """Tell whether it was in force on a day, for a case and a channel."""
        return (
            self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
            and (self.case is None or self.case == case)
            and (self.channel is None or self.channel == channel)
        )


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure as the clock needs it: its code, its limits, how far it goes online."""

    code: str
    limits: tuple[LimitVersion, ...]
    online_level: OnlineLevel | None = None

    def limit_at(self, day: date, *, case: str | None, channel: Channel) -> LimitVersion | None:
        """Return the version in force on a day; the most particular and then newest one wins.

        None when no version was in force: a rule that is not in force is never guessed.
        """
        limits = self.limits
        if len(limits) == 1:
            return limits[0] if limits[0].holds(day, case, channel) else None
        found = [one for one in limits if one.holds(day, case, channel)]
        return max(
            found,
            key=lambda one: (one.case is not None, one.channel is not None, one.valid_from),
            default=None,
        )
