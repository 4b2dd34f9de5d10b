"""Calendars, limits and pauses for tests: plain ones by name, random ones drawn."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from app.domain.calendar import (
    NO_WEEK,
    DayException,
    ExceptionKind,
    Session,
    Week,
    WorkCalendar,
    week_of,
    yearly_days,
)
from app.domain.deadline import LimitKind, Pause, PauseKind, PausePolicy, TimeLimit

HO_CHI_MINH = ZoneInfo("Asia/Ho_Chi_Minh")
OFFICE_HOURS = (Session.parse("07:30", "11:30"), Session.parse("13:30", "17:00"))
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE_WEEK = week_of(dict.fromkeys(WEEKDAYS, OFFICE_HOURS))
SATURDAY_MORNING = week_of({"sat": (Session.parse("07:30", "11:30"),)})
ZONES = (
    "Asia/Ho_Chi_Minh",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tehran",
    "Europe/London",
    "UTC",
)


def at(text: str, zone: ZoneInfo = HO_CHI_MINH) -> datetime:
    """Read a local wall time such as ``2026-08-03 09:10``."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def off(*days: str) -> tuple[DayException, ...]:
    """Name days off."""
    return tuple(DayException(on=date.fromisoformat(day), kind=ExceptionKind.OFF) for day in days)


def make_up(day: str, *sessions: Session) -> DayException:
    """Name a make-up day, with Friday's hours unless it has its own."""
    return DayException(
        on=date.fromisoformat(day),
        kind=ExceptionKind.WORK,
        sessions=sessions,
        like=None if sessions else 4,
    )


def hours(day: str, *sessions: Session) -> DayException:
    """Name a day with changed hours."""
    return DayException(on=date.fromisoformat(day), kind=ExceptionKind.HOURS, sessions=sessions)


def calendar(
    exceptions: Iterable[DayException] = (),
    *,
    week: Week = OFFICE_WEEK,
    zone: str = "Asia/Ho_Chi_Minh",
    yearly_off: Iterable[str] = (),
    reception: Week = NO_WEEK,
    loaded_years: Iterable[int] | None = None,
    estimated_years: Iterable[int] = (),
) -> WorkCalendar:
    """Make a calendar that stands alone, the plain office week unless told otherwise."""
    return WorkCalendar(
        id="test",
        version="1",
        zone=zone,
        week=week,
        exceptions=tuple(exceptions),
        yearly_off=yearly_days(yearly_off),
        reception=reception,
        loaded_years=None if loaded_years is None else frozenset(loaded_years),
        estimated_years=frozenset(estimated_years),
    )


def shift(begin: datetime, end: datetime | None, kind: PauseKind = PauseKind.PAYMENT) -> Pause:
    """Pause the clock between two instants."""
    return Pause(kind, begin, end, PausePolicy.SHIFT)


def restart(begin: datetime, end: datetime | None) -> Pause:
    """Ask for a supplement, after which the limit runs anew."""
    return Pause(PauseKind.SUPPLEMENT, begin, end, PausePolicy.RESTART)


FIRST_DAY = date(2024, 1, 1)
days = st.integers(0, 700).map(lambda number: FIRST_DAY + timedelta(days=number))
instants = st.one_of(
    st.integers(0, 700 * 1440).map(
        lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.integers(0, 700 * 86_400_000).map(
        lambda millis: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    ),
)
quarters = st.integers(0, 96).map(lambda quarter: quarter * 15)


def _wall(minutes: int) -> time:
    return time(23, 59) if minutes == 1440 else time(minutes // 60, minutes % 60)


@st.composite
def day_sessions(draw: st.DrawFn) -> tuple[Session, ...]:
    """Draw up to three disjoint sessions."""
    edges = sorted(draw(st.lists(quarters, max_size=6, unique=True)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Session(_wall(opened), _wall(closed)) for opened, closed in pairs)


working_day_sessions = day_sessions().filter(bool)


@st.composite
def exceptions(draw: st.DrawFn) -> tuple[DayException, ...]:
    """Draw exceptions of every kind on distinct dates."""
    found: Mapping[date, tuple[DayException, ...]] = {
        day: (draw(_exception_on(day)),) for day in draw(st.sets(days, max_size=12))
    }
    return tuple(exception for group in found.values() for exception in group)


def _exception_on(day: date) -> st.SearchStrategy[DayException]:
    return st.one_of(
        st.just(DayException(on=day, kind=ExceptionKind.OFF)),
        working_day_sessions.map(
            lambda own: DayException(on=day, kind=ExceptionKind.WORK, sessions=own)
        ),
        working_day_sessions.map(
            lambda own: DayException(on=day, kind=ExceptionKind.HOURS, sessions=own)
        ),
    )


weeks = st.one_of(
    st.just(OFFICE_WEEK),
    st.lists(day_sessions(), min_size=7, max_size=7).map(tuple).filter(any),
)
calendars = st.builds(
    calendar,
    exceptions(),
    week=weeks,
    zone=st.sampled_from(ZONES),
    yearly_off=st.sets(st.sampled_from(("01-01", "02-29", "04-30", "05-01", "09-02"))),
    reception=st.one_of(st.just(NO_WEEK), st.just(SATURDAY_MORNING)),
)
durations = st.integers(1, 200 * 3_600_000).map(lambda millis: timedelta(milliseconds=millis))
working_day_limits = st.integers(1, 60).map(
    lambda halves: TimeLimit(LimitKind.WORKING_DAYS, Fraction(halves, 2))
)
calendar_day_limits = st.integers(1, 40).map(TimeLimit.calendar_days)
working_hour_limits = durations.map(TimeLimit.working_hours)
same_day_limits = st.builds(
    TimeLimit.same_day,
    st.sampled_from((time(15), time(10, 30), time(23, 59))),
    reception=st.booleans(),
)
limits = st.one_of(working_day_limits, calendar_day_limits, working_hour_limits, same_day_limits)
limits_in_sessions = st.one_of(working_day_limits, working_hour_limits, same_day_limits)


@st.composite
def pauses(
    draw: st.DrawFn, policies: tuple[PausePolicy, ...] = (PausePolicy.SHIFT, PausePolicy.RESTART)
) -> tuple[Pause, ...]:
    """Draw closed pauses, overlapping or not."""
    found = list[Pause]()
    for begin in draw(st.lists(instants, max_size=4)):
        length = draw(st.integers(0, 20 * 1440))
        found.append(
            Pause(
                draw(st.sampled_from(PauseKind)),
                begin,
                begin + timedelta(minutes=length),
                draw(st.sampled_from(policies)),
            )
        )
    return tuple(found)
