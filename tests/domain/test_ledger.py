from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given

from app.domain.calendar import DayException, ExceptionKind, Session, WorkCalendar
from app.domain.deadline import Pause, TimeLimit, compute_due, promise
from app.domain.ledger import Ledger, LedgerUnit, explain
from app.domain.limits import LimitKind
from app.i18n import Language, phrase
from tests.clock_strategies import (
    SATURDAY_MORNING,
    at,
    calendar,
    calendars,
    hours,
    instants,
    limits,
    make_up,
    off,
    pauses,
    restart,
    shift,
)

MORNING = Session.parse("07:30", "11:30")


def reasons(ledger: Ledger) -> list[tuple[str, str]]:
    """Show the rows as short pairs."""
    return [(f"{row.on:%d/%m}", row.reason.value) for row in ledger.rows]


def test_each_day_is_counted_or_skipped_for_a_reason() -> None:
    holiday = DayException(
        on=date(2026, 9, 2),
        kind=ExceptionKind.OFF,
        title_vi="Quốc khánh",
        title_en="National Day",
        document="TB 1",
    )
    office = calendar([*off("2026-08-31"), make_up("2026-08-29"), holiday])
    pause = shift(at("2026-09-01 09:00"), at("2026-09-03 09:00"))

    ledger = explain(office, TimeLimit.working_days(3), at("2026-08-28 09:00"), (pause,))

    assert reasons(ledger) == [
        ("28/08", "start_day"),
        ("29/08", "make_up_day"),
        ("30/08", "weekend"),
        ("31/08", "day_off"),
        ("01/09", "paused"),
        ("02/09", "day_off"),
        ("03/09", "working_day"),
        ("04/09", "working_day"),
    ]
    assert [row.running_total for row in ledger.rows] == [0, 1, 1, 1, 1, 1, 2, 3]
    assert ledger.rows[5].params["title_vi"] == "Quốc khánh"
    assert phrase(Language.EN, ledger.rows[5].code, ledger.rows[5].params) == (
        "Day off: National Day"
    )
    assert phrase(Language.VI, ledger.rows[4].code, ledger.rows[4].params) == (
        "Tạm dừng: chờ thực hiện nghĩa vụ tài chính"
    )
    assert (ledger.calendar_id, ledger.calendar_version) == ("test", "1")


def test_a_restart_makes_the_days_before_it_void() -> None:
    pause = restart(at("2026-08-05 09:00"), at("2026-08-06 09:00"))

    ledger = explain(calendar(), TimeLimit.working_days(2), at("2026-08-03 09:00"), (pause,))

    assert reasons(ledger) == [
        ("03/08", "start_day"),
        ("04/08", "restarted"),
        ("05/08", "restarted"),
        ("06/08", "restarted"),
        ("07/08", "working_day"),
        ("08/08", "weekend"),
        ("09/08", "weekend"),
        ("10/08", "working_day"),
    ]
    assert ledger.total == 2


def test_half_a_day_counts_half() -> None:
    ledger = explain(calendar(), TimeLimit.working_days(Fraction(3, 2)), at("2026-08-03 09:00"))

    assert [row.counted for row in ledger.rows] == [0, 1, Fraction(1, 2)]


def test_calendar_days_count_weekends_and_roll_forward() -> None:
    ledger = explain(calendar(), TimeLimit.calendar_days(5), at("2026-08-03 09:00"))

    assert [reason for _, reason in reasons(ledger)] == [
        "start_day",
        *["calendar_day"] * 5,
        "weekend",
        "rolled_to",
    ]


def test_hours_are_listed_by_session_with_their_pauses() -> None:
    pause = shift(at("2026-08-03 10:00"), at("2026-08-03 14:00"))

    ledger = explain(
        calendar(), TimeLimit.working_hours(timedelta(hours=2)), at("2026-08-03 09:00"), (pause,)
    )

    assert ledger.unit is LedgerUnit.SECONDS
    assert [(row.opens_at, row.closes_at) for row in ledger.rows] == [
        (at("2026-08-03 07:30"), at("2026-08-03 09:00")),
        (at("2026-08-03 09:00"), at("2026-08-03 10:00")),
        (at("2026-08-03 10:00"), at("2026-08-03 11:30")),
        (at("2026-08-03 13:30"), at("2026-08-03 14:00")),
        (at("2026-08-03 14:00"), at("2026-08-03 15:00")),
    ]
    assert [(row.reason.value, int(row.counted)) for row in ledger.rows] == [
        ("before_start", 0),
        ("session", 3600),
        ("paused", 0),
        ("paused", 0),
        ("session", 3600),
    ]


def test_receipt_outside_hours_says_so() -> None:
    limit = TimeLimit.working_hours(timedelta(hours=1))

    late = explain(calendar(), limit, at("2026-08-08 09:00"))
    in_time = explain(calendar(), limit, at("2026-08-10 09:00"))

    assert late.started_at == at("2026-08-10 07:30")
    assert (late.start_code, in_time.start_code) == (
        "ledger.start_at_opening",
        "ledger.start_at_receipt",
    )


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2026-08-03 09:00", [("03/08", "received_in_time")]),
        ("2026-08-07 15:30", [("07/08", "after_cutoff"), ("08/08", "reception_day")]),
        (
            "2026-08-08 12:00",
            [("08/08", "after_close"), ("09/08", "weekend"), ("10/08", "changed_hours")],
        ),
    ],
)
def test_same_day_limits_say_why_it_is_not_the_same_day(
    received: str, expected: list[tuple[str, str]]
) -> None:
    office = calendar([hours("2026-08-10", MORNING)], reception=SATURDAY_MORNING)

    assert reasons(explain(office, TimeLimit.same_day(), at(received))) == expected


def test_reception_only_days_and_yearly_days_are_named() -> None:
    office = calendar(reception=SATURDAY_MORNING, yearly_off=["08-10"])

    ledger = explain(office, TimeLimit.working_days(1), at("2026-08-07 09:00"))

    assert [reason for _, reason in reasons(ledger)] == [
        "start_day",
        "reception_only",
        "weekend",
        "yearly_off",
        "working_day",
    ]


def test_a_pause_after_the_due_moment_is_listed_without_effect() -> None:
    late = shift(at("2026-08-20 09:00"), at("2026-08-21 09:00"))
    within = shift(at("2026-08-04 09:00"), at("2026-08-05 09:00"))

    ledger = explain(calendar(), TimeLimit.working_days(2), at("2026-08-03 09:00"), (late, within))

    assert [effect.effective for effect in ledger.pauses] == [True, False]
    first = ledger.pauses[0]
    assert first.due_before is not None
    assert first.due_after is not None
    assert (first.due_before.due_on, first.due_after.due_on) == (
        date(2026, 8, 5),
        date(2026, 8, 6),
    )


def test_an_open_pause_is_taken_to_end_at_the_instant_asked_for() -> None:
    waiting = (shift(at("2026-08-04 09:00"), None),)

    ledger = explain(
        calendar(),
        TimeLimit.working_days(2),
        at("2026-08-03 09:00"),
        waiting,
        at=at("2026-08-06 09:00"),
    )
    closed = (shift(at("2026-08-04 09:00"), at("2026-08-06 09:00")),)
    again = explain(
        calendar(),
        TimeLimit.working_days(2),
        at("2026-08-03 09:00"),
        closed,
        at=at("2026-08-09 09:00"),
    )

    assert (again.suspended, again.rows) == (None, ledger.rows)
    assert ledger.suspended is not None
    assert ledger.suspended.days_left == 2
    assert ledger.due is not None
    assert ledger.due.due_on == date(2026, 8, 7)
    assert ledger.total == 2


def test_a_promise_is_accounted_for_in_its_own_working_days() -> None:
    told = promise(calendar(), at("2026-08-06 17:00"), by_instant=False)

    ledger = explain(calendar(), None, at("2026-08-03 09:00"), promised=told)

    assert ledger.total == 3
    assert ledger.legal_basis is None
    assert ledger.due == told


def test_a_promise_by_instant_is_accounted_for_in_time() -> None:
    told = promise(calendar(), at("2026-08-03 10:30"), by_instant=True)

    ledger = explain(calendar(), None, at("2026-08-03 09:00"), promised=told)

    assert ledger.total == 5400


def test_without_a_limit_there_is_nothing_to_count() -> None:
    ledger = explain(calendar(), TimeLimit.none(), at("2026-08-03 09:00"))

    assert ledger.rows == ()
    assert ledger.due is None
    assert ledger.total == 0


@given(calendars, limits, instants, pauses())
def test_counted_rows_sum_to_the_limit_and_end_on_the_due_day(
    office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
) -> None:
    ledger = explain(office, limit, start, found)

    assert ledger.due == compute_due(office, limit, start, found)
    assert ledger.due is not None
    assert ledger.rows[-1].on == ledger.due.due_on
    assert ledger.total == sum(row.counted for row in ledger.rows)
    match limit.kind:
        case LimitKind.WORKING_HOURS:
            assert limit.duration is not None
            assert ledger.total == Fraction(limit.duration / timedelta(microseconds=1)) / 10**6
        case LimitKind.SAME_DAY:
            assert ledger.total == 1
        case _:
            assert ledger.total == limit.value


@given(calendars, limits, instants, pauses())
def test_every_row_has_a_sentence_in_both_languages(
    office: WorkCalendar, limit: TimeLimit, start: datetime, found: tuple[Pause, ...]
) -> None:
    ledger = explain(office, limit, start, found)

    for language in Language:
        assert phrase(language, ledger.start_code)
        assert all(phrase(language, row.code, row.params) for row in ledger.rows)
