"""How fresh a source is: when it was last heard against its usual rhythm.

The rhythm is the median of the gaps between the days on which it sent anything, in working days,
so an office that sends every evening and one that sends on Fridays are each held to their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median_low
from typing import Final

from app.domain.almanac import CalendarYearMissing
from app.domain.calendar import WorkCalendar

DAYS: Final = 30
"""How many days with messages, the newest ones, make the rhythm."""
PATIENCE: Final = 3
"""How many times its rhythm a source may be quiet before it has fallen silent."""
LEAST: Final = 1
"""The working days that every source may be quiet."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """When a source was last heard, and whether that is long ago for it.

    ``rhythm`` is the usual gap and ``quiet`` the days since, today included, both in working days.
    ``rhythm`` is None after a single day, when nothing is usual yet, and both are None while a
    calendar year is missing; such a source is not called silent.
    """

    last_heard_on: date
    rhythm: int | None
    quiet: int | None

    @property
    def is_silent(self) -> bool:
        """Tell whether the source has been quiet for longer than it usually is."""
        if self.rhythm is None or self.quiet is None:
            return False
        return self.quiet > max(PATIENCE * self.rhythm, LEAST)


def freshness(days: Sequence[date], calendar: WorkCalendar, *, today: date) -> Freshness:
    """Judge a source by the days on which it was heard, newest first; there is at least one."""
    newest = days[: DAYS + 1]
    try:
        gaps = [calendar.working_days_between(old, new) for new, old in pairwise(newest)]
        quiet = calendar.working_days_between(newest[0], today)
    except CalendarYearMissing:
        return Freshness(newest[0], None, None)
    return Freshness(newest[0], median_low(gaps) if gaps else None, quiet)
