"""The outbox: queued once, claimed by compare-and-set, settled by who claimed."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.domain.delivery import CLAIM_OF_EVENT, Failure, answered
from app.store import outbox
from app.store.outbox import Claimed, Event, Post
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


def claim(session: WriteSession, *, now: datetime = NOW) -> Claimed | None:
    """Claim one event."""
    return next(iter(outbox.claim(session, RECEIVER, now=now, limit=1)), None)


def state(session: WriteSession, event_id: UUID) -> str:
    wanted = sa.select(table.c.state).where(table.c.event_id == event_id)
    return str(session.execute(wanted).scalar_one())


def test_an_event_is_queued_once_for_a_receiver(session: WriteSession) -> None:
    event = queue(session)

    assert outbox.append(session, [Post(event, "dossier.overdue", {"b": 2})], now=NOW) == 0
    assert outbox.append(session, [], now=NOW) == 0


def test_a_claim_sets_the_next_attempt_first(session: WriteSession) -> None:
    event = queue(session)

    first = claim(session)
    second = claim(session)
    after = claim(session, now=NOW + CLAIM_OF_EVENT)

    assert first is not None
    assert (first.event, first.attempt, first.payload) == (event, 1, {"a": 1})
    assert second is None
    assert after is not None
    assert after.attempt == 2


def test_some_events_are_claimed_at_a_time_those_first_that_are_due_the_longest(
    session: WriteSession,
) -> None:
    events = [queue(session, code=f"H4{n}") for n in range(4)]
    for n, each in enumerate(events):
        due_at = NOW - timedelta(minutes=n)
        of_it = table.c.event_id == each.event_id
        session.execute(sa.update(table).where(of_it).values(next_at=due_at))

    first = outbox.claim(session, RECEIVER, now=NOW, limit=3)
    rest = outbox.claim(session, RECEIVER, now=NOW, limit=3)

    assert [each.event for each in first] == [events[3], events[2], events[1]]
    assert [each.due_at for each in first] == [NOW - timedelta(minutes=n) for n in (3, 2, 1)]
    assert [each.event for each in rest] == [events[0]]


def test_what_is_put_back_is_as_if_it_had_not_been_claimed(session: WriteSession) -> None:
    events = [queue(session, code=f"H4{n}") for n in range(3)]
    overtaken, *others = outbox.claim(session, RECEIVER, now=NOW, limit=3)
    in_time = session.execute(
        sa.update(table)
        .where(table.c.event_id == overtaken.event.event_id)
        .values(next_at=NOW)
        .returning(table.c.event_id)
    )
    assert len(in_time.all()) == 1
    assert len(outbox.claim(session, RECEIVER, now=NOW, limit=3)) == 1

    outbox.put_back(session, [overtaken, *others])
    again = outbox.claim(session, RECEIVER, now=NOW, limit=3)

    assert {each.event for each in again} == set(events) - {overtaken.event}
    assert {each.attempt for each in again} == {1}


def test_one_that_is_asked_early_goes_on_by_its_schedule(session: WriteSession) -> None:
    event = queue(session)
    later = NOW + timedelta(hours=2)
    session.execute(sa.update(table).values(next_at=later, tries=3))

    (early,) = outbox.claim_early(session, RECEIVER, now=NOW)
    outbox.settle_failed(session, early, BAD, next_at=early.due_at, now=NOW)

    assert early.is_early
    row = session.execute(sa.select(table.c.tries, table.c.next_at, table.c.attempts)).one()
    assert tuple(row) == (3, later, 1)
    assert outbox.claim(session, RECEIVER, now=NOW, limit=1) == []
    assert outbox.claim(session, RECEIVER, now=later, limit=1)[0].event == event


def test_one_who_was_overtaken_cannot_put_the_event_back(session: WriteSession) -> None:
    event = queue(session)
    slow = claim(session)
    quick = claim(session, now=NOW + CLAIM_OF_EVENT)
    assert slow is not None
    assert quick is not None

    assert not outbox.settle_failed(session, slow, BAD, next_at=None, now=NOW)
    assert state(session, event.event_id) == "pending"
    outbox.settle_delivered(session, [(slow, GOOD)], now=NOW)
    assert state(session, event.event_id) == "delivered"
    assert not outbox.settle_failed(session, quick, BAD, next_at=None, now=NOW)
    assert state(session, event.event_id) == "delivered"


def test_the_log_cannot_be_changed(session: WriteSession) -> None:
    queue(session)
    claimed = claim(session)
    assert claimed is not None
    outbox.log(session, [(claimed, BAD)], now=NOW)

    for change in (sa.update(delivery).values(status=200), sa.delete(delivery)):
        with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
            session.execute(change)


def test_the_log_is_read_newest_first_in_pages(session: WriteSession) -> None:
    queue(session)
    for n in range(3):
        claimed = claim(session, now=NOW + n * CLAIM_OF_EVENT)
        assert claimed is not None
        outbox.log(session, [(claimed, BAD)], now=NOW + n * CLAIM_OF_EVENT)

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
    claimed = claim(session)

    assert claimed is not None
    assert claimed.event == sending
    assert outbox.hurry(session, RECEIVER, now=NOW) == 1
    again = claim(session)
    assert again is not None
    assert again.event == waiting
