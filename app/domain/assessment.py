"""The periods that units are assessed over (kỳ đánh giá): a year, a quarter, a month, or days.

``2026``, ``2026-Q1``, ``2026-08`` and ``2026-01-01..2026-06-30`` are read; nothing else is guessed.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.domain.period import ONE_DAY, Period
from app.domain.rule_set import PeriodKind

_YEAR: Final = re.compile(r"(20\d\d)", re.ASCII)
_QUARTER: Final = re.compile(r"(20\d\d)-Q([1-4])", re.ASCII)
_MONTH: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
_DAYS: Final = re.compile(r"(20\d\d-\d\d-\d\d)\.\.(20\d\d-\d\d-\d\d)", re.ASCII)
_LENGTHS: Final = (
    (PeriodKind.MONTH, 28, 31),
    (PeriodKind.QUARTER, 89, 92),
    (PeriodKind.YEAR, 365, 366),
)
"""The days of a period of each kind; reporting years do not begin in January everywhere."""


@dataclass(eq=False, kw_only=True)
class PeriodUnreadable(Invalid):
    """A period is written as a year, a quarter, a month, or two days."""

    code: ClassVar[str] = "assessment.period_unreadable"


def read_period(text: str) -> Period:
    """Return the days of a period as it is written.

    :raises PeriodUnreadable: it is none of the four forms, or names days that do not exist.
    :raises PeriodReversed: the last day lies before the first.
    """
    told = text.strip()
    if found := _YEAR.fullmatch(told):
        return _months(int(found[1]), 1, 12)
    if found := _QUARTER.fullmatch(told):
        return _months(int(found[1]), int(found[2]) * 3 - 2, 3)
    if found := _MONTH.fullmatch(told):
        return _months(int(found[1]), int(found[2]), 1)
    if found := _DAYS.fullmatch(told):
        try:
            days = date.fromisoformat(found[1]), date.fromisoformat(found[2])
        except ValueError as error:
            raise PeriodUnreadable from error
        return Period(*days)
    raise PeriodUnreadable


def _months(year: int, month: int, number: int) -> Period:
    after = month - 1 + number
    return Period(date(year, month, 1), date(year + after // 12, after % 12 + 1, 1) - ONE_DAY)


def written(period: Period) -> str:
    """Return the shortest form that reads as the period."""
    year, month = period.first.year, period.first.month
    forms = (f"{year}", f"{year}-Q{(month + 2) // 3}", f"{year}-{month:02}")
    for form in forms:
        if read_period(form) == period:
            return form
    return f"{period.first}..{period.last}"


def kind_of(period: Period) -> PeriodKind | None:
    """Return what kind of period it is by its length, None when it is none."""
    days = (period.last - period.first).days + 1
    for kind, least, most in _LENGTHS:
        if least <= days <= most:
            return kind
    return None
