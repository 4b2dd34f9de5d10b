"""How late, and how long: working days late in classes, and days taken as ranks.

Classes add up to what was counted late, exactly; a rank is one of the values that occurred, never
a number between two of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, assert_never

from app.domain.almanac import CalendarYearMissing
from app.domain.calendar import WorkCalendar

SMALL_SAMPLE: Final = 5
"""Below so many dossiers a share or a rank says little and is shown with a note."""

MEDIAN: Final = 50
NINETIETH: Final = 90


class Lateness(StrEnum):
    """How many working days late (số ngày làm việc quá hạn), in classes.

    The days are those after the due day up to and including the finish or T; 0 is late within the
    due day or over days off alone. Source: measures.md, "Rates".
    """

    NONE = "0"
    FEW = "1-3"
    SOME = "4-10"
    MANY = "11-30"
    MOST = "over-30"
    UNKNOWN = "not_computable"
    """A year of the calendar that it needs is not loaded."""

    @property
    def bounds(self) -> tuple[int, int | None] | None:
        """Return the first and the last number of days of the class; None for ``UNKNOWN``."""
        match self:
            case Lateness.NONE:
                return 0, 0
            case Lateness.FEW:
                return 1, 3
            case Lateness.SOME:
                return 4, 10
            case Lateness.MANY:
                return 11, 30
            case Lateness.MOST:
                return 31, None
            case Lateness.UNKNOWN:
                return None
            case _:
                assert_never(self)


_LAST: Final = ((0, Lateness.NONE), (3, Lateness.FEW), (10, Lateness.SOME), (30, Lateness.MANY))


def lateness_of(days: int | None) -> Lateness:
    """Return the class of a number of working days late, None when it cannot be computed."""
    if days is None:
        return Lateness.UNKNOWN
    return next((one for last, one in _LAST if days <= last), Lateness.MOST)


def days_late(calendar: WorkCalendar, due_on: date, until: date) -> int | None:
    """Count the working days after the due day up to and including a day, None if not loaded."""
    try:
        return max(0, calendar.working_days_between(due_on, until))
    except CalendarYearMissing:
        return None


@dataclass(slots=True)
class Spread:
    """How late and how long the dossiers of one row of figures were.

    ``finished_late`` and ``open_overdue`` count by class; ``taken`` counts the finishes by the
    working days that each took, under None those for which that cannot be computed.
    """

    finished_late: dict[Lateness, int] = field(default_factory=dict)
    open_overdue: dict[Lateness, int] = field(default_factory=dict)
    taken: dict[int | None, int] = field(default_factory=dict)

    def add_late(self, count: str, days: int | None, number: int) -> None:
        """Add dossiers that were so many days late to ``finished_late`` or ``open_overdue``."""
        classes: dict[Lateness, int] = getattr(self, count)
        found = lateness_of(days)
        classes[found] = classes.get(found, 0) + number

    @property
    def finishes(self) -> int:
        """Return how many finishes have a known number of days."""
        return sum(number for days, number in self.taken.items() if days is not None)

    def days_at(self, percent: int) -> int | None:
        """Return the days within which so many of a hundred finishes were reached."""
        known = {days: number for days, number in self.taken.items() if days is not None}
        return nearest_rank(known, percent)


def classes(counts: Mapping[Lateness, int]) -> dict[str, int]:
    """Return every class by its name, zeros included; ``not_computable`` only where it occurs."""
    return {
        one.value: counts.get(one, 0)
        for one in Lateness
        if one is not Lateness.UNKNOWN or counts.get(one, 0)
    }


def nearest_rank(histogram: Mapping[int, int], percent: int) -> int | None:
    """Return the smallest value that at least ``percent`` of a hundred do not exceed.

    None when there is nothing. The median is at 50, the upper one of two when they are even is
    not taken: of 1, 2 the median is 1.

    :raises ValueError: a percent outside 1 to 100.
    """
    if not 1 <= percent <= 100:  # a percent
        raise ValueError("a rank is asked for between 1 and 100")
    total = sum(histogram.values())
    if not total:
        return None
    rank = -(-percent * total // 100)
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        if passed >= rank:
            return value
    raise AssertionError("the ranks end with the greatest value")
