"""What is still to be told to receivers, and every attempt to tell it.

Events are claimed some at a time, which sets the next attempt first: a crash between claim and
settlement means another attempt, and never a loss.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from app.domain.delivery import CLAIM_OF_EVENT, Answer, Backlog, Failure
from app.store.session import ReadSession, WriteSession
from app.store.tables import delivery, outbox


@dataclass(frozen=True, slots=True)
class Event:
    """A thing to be told to one receiver, by its key."""

    unit_id: int
    event_id: UUID
    webhook_id: UUID


@dataclass(frozen=True, slots=True)
class Post:
    """An event to be queued."""

    event: Event
    event_type: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event that is ours to send now.

    ``attempt`` is the number of this attempt, ``tries`` how many failed by the schedule, and
    ``due_at`` when it was due before it was claimed. One that is early is sent before its time, to
    ask whether the receiver is well.
    """

    event: Event
    payload: dict[str, object]
    attempt: int
    tries: int
    queued_at: datetime
    due_at: datetime
    is_early: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the delivery log, with the present state of its event."""

    event: Event
    event_type: str
    attempt: int
    at: datetime
    status: int | None
    error: str | None
    milliseconds: int | None
    state: str
    next_at: datetime


def append(session: WriteSession, posts: Sequence[Post], *, now: datetime) -> int:
    """Queue events, once each, in the transaction of the change that they tell."""
    if not posts:
        return 0
    events: dict[tuple[int, UUID, int], dict[str, object]] = {}
    to: defaultdict[tuple[int, UUID, int], list[UUID]] = defaultdict(list)
    for post in posts:  # receivers share an event, and then it is spelled once
        key = (post.event.unit_id, post.event.event_id, id(post.payload))
        to[key].append(post.event.webhook_id)
        if key not in events:
            events[key] = {
                "unit_id": post.event.unit_id,
                "event_id": post.event.event_id,
                "webhook_ids": to[key],
                "event_type": post.event_type,
                "payload": post.payload,
            }
    told = {"rows": orjson.dumps(list(events.values())).decode(), "now": now}
    return int(session.execute(_APPEND, told).scalar_one())


_APPEND: Final = sa.text(
    """
    WITH queued AS (
        INSERT INTO outbox (unit_id, event_id, webhook_id, event_type, payload, next_at,
                            created_at, queued_at)
        SELECT unit_id, event_id, webhook_id, event_type, payload, :now, :now, :now
          FROM json_to_recordset(CAST(:rows AS json)) AS t(
               unit_id int, event_id uuid, webhook_ids uuid[], event_type text, payload jsonb),
               unnest(webhook_ids) AS webhook_id
            ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT count(*) FROM queued"""
)


def claim(session: WriteSession, webhook_id: UUID, *, now: datetime, limit: int) -> list[Claimed]:
    """Take some events of a receiver that are due, those first that have been due the longest.

    Couriers of one receiver claim one after another, so each gets events of its own. A claim is
    no try yet: it becomes one when it is settled as failed.
    """
    return _claim(session, webhook_id, _DUE, {"now": now, "limit": limit}, now=now)


def claim_early(session: WriteSession, webhook_id: UUID, *, now: datetime) -> list[Claimed]:
    """Take the next event of a receiver before it is due, if one waits.

    It asks whether a receiver that failed is well again, and is no try of the event: its
    schedule goes on as it was.
    """
    told = {"now": now + CLAIM_OF_EVENT, "limit": 1}  # what is nearer is due soon, or being sent
    found = _claim(session, webhook_id, _EARLY, told, now=now)
    return [replace(each, is_early=True) for each in found]


def _claim(
    session: WriteSession,
    webhook_id: UUID,
    wanted: sa.TextClause,
    told: dict[str, object],
    *,
    now: datetime,
) -> list[Claimed]:
    name = sa.func.hashtextextended(f"post\x1f{webhook_id}", 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))
    until = now + CLAIM_OF_EVENT
    rows = session.execute(wanted, {**told, "webhook_id": webhook_id, "until": until})
    claimed = [
        Claimed(
            Event(row.unit_id, row.event_id, webhook_id),
            row.payload,
            row.attempts,
            row.tries,
            row.queued_at,
            row.due_at,
        )
        for row in rows
    ]
    return sorted(claimed, key=lambda each: each.due_at)


def _claiming(condition: str) -> sa.TextClause:
    return sa.text(
        f"""
        UPDATE outbox
           SET attempts = outbox.attempts + 1, next_at = :until
          FROM (SELECT unit_id, event_id, next_at AS due_at
                  FROM outbox
                 WHERE webhook_id = :webhook_id AND state = 'pending' AND next_at {condition} :now
                 ORDER BY next_at LIMIT :limit) AS due
         WHERE outbox.unit_id = due.unit_id AND outbox.event_id = due.event_id
           AND outbox.webhook_id = :webhook_id AND outbox.state = 'pending'
           AND outbox.next_at = due.due_at
        RETURNING outbox.unit_id, outbox.event_id, outbox.payload, outbox.attempts, outbox.tries,
                  outbox.queued_at, due.due_at"""  # noqa: S608 -- a comparison, nothing told
    )


_DUE: Final = _claiming("<=")
_EARLY: Final = _claiming(">")


def put_back(session: WriteSession, claimed: Sequence[Claimed]) -> None:
    """Give back what was claimed and not sent, as if it had not been claimed."""
    session.execute(_PUT_BACK, _told(claimed))


_PUT_BACK: Final = sa.text(
    """
    UPDATE outbox
       SET attempts = outbox.attempts - 1, next_at = mine.due_at
      FROM json_to_recordset(CAST(:rows AS json)) AS mine(
           unit_id int, event_id uuid, webhook_id uuid, attempt int, due_at timestamptz)
     WHERE outbox.unit_id = mine.unit_id AND outbox.event_id = mine.event_id
       AND outbox.webhook_id = mine.webhook_id AND outbox.state = 'pending'
       AND outbox.attempts = mine.attempt"""
)


def log(
    session: WriteSession, attempts: Sequence[tuple[Claimed, Answer]], *, now: datetime
) -> None:
    """Append attempts and their answers to the delivery log."""
    rows = [
        {
            "unit_id": claimed.event.unit_id,
            "event_id": claimed.event.event_id,
            "webhook_id": claimed.event.webhook_id,
            "attempt": claimed.attempt,
            "at": now,
            "status": answer.status,
            "error": None if answer.failure is None else answer.failure.value,
            "milliseconds": answer.milliseconds,
        }
        for claimed, answer in attempts
    ]
    session.execute(_LOG, {"rows": orjson.dumps(rows).decode()})


_LOG: Final = sa.text(
    """
    INSERT INTO delivery (unit_id, event_id, webhook_id, attempt, at, status, error, milliseconds)
    SELECT unit_id, event_id, webhook_id, attempt, at, status, error, milliseconds
      FROM json_to_recordset(CAST(:rows AS json)) AS t(
           unit_id int, event_id uuid, webhook_id uuid, attempt smallint, at timestamptz,
           status smallint, error text, milliseconds int)"""
)


def settle_delivered(
    session: WriteSession, delivered: Sequence[tuple[Claimed, Answer]], *, now: datetime
) -> None:
    """Note that the receiver has the events, whoever else is trying to send them."""
    rows = [
        {
            "unit_id": claimed.event.unit_id,
            "event_id": claimed.event.event_id,
            "webhook_id": claimed.event.webhook_id,
            "status": answer.status,
        }
        for claimed, answer in delivered
    ]
    session.execute(_DELIVERED, {"rows": orjson.dumps(rows).decode(), "now": now})


_DELIVERED: Final = sa.text(
    """
    UPDATE outbox
       SET state = 'delivered', settled_at = :now, last_status = told.status, last_error = NULL
      FROM json_to_recordset(CAST(:rows AS json)) AS told(
           unit_id int, event_id uuid, webhook_id uuid, status smallint)
     WHERE outbox.unit_id = told.unit_id AND outbox.event_id = told.event_id
       AND outbox.webhook_id = told.webhook_id AND outbox.state = 'pending'"""
)


def settle_failed(
    session: WriteSession,
    claimed: Claimed,
    answer: Answer,
    *,
    next_at: datetime | None,
    now: datetime,
) -> bool:
    """Put the event back until its next attempt, or, without one, to the dead letters.

    Tell whether it is dead now. Nothing happens when somebody else has claimed it meanwhile.
    """
    failure = None if answer.failure is None else answer.failure.value
    told: dict[str, object] = {"last_status": answer.status, "last_error": failure}
    if not claimed.is_early:
        told |= {"tries": claimed.tries + 1}
    if next_at is None:
        told |= {"state": "dead", "settled_at": now}
    else:
        told |= {"next_at": next_at}
    settled = session.execute(
        sa.update(outbox)
        .where(
            *_is(claimed.event),
            outbox.c.state == "pending",
            outbox.c.attempts == claimed.attempt,
        )
        .values(told)
        .returning(outbox.c.state)
    ).one_or_none()
    return settled is not None and settled.state == "dead"


def bury(
    session: WriteSession,
    webhook_id: UUID,
    *,
    failure: Failure,
    now: datetime,
    queued_until: datetime | None = None,
) -> int:
    """Move what still waits for a receiver to the dead letters and return how much that was.

    :param queued_until: only what was queued at or before this instant.
    """
    waiting = [outbox.c.webhook_id == webhook_id, outbox.c.state == "pending"]
    if queued_until is not None:
        waiting.append(outbox.c.queued_at <= queued_until)
    buried = session.execute(
        sa.update(outbox)
        .where(*waiting)
        .values(state="dead", settled_at=now, last_error=failure.value)
        .returning(outbox.c.event_id)
    )
    return len(buried.all())


def hurry(session: WriteSession, webhook_id: UUID, *, now: datetime) -> int:
    """Make everything that waits for a receiver due now and return how much that was."""
    moved = session.execute(
        sa.update(outbox)
        .where(
            outbox.c.webhook_id == webhook_id,
            outbox.c.state == "pending",
            outbox.c.next_at > now + CLAIM_OF_EVENT,  # what is nearer is due soon, or being sent
        )
        .values(next_at=now)
        .returning(outbox.c.event_id)
    )
    return len(moved.all())


def requeue(
    session: WriteSession,
    webhook_id: UUID,
    *,
    event_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> int:
    """Queue settled events of a receiver again, one or a range of times, and count them."""
    wanted = [outbox.c.webhook_id == webhook_id, outbox.c.state != "pending"]
    if event_id is not None:
        wanted.append(outbox.c.event_id == event_id)
    if since is not None:
        wanted.append(outbox.c.created_at >= since)
    if until is not None:
        wanted.append(outbox.c.created_at < until)
    again = session.execute(
        sa.update(outbox)
        .where(*wanted)
        .values(state="pending", tries=0, next_at=now, queued_at=now, settled_at=None)
        .returning(outbox.c.event_id)
    )
    return len(again.all())


def deliveries(
    session: ReadSession,
    webhook_id: UUID,
    *,
    after: tuple[datetime, UUID, int] | None,
    limit: int,
) -> list[Attempt]:
    """Return the delivery log of a receiver, newest first, after a place of that order."""
    place = sa.tuple_(delivery.c.at, delivery.c.event_id, delivery.c.attempt)
    wanted = (
        sa.select(delivery, outbox.c.event_type, outbox.c.state, outbox.c.next_at)
        .join_from(
            delivery,
            outbox,
            sa.and_(
                outbox.c.unit_id == delivery.c.unit_id,
                outbox.c.event_id == delivery.c.event_id,
                outbox.c.webhook_id == delivery.c.webhook_id,
            ),
        )
        .where(delivery.c.webhook_id == webhook_id)
        .order_by(delivery.c.at.desc(), delivery.c.event_id.desc(), delivery.c.attempt.desc())
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(place < after)
    return [
        Attempt(
            event=Event(row["unit_id"], row["event_id"], row["webhook_id"]),
            event_type=row["event_type"],
            attempt=row["attempt"],
            at=row["at"],
            status=row["status"],
            error=row["error"],
            milliseconds=row["milliseconds"],
            state=row["state"],
            next_at=row["next_at"],
        )
        for row in session.execute(wanted).mappings()
    ]


def backlog(session: ReadSession, *, now: datetime, dead_for: timedelta) -> Backlog:
    """Tell how much waits, and how much died lately."""
    pending = outbox.c.state == "pending"
    died = sa.and_(outbox.c.state == "dead", outbox.c.settled_at > now - dead_for)
    waiting, oldest = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.min(outbox.c.next_at).filter(outbox.c.next_at <= now),
        ).where(pending)
    ).one()
    dead = session.execute(sa.select(sa.func.count()).select_from(outbox).where(died)).scalar_one()
    return Backlog(waiting, dead, oldest)


def _told(claimed: Sequence[Claimed]) -> dict[str, str]:
    rows = [
        {
            "unit_id": each.event.unit_id,
            "event_id": each.event.event_id,
            "webhook_id": each.event.webhook_id,
            "attempt": each.attempt,
            "due_at": each.due_at,
        }
        for each in claimed
    ]
    return {"rows": orjson.dumps(rows).decode()}


def _is(event: Event) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        outbox.c.unit_id == event.unit_id,
        outbox.c.event_id == event.event_id,
        outbox.c.webhook_id == event.webhook_id,
    )
