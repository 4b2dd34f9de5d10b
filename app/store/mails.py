"""Mails to go out: one row for a slot, claimed by compare-and-set, with every attempt.

A claim sets the next attempt first: a crash between claim and settlement means another attempt
of the same mail under the same ``Message-ID``, and never a loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from app.domain.delivery import CLAIM, Answer, Backlog, Failure
from app.domain.mail import AWAY, MailKind, MailState
from app.store.session import ReadSession, WriteSession
from app.store.tables import mail, mail_attempt


@dataclass(frozen=True, slots=True)
class Planned:
    """A mail to be written down."""

    unit_id: int
    id: UUID
    subscription_id: UUID
    kind: MailKind
    slot: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send now."""

    unit_id: int
    id: UUID
    subscription_id: UUID
    kind: MailKind
    slot: str
    since: datetime | None
    until: datetime | None
    attempt: int
    tries: int


@dataclass(frozen=True, slots=True)
class MailRow:
    """A mail as it stands."""

    id: UUID
    kind: str
    slot: str
    since: datetime | None
    until: datetime | None
    state: str
    attempts: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    found: Mapping[str, Any]
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt to send a mail, with the present state of the mail."""

    mail_id: UUID
    kind: str
    slot: str
    attempt: int
    at: datetime
    status: int | None
    error: str | None
    milliseconds: int | None
    state: str
    next_at: datetime


def plan(session: WriteSession, planned: Sequence[Planned], *, now: datetime) -> int:
    """Write mails down, each once for its slot; count those that were not there yet."""
    if not planned:
        return 0
    rows = orjson.dumps([asdict(each) for each in planned]).decode()
    return int(session.execute(_PLAN, {"rows": rows, "now": now}).scalar_one())


_PLAN: Final = sa.text(
    """
    WITH written AS (
        INSERT INTO mail (unit_id, id, subscription_id, kind, slot, since, until, next_at,
                          created_at)
        SELECT unit_id, id, subscription_id, kind, slot, since, until, :now, :now
          FROM json_to_recordset(CAST(:rows AS json)) AS t(
               unit_id int, id uuid, subscription_id uuid, kind text, slot text,
               since timestamptz, until timestamptz)
            ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT count(*) FROM written"""
)


def supersede(
    session: WriteSession, owners: Sequence[tuple[int, UUID]], *, now: datetime
) -> dict[UUID, datetime | None]:
    """Withdraw the digests that still wait, for the next ones to take over what they would tell.

    ``owners`` are subscriptions with their units. Returns from when on what was withdrawn would
    tell, by subscription, and None for those of which one is being sent.
    """
    told = {
        "units": [unit_id for unit_id, _ in owners],
        "ids": [subscription_id for _, subscription_id in owners],
        "now": now,
    }
    return {row.subscription_id: row.since for row in session.execute(_SUPERSEDE, told)}


_SUPERSEDE: Final = sa.text(
    """
    WITH waiting AS (
        SELECT mail.unit_id, mail.id, mail.subscription_id, mail.claimed_until > :now AS is_busy
          FROM mail
          JOIN unnest(CAST(:units AS int[]), CAST(:ids AS uuid[])) AS owner (unit_id, id)
            ON mail.unit_id = owner.unit_id AND mail.subscription_id = owner.id
         WHERE mail.kind = 'digest' AND mail.state = 'pending'
    ), busy AS (
        SELECT DISTINCT subscription_id FROM waiting WHERE is_busy
    ), withdrawn AS (
        UPDATE mail SET state = 'superseded', settled_at = :now, claimed_until = NULL
          FROM waiting
         WHERE mail.unit_id = waiting.unit_id AND mail.id = waiting.id AND mail.state = 'pending'
           AND coalesce(mail.claimed_until <= :now, TRUE)
           AND waiting.subscription_id NOT IN (SELECT subscription_id FROM busy)
        RETURNING mail.subscription_id, mail.since)
    SELECT subscription_id, min(since) AS since FROM withdrawn GROUP BY subscription_id
     UNION ALL
    SELECT subscription_id, NULL FROM busy"""
)


def claim(session: WriteSession, *, now: datetime) -> Claimed | None:
    """Take the mail that has been due the longest, None when there is none left."""
    row = session.execute(_CLAIM, {"now": now, "until": now + CLAIM}).one_or_none()
    if row is None:
        return None
    return Claimed(
        row.unit_id,
        row.id,
        row.subscription_id,
        MailKind(row.kind),
        row.slot,
        row.since,
        row.until,
        row.attempts,
        row.tries,
    )


# Materialized, or a plan may look for the first one again for each mail, and take as many.
_CLAIM: Final = sa.text(
    """
      WITH due AS MATERIALIZED (
        SELECT unit_id, id FROM mail WHERE state = 'pending' AND next_at <= :now
         ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE mail
       SET attempts = mail.attempts + 1, next_at = :until, claimed_until = :until
      FROM due
     WHERE mail.unit_id = due.unit_id AND mail.id = due.id
    RETURNING mail.*"""
)


def log(session: WriteSession, claimed: Claimed, answer: Answer, *, now: datetime) -> None:
    """Write down an attempt."""
    session.execute(
        sa.insert(mail_attempt).values(
            unit_id=claimed.unit_id,
            mail_id=claimed.id,
            attempt=claimed.attempt,
            at=now,
            status=answer.status,
            error=None if answer.failure is None else answer.failure.value,
            milliseconds=answer.milliseconds,
        )
    )


def settle(
    session: WriteSession,
    claimed: Claimed,
    state: MailState,
    *,
    answer: Answer | None = None,
    next_at: datetime | None = None,
    tries: int | None = None,
    found: Mapping[str, object] | None = None,
    now: datetime,
) -> bool:
    """Write down what became of a mail; tell whether it was still ours to say.

    One who was overtaken may still say that it was sent, which is true whoever sent it.
    """
    mine = [mail.c.unit_id == claimed.unit_id, mail.c.id == claimed.id]
    if state is not MailState.SENT:
        mine += [mail.c.attempts == claimed.attempt, mail.c.state == MailState.PENDING.value]
    values: dict[str, object] = {"state": state.value, "claimed_until": None}
    if state is not MailState.PENDING:
        values["settled_at"] = now
    if next_at is not None:
        values["next_at"] = next_at
    if tries is not None:
        values["tries"] = tries
    if found is not None:
        values["found"] = dict(found)
    if answer is not None:
        values["last_status"] = answer.status
        values["last_error"] = None if answer.failure is None else answer.failure.value
    settled = session.execute(sa.update(mail).where(*mine).values(**values).returning(mail.c.id))
    return settled.one_or_none() is not None


def hurry(session: WriteSession, *, now: datetime) -> int:
    """Let what waits for a server that was away go out now, since it is well again; count it."""
    hurried = session.execute(
        sa.update(mail)
        .where(
            mail.c.state == MailState.PENDING.value,
            mail.c.next_at > now,
            mail.c.claimed_until.is_(None),
            mail.c.last_error.in_([failure.value for failure in AWAY]),
        )
        .values(next_at=now)
        .returning(mail.c.id)
    )
    return len(hurried.all())


def put_back(session: WriteSession, claimed: Claimed, *, next_at: datetime) -> None:
    """Give a claimed mail back as if it had not been claimed, to be looked at later."""
    session.execute(
        sa.update(mail)
        .where(
            mail.c.unit_id == claimed.unit_id,
            mail.c.id == claimed.id,
            mail.c.attempts == claimed.attempt,
        )
        .values(attempts=claimed.attempt - 1, next_at=next_at, claimed_until=None)
    )


def bury(
    session: WriteSession, unit_id: int, subscription_id: UUID, *, failure: Failure, now: datetime
) -> int:
    """Give up what waits for a subscription, and count it."""
    gone = session.execute(
        sa.update(mail)
        .where(
            mail.c.unit_id == unit_id,
            mail.c.subscription_id == subscription_id,
            mail.c.state == MailState.PENDING.value,
        )
        .values(
            state=MailState.DEAD.value,
            last_error=failure.value,
            settled_at=now,
            claimed_until=None,
        )
        .returning(mail.c.id)
    )
    return len(gone.all())


def page(
    session: ReadSession,
    unit_id: int,
    subscription_id: UUID,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[MailRow]:
    """Return the mails of a subscription, newest first, after a place (``created_at``, id)."""
    names = list(MailRow.__dataclass_fields__)
    wanted = sa.select(*(mail.c[name] for name in names)).where(
        mail.c.unit_id == unit_id, mail.c.subscription_id == subscription_id
    )
    if after is not None:
        wanted = wanted.where(sa.tuple_(mail.c.created_at, mail.c.id) < after)
    ordered = wanted.order_by(mail.c.created_at.desc(), mail.c.id.desc()).limit(limit)
    return [MailRow(**row) for row in session.execute(ordered).mappings()]


def attempts(
    session: ReadSession,
    unit_id: int,
    subscription_id: UUID,
    *,
    after: tuple[datetime, UUID, int] | None,
    limit: int,
) -> list[AttemptRow]:
    """Return the attempts at the mails of a subscription, newest first, after a place.

    A place is (``at``, mail, number of the attempt).
    """
    made = mail_attempt
    place = sa.tuple_(made.c.at, made.c.mail_id, made.c.attempt)
    wanted = (
        sa.select(
            made.c.mail_id,
            mail.c.kind,
            mail.c.slot,
            made.c.attempt,
            made.c.at,
            made.c.status,
            made.c.error,
            made.c.milliseconds,
            mail.c.state,
            mail.c.next_at,
        )
        .join_from(
            mail, made, sa.and_(made.c.unit_id == mail.c.unit_id, made.c.mail_id == mail.c.id)
        )
        .where(mail.c.unit_id == unit_id, mail.c.subscription_id == subscription_id)
        .order_by(made.c.at.desc(), made.c.mail_id.desc(), made.c.attempt.desc())
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(place < after)
    return [AttemptRow(**row) for row in session.execute(wanted).mappings()]


def backlog(session: ReadSession, *, now: datetime, dead_for: timedelta) -> Backlog:
    """Return how much waits and how much was given up of late."""
    waiting, oldest = session.execute(
        sa.select(sa.func.count(), sa.func.min(mail.c.next_at).filter(mail.c.next_at <= now)).where(
            mail.c.state == MailState.PENDING.value
        )
    ).one()
    died = sa.and_(mail.c.state == MailState.DEAD.value, mail.c.settled_at > now - dead_for)
    dead = session.execute(sa.select(sa.func.count()).select_from(mail).where(died)).scalar_one()
    return Backlog(waiting, dead, oldest)
