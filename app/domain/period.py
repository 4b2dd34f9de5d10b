"""Periods: explicit local days, never derived from a label."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar, Final

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


LENGTHS: Final = (1, 3, 6, 12)
"""The months that a named period may cover."""
_PARTS: Final = {1: ("", 12), 3: ("Q", 4), 6: ("H", 2), 12: ("", 0)}
YEARS: Final = range(1901, 2200)
"""The years of which a named period may be."""
_LABEL: Final = re.compile(r"(?P<year>\d{4})(?:-(?P<part>[QH]?\d{1,2}))?", re.ASCII)


@dataclass(eq=False, kw_only=True)
class PeriodLabelInvalid(Invalid):
    """A period of this kind is not named so."""

    code: ClassVar[str] = "period.label_invalid"
    label: str
    example: str


@dataclass(frozen=True, slots=True)
class PeriodKind:
    """A named kind of reporting periods (loại kỳ báo cáo).

    ``months`` is its length. ``begins_on`` 1 is the calendar; otherwise a period begins on that
    day of the month before its first one and ends on the day before it in its last.
    """

    id: str
    months: int
    begins_on: int
    title_vi: str
    title_en: str
    used_by: str

    @property
    def example(self) -> str:
        """Return how a period of the kind is named."""
        return self.label(2026, 1)

    def label(self, year: int, number: int) -> str:
        """Return the name of a period of a year: 2026-08, 2026-Q3, 2026-H2 or 2026."""
        letter, parts = _PARTS[self.months]
        if not parts:
            return f"{year:04}"
        return f"{year:04}-{letter}{number}" if letter else f"{year:04}-{number:02}"

    def period(self, label: str) -> Period:
        """Return the days of a named period.

        :raises PeriodLabelInvalid: a period of this kind is not named so.
        """
        found = _LABEL.fullmatch(label)
        letter, parts = _PARTS[self.months]
        year = int(found["year"]) if found else 0
        part = (found["part"] or "") if found else ""
        digits = part.removeprefix(letter) if parts else ""
        number = int(digits) if digits.isascii() and digits.isdigit() else 1
        fits = year in YEARS and number in range(1, (parts or 1) + 1)
        if not fits or self.label(year, number) != label:
            raise PeriodLabelInvalid(label=label, example=self.example)
        first = date(year, (number - 1) * self.months + 1, 1)
        after = _month_after(year, number * self.months)
        return Period(self._begun(first), self._begun(after) - ONE_DAY)

    def label_of(self, period: Period) -> str | None:
        """Return the name of a period of this kind, None for other days."""
        last = period.last
        label = self.label(last.year, (last.month - 1) // self.months + 1)
        return label if last.year in YEARS and self.period(label) == period else None

    def _begun(self, month: date) -> date:
        """Return the day on which the period of a calendar month begins."""
        if self.begins_on == 1:
            return month
        return (month - ONE_DAY).replace(day=self.begins_on)


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
