"""The outbox: queued once, claimed by compare-and-set, settled by who claimed."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.domain.delivery import CLAIM_OF_EVENT, Failure, answered
from app.store import outbox
from app.store.outbox import Event, Post
from app.store.session import WriteSession
from app.store.tables import delivery
from app.store.tables import outbox as table
from tests.factories import local, make_unit

NOW = local("2026-08-10", 8)
GOOD, BAD = answered(200, milliseconds=1), answered(500, milliseconds=1)
RECEIVER = uuid4()


def queue(session: WriteSession, *, code: str = "H44") -> Event:
    event = Event(make_unit(session, code).id, uuid4(), RECEIVER)
    outbox.append(session, [Post(event, "dossier.overdue", {"a": 1})], now=NOW)
    return event


def state(session: WriteSession, event_id: UUID) -> str:
    wanted = sa.select(table.c.state).where(table.c.event_id == event_id)
    return str(session.execute(wanted).scalar_one())


def test_an_event_is_queued_once_for_a_receiver(session: WriteSession) -> None:
    event = queue(session)

    assert outbox.append(session, [Post(event, "dossier.overdue", {"b": 2})], now=NOW) == 0
    assert outbox.append(session, [], now=NOW) == 0


def test_a_claim_sets_the_next_attempt_first(session: WriteSession) -> None:
    event = queue(session)

    first = outbox.claim(session, RECEIVER, now=NOW)
    second = outbox.claim(session, RECEIVER, now=NOW)
    after = outbox.claim(session, RECEIVER, now=NOW + CLAIM_OF_EVENT)

    assert first is not None
    assert (first.event, first.attempt, first.payload) == (event, 1, {"a": 1})
    assert second is None
    assert after is not None
    assert after.attempt == 2


def test_one_who_was_overtaken_cannot_put_the_event_back(session: WriteSession) -> None:
    event = queue(session)
    slow = outbox.claim(session, RECEIVER, now=NOW)
    quick = outbox.claim(session, RECEIVER, now=NOW + CLAIM_OF_EVENT)
    assert slow is not None
    assert quick is not None

    assert not outbox.settle_failed(session, slow, BAD, next_at=None, now=NOW)
    assert state(session, event.event_id) == "pending"
    outbox.settle_delivered(session, slow, GOOD, now=NOW)
    assert state(session, event.event_id) == "delivered"
    assert not outbox.settle_failed(session, quick, BAD, next_at=None, now=NOW)
    assert state(session, event.event_id) == "delivered"


def test_the_log_cannot_be_changed(session: WriteSession) -> None:
    queue(session)
    claimed = outbox.claim(session, RECEIVER, now=NOW)
    assert claimed is not None
    outbox.log(session, claimed, BAD, now=NOW)

    for change in (sa.update(delivery).values(status=200), sa.delete(delivery)):
        with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
            session.execute(change)


def test_the_log_is_read_newest_first_in_pages(session: WriteSession) -> None:
    queue(session)
    for n in range(3):
        claimed = outbox.claim(session, RECEIVER, now=NOW + n * CLAIM_OF_EVENT)
        assert claimed is not None
        outbox.log(session, claimed, BAD, now=NOW + n * CLAIM_OF_EVENT)

    first = outbox.deliveries(session, RECEIVER, after=None, limit=2)
    last = first[-1]
    place = (last.at, last.event.event_id, last.attempt)
    rest = outbox.deliveries(session, RECEIVER, after=place, limit=2)

    assert [(each.attempt, each.error) for each in (*first, *rest)] == [
        (3, "status"),
        (2, "status"),
        (1, "status"),
    ]


def test_the_dead_are_buried_and_come_back_when_asked_for(session: WriteSession) -> None:
    event, other = queue(session), queue(session, code="H45")

    buried = outbox.bury(session, RECEIVER, failure=Failure.GIVEN_UP, now=NOW, queued_until=NOW)
    nothing = outbox.bury(session, RECEIVER, failure=Failure.REMOVED, now=NOW)
    one = outbox.requeue(
        session, RECEIVER, event_id=event.event_id, since=None, until=None, now=NOW
    )
    rest = outbox.requeue(
        session,
        RECEIVER,
        event_id=None,
        since=NOW,
        until=NOW + timedelta(seconds=1),
        now=NOW,
    )

    assert (buried, nothing, one, rest) == (2, 0, 1, 1)
    assert state(session, other.event_id) == "pending"


def test_what_waits_is_hurried_but_not_what_is_being_sent(session: WriteSession) -> None:
    waiting, sending = queue(session), queue(session, code="H45")
    session.execute(
        sa.update(table)
        .where(table.c.event_id == waiting.event_id)
        .values(next_at=NOW + timedelta(hours=5))
    )
    claimed = outbox.claim(session, RECEIVER, now=NOW)

    assert claimed is not None
    assert claimed.event == sending
    assert outbox.hurry(session, RECEIVER, now=NOW) == 1
    again = outbox.claim(session, RECEIVER, now=NOW)
    assert again is not None
    assert again.event == waiting
