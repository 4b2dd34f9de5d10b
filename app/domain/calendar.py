"""When an office works: weekly sessions, exceptions by date, reception, inheritance, year status.

A ``WorkCalendar`` is a complete calendar and a value. A ``CalendarLayer`` says only what a unit
does differently from the unit above it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from app.domain.almanac import (
    Almanac,
    CalendarNeverOpens,
    CalendarYearMissing,
    NaiveInstant,
    duration_micros,
    instant_of,
)
from app.domain.errors import Invalid

__all__ = [
    "END_OF_DAY",
    "NO_WEEK",
    "WEEKDAYS",
    "CalendarLayer",
    "CalendarNeverOpens",
    "CalendarWithoutSessions",
    "CalendarYearMissing",
    "DayException",
    "DayKind",
    "ExceptionKind",
    "ExceptionSessionsInvalid",
    "ExceptionTwice",
    "NaiveInstant",
    "Session",
    "SessionInvalid",
    "SessionsOverlap",
    "Week",
    "WorkCalendar",
    "YearStatus",
    "YearWarning",
    "YearlyOffInvalid",
    "ZoneUnknown",
    "next_year_warning",
    "week_of",
    "yearly_days",
]

END_OF_DAY: Final = time(23, 59)
"""The close at 24:00. Offices write it as 24:00 or as 23:59; both mean the end of the day."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LAST_QUARTER_BEGINS: Final = 10


@dataclass(eq=False, kw_only=True)
class ZoneUnknown(Invalid):
    """No time zone of this name exists."""

    code: ClassVar[str] = "calendar.zone_unknown"
    zone: str


@dataclass(eq=False, kw_only=True)
class SessionInvalid(Invalid):
    """A session does not close after it opens, or is not written as HH:MM."""

    code: ClassVar[str] = "calendar.session_invalid"
    opens: str
    closes: str


@dataclass(eq=False, kw_only=True)
class SessionsOverlap(Invalid):
    """Two sessions of one day overlap."""

    code: ClassVar[str] = "calendar.sessions_overlap"
    day: str


@dataclass(eq=False, kw_only=True)
class CalendarWithoutSessions(Invalid):
    """The week has no working session at all."""

    code: ClassVar[str] = "calendar.no_sessions"
    calendar: str


@dataclass(eq=False, kw_only=True)
class ExceptionTwice(Invalid):
    """One calendar names two exceptions for one date."""

    code: ClassVar[str] = "calendar.exception_twice"
    day: str


@dataclass(eq=False, kw_only=True)
class ExceptionSessionsInvalid(Invalid):
    """The sessions of an exception do not fit its kind.

    A day off has none; a working day or changed hours need some, their own or those of a weekday.
    """

    code: ClassVar[str] = "calendar.exception_sessions"
    day: str
    kind: str


@dataclass(eq=False, kw_only=True)
class YearlyOffInvalid(Invalid):
    """A yearly day off is not a month and a day."""

    code: ClassVar[str] = "calendar.yearly_off_invalid"
    day: str


class ExceptionKind(StrEnum):
    """What a calendar says of one date against its weekly pattern."""

    OFF = "off"
    """A holiday or a closure (nghỉ)."""
    WORK = "work"
    """A make-up day (làm bù)."""
    HOURS = "hours"
    """A day with changed sessions, for example a half-day closure."""


class DayKind(StrEnum):
    """Why a day is, or is not, a working day."""

    WORKING = "working"
    WEEKEND = "weekend"
    OFF = "off"
    YEARLY_OFF = "yearly_off"
    MAKE_UP = "make_up"
    CHANGED_HOURS = "changed_hours"
    RECEPTION = "reception"


class YearStatus(StrEnum):
    """How far the days of a year can be relied upon."""

    OFFICIAL = "official"
    ESTIMATED = "estimated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """One working session (buổi làm việc) ``[open, close)`` on the local wall clock.

    A close from 23:59 on means 24:00 and is kept as ``END_OF_DAY``.

    :raises SessionInvalid: if it does not close after it opens, or is finer than a second.
    """

    open: time
    close: time

    def __post_init__(self) -> None:
        """Normalise the close and refuse what cannot be a session."""
        if self.close >= END_OF_DAY:
            object.__setattr__(self, "close", END_OF_DAY)
        whole = self.open.microsecond == 0 and self.close.microsecond == 0
        local = self.open.tzinfo is None and self.close.tzinfo is None
        if not (whole and local and self.open_second < self.close_second):
            raise SessionInvalid(opens=_shown(self.open), closes=_shown(self.close))

    @classmethod
    def parse(cls, opens: str, closes: str) -> "Session":
        """Read a session from two wall times such as ``07:30`` and ``24:00``.

        :raises SessionInvalid: if they are not wall times in that order.
        """
        try:
            close = END_OF_DAY if closes in {"24:00", "24:00:00"} else time.fromisoformat(closes)
            opened = time.fromisoformat(opens)
        except ValueError as error:
            raise SessionInvalid(opens=opens, closes=closes) from error
        if opened.tzinfo is not None or close.tzinfo is not None:
            raise SessionInvalid(opens=opens, closes=closes)
        return cls(opened, close)

    @property
    def open_second(self) -> int:
        """Return the opening in seconds of the day."""
        return _second(self.open)

    @property
    def close_second(self) -> int:
        """Return the close in seconds of the day, 86400 for 24:00."""
        return 86_400 if self.close == END_OF_DAY else _second(self.close)

    def __str__(self) -> str:
        """Show the session as ``07:30–11:30``."""
        closes = "24:00" if self.close == END_OF_DAY else _shown(self.close)
        return f"{_shown(self.open)}–{closes}"


def _second(wall: time) -> int:
    return wall.hour * 3600 + wall.minute * 60 + wall.second


def _shown(wall: time) -> str:
    return wall.isoformat("auto" if wall.second or wall.microsecond else "minutes")


Week = tuple[tuple[Session, ...], ...]
"""Seven lists of sessions, Monday first."""
NO_WEEK: Final[Week] = ((),) * 7


def week_of(days: Mapping[str, Iterable[Session]]) -> Week:
    """Make a week from lists of sessions by ``mon`` … ``sun``; a day not named has none.

    :raises SessionsOverlap: if two sessions of one day overlap.
    """
    return tuple(_ordered(days.get(name, ()), name) for name in WEEKDAYS)


def yearly_days(days: Iterable[str]) -> frozenset[tuple[int, int]]:
    """Read yearly days off from ``MM-DD``.

    :raises YearlyOffInvalid: for a text that names no day of a leap year.
    """
    return frozenset(_month_day(text) for text in days)


def _month_day(text: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"2000-{text}")
    except ValueError as error:
        raise YearlyOffInvalid(day=text) from error
    if text != f"{day.month:02}-{day.day:02}":
        raise YearlyOffInvalid(day=text)
    return day.month, day.day


def _ordered(sessions: Iterable[Session], day: str) -> tuple[Session, ...]:
    ordered = tuple(sorted(sessions))
    if any(first.close_second > then.open_second for first, then in pairwise(ordered)):
        raise SessionsOverlap(day=day)
    return ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class DayException:
    """What one calendar says of one date (ngoại lệ), and on whose authority.

    ``like`` names the weekday (0 is Monday) whose sessions the day has; without it and without
    sessions, a ``work`` day has those that its own weekday would have had.

    :raises ExceptionSessionsInvalid: if the sessions do not fit the kind.
    :raises SessionsOverlap: if two of its sessions overlap.
    """

    on: date
    kind: ExceptionKind
    sessions: tuple[Session, ...] = ()
    like: int | None = None
    title_vi: str = ""
    title_en: str = ""
    document: str | None = None
    estimated: bool = False

    def __post_init__(self) -> None:
        """Order the sessions and refuse those that do not fit the kind."""
        object.__setattr__(self, "sessions", _ordered(self.sessions, self.on.isoformat()))
        if not self._fits() or (self.like is not None and self.like not in range(7)):
            raise ExceptionSessionsInvalid(day=self.on.isoformat(), kind=self.kind.value)

    def _fits(self) -> bool:
        own, weekday = bool(self.sessions), self.like is not None
        match self.kind:
            case ExceptionKind.OFF:
                return not own and not weekday
            case ExceptionKind.WORK:
                return not (own and weekday)
            case ExceptionKind.HOURS:
                return own != weekday

    def sessions_in(self, week: Week) -> tuple[Session, ...]:
        """Return the sessions of the day in an office that keeps ``week``."""
        if self.kind is ExceptionKind.OFF or self.sessions:
            return self.sessions
        return week[self.on.weekday() if self.like is None else self.like]


def _by_date(exceptions: Iterable[DayException]) -> dict[date, DayException]:
    found = dict[date, DayException]()
    for exception in exceptions:
        if exception.on in found:
            raise ExceptionTwice(day=exception.on.isoformat())
        found[exception.on] = exception
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLayer:
    """What one unit does differently from the unit above it, in one version.

    ``week`` and ``reception`` of None are inherited; exceptions and yearly days off are added,
    and for a date that this layer names, this layer wins. ``years`` are those whose days off and
    make-up days are all told here: they count as loaded, and what is inherited of them is gone.

    :raises ExceptionTwice: if it names two exceptions for one date.
    :raises SessionsOverlap: if two sessions of one day overlap.
    :raises CalendarWithoutSessions: if it gives a week without any session.
    """

    id: str
    version: str
    week: Week | None = None
    exceptions: tuple[DayException, ...] = ()
    yearly_off: frozenset[tuple[int, int]] = frozenset()
    reception: Week | None = None
    years: frozenset[int] = frozenset()
    author: str | None = None
    document: str | None = None
    entered_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        ordered = sorted(_by_date(self.exceptions).values(), key=_date_of)
        object.__setattr__(self, "exceptions", tuple(ordered))
        if self.week is not None:
            object.__setattr__(self, "week", _checked_week(self.week, self.id))
        if self.reception is not None:
            object.__setattr__(self, "reception", _ordered_week(self.reception))

    def inherit(self, parent: "WorkCalendar") -> "WorkCalendar":
        """Return the complete calendar of the unit: this layer over the calendar above it.

        The zone is the parent's, and so are the loaded years that this layer does not bring.

        :raises ExceptionSessionsInvalid: if an inherited make-up day has no sessions here.
        """
        own = {exception.on for exception in self.exceptions}
        kept = (
            exception
            for exception in parent.exceptions
            if exception.on not in own
            and exception.on.year not in self.years
            and (exception.on.month, exception.on.day) not in self.yearly_off
        )
        return WorkCalendar(
            id=self.id,
            version=f"{self.version}+{parent.id}@{parent.version}",
            zone=parent.zone,
            week=parent.week if self.week is None else self.week,
            exceptions=(*self.exceptions, *kept),
            yearly_off=parent.yearly_off | self.yearly_off,
            reception=parent.reception if self.reception is None else self.reception,
            loaded_years=None if parent.loaded_years is None else parent.loaded_years | self.years,
            estimated_years=parent.estimated_years - self.years,
        )


def _date_of(exception: DayException) -> date:
    return exception.on


def _ordered_week(week: Week) -> Week:
    if len(week) != len(WEEKDAYS):
        raise CalendarWithoutSessions(calendar="")
    return tuple(_ordered(day, name) for day, name in zip(week, WEEKDAYS, strict=True))


def _checked_week(week: Week, calendar: str) -> Week:
    if not any(week):
        raise CalendarWithoutSessions(calendar=calendar)
    return _ordered_week(week)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """A complete working calendar (lịch làm việc): a value, with its tables made on demand.

    ``loaded_years`` of None means that every year can be computed, as for a calendar that stands
    alone. All answers about instants are aware and in UTC.

    :raises ZoneUnknown: if no zone has that name.
    :raises CalendarWithoutSessions: if the week has no session.
    :raises SessionsOverlap: if two sessions of one day overlap.
    :raises ExceptionTwice: if one date has two exceptions.
    :raises ExceptionSessionsInvalid: if a make-up day has no sessions.
    """

    id: str
    version: str
    zone: str
    week: Week
    exceptions: tuple[DayException, ...] = ()
    yearly_off: frozenset[tuple[int, int]] = frozenset()
    reception: Week = NO_WEEK
    loaded_years: frozenset[int] | None = None
    estimated_years: frozenset[int] = frozenset()
    almanac: Almanac = field(init=False, repr=False, compare=False)
    same_day_almanac: Almanac = field(init=False, repr=False, compare=False)
    """The same days, and besides them the reception days without working sessions."""
    _by_date: Mapping[date, DayException] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work and prepare the tables."""
        by_date = _by_date(self.exceptions)
        ordered = sorted(by_date.values(), key=_date_of)
        object.__setattr__(self, "exceptions", tuple(ordered))
        object.__setattr__(self, "week", _checked_week(self.week, self.id))
        object.__setattr__(self, "reception", _ordered_week(self.reception))
        object.__setattr__(self, "_by_date", MappingProxyType(by_date))
        for exception in ordered:
            if exception.kind is not ExceptionKind.OFF and not exception.sessions_in(self.week):
                raise ExceptionSessionsInvalid(
                    day=exception.on.isoformat(), kind=exception.kind.value
                )
        zone = _zone(self.zone)
        estimates = self.estimated_years or any(exception.estimated for exception in ordered)

        def almanac(reception: bool) -> Almanac:
            return Almanac(
                calendar=self.id,
                zone=zone,
                sessions=self._same_day_seconds if reception else self._working_seconds,
                years=self.loaded_years,
                estimated=self._day_is_estimated if estimates else None,
            )

        working = almanac(reception=False)
        object.__setattr__(self, "almanac", working)
        both = almanac(reception=True) if any(self.reception) else working
        object.__setattr__(self, "same_day_almanac", both)

    def local_date(self, instant: datetime) -> date:
        """Return the local day in which an instant lies.

        :raises NaiveInstant: if it has no offset.
        """
        return date.fromordinal(self.almanac.day_of(instant, "instant"))

    def exception_on(self, day: date) -> DayException | None:
        """Find the exception that holds on a day."""
        return self._by_date.get(day)

    def working_sessions(self, day: date) -> tuple[Session, ...]:
        """Return the working sessions of a day on the wall clock, loaded or not."""
        exception = self._by_date.get(day)
        if exception is not None:
            return exception.sessions_in(self.week)
        if (day.month, day.day) in self.yearly_off:
            return ()
        return self.week[day.weekday()]

    def reception_sessions(self, day: date) -> tuple[Session, ...]:
        """Return the reception sessions of a day (giờ tiếp nhận) on the wall clock.

        A day off closes the reception too.
        """
        exception = self._by_date.get(day)
        if exception is not None and exception.kind is ExceptionKind.OFF:
            return ()
        if exception is None and (day.month, day.day) in self.yearly_off:
            return ()
        return self.reception[day.weekday()]

    def day_kind(self, day: date) -> DayKind:
        """Say why a day is, or is not, a working day.

        :raises CalendarYearMissing: if its year is not loaded.
        """
        self.almanac.covering(day.toordinal())
        exception = self._by_date.get(day)
        if exception is not None:
            return _EXCEPTION_DAYS[exception.kind]
        if (day.month, day.day) in self.yearly_off:
            return DayKind.YEARLY_OFF
        if self.week[day.weekday()]:
            return DayKind.WORKING
        return DayKind.RECEPTION if self.reception[day.weekday()] else DayKind.WEEKEND

    def is_working_day(self, day: date) -> bool:
        """Ask whether a day has a working session.

        :raises CalendarYearMissing: if its year is not loaded.
        """
        return self.almanac.is_working(day.toordinal())

    def sessions_on(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """Return the working sessions of a day as UTC instants ``[open, close)``.

        :raises CalendarYearMissing: if its year is not loaded.
        """
        return tuple(
            (instant_of(opened), instant_of(closed))
            for opened, closed in self.almanac.sessions(day.toordinal())
        )

    def next_working_day(self, day: date) -> date:
        """Return the first working day after a day.

        :raises CalendarYearMissing: if a year on the way is not loaded.
        :raises CalendarNeverOpens: if there is none.
        """
        return date.fromordinal(self.almanac.day_after(day.toordinal(), 1))

    def working_day_on_or_after(self, day: date) -> date:
        """Return the day itself if it is a working day, else the next one.

        :raises CalendarYearMissing: if a year on the way is not loaded.
        :raises CalendarNeverOpens: if there is none.
        """
        return date.fromordinal(self.almanac.on_or_after(day.toordinal()))

    def next_working_instant(self, instant: datetime) -> datetime:
        """Return the instant itself if it lies in a session, else the next opening.

        :raises NaiveInstant: if it has no offset.
        :raises CalendarYearMissing: if a year on the way is not loaded.
        :raises CalendarNeverOpens: if there is no opening.
        """
        almanac = self.almanac
        return instant_of(almanac.next_working(almanac.checked(instant, "instant")))

    def add_working_time(self, start: datetime, duration: timedelta) -> datetime:
        """Spend working time from an instant on; the closing instant belongs to its session.

        :raises NaiveInstant: if the start has no offset.
        :raises ValueError: if the duration is negative.
        :raises CalendarYearMissing: if a year on the way is not loaded.
        :raises CalendarNeverOpens: if there is no opening.
        """
        if duration < timedelta():
            raise ValueError("working time is never negative")
        almanac = self.almanac
        moment = almanac.checked(start, "start")
        return instant_of(almanac.add(moment, duration_micros(duration))[0])

    def working_time_between(self, start: datetime, end: datetime) -> timedelta:
        """Measure the working time of ``[start, end)``; zero when it is empty.

        :raises NaiveInstant: if either has no offset.
        :raises CalendarYearMissing: if a year of it is not loaded.
        """
        almanac = self.almanac
        spent = almanac.between(almanac.checked(start, "start"), almanac.checked(end, "end"))
        return timedelta(microseconds=spent)

    def working_days_between(self, start: date, end: date) -> int:
        """Count the working days after ``start`` up to and including ``end``.

        When ``end`` lies before ``start`` the count is that of the way back, negative.

        :raises CalendarYearMissing: if a year of them is not loaded.
        """
        first, last = start.toordinal() + 1, end.toordinal() + 1
        if last < first:
            return -self.almanac.count(last, first)
        return self.almanac.count(first, last)

    def is_estimated(self, day: date) -> bool:
        """Ask whether a day is only estimated.

        :raises CalendarYearMissing: if its year is not loaded.
        """
        self.almanac.covering(day.toordinal())
        return self.almanac.is_estimated(day.toordinal(), day.toordinal())

    def year_status(self, year: int) -> YearStatus:
        """Say how far the days of a year can be relied upon."""
        if self.loaded_years is not None and year not in self.loaded_years:
            return YearStatus.MISSING
        if year in self.estimated_years:
            return YearStatus.ESTIMATED
        if any(day.estimated for day in self.exceptions if day.on.year == year):
            return YearStatus.ESTIMATED
        return YearStatus.OFFICIAL

    def _working_seconds(self, day: date) -> tuple[tuple[int, int], ...]:
        return _seconds(self.working_sessions(day))

    def _same_day_seconds(self, day: date) -> tuple[tuple[int, int], ...]:
        return _seconds(self.working_sessions(day) or self.reception_sessions(day))

    def _day_is_estimated(self, day: date) -> bool:
        exception = self._by_date.get(day)
        return day.year in self.estimated_years if exception is None else exception.estimated


_EXCEPTION_DAYS: Final = {
    ExceptionKind.OFF: DayKind.OFF,
    ExceptionKind.WORK: DayKind.MAKE_UP,
    ExceptionKind.HOURS: DayKind.CHANGED_HOURS,
}


def _seconds(sessions: tuple[Session, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((session.open_second, session.close_second) for session in sessions)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ZoneUnknown(zone=name) from error


@dataclass(frozen=True, slots=True)
class YearWarning:
    """Next year is close and its days are not settled."""

    calendar: str
    year: int
    status: YearStatus


def next_year_warning(calendar: WorkCalendar, as_of: datetime) -> YearWarning | None:
    """Warn in the last quarter of a year while the next one is missing or estimated.

    :raises NaiveInstant: if ``as_of`` has no offset.
    """
    today = calendar.local_date(as_of)
    status = calendar.year_status(today.year + 1)
    if today.month < LAST_QUARTER_BEGINS or status is YearStatus.OFFICIAL:
        return None
    return YearWarning(calendar.id, today.year + 1, status)
