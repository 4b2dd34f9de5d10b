"""Telling receivers: queue in the transaction of the change, deliver outside of any.

Delivery is claim (a short transaction), send (none), settle (a short transaction), some events at
a time. A crash between claim and settlement means another attempt of the same events under the same
ids; the receiver tells repeats apart by ``webhook-id``.
"""

import contextlib
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import quote
from uuid import UUID, uuid5

from app.domain.alert import NAMESPACE, Alert
from app.domain.delivery import (
    CLAIM_OF_EVENT,
    Answer,
    Failure,
    Letter,
    next_try_at,
    rest_until,
)
from app.domain.dossier import ZONE
from app.senders.seal import SealBroken, Sealer
from app.store import mutes, outbox, units, webhooks
from app.store.alerts import Addressed, Kept
from app.store.mutes import Told
from app.store.outbox import Claimed, Event, Post
from app.store.session import Database, ReadSession, WriteSession
from app.store.webhooks import Receiver, WebhookRow

OVERDUE: Final = "dossier.overdue"
DUE_SOON: Final = "dossier.due_soon"
SUMMARY: Final = "alerts.summary"
SOURCE_SILENT: Final = "source.silent"
INDEX_FEED: Final = "index.feed"
TEST: Final = "webhook.test"
EVENTS: Final = (OVERDUE, DUE_SOON, SUMMARY, SOURCE_SILENT, INDEX_FEED)
"""Kinds of events that a receiver may ask for; ``webhook.test`` comes only when asked."""

RECEIVERS_AT_ONCE: Final = 16
MOST_IN_A_ROW: Final = 500
"""Events that a courier brings to one receiver before the next receiver has its turn, at most."""
ROUND: Final = timedelta(seconds=3)
"""The same in time: after it a courier claims no more for this receiver."""
FIRST_CLAIM: Final = 8
MOST_CLAIMED: Final = 64
BRISK: Final = timedelta(seconds=1)
"""What was claimed shall be sent within this time; else less is claimed the next time."""
SEND_WITHIN: Final = CLAIM_OF_EVENT / 3
"""Later than this after the claim nothing is begun, so that every attempt ends within it."""
SLOW_MS: Final = 20
"""A receiver that takes longer for a letter is called on several lines at once."""
MOST_LINES: Final = 4
MOST_UNITS: Final = 50
"""So many units are named in a summary."""


class Line(Protocol):
    """What makes one attempt after another; it never raises for the receiver's doing."""

    def send(self, letter: Letter) -> Answer:
        """Send a letter and say what came of it."""
        ...


class Sender(Protocol):
    """What opens lines to receivers."""

    def line(self) -> contextlib.AbstractContextManager[Line]:
        """Open a line for letters to one receiver."""
        ...


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of a round: attempts made, acknowledged, failed, and given up for good."""

    attempts: int = 0
    acknowledged: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        """Add two rounds."""
        return Delivered(
            self.attempts + other.attempts,
            self.acknowledged + other.acknowledged,
            self.failed + other.failed,
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class Courier:
    """What a delivery needs beside the database: a sender, the seal of secrets, the present."""

    sender: Sender
    sealer: Sealer
    clock: Callable[[], datetime]


# ---------------------------------------------------------------- queueing


def queue_alerts(session: WriteSession, alerts: Sequence[Addressed], *, now: datetime) -> int:
    """Queue alerts for every receiver of their unit and of the units above it, and count them.

    What is muted is not sent, now or later; it stays in the lists.
    """
    if not alerts:
        return 0
    muted = mutes.muted_until(session, [_told(each.alert) for each in alerts], now=now)
    wanted = webhooks.receivers(session, OVERDUE, DUE_SOON)
    to_whom = units.by_id(session, {each.recipient_unit_id for each in alerts})
    posts = []
    for number, each in enumerate(alerts):
        if number in muted:
            continue
        kind = event_of(each.alert)
        dossier = each.alert.dossier
        told_to = above(wanted[kind], dossier.unit_lft)
        if told_to:
            payload = payload_of(each.alert, recipient=to_whom[each.recipient_unit_id].code)
            posts += [
                Post(Event(dossier.key.unit_id, each.alert.id, to.id), kind, payload)
                for to in told_to
            ]
    return outbox.append(session, posts, now=now)


def _told(alert: Alert) -> Told:
    return Told(alert.dossier.key, alert.dossier.unit_lft, alert.stage.name)


def queue_summaries(
    session: WriteSession, kept: Sequence[Kept], *, run: str, as_of: datetime, now: datetime
) -> int:
    """Queue for each receiver one event that counts what was not sent one by one.

    A run that is done again and found no more queues nothing again.
    """
    posts = []
    for to in webhooks.receivers(session, SUMMARY)[SUMMARY]:
        own = [each for each in kept if to.lft <= each.unit_lft <= to.rgt]
        if own:
            total = sum(each.number for each in own)
            event_id = uuid5(NAMESPACE, f"{SUMMARY}\x1f{run}\x1f{to.id}\x1f{total}")
            payload = summary_payload(event_id, own, run=run, as_of=as_of)
            posts.append(Post(Event(to.unit_id, event_id, to.id), SUMMARY, payload))
    return outbox.append(session, posts, now=now)


def above(receivers: Iterable[Receiver], lft: int) -> list[Receiver]:
    """Return the receivers of a unit and of the units above it."""
    return [to for to in receivers if to.lft <= lft <= to.rgt]


def event_of(alert: Alert) -> str:
    """Return the kind of event that an alert is."""
    return DUE_SOON if alert.stage.is_warning else OVERDUE


def payload_of(alert: Alert, *, recipient: str) -> dict[str, object]:
    """Return what is sent of an alert: codes and dates, nothing of a person."""
    dossier = alert.dossier
    path = f"/v1/dossiers/{quote(dossier.key.code, safe='')}"
    source = f"?source={quote(dossier.source, safe='')}"
    data: dict[str, object] = {
        "alert": str(alert.id),
        "code": dossier.key.code,
        "source": dossier.source,
        "unit": dossier.unit,
        "stage": alert.stage.name,
        "level": alert.stage.level.value,
        "recipient": recipient,
        "episode": alert.episode,
        "due_on": dossier.due_on.isoformat(),
        "due_at": told(dossier.due_at),
        "links": {"dossier": path + source, "due_date": f"{path}/due-date{source}"},
    }
    if dossier.late_since is not None:
        data["late_since"] = told(dossier.late_since)
    return {"type": event_of(alert), "timestamp": told(alert.occurred_at), "data": data}


def summary_payload(
    event_id: UUID, kept: Sequence[Kept], *, run: str, as_of: datetime
) -> dict[str, object]:
    """Return what is sent of alerts that are not sent one by one: how many, where, of which stage.

    It is bounded: the units with the most are named, and how many are not.
    """
    stages: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for each in kept:
        stages[each.stage] += each.number
        places[each.unit] += each.number
    named = sorted(places.items(), key=lambda item: (-item[1], item[0]))[:MOST_UNITS]
    return {
        "type": SUMMARY,
        "timestamp": told(as_of),
        "data": {
            "summary": str(event_id),
            "run": run,
            "total": stages.total(),
            "stages": dict(sorted(stages.items())),
            "units": dict(named),
            "units_not_named": len(places) - len(named),
            "links": {"alerts": f"/v1/alerts?run={quote(run, safe='')}"},
        },
    }


def trial_payload(*, webhook_id: UUID, now: datetime) -> dict[str, object]:
    """Return what is sent to try a receiver."""
    return {"type": TEST, "timestamp": told(now), "data": {"webhook": str(webhook_id)}}


@lru_cache(maxsize=4_096)  # a night tells of few moments, each very often
def told(instant: datetime) -> str:
    """Write an instant for machines, in local time with its offset."""
    return instant.astimezone(ZONE).isoformat()


def body_of(payload: dict[str, object]) -> bytes:
    """Return the bytes of a payload, the same at every attempt."""
    spelled = json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return spelled.encode()


# ---------------------------------------------------------------- delivering


def receivers_waiting(
    session: ReadSession, *, now: datetime, limit: int = RECEIVERS_AT_ONCE
) -> list[UUID]:
    """Return receivers that have something due, the longest waiting first."""
    return webhooks.with_post(session, now=now, limit=limit)


def deliver_due(
    database: Database, courier: Courier, *, at_once: int = RECEIVERS_AT_ONCE
) -> Delivered:
    """Deliver everything that is due, each receiver on a thread of its own, and say what came.

    It takes the database and not a session, because sending lies between two transactions. A
    receiver that fails is left alone for a while, so one that is dead costs one attempt a round
    and holds up nobody.
    """
    done = Delivered()
    with ThreadPoolExecutor(at_once, thread_name_prefix="deliver") as threads:
        while True:
            with database.read() as session:
                waiting = receivers_waiting(session, now=courier.clock(), limit=at_once)
            if not waiting:
                return done
            rounds = list(threads.map(lambda each: deliver_to(database, each, courier), waiting))
            done = sum(rounds, done)
            if not any(each.attempts for each in rounds):
                return done  # others are at it


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was claimed for one receiver; ``secrets`` is None when they cannot be read."""

    claimed: list[Claimed]
    url: str
    secrets: tuple[str, ...] | None
    at: datetime


class _Lines:
    """The lines to one receiver: one, and up to ``MOST_LINES`` while it is well and slow."""

    def __init__(self, sender: Sender, stack: contextlib.ExitStack) -> None:
        self._sender = sender
        self._stack = stack
        self._lines = [stack.enter_context(sender.line())]

    def send(
        self,
        batch: _Batch,
        letter: Callable[[Claimed], Letter],
        *,
        is_time_over: Callable[[], bool],
    ) -> list[tuple[Claimed, Answer]]:
        """Send what was claimed until one fails or the time is over, and return the answers."""
        waiting = deque(batch.claimed)
        answers: list[tuple[Claimed, Answer]] = []
        failed = threading.Event()

        def work(line: Line) -> None:
            while not (failed.is_set() or is_time_over()):
                try:
                    each = waiting.popleft()
                except IndexError:
                    return
                answer = line.send(letter(each))
                answers.append((each, answer))
                if not answer.is_acknowledged:
                    failed.set()

        if len(self._lines) == 1:
            work(self._lines[0])
        else:
            with ThreadPoolExecutor(len(self._lines), thread_name_prefix="line") as threads:
                list(threads.map(work, self._lines))
        self._adapt(answers)
        return answers

    def _adapt(self, answers: Sequence[tuple[Claimed, Answer]]) -> None:
        took = sum(answer.milliseconds for _, answer in answers)
        if len(answers) >= FIRST_CLAIM and took > SLOW_MS * len(answers):
            more = min(len(self._lines), MOST_LINES - len(self._lines))
            for _ in range(more):
                self._lines.append(self._stack.enter_context(self._sender.line()))


@contextlib.contextmanager
def _lines_of(sender: Sender) -> Iterator[_Lines]:
    with contextlib.ExitStack() as stack:
        yield _Lines(sender, stack)


def deliver_to(
    database: Database, webhook_id: UUID, courier: Courier, *, most: int = MOST_IN_A_ROW
) -> Delivered:
    """Deliver to one receiver, some events at a time, until one fails or nothing is due.

    So much is claimed as the receiver takes in about a second. A round is bounded in number and
    time, for others wait for the courier.
    """
    done = Delivered()
    began = courier.clock()
    size = FIRST_CLAIM
    with _lines_of(courier.sender) as lines:
        while done.attempts < most and courier.clock() - began < ROUND:
            with database.begin() as session:
                batch = _claim(session, webhook_id, courier, limit=min(size, most - done.attempts))
            if batch is None:
                return done
            answers = _send(lines, batch, courier)
            now = courier.clock()
            with database.begin() as session:
                settled = settle(session, batch.claimed, answers, now=now)
            done += settled
            if settled.failed:
                return done
            is_brisk = now - batch.at <= BRISK
            size = min(2 * size, MOST_CLAIMED) if is_brisk else max(size // 2, 1)
    return done


def _claim(
    session: WriteSession, webhook_id: UUID, courier: Courier, *, limit: int
) -> _Batch | None:
    """Take the next events of a receiver, one of a receiver that failed last."""
    now = courier.clock()
    receiver = webhooks.find_any(session, webhook_id)
    if receiver is None or not _may_be_called(receiver, now):
        return None
    limit = 1 if receiver.failures else limit
    claimed = outbox.claim(session, webhook_id, now=now, limit=limit)
    if not claimed and receiver.failures:
        claimed = outbox.claim_early(session, webhook_id, now=now)
    if not claimed:
        return None
    try:
        secrets = tuple(
            courier.sealer.open(sealed, owner=str(webhook_id))
            for sealed in receiver.live_secrets(now)
        )
    except SealBroken:
        return _Batch(claimed, receiver.url, None, now)
    return _Batch(claimed, receiver.url, secrets, now)


def _may_be_called(receiver: WebhookRow, now: datetime) -> bool:
    rested = receiver.resume_at is None or receiver.resume_at <= now
    return receiver.disabled_at is None and rested


def _send(lines: _Lines, batch: _Batch, courier: Courier) -> list[tuple[Claimed, Answer]]:
    secrets = batch.secrets
    if secrets is None:
        return [(batch.claimed[0], Answer(None, Failure.SECRET_UNREADABLE, 0))]

    def letter(claimed: Claimed) -> Letter:
        body = body_of(claimed.payload)
        return Letter(claimed.event.event_id, batch.url, body, secrets, courier.clock())

    def is_time_over() -> bool:
        return courier.clock() - batch.at > SEND_WITHIN

    return lines.send(batch, letter, is_time_over=is_time_over)


def settle(
    session: WriteSession,
    claimed: Sequence[Claimed],
    answers: Sequence[tuple[Claimed, Answer]],
    *,
    now: datetime,
) -> Delivered:
    """Write down what came of attempts for each event and for the receiver of all of them.

    What was claimed and not sent is given back.
    """
    outbox.log(session, answers, now=now)
    sent = {each.event for each, _ in answers}
    unsent = [each for each in claimed if each.event not in sent]
    if unsent:
        outbox.put_back(session, unsent)
    good = [told for told in answers if told[1].is_acknowledged]
    done = Delivered(attempts=len(answers), acknowledged=len(good))
    if good:
        outbox.settle_delivered(session, good, now=now)
        webhook_id = good[0][0].event.webhook_id
        if webhooks.note_success(session, webhook_id):
            outbox.hurry(session, webhook_id, now=now)  # it is well again: do not make it wait
    for each, answer in answers:
        if not answer.is_acknowledged:
            done += _settle_failed(session, each, answer, now=now)
    return done


def _settle_failed(
    session: WriteSession, claimed: Claimed, answer: Answer, *, now: datetime
) -> Delivered:
    event_id = claimed.event.event_id
    next_at = next_try_at(tries=claimed.tries + 1, event_id=event_id, answer=answer, now=now)
    if claimed.is_early and not answer.is_gone:
        next_at = claimed.due_at  # it only asked how the receiver is
    dead = outbox.settle_failed(session, claimed, answer, next_at=next_at, now=now)
    buried = _after_failure(session, claimed, answer, dead=dead, now=now)
    return Delivered(failed=1, dead=int(dead) + buried)


def _after_failure(
    session: WriteSession, claimed: Claimed, answer: Answer, *, dead: bool, now: datetime
) -> int:
    """Rest, give up or stop calling the receiver; return how many other events died of it."""
    webhook_id = claimed.event.webhook_id
    if answer.is_gone:
        webhooks.disable(session, webhook_id, reason="gone", now=now)
        return outbox.bury(session, webhook_id, failure=Failure.REMOVED, now=now)
    receiver = webhooks.find_any(session, webhook_id)
    if receiver is None:
        return 0
    resume_at = rest_until(failures=receiver.failures + 1, answer=answer, now=now)
    webhooks.note_failure(session, webhook_id, resume_at=resume_at)
    if not dead:
        return 0
    # What has waited as long as one that had all its tries would fare no better.
    return outbox.bury(
        session,
        webhook_id,
        failure=Failure.GIVEN_UP,
        now=now,
        queued_until=claimed.queued_at,
    )
