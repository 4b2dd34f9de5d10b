"""Time limits of a procedure (thời hạn giải quyết) as values that cannot be wrong."""

from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Final

from app.domain.errors import Invalid

DEFAULT_CUTOFF: Final = time(15)
"""The default cut-off of same-day limits, 15:00:00 inclusive."""
MICROSECONDS_PER_HOUR: Final = 3_600_000_000


@dataclass(eq=False, kw_only=True)
class LimitNotPositive(Invalid):
    """A limit must be more than nothing."""

    code: ClassVar[str] = "limit.not_positive"
    kind: str
    value: str


@dataclass(eq=False, kw_only=True)
class LimitNotDivisible(Invalid):
    """A limit is finer than its kind allows.

    Working days come in halves, calendar days whole, working hours to the microsecond.
    """

    code: ClassVar[str] = "limit.not_divisible"
    kind: str
    value: str


@dataclass(eq=False, kw_only=True)
class LimitValueMissing(Invalid):
    """A limit of this kind needs a number of days, or a duration."""

    code: ClassVar[str] = "limit.value_missing"
    kind: str


@dataclass(eq=False, kw_only=True)
class LimitValueUnexpected(Invalid):
    """A limit of this kind has no such field."""

    code: ClassVar[str] = "limit.value_unexpected"
    kind: str
    field: str


class LimitKind(StrEnum):
    """How a limit is counted."""

    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"
    WORKING_HOURS = "working_hours"
    SAME_DAY = "same_day"
    NONE = "none"


_WORKING_HOURS: Final = LimitKind.WORKING_HOURS


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """One time limit of a procedure.

    ``value`` is the number of days of the two day kinds; ``duration`` is the working time of
    ``working_hours``, for which ``value`` may be given instead, in hours. ``cutoff`` is the last
    wall time of receipt that still counts for the day itself, and ``reception`` says whether
    the reception days that a unit lists are days for it; both matter to ``same_day`` alone.

    :raises LimitNotPositive: if it is zero or less.
    :raises LimitNotDivisible: if it is finer than its kind allows.
    :raises LimitValueMissing: if the number or the duration is missing.
    :raises LimitValueUnexpected: if it carries a number or duration that its kind has not.
    """

    kind: LimitKind
    value: Fraction | None = None
    duration: timedelta | None = None
    cutoff: time = DEFAULT_CUTOFF
    reception: bool = True
    version: str | None = None
    legal_basis: str | None = None

    def __post_init__(self) -> None:
        """Bring the numbers to one form and refuse what cannot be a limit."""
        match self.kind:
            case LimitKind.WORKING_DAYS:
                self._check_days(2)
            case LimitKind.CALENDAR_DAYS:
                self._check_days(1)
            case LimitKind.WORKING_HOURS:
                self._settle_hours()
            case LimitKind.SAME_DAY | LimitKind.NONE:
                self._refuse("value", present=self.value is not None)
                self._refuse("duration", present=self.duration is not None)
        if self.cutoff.tzinfo is not None:
            raise LimitValueUnexpected(kind=self.kind.value, field="cutoff")

    @classmethod
    def working_days(cls, number: int | Fraction | Decimal) -> "TimeLimit":
        """Limit by working days (ngày làm việc), whole or with a half."""
        return cls(LimitKind.WORKING_DAYS, Fraction(number))

    @classmethod
    def calendar_days(cls, number: int) -> "TimeLimit":
        """Limit by calendar days (ngày), moved to the next working day if it ends on none."""
        return cls(LimitKind.CALENDAR_DAYS, Fraction(number))

    @classmethod
    def working_hours(cls, duration: timedelta) -> "TimeLimit":
        """Limit by working time (giờ làm việc)."""
        return cls(LimitKind.WORKING_HOURS, duration=duration)

    @classmethod
    def same_day(cls, cutoff: time = DEFAULT_CUTOFF, *, reception: bool = True) -> "TimeLimit":
        """Limit to the day of receipt (trong ngày), with the last wall time that counts for it."""
        return cls(LimitKind.SAME_DAY, cutoff=cutoff, reception=reception)

    @classmethod
    def none(cls) -> "TimeLimit":
        """Have no due date at all."""
        return cls(LimitKind.NONE)

    @property
    def is_half(self) -> bool:
        """Ask whether the limit ends with half a working day, and so at an instant."""
        return self.value is not None and self.value.denominator == 2

    @property
    def by_instant(self) -> bool:
        """Ask whether the limit is judged by instant and not by date."""
        return self.kind is _WORKING_HOURS or self.is_half

    def _check_days(self, parts: int) -> None:
        self._refuse("duration", present=self.duration is not None)
        if self.value is None:
            raise LimitValueMissing(kind=self.kind.value)
        value = Fraction(self.value)
        object.__setattr__(self, "value", value)
        if value <= 0:
            raise LimitNotPositive(kind=self.kind.value, value=str(value))
        if parts % value.denominator:
            raise LimitNotDivisible(kind=self.kind.value, value=str(value))

    def _settle_hours(self) -> None:
        duration, value = self.duration, self.value
        if value is not None:
            self._refuse("value", present=duration is not None)
            exact = Fraction(value) * MICROSECONDS_PER_HOUR
            if exact.denominator != 1:
                raise LimitNotDivisible(kind=self.kind.value, value=str(value))
            try:
                duration = timedelta(microseconds=exact.numerator)
            except OverflowError as error:
                raise LimitNotDivisible(kind=self.kind.value, value=str(value)) from error
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "duration", duration)
        if duration is None:
            raise LimitValueMissing(kind=self.kind.value)
        if duration <= timedelta():
            raise LimitNotPositive(kind=self.kind.value, value=str(duration))

    def _refuse(self, field: str, *, present: bool) -> None:
        if present:
            raise LimitValueUnexpected(kind=self.kind.value, field=field)
