"""The account of a dossier's due date is the account of the due date that was stored."""

from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.account import account
from app.domain.almanac import CalendarYearMissing
from app.domain.deadline import Due
from app.domain.dossier import Issue, gather
from app.domain.ledger import Ledger, LedgerUnit
from app.domain.limits import LimitKind, TimeLimit
from app.domain.procedure import LimitVersion, Procedure
from app.domain.reading import Clocked, Terms, read
from app.domain.record import ExtensionTold, Message, PauseTold, Status, Told
from app.domain.timeliness import Reading
from tests.domain.test_reading import CALENDAR, HCM, INTAKE, UNITS, at, due_on, record
from tests.strategies import FIRST, histories, message

LIMITS = (
    TimeLimit.working_days(5),
    TimeLimit.working_days(Fraction(5, 2)),
    TimeLimit.calendar_days(10),
    TimeLimit.working_hours(timedelta(hours=20)),
    TimeLimit.same_day(),
    TimeLimit.none(),
)
LATER = FIRST + timedelta(days=400)


def clocked_under(limit: TimeLimit, messages: list[Message]) -> Clocked:
    procedure = Procedure("P", (LimitVersion(limit, date(2020, 1, 1)),))
    return read(gather(messages, UNITS), Terms(CALENDAR, procedure, INTAKE))


def judging(due: Due | None) -> tuple[object, ...] | None:
    if due is None:
        return None
    return due.due_on, due.due_at, due.early_before, due.on_time_until, due.by_instant


def standing(ledger: Ledger | None) -> Due | None:
    """Return the due date that the account is of: while a pause is open, the one before it."""
    if ledger is None:
        return None
    return ledger.suspended.due_before if ledger.suspended is not None else ledger.due


@settings(max_examples=200)
@given(st.sampled_from(LIMITS), histories(), st.sampled_from(Reading))
def test_the_account_ends_at_the_due_date_that_judges(
    limit: TimeLimit, messages: list[Message], reading: Reading
) -> None:
    clocked = clocked_under(limit, messages)

    found = account(clocked, reading, as_of=LATER)

    assert judging(standing(found)) == judging(clocked.due(reading))


@settings(max_examples=200)
@given(st.sampled_from(LIMITS), histories())
def test_the_counted_rows_sum_to_the_limit(limit: TimeLimit, messages: list[Message]) -> None:
    found = account(clocked_under(limit, messages), Reading.STATUTORY, as_of=LATER)

    if found is None:
        return
    if limit.kind is LimitKind.WORKING_HOURS:
        assert found.unit is LedgerUnit.SECONDS
        assert found.total == 20 * 3600
    else:
        assert found.total == (limit.value or 1)
    assert found.total == sum(row.counted for row in found.rows)


@settings(max_examples=200)
@given(st.sampled_from(LIMITS[:1] + LIMITS[2:3]), histories(), st.sampled_from(Reading))
def test_a_promise_keeps_its_number_of_working_days(
    limit: TimeLimit, messages: list[Message], reading: Reading
) -> None:
    clocked = clocked_under(limit, messages)

    found = account(clocked, reading, as_of=LATER)

    if found is None or found.promised is None:
        return
    began_on = CALENDAR.local_date(found.received_at)
    told_on = found.promised.due_on
    if told_on > began_on and CALENDAR.is_working_day(told_on):
        assert found.total == CALENDAR.working_days_between(began_on, told_on)


def test_a_year_that_is_missing_is_named_in_the_place_of_the_account() -> None:
    told = Told(unit="A", procedure="P", received_at=datetime(2027, 12, 29, 9, tzinfo=HCM))
    clocked = clocked_under(LIMITS[0], [message(told, at=FIRST)])

    assert Issue.DUE_NOT_COMPUTABLE in clocked.issues
    with pytest.raises(CalendarYearMissing) as caught:
        account(clocked, Reading.STATUTORY, as_of=LATER)
    assert caught.value.year == 2028


def test_what_was_sent_last_is_accounted_for_as_it_was_sent() -> None:
    clocked = clocked_under(
        LIMITS[0],
        [
            record(at(2), due_at=at(9, 17), pauses=(PauseTold("supplement", at(3), at(5)),)),
            record(at(6), due_at=at(20, 17)),
        ],
    )

    promised = account(clocked, Reading.PROMISED, as_of=LATER)
    sent = account(clocked, Reading.AS_SENT, as_of=LATER)

    assert promised is not None
    assert sent is not None
    assert (promised.due and promised.due.due_on) == date(2026, 3, 12)
    assert (sent.due and sent.due.due_on) == date(2026, 3, 20)
    assert sent.total == 14
    assert sent.pauses == ()


def test_a_dossier_without_a_receipt_has_nothing_to_account_for() -> None:
    clocked = clocked_under(LIMITS[0], [message(Told(unit="A", procedure="P"), at=FIRST)])

    assert account(clocked, Reading.PROMISED, as_of=LATER) is None


def test_a_pause_in_which_a_letter_extends_does_not_move_the_new_date() -> None:
    letter = ExtensionTold(at(4), at(20, 17), "12/TB")
    pauses = (PauseTold("payment", at(3), at(6)), PauseTold("payment", at(5), at(10)))
    clocked = clocked_under(LIMITS[0], [record(at(2), extension=letter, pauses=pauses)])

    assert due_on(clocked, Reading.EXTENDED) == date(2026, 3, 20)


def test_a_pause_after_the_finish_moves_nothing() -> None:
    late = (PauseTold("supplement", at(5), at(20)),)
    finished = record(at(4), finished_at=at(4), status=Status.FINISHED, pauses=late)
    clocked = clocked_under(LIMITS[0], [record(at(2)), finished])

    assert due_on(clocked) == date(2026, 3, 9)
    assert clocked.pauses == ()
