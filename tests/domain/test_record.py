"""The words of messages: which statuses are open, and how news is ordered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.domain.record import OPEN_STATUSES, Status, Told
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
