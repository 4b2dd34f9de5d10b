import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.almanac import NaiveInstant, instant_of, micros
from app.domain.calendar import (
    CalendarNeverOpens,
    CalendarYearMissing,
    DayException,
    ExceptionKind,
    Session,
    WorkCalendar,
    week_of,
    yearly_days,
)
from app.domain.deadline import (
    Due,
    EndBeforeStart,
    LimitKind,
    OpenClock,
    Pause,
    PauseKind,
    PausePolicy,
    TimeLimit,
    calendar_change,
    clock_start,
    compute_due,
    days_taken,
    due_phases,
    elapsed,
    promise,
    promise_under_pauses,
    suspension,
    working_days_late,
)
from tests.clock_strategies import (
    SATURDAY_MORNING,
    at,
    calendar,
    calendar_day_limits,
    calendars,
    days,
    durations,
    hours,
    instants,
    limits,
    limits_in_sessions,
    make_up,
    off,
    pauses,
    restart,
    shift,
    working_day_limits,
    working_hour_limits,
)

MORNING = Session.parse("07:30", "11:30")
CASES = json.loads(
    (Path(__file__).parent / "cases" / "clock-examples.json").read_text(encoding="utf-8")
)
DAYS_5 = TimeLimit.working_days(5)
HOUR = timedelta(hours=1)
SHIFT_ONLY = (PausePolicy.SHIFT,)


def due(office: WorkCalendar, limit: TimeLimit, start: datetime, *found: Pause) -> Due:
    """Compute a due date that there is."""
    computed = compute_due(office, limit, start, found)
    assert computed is not None
    return computed


class TestExamples:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
    def test_the_shipped_examples_come_out_as_printed(
        self, case: dict[str, dict[str, object]]
    ) -> None:
        request, expected = case["request"], case["expect"]
        office = _calendar_of(request["calendar"])
        start = datetime.fromisoformat(str(request["start"]))

        if "end" in request:
            spent = elapsed(office, start, datetime.fromisoformat(str(request["end"])))
            assert spent.working_seconds == expected["working_seconds"]
            return
        computed = due(office, _limit_of(request["limit"]), start)
        if "due_at" in expected:
            assert computed.due_at == datetime.fromisoformat(str(expected["due_at"]))
        if "due_on" in expected:
            assert computed.due_on.isoformat() == expected["due_on"]


def _calendar_of(told: object) -> WorkCalendar:
    assert isinstance(told, dict)
    return WorkCalendar(
        id="inline",
        version="1",
        zone=told["timezone"],
        week=week_of(
            {day: [Session.parse(*pair) for pair in pairs] for day, pairs in told["week"].items()}
        ),
        exceptions=tuple(
            DayException(on=date.fromisoformat(one["date"]), kind=ExceptionKind(one["kind"]))
            for one in told["exceptions"]
        ),
        yearly_off=yearly_days(told["yearly_off"]),
    )


def _limit_of(told: object) -> TimeLimit:
    assert isinstance(told, dict)
    if "duration" in told:
        return TimeLimit.working_hours(timedelta(seconds=int(told["duration"][2:-1])))
    return TimeLimit(LimitKind(told["kind"]), Fraction(told["value"]))


class TestWorkingDays:
    @pytest.mark.parametrize(
        ("start", "number", "due_on"),
        [
            ("2026-08-03 09:10", 1, "2026-08-04"),
            ("2026-08-03 00:00", 1, "2026-08-04"),
            ("2026-08-03 23:59", 1, "2026-08-04"),
            ("2026-08-07 09:00", 1, "2026-08-10"),
            ("2026-08-08 09:00", 1, "2026-08-10"),
            ("2026-08-09 09:00", 1, "2026-08-10"),
            ("2026-08-08 09:00", 5, "2026-08-14"),
            ("2026-12-30 09:00", 3, "2027-01-04"),
            ("2024-02-28 09:00", 1, "2024-02-29"),
            ("2024-02-29 09:00", 1, "2024-03-01"),
            ("2023-02-28 09:00", 1, "2023-03-01"),
        ],
    )
    def test_day_one_is_the_first_working_day_after_receipt(
        self, start: str, number: int, due_on: str
    ) -> None:
        computed = due(calendar(), TimeLimit.working_days(number), at(start))

        assert computed.due_on == date.fromisoformat(due_on)
        assert computed.due_at == at(f"{due_on} 17:00")
        assert computed.early_before == at(f"{due_on} 00:00")
        assert computed.on_time_until == at(f"{due_on} 23:59:59.999999")

    def test_due_today_a_minute_before_midnight_is_in_time_and_a_minute_after_is_late(self) -> None:
        computed = due(calendar(), TimeLimit.working_days(1), at("2026-08-03 09:10"))

        assert at("2026-08-04 23:59") <= computed.on_time_until
        assert at("2026-08-05 00:01") > computed.on_time_until
        assert at("2026-08-05 00:00") > computed.on_time_until

    def test_a_make_up_saturday_inside_the_limit_is_counted(self) -> None:
        swapped = calendar([*off("2026-08-31"), make_up("2026-08-22")])

        assert due(swapped, TimeLimit.working_days(2), at("2026-08-20 09:00")).due_on == date(
            2026, 8, 22
        )
        assert due(swapped, TimeLimit.working_days(5), at("2026-08-25 09:00")).due_on == date(
            2026, 9, 2
        )

    def test_a_half_day_closure_is_a_whole_working_day_that_closes_early(self) -> None:
        office = calendar([hours("2026-08-04", MORNING)])

        computed = due(office, TimeLimit.working_days(1), at("2026-08-03 09:10"))

        assert computed.due_on == date(2026, 8, 4)
        assert computed.due_at == at("2026-08-04 11:30")
        assert computed.on_time_until == at("2026-08-04 23:59:59.999999")

    def test_a_close_at_24_00_belongs_to_its_day(self) -> None:
        late_shift = calendar(week=((Session.parse("08:00", "24:00"),),) * 7)

        computed = due(late_shift, TimeLimit.working_days(1), at("2026-08-03 09:10"))

        assert computed.due_on == date(2026, 8, 4)
        assert computed.due_at == at("2026-08-05 00:00")

    @pytest.mark.parametrize(
        ("value", "due_at"),
        [
            (Fraction(1, 2), "2026-08-04 11:30"),
            (Fraction(3, 2), "2026-08-05 11:30"),
            (Fraction(9, 2), "2026-08-10 11:30"),
        ],
    )
    def test_half_a_day_ends_at_the_close_of_the_first_session(
        self, value: Fraction, due_at: str
    ) -> None:
        computed = due(calendar(), TimeLimit.working_days(value), at("2026-08-03 09:10"))

        assert computed.due_at == computed.on_time_until == at(due_at)
        assert computed.early_before == at(due_at[:10] + " 07:30")
        assert computed.by_instant

    def test_half_a_day_of_one_session_is_half_its_time(self) -> None:
        office = calendar([hours("2026-08-04", Session.parse("08:00", "13:00"))])

        computed = due(office, TimeLimit.working_days(Fraction(1, 2)), at("2026-08-03 09:10"))

        assert computed.due_at == at("2026-08-04 10:30")

    def test_yearly_days_off_are_skipped_every_year(self) -> None:
        office = calendar(yearly_off=["09-02"])

        assert due(office, TimeLimit.working_days(1), at("2026-09-01 09:00")).due_on == date(
            2026, 9, 3
        )
        assert due(office, TimeLimit.working_days(1), at("2027-09-01 09:00")).due_on == date(
            2027, 9, 3
        )


class TestCalendarDays:
    @pytest.mark.parametrize(
        ("start", "number", "due_on"),
        [
            ("2026-08-03 09:00", 3, "2026-08-06"),
            ("2026-08-03 09:00", 5, "2026-08-10"),
            ("2026-08-03 23:59", 7, "2026-08-10"),
            ("2026-08-08 09:00", 1, "2026-08-10"),
            ("2024-01-31 09:00", 29, "2024-02-29"),
            ("2026-12-25 09:00", 7, "2027-01-01"),
        ],
    )
    def test_the_last_day_rolls_to_a_working_day(
        self, start: str, number: int, due_on: str
    ) -> None:
        computed = due(calendar(), TimeLimit.calendar_days(number), at(start))

        assert computed.due_on == date.fromisoformat(due_on)
        assert computed.due_at == at(f"{due_on} 17:00")

    def test_it_rolls_over_a_holiday_and_onto_a_make_up_day(self) -> None:
        office = calendar([*off("2026-08-10", "2026-08-11"), make_up("2026-08-15")])

        assert due(office, TimeLimit.calendar_days(5), at("2026-08-03 09:00")).due_on == date(
            2026, 8, 12
        )
        assert due(office, TimeLimit.calendar_days(2), at("2026-08-13 09:00")).due_on == date(
            2026, 8, 15
        )


class TestWorkingHours:
    def test_receipt_exactly_at_the_close_of_the_morning_continues_after_lunch(self) -> None:
        limit = TimeLimit.working_hours(HOUR)

        computed = due(calendar(), limit, at("2026-08-03 11:30"))

        assert computed.due_at == computed.on_time_until == at("2026-08-03 14:30")
        assert computed.early_before == at("2026-08-03 13:30")

    def test_a_limit_that_fills_the_session_is_due_at_its_close_on_the_same_day(self) -> None:
        limit = TimeLimit.working_hours(HOUR)

        assert due(calendar(), limit, at("2026-08-03 10:30")).due_at == at("2026-08-03 11:30")
        assert due(calendar(), limit, at("2026-08-03 16:00")).due_on == date(2026, 8, 3)

    def test_a_close_at_24_00_is_due_on_its_own_day(self) -> None:
        night = calendar(week=((Session.parse("22:00", "24:00"),),) * 7)

        computed = due(night, TimeLimit.working_hours(HOUR), at("2026-08-03 23:00"))

        assert computed.due_at == at("2026-08-04 00:00")
        assert computed.due_on == date(2026, 8, 3)

    def test_receipt_outside_hours_starts_at_the_next_opening(self) -> None:
        limit = TimeLimit.working_hours(HOUR)

        assert clock_start(calendar(), limit, at("2026-08-08 09:00")) == at("2026-08-10 07:30")
        assert clock_start(calendar(), limit, at("2026-08-03 17:00")) == at("2026-08-04 07:30")
        assert clock_start(calendar(), DAYS_5, at("2026-08-08 09:00")) == at("2026-08-08 09:00")
        assert due(calendar(), limit, at("2026-08-08 09:00")).due_at == at("2026-08-10 08:30")

    def test_a_day_is_not_silently_eight_hours(self) -> None:
        eight = TimeLimit.working_hours(8 * HOUR)

        assert due(calendar(), eight, at("2026-08-03 07:30")).due_at == at("2026-08-04 08:00")


class TestSameDay:
    @pytest.mark.parametrize(
        ("received", "due_on"),
        [
            ("2026-08-03 09:00", "2026-08-03"),
            ("2026-08-03 06:00", "2026-08-03"),
            ("2026-08-03 12:30", "2026-08-03"),
            ("2026-08-03 15:00", "2026-08-03"),
            ("2026-08-03 15:00:00.000001", "2026-08-04"),
            ("2026-08-03 16:59", "2026-08-04"),
            ("2026-08-07 15:01", "2026-08-10"),
            ("2026-08-08 09:00", "2026-08-10"),
        ],
    )
    def test_the_cut_off_at_15_00_is_inclusive(self, received: str, due_on: str) -> None:
        computed = due(calendar(), TimeLimit.same_day(), at(received))

        assert computed.due_on == date.fromisoformat(due_on)
        assert computed.due_at == at(f"{due_on} 17:00")
        assert not computed.by_instant

    def test_receipt_at_the_last_close_is_too_late_even_before_the_cut_off(self) -> None:
        office = calendar([hours("2026-08-03", MORNING)])

        assert due(office, TimeLimit.same_day(), at("2026-08-03 11:29")).due_on == date(2026, 8, 3)
        assert due(office, TimeLimit.same_day(), at("2026-08-03 11:30")).due_on == date(2026, 8, 4)

    def test_another_cut_off_counts_where_it_is_set(self) -> None:
        limit = TimeLimit.same_day(time(16, 30))

        assert due(calendar(), limit, at("2026-08-03 16:30")).due_on == date(2026, 8, 3)
        assert due(calendar(), limit, at("2026-08-03 16:31")).due_on == date(2026, 8, 4)

    def test_a_listed_saturday_counts_for_same_day_limits_only(self) -> None:
        receiving = calendar(reception=SATURDAY_MORNING)

        saturday = due(receiving, TimeLimit.same_day(), at("2026-08-08 09:00"))
        friday = due(receiving, TimeLimit.same_day(), at("2026-08-07 15:30"))
        late = due(receiving, TimeLimit.same_day(), at("2026-08-08 11:30"))
        unlisted = due(receiving, TimeLimit.same_day(reception=False), at("2026-08-07 15:30"))

        assert (saturday.due_on, saturday.due_at) == (date(2026, 8, 8), at("2026-08-08 11:30"))
        assert friday.due_on == date(2026, 8, 8)
        assert late.due_on == date(2026, 8, 10)
        assert unlisted.due_on == date(2026, 8, 10)
        assert due(receiving, TimeLimit.working_days(1), at("2026-08-07 09:00")).due_on == date(
            2026, 8, 10
        )

    @pytest.mark.parametrize("policy", PausePolicy)
    def test_both_policies_apply_the_rule_of_receipt_again(self, policy: PausePolicy) -> None:
        def under(begin: str, end: str) -> date:
            pause = Pause(PauseKind.SUPPLEMENT, at(begin), at(end), policy)
            return due(calendar(), TimeLimit.same_day(), at("2026-08-03 09:00"), pause).due_on

        assert under("2026-08-03 10:00", "2026-08-03 14:00") == date(2026, 8, 3)
        assert under("2026-08-03 10:00", "2026-08-03 15:30") == date(2026, 8, 4)
        assert under("2026-08-03 10:00", "2026-08-05 08:00") == date(2026, 8, 5)
        assert under("2026-08-03 10:00", "2026-08-05 18:00") == date(2026, 8, 6)
        assert under("2026-08-03 18:00", "2026-08-04 06:00") == date(2026, 8, 3)
        assert under("2026-08-04 08:00", "2026-08-10 08:00") == date(2026, 8, 3)


class TestNoLimit:
    def test_a_procedure_without_a_limit_has_no_due_date(self) -> None:
        start = at("2026-08-03 09:00")
        paused = (restart(at("2026-08-04 09:00"), None),)

        assert compute_due(calendar(), TimeLimit.none(), start, paused) is None
        phases = due_phases(calendar(), TimeLimit.none(), start, paused)
        assert [phase.due for phase in phases] == [None, None]
        left = suspension(calendar(), TimeLimit.none(), start, paused, at=start)
        assert left is not None
        assert (left.due_before, left.due_if_ended) == (None, None)


class TestShift:
    def test_working_days_inside_the_pause_are_skipped(self) -> None:
        office, start = calendar(), at("2026-08-03 09:10")

        assert due(office, DAYS_5, start).due_on == date(2026, 8, 10)
        assert due(
            office, DAYS_5, start, shift(at("2026-08-05 10:00"), at("2026-08-07 15:00"))
        ).due_on == date(2026, 8, 12)

    def test_a_pause_within_one_day_skips_no_day(self) -> None:
        pause = shift(at("2026-08-05 07:30"), at("2026-08-05 16:59"))

        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), pause).due_on == date(2026, 8, 10)

    def test_a_pause_on_the_day_of_receipt_skips_from_the_next_day_on(self) -> None:
        pause = shift(at("2026-08-03 10:00"), at("2026-08-05 08:00"))

        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), pause).due_on == date(2026, 8, 11)

    def test_a_pause_over_tet_skips_working_days_only(self) -> None:
        tet = off(*(f"2026-02-{day}" for day in range(16, 21)))
        pause = shift(at("2026-02-12 09:00"), at("2026-02-24 09:00"))

        computed = due(calendar(tet), DAYS_5, at("2026-02-10 09:00"), pause)

        assert computed.due_on == date(2026, 2, 27)

    def test_a_second_pause_that_overlaps_the_first_is_one_pause_with_it(self) -> None:
        first = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))
        second = shift(at("2026-08-05 09:00"), at("2026-08-07 09:00"), PauseKind.OTHER)
        one = shift(at("2026-08-04 09:00"), at("2026-08-07 09:00"))

        both = due(calendar(), DAYS_5, at("2026-08-03 09:10"), first, second)

        assert both == due(calendar(), DAYS_5, at("2026-08-03 09:10"), one)

    def test_two_pauses_add_up(self) -> None:
        first = shift(at("2026-08-04 09:00"), at("2026-08-05 09:00"))
        second = shift(at("2026-08-11 09:00"), at("2026-08-12 09:00"))

        computed = due(calendar(), DAYS_5, at("2026-08-03 09:10"), first, second)

        assert computed.due_on == date(2026, 8, 12)

    def test_a_pause_begun_after_the_due_date_changes_nothing(self) -> None:
        late = shift(at("2026-08-11 00:00"), at("2026-08-20 09:00"))
        evening = shift(at("2026-08-10 18:00"), at("2026-08-20 09:00"))
        last_hour = shift(at("2026-08-10 16:00"), at("2026-08-20 09:00"))

        def under(pause: Pause) -> date:
            return due(calendar(), DAYS_5, at("2026-08-03 09:10"), pause).due_on

        assert under(late) == date(2026, 8, 10)
        assert under(evening) == date(2026, 8, 10)
        assert under(last_hour) == date(2026, 8, 20)

    def test_an_earlier_pause_may_bring_a_later_one_before_the_due_date(self) -> None:
        first = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))
        second = shift(at("2026-08-12 09:00"), at("2026-08-13 09:00"))

        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), second).due_on == date(2026, 8, 10)
        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), first, second).due_on == date(
            2026, 8, 13
        )

    def test_calendar_days_are_skipped_by_raw_local_dates(self) -> None:
        limit, start = TimeLimit.calendar_days(10), at("2026-08-03 09:00")

        assert due(calendar(), limit, start).due_on == date(2026, 8, 13)
        weekend = shift(at("2026-08-07 18:00"), at("2026-08-09 09:00"))
        assert due(calendar(), limit, start, weekend).due_on == date(2026, 8, 17)

    def test_calendar_days_never_roll_into_a_pause(self) -> None:
        limit = TimeLimit.calendar_days(6)
        pause = shift(at("2026-08-10 09:00"), at("2026-08-12 09:00"))

        computed = due(calendar(), limit, at("2026-08-03 09:00"), pause)

        assert computed.due_on == date(2026, 8, 12)

    def test_working_time_inside_the_pause_does_not_count(self) -> None:
        limit = TimeLimit.working_hours(4 * HOUR)
        pause = shift(at("2026-08-03 10:00"), at("2026-08-03 14:00"))

        computed = due(calendar(), limit, at("2026-08-03 09:00"), pause)

        assert computed.due_at == at("2026-08-03 17:00")

    def test_half_days_are_moved_by_days(self) -> None:
        limit = TimeLimit.working_days(Fraction(3, 2))
        pause = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))

        computed = due(calendar(), limit, at("2026-08-03 09:00"), pause)

        assert computed.due_at == at("2026-08-07 11:30")

    def test_a_pause_that_begins_after_half_a_day_is_over_changes_nothing(self) -> None:
        limit = TimeLimit.working_days(Fraction(1, 2))
        pause = shift(at("2026-08-04 11:30:00.000001"), at("2026-08-06 09:00"))

        computed = due(calendar(), limit, at("2026-08-03 09:00"), pause)

        assert computed.due_at == at("2026-08-04 11:30")


class TestRestart:
    def test_the_whole_limit_runs_again_from_the_end_of_the_pause(self) -> None:
        pause = restart(at("2026-08-05 10:00"), at("2026-08-12 10:00"))

        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), pause).due_on == date(2026, 8, 19)
        assert due(
            calendar(), TimeLimit.calendar_days(5), at("2026-08-03 09:10"), pause
        ).due_on == date(2026, 8, 17)
        assert due(
            calendar(), TimeLimit.working_hours(4 * HOUR), at("2026-08-05 08:00"), pause
        ).due_at == at("2026-08-12 16:00")
        assert due(
            calendar(), TimeLimit.working_days(Fraction(5, 2)), at("2026-08-03 09:10"), pause
        ).due_at == at("2026-08-17 11:30")

    def test_every_supplement_restarts(self) -> None:
        first = restart(at("2026-08-04 10:00"), at("2026-08-06 10:00"))
        second = restart(at("2026-08-10 10:00"), at("2026-08-12 10:00"))

        computed = due(calendar(), DAYS_5, at("2026-08-03 09:10"), first, second)

        assert computed.due_on == date(2026, 8, 19)

    def test_a_union_restarts_if_any_part_does(self) -> None:
        fee = shift(at("2026-08-04 10:00"), at("2026-08-06 10:00"))
        papers = restart(at("2026-08-05 10:00"), at("2026-08-07 10:00"))

        computed = due(calendar(), DAYS_5, at("2026-08-03 09:10"), fee, papers)

        assert computed.due_on == date(2026, 8, 14)

    def test_a_shift_after_a_restart_counts_from_the_restart(self) -> None:
        papers = restart(at("2026-08-04 10:00"), at("2026-08-06 10:00"))
        fee = shift(at("2026-08-07 10:00"), at("2026-08-11 10:00"))

        computed = due(calendar(), DAYS_5, at("2026-08-03 09:10"), papers, fee)

        assert computed.due_on == date(2026, 8, 17)


class TestPauseEdges:
    def test_an_open_pause_has_moved_nothing_yet(self) -> None:
        waiting = shift(at("2026-08-05 10:00"), None)

        computed = due(calendar(), DAYS_5, at("2026-08-03 09:10"), waiting)

        assert computed.due_on == date(2026, 8, 10)

    def test_a_pause_is_clipped_to_the_life_of_the_dossier(self) -> None:
        before = shift(at("2026-07-20 09:00"), at("2026-08-03 09:10"))
        across = shift(at("2026-07-20 09:00"), at("2026-08-05 09:00"))
        start = at("2026-08-03 09:10")

        assert due(calendar(), DAYS_5, start, before).due_on == date(2026, 8, 10)
        assert due(calendar(), DAYS_5, start, across).due_on == date(2026, 8, 11)
        ended = compute_due(
            calendar(),
            DAYS_5,
            start,
            (shift(at("2026-08-05 09:00"), None),),
            finish=at("2026-08-06 09:00"),
        )
        assert ended is not None
        assert ended.due_on == date(2026, 8, 11)
        after = compute_due(
            calendar(),
            DAYS_5,
            start,
            (restart(at("2026-08-07 09:00"), at("2026-08-20 09:00")),),
            finish=at("2026-08-06 09:00"),
        )
        assert after is not None
        assert after.due_on == date(2026, 8, 10)

    def test_an_inferred_pause_gives_way_to_the_explicit_one(self) -> None:
        inferred = replace(restart(at("2026-08-04 09:00"), at("2026-08-12 09:00")), inferred=True)
        told = restart(at("2026-08-05 09:00"), at("2026-08-06 09:00"))

        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), inferred, told).due_on == date(
            2026, 8, 13
        )
        assert due(calendar(), DAYS_5, at("2026-08-03 09:10"), inferred).due_on == date(2026, 8, 19)


class TestSuspension:
    def test_what_is_left_is_counted_from_the_pause_on(self) -> None:
        waiting = shift(at("2026-08-05 10:00"), None)

        left = suspension(
            calendar(), DAYS_5, at("2026-08-03 09:10"), (waiting,), at=at("2026-08-12 08:00")
        )

        assert left is not None
        assert left.days_left == 4
        assert left.due_before is not None
        assert left.due_before.due_on == date(2026, 8, 10)
        assert left.due_if_ended is not None
        assert left.due_if_ended.due_on == date(2026, 8, 17)

    def test_after_a_supplement_the_whole_limit_is_left(self) -> None:
        waiting = restart(at("2026-08-05 10:00"), None)

        left = suspension(
            calendar(), DAYS_5, at("2026-08-03 09:10"), (waiting,), at=at("2026-08-12 08:00")
        )

        assert left is not None
        assert left.days_left == 5
        assert left.due_if_ended is not None
        assert left.due_if_ended.due_on == date(2026, 8, 19)

    def test_hour_kinds_have_time_left_and_calendar_days_days(self) -> None:
        waiting = (shift(at("2026-08-03 10:00"), None),)
        start, now = at("2026-08-03 09:00"), at("2026-08-04 08:00")

        in_hours = suspension(calendar(), TimeLimit.working_hours(4 * HOUR), start, waiting, at=now)
        in_days = suspension(calendar(), TimeLimit.calendar_days(10), start, waiting, at=now)
        same_day = suspension(calendar(), TimeLimit.same_day(), start, waiting, at=now)

        assert in_hours is not None
        assert (in_hours.days_left, in_hours.time_left) == (None, 3 * HOUR)
        assert in_days is not None
        assert in_days.days_left == 10
        assert same_day is not None
        assert same_day.due_if_ended is not None
        assert same_day.due_if_ended.due_on == date(2026, 8, 4)

    def test_a_supplement_leaves_the_whole_limit_whatever_its_kind(self) -> None:
        waiting = (restart(at("2026-08-05 10:00"), None),)
        start, now = at("2026-08-03 09:10"), at("2026-08-12 08:00")
        told = promise(calendar(), at("2026-08-06 17:00"), by_instant=False)
        half = TimeLimit.working_days(Fraction(7, 2))

        in_days = suspension(calendar(), TimeLimit.calendar_days(9), start, waiting, at=now)
        promised = suspension(calendar(), None, start, waiting, at=now, promised=told)
        in_halves = suspension(calendar(), half, start, waiting, at=now)
        shifted_half = suspension(
            calendar(), half, start, (shift(at("2026-08-05 10:00"), None),), at=now
        )

        assert in_days is not None
        assert in_days.days_left == 9
        assert promised is not None
        assert promised.days_left == 3
        assert in_halves is not None
        assert in_halves.days_left == Fraction(7, 2)
        assert shifted_half is not None
        assert shifted_half.days_left == Fraction(5, 2)

    def test_a_pause_that_begins_at_the_due_moment_leaves_nothing_and_moves_nothing(self) -> None:
        limit, start = TimeLimit.working_hours(HOUR), at("2026-08-03 09:00")
        waiting = shift(at("2026-08-03 10:00"), at("2026-08-03 15:00"))

        assert due(calendar(), limit, start, waiting).due_at == at("2026-08-03 10:00")

    def test_a_pause_that_ended_or_began_too_late_suspends_nothing(self) -> None:
        start, now = at("2026-08-03 09:10"), at("2026-08-20 08:00")
        ended = shift(at("2026-08-05 10:00"), at("2026-08-06 10:00"))
        too_late = shift(at("2026-08-11 10:00"), None)

        assert suspension(calendar(), DAYS_5, start, (ended,), at=now) is None
        assert suspension(calendar(), DAYS_5, start, (too_late,), at=now) is None
        assert suspension(calendar(), DAYS_5, start, (ended, too_late), at=now) is not None


class TestPhases:
    def test_each_effective_pause_leads_to_a_phase(self) -> None:
        first = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))
        second = shift(at("2026-08-12 09:00"), None)
        too_late = shift(at("2026-09-30 09:00"), at("2026-10-01 09:00"))

        phases = due_phases(calendar(), DAYS_5, at("2026-08-03 09:10"), (second, first, too_late))

        dues = [phase.due.due_on if phase.due else None for phase in phases]
        assert dues == [date(2026, 8, 10), date(2026, 8, 12), None]
        spans = [phase.span for phase in phases]
        assert spans[0] is None
        assert spans[1] is not None
        assert (spans[1].started_at, spans[1].ended_at) == (first.started_at, first.ended_at)
        assert spans[2] is not None
        assert spans[2].ended_at is None

    @given(calendars, limits, instants, pauses())
    def test_the_last_phase_is_the_due_date(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        phases = due_phases(office, limit, start, found)

        assert phases[-1].due == compute_due(office, limit, start, found)
        for before, after in pairwise(phases):
            assert before.due is not None
            assert after.span is not None
            assert after.span.started_at <= before.due.on_time_until


class TestPromise:
    def test_a_promise_by_date_is_kept_until_the_end_of_its_day(self) -> None:
        told = promise(calendar(), at("2026-08-05 09:10"), by_instant=False)

        assert told.due_on == date(2026, 8, 5)
        assert told.due_at == at("2026-08-05 17:00")
        assert told.early_before == at("2026-08-05 00:00")
        assert told.on_time_until == at("2026-08-05 23:59:59.999999")

    def test_a_promise_on_a_day_off_keeps_its_own_instant(self) -> None:
        told = promise(calendar(), at("2026-08-09 09:10"), by_instant=False)

        assert (told.due_on, told.due_at) == (date(2026, 8, 9), at("2026-08-09 09:10"))

    def test_a_promise_by_date_needs_no_loaded_year(self) -> None:
        told = promise(calendar(loaded_years=[2026]), at("2029-08-09 09:10"), by_instant=False)

        assert told.due_on == date(2029, 8, 9)

    def test_a_promise_by_instant_is_kept_until_that_instant(self) -> None:
        told = promise(calendar(), at("2026-08-05 15:00"), by_instant=True)

        assert told.due_at == told.on_time_until == at("2026-08-05 15:00")
        assert told.early_before == at("2026-08-05 13:30")
        monday = promise(calendar(), at("2026-08-10 07:30"), by_instant=True)
        assert monday.early_before == at("2026-08-07 13:30")

    def test_a_promise_at_a_close_at_24_00_belongs_to_the_day_that_closes(self) -> None:
        late_shift = calendar(week=((Session.parse("08:00", "24:00"),),) * 7)

        told = promise(late_shift, at("2026-08-05 00:00"), by_instant=True)
        office = promise(calendar(), at("2026-08-05 00:00"), by_instant=True)

        assert told.due_on == date(2026, 8, 4)
        assert office.due_on == date(2026, 8, 5)

    def test_a_shortened_promise_stays_shortened(self) -> None:
        start = at("2026-08-03 09:10")
        told = promise(calendar(), at("2026-08-06 17:00"), by_instant=False)
        fee = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))
        papers = restart(at("2026-08-04 09:00"), at("2026-08-10 09:00"))

        def under(*found: Pause) -> date:
            moved = promise_under_pauses(calendar(), told, start, found, limit=DAYS_5)
            return moved.due_on

        assert under() == date(2026, 8, 6)
        assert under(fee) == date(2026, 8, 10)
        assert under(papers) == date(2026, 8, 13)
        assert under(papers, shift(at("2026-08-11 09:00"), at("2026-08-13 09:00"))) == date(
            2026, 8, 17
        )

    def test_the_earlier_of_the_named_and_the_computed_date_counts(self) -> None:
        start = at("2026-08-03 09:10")
        told = promise(calendar(), at("2026-08-10 17:00"), by_instant=False)
        pause = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))

        def under(named: str) -> date:
            found = (replace(pause, new_due_at=at(named)),)
            return promise_under_pauses(calendar(), told, start, found, limit=DAYS_5).due_on

        assert under("2026-08-11 17:00") == date(2026, 8, 11)
        assert under("2026-08-20 17:00") == date(2026, 8, 12)

    def test_a_named_date_shortens_what_runs_again_later(self) -> None:
        start = at("2026-08-03 09:10")
        told = promise(calendar(), at("2026-08-10 17:00"), by_instant=False)
        first = replace(
            shift(at("2026-08-04 09:00"), at("2026-08-06 09:00")), new_due_at=at("2026-08-11 17:00")
        )
        second = restart(at("2026-08-07 09:00"), at("2026-08-12 09:00"))

        moved = promise_under_pauses(calendar(), told, start, (first, second), limit=DAYS_5)

        assert moved.due_on == date(2026, 8, 18)

    def test_a_pause_begun_after_the_promise_changes_nothing(self) -> None:
        told = promise(calendar(), at("2026-08-06 17:00"), by_instant=False)
        late = restart(at("2026-08-07 00:00"), at("2026-08-10 09:00"))

        moved = promise_under_pauses(
            calendar(), told, at("2026-08-03 09:10"), (late,), limit=DAYS_5
        )

        assert moved == told

    def test_a_promise_for_the_day_of_receipt_moves_to_the_end_of_the_pause(self) -> None:
        told = promise(calendar(), at("2026-08-03 17:00"), by_instant=False)
        start = at("2026-08-03 09:10")

        for pause in (
            shift(at("2026-08-03 10:00"), at("2026-08-05 09:00")),
            restart(at("2026-08-03 10:00"), at("2026-08-05 09:00")),
        ):
            moved = promise_under_pauses(calendar(), told, start, (pause,), limit=None)
            assert moved.due_on == date(2026, 8, 5)
        same_day = promise_under_pauses(
            calendar(),
            told,
            start,
            (restart(at("2026-08-03 10:00"), at("2026-08-05 15:30")),),
            limit=TimeLimit.same_day(),
        )
        assert same_day.due_on == date(2026, 8, 6)

    def test_a_promise_for_a_saturday_is_not_swallowed_by_the_pause_over_it(self) -> None:
        told = promise(calendar(), at("2026-08-08 09:00"), by_instant=False)
        pause = shift(at("2026-08-07 18:00"), at("2026-08-12 09:00"))

        moved = promise_under_pauses(calendar(), told, at("2026-08-03 09:10"), (pause,), limit=None)

        assert moved.due_on == date(2026, 8, 12)

    def test_a_promise_by_instant_moves_by_working_time(self) -> None:
        told = promise(calendar(), at("2026-08-03 15:00"), by_instant=True)
        limit = TimeLimit.working_hours(8 * HOUR)
        fee = shift(at("2026-08-03 10:00"), at("2026-08-03 14:00"))
        papers = restart(at("2026-08-03 10:00"), at("2026-08-04 07:30"))

        def under(pause: Pause) -> datetime:
            return promise_under_pauses(
                calendar(), told, at("2026-08-03 09:00"), (pause,), limit=limit
            ).due_at

        assert under(fee) == at("2026-08-03 17:00")
        assert under(papers) == at("2026-08-04 11:30")
        assert under(replace(papers, new_due_at=at("2026-08-04 09:00"))) == at("2026-08-04 09:00")

    def test_a_named_instant_shortens_what_runs_again_later(self) -> None:
        told = promise(calendar(), at("2026-08-03 15:00"), by_instant=True)
        first = replace(
            shift(at("2026-08-03 10:00"), at("2026-08-03 14:00")),
            new_due_at=at("2026-08-03 16:00"),
        )
        second = restart(at("2026-08-03 15:30"), at("2026-08-04 07:30"))

        moved = promise_under_pauses(
            calendar(), told, at("2026-08-03 09:00"), (first, second), limit=None
        )

        assert moved.due_at == at("2026-08-04 10:30")

    def test_a_date_named_for_a_same_day_promise_counts_if_it_is_the_earlier(self) -> None:
        told = promise(calendar(), at("2026-08-03 17:00"), by_instant=False)
        pause = restart(at("2026-08-03 10:00"), at("2026-08-05 15:30"))

        def under(named: str) -> date:
            found = (replace(pause, new_due_at=at(named)),)
            return promise_under_pauses(
                calendar(), told, at("2026-08-03 09:00"), found, limit=TimeLimit.same_day()
            ).due_on

        assert under("2026-08-05 17:00") == date(2026, 8, 5)
        assert under("2026-08-07 17:00") == date(2026, 8, 6)
        left = suspension(
            calendar(),
            TimeLimit.same_day(),
            at("2026-08-03 09:00"),
            (shift(at("2026-08-03 10:00"), None),),
            at=at("2026-08-05 09:00"),
            promised=told,
        )
        assert left is not None
        assert (left.days_left, left.time_left) == (None, None)

    def test_a_half_day_promise_keeps_its_half(self) -> None:
        told = promise(calendar(), at("2026-08-05 11:30"), by_instant=True)
        limit = TimeLimit.working_days(Fraction(5, 2))
        fee = shift(at("2026-08-04 09:00"), at("2026-08-06 09:00"))

        moved = promise_under_pauses(calendar(), told, at("2026-08-03 09:10"), (fee,), limit=limit)

        assert moved.due_at == moved.on_time_until == at("2026-08-07 11:30")

    def test_what_is_left_of_a_promise_is_counted_too(self) -> None:
        start, waiting = at("2026-08-03 09:10"), (shift(at("2026-08-05 09:00"), None),)
        by_date = promise(calendar(), at("2026-08-06 17:00"), by_instant=False)
        by_instant = promise(calendar(), at("2026-08-05 15:00"), by_instant=True)

        dates = suspension(
            calendar(), DAYS_5, start, waiting, at=at("2026-08-10 09:00"), promised=by_date
        )
        times = suspension(
            calendar(), None, start, waiting, at=at("2026-08-10 09:00"), promised=by_instant
        )

        assert dates is not None
        assert dates.days_left == 2
        assert dates.due_if_ended is not None
        assert dates.due_if_ended.due_on == date(2026, 8, 11)
        assert times is not None
        assert times.time_left == timedelta(hours=4)

    @given(calendars, working_day_limits, instants, pauses())
    def test_a_promise_equal_to_the_computed_date_moves_like_it(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        told = compute_due(office, limit, start)
        assert told is not None

        moved = promise_under_pauses(office, told, start, found, limit=limit)

        computed = compute_due(office, limit, start, found)
        assert computed is not None
        assert replace(moved, provisional=False) == replace(computed, provisional=False)

    @given(calendars, working_hour_limits, instants, pauses())
    def test_a_promise_equal_to_the_computed_instant_moves_like_it(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        told = compute_due(office, limit, start)
        assert told is not None

        moved = promise_under_pauses(office, told, start, found, limit=limit)

        computed = compute_due(office, limit, start, found)
        assert computed is not None
        assert moved.due_at == computed.due_at

    @given(calendars, instants, instants, st.booleans(), pauses(), st.none() | limits)
    def test_a_pause_never_makes_a_promise_earlier(
        self,
        office: WorkCalendar,
        start: datetime,
        due_at: datetime,
        by_instant: bool,
        found: tuple[Pause, ...],
        limit: TimeLimit | None,
    ) -> None:
        told = promise(office, due_at, by_instant=by_instant)

        moved = promise_under_pauses(office, told, start, found, limit=limit)

        assert moved.on_time_until >= told.on_time_until


class TestElapsed:
    def test_pauses_are_taken_out(self) -> None:
        start, end = at("2026-08-03 09:00"), at("2026-08-07 10:00")
        pause = shift(at("2026-08-04 10:00"), at("2026-08-06 08:00"))

        whole = elapsed(calendar(), start, end)
        less = elapsed(calendar(), start, end, (pause,))

        assert (whole.working_days, less.working_days) == (4, 2)
        assert whole.working_time - less.working_time == timedelta(hours=13)

    def test_an_open_pause_runs_to_the_end(self) -> None:
        start, end = at("2026-08-03 09:00"), at("2026-08-07 10:00")

        less = elapsed(calendar(), start, end, (shift(at("2026-08-04 10:00"), None),))

        assert less.working_days == 1

    @given(calendars, instants, instants, pauses())
    def test_days_alone_are_those_measured_with_the_time(
        self, office: WorkCalendar, start: datetime, end: datetime, found: tuple[Pause, ...]
    ) -> None:
        begins, ends = min(start, end), max(start, end)

        assert days_taken(office, begins, ends, found) == (
            elapsed(office, begins, ends, found).working_days
        )
        assert days_taken(office, ends, begins, found) == 0

    def test_seconds_are_exact(self) -> None:
        spent = elapsed(calendar(), at("2026-08-03 09:00:00.25"), at("2026-08-03 09:00:01"))

        assert spent.working_seconds == Fraction(3, 4)

    def test_an_end_before_the_start_is_refused(self) -> None:
        with pytest.raises(EndBeforeStart):
            elapsed(calendar(), at("2026-08-03 09:00"), at("2026-08-03 08:59"))

    @pytest.mark.parametrize(
        ("seen_at", "late"),
        [
            ("2026-08-06 23:00", 0),
            ("2026-08-07 00:00", 1),
            ("2026-08-09 12:00", 1),
            ("2026-08-10 06:00", 2),
            ("2026-08-01 06:00", 0),
        ],
    )
    def test_days_late_are_working_days_up_to_and_including_today(
        self, seen_at: str, late: int
    ) -> None:
        assert working_days_late(calendar(), date(2026, 8, 6), at(seen_at)) == late


class TestProvisional:
    def test_a_due_date_that_rests_on_an_estimated_day_is_provisional(self) -> None:
        office = calendar(loaded_years=[2026, 2027], estimated_years=[2027])

        assert not due(office, DAYS_5, at("2026-12-24 09:00")).provisional
        assert due(office, DAYS_5, at("2026-12-28 09:00")).provisional
        assert due(office, TimeLimit.calendar_days(10), at("2026-12-28 09:00")).provisional
        assert due(office, TimeLimit.working_hours(30 * HOUR), at("2026-12-29 09:00")).provisional
        assert due(office, TimeLimit.same_day(), at("2027-01-04 09:00")).provisional

    def test_a_missing_year_is_named(self) -> None:
        office = calendar(loaded_years=[2026])

        with pytest.raises(CalendarYearMissing) as refusal:
            compute_due(office, DAYS_5, at("2026-12-28 09:00"))

        assert refusal.value.params == {"calendar": "test", "year": "2027"}

    def test_the_last_day_of_the_last_year_can_still_be_due(self) -> None:
        office = calendar(loaded_years=[2026])

        computed = due(office, TimeLimit.working_days(1), at("2026-12-30 09:00"))

        assert computed.due_on == date(2026, 12, 31)
        assert computed.on_time_until == at("2026-12-31 23:59:59.999999")


class TestBadInput:
    def test_naive_instants_are_refused_with_the_field(self) -> None:
        naive = datetime(2026, 8, 3, 9, 0)  # noqa: DTZ001 - the naive instant is the subject

        with pytest.raises(NaiveInstant) as refusal:
            compute_due(calendar(), DAYS_5, naive)
        assert refusal.value.field == "start"
        with pytest.raises(NaiveInstant) as in_pause:
            shift(naive, None)
        assert in_pause.value.field == "pauses.started_at"

    @pytest.mark.parametrize("number", [10**6, 10**12])
    def test_a_limit_beyond_all_years_ends_in_an_error(self, number: int) -> None:
        for limit in (TimeLimit.working_days(number), TimeLimit.calendar_days(number)):
            with pytest.raises(CalendarYearMissing) as refusal:
                compute_due(calendar(), limit, at("2026-08-03 09:00"))
            assert refusal.value.year == 2201

    def test_a_calendar_that_never_opens_ends_in_an_error(self) -> None:
        every_day = [
            (date(2024, 1, 1) + timedelta(days=number)).strftime("%m-%d") for number in range(366)
        ]
        never = calendar(yearly_off=every_day)

        for limit in (
            DAYS_5,
            TimeLimit.working_hours(HOUR),
            TimeLimit.same_day(),
            TimeLimit.calendar_days(3),
        ):
            with pytest.raises(CalendarNeverOpens):
                compute_due(never, limit, at("2026-08-03 09:00"))


class TestCalendarChange:
    def test_only_dossiers_whose_date_moves_are_listed(self) -> None:
        clocks = [
            OpenClock("early", DAYS_5, at("2026-08-03 09:00")),
            OpenClock("across", DAYS_5, at("2026-08-12 09:00")),
            OpenClock("none", TimeLimit.none(), at("2026-08-12 09:00")),
        ]

        moved = calendar_change(calendar(), calendar(off("2026-08-14")), clocks)

        assert [one.key for one in moved] == ["across"]
        assert moved[0].before is not None
        assert moved[0].after is not None
        assert (moved[0].before.due_on, moved[0].after.due_on) == (
            date(2026, 8, 19),
            date(2026, 8, 20),
        )
        assert moved[0].flips(at("2026-08-20 09:00"))
        assert not moved[0].flips(at("2026-08-19 09:00"))
        assert not moved[0].flips(at("2026-08-21 09:00"))

    def test_a_year_that_arrives_makes_dates_computable(self) -> None:
        clock = OpenClock("year end", DAYS_5, at("2026-12-29 09:00"))

        moved = calendar_change(
            calendar(loaded_years=[2026]), calendar(loaded_years=[2026, 2027]), [clock]
        )

        assert moved[0].before is None
        assert moved[0].after is not None


def _at_least(office: WorkCalendar) -> Callable[[date], bool]:
    return lambda day: office.exception_on(day) is None


class TestProperties:
    @given(calendars, limits, instants, pauses(SHIFT_ONLY), days)
    def test_adding_a_holiday_never_makes_a_due_date_earlier(
        self,
        office: WorkCalendar,
        limit: TimeLimit,
        start: datetime,
        found: tuple[Pause, ...],
        day: date,
    ) -> None:
        assume(_at_least(office)(day))
        holiday = replace(office, exceptions=(*office.exceptions, *off(day.isoformat())))

        before, after = (compute_due(one, limit, start, found) for one in (office, holiday))

        assert before is not None
        assert after is not None
        assert after.due_on >= before.due_on

    @given(calendars, limits, instants, days)
    def test_adding_a_make_up_day_never_makes_a_due_date_later(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, day: date
    ) -> None:
        assume(_at_least(office)(day))
        assume(not office.is_working_day(day))
        added = DayException(on=day, kind=ExceptionKind.WORK, sessions=(MORNING,))
        made_up = replace(office, exceptions=(*office.exceptions, added))

        before, after = (compute_due(one, limit, start) for one in (office, made_up))

        assert before is not None
        assert after is not None
        assert after.due_on <= before.due_on

    @given(
        calendars, limits_in_sessions, instants, pauses(), instants, st.sampled_from(PausePolicy)
    )
    def test_a_pause_outside_working_time_changes_nothing(
        self,
        office: WorkCalendar,
        limit: TimeLimit,
        start: datetime,
        found: tuple[Pause, ...],
        begin: datetime,
        policy: PausePolicy,
    ) -> None:
        both = office.same_day_almanac
        end = instant_of(both.next_working(micros(begin)))
        assume(begin < end)
        assume(not any(one.started_at <= end and begin <= (one.ended_at or end) for one in found))
        idle = Pause(PauseKind.OTHER, begin, end, policy)

        assert compute_due(office, limit, start, (*found, idle)) == compute_due(
            office, limit, start, found
        )

    @given(calendars, limits, instants, pauses(), st.data())
    def test_splitting_a_pause_changes_nothing(
        self,
        office: WorkCalendar,
        limit: TimeLimit,
        start: datetime,
        found: tuple[Pause, ...],
        data: st.DataObject,
    ) -> None:
        assume(found)
        cut = data.draw(st.sampled_from(found))
        assert cut.ended_at is not None
        share = data.draw(st.integers(0, 100))
        middle = cut.started_at + (cut.ended_at - cut.started_at) * share / 100
        rest = [one for one in found if one is not cut]
        halves = [replace(cut, ended_at=middle), replace(cut, started_at=middle)]

        assert compute_due(office, limit, start, [*halves, *rest]) == compute_due(
            office, limit, start, found
        )

    @given(calendars, limits, instants, pauses())
    def test_the_order_of_pauses_changes_nothing(
        self,
        office: WorkCalendar,
        limit: TimeLimit,
        start: datetime,
        found: tuple[Pause, ...],
    ) -> None:
        shuffled = sorted(found, key=lambda pause: pause.started_at, reverse=True)

        assert compute_due(office, limit, start, shuffled) == compute_due(
            office, limit, start, found
        )

    @given(calendars, limits, instants, pauses())
    def test_the_four_parts_of_a_due_date_agree(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        computed = compute_due(office, limit, start, found)

        assert computed is not None
        last_instant = computed.due_at - timedelta(microseconds=1)
        assert office.local_date(last_instant) == computed.due_on
        assert computed.early_before < computed.due_at
        assert computed.early_before <= computed.on_time_until
        assert office.local_date(computed.early_before) <= computed.due_on
        assert computed.due_at > start
        if computed.by_instant:
            assert computed.on_time_until == computed.due_at
        else:
            assert computed.due_at <= computed.on_time_until + timedelta(microseconds=1)
            assert office.local_date(computed.on_time_until) == computed.due_on
            tomorrow = computed.on_time_until + timedelta(microseconds=1)
            assert office.local_date(tomorrow) == computed.due_on + timedelta(days=1)
            assert office.local_date(computed.early_before) == computed.due_on

    @given(calendars, instants, durations)
    def test_the_due_moment_of_hours_is_the_time_spent(
        self, office: WorkCalendar, start: datetime, duration: timedelta
    ) -> None:
        computed = due(office, TimeLimit.working_hours(duration), start)

        assert computed.due_at == office.add_working_time(start, duration)
        assert elapsed(office, start, computed.due_at).working_time == duration

    @given(calendars, working_day_limits, instants, pauses())
    def test_a_slow_count_day_by_day_gives_the_same_working_day(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        computed = compute_due(office, limit, start, found)

        assert computed is not None
        assert computed.due_on == _slow_working_days(office, limit, start, found)

    @given(calendars, calendar_day_limits, instants, pauses())
    def test_a_slow_count_day_by_day_gives_the_same_calendar_day(
        self, office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
    ) -> None:
        computed = compute_due(office, limit, start, found)

        assert computed is not None
        assert computed.due_on == _slow_calendar_days(office, limit, start, found)


def _slow_spans(start: datetime, found: tuple[Pause, ...]) -> list[tuple[datetime, datetime, bool]]:
    """Join pauses by sweeping over their ends, the slow way."""
    spans = list[tuple[datetime, datetime, bool]]()
    for one in sorted(found, key=lambda pause: pause.started_at):
        begin, end = max(one.started_at, start), one.ended_at
        if end is None or end <= begin:
            continue
        anew = one.policy is PausePolicy.RESTART
        if spans and begin <= spans[-1][1]:
            first, last, was = spans.pop()
            spans.append((first, max(last, end), was or anew))
        else:
            spans.append((begin, end, anew))
    return spans


def _slow_count(
    office: WorkCalendar, base: date, number: int, skips: list[tuple[date, date]]
) -> date:
    day, counted = base, 0
    while counted < number:
        day += timedelta(days=1)
        paused = any(first <= day < last for first, last in skips)
        counted += office.is_working_day(day) and not paused
    return day


def _slow_until(office: WorkCalendar, limit: TimeLimit, day: date) -> datetime:
    if not limit.is_half:
        zone = ZoneInfo(office.zone)
        midnight = datetime.combine(day + timedelta(days=1), time(), zone)
        return midnight.astimezone(UTC) - timedelta(microseconds=1)
    sessions = office.sessions_on(day)
    if len(sessions) > 1:
        return sessions[0][1]
    return sessions[0][0] + (sessions[0][1] - sessions[0][0]) / 2


def _slow_working_days(
    office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
) -> date:
    assert limit.value is not None
    number = -(-limit.value.numerator // limit.value.denominator)
    base, skips = office.local_date(start), list[tuple[date, date]]()
    answer = _slow_count(office, base, number, skips)
    for begin, end, anew in _slow_spans(start, found):
        if begin > _slow_until(office, limit, answer):
            break
        moved = office.next_working_instant(begin), office.next_working_instant(end)
        if moved[0] == moved[1]:
            continue
        if anew:
            base, skips = office.local_date(moved[1]), []
        else:
            skips.append((office.local_date(moved[0]), office.local_date(moved[1])))
        answer = _slow_count(office, base, number, skips)
    return answer


def _slow_calendar_days(
    office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
) -> date:
    assert limit.value is not None
    base, skips = office.local_date(start), list[tuple[date, date]]()

    def roll() -> date:
        day, counted = base, 0
        while counted < (limit.value or 0):
            day += timedelta(days=1)
            counted += not any(first <= day < last for first, last in skips)
        while not office.is_working_day(day) or any(first <= day < last for first, last in skips):
            day += timedelta(days=1)
        return day

    answer = roll()
    for begin, end, anew in _slow_spans(start, found):
        if begin > _slow_until(office, limit, answer):
            break
        if anew:
            base, skips = office.local_date(end), []
        else:
            skips.append((office.local_date(begin), office.local_date(end)))
        answer = roll()
    return answer
