"""Periods: explicit local days, never derived from a label."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar

from app.domain.dossier import ZONE
from app.domain.errors import Invalid

ONE_DAY = timedelta(days=1)


@dataclass(eq=False, kw_only=True)
class PeriodReversed(Invalid):
    """The last day lies before the first."""

    code: ClassVar[str] = "period.reversed"
    first: date
    last: date


@dataclass(eq=False, kw_only=True)
class ObservedAfterEnd(Invalid):
    """The moment of observation lies after the end of the period."""

    code: ClassVar[str] = "period.observed_after_end"
    as_of: datetime
    ends: datetime


@dataclass(eq=False, kw_only=True)
class ObservedBeforeBegin(Invalid):
    """The moment of observation lies before the period."""

    code: ClassVar[str] = "period.observed_before_begin"
    as_of: datetime
    begins: datetime


class Step(StrEnum):
    """The calendar parts into which a period may be cut."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """Local days from ``first`` to ``last``, inclusive (kỳ báo cáo).

    :raises PeriodReversed: if the last day lies before the first.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins."""
        if self.last < self.first:
            raise PeriodReversed(first=self.first, last=self.last)

    @property
    def begins(self) -> datetime:
        """Return the first instant."""
        return midnight(self.first)

    @property
    def ends(self) -> datetime:
        """Return the first instant after the period."""
        return midnight(self.last + ONE_DAY)

    def observed_at(self, as_of: datetime | None, *, now: datetime) -> datetime:
        """Return T, exclusive: the end of the period, or ``as_of`` or now if earlier.

        :raises ObservedAfterEnd: if ``as_of`` lies after the end.
        :raises ObservedBeforeBegin: if ``as_of`` lies before the first day.
        """
        if as_of is not None:
            if as_of < self.begins:
                raise ObservedBeforeBegin(as_of=as_of, begins=self.begins)
            if as_of > self.ends:
                raise ObservedAfterEnd(as_of=as_of, ends=self.ends)
            return as_of
        return min(self.ends, max(now, self.begins))

    def parts(self, step: Step) -> Iterator[tuple[str, "Period"]]:
        """Cut the period at calendar borders; each part with its label."""
        first = self.first
        while first <= self.last:
            label, following = _part(first, step)
            yield label, Period(first, min(self.last, following - ONE_DAY))
            first = following


def midnight(day: date) -> datetime:
    """Return the instant at which a local day begins."""
    return datetime.combine(day, time.min, ZONE)


def _part(day: date, step: Step) -> tuple[str, date]:
    """Return the label of the calendar part of a day, and the first day after it."""
    match step:
        case Step.DAY:
            return day.isoformat(), day + ONE_DAY
        case Step.MONTH:
            return f"{day:%Y-%m}", _month_after(day.year, day.month)
        case Step.QUARTER:
            quarter = (day.month - 1) // 3
            return f"{day.year}-Q{quarter + 1}", _month_after(day.year, quarter * 3 + 3)
        case Step.YEAR:
            return f"{day.year}", date(day.year + 1, 1, 1)


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)
