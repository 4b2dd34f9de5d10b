"""The words of messages: which statuses are open, and how news is ordered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.domain.record import OPEN_STATUSES, MessageKind, Status, Told
from tests.strategies import message

AT = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_dossier_is_open_from_receipt_until_it_ends() -> None:
    expected = {
        Status.RECEIVED,
        Status.PROCESSING,
        Status.AWAITING_SUPPLEMENT,
        Status.AWAITING_PAYMENT,
        Status.STOPPED,
    }

    assert expected == OPEN_STATUSES


def test_news_is_newer_by_stamp_whenever_it_arrives() -> None:
    early = message(Told(unit="A"), at=AT, recorded_at=AT + timedelta(days=9))
    late = message(Told(unit="A"), at=AT + timedelta(days=1))

    assert early.order < late.order
    assert replace(early, recorded_at=AT).order == early.order


def test_a_record_with_a_stamp_was_told_before_whatever_came_after_it() -> None:
    told, other = Told(unit="A"), Told(unit="B")
    first, second = message(told, at=AT), message(other, at=AT + timedelta(days=1))
    heard = [first.heard, second.heard]

    assert message(told, at=AT).is_among(heard)
    assert not message(told, at=AT + timedelta(days=1)).is_among(heard)
    assert not message(told, at=AT, kind=MessageKind.STEP).is_among(heard)


def test_a_record_without_a_stamp_was_told_before_only_if_it_equals_the_last_one() -> None:
    told, other = Told(unit="A"), Told(unit="B")
    first, second = message(told, at=AT), message(other, at=AT + timedelta(days=1))
    event = message(Told(reason="?"), at=AT, kind=MessageKind.VOID)
    again = message(told, at=AT + timedelta(days=2), stamped=False)

    assert again.is_among([first.heard, event.heard])
    assert not again.is_among([first.heard, second.heard])
    assert not again.is_among([event.heard])
    assert not again.is_among([])
