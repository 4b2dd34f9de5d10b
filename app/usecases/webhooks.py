"""Receivers of events: registered, tried, given new secrets, followed and taken away."""

import base64
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from app.domain.delivery import Failure
from app.domain.errors import Invalid, NotFound
from app.senders.guard import Network, check_url
from app.senders.seal import Sealer
from app.store import audit, outbox, webhooks
from app.store.outbox import Attempt, Event, Post
from app.store.session import ReadSession, WriteSession
from app.store.webhooks import WebhookRow
from app.usecases.access import Principal
from app.usecases.outbox import EVENTS, TEST, trial_payload
from app.usecases.subtree import Subtree, unit_of

SECRET_BYTES: Final = 32
OVERLAP_HOURS: Final = 24
LONGEST_OVERLAP_HOURS: Final = 336


@dataclass(eq=False, kw_only=True)
class WebhookUnknown(NotFound):
    """No receiver has this id, or none within the caller's units."""

    code: ClassVar[str] = "webhook.unknown"
    id: str


@dataclass(eq=False, kw_only=True)
class EventUnknown(Invalid):
    """A receiver asks for a kind of event that does not exist."""

    code: ClassVar[str] = "webhook.event_unknown"
    event: str
    known: str


@dataclass(eq=False, kw_only=True)
class ReplayUnbounded(Invalid):
    """A replay must name one event, or the time from which on."""

    code: ClassVar[str] = "webhook.replay_unbounded"


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A receiver just registered, or given a new secret, which is shown this once."""

    webhook: WebhookRow
    secret: str


def new_secret() -> str:
    """Return a fresh secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def add_webhook(
    session: WriteSession,
    sealer: Sealer,
    *,
    url: str,
    unit: str,
    events: Sequence[str],
    allowed: Sequence[Network],
    who: Principal,
    now: datetime,
) -> NewWebhook:
    """Register a receiver for the events of a unit and of all below it.

    :raises UnitUnknown: there is no such unit, or it lies outside what the caller may see.
    :raises EventUnknown: a kind of event does not exist.
    :raises UrlMalformed: the address is no plain URL with a host.
    :raises UrlNotHttps: it must be https.
    :raises UrlPortRefused: it must be port 443.
    :raises UrlAddressRefused: the address is not to be called.
    """
    check_url(url, allowed=allowed)
    for event in events:
        if event not in EVENTS:
            raise EventUnknown(event=event, known=", ".join(EVENTS))
    owner = unit_of(session, who, unit)
    webhook_id, secret = uuid.uuid4(), new_secret()
    webhooks.add(
        session,
        webhook_id=webhook_id,
        unit_id=owner.id,
        url=url,
        events=list(dict.fromkeys(events)),
        secret=sealer.seal(secret, owner=str(webhook_id)),
        now=now,
    )
    audit.append(
        session,
        actor=who.actor,
        action="webhook.add",
        subject=str(webhook_id),
        unit_id=owner.id,
        after={"url": url, "events": list(events)},
    )
    return NewWebhook(get_webhook(session, webhook_id, who=who), secret)


def get_webhook(session: ReadSession, webhook_id: UUID, *, who: Principal) -> WebhookRow:
    """Return a receiver.

    :raises WebhookUnknown: there is none within what the caller may see.
    """
    found = webhooks.find(session, webhook_id, lft=who.lft, rgt=who.rgt)
    if found is None:
        raise WebhookUnknown(id=str(webhook_id))
    return found


def list_webhooks(
    session: ReadSession,
    *,
    within: Subtree,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[WebhookRow], bool]:
    """Return a page of the receivers of a subtree, oldest first, and whether there are more."""
    found = webhooks.page(session, lft=within.lft, rgt=within.rgt, after=after, limit=limit + 1)
    return found[:limit], len(found) > limit


def remove_webhook(
    session: WriteSession, webhook_id: UUID, *, who: Principal, now: datetime
) -> None:
    """Take a receiver away; what still waits for it goes to the dead letters.

    :raises WebhookUnknown: there is none within what the caller may see.
    """
    found = get_webhook(session, webhook_id, who=who)
    webhooks.remove(session, webhook_id)
    buried = outbox.bury(session, webhook_id, failure=Failure.REMOVED, now=now)
    audit.append(
        session,
        actor=who.actor,
        action="webhook.remove",
        subject=str(webhook_id),
        unit_id=found.unit_id,
        before={"url": found.url, "events": list(found.events)},
        after={"waiting": buried},
    )


def rotate_secret(
    session: WriteSession,
    sealer: Sealer,
    webhook_id: UUID,
    *,
    overlap: timedelta,
    who: Principal,
    now: datetime,
) -> NewWebhook:
    """Give a receiver a new secret; until the overlap ends, the old one signs as well.

    :raises WebhookUnknown: there is none within what the caller may see.
    """
    found = get_webhook(session, webhook_id, who=who)
    secret = new_secret()
    until = now + overlap
    webhooks.rotate(
        session,
        webhook_id,
        secret=sealer.seal(secret, owner=str(webhook_id)),
        previous_until=until,
    )
    audit.append(
        session,
        actor=who.actor,
        action="webhook.rotate",
        subject=str(webhook_id),
        unit_id=found.unit_id,
        after={"previous_until": until.isoformat()},
    )
    return NewWebhook(get_webhook(session, webhook_id, who=who), secret)


def try_webhook(session: WriteSession, webhook_id: UUID, *, who: Principal, now: datetime) -> UUID:
    """Queue a test event for a receiver and return its id; a disabled receiver is called again.

    :raises WebhookUnknown: there is none within what the caller may see.
    """
    found = get_webhook(session, webhook_id, who=who)
    event_id = uuid.uuid4()
    webhooks.enable(session, webhook_id)
    event = Event(found.unit_id, event_id, webhook_id)
    payload = trial_payload(webhook_id=webhook_id, now=now)
    outbox.append(session, [Post(event, TEST, payload)], now=now)
    audit.append(
        session,
        actor=who.actor,
        action="webhook.test",
        subject=str(webhook_id),
        unit_id=found.unit_id,
        after={"event": str(event_id)},
    )
    return event_id


def replay(
    session: WriteSession,
    webhook_id: UUID,
    *,
    event_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    who: Principal,
    now: datetime,
) -> int:
    """Queue events of a receiver again, one or those of a span of time, and count them.

    They keep their ids and bodies. A disabled receiver is called again.

    :raises WebhookUnknown: there is none within what the caller may see.
    :raises ReplayUnbounded: neither an event nor a beginning is named.
    """
    found = get_webhook(session, webhook_id, who=who)
    if event_id is None and since is None:
        raise ReplayUnbounded
    webhooks.enable(session, webhook_id)
    queued = outbox.requeue(
        session, webhook_id, event_id=event_id, since=since, until=until, now=now
    )
    audit.append(
        session,
        actor=who.actor,
        action="webhook.replay",
        subject=str(webhook_id),
        unit_id=found.unit_id,
        after={"queued": queued},
    )
    return queued


def list_deliveries(
    session: ReadSession,
    webhook_id: UUID,
    *,
    who: Principal,
    after: tuple[datetime, UUID, int] | None,
    limit: int,
) -> tuple[list[Attempt], bool]:
    """Return a page of the delivery log of a receiver, newest first, and whether there is more.

    :raises WebhookUnknown: there is none within what the caller may see.
    """
    get_webhook(session, webhook_id, who=who)
    found = outbox.deliveries(session, webhook_id, after=after, limit=limit + 1)
    return found[:limit], len(found) > limit
