from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import (
    NO_WEEK,
    CalendarLayer,
    CalendarNeverOpens,
    CalendarWithoutSessions,
    CalendarYearMissing,
    DayException,
    DayKind,
    ExceptionKind,
    ExceptionSessionsInvalid,
    ExceptionTwice,
    NaiveInstant,
    Session,
    SessionInvalid,
    SessionsOverlap,
    WorkCalendar,
    YearlyOffInvalid,
    YearStatus,
    ZoneUnknown,
    next_year_warning,
    week_of,
    yearly_days,
)
from tests.clock_strategies import (
    OFFICE_HOURS,
    OFFICE_WEEK,
    SATURDAY_MORNING,
    ZONES,
    at,
    calendar,
    calendars,
    days,
    durations,
    hours,
    instants,
    make_up,
    off,
)

MORNING = Session.parse("07:30", "11:30")


class TestSessions:
    @pytest.mark.parametrize("close", ["24:00", "23:59", "23:59:59", "24:00:00"])
    def test_a_close_at_24_00_may_be_written_as_23_59(self, close: str) -> None:
        session = Session.parse("13:00", close)

        assert session.close_second == 86_400
        assert str(session) == "13:00–24:00"

    @pytest.mark.parametrize(
        ("opens", "closes"),
        [
            ("11:30", "07:30"),
            ("07:30", "07:30"),
            ("7h30", "11:30"),
            ("07:30", "25:00"),
            ("24:00", "24:00"),
            ("07:30+07:00", "11:30"),
            ("", ""),
        ],
    )
    def test_what_is_no_session_is_refused_with_its_times(self, opens: str, closes: str) -> None:
        with pytest.raises(SessionInvalid) as refusal:
            Session.parse(opens, closes)

        assert refusal.value.params == {"opens": opens, "closes": closes}

    def test_sessions_finer_than_a_second_are_refused(self) -> None:
        with pytest.raises(SessionInvalid):
            Session(time(7, 30), time(11, 30, 0, 500))

    def test_sessions_are_put_in_order_and_may_touch(self) -> None:
        week = week_of({"mon": [Session.parse("11:30", "17:00"), MORNING]})

        assert week[0] == (MORNING, Session.parse("11:30", "17:00"))

    def test_overlapping_sessions_are_refused_with_their_day(self) -> None:
        with pytest.raises(SessionsOverlap) as refusal:
            week_of({"tue": [MORNING, Session.parse("11:00", "12:00")]})

        assert refusal.value.day == "tue"


class TestRefusals:
    def test_a_week_without_sessions_is_refused(self) -> None:
        with pytest.raises(CalendarWithoutSessions):
            calendar(week=NO_WEEK)

    def test_a_week_of_six_days_is_refused(self) -> None:
        with pytest.raises(CalendarWithoutSessions):
            calendar(week=OFFICE_WEEK[:6])

    @pytest.mark.parametrize("zone", ["Asia/Saigonn", "", "../etc/passwd", "+07:00", "Asia", "\0"])
    def test_a_zone_that_does_not_exist_is_refused(self, zone: str) -> None:
        with pytest.raises(ZoneUnknown):
            calendar(zone=zone)

    def test_two_exceptions_on_one_date_are_refused(self) -> None:
        with pytest.raises(ExceptionTwice) as refusal:
            calendar([*off("2026-04-30"), hours("2026-04-30", MORNING)])

        assert refusal.value.day == "2026-04-30"

    def test_a_layer_with_two_exceptions_on_one_date_is_refused(self) -> None:
        with pytest.raises(ExceptionTwice):
            CalendarLayer(id="u", version="1", exceptions=off("2026-04-30", "2026-04-30"))

    @pytest.mark.parametrize(
        ("kind", "sessions", "like"),
        [
            (ExceptionKind.OFF, (MORNING,), None),
            (ExceptionKind.OFF, (), 0),
            (ExceptionKind.HOURS, (), None),
            (ExceptionKind.HOURS, (MORNING,), 0),
            (ExceptionKind.WORK, (MORNING,), 0),
            (ExceptionKind.WORK, (), 7),
        ],
    )
    def test_an_exception_whose_sessions_do_not_fit_is_refused(
        self, kind: ExceptionKind, sessions: tuple[Session, ...], like: int | None
    ) -> None:
        with pytest.raises(ExceptionSessionsInvalid):
            DayException(on=date(2026, 1, 10), kind=kind, sessions=sessions, like=like)

    def test_a_make_up_day_like_a_day_without_sessions_is_refused(self) -> None:
        sunday = DayException(on=date(2026, 1, 10), kind=ExceptionKind.WORK, like=6)

        with pytest.raises(ExceptionSessionsInvalid):
            calendar([sunday])

    @pytest.mark.parametrize("text", ["13-01", "02-30", "9-2", "2026-09-02", "", "09/02", "W01-1"])
    def test_a_yearly_day_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(YearlyOffInvalid):
            yearly_days([text])

    def test_a_naive_instant_is_refused(self) -> None:
        naive = at("2026-08-03 09:00").replace(tzinfo=None)

        with pytest.raises(NaiveInstant):
            calendar().next_working_instant(naive)

    @pytest.mark.parametrize("year", [1, 1900, 2200, 9999])
    def test_an_instant_of_an_impossible_year_is_refused_with_the_year(self, year: int) -> None:
        with pytest.raises(CalendarYearMissing) as refusal:
            calendar().next_working_instant(datetime(year, 6, 1, tzinfo=UTC))

        assert refusal.value.year == year

    def test_negative_working_time_is_an_error_of_programming(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            calendar().add_working_time(at("2026-08-03 09:00"), timedelta(seconds=-1))


class TestNeverOpening:
    def test_a_calendar_whose_every_day_is_off_ends_in_an_error_and_not_in_a_loop(self) -> None:
        every_day = [
            (date(2024, 1, 1) + timedelta(days=number)).strftime("%m-%d") for number in range(366)
        ]
        never = calendar(yearly_off=every_day)

        asks: tuple[Callable[[], object], ...] = (
            lambda: never.next_working_day(date(2026, 1, 1)),
            lambda: never.next_working_instant(at("2026-01-01 08:00")),
            lambda: never.add_working_time(at("2026-01-01 08:00"), timedelta(hours=1)),
        )

        for ask in asks:
            with pytest.raises(CalendarNeverOpens):
                ask()

    def test_a_calendar_that_opens_only_on_a_29_february_still_opens(self) -> None:
        all_but_one = [
            (date(2024, 1, 1) + timedelta(days=number)).strftime("%m-%d")
            for number in range(366)
            if number != 59
        ]
        week = week_of({"sat": (MORNING,)})
        rare = calendar(yearly_off=all_but_one, week=week)

        assert rare.next_working_day(date(2025, 1, 1)) == date(2048, 2, 29)

    def test_running_out_of_loaded_years_names_the_first_missing_one(self) -> None:
        closed = calendar(off("2026-12-30", "2026-12-31"), loaded_years=[2025, 2026])

        with pytest.raises(CalendarYearMissing) as refusal:
            closed.next_working_day(date(2026, 12, 29))

        assert refusal.value.year == 2027


class TestDays:
    def test_a_make_up_saturday_is_a_working_day_with_the_hours_of_its_weekday(self) -> None:
        swapped = calendar([*off("2026-01-02"), make_up("2026-01-10")])

        assert not swapped.is_working_day(date(2026, 1, 2))
        assert swapped.sessions_on(date(2026, 1, 10)) == (
            (at("2026-01-10 07:30"), at("2026-01-10 11:30")),
            (at("2026-01-10 13:30"), at("2026-01-10 17:00")),
        )
        assert swapped.day_kind(date(2026, 1, 10)) is DayKind.MAKE_UP

    def test_a_working_exception_without_hours_lifts_a_yearly_day_off(self) -> None:
        open_day = DayException(on=date(2026, 9, 2), kind=ExceptionKind.WORK)
        lifted = calendar([open_day], yearly_off=["09-02"])

        assert lifted.is_working_day(date(2026, 9, 2))
        assert not lifted.is_working_day(date(2025, 9, 2))

    def test_changed_hours_replace_those_of_the_week(self) -> None:
        closed_early = calendar([hours("2026-08-03", MORNING)])

        assert closed_early.sessions_on(date(2026, 8, 3)) == (
            (at("2026-08-03 07:30"), at("2026-08-03 11:30")),
        )
        assert closed_early.day_kind(date(2026, 8, 3)) is DayKind.CHANGED_HOURS

    def test_a_reception_day_is_no_working_day(self) -> None:
        receiving = calendar(reception=SATURDAY_MORNING)

        assert not receiving.is_working_day(date(2026, 8, 8))
        assert receiving.reception_sessions(date(2026, 8, 8)) == (MORNING,)
        assert receiving.day_kind(date(2026, 8, 8)) is DayKind.RECEPTION
        assert receiving.day_kind(date(2026, 8, 9)) is DayKind.WEEKEND

    def test_a_day_off_closes_the_reception_too(self) -> None:
        receiving = calendar(off("2026-08-08"), reception=SATURDAY_MORNING, yearly_off=["08-15"])

        assert receiving.reception_sessions(date(2026, 8, 8)) == ()
        assert receiving.reception_sessions(date(2026, 8, 15)) == ()
        assert receiving.day_kind(date(2026, 8, 15)) is DayKind.YEARLY_OFF

    def test_counting_back_is_negative(self) -> None:
        week = calendar()

        assert week.working_days_between(date(2026, 8, 7), date(2026, 8, 10)) == 1
        assert week.working_days_between(date(2026, 8, 10), date(2026, 8, 7)) == -1
        assert week.working_days_between(date(2026, 8, 8), date(2026, 8, 9)) == 0

    def test_a_working_day_is_its_own_first_one(self) -> None:
        assert calendar().working_day_on_or_after(date(2026, 8, 7)) == date(2026, 8, 7)
        assert calendar().working_day_on_or_after(date(2026, 8, 8)) == date(2026, 8, 10)


class TestWorkingTime:
    @pytest.mark.parametrize(
        ("start", "minutes", "end"),
        [
            ("2026-08-03 09:00", 60, "2026-08-03 10:00"),
            ("2026-08-03 11:30", 60, "2026-08-03 14:30"),
            ("2026-08-03 10:30", 60, "2026-08-03 11:30"),
            ("2026-08-03 10:30", 61, "2026-08-03 13:31"),
            ("2026-08-03 12:15", 1, "2026-08-03 13:31"),
            ("2026-08-07 16:30", 45, "2026-08-10 07:45"),
            ("2026-08-08 09:00", 450, "2026-08-10 17:00"),
            ("2026-08-03 06:00", 450, "2026-08-03 17:00"),
        ],
    )
    def test_time_is_spent_inside_sessions_only(self, start: str, minutes: int, end: str) -> None:
        spent = calendar().add_working_time(at(start), timedelta(minutes=minutes))

        assert spent == at(end)

    def test_no_time_is_spent_at_the_next_working_instant(self) -> None:
        assert calendar().add_working_time(at("2026-08-08 09:00"), timedelta()) == at(
            "2026-08-10 07:30"
        )

    def test_the_closing_instant_is_no_working_instant(self) -> None:
        assert calendar().next_working_instant(at("2026-08-03 11:30")) == at("2026-08-03 13:30")

    @pytest.mark.parametrize(
        ("zone", "day", "expected"),
        [
            ("Europe/Berlin", "2024-03-31", 23),
            ("Europe/Berlin", "2024-10-27", 25),
            ("America/New_York", "2024-03-10", 23),
            ("America/New_York", "2024-11-03", 25),
            ("Asia/Tehran", "2021-03-22", 23),
            ("Asia/Tehran", "2021-09-21", 25),
            ("Europe/London", "2024-03-31", 23),
            ("Asia/Ho_Chi_Minh", "2024-03-31", 24),
        ],
    )
    def test_a_day_open_around_the_clock_has_the_hours_that_it_has(
        self, zone: str, day: str, expected: int
    ) -> None:
        whole = (Session.parse("00:00", "24:00"),)
        always = calendar(week=(whole,) * 7, zone=zone)

        opened, closed = always.sessions_on(date.fromisoformat(day))[0]

        assert closed - opened == timedelta(hours=expected)

    def test_a_session_inside_the_skipped_hour_is_no_session(self) -> None:
        night = calendar(week=((Session.parse("02:00", "03:00"),),) * 7, zone="Europe/Berlin")

        assert night.sessions_on(date(2024, 3, 31)) == ()
        assert not night.is_working_day(date(2024, 3, 31))
        assert night.next_working_day(date(2024, 3, 30)) == date(2024, 4, 1)

    def test_a_session_that_opens_in_the_skipped_hour_opens_at_the_change(self) -> None:
        night = calendar(week=((Session.parse("02:30", "04:00"),),) * 7, zone="Europe/Berlin")

        assert night.sessions_on(date(2024, 3, 31)) == (
            (datetime(2024, 3, 31, 1, 0, tzinfo=UTC), datetime(2024, 3, 31, 2, 0, tzinfo=UTC)),
        )

    @given(calendars, instants, durations, durations)
    def test_spending_twice_is_spending_the_sum(
        self, office: WorkCalendar, start: datetime, one: timedelta, two: timedelta
    ) -> None:
        stepwise = office.add_working_time(office.add_working_time(start, one), two)

        assert office.add_working_time(start, one + two) == stepwise

    @given(calendars, instants, durations)
    def test_what_was_spent_has_elapsed(
        self, office: WorkCalendar, start: datetime, duration: timedelta
    ) -> None:
        end = office.add_working_time(start, duration)

        assert office.working_time_between(start, end) == duration

    @given(calendars, days, st.integers(1, 60))
    def test_counting_gives_the_number_of_days_that_was_gone(
        self, office: WorkCalendar, start: date, number: int
    ) -> None:
        day = start
        for _ in range(number):
            day = office.next_working_day(day)

        assert office.working_days_between(start, day) == number
        assert office.is_working_day(day)

    @given(calendars, instants)
    def test_the_sessions_of_a_day_agree_with_the_next_working_instant(
        self, office: WorkCalendar, instant: datetime
    ) -> None:
        moved = office.next_working_instant(instant)
        sessions = office.sessions_on(office.local_date(moved))

        assert any(opened <= moved < closed for opened, closed in sessions)
        assert moved == instant or moved in {opened for opened, _ in sessions}
        assert office.working_time_between(instant, moved) == timedelta()

    def test_a_day_that_a_zone_leaves_out_is_no_working_day(self) -> None:
        whole = (Session.parse("00:00", "24:00"),)
        samoa = calendar(week=(whole,) * 7, zone="Pacific/Apia")

        assert samoa.sessions_on(date(2011, 12, 30)) == ()
        assert samoa.next_working_day(date(2011, 12, 29)) == date(2011, 12, 31)
        samoa.sessions_on(date(2015, 6, 1))
        opened, closed = samoa.sessions_on(date(2012, 3, 1))[0]
        assert (
            samoa.local_date(opened)
            == samoa.local_date(closed - timedelta(microseconds=1))
            == date(2012, 3, 1)
        )

    @given(st.sampled_from(ZONES), days)
    def test_days_follow_one_another_without_a_gap(self, zone: str, day: date) -> None:
        always = calendar(week=((Session.parse("00:00", "24:00"),),) * 7, zone=zone)

        today = always.sessions_on(day)[0]
        tomorrow = always.sessions_on(day + timedelta(days=1))[0]

        assert today[1] == tomorrow[0]
        assert always.local_date(today[0]) == day
        assert always.local_date(today[1] - timedelta(microseconds=1)) == day


class TestInheritance:
    def test_the_nearest_exception_for_a_date_wins(self) -> None:
        state = calendar(off("2026-04-30", "2026-05-01"))
        province = CalendarLayer(
            id="H44", version="7", exceptions=(hours("2026-05-01", MORNING), *off("2026-06-01"))
        )
        ward = CalendarLayer(
            id="H44.1",
            version="2",
            exceptions=(DayException(on=date(2026, 6, 1), kind=ExceptionKind.WORK),),
        )

        whole = ward.inherit(province.inherit(state))

        assert not whole.is_working_day(date(2026, 4, 30))
        assert whole.day_kind(date(2026, 5, 1)) is DayKind.CHANGED_HOURS
        assert whole.is_working_day(date(2026, 6, 1))
        assert (whole.id, whole.version) == ("H44.1", "2+H44@7+test@1")

    def test_a_yearly_day_off_of_the_unit_wins_over_the_exception_above_it(self) -> None:
        state = calendar([make_up("2026-08-22")])
        unit = CalendarLayer(id="u", version="1", yearly_off=yearly_days(["08-22"]))

        assert not unit.inherit(state).is_working_day(date(2026, 8, 22))

    def test_an_inherited_make_up_day_keeps_the_hours_of_the_unit(self) -> None:
        state = calendar([make_up("2026-08-22")])
        early = (Session.parse("07:00", "11:00"), Session.parse("13:00", "16:30"))
        unit = CalendarLayer(
            id="u", version="1", week=week_of(dict.fromkeys(("mon", "fri"), early))
        )

        assert unit.inherit(state).working_sessions(date(2026, 8, 22)) == early

    def test_loaded_and_estimated_years_come_from_above(self) -> None:
        state = calendar(loaded_years=[2025, 2026], estimated_years=[2026])
        unit = CalendarLayer(id="u", version="1", reception=SATURDAY_MORNING).inherit(state)

        assert unit.year_status(2026) is YearStatus.ESTIMATED
        assert unit.year_status(2027) is YearStatus.MISSING
        assert unit.reception == SATURDAY_MORNING

    def test_a_layer_with_an_empty_week_is_refused(self) -> None:
        with pytest.raises(CalendarWithoutSessions):
            CalendarLayer(id="u", version="1", week=NO_WEEK)


class TestYears:
    def test_a_year_not_loaded_is_an_error_and_not_a_guess(self) -> None:
        loaded = calendar(loaded_years=[2025])
        asks: tuple[Callable[[], object], ...] = (
            lambda: loaded.is_working_day(date(2026, 1, 5)),
            lambda: loaded.day_kind(date(2026, 1, 5)),
            lambda: loaded.is_estimated(date(2026, 1, 5)),
            lambda: loaded.working_days_between(date(2025, 12, 1), date(2026, 1, 5)),
            lambda: loaded.next_working_day(date(2025, 12, 31)),
        )

        for ask in asks:
            with pytest.raises(CalendarYearMissing) as refusal:
                ask()
            assert refusal.value.year == 2026

    def test_a_hole_between_loaded_years_is_named(self) -> None:
        holed = calendar(loaded_years=[2024, 2026])

        with pytest.raises(CalendarYearMissing) as refusal:
            holed.working_days_between(date(2024, 12, 30), date(2026, 1, 5))

        assert refusal.value.year == 2025
        assert holed.is_working_day(date(2026, 1, 5))

    def test_one_estimated_day_makes_its_year_estimated_and_no_other_day(self) -> None:
        guessed = DayException(
            on=date(2026, 9, 1), kind=ExceptionKind.OFF, estimated=True, title_vi="Quốc khánh"
        )
        office = calendar([guessed])

        assert office.year_status(2026) is YearStatus.ESTIMATED
        assert office.is_estimated(date(2026, 9, 1))
        assert not office.is_estimated(date(2026, 9, 3))
        assert office.year_status(2025) is YearStatus.OFFICIAL

    def test_operators_are_warned_in_the_last_quarter_only(self) -> None:
        office = calendar(loaded_years=[2026, 2027], estimated_years=[2027])

        assert next_year_warning(office, at("2026-09-30 23:59")) is None
        warning = next_year_warning(office, at("2026-10-01 00:00"))
        assert warning is not None
        assert (warning.year, warning.status) == (2027, YearStatus.ESTIMATED)
        missing = next_year_warning(office, at("2027-12-31 12:00"))
        assert missing is not None
        assert missing.status is YearStatus.MISSING
        assert next_year_warning(calendar(), at("2026-12-01 00:00")) is None

    def test_the_tables_grow_both_ways_and_stay_right(self) -> None:
        office = calendar()

        assert office.working_days_between(date(2026, 1, 1), date(2026, 12, 31)) == 260
        assert office.working_days_between(date(2020, 12, 31), date(2026, 12, 31)) == 1565
        assert office.working_days_between(date(1990, 1, 1), date(1990, 12, 31)) == 260
        assert office.working_days_between(date(2100, 1, 1), date(2100, 12, 31)) == 260
        assert office.next_working_day(date(2101, 1, 7)) == date(2101, 1, 10)
        far = office.working_days_between(date(2100, 12, 31), date(2110, 12, 31))
        assert far == sum(
            office.working_days_between(date(year - 1, 12, 31), date(year, 12, 31))
            for year in range(2101, 2111)
        )

    def test_the_local_day_is_right_where_winter_lies_in_july(self) -> None:
        sydney = calendar(zone="Australia/Sydney")
        sydney.is_working_day(date(2026, 1, 5))

        assert sydney.local_date(datetime(2026, 7, 5, 13, 30, tzinfo=UTC)) == date(2026, 7, 5)
        assert sydney.local_date(datetime(2026, 7, 5, 14, 0, tzinfo=UTC)) == date(2026, 7, 6)
        assert sydney.local_date(datetime(2026, 12, 5, 13, 0, tzinfo=UTC)) == date(2026, 12, 6)

    def test_calendars_with_the_same_content_are_equal(self) -> None:
        assert calendar(off("2026-04-30")) == calendar(off("2026-04-30"))
        assert calendar(off("2026-04-30")) != calendar(off("2026-05-01"))
        assert calendar().week[0] == OFFICE_HOURS
