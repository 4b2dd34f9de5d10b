"""Delivery: claimed apart, tried again on schedule, never lost, nobody starved."""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from app.clock import system_clock
from app.domain.delivery import CLAIM_OF_EVENT, WAITS, Answer, Failure, Letter, answered
from app.senders.guard import networks
from app.senders.seal import Sealer
from app.senders.webhook import WebhookSender
from app.store import outbox as store
from app.store import webhooks
from app.store.outbox import Event, Post
from app.store.session import Database
from app.store.tables import delivery, outbox, webhook
from app.store.units import UnitRow
from app.usecases.outbox import (
    FIRST_CLAIM,
    MOST_LINES,
    SLOW_MS,
    Courier,
    Delivered,
    Line,
    body_of,
    deliver_due,
    deliver_to,
)
from app.usecases.webhooks import new_secret
from tests.factories import make_unit
from tests.fakes import RecordingSender

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
PATIENCE = 60
"""Seconds after which company will not come any more."""
SEALER = Sealer(b"k" * 32)


@dataclass
class Hand:
    """A clock moved by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Office:
    """A database with receivers, and a courier over it."""

    database: Database
    unit: UnitRow
    sender: RecordingSender = field(default_factory=RecordingSender)
    clock: Hand = field(default_factory=Hand)
    secrets: dict[UUID, str] = field(default_factory=dict)

    @property
    def courier(self) -> Courier:
        return Courier(sender=self.sender, sealer=SEALER, clock=self.clock)

    def receiver(self, url: str = "https://receiver.example/") -> UUID:
        webhook_id, secret = uuid4(), new_secret()
        with self.database.begin() as session:
            webhooks.add(
                session,
                webhook_id=webhook_id,
                unit_id=self.unit.id,
                url=url,
                events=["dossier.overdue"],
                secret=SEALER.seal(secret, owner=str(webhook_id)),
                now=NOW,
            )
        self.secrets[webhook_id] = secret
        return webhook_id

    def queue(self, webhook_id: UUID, count: int = 1) -> list[UUID]:
        ids = [uuid4() for _ in range(count)]
        posts = [
            Post(Event(self.unit.id, each, webhook_id), "dossier.overdue", {"n": n})
            for n, each in enumerate(ids)
        ]
        with self.database.begin() as session:
            store.append(session, posts, now=self.clock())
        return ids

    def deliver(self) -> Delivered:
        return deliver_due(self.database, self.courier, at_once=1)

    def states(self, webhook_id: UUID) -> Counter[str]:
        with self.database.read() as session:
            wanted = sa.select(outbox.c.state).where(outbox.c.webhook_id == webhook_id)
            return Counter(session.execute(wanted).scalars())

    def due_in(self, webhook_id: UUID) -> list[timedelta]:
        with self.database.read() as session:
            wanted = sa.select(outbox.c.next_at).where(outbox.c.webhook_id == webhook_id)
            return sorted(at - self.clock() for at in session.execute(wanted).scalars())


@pytest.fixture
def post(database: Database) -> Office:
    with database.begin() as session:
        return Office(database, make_unit(session))


def always(answer: Answer) -> Callable[[Letter], Answer]:
    return lambda _: answer


def third_fails(post: Office) -> Callable[[Letter], Answer]:
    return lambda _: answered(500 if len(post.sender.letters) == 3 else 200, milliseconds=1)


@dataclass
class Busy:
    """A receiver that says it is slow, and counts the letters that it has in hand at once."""

    fails_at: int = 0
    count: int = 0
    now: int = 0
    most: int = 0
    comes: bool = True
    """Whether company may still come; once it did not, nobody waits for it again."""
    together: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, _: Letter) -> Answer:
        with self.together:
            self.count += 1
            number = self.count
            self.now += 1
            self.most = max(self.most, self.now)
            self.together.notify_all()
            if number > 3 * FIRST_CLAIM:  # by then there are several lines: wait for company
                self.comes = self.comes and self.together.wait_for(
                    lambda: self.most == MOST_LINES, PATIENCE
                )
            if 0 < self.fails_at < number:  # time for the line that failed to say so
                self.together.wait(1)
            self.now -= 1
        return answered(500 if number == self.fails_at else 200, milliseconds=2 * SLOW_MS)


class TestDelivery:
    def test_what_is_due_is_delivered_once_and_logged(self, post: Office) -> None:
        receiver = post.receiver()
        ids = post.queue(receiver, 3)

        done = post.deliver()

        assert done == Delivered(attempts=3, acknowledged=3)
        assert Counter(post.sender.ids) == Counter(ids)
        assert post.states(receiver) == {"delivered": 3}
        assert post.deliver() == Delivered()
        with post.database.read() as session:
            logged = session.execute(sa.select(delivery.c.attempt, delivery.c.status)).all()
        assert [tuple(row) for row in logged] == [(1, 204)] * 3

    def test_the_whole_schedule_ends_in_the_dead_letters(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver)
        post.sender.reply = always(answered(500, milliseconds=1))

        waits = []
        while post.states(receiver)["pending"]:
            post.deliver()
            wait = max(post.due_in(receiver)[0], timedelta(0))
            waits.append(wait)
            post.clock.now += wait + timedelta(seconds=30)

        assert len(post.sender.letters) == 10
        assert len({(letter.event_id, letter.body) for letter in post.sender.letters}) == 1
        assert all(w <= wait <= w * 1.1 for w, wait in zip(WAITS, waits, strict=False))
        assert post.states(receiver) == {"dead": 1}

    def test_a_failure_spares_the_rest_of_the_queue(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 5)
        post.sender.reply = always(Answer(None, Failure.TIMEOUT, 15_000))

        assert post.deliver() == Delivered(attempts=1, failed=1)
        assert post.deliver() == Delivered()

    def test_a_receiver_that_is_well_again_gets_everything_at_once(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 3)
        post.sender.reply = always(answered(503, milliseconds=1))
        for _ in range(8):
            post.deliver()
            post.clock.now += timedelta(seconds=31)
        post.sender.reply = RecordingSender().reply
        post.clock.now += timedelta(minutes=6)

        post.deliver()

        assert post.states(receiver) == {"delivered": 3}

    def test_a_receiver_that_failed_is_found_well_within_a_minute_whatever_the_schedule(
        self, post: Office
    ) -> None:
        """Asking early is no try: the schedule of the event goes on as it was."""
        receiver = post.receiver()
        post.queue(receiver)
        post.sender.reply = always(answered(503, milliseconds=1))
        post.deliver()
        post.clock.now += timedelta(seconds=6)
        post.deliver()  # its second try: the third is five minutes away
        due_at = post.clock.now + post.due_in(receiver)[0]
        for _ in range(3):
            post.clock.now += timedelta(seconds=31)
            assert post.deliver().failed == 1
            assert post.clock.now + post.due_in(receiver)[0] == due_at
        post.sender.reply = RecordingSender().reply
        post.clock.now += timedelta(seconds=31)

        done = post.deliver()

        assert done == Delivered(attempts=1, acknowledged=1)
        assert len(set(post.sender.ids)) == 1
        with post.database.read() as session:
            row = session.execute(sa.select(outbox.c.attempts, outbox.c.tries)).one()
        assert tuple(row) == (6, 2)

    def test_gone_stops_the_receiver_and_buries_what_waits(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 4)
        post.sender.reply = always(answered(410, milliseconds=1))

        done = post.deliver()

        assert (done.attempts, done.dead) == (1, 4)
        assert post.states(receiver) == {"dead": 4}
        with post.database.read() as session:
            row = session.execute(sa.select(webhook)).mappings().one()
        assert (row["disabled_reason"], row["disabled_at"]) == ("gone", NOW)

    def test_what_waited_as_long_as_one_that_died_dies_with_it(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 3)
        post.sender.reply = always(answered(500, milliseconds=1))
        with post.database.begin() as session:
            oldest = sa.select(sa.func.min(sa.cast(outbox.c.event_id, sa.Text))).scalar_subquery()
            session.execute(
                sa.update(outbox)
                .where(sa.cast(outbox.c.event_id, sa.Text) == oldest)
                .values(tries=9, attempts=9, next_at=NOW - timedelta(hours=1))
            )
        post.clock.now += timedelta(hours=1)
        later = post.queue(receiver, 1)

        done = post.deliver()

        assert done.dead == 3
        assert post.states(receiver) == {"dead": 3, "pending": 1}
        assert len(later) == 1

    def test_retry_after_is_honoured(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver)
        asked = timedelta(minutes=20)
        post.sender.reply = always(answered(429, milliseconds=1, retry_after=asked))

        post.deliver()

        assert post.due_in(receiver) == [asked]
        post.clock.now += timedelta(minutes=19)
        assert post.deliver() == Delivered()

    def test_a_crash_between_claim_and_settlement_means_another_attempt(self, post: Office) -> None:
        receiver = post.receiver()
        (event,) = post.queue(receiver)
        with post.database.begin() as session:
            crashed = store.claim(session, receiver, now=NOW, limit=5)

        assert len(crashed) == 1
        assert post.deliver() == Delivered()
        post.clock.now += timedelta(seconds=61)
        assert post.deliver() == Delivered(attempts=1, acknowledged=1)
        assert post.sender.ids == [event]

    def test_both_secrets_sign_until_the_overlap_ends(self, post: Office) -> None:
        receiver = post.receiver()
        fresh = new_secret()
        with post.database.begin() as session:
            webhooks.rotate(
                session,
                receiver,
                secret=SEALER.seal(fresh, owner=str(receiver)),
                previous_until=NOW + timedelta(hours=24),
            )
        post.queue(receiver)
        post.deliver()
        post.clock.now += timedelta(hours=24)
        post.queue(receiver)
        post.deliver()

        during, after = post.sender.letters
        assert during.secrets == (fresh, post.secrets[receiver])
        assert after.secrets == (fresh,)

    def test_a_secret_that_cannot_be_read_is_a_failure_and_not_a_crash(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver)
        with post.database.begin() as session:
            session.execute(sa.update(webhook).values(secret=b"damaged"))

        assert post.deliver().failed == 1
        assert post.sender.letters == []
        with post.database.read() as session:
            assert session.execute(sa.select(delivery.c.error)).scalar_one() == "secret_unreadable"

    def test_events_settled_before_can_be_sent_again_with_the_same_id(self, post: Office) -> None:
        receiver = post.receiver()
        (event,) = post.queue(receiver)
        post.deliver()
        with post.database.begin() as session:
            again = store.requeue(
                session, receiver, event_id=event, since=None, until=None, now=NOW
            )

        post.deliver()

        assert again == 1
        assert post.sender.ids == [event, event]
        assert post.sender.letters[0].body == post.sender.letters[1].body

    def test_a_dead_receiver_holds_up_nobody(self, post: Office) -> None:
        dead, well = post.receiver("https://dead.example/"), post.receiver("https://well.example/")
        post.queue(dead, 300)
        post.clock.now += timedelta(seconds=1)
        post.queue(well, 50)

        def by_url(letter: Letter) -> Answer:
            if "dead" in letter.url:
                return Answer(None, Failure.TIMEOUT, 15_000)
            return answered(200, milliseconds=1)

        post.sender.reply = by_url
        done = post.deliver()

        assert (done.acknowledged, done.failed) == (50, 1)
        assert post.states(well) == {"delivered": 50}
        assert post.states(dead) == {"pending": 300}

    def test_what_was_claimed_and_not_sent_is_given_back_as_it_was(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 5)
        post.sender.reply = third_fails(post)

        done = post.deliver()

        assert done == Delivered(attempts=3, acknowledged=2, failed=1)
        with post.database.read() as session:
            wanted = sa.select(outbox.c.state, outbox.c.attempts, outbox.c.tries, outbox.c.next_at)
            rows = Counter(tuple(row) for row in session.execute(wanted))
        assert rows[("delivered", 1, 0, NOW + CLAIM_OF_EVENT)] == 2
        assert rows[("pending", 0, 0, NOW)] == 2
        (failed,) = (row for row in rows if row[2])
        assert failed[:3] == ("pending", 1, 1)

    def test_a_crash_is_no_try_of_an_event(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 20)
        for _ in range(15):
            with post.database.begin() as session:
                assert len(store.claim(session, receiver, now=post.clock(), limit=64)) == 20
            post.clock.now += CLAIM_OF_EVENT

        assert post.deliver() == Delivered(attempts=20, acknowledged=20)

    def test_of_a_receiver_that_takes_long_nothing_is_begun_that_might_outlast_its_claim(
        self, post: Office
    ) -> None:
        receiver = post.receiver()
        post.queue(receiver, 5)

        def slowly(_: Letter) -> Answer:
            post.clock.now += timedelta(seconds=6)
            return answered(200, milliseconds=6_000)

        post.sender.reply = slowly
        done = deliver_to(post.database, receiver, post.courier)

        assert done == Delivered(attempts=2, acknowledged=2)
        assert post.states(receiver) == {"delivered": 2, "pending": 3}
        assert max(post.due_in(receiver)) <= CLAIM_OF_EVENT
        assert post.deliver().acknowledged == 3

    def test_a_slow_receiver_that_is_well_is_called_on_several_lines(self, post: Office) -> None:
        receiver = post.receiver()
        ids = post.queue(receiver, 100)
        busy = Busy()
        post.sender.reply = busy

        done = post.deliver()

        assert done == Delivered(attempts=100, acknowledged=100)
        assert Counter(post.sender.ids) == Counter(ids)
        assert busy.most == MOST_LINES

    def test_when_one_of_several_lines_fails_the_others_end_too(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 200)
        busy = Busy(fails_at=6 * FIRST_CLAIM)
        post.sender.reply = busy

        done = post.deliver()

        assert done.failed == 1
        assert done.attempts < 6 * FIRST_CLAIM + 2 * MOST_LINES
        assert post.states(receiver)["pending"] == 200 - done.acknowledged

    def test_one_round_with_a_receiver_is_bounded(self, post: Office) -> None:
        receiver = post.receiver()
        post.queue(receiver, 5)

        done = deliver_to(post.database, receiver, post.courier, most=2)

        assert done.attempts == 2

    def test_the_body_is_the_same_at_every_attempt_whatever_the_database_does_to_it(self) -> None:
        assert body_of({"b": "Hồ sơ", "a": 1}) == body_of({"a": 1, "b": "Hồ sơ"})
        assert body_of({"b": "Hồ sơ", "a": 1}) == '{"a":1,"b":"Hồ sơ"}'.encode()

    def test_the_backlog_is_counted(self, post: Office) -> None:
        post.queue(post.receiver(), 3)

        with post.database.read() as session:
            found = store.backlog(session, now=NOW, dead_for=timedelta(days=7))

        assert (found.pending, found.dead, found.oldest_due_at) == (3, 0, NOW)


class TestSeveralWorkers:
    def test_two_workers_on_one_database_send_each_event_once(
        self, fresh_database: Database
    ) -> None:
        with fresh_database.begin() as session:
            post = Office(fresh_database, make_unit(session))
        receiver = post.receiver()
        ids = post.queue(receiver, 120)
        together = threading.Barrier(2)
        met = set[int]()

        def answer(_: Letter) -> Answer:
            """Take a letter; the first one of each worker waits for that of the other."""
            if threading.get_ident() not in met:
                met.add(threading.get_ident())
                together.wait(120)
            return answered(204, milliseconds=1)

        by_worker = [RecordingSender(answer), RecordingSender(answer)]

        def work(number: int) -> None:
            courier = Courier(by_worker[number], SEALER, post.clock)
            while post.states(receiver)["pending"]:
                deliver_to(fresh_database, receiver, courier)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)

        sent = by_worker[0].ids + by_worker[1].ids
        assert Counter(sent) == Counter(ids)
        assert all(worker.ids for worker in by_worker)
        assert post.states(receiver) == {"delivered": 120}


class TestOverTheWire:
    def test_a_receiver_that_misbehaves_in_every_way_gets_each_event_under_one_id(
        self, fresh_database: Database, httpserver: HTTPServer
    ) -> None:
        """P7 in small: lost acknowledgements, 503, slow answers, then health."""
        with fresh_database.begin() as session:
            post = Office(fresh_database, make_unit(session))
        receiver = post.receiver(httpserver.url_for("/hook"))
        ids = post.queue(receiver, 40)
        seen: dict[str, set[bytes]] = {}
        calls = Counter[str]()
        lost = threading.Event()

        def misbehave(request: Request) -> Response:
            body = request.get_data()
            event = request.headers["webhook-id"]
            Webhook(post.secrets[receiver]).verify(body, dict(request.headers))
            calls["all"] += 1
            match calls["all"] % 7:
                case 1:
                    calls["503"] += 1
                    return Response(status=503)
                case 3:  # taken in, but the acknowledgement comes too late
                    calls["late"] += 1
                    seen.setdefault(event, set()).add(body)
                    lost.wait(1.2)
                    return Response(status=200)
                case _:
                    seen.setdefault(event, set()).add(body)
                    return Response(status=200)

        httpserver.expect_request("/hook").respond_with_handler(misbehave)
        shift = timedelta()

        def moving() -> datetime:
            return system_clock() + shift

        sender = WebhookSender(allowed=networks(["127.0.0.0/8"]), total_seconds=1)
        signed_now = SignedNow(sender)
        for _ in range(60):
            deliver_due(fresh_database, Courier(signed_now, SEALER, moving), at_once=2)
            if not post.states(receiver)["pending"]:
                break
            shift += timedelta(minutes=6)

        sys.stdout.write(f"calls {dict(calls)}, events {len(ids)}\n")
        assert calls["503"] > 0
        assert calls["late"] > 0
        assert post.states(receiver) == {"delivered": 40}
        assert set(seen) == {str(each) for each in ids}
        assert all(len(bodies) == 1 for bodies in seen.values())


@dataclass
class SignedNow:
    """Dates letters by the wall clock, where a test moves the courier's."""

    sender: WebhookSender

    @contextmanager
    def line(self) -> Iterator[Line]:
        with self.sender.line() as line:
            yield SignedNowLine(line)


@dataclass
class SignedNowLine:
    """A line of one who dates letters by the wall clock."""

    inner: Line

    def send(self, letter: Letter) -> Answer:
        return self.inner.send(replace(letter, at=system_clock()))
