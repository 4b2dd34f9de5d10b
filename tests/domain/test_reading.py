"""The four readings: what moves a promise, and what only moves what is sent."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import History, Issue, gather
from app.domain.limits import TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, PauseKind, PausePolicy
from app.domain.procedure import LimitVersion, Procedure
from app.domain.reading import Clocked, Terms, read
from app.domain.record import Channel, ExtensionTold, Message, MessageKind, PauseTold, Status, Told
from app.domain.timeliness import FINISHES, Flow, Reading, State
from app.rulebook.calendars import load_state_calendar
from tests.strategies import histories, message

HCM = ZoneInfo("Asia/Ho_Chi_Minh")
CALENDAR = load_state_calendar()
INTAKE = TimeLimit.working_hours(timedelta(hours=8))
FIVE_DAYS = Procedure("P", (LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1)),))
TERMS = Terms(CALENDAR, FIVE_DAYS, INTAKE)
UNITS = {(0, "A"): 1, (0, "B"): 2}


def at(day: int, hour: int = 9, minute: int = 0, month: int = 3) -> datetime:
    """Return an instant of March 2026 in Viet Nam; the second is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=HCM)


def record(stamp: datetime, *, learned: datetime | None = None, **facts: object) -> Message:
    """Return a record of a dossier received on Monday 2 March and promised for the 9th."""
    told = Told(unit="A", procedure="P", channel=Channel.ONLINE, received_at=at(2))
    told.update(facts)  # type: ignore[typeddict-item]  # the tests name facts by keyword
    return message(told, at=stamp, recorded_at=learned)


def event(
    kind: MessageKind, when: datetime, *, learned: datetime | None = None, **facts: object
) -> Message:
    """Return an event."""
    told = Told()
    told.update(facts)  # type: ignore[typeddict-item]  # the tests name facts by keyword
    return message(told, at=when, kind=kind, recorded_at=learned)


def fold(*messages: Message, terms: Terms = TERMS) -> Clocked:
    """Fold messages in the order of arrival."""
    return read(gather(messages, UNITS), terms)


def due_on(clocked: Clocked, reading: Reading = Reading.PROMISED) -> date | None:
    """Return the day that a reading holds last."""
    due = clocked.due(reading)
    return None if due is None else due.due_on


def state(clocked: Clocked, when: datetime, reading: Reading = Reading.PROMISED) -> State | None:
    """Return the state just before an instant."""
    edges = [edge for edge in clocked.edges(reading) if edge.at < when]
    return edges[-1].state if edges else None


DUE = at(9, 17)


def test_without_a_promise_the_statutory_date_is_the_promise() -> None:
    found = fold(record(at(2)))

    assert found.due_origin == "computed"
    assert due_on(found) == due_on(found, Reading.STATUTORY) == date(2026, 3, 9)


def test_a_shorter_promise_judges_and_differs_from_the_law() -> None:
    found = fold(record(at(2), due_at=at(5, 17)))

    assert due_on(found) == date(2026, 3, 5)
    assert due_on(found, Reading.STATUTORY) == date(2026, 3, 9)
    assert Issue.DUE_NOT_REPRODUCIBLE in found.issues


@pytest.mark.parametrize(("told", "days"), [(5, -2), (9, 0), (16, 5), (15, 4)])
def test_the_difference_to_the_law_has_its_size_in_working_days(told: int, days: int) -> None:
    assert fold(record(at(2), due_at=at(told, 17))).due_difference_working_days == days


def test_there_is_no_difference_without_two_dates() -> None:
    unknown = fold(record(at(2), due_at=at(9), procedure="?"), terms=replace(TERMS, procedure=None))

    assert fold(record(at(2))).due_difference_working_days is None
    assert unknown.due_difference_working_days is None
    assert fold(record(at(2), due_at=at(9).replace(year=2031))).due_difference_working_days is None


def test_a_changed_due_date_without_a_reason_moves_only_what_is_sent() -> None:
    found = fold(record(at(2), due_at=DUE), record(at(10), due_at=at(20, 17)))

    assert due_on(found) == date(2026, 3, 9)
    assert due_on(found, Reading.AS_SENT) == date(2026, 3, 20)
    assert [one.reason for one in found.revisions] == ["initial", "silent_change"]
    assert Issue.DUE_CHANGED_SILENTLY in found.issues


def test_an_older_record_learned_in_time_holds_the_first_promise() -> None:
    newer = record(at(4), due_at=at(12, 17))
    older = record(at(2), due_at=DUE, learned=at(5))

    assert due_on(fold(newer, older)) == date(2026, 3, 9)


def test_an_older_record_learned_after_the_promise_passed_moves_nothing_later() -> None:
    held = record(at(4), due_at=DUE)
    forged = record(at(3), due_at=at(27, 17), learned=at(11))

    assert due_on(fold(held, forged)) == date(2026, 3, 9)


def test_the_due_day_itself_is_in_time_to_its_last_instant() -> None:
    found = fold(record(at(2), due_at=DUE))

    assert state(found, at(10, 0)) is State.OPEN_IN_TIME
    assert state(found, at(10, 0, 1)) is State.OPEN_OVERDUE


@pytest.mark.parametrize(
    ("finished", "expected"),
    [
        (at(6, 10), State.FINISHED_EARLY),
        (at(9, 0), State.FINISHED_ON_TIME),
        (at(9, 23, 59), State.FINISHED_ON_TIME),
        (at(10, 0), State.FINISHED_LATE),
    ],
)
def test_a_finish_is_judged_by_the_local_day(finished: datetime, expected: State) -> None:
    found = fold(record(at(11), due_at=DUE, finished_at=finished, status=Status.FINISHED))

    assert state(found, at(20)) is expected


def test_the_first_finish_judges_and_a_later_change_moves_only_what_is_sent() -> None:
    told = record(at(11), due_at=DUE, finished_at=at(11), status=Status.FINISHED)
    rewritten = record(at(12), finished_at=at(9, 16), status=Status.FINISHED)

    found = fold(told, rewritten)

    assert state(found, at(20)) is State.FINISHED_LATE
    assert state(found, at(20), Reading.AS_SENT) is State.FINISHED_ON_TIME
    assert Issue.FINISH_DATE_CHANGED in found.issues


def test_an_approved_correction_of_the_finish_judges() -> None:
    told = record(at(11), due_at=DUE, finished_at=at(11), status=Status.FINISHED)
    approved = event(MessageKind.CORRECTION, at(13), finished_at=at(9, 16), approved=True)

    assert state(fold(told, approved), at(20)) is State.FINISHED_ON_TIME


def test_a_shift_skips_the_paused_days() -> None:
    pause = PauseTold("payment", at(4), at(6))
    found = fold(record(at(7), due_at=DUE, pauses=(pause,)))

    assert due_on(found) == date(2026, 3, 11)
    assert state(found, at(5)) is State.PAUSED
    assert [one.reason for one in found.revisions] == ["initial", "pause_shift"]


def test_a_supplement_restarts_the_whole_promise() -> None:
    pause = PauseTold("supplement", at(4), at(11))
    found = fold(record(at(12), due_at=DUE, pauses=(pause,)))

    assert due_on(found) == date(2026, 3, 18)
    assert found.revisions[-1].reason == "supplement_restart"


def test_a_pause_begun_after_the_due_date_leaves_it_late() -> None:
    pause = PauseTold("supplement", at(10), at(16))
    found = fold(record(at(17), due_at=DUE, pauses=(pause,)))

    assert due_on(found) == date(2026, 3, 9)
    assert state(found, at(12)) is State.OPEN_OVERDUE


def test_an_open_pause_ends_with_the_finish() -> None:
    pause = PauseTold("payment", at(4), None)
    found = fold(
        record(at(16), due_at=DUE, pauses=(pause,), finished_at=at(13), status=Status.FINISHED)
    )

    assert state(found, at(20)) is State.FINISHED_EARLY


def test_the_status_alone_tells_a_pause_until_an_explicit_one_replaces_it() -> None:
    asked = record(at(4), due_at=DUE, status=Status.AWAITING_PAYMENT)
    resumed = record(at(6), status=Status.PROCESSING)
    explicit = record(at(7), pauses=(PauseTold("payment", at(4), at(5)),))

    assert due_on(fold(asked, resumed)) == date(2026, 3, 11)
    assert due_on(fold(asked, resumed, explicit)) == date(2026, 3, 10)


def test_an_extension_in_time_moves_the_extended_reading_alone() -> None:
    letter = ExtensionTold(at(6), at(16, 17), "12/TB")
    found = fold(record(at(6), due_at=DUE, extension=letter))

    assert due_on(found) == date(2026, 3, 9)
    assert due_on(found, Reading.EXTENDED) == date(2026, 3, 16)
    assert state(found, at(12)) is State.OPEN_OVERDUE
    assert state(found, at(12), Reading.EXTENDED) is State.OPEN_IN_TIME


def test_an_extension_on_the_due_day_counts_and_is_flagged() -> None:
    found = fold(record(at(9), due_at=DUE, extension=ExtensionTold(at(9, 15), at(16, 17))))

    assert due_on(found, Reading.EXTENDED) == date(2026, 3, 16)
    assert Issue.NOTICE_LATE in found.issues


def test_a_late_or_second_extension_is_listed_and_moves_nothing() -> None:
    late = fold(record(at(12), due_at=DUE, extension=ExtensionTold(at(11), at(16, 17))))
    twice = fold(
        record(at(6), due_at=DUE, extension=ExtensionTold(at(6), at(12, 17))),
        record(at(11), extension=ExtensionTold(at(11), at(20, 17))),
    )

    assert due_on(late, Reading.EXTENDED) == date(2026, 3, 9)
    assert Issue.EXTENSION_TOO_LATE in late.issues
    assert due_on(twice, Reading.EXTENDED) == date(2026, 3, 12)
    assert Issue.SECOND_EXTENSION in twice.issues


def test_a_correction_learned_in_time_moves_the_promise() -> None:
    slip = record(at(2), due_at=at(3, 17))
    right = event(MessageKind.CORRECTION, at(3), learned=at(3, 10), due_at=DUE)

    assert due_on(fold(slip, right)) == date(2026, 3, 9)


def test_a_correction_learned_late_waits_for_a_superior() -> None:
    held = record(at(2), due_at=at(5, 17))
    asked = event(MessageKind.CORRECTION, at(10), due_at=DUE)
    approved = event(MessageKind.CORRECTION, at(11), due_at=DUE, approved=True)

    waiting, granted = fold(held, asked), fold(held, asked, approved)

    assert due_on(waiting) == date(2026, 3, 5)
    assert due_on(waiting, Reading.AS_SENT) == date(2026, 3, 9)
    assert due_on(granted) == date(2026, 3, 9)
    assert Issue.LATE_BEFORE_CORRECTION in granted.issues


def test_a_reopened_dossier_is_finished_twice() -> None:
    found = fold(
        record(at(6), due_at=DUE, finished_at=at(6), status=Status.FINISHED),
        record(at(11), status=Status.PROCESSING),
        record(at(13), finished_at=at(13), status=Status.FINISHED),
    )

    flows = [edge.flow for edge in found.edges(Reading.PROMISED) if edge.flow is not Flow.NONE]
    assert flows == [
        Flow.RECEIVED,
        Flow.FINISHED_EARLY,
        Flow.REOPENED,
        Flow.FINISHED_LATE,
    ]


def test_a_withdrawal_after_the_due_moment_is_also_counted_late() -> None:
    found = fold(record(at(12), due_at=DUE, ended_at=at(11), status=Status.WITHDRAWN))

    assert found.edges(Reading.PROMISED)[-1].flow is Flow.WITHDRAWN_LATE


def test_a_finished_status_without_any_date_stays_open() -> None:
    found = fold(record(at(4), due_at=DUE, status=Status.FINISHED))

    assert state(found, at(5)) is State.OPEN_IN_TIME
    assert Issue.FINISHED_WITHOUT_DATE in found.issues


def test_a_refusal_at_intake_is_not_judged_and_a_refusal_after_receipt_is() -> None:
    before = fold(
        message(
            Told(unit="A", procedure="P", status=Status.REFUSED_AT_INTAKE, ended_at=at(3)), at=at(3)
        )
    )
    after = fold(record(at(12), due_at=DUE, status=Status.REFUSED_AT_INTAKE, ended_at=at(12)))

    assert state(before, at(5)) is State.REFUSED_AT_INTAKE
    assert state(after, at(15)) is State.FINISHED_LATE


def test_waiting_for_intake_becomes_overdue_after_eight_working_hours() -> None:
    told = Told(unit="A", procedure="P", status=Status.SUBMITTED, submitted_at=at(2, 9))
    found = fold(message(told, at=at(2, 9)))

    assert state(found, at(3, 9)) is State.AWAITING_INTAKE_IN_TIME
    assert state(found, at(4, 9)) is State.AWAITING_INTAKE_OVERDUE


def test_a_year_not_loaded_leaves_the_dossier_without_a_due_date() -> None:
    far = datetime(2031, 3, 3, 9, tzinfo=HCM)
    found = fold(message(Told(unit="A", procedure="P", received_at=far), at=far))

    assert found.due(Reading.PROMISED) is None
    assert Issue.DUE_NOT_COMPUTABLE in found.issues


def test_the_policy_of_the_procedure_decides_what_a_supplement_does() -> None:
    policies = {**DEFAULT_POLICIES, PauseKind.SUPPLEMENT: PausePolicy.SHIFT}
    version = LimitVersion(TimeLimit.working_days(5), date(2020, 1, 1), policies=policies)
    terms = replace(TERMS, procedure=Procedure("P", (version,)))
    pause = PauseTold("supplement", at(4), at(6))

    found = fold(record(at(7), due_at=DUE, pauses=(pause,)), terms=terms)

    assert due_on(found) == date(2026, 3, 11)


def test_unstamped_news_with_one_newest_date_counts_by_arrival() -> None:
    first = replace(record(at(3), due_at=DUE, status=Status.PROCESSING), stamped=False)
    second = replace(
        record(at(3), due_at=DUE, status=Status.AWAITING_PAYMENT, learned=at(5)), stamped=False
    )

    found = fold(first, second)

    assert found.pauses[0].started_at == at(5)
    assert state(found, at(6)) is State.PAUSED


@given(histories(("A", "B")), st.randoms(use_true_random=False), st.sampled_from(Reading))
def test_stamped_records_learned_at_once_fold_alike_in_any_order(
    messages: list[Message], random: Random, reading: Reading
) -> None:
    learned = datetime(2026, 1, 1, tzinfo=UTC)
    ordered = [replace(one, recorded_at=learned) for one in messages]
    shuffled = list(ordered)
    random.shuffle(shuffled)

    one, other = _history(ordered), _history(shuffled)

    assert one == other
    assert read(one, TERMS).edges(reading) == read(other, TERMS).edges(reading)


@given(histories(("A", "B")), st.data())
def test_a_message_told_twice_changes_nothing(messages: list[Message], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(messages))

    once, twice = _history(messages), _history([*messages, again])

    assert read(once, TERMS).edges(Reading.PROMISED) == read(twice, TERMS).edges(Reading.PROMISED)


def _history(messages: list[Message]) -> History:
    return gather(messages, UNITS)


def taken(clocked: Clocked, reading: Reading = Reading.PROMISED) -> list[int | None]:
    """Return the working days that each finish took."""
    return [
        clocked.days_taken(edge)
        for edge in clocked.edges(reading)
        if edge.flow in FINISHES.values()
    ]


def test_a_finish_took_the_working_days_after_the_clock_started() -> None:
    assert taken(fold(record(at(9), finished_at=at(9)))) == [5]
    assert taken(fold(record(at(2), finished_at=at(2, 16)))) == [0]
    assert taken(fold(record(at(3)))) == []


def test_pauses_and_times_of_being_closed_take_no_days() -> None:
    paused = (PauseTold("supplement", at(4), at(6)),)
    again = fold(
        record(at(4), finished_at=at(4)),
        event(MessageKind.REOPENING, at(10)),
        record(at(12), finished_at=at(12)),
    )

    assert taken(fold(record(at(9), finished_at=at(9), pauses=paused))) == [3]
    assert taken(again) == [2, 4]


def test_a_finish_moved_to_another_unit_took_its_days_only_once() -> None:
    found = fold(record(at(4), finished_at=at(4)), event(MessageKind.TRANSFER, at(5), unit="B"))

    assert [found.days_taken(edge) for edge in found.edges(Reading.PROMISED)] == [
        None,
        2,
        None,
        None,
    ]


def test_days_in_a_year_that_is_not_loaded_are_not_guessed() -> None:
    late = at(9).replace(year=2031)

    assert taken(fold(record(late, finished_at=late))) == [None]
