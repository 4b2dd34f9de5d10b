"""Messages read into a history: the order of news, stays, pauses, ends and the first promise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.dossier import Ending, Issue, gather, gather_all, in_order, plain_history
from app.domain.record import ExtensionTold, Message, MessageKind, PauseTold, Status, Told
from app.domain.stay import Heir, Stay
from tests.strategies import histories, message, plain_histories

UNITS = {(0, "A"): 1, (0, "B"): 2, (7, "A"): 9}


def at(day: int, hour: int = 2) -> datetime:
    """Return an instant of March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def record(day: int, **facts: object) -> Message:
    """Return a record with a stamp."""
    told = Told(unit="A")
    told.update(facts)  # type: ignore[typeddict-item]  # the tests name facts by keyword
    return message(told, at=at(day))


def test_news_is_ordered_by_stamp_and_then_by_canonical_form() -> None:
    one, other = record(3, contacts=1), record(3, contacts=2)
    first, second = sorted([one, other], key=lambda each: each.digest)

    assert in_order([record(5), second, first]) == [first, second, record(5)]


def test_unstamped_news_of_one_date_is_ordered_by_arrival() -> None:
    one = replace(record(3, contacts=1), stamped=False)
    other = replace(record(3, contacts=2), stamped=False)

    assert in_order([other, one]) == [other, one]
    assert in_order([one, other]) == [one, other]


def test_absent_keeps_null_erases_and_a_value_replaces() -> None:
    history = gather(
        [record(2, contacts=1, case="a"), record(3), record(4, contacts=None, case="b")], UNITS
    )

    assert history.facts["contacts"] is None
    assert history.facts["case"] == "b"


def test_a_word_for_a_unit_is_looked_up_below_the_root_of_its_sender() -> None:
    history = gather([replace(record(2), root=7)], UNITS)

    assert history.stays == (Stay(9, None),)


def test_another_unit_in_newer_news_is_a_transfer_at_its_stamp() -> None:
    history = gather([record(2), record(4, unit="B"), record(5, unit="B")], UNITS)

    assert history.stays == (Stay(1, None), Stay(2, at(4)))


def test_a_dossier_of_which_only_events_are_known_stays_nowhere() -> None:
    step = message(Told(status=Status.PROCESSING), at=at(2), kind=MessageKind.STEP)

    assert gather([step], UNITS, nowhere=5).stays == (Stay(5, None),)
    with pytest.raises(KeyError):
        gather([step], UNITS)


def test_a_pausing_status_is_a_pause_until_the_next_other_status() -> None:
    history = gather(
        [
            record(2, status=Status.PROCESSING),
            record(4, status=Status.AWAITING_SUPPLEMENT),
            record(5, status=Status.AWAITING_SUPPLEMENT),
            record(6, status=Status.PROCESSING),
        ],
        UNITS,
    )

    assert history.inferred == (PauseTold("supplement", at(4), at(6)),)


def test_an_explicit_pause_of_the_kind_replaces_the_inferred_one() -> None:
    explicit = PauseTold("supplement", at(4, 5), at(5))
    history = gather(
        [
            record(4, status=Status.AWAITING_SUPPLEMENT),
            record(6, status=Status.PROCESSING, pauses=(explicit,)),
        ],
        UNITS,
    )

    assert history.inferred == ()
    assert history.pauses == (explicit,)


def test_stopped_with_an_outcome_is_an_end_and_without_is_a_pause() -> None:
    ended = gather([record(4, status=Status.STOPPED, ended_at=at(4))], UNITS)
    paused = gather([record(4, status=Status.STOPPED)], UNITS)

    assert [one.ending for one in ended.closings] == [Ending.STOPPED]
    assert paused.closings == ()
    assert paused.inferred == (PauseTold("stopped", at(4), None),)


def test_a_withdrawal_without_a_date_ends_at_its_stamp_and_says_so() -> None:
    history = gather([record(4, status=Status.WITHDRAWN)], UNITS)

    assert history.closings[0].at == at(4)
    assert Issue.END_INFERRED in history.issues


def test_a_return_without_a_finish_is_the_finish_until_one_is_told() -> None:
    returned = record(6, status=Status.RETURNED, returned_at=at(6))
    guessed = gather([returned], UNITS)
    told = gather([returned, record(7, finished_at=at(5))], UNITS)

    assert guessed.closings[0].at == at(6)
    assert Issue.FINISH_FROM_RETURN in guessed.issues
    assert told.closings[0].at == at(5)
    assert Issue.FINISH_FROM_RETURN not in told.issues


def test_an_open_status_newer_than_the_finish_reopens() -> None:
    finished = record(5, status=Status.FINISHED, finished_at=at(5))
    reopened = gather([finished, record(7, status=Status.PROCESSING)], UNITS)
    older = gather([finished, record(4, status=Status.PROCESSING)], UNITS)

    assert reopened.closings[0].reopened_at == at(7)
    assert older.closings[0].reopened_at is None


def test_an_end_dated_before_its_reopening_counts_from_the_reopening() -> None:
    history = gather(
        [
            record(5, status=Status.FINISHED, finished_at=at(5)),
            record(7, status=Status.PROCESSING),
            record(8, status=Status.FINISHED, finished_at=at(6)),
        ],
        UNITS,
    )

    assert [one.at for one in history.closings] == [at(5), at(7)]


def test_a_status_that_goes_backwards_is_accepted_and_noticed() -> None:
    history = gather(
        [record(5, status=Status.FINISHED), record(6, status=Status.PROCESSING)], UNITS
    )

    assert history.facts["status"] is Status.PROCESSING
    assert Issue.STATUS_BACKWARDS in history.issues


def test_pause_and_resume_events_make_an_interval() -> None:
    pause = message(Told(pause_kind="payment"), at=at(3), kind=MessageKind.PAUSE)
    resume = message(Told(pause_kind="payment"), at=at(5), kind=MessageKind.RESUME)

    history = gather([record(2), resume, pause], UNITS)

    assert history.pauses == (PauseTold("payment", at(3), at(5)),)


def test_the_first_letter_of_apology_is_kept_and_an_exemption_beside_it() -> None:
    letters = [
        message(Told(document="2"), at=at(6), kind=MessageKind.APOLOGY),
        message(Told(document="1"), at=at(5), kind=MessageKind.APOLOGY),
        message(Told(exempt=True), at=at(7), kind=MessageKind.APOLOGY),
    ]

    history = gather([record(2), *letters], UNITS)

    assert history.apology_at == at(5)
    assert history.apology_exempt


def test_one_letter_told_twice_is_one_extension_whatever_number_it_gets() -> None:
    letter = ExtensionTold(at(6), at(16))
    numbered = ExtensionTold(at(6), at(16), "12/TB")
    event = message(Told(due_at=at(16)), at=at(6), kind=MessageKind.EXTENSION)

    history = gather([record(6, extension=letter), record(7, extension=numbered), event], UNITS)

    assert history.extensions == (numbered,)


def test_the_rules_are_those_known_when_the_receipt_was_told() -> None:
    told_later = replace(record(4, received_at=at(3)), recorded_at=at(9))
    applied = message(Told(due_at=at(20)), at=at(12), kind=MessageKind.CALENDAR_CHANGE)

    before = gather([record(2), told_later], UNITS)
    after = gather([record(2), told_later, applied], UNITS)

    assert before.rules_known_at == at(9)
    assert after.rules_known_at == at(12) + timedelta(minutes=1)


def test_the_date_before_the_first_supplement_is_the_promise() -> None:
    moved, before = at(20), at(12)
    pause = PauseTold("supplement", at(4), at(10), moved, before)
    later = PauseTold("supplement", at(15), old_due_at=moved)
    told = record(16, received_at=at(2), due_at=moved, pauses=(later, pause))

    history = gather([told], UNITS)

    assert history.promise is not None
    assert history.promise.due_at == before
    assert history.facts.get("due_at") == moved


@settings(max_examples=600)
@given(
    st.one_of(plain_histories(), histories(("A", "B"))),
    st.integers(1, 2),
)
def test_plain_records_are_read_as_any_other_messages(told: list[Message], ceased: int) -> None:
    heirs = {ceased: Heir(3, at(20))}

    for known in ({}, heirs):
        plain = plain_history(told, UNITS, known)
        whole = gather_all(told, UNITS, heirs=known)

        assert gather(told, UNITS, heirs=known) == whole
        assert plain in (None, whole)


@pytest.mark.parametrize(
    "facts",
    [
        {"status": Status.PROCESSING, "received_at": at(2), "due_at": at(9)},
        {"status": Status.FINISHED, "finished_at": at(5), "pauses": ()},
        {"status": Status.RETURNED, "returned_at": at(6), "document": "1/QĐ"},
        {"status": Status.PROCESSING, "pauses": (PauseTold("other", at(3)),)},
        {"received_at": at(2), "finished_at": None, "extension": None},
    ],
)
def test_most_records_are_plain(facts: dict[str, object]) -> None:
    one = record(3, **facts)

    plain = plain_history([one], UNITS)

    assert plain is not None
    assert plain == gather_all([one], UNITS)


def test_a_dossier_told_on_its_way_is_plain_until_its_finish_is_moved() -> None:
    known: dict[str, object] = {"received_at": at(2), "due_at": at(9)}
    paused = {"pauses": (PauseTold("supplement", at(3), at(4)),)}
    told = [
        record(3, **known, status=Status.PROCESSING),
        record(6, **known, **paused, status=Status.FINISHED, finished_at=at(6)),
        record(8, **known, **paused, status=Status.RETURNED, finished_at=at(6), returned_at=at(7)),
        record(2, **known, status=Status.RECEIVED),
    ]

    plain = plain_history(told, UNITS)

    assert plain is not None
    assert plain == gather_all(told, UNITS)
    moved = record(9, **known, status=Status.FINISHED, finished_at=at(5))
    reopened = record(9, **known, status=Status.PROCESSING)
    assert plain_history([*told, moved], UNITS) is None
    assert plain_history([*told, reopened], UNITS) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"status": Status.STOPPED},
        {"status": Status.WITHDRAWN},
        {"status": Status.REFUSED_AT_INTAKE},
        {"extension": ExtensionTold(at(3), at(9))},
    ],
)
def test_a_record_that_tells_of_more_than_dates_is_not_plain(facts: dict[str, object]) -> None:
    assert plain_history([record(3, **facts)], UNITS) is None
