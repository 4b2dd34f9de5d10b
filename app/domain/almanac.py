"""Day and session tables of one calendar, laid out so that a due date is two look-ups.

Everything here is whole microseconds since 1970-01-01T00:00Z and proleptic day ordinals. A table
covers whole years. A calendar without year limits grows its table when asked beyond it; one with
loaded years refuses and names the first year that is missing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import ClassVar, Final, NamedTuple
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
_MICROSECOND: Final = timedelta(microseconds=1)
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2200
MOST_KEPT: Final = 50_000
LONGEST_CLOSURE_YEARS: Final = 40
"""A 29 February on a given weekday comes back within 40 years, so a longer closure is for ever."""

Sessions = tuple[tuple[int, int], ...]
"""The sessions of one day as (open, close) in seconds of the local wall clock, close <= 86400."""


@dataclass(eq=False, kw_only=True)
class NaiveInstant(Invalid):
    """An instant came without its offset from UTC."""

    code: ClassVar[str] = "instant.naive"
    field: str


@dataclass(eq=False, kw_only=True)
class CalendarYearMissing(Invalid):
    """The computation needs a year that the calendar has not loaded."""

    code: ClassVar[str] = "calendar.year_missing"
    calendar: str
    year: int


@dataclass(eq=False, kw_only=True)
class CalendarNeverOpens(Invalid):
    """No working day lies ahead, however far one looks."""

    code: ClassVar[str] = "calendar.never_opens"
    calendar: str


def micros(instant: datetime) -> int:
    """Count the microseconds from the epoch to an aware instant."""
    return (instant - EPOCH) // _MICROSECOND


def instant_of(value: int) -> datetime:
    """Return the UTC instant that lies so many microseconds after the epoch."""
    return EPOCH + timedelta(microseconds=value)


def duration_micros(duration: timedelta) -> int:
    """Count the microseconds of a duration, exactly."""
    return (duration.days * 86_400 + duration.seconds) * SECOND + duration.microseconds


def wall_micros(zone: ZoneInfo, ordinal: int, seconds: int) -> int:
    """Find the instant at which local clocks of ``zone`` first show a wall time.

    A wall time that a clock change skips is taken as the instant of the change; of a wall time
    that comes twice, the first counts. ``seconds`` may be 86400, the midnight that ends the day.
    """
    wall = (ordinal - EPOCH_ORDINAL) * 86_400 + seconds
    local = datetime.fromordinal(ordinal) + timedelta(seconds=seconds)
    before = _offset(zone, local)
    after = _offset(zone, local.replace(fold=1))
    if before >= after:
        return wall * SECOND - before
    low, high = (wall * SECOND - after) // SECOND, (wall * SECOND - before) // SECOND
    while low < high:
        middle = (low + high) // 2
        if _offset_at(zone, middle) == before:
            low = middle + 1
        else:
            high = middle
    return low * SECOND


def _offset(zone: ZoneInfo, local: datetime) -> int:
    offset = zone.utcoffset(local)
    return 0 if offset is None else duration_micros(offset)


def _offset_at(zone: ZoneInfo, second: int) -> int:
    offset = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return 0 if offset is None else duration_micros(offset)


@dataclass(frozen=True, slots=True, eq=False)
class DayTable:
    """Whole years of one calendar, from the day ``low`` up to, not including, the day ``high``."""

    first_year: int
    last_year: int
    low: int
    high: int
    midnights: list[int]
    """The start of each day, and of the day after the last."""
    rank: list[int]
    """How many working days lie in the table before each day, and before the day after the last."""
    days: list[int]
    """The working days, ascending."""
    first_session: list[int]
    """The first session of each working day, and the number of sessions at the end."""
    session_day: list[int]
    opens: list[int]
    closes: list[int]
    before: list[int]
    """Working time in the table before each session opens."""
    after: list[int]
    """Working time in the table until each session has closed."""
    estimated: list[int] | None
    """How many estimated days lie before each day; None when there is none at all."""

    def consumed(self, moment: int) -> int:
        """Measure the working time of the table before an instant."""
        index = bisect_right(self.opens, moment) - 1
        if index < 0:
            return 0
        return self.before[index] + min(moment, self.closes[index]) - self.opens[index]


class DayEdges(NamedTuple):
    """The instants at which a working day begins, closes and ends, as people and SQL read them."""

    day: date
    begins_at: datetime
    closes_at: datetime
    last_instant: datetime


class Almanac:
    """The tables of one calendar, made when they are first needed."""

    __slots__ = (
        *("_calendar", "_edges", "_estimated", "_even", "_sessions", "_table", "_years"),
        *("kept", "zone"),
    )

    def __init__(
        self,
        *,
        calendar: str,
        zone: ZoneInfo,
        sessions: Callable[[date], Sessions],
        years: frozenset[int] | None,
        estimated: Callable[[date], bool] | None,
    ) -> None:
        """Prepare the tables of ``calendar`` without making any."""
        self.zone = zone
        self._calendar = calendar
        self._sessions = sessions
        self._years = years
        self._estimated = estimated
        self._table: DayTable | None = None
        self._even = (0, 0, 0)
        """The first day, the day after the last, and the hour of UTC that turns the day."""
        self._edges = dict[int, DayEdges]()
        self.kept = dict[object, object]()
        """Answers that follow from these tables alone, by keys of those who compute them."""

    def keep(self, key: object, answer: object) -> None:
        """Keep an answer; all are forgotten when they become too many."""
        if len(self.kept) >= MOST_KEPT:
            self.kept.clear()
        self.kept[key] = answer

    def checked(self, instant: datetime, field: str) -> int:
        """Return an instant as microseconds.

        :raises NaiveInstant: if it has no offset.
        :raises CalendarYearMissing: if it lies outside the years that any calendar can know.
        """
        if instant.tzinfo is not UTC and instant.utcoffset() is None:
            raise NaiveInstant(field=field)
        if not FIRST_YEAR < instant.year < LAST_YEAR:
            raise CalendarYearMissing(calendar=self._calendar, year=instant.year)
        return micros(instant)

    def day_of(self, instant: datetime, field: str) -> int:
        """Return the local day in which an instant lies; needs no loaded year.

        Where the clock of the zone never changes within the table, as in Viet Nam, the day in UTC
        turns into the local one at one hour.

        :raises NaiveInstant: if it has no offset.
        :raises CalendarYearMissing: if it lies outside the years that any calendar can know.
        """
        if instant.tzinfo is UTC:
            low, high, turn = self._even
            ordinal = instant.toordinal() + (instant.hour >= turn)
            if low <= ordinal < high:
                return ordinal
        return self.local_ordinal(self.checked(instant, field))

    def local_ordinal(self, moment: int) -> int:
        """Return the local day in which an instant lies; needs no loaded year."""
        table = self._table
        if table is not None:
            midnights = table.midnights
            index = (moment - midnights[0]) // DAY
            if _SLACK < index < len(midnights) - _SLACK:
                # Clock changes move midnights, so the guess may be a little wrong either way.
                while moment < midnights[index]:
                    index -= 1
                while moment >= midnights[index + 1]:
                    index += 1
                return table.low + index
        return instant_of(moment).astimezone(self.zone).toordinal()

    def midnight(self, ordinal: int) -> int:
        """Return the instant at which a local day begins; needs no loaded year."""
        table = self._table
        if table is not None and table.low <= ordinal <= table.high:
            return table.midnights[ordinal - table.low]
        self._check_ordinal(ordinal)
        return wall_micros(self.zone, ordinal, 0)

    def covering(self, ordinal: int) -> DayTable:
        """Return a table in which a day lies.

        :raises CalendarYearMissing: if its year is not loaded.
        """
        table = self._table
        if table is not None and table.low <= ordinal < table.high:
            return table
        self._check_ordinal(ordinal)
        year = date.fromordinal(ordinal).year
        if self._years is not None:
            return self._keep(self._build(*self._run_of(year)))
        if table is None:
            return self._keep(self._build(year, year))
        return self._keep(self._build(min(year, table.first_year), max(year, table.last_year)))

    def spanning(self, first: int, last: int) -> DayTable:
        """Return one table in which both days lie.

        :raises CalendarYearMissing: for the first year between them that is not loaded.
        """
        table = self.covering(first)
        if last < table.high:
            return table
        if self._years is not None:
            raise CalendarYearMissing(calendar=self._calendar, year=table.last_year + 1)
        self._check_ordinal(last)
        return self._keep(self._build(table.first_year, date.fromordinal(last).year))

    def is_working(self, ordinal: int) -> bool:
        """Ask whether a day has a working session."""
        table = self.covering(ordinal)
        return table.rank[ordinal + 1 - table.low] > table.rank[ordinal - table.low]

    def sessions(self, ordinal: int) -> list[tuple[int, int]]:
        """List the working sessions of a day."""
        table = self.covering(ordinal)
        index = table.rank[ordinal - table.low]
        if table.rank[ordinal + 1 - table.low] == index:
            return []
        own = slice(table.first_session[index], table.first_session[index + 1])
        return list(zip(table.opens[own], table.closes[own], strict=True))

    def last_close(self, ordinal: int) -> int:
        """Return the close of the last session of a working day."""
        table = self.covering(ordinal)
        return table.closes[table.first_session[table.rank[ordinal - table.low] + 1] - 1]

    def edges(self, ordinal: int) -> DayEdges:
        """Return the edges of a working day; they are made once."""
        found = self._edges.get(ordinal)
        if found is None:
            found = DayEdges(
                date.fromordinal(ordinal),
                instant_of(self.midnight(ordinal)),
                instant_of(self.last_close(ordinal)),
                instant_of(self.midnight(ordinal + 1) - 1),
            )
            self._edges[ordinal] = found
        return found

    def half(self, ordinal: int) -> int:
        """Return the instant at which half of a working day is over.

        That is the close of its first session, or half the time of its only one.
        """
        own = self.sessions(ordinal)
        opened, closed = own[0]
        return closed if len(own) > 1 else opened + (closed - opened) // 2

    def count(self, first: int, end: int) -> int:
        """Count the working days of ``[first, end)``; 0 when there is no day in it."""
        if end <= first:
            return 0
        table = self.spanning(first, end - 1)
        return table.rank[end - table.low] - table.rank[first - table.low]

    def day_after(self, ordinal: int, number: int) -> int:
        """Return the ``number``-th working day after a day; ``number`` is at least 1."""
        table = self.covering(ordinal + 1)
        while True:
            index = table.rank[ordinal + 1 - table.low] + number - 1
            if index < len(table.days):
                return table.days[index]
            table = self._longer(table)

    def on_or_after(self, ordinal: int) -> int:
        """Return the day itself if it is a working day, else the next one."""
        return self.day_after(ordinal - 1, 1)

    def next_working(self, moment: int) -> int:
        """Return the instant itself if it lies in a session, else the next opening."""
        table = self.covering(self.local_ordinal(moment))
        while True:
            index = bisect_right(table.closes, moment)
            if index < len(table.closes):
                return max(moment, table.opens[index])
            table = self._longer(table)

    def add(self, moment: int, duration: int) -> tuple[int, int]:
        """Spend working time from an instant on, and return the instant and its session's day.

        The closing instant of a session belongs to that session; a duration of 0 is spent at the
        next working instant.
        """
        table = self.covering(self.local_ordinal(moment))
        while True:
            target = table.consumed(moment) + duration
            index = (
                bisect_left(table.after, target) if duration else bisect_right(table.closes, moment)
            )
            if index < len(table.after):
                spent = table.opens[index] + target - table.before[index]
                return max(spent, table.opens[index]), table.session_day[index]
            table = self._longer(table)

    def between(self, start: int, end: int) -> int:
        """Measure the working time of ``[start, end)``; 0 when the end is not after the start."""
        if end <= start:
            return 0
        table = self.spanning(self.local_ordinal(start), self.local_ordinal(end - 1))
        return table.consumed(end) - table.consumed(start)

    def last_opening_before(self, moment: int) -> int:
        """Return the opening of the last session that opens before an instant."""
        ordinal = self.local_ordinal(moment - 1)
        table = self.covering(ordinal)
        while True:
            index = bisect_left(table.opens, moment) - 1
            if index >= 0:
                return table.opens[index]
            if self._never_opened_before(table, ordinal):
                raise CalendarNeverOpens(calendar=self._calendar)
            table = self.covering(table.low - 1)

    def is_estimated(self, first: int, last: int) -> bool:
        """Ask whether any day of ``[first, last]`` is only estimated."""
        if self._estimated is None:
            return False
        table = self.spanning(first, last)
        counts = table.estimated
        return counts is not None and counts[last + 1 - table.low] > counts[first - table.low]

    def _check_ordinal(self, ordinal: int) -> None:
        if ordinal < _FIRST_ORDINAL:
            raise CalendarYearMissing(calendar=self._calendar, year=FIRST_YEAR - 1)
        if ordinal >= _END_ORDINAL:
            raise CalendarYearMissing(calendar=self._calendar, year=LAST_YEAR + 1)

    def _keep(self, table: DayTable) -> DayTable:
        self._table = table
        turn = _turn_of(table)
        self._even = (0, 0, 0) if turn is None else (table.low, table.high, turn)
        return table

    def _run_of(self, year: int) -> tuple[int, int]:
        years = self._years
        if years is None or year not in years:
            raise CalendarYearMissing(calendar=self._calendar, year=year)
        first = last = year
        while first - 1 in years:
            first -= 1
        while last + 1 in years:
            last += 1
        return first, last

    def _longer(self, table: DayTable) -> DayTable:
        if self._years is not None:
            raise CalendarYearMissing(calendar=self._calendar, year=table.last_year + 1)
        newest = table.days[-1] if table.days else table.low
        if table.high - newest > LONGEST_CLOSURE_YEARS * 366:
            raise CalendarNeverOpens(calendar=self._calendar)
        if table.last_year >= LAST_YEAR:
            raise CalendarYearMissing(calendar=self._calendar, year=LAST_YEAR + 1)
        span = table.last_year - table.first_year + 1
        return self._keep(self._build(table.first_year, min(LAST_YEAR, table.last_year + span)))

    @staticmethod
    def _never_opened_before(table: DayTable, ordinal: int) -> bool:
        return ordinal - table.low > LONGEST_CLOSURE_YEARS * 366

    def _build(self, first_year: int, last_year: int) -> DayTable:
        low = date(first_year, 1, 1).toordinal()
        high = date(last_year + 1, 1, 1).toordinal()
        zone = self.zone
        midnights = [wall_micros(zone, ordinal, 0) for ordinal in range(low, high + 1)]
        rank, days, first_session = [0], list[int](), list[int]()
        session_day, opens, closes = list[int](), list[int](), list[int]()
        estimates = [0]
        for ordinal, (start, end) in enumerate(pairwise(midnights), low):
            day = date.fromordinal(ordinal)
            spans = self._instants(ordinal, start, end, self._sessions(day))
            if spans:
                days.append(ordinal)
                first_session.append(len(opens))
                for opened, closed in spans:
                    session_day.append(ordinal)
                    opens.append(opened)
                    closes.append(closed)
            rank.append(len(days))
            if self._estimated is not None:
                estimates.append(estimates[-1] + self._estimated(day))
        first_session.append(len(opens))
        before, after, total = list[int](), list[int](), 0
        for opened, closed in zip(opens, closes, strict=True):
            before.append(total)
            total += closed - opened
            after.append(total)
        return DayTable(
            first_year=first_year,
            last_year=last_year,
            low=low,
            high=high,
            midnights=midnights,
            rank=rank,
            days=days,
            first_session=first_session,
            session_day=session_day,
            opens=opens,
            closes=closes,
            before=before,
            after=after,
            estimated=None if self._estimated is None else estimates,
        )

    def _instants(
        self, ordinal: int, start: int, end: int, sessions: Sessions
    ) -> list[tuple[int, int]]:
        if end - start == DAY:
            return [
                (start + opened * SECOND, start + closed * SECOND) for opened, closed in sessions
            ]
        zone = self.zone
        spans = [
            (wall_micros(zone, ordinal, opened), wall_micros(zone, ordinal, closed))
            for opened, closed in sessions
        ]
        return [(opened, closed) for opened, closed in spans if opened < closed]


def _turn_of(table: DayTable) -> int | None:
    """Return the hour of UTC at which each day of a table begins, on the day before in UTC.

    24 stands for the same day; None is for clocks that change, or that run behind.
    """
    first = table.midnights[0]
    behind = (table.low - EPOCH_ORDINAL) * DAY - first
    is_even = all(at == first + index * DAY for index, at in enumerate(table.midnights))
    if not is_even or behind % HOUR or not 0 <= behind < DAY:
        return None
    return 24 - behind // HOUR


_SLACK: Final = 5
_FIRST_ORDINAL: Final = date(FIRST_YEAR, 1, 1).toordinal()
_END_ORDINAL: Final = date(LAST_YEAR + 1, 1, 1).toordinal()
