from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.almanac import (
    CalendarNeverOpens,
    CalendarYearMissing,
    duration_micros,
    instant_of,
    micros,
    wall_micros,
)
from tests.clock_strategies import ZONES, at, calendar, off


@given(st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1)))  # noqa: DTZ001 - made aware below
def test_an_instant_survives_as_microseconds(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)

    assert instant_of(micros(instant)) == instant


@given(st.timedeltas(timedelta(days=-4000), timedelta(days=4000)))
def test_a_duration_survives_as_microseconds(duration: timedelta) -> None:
    assert timedelta(microseconds=duration_micros(duration)) == duration


@given(
    st.sampled_from(ZONES),
    st.dates(date(1990, 1, 1), date(2040, 1, 1)),
    st.integers(0, 86_400),
)
def test_a_wall_time_is_the_first_instant_at_which_clocks_show_it(
    zone: str, day: date, second: int
) -> None:
    place = ZoneInfo(zone)

    moment = instant_of(wall_micros(place, day.toordinal(), second))

    wall = datetime.combine(day, datetime.min.time()) + timedelta(seconds=second)
    shown = moment.astimezone(place).replace(tzinfo=None)
    before = (moment - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None)
    assert shown >= wall
    assert before < wall


def test_wall_times_never_run_backwards_over_a_clock_change() -> None:
    berlin, spring = ZoneInfo("Europe/Berlin"), date(2024, 3, 31).toordinal()

    moments = [wall_micros(berlin, spring, second) for second in range(0, 86_401, 60)]

    assert moments == sorted(moments)


def test_a_day_outside_all_years_is_refused_with_the_year() -> None:
    almanac = calendar().almanac

    with pytest.raises(CalendarYearMissing) as early:
        almanac.midnight(date(1850, 1, 1).toordinal())
    with pytest.raises(CalendarYearMissing) as late:
        almanac.covering(date(2300, 1, 1).toordinal())
    assert (early.value.year, late.value.year) == (1899, 2201)


def test_the_last_opening_may_lie_in_the_year_before() -> None:
    almanac = calendar(off("2026-01-01", "2026-01-02")).almanac

    opening = almanac.last_opening_before(micros(at("2026-01-05 07:30")))

    assert instant_of(opening) == at("2025-12-31 13:30")


def test_no_opening_ever_is_an_error_and_not_a_loop() -> None:
    every_day = [
        (date(2024, 1, 1) + timedelta(days=number)).strftime("%m-%d") for number in range(366)
    ]
    never = calendar(yearly_off=every_day).almanac

    with pytest.raises(CalendarNeverOpens):
        never.last_opening_before(micros(at("2026-01-05 07:30")))


def test_a_long_count_runs_into_the_last_year_and_stops() -> None:
    almanac = calendar().almanac

    with pytest.raises(CalendarYearMissing) as refusal:
        almanac.day_after(date(2199, 1, 1).toordinal(), 1000)
    assert refusal.value.year == 2201


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2019, 12, 1), datetime(2027, 2, 1)),  # noqa: DTZ001 - made aware below
    st.booleans(),
)
def test_the_local_day_of_an_instant_is_that_of_its_zone(
    zone: str, naive: datetime, is_loaded: bool
) -> None:
    instant = naive.replace(tzinfo=UTC)
    almanac = calendar(zone=zone, loaded_years=range(2020, 2027)).almanac
    if is_loaded:
        almanac.covering(date(2025, 1, 1).toordinal())

    ordinal = almanac.day_of(instant, "at")

    assert ordinal == instant.astimezone(ZoneInfo(zone)).toordinal()
    assert ordinal == almanac.day_of(instant.astimezone(ZoneInfo(zone)), "at")
    assert ordinal == almanac.local_ordinal(micros(instant))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2026-01-01", "2026-03-29", "2026-10-25", "2026-12-31"])
def test_a_local_day_turns_at_its_own_midnight(zone: str, day: str) -> None:
    almanac = calendar(zone=zone, loaded_years=[2026]).almanac
    ordinal = date.fromisoformat(day).toordinal()
    midnight = instant_of(almanac.midnight(ordinal))
    almanac.covering(ordinal)

    assert almanac.day_of(midnight, "at") == ordinal
    assert almanac.day_of(midnight - timedelta(microseconds=1), "at") == ordinal - 1
