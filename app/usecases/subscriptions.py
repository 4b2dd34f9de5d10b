"""Subscriptions to digests by mail: asked for, confirmed by the address itself, ended by anybody.

Nobody gets digests before the address has said yes: the first mail holds a link with a token that
only its reader has. The address is sealed at rest and shown masked; no log and no answer holds it.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from app.domain.alert import Level
from app.domain.delivery import Failure
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.mail import MailKind, Topic, domain_of, mail_id, masked, opened, read_address
from app.i18n import ZONE, Language
from app.senders.seal import ADDRESSES, Sealer
from app.store import audit, mails, subscriptions
from app.store.mails import AttemptRow, MailRow, Planned
from app.store.session import ReadSession, WriteSession
from app.store.subscriptions import SubscriptionRow
from app.usecases import alert_settings
from app.usecases.access import Principal
from app.usecases.calendars import calendars_of
from app.usecases.subtree import Subtree, unit_of

CONFIRM_WITHIN: Final = timedelta(days=14)
TOKEN_BYTES: Final = 24


class Purpose(StrEnum):
    """What a token in a mail is good for."""

    CONFIRM = "confirm"
    LEAVE = "leave"


@dataclass(eq=False, kw_only=True)
class SubscriptionUnknown(NotFound):
    """No subscription has this id, or none within the caller's units."""

    code: ClassVar[str] = "subscription.unknown"
    id: str


@dataclass(eq=False, kw_only=True)
class MailUnconfigured(Conflict):
    """This installation has no mail server, so nobody can be sent anything."""

    code: ClassVar[str] = "subscription.mail_unconfigured"


@dataclass(eq=False, kw_only=True)
class DomainRefused(Invalid):
    """Only addresses of the named domains may subscribe."""

    code: ClassVar[str] = "subscription.domain_refused"
    allowed: str


@dataclass(eq=False, kw_only=True)
class LinkInvalid(Invalid):
    """The link of a mail is damaged, was cut, or has expired."""

    code: ClassVar[str] = "subscription.link_invalid"


@dataclass(frozen=True, slots=True)
class Mailing:
    """What mails need to know of the installation: keys, its address, who may subscribe."""

    sealer: Sealer
    key: bytes
    public_url: str
    domains: tuple[str, ...] = ()

    def url(self, subscription_id: UUID, purpose: Purpose) -> str:
        """Return the address behind which a reader confirms, or leaves."""
        noun = "confirmation" if purpose is Purpose.CONFIRM else "removal"
        token = self.token(subscription_id, purpose)
        return f"{self.public_url}/v1/subscriptions/{subscription_id}/{noun}?token={token}"

    def token(self, subscription_id: UUID, purpose: Purpose) -> str:
        """Return what proves that somebody read a mail of ours."""
        told = f"{purpose.value}:{subscription_id}".encode()
        seal = hmac.digest(self.key, told, hashlib.sha256)[:TOKEN_BYTES]
        return urlsafe_b64encode(seal).decode("ascii")

    def digest(self, address: str) -> bytes:
        """Return what stands for an address where only sameness matters."""
        return hmac.digest(self.key, b"address:" + address.lower().encode(), hashlib.sha256)

    def check(self, subscription_id: UUID, purpose: Purpose, token: str) -> None:
        """Pass if the token is ours.

        :raises LinkInvalid: it is not.
        """
        wanted = self.token(subscription_id, purpose)
        if not hmac.compare_digest(wanted.encode(), token.encode("utf-8", "replace")):
            raise LinkInvalid


def mailing(secret: bytes, *, public_url: str, domains: Sequence[str] = ()) -> Mailing:
    """Return what mails need, with keys derived from the installation's."""
    return Mailing(
        Sealer(secret, ADDRESSES),
        hmac.digest(secret, b"dunghan mail links", hashlib.sha256),
        public_url,
        tuple(domain.lower().lstrip("@.") for domain in domains),
    )


def subscribe(
    session: WriteSession,
    mailing: Mailing,
    *,
    address: str,
    unit: str,
    level: Level,
    language: Language,
    topics: Sequence[Topic],
    who: Principal,
    now: datetime,
) -> tuple[SubscriptionRow, bool]:
    """Ask that an address gets the digests of a unit and level; tell whether it is new.

    Asking again changes language and topics. A confirmation goes out at most once an hour.

    :raises UnitUnknown: there is no such unit, or it lies outside what the caller may see.
    :raises AddressInvalid: the address is none.
    :raises DomainRefused: it belongs to a domain that may not subscribe.
    """
    told = read_address(address)
    _check_domain(mailing, told)
    owner = unit_of(session, who, unit)
    digest = mailing.digest(told)
    same = subscriptions.find_same(
        session, unit_id=owner.id, level=level.value, address_digest=digest
    )
    wanted = [topic.value for topic in dict.fromkeys(topics)]
    subscription_id = uuid.uuid4() if same is None else same.id
    if same is None:
        subscriptions.add(
            session,
            {
                "id": subscription_id,
                "unit_id": owner.id,
                "level": level.value,
                "language": language.value,
                "topics": wanted,
                "address": mailing.sealer.seal(told, owner=str(subscription_id)),
                "address_digest": digest,
                "address_masked": masked(told),
                "actor": who.actor,
                "created_at": now,
            },
        )
    else:
        subscriptions.change(
            session,
            subscription_id,
            {
                "language": language.value,
                "topics": wanted,
                "disabled_at": None,
                "disabled_reason": None,
                "created_at": same.created_at if same.confirmed_at else now,
            },
        )
    if same is None or same.confirmed_at is None:
        _ask(session, owner.id, subscription_id, now=now)
    audit.append(
        session,
        actor=who.actor,
        action="subscription.put",
        subject=str(subscription_id),
        unit_id=owner.id,
        after={"level": level.value, "topics": wanted, "address": masked(told)},
    )
    return get(session, subscription_id, who=who), same is None


def _check_domain(mailing: Mailing, address: str) -> None:
    domain = domain_of(address)
    fits = [domain == one or domain.endswith(f".{one}") for one in mailing.domains]
    if fits and not any(fits):
        raise DomainRefused(allowed=", ".join(mailing.domains))


def _ask(session: WriteSession, unit_id: int, subscription_id: UUID, *, now: datetime) -> None:
    """Queue the mail that asks the address, once for an hour."""
    slot = f"{now.astimezone(ZONE):%Y-%m-%dT%H}"
    kind = MailKind.CONFIRMATION
    planned = Planned(
        unit_id,
        mail_id(subscription=subscription_id, kind=kind, slot=slot),
        subscription_id,
        kind,
        slot,
    )
    mails.plan(session, [planned], now=now)


def get(session: ReadSession, subscription_id: UUID, *, who: Principal) -> SubscriptionRow:
    """Return a subscription.

    :raises SubscriptionUnknown: there is none within what the caller may see.
    """
    found = subscriptions.find(session, subscription_id)
    if found is None or not who.covers(found.lft):
        raise SubscriptionUnknown(id=str(subscription_id))
    return found


def list_subscriptions(
    session: ReadSession, *, within: Subtree, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[list[SubscriptionRow], bool]:
    """Return a page of the subscriptions of a subtree, and whether there are more."""
    found = subscriptions.page(
        session, lft=within.lft, rgt=within.rgt, after=after, limit=limit + 1
    )
    return found[:limit], len(found) > limit


def list_mails(
    session: ReadSession,
    subscription_id: UUID,
    *,
    who: Principal,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[MailRow], bool]:
    """Return a page of the mails of a subscription, newest first, and whether there are more.

    :raises SubscriptionUnknown: there is none within what the caller may see.
    """
    owner = get(session, subscription_id, who=who)
    found = mails.page(session, owner.unit_id, subscription_id, after=after, limit=limit + 1)
    return found[:limit], len(found) > limit


def list_attempts(
    session: ReadSession,
    subscription_id: UUID,
    *,
    who: Principal,
    after: tuple[datetime, UUID, int] | None,
    limit: int,
) -> tuple[list[AttemptRow], bool]:
    """Return a page of the attempts to send its mails, newest first, and whether there are more.

    :raises SubscriptionUnknown: there is none within what the caller may see.
    """
    owner = get(session, subscription_id, who=who)
    found = mails.attempts(session, owner.unit_id, subscription_id, after=after, limit=limit + 1)
    return found[:limit], len(found) > limit


def unsubscribe(
    session: WriteSession, subscription_id: UUID, *, who: Principal, now: datetime
) -> None:
    """Take a subscription away with its address.

    :raises SubscriptionUnknown: there is none within what the caller may see.
    """
    found = get(session, subscription_id, who=who)
    _remove(session, found, actor=who.actor, now=now)


# ---------------------------------------------------------------- said by the address itself


def look(
    session: ReadSession, mailing: Mailing, subscription_id: UUID, purpose: Purpose, token: str
) -> SubscriptionRow:
    """Return the subscription that the link of a mail is about.

    :raises LinkInvalid: the token is not ours, or the subscription is gone.
    """
    mailing.check(subscription_id, purpose, token)
    found = subscriptions.find(session, subscription_id)
    if found is None:
        raise LinkInvalid
    return found


def confirm(
    session: WriteSession, mailing: Mailing, subscription_id: UUID, token: str, *, now: datetime
) -> SubscriptionRow:
    """Begin the digests of an address that said yes; saying it twice changes nothing.

    What was raised before is not told afterwards.

    :raises LinkInvalid: the token is not ours, or was asked for too long ago.
    """
    mailing.check(subscription_id, Purpose.CONFIRM, token)
    found = subscriptions.lock(session, subscription_id)
    if found is None:
        raise LinkInvalid
    if found.confirmed_at is not None:
        return found
    if now > found.created_at + CONFIRM_WITHIN:
        raise LinkInvalid
    calendar = calendars_of(session, {found.unit_id})[found.unit_id]
    held = alert_settings.settings_of(session, [found.unit_id])[found.unit_id]
    begun = opened(calendar, now=now, digest_at=held.digest_at)
    subscriptions.change(
        session,
        subscription_id,
        {
            "confirmed_at": now,
            "told_until": now,
            "last_slot": None if begun is None else begun.key,
            "look_at": now,
        },
    )
    audit.append(
        session,
        actor=f"subscription:{subscription_id}",
        action="subscription.confirm",
        subject=str(subscription_id),
        unit_id=found.unit_id,
    )
    return found


def leave(
    session: WriteSession, mailing: Mailing, subscription_id: UUID, token: str, *, now: datetime
) -> None:
    """End the digests of an address that asked for it; of one that is gone, nothing is left to do.

    :raises LinkInvalid: the token is not ours.
    """
    mailing.check(subscription_id, Purpose.LEAVE, token)
    found = subscriptions.lock(session, subscription_id)
    if found is not None:
        _remove(session, found, actor=f"subscription:{subscription_id}", now=now)


def _remove(session: WriteSession, found: SubscriptionRow, *, actor: str, now: datetime) -> None:
    subscriptions.remove(session, found.id)
    buried = mails.bury(session, found.unit_id, found.id, failure=Failure.REMOVED, now=now)
    audit.append(
        session,
        actor=actor,
        action="subscription.remove",
        subject=str(found.id),
        unit_id=found.unit_id,
        before={"level": found.level, "address": found.address_masked},
        after={"waiting": buried},
    )
