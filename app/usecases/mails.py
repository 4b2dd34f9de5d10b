"""Mails: planned once for a slot, written when they are sent, sent outside of any transaction.

Delivery is claim (a short transaction, in which the content is judged and written), send (none),
settle (a short transaction). A crash between claim and settlement means another attempt of the
same mail under the same ``Message-ID``; the reader's program folds repeats.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from app.domain.alert import Level, working_days_late
from app.domain.calendar import CalendarYearMissing
from app.domain.delivery import Answer, Failure, next_try_at
from app.domain.digest import Digest, DigestLine, Silent, is_overdue
from app.domain.mail import (
    AWAY,
    REST,
    SETTLING,
    Mail,
    MailKind,
    MailState,
    Slot,
    Topic,
    is_open_for_mail,
    look_again_at,
    mail_id,
    message_id,
    opened,
)
from app.exports import digest_mail
from app.i18n import Language
from app.senders.seal import SealBroken
from app.store import digests, mails, silences, subscriptions
from app.store.digests import Asked
from app.store.mails import Claimed, Planned
from app.store.session import Database, ReadSession, WriteSession
from app.store.subscriptions import Looked, SubscriptionRow
from app.usecases.alert_settings import settings_of
from app.usecases.calendars import calendars_of
from app.usecases.subscriptions import CONFIRM_WITHIN, Mailing, Purpose

AT_ONCE: Final = 25
"""How many subscriptions are looked at in one transaction."""
BUSY: Final = timedelta(minutes=1)
"""When to look again while the digest before is being sent."""


class Sender(Protocol):
    """What makes one attempt; it never raises for the server's doing."""

    def send(self, mail: Mail) -> Answer:
        """Send a mail and say what came of it."""
        ...


@dataclass(frozen=True, slots=True)
class Postman:
    """What sending needs beside the database: a sender, keys and links, the present."""

    sender: Sender
    mailing: Mailing
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a round: mails sent, found to have nothing to tell, failed, and given up."""

    sent: int = 0
    empty: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        """Add two rounds."""
        return Sent(
            self.sent + other.sent,
            self.empty + other.empty,
            self.failed + other.failed,
            self.dead + other.dead,
        )


# ---------------------------------------------------------------- planning


def plan_digests(session: WriteSession, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Write down the digests that are due, one for each subscription, and count what was looked at.

    After missed slots there is one digest, which tells everything since the last one; a digest
    that still waits is taken over by the next. Outside of office hours nothing is planned, however
    much was missed.
    """
    due = subscriptions.take_due(session, now=now, limit=limit)
    if not due:
        return 0
    unit_ids = {one.unit_id for one in due}
    calendars = calendars_of(session, unit_ids)
    settings = settings_of(session, unit_ids)
    looks = {}
    slots = {}
    for one in due:
        calendar, times = calendars[one.unit_id], settings[one.unit_id].digest_at
        slot = opened(calendar, now=now, digest_at=times)
        looks[one.id] = Looked(one.id, look_again_at(calendar, now=now, digest_at=times))
        is_open = is_open_for_mail(calendar, now=now, digest_at=times)
        if is_open and slot is not None and _is_due(one, slot):
            slots[one.id] = slot.key
    owners = [one for one in due if one.id in slots]
    waiting = mails.supersede(session, [(one.unit_id, one.id) for one in owners], now=now)
    planned = []
    for one in owners:
        since = waiting.get(one.id, one.told_until or now)
        if since is None:  # the one before is being sent
            looks[one.id] = Looked(one.id, now + BUSY)
            continue
        until = max(now - SETTLING, one.told_until or now)
        planned.append(_planned(one, slots[one.id], since, until))
        looks[one.id] = replace(looks[one.id], last_slot=slots[one.id], told_until=until)
    mails.plan(session, planned, now=now)
    subscriptions.look_again(session, list(looks.values()))
    return len(due)


def _is_due(one: SubscriptionRow, slot: Slot) -> bool:
    is_new = one.confirmed_at is not None and slot.at > one.confirmed_at
    return is_new and slot.key > (one.last_slot or "")


def _planned(one: SubscriptionRow, slot: str, since: datetime, until: datetime) -> Planned:
    kind = MailKind.DIGEST
    number = mail_id(subscription=one.id, kind=kind, slot=slot)
    return Planned(one.unit_id, number, one.id, kind, slot, since, until)


# ---------------------------------------------------------------- sending


def send_due(database: Database, postman: Postman, *, most: int = 1_000) -> Sent:
    """Send the mails that are due, one after another, and say what came.

    It takes the database and not a session, because sending lies between two transactions. After
    a failure that is not the address's own, the server is left alone until the next round.
    """
    done = Sent()
    for _ in range(most):
        with database.begin() as session:
            claimed = mails.claim(session, now=postman.clock())
            mail = None if claimed is None else _written(session, claimed, postman)
        if claimed is None:
            return done
        if not isinstance(mail, tuple):
            done += mail or Sent()
            continue
        written, found = mail
        answer = postman.sender.send(written)
        with database.begin() as session:
            settled = settle(session, claimed, answer, found=found, now=postman.clock())
        done += settled
        if settled.failed and answer.failure is not Failure.RECIPIENT_REFUSED:
            return done
    return done


def _written(
    session: WriteSession, claimed: Claimed, postman: Postman
) -> tuple[Mail, dict[str, object]] | Sent:
    """Write a claimed mail, or say why there is none: nothing to tell, or nobody to tell it to."""
    now = postman.clock()
    owner = subscriptions.find(session, claimed.subscription_id)
    if owner is None or owner.disabled_at is not None:
        return _give_up(session, claimed, Failure.REMOVED, now=now)
    is_question = claimed.kind is MailKind.CONFIRMATION
    if is_question and now > owner.created_at + CONFIRM_WITHIN:
        return _give_up(session, claimed, Failure.GIVEN_UP, now=now)
    try:
        to = postman.mailing.sealer.open(owner.address, owner=str(owner.id))
    except SealBroken:
        return _give_up(session, claimed, Failure.SECRET_UNREADABLE, now=now)
    leave_url = postman.mailing.url(owner.id, Purpose.LEAVE)
    language = Language(owner.language)
    found: dict[str, object] = {}
    if is_question:
        words = digest_mail.confirmation(
            unit_name=owner.unit_name,
            topics=owner.topics,
            language=language,
            confirm_url=postman.mailing.url(owner.id, Purpose.CONFIRM),
        )
    elif not _is_open(session, owner.unit_id, claimed, now=now):
        return Sent()
    else:
        told = digest_of(session, owner, claimed, as_of=now)
        found = told.found()
        if told.is_empty:
            mails.settle(session, claimed, MailState.EMPTY, found=found, now=now)
            return Sent(empty=1)
        words = digest_mail.digest(
            told,
            language=language,
            public_url=postman.mailing.public_url,
            leave_url=leave_url,
        )
    host = urlsplit(postman.mailing.public_url).hostname or "localhost"
    mail = Mail(
        id=claimed.id,
        message_id=message_id(claimed.id, host=host),
        to=to,
        subject=words.subject,
        text=words.text,
        html=words.html,
        at=now,
        leave_url=leave_url if claimed.kind is MailKind.DIGEST else None,
    )
    return mail, found


def _is_open(session: WriteSession, unit_id: int, claimed: Claimed, *, now: datetime) -> bool:
    """Tell whether a digest may go out now; if not, it is given back until it may."""
    calendar = calendars_of(session, {unit_id})[unit_id]
    times = settings_of(session, [unit_id])[unit_id].digest_at
    if is_open_for_mail(calendar, now=now, digest_at=times):
        return True
    next_at = look_again_at(calendar, now=now, digest_at=times)
    mails.put_back(session, claimed, next_at=next_at)
    return False


def _give_up(session: WriteSession, claimed: Claimed, failure: Failure, *, now: datetime) -> Sent:
    answer = Answer(None, failure, 0)
    mails.settle(session, claimed, MailState.DEAD, answer=answer, now=now)
    return Sent(dead=1)


def digest_of(
    session: ReadSession, owner: SubscriptionRow, claimed: Claimed, *, as_of: datetime
) -> Digest:
    """Return what a digest tells, judged at the moment of telling."""
    since, until = claimed.since or as_of, claimed.until or as_of
    topics = frozenset(Topic(topic) for topic in owner.topics)
    asked = Asked(owner.unit_id, owner.level, topics, since, until, as_of)
    judged = digests.judged(session, asked)
    silent = (
        silences.raised(session, lft=owner.lft, rgt=owner.rgt, since=since, until=until)
        if Topic.SOURCE_SILENT in topics
        else []
    )
    calendars = calendars_of(session, {line.unit_id for line in judged.lines})
    lines = []
    for line in judged.lines:
        late = None
        if is_overdue(line.stage):
            try:
                late = working_days_late(calendars[line.unit_id], line.due_on, as_of)
            except CalendarYearMissing:
                late = None
        lines.append(
            DigestLine(
                line.code, line.source, line.unit, line.procedure, line.stage, line.due_on, late
            )
        )
    return Digest(
        unit=owner.unit,
        unit_name=owner.unit_name,
        level=Level(owner.level),
        slot=claimed.slot,
        as_of=as_of,
        numbers=judged.numbers,
        lines=tuple(lines),
        dropped=judged.dropped,
        silent=tuple(Silent(one.source, one.last_heard_on) for one in silent),
    )


def settle(
    session: WriteSession,
    claimed: Claimed,
    answer: Answer,
    *,
    found: dict[str, object],
    now: datetime,
) -> Sent:
    """Write down what came of an attempt, for the mail and for its subscription."""
    mails.log(session, claimed, answer, now=now)
    if answer.is_acknowledged:
        mails.settle(session, claimed, MailState.SENT, answer=answer, found=found, now=now)
        mails.hurry(session, now=now)
        return Sent(sent=1)
    if answer.failure in AWAY:
        later = now + REST
        mails.settle(session, claimed, MailState.PENDING, answer=answer, next_at=later, now=now)
        return Sent(failed=1)
    tries = claimed.tries + 1
    next_at = next_try_at(tries=tries, event_id=claimed.id, answer=answer, now=now)
    if answer.failure is Failure.RECIPIENT_REFUSED:
        next_at = None
        subscriptions.change(
            session,
            claimed.subscription_id,
            {"disabled_at": now, "disabled_reason": answer.failure.value},
        )
    state = MailState.DEAD if next_at is None else MailState.PENDING
    ours = mails.settle(
        session, claimed, state, answer=answer, next_at=next_at, tries=tries, now=now
    )
    return Sent(failed=1, dead=int(ours and next_at is None))
