"""Due dates (hạn trả): from a limit, a calendar and pauses to the instants that judge a dossier.

A due date is followed as a *course*: it stands after no pause, then each pause that begins at or
before it moves it on. What a pause does depends on how the limit is counted, so there is one
course for each way of counting, and two for promises that a sender told us.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from math import ceil
from typing import ClassVar, Final, NamedTuple, Protocol, assert_never

from app.domain.almanac import (
    Almanac,
    CalendarYearMissing,
    duration_micros,
    instant_of,
    micros,
    wall_micros,
)
from app.domain.calendar import WorkCalendar
from app.domain.errors import Invalid
from app.domain.limits import (
    LimitKind,
    LimitNotDivisible,
    LimitNotPositive,
    LimitValueMissing,
    LimitValueUnexpected,
    TimeLimit,
)
from app.domain.pauses import (
    DEFAULT_POLICIES,
    Pause,
    PauseEndsBeforeStart,
    PauseKind,
    PausePolicy,
    PauseSpan,
    united,
    without_replaced,
)
from app.domain.values import immutable

__all__ = [
    "DEFAULT_POLICIES",
    "Due",
    "Elapsed",
    "EndBeforeStart",
    "LimitKind",
    "LimitNotDivisible",
    "LimitNotPositive",
    "LimitValueMissing",
    "LimitValueUnexpected",
    "Moved",
    "OpenClock",
    "Pause",
    "PauseEndsBeforeStart",
    "PauseKind",
    "PausePolicy",
    "PauseSpan",
    "Phase",
    "Suspended",
    "TimeLimit",
    "calendar_change",
    "clock_start",
    "compute_due",
    "days_taken",
    "due_by_day",
    "due_phases",
    "elapsed",
    "promise",
    "promise_under_pauses",
    "suspension",
    "united",
    "without_replaced",
    "working_days_late",
]


@dataclass(eq=False, kw_only=True)
class EndBeforeStart(Invalid):
    """The end of a stretch of time lies before its start."""

    code: ClassVar[str] = "span.end_before_start"
    start: str
    end: str


HALF: Final = Fraction(1, 2)


@immutable
class Due:
    """A due date with the instants that judge it.

    A finish is in time when it is not after ``on_time_until`` and early when it is before
    ``early_before``. ``due_at`` is what people are told: the close of the last session of
    ``due_on``, or the instant of an hour kind. ``provisional`` says that it rests on an
    estimated day, ``by_instant`` that it is judged by instant and not by date.
    """

    due_on: date
    due_at: datetime
    early_before: datetime
    on_time_until: datetime
    provisional: bool
    by_instant: bool


@immutable
class Phase:
    """The due date after so many effective pauses.

    The first phase has no ``span``. ``due`` is None while the span is open, and for a dossier
    without a due date.
    """

    due: Due | None
    span: PauseSpan | None


@dataclass(frozen=True, slots=True)
class Suspended:
    """A dossier whose clock stands still, and what is left of its limit.

    ``days_left`` counts working days (calendar days for such a limit), ``time_left`` working
    time; a same-day limit has neither. ``due_if_ended`` is what a resumption at the instant
    asked for would give.
    """

    span: PauseSpan
    due_before: Due | None
    due_if_ended: Due | None
    days_left: Fraction | None
    time_left: timedelta | None


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Working time and whole working days from a start to an end, less the pauses."""

    working_time: timedelta
    working_days: int

    @property
    def working_seconds(self) -> Fraction:
        """Return the working time in seconds, exactly."""
        return Fraction(duration_micros(self.working_time), 1_000_000)


@dataclass(frozen=True, slots=True)
class OpenClock:
    """An open dossier whose promise was computed, under a key that the caller chooses."""

    key: str
    limit: TimeLimit
    start: datetime
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """A dossier whose due date another calendar moves."""

    key: str
    before: Due | None
    after: Due | None

    def flips(self, at: datetime) -> bool:
        """Ask whether the dossier is overdue at an instant under one calendar only."""
        return _passed(self.before, at) != _passed(self.after, at)


def _passed(due: Due | None, at: datetime) -> bool:
    return due is not None and at > due.on_time_until


class _Course(Protocol):
    """A due date on its way past the pauses."""

    def until(self) -> int:
        """Return the last instant in time."""

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Move on over a pause that begins at or before the due moment."""

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Say how many days or how much working time a pause leaves."""

    def due(self) -> Due:
        """Return the due date as it stands."""


def paused_from(almanac: Almanac, moment: int) -> int:
    """Return the first day that no longer has working time after an instant before it.

    Non-working days aside, it is the day of the next working instant.
    """
    ordinal = almanac.local_ordinal(moment)
    over = almanac.is_working(ordinal) and moment >= almanac.last_close(ordinal)
    return ordinal + over


def _day_due(almanac: Almanac, due_on: int, *, rests_from: int) -> Due:
    day, begins_at, closes_at, last_instant = almanac.edges(due_on)
    provisional = almanac.is_estimated(min(rests_from, due_on), due_on)
    return Due(day, closes_at, begins_at, last_instant, provisional, by_instant=False)


def _instant_due(almanac: Almanac, due_on: int, due_at: int, *, rests_from: int) -> Due:
    return Due(
        due_on=date.fromordinal(due_on),
        due_at=instant_of(due_at),
        early_before=instant_of(almanac.last_opening_before(due_at)),
        on_time_until=instant_of(due_at),
        provisional=almanac.is_estimated(min(rests_from, due_on), due_on),
        by_instant=True,
    )


class _WorkingDays:
    """Working days, whole or with a half: the n-th day that is neither off nor skipped."""

    __slots__ = ("_almanac", "_base", "_due_on", "_half", "_number", "_value")

    def __init__(self, almanac: Almanac, begun_on: int, value: Fraction) -> None:
        self._almanac = almanac
        self._value = value
        self._half = value.denominator == 2
        self._number = ceil(value)
        self._base = begun_on
        self._due_on = almanac.day_after(self._base, self._number)

    def until(self) -> int:
        """Return the end of the due day, or the middle of it."""
        if self._half:
            return self._almanac.half(self._due_on)
        return self._almanac.midnight(self._due_on + 1) - 1

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Skip the days of the pause, or count anew from its end."""
        almanac = self._almanac
        if restart:
            if almanac.between(begin, end):
                self._base = almanac.local_ordinal(almanac.next_working(end))
                self._due_on = almanac.day_after(self._base, self._number)
            return
        first = max(paused_from(almanac, begin), self._base + 1)
        if self._due_on >= first:
            skipped = almanac.count(first, paused_from(almanac, end))
            if skipped:
                self._due_on = almanac.day_after(self._due_on, skipped)

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Count the days from the pause on."""
        if restart:
            return self._value, None
        first = max(paused_from(self._almanac, begin), self._base + 1)
        days = Fraction(self._almanac.count(first, self._due_on + 1))
        return (days - HALF if self._half and days else days), None

    def due(self) -> Due:
        """Return the due date as it stands."""
        if self._half:
            return _instant_due(
                self._almanac, self._due_on, self.until(), rests_from=self._base + 1
            )
        return _day_due(self._almanac, self._due_on, rests_from=self._base + 1)


class _CalendarDays:
    """Calendar days: the n-th day that is not skipped, rolled to the next working day."""

    __slots__ = ("_almanac", "_base", "_due_on", "_number", "_skipped", "_target")

    def __init__(self, almanac: Almanac, begun_on: int, value: Fraction) -> None:
        self._almanac = almanac
        self._number = int(value)
        self._restart_from(begun_on)

    def _restart_from(self, base: int) -> None:
        self._base = base
        self._target = base + self._number
        self._skipped: list[tuple[int, int]] = []
        self._due_on = self._almanac.on_or_after(self._target)

    def until(self) -> int:
        """Return the end of the due day."""
        return self._almanac.midnight(self._due_on + 1) - 1

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Skip the local days of the pause, or count anew from its end."""
        almanac = self._almanac
        last = almanac.local_ordinal(end)
        if restart:
            self._restart_from(last)
            return
        first = max(almanac.local_ordinal(begin), self._base + 1)
        if last <= first:
            return
        self._skipped.append((first, last))
        if self._target >= first:
            self._target += last - first
        due_on = almanac.on_or_after(self._target)
        for begun, ended in self._skipped:
            if begun <= due_on < ended:
                due_on = almanac.on_or_after(ended)
        self._due_on = due_on

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Count the calendar days from the pause on."""
        if restart:
            return Fraction(self._number), None
        first = max(self._almanac.local_ordinal(begin), self._base + 1)
        return Fraction(max(0, self._target + 1 - first)), None

    def due(self) -> Due:
        """Return the due date as it stands; it rests only on the days it was rolled over."""
        return _day_due(self._almanac, self._due_on, rests_from=self._target)


class _WorkingTime:
    """Working hours: so much time inside the sessions."""

    __slots__ = ("_almanac", "_amount", "_base", "_due_at", "_due_on")

    def __init__(self, almanac: Almanac, start: int, amount: int) -> None:
        self._almanac = almanac
        self._amount = amount
        self._base = start
        self._due_at, self._due_on = almanac.add(start, amount)

    def until(self) -> int:
        """Return the due moment itself."""
        return self._due_at

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Skip the working time of the pause, or spend the whole limit again from its end."""
        almanac = self._almanac
        skipped = almanac.between(begin, end)
        if not skipped:
            return
        if restart:
            self._base = end
            self._due_at, self._due_on = almanac.add(end, self._amount)
        elif begin < self._due_at:
            self._due_at, self._due_on = almanac.add(self._due_at, skipped)

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Measure the working time from the pause to the due moment."""
        return None, self._amount if restart else self._almanac.between(begin, self._due_at)

    def due(self) -> Due:
        """Return the due date as it stands."""
        rests_from = self._almanac.local_ordinal(self._base)
        return _instant_due(self._almanac, self._due_on, self._due_at, rests_from=rests_from)


class _SameDay:
    """In the day: the day of receipt if there is time enough, else the next working day.

    Reception days that the unit lists are days for it.
    """

    __slots__ = ("_almanac", "_cutoff", "_due_on", "_received_on")

    def __init__(self, almanac: Almanac, start: int, cutoff: time) -> None:
        self._almanac = almanac
        self._cutoff = cutoff
        self._receive(start)

    def _receive(self, moment: int) -> None:
        almanac = self._almanac
        ordinal = almanac.local_ordinal(moment)
        self._received_on = ordinal
        in_time = (
            almanac.is_working(ordinal)
            and moment < almanac.last_close(ordinal)
            and moment <= wall_time_on(almanac, ordinal, self._cutoff)
        )
        self._due_on = ordinal if in_time else almanac.day_after(ordinal, 1)

    @property
    def due_on(self) -> int:
        """Return the due day."""
        return self._due_on

    def until(self) -> int:
        """Return the end of the due day."""
        return self._almanac.midnight(self._due_on + 1) - 1

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Apply the rule of receipt again at the end of the pause, whatever its policy."""
        del restart
        if self._almanac.between(begin, end):
            self._receive(self._almanac.next_working(end))

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Leave nothing to count: the day begins anew."""
        del begin, restart
        return None, None

    def due(self) -> Due:
        """Return the due date as it stands."""
        return _day_due(self._almanac, self._due_on, rests_from=self._received_on)


def wall_time_on(almanac: Almanac, ordinal: int, wall: time) -> int:
    """Return the instant at which local clocks show a wall time on a day."""
    second = wall.hour * 3600 + wall.minute * 60 + wall.second
    return wall_micros(almanac.zone, ordinal, second) + wall.microsecond


class _PromisedDays:
    """A promise judged by date: its working days run again, or over the unskipped days."""

    __slots__ = ("_almanac", "_base", "_due", "_due_on", "_half", "_number", "_skipped")

    def __init__(self, almanac: Almanac, start: int, promised: Due, *, half: bool) -> None:
        self._almanac = almanac
        self._base = almanac.local_ordinal(start)
        self._half = half
        self._skipped: list[tuple[int, int]] = []
        self._number: int | None = None
        self._take(promised)

    def _take(self, due: Due) -> None:
        self._due = due
        self._due_on = due.due_on.toordinal()

    def number(self) -> int:
        """Count the unskipped working days from clock start to the due day."""
        if self._number is None:
            almanac, end = self._almanac, self._due_on + 1
            days = almanac.count(self._base + 1, end)
            for first, last in self._skipped:
                days -= almanac.count(first, min(last, end))
            self._number = days
        return self._number

    def until(self) -> int:
        """Return the last instant in time."""
        return micros(self._due.on_time_until)

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Count the days anew, or skip those of the pause; never come out earlier."""
        if restart:
            self._move_to(self._restarted(begin, end))
        else:
            self._move_to(self._shifted(begin, end))

    def _restarted(self, begin: int, end: int) -> int:
        almanac, number = self._almanac, self.number()
        if not almanac.between(begin, end):
            return self._due_on
        self._base = almanac.local_ordinal(almanac.next_working(end))
        self._skipped = []
        return almanac.day_after(self._base, number) if number else self._base

    def _shifted(self, begin: int, end: int) -> int:
        almanac = self._almanac
        self.number()
        first, last = paused_from(almanac, begin), paused_from(almanac, end)
        if self._due_on < first or last <= first:
            return self._due_on
        self._skipped.append((max(first, self._base + 1), last))
        skipped = almanac.count(max(first, self._base + 1), last)
        due_on = almanac.day_after(self._due_on, skipped) if skipped else self._due_on
        return due_on if due_on >= last else almanac.on_or_after(last)

    def _move_to(self, due_on: int) -> None:
        if due_on <= self._due_on:
            return
        almanac, first = self._almanac, self._base + 1
        if self._half:
            self._take(_instant_due(almanac, due_on, almanac.half(due_on), rests_from=first))
        else:
            self._take(_day_due(almanac, due_on, rests_from=first))

    def named(self, due: Due) -> None:
        """Take a date that the sender named with the pause, if it is the earlier one."""
        if due.on_time_until < self._due.on_time_until:
            self._take(due)
            self._number = None

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Count the days from the pause on."""
        if restart:
            days = Fraction(self.number())
        else:
            first = max(paused_from(self._almanac, begin), self._base + 1)
            days = Fraction(self._almanac.count(first, self._due_on + 1))
        return (days - HALF if self._half and days else days), None

    def due(self) -> Due:
        """Return the due date as it stands."""
        return self._due


class _PromisedTime:
    """A promise judged by instant: its working time runs again, or over the unskipped time."""

    __slots__ = ("_almanac", "_amount", "_base", "_due", "_skipped")

    def __init__(self, almanac: Almanac, start: int, promised: Due) -> None:
        self._almanac = almanac
        self._base = start
        self._due = promised
        self._skipped: list[tuple[int, int]] = []
        self._amount: int | None = None

    def amount(self) -> int:
        """Measure the unskipped working time from clock start to the due moment."""
        if self._amount is None:
            almanac, until = self._almanac, self.until()
            spent = almanac.between(self._base, until)
            for begin, end in self._skipped:
                spent -= almanac.between(begin, min(end, until))
            self._amount = spent
        return self._amount

    def until(self) -> int:
        """Return the due moment itself."""
        return micros(self._due.on_time_until)

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Spend the time anew, or skip that of the pause; never come out earlier."""
        almanac, amount = self._almanac, self.amount()
        skipped = almanac.between(begin, end)
        if not skipped:
            return
        if restart:
            self._base, self._skipped = end, []
            self._move_to(almanac.add(end, amount))
        elif begin < self.until():
            self._skipped.append((begin, end))
            self._move_to(almanac.add(self.until(), skipped))

    def _move_to(self, moved: tuple[int, int]) -> None:
        due_at, due_on = moved
        if due_at > self.until():
            rests_from = self._almanac.local_ordinal(self._base)
            self._due = _instant_due(self._almanac, due_on, due_at, rests_from=rests_from)

    def named(self, due: Due) -> None:
        """Take an instant that the sender named with the pause, if it is the earlier one."""
        if due.on_time_until < self._due.on_time_until:
            self._due = due
            self._amount = None

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Measure the working time from the pause to the due moment."""
        return None, self.amount() if restart else self._almanac.between(begin, self.until())

    def due(self) -> Due:
        """Return the due date as it stands."""
        return self._due


class _PromisedSameDay:
    """A promise of a same-day procedure: the rule of receipt applies again after each pause."""

    __slots__ = ("_due", "_receipt")

    def __init__(self, receipt: _SameDay, promised: Due) -> None:
        self._receipt = receipt
        self._due = promised

    def until(self) -> int:
        """Return the last instant in time."""
        return micros(self._due.on_time_until)

    def pass_over(self, begin: int, end: int, *, restart: bool) -> None:
        """Apply the rule of receipt at the end of the pause; never come out earlier."""
        self._receipt.pass_over(begin, end, restart=restart)
        if self._receipt.due_on > self._due.due_on.toordinal():
            self._due = self._receipt.due()

    def named(self, due: Due) -> None:
        """Take a date that the sender named with the pause, if it is the earlier one."""
        if due.on_time_until < self._due.on_time_until:
            self._due = due

    def left(self, begin: int, *, restart: bool) -> tuple[Fraction | None, int | None]:
        """Leave nothing to count: the day begins anew."""
        return self._receipt.left(begin, restart=restart)

    def due(self) -> Due:
        """Return the due date as it stands."""
        return self._due


_PromisedCourse = _PromisedDays | _PromisedTime | _PromisedSameDay
_PROMISED_COURSES: Final = (_PromisedDays, _PromisedTime, _PromisedSameDay)


def _course(calendar: WorkCalendar, limit: TimeLimit, start: int) -> _Course | None:
    almanac = calendar.almanac
    match limit.kind:
        case LimitKind.WORKING_DAYS:
            return _WorkingDays(almanac, almanac.local_ordinal(start), limit.value or Fraction(0))
        case LimitKind.CALENDAR_DAYS:
            return _CalendarDays(almanac, almanac.local_ordinal(start), limit.value or Fraction(0))
        case LimitKind.WORKING_HOURS:
            return _WorkingTime(almanac, start, duration_micros(limit.duration or timedelta()))
        case LimitKind.SAME_DAY:
            return _same_day(calendar, limit, start)
        case LimitKind.NONE:
            return None
        case _:
            assert_never(limit.kind)


def _same_day(calendar: WorkCalendar, limit: TimeLimit, start: int) -> _SameDay:
    almanac = calendar.same_day_almanac if limit.reception else calendar.almanac
    return _SameDay(almanac, start, limit.cutoff)


def _promised_course(
    calendar: WorkCalendar, promised: Due, start: int, limit: TimeLimit | None
) -> _PromisedCourse:
    if limit is not None and limit.kind is LimitKind.SAME_DAY and not promised.by_instant:
        return _PromisedSameDay(_same_day(calendar, limit, start), promised)
    half = limit is not None and limit.is_half
    if promised.by_instant and not half:
        return _PromisedTime(calendar.almanac, start, promised)
    return _PromisedDays(calendar.almanac, start, promised, half=half and promised.by_instant)


def _any_course(
    calendar: WorkCalendar, limit: TimeLimit | None, start: int, promised: Due | None
) -> _Course | None:
    if promised is not None:
        return _promised_course(calendar, promised, start, limit)
    return None if limit is None else _course(calendar, limit, start)


def _last_close_if_known(calendar: WorkCalendar, ordinal: int) -> datetime | None:
    year = date.fromordinal(ordinal).year
    if calendar.loaded_years is not None and year not in calendar.loaded_years:
        return None
    almanac = calendar.same_day_almanac
    return instant_of(almanac.last_close(ordinal)) if almanac.is_working(ordinal) else None


def _pass_span(
    calendar: WorkCalendar, course: _Course, span: PauseSpan, begin: int, end: int
) -> None:
    course.pass_over(begin, end, restart=span.policy is PausePolicy.RESTART)
    if isinstance(course, _PROMISED_COURSES) and span.new_due_at is not None:
        by_instant = course.due().by_instant
        course.named(promise(calendar, span.new_due_at, by_instant=by_instant))


def _effective(
    course: _Course, spans: tuple[PauseSpan, ...], calendar: WorkCalendar
) -> Iterable[PauseSpan]:
    """Yield each span that begins at or before the due moment, then move the course over it.

    An open span is yielded and not moved over.
    """
    for span in spans:
        begin = micros(span.started_at)
        if begin > course.until():
            return
        yield span
        if span.ended_at is None:
            return
        _pass_span(calendar, course, span, begin, micros(span.ended_at))


def clock_start(calendar: WorkCalendar, limit: TimeLimit, received_at: datetime) -> datetime:
    """Return when the clock of a dossier starts, given its receipt.

    Hour kinds start at the next opening when receipt lies outside the sessions; for the others
    only the local date matters, so it is the receipt itself. The receipt is that of the complete
    dossier, for place-independent dossiers that of the competent unit. Source: ND 118/2025,
    Điều 17.3 as amended by ND 309/2026, Điều 8.

    :raises NaiveInstant: if the receipt has no offset.
    :raises CalendarYearMissing: if a year on the way to the next opening is not loaded.
    """
    moment = calendar.almanac.checked(received_at, "start")
    if limit.kind is LimitKind.WORKING_HOURS:
        return instant_of(calendar.almanac.next_working(moment))
    return received_at


def compute_due(
    calendar: WorkCalendar,
    limit: TimeLimit,
    start: datetime,
    pauses: Collection[Pause] = (),
    *,
    finish: datetime | None = None,
) -> Due | None:
    """Compute when a dossier is due; None for a limit of kind ``none``.

    Pauses count within ``[start, finish]``. An open pause has moved nothing yet: the answer is
    then the due date as it stood when that pause began, and ``suspension`` says what is left.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year that it needs is not loaded.
    :raises CalendarNeverOpens: if no working day lies ahead.
    """
    if not pauses and limit.kind in BY_DAY:
        return _by_day(calendar.almanac, limit, calendar.almanac.day_of(start, "start"))
    moment = calendar.almanac.checked(start, "start")
    course = _course(calendar, limit, moment)
    if course is None:
        return None
    spans = united(pauses, start, finish) if pauses else ()
    for _ in _effective(course, spans, calendar):
        pass
    return course.due()


BY_DAY: Final = frozenset({LimitKind.WORKING_DAYS, LimitKind.CALENDAR_DAYS})
"""Limits whose due date without pauses follows from the local day of the start alone."""


def due_by_day(calendar: WorkCalendar, limit: TimeLimit, begun_on: date) -> Due:
    """Do the same for a limit that is counted ``BY_DAY``, from the local day of the start.

    :raises CalendarYearMissing: if a year that it needs is not loaded.
    :raises CalendarNeverOpens: if no working day lies ahead.
    """
    return _by_day(calendar.almanac, limit, begun_on.toordinal())


def _by_day(almanac: Almanac, limit: TimeLimit, begun_on: int) -> Due:
    key = (id(limit), begun_on)
    kept = almanac.kept.get(key)
    if type(kept) is _Computed and kept.limit is limit:
        return kept.due
    is_working = limit.kind is LimitKind.WORKING_DAYS
    course = (_WorkingDays if is_working else _CalendarDays)(
        almanac, begun_on, limit.value or Fraction(0)
    )
    due = course.due()
    almanac.keep(key, _Computed(limit, due))
    return due


class _Computed(NamedTuple):
    """A due date and its limit, which is held so that its identity stays its own."""

    limit: TimeLimit
    due: Due


def promise(calendar: WorkCalendar, due_at: datetime, *, by_instant: bool) -> Due:
    """Read the due date that a sender told, judged by date or by instant.

    By date it needs no loaded year. ``due_at`` becomes the close of the last session of its day
    where the calendar knows one, and stays as sent otherwise.

    :raises NaiveInstant: if it has no offset.
    :raises CalendarYearMissing: if it is judged by instant and its year is not loaded.
    """
    almanac = calendar.almanac
    ordinal = almanac.day_of(due_at, "due_at")
    if by_instant:
        moment = micros(due_at)
        on = almanac.local_ordinal(moment - 1)
        closes = almanac.is_working(on) and almanac.last_close(on) == moment
        opening = almanac.last_opening_before(moment)
        return Due(
            due_on=date.fromordinal(on if closes else ordinal),
            due_at=due_at,
            early_before=instant_of(opening),
            on_time_until=due_at,
            provisional=False,
            by_instant=True,
        )
    answers = calendar.same_day_almanac.kept
    kept = answers.get(ordinal) or answers.get(due_at)
    if type(kept) is Due:
        return kept
    closes_at = _last_close_if_known(calendar, ordinal)
    due = Due(
        due_on=date.fromordinal(ordinal),
        due_at=closes_at or due_at,
        early_before=instant_of(almanac.midnight(ordinal)),
        on_time_until=instant_of(almanac.midnight(ordinal + 1) - 1),
        provisional=False,
        by_instant=False,
    )
    calendar.same_day_almanac.keep(due_at if closes_at is None else ordinal, due)
    return due


def promise_under_pauses(
    calendar: WorkCalendar,
    promised: Due,
    start: datetime,
    pauses: Collection[Pause],
    *,
    limit: TimeLimit | None,
    finish: datetime | None = None,
) -> Due:
    """Move a sender's promise over the lawful pauses.

    Its working days (for one judged by instant its working time) from clock start to the promise
    run again, or over the unskipped days, so that a shortened promise stays shortened; a pause
    never makes it earlier. If the sender named a new date with a pause (``Pause.new_due_at``),
    the earlier of the two counts. An open pause has moved nothing yet.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year that a pause needs is not loaded.
    """
    moment = calendar.almanac.checked(start, "start")
    course = _promised_course(calendar, promised, moment, limit)
    for _ in _effective(course, united(pauses, start, finish), calendar):
        pass
    return course.due()


def due_phases(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    start: datetime,
    pauses: Collection[Pause],
    *,
    promised: Due | None = None,
    finish: datetime | None = None,
) -> tuple[Phase, ...]:
    """List the due dates after 0, 1, 2, … effective pauses, with the pause that led to each.

    With ``promised`` it is the promise that moves, else the due date of the limit. A pause that
    begins after the due moment is not effective and is not listed. Without any due date every
    pause is effective.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year that it needs is not loaded.
    :raises CalendarNeverOpens: if no working day lies ahead.
    """
    moment = calendar.almanac.checked(start, "start")
    course = _any_course(calendar, limit, moment, promised)
    spans = united(pauses, start, finish) if pauses else ()
    if course is None:
        return (Phase(None, None), *(Phase(None, span) for span in spans))
    if not spans:
        return (Phase(course.due(), None),)
    phases = [Phase(course.due(), None)]
    pending: PauseSpan | None = None
    for span in _effective(course, spans, calendar):
        if pending is not None:
            phases.append(Phase(course.due(), pending))
        pending = span
    if pending is not None:
        phases.append(Phase(None if pending.ended_at is None else course.due(), pending))
    return tuple(phases)


def suspension(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    start: datetime,
    pauses: Collection[Pause],
    *,
    at: datetime,
    promised: Due | None = None,
) -> Suspended | None:
    """Say what is left while an effective pause is open; None when none is.

    ``at`` is the instant at which the pause is supposed to end for ``due_if_ended``.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year that it needs is not loaded.
    :raises CalendarNeverOpens: if no working day lies ahead.
    """
    moment = calendar.almanac.checked(start, "start")
    resumed = calendar.almanac.checked(at, "at")
    course = _any_course(calendar, limit, moment, promised)
    spans = united(pauses, start)
    if course is None:
        last = spans[-1] if spans and spans[-1].ended_at is None else None
        return None if last is None else Suspended(last, None, None, None, None)
    pending = None
    for span in _effective(course, spans, calendar):
        pending = span
    if pending is None or pending.ended_at is not None:
        return None
    begin, before = micros(pending.started_at), course.due()
    days, spent = course.left(begin, restart=pending.policy is PausePolicy.RESTART)
    _pass_span(calendar, course, pending, begin, max(begin, resumed))
    time_left = None if spent is None else timedelta(microseconds=spent)
    return Suspended(pending, before, course.due(), days, time_left)


def elapsed(
    calendar: WorkCalendar, start: datetime, end: datetime, pauses: Collection[Pause] = ()
) -> Elapsed:
    """Measure working time and whole working days from start to end, less the pauses.

    Day 1 is the first working day after the local date of the start; a paused day is one that a
    shifting pause would skip, whatever the policies are.

    :raises NaiveInstant: if an instant has no offset.
    :raises EndBeforeStart: if the end lies before the start.
    :raises CalendarYearMissing: if a year of it is not loaded.
    """
    almanac = calendar.almanac
    begun, ended = almanac.checked(start, "start"), almanac.checked(end, "end")
    if ended < begun:
        raise EndBeforeStart(start=start.isoformat(), end=end.isoformat())
    spans = united(pauses, start, end)
    spent = almanac.between(begun, ended)
    for span in spans:
        spent -= almanac.between(micros(span.started_at), micros(span.ended_at or end))
    return Elapsed(timedelta(microseconds=spent), _days_taken(almanac, begun, ended, spans))


def days_taken(
    calendar: WorkCalendar, start: datetime, end: datetime, pauses: Collection[Pause] = ()
) -> int:
    """Count the whole working days from start to end, less the pauses, as ``elapsed`` does.

    An end before the start has taken none.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year of it is not loaded.
    """
    almanac = calendar.almanac
    if not pauses:
        first, last = almanac.day_of(start, "start"), almanac.day_of(end, "end")
        return almanac.count(first + 1, last + 1)
    begun, ended = almanac.checked(start, "start"), almanac.checked(end, "end")
    if ended <= begun:
        return 0
    return _days_taken(almanac, begun, ended, united(pauses, start, end))


def _days_taken(almanac: Almanac, begun: int, ended: int, spans: Iterable[PauseSpan]) -> int:
    first, last = almanac.local_ordinal(begun) + 1, almanac.local_ordinal(ended) + 1
    days = almanac.count(first, last)
    for span in spans:
        opened = micros(span.started_at)
        closed = ended if span.ended_at is None else micros(span.ended_at)
        days -= almanac.count(
            max(first, paused_from(almanac, opened)), min(last, paused_from(almanac, closed))
        )
    return days


def working_days_late(calendar: WorkCalendar, due_on: date, at: datetime) -> int:
    """Count the working days after the due day up to and including the local date of ``at``.

    :raises NaiveInstant: if ``at`` has no offset.
    :raises CalendarYearMissing: if a year of them is not loaded.
    """
    return max(0, calendar.working_days_between(due_on, calendar.local_date(at)))


def calendar_change(
    before: WorkCalendar, after: WorkCalendar, clocks: Iterable[OpenClock]
) -> tuple[Moved, ...]:
    """List the open dossiers whose computed due date another calendar moves.

    A due date that one of the calendars cannot compute, for want of a year, is None there.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarNeverOpens: if a calendar has no working day ahead.
    """
    pairs = ((clock.key, _due_under(before, clock), _due_under(after, clock)) for clock in clocks)
    return tuple(Moved(key, old, new) for key, old, new in pairs if _judging(old) != _judging(new))


def _due_under(calendar: WorkCalendar, clock: OpenClock) -> Due | None:
    try:
        return compute_due(calendar, clock.limit, clock.start, clock.pauses)
    except CalendarYearMissing:
        return None


def _judging(due: Due | None) -> tuple[date, datetime, datetime, datetime] | None:
    if due is None:
        return None
    return due.due_on, due.due_at, due.early_before, due.on_time_until
