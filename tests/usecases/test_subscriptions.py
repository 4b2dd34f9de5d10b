"""Subscriptions: nobody gets digests before the address has said yes."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from app.domain.alert import Level
from app.domain.mail import AddressInvalid, Topic
from app.i18n import Language
from app.senders.seal import SealBroken, Sealer
from app.store.session import WriteSession
from app.store.subscriptions import SubscriptionRow
from app.store.tables import audit, mail, subscription
from app.store.units import UnitUnknown
from app.usecases import subscriptions
from app.usecases.access import Principal
from app.usecases.subscriptions import (
    CONFIRM_WITHIN,
    DomainRefused,
    LinkInvalid,
    Mailing,
    Purpose,
    SubscriptionUnknown,
)
from tests.factories import local, make_unit
from tests.usecases.test_subtree import holder_of

NOW = local("2026-08-10", 9)
SECRET = b"s" * 32
ADDRESS = "mot-cua@viet-tri.example.gov.vn"
MAILING = subscriptions.mailing(SECRET, public_url="https://dung-han.vn")


def subscribe(
    session: WriteSession,
    who: Principal,
    *,
    mailing: Mailing = MAILING,
    address: str = ADDRESS,
    unit: str = "H44",
    topics: tuple[Topic, ...] = (Topic.OVERDUE,),
) -> tuple[SubscriptionRow, bool]:
    return subscriptions.subscribe(
        session,
        mailing,
        address=address,
        unit=unit,
        level=Level.UNIT,
        language=Language.VI,
        topics=topics,
        who=who,
        now=NOW,
    )


def waiting(session: WriteSession) -> list[tuple[str, str]]:
    rows = session.execute(sa.select(mail.c.kind, mail.c.state).order_by(mail.c.created_at))
    return [(row.kind, row.state) for row in rows]


def test_an_address_is_asked_once_an_hour_and_digests_wait_for_its_yes(
    session: WriteSession,
) -> None:
    who = holder_of(make_unit(session))

    first, is_new = subscribe(session, who)
    second, is_new_again = subscribe(session, who, address=ADDRESS.upper().replace("MOT", "mot"))

    assert (is_new, is_new_again) == (True, False)
    assert first.id == second.id
    assert first.confirmed_at is None
    assert waiting(session) == [("confirmation", "pending")]


def test_the_address_lies_sealed_and_nowhere_in_the_open(session: WriteSession) -> None:
    made, _ = subscribe(session, holder_of(make_unit(session)))

    everything = [
        str(
            session.execute(sa.text(f"SELECT to_jsonb(t)::text FROM {table.name} t"))
            .scalars()
            .all()
        )
        for table in (subscription, audit, mail)
    ]
    assert not any(ADDRESS in told or "mot-cua" in told for told in everything)
    assert MAILING.sealer.open(made.address, owner=str(made.id)) == ADDRESS
    with pytest.raises(SealBroken):
        MAILING.sealer.open(made.address, owner=str(uuid4()))
    with pytest.raises(SealBroken):
        Sealer(SECRET).open(made.address, owner=str(made.id))


def test_only_the_reader_of_the_mail_can_say_yes(session: WriteSession) -> None:
    made, _ = subscribe(session, holder_of(make_unit(session)))
    token = MAILING.token(made.id, Purpose.CONFIRM)
    strange = [
        (made.id, ""),
        (made.id, token[:-1]),
        (made.id, "ă"),
        (made.id, MAILING.token(made.id, Purpose.LEAVE)),
        (uuid4(), token),
    ]

    for subscription_id, told in strange:
        with pytest.raises(LinkInvalid):
            subscriptions.confirm(session, MAILING, subscription_id, told, now=NOW)
    for _ in range(2):
        subscriptions.confirm(session, MAILING, made.id, token, now=NOW)

    found = subscriptions.look(session, MAILING, made.id, Purpose.CONFIRM, token)
    assert (found.confirmed_at, found.told_until, found.last_slot) == (NOW, NOW, "2026-08-10")


def test_a_yes_that_comes_too_late_counts_nothing_until_asked_again(session: WriteSession) -> None:
    made, _ = subscribe(session, holder_of(make_unit(session)))
    token = MAILING.token(made.id, Purpose.CONFIRM)

    with pytest.raises(LinkInvalid):
        subscriptions.confirm(
            session, MAILING, made.id, token, now=NOW + CONFIRM_WITHIN + timedelta(seconds=1)
        )


def test_the_reader_ends_the_digests_and_the_address_is_gone(session: WriteSession) -> None:
    made, _ = subscribe(session, holder_of(make_unit(session)))
    token = MAILING.token(made.id, Purpose.LEAVE)

    for _ in range(2):
        subscriptions.leave(session, MAILING, made.id, token, now=NOW)

    assert session.execute(sa.select(subscription)).all() == []
    assert waiting(session) == [("confirmation", "dead")]
    with pytest.raises(LinkInvalid):
        subscriptions.look(session, MAILING, made.id, Purpose.LEAVE, token)
    with pytest.raises(LinkInvalid):
        subscriptions.leave(session, MAILING, made.id, "x", now=NOW)


def test_only_the_named_domains_and_those_below_may_subscribe(session: WriteSession) -> None:
    who = holder_of(make_unit(session))
    strict = subscriptions.mailing(SECRET, public_url="https://x.vn", domains=("@Gov.vn",))

    assert subscribe(session, who, mailing=strict)[1]
    for address in ("a@gmail.com", "a@notgov.vn"):
        with pytest.raises(DomainRefused):
            subscribe(session, who, mailing=strict, address=address)
    with pytest.raises(AddressInvalid):
        subscribe(session, who, address="x")


def test_another_subtree_s_subscription_does_not_exist(session: WriteSession) -> None:
    province = make_unit(session)
    mine, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    made, _ = subscribe(session, holder_of(mine), unit="H44.1")

    for ask in (subscriptions.get, subscriptions.unsubscribe):
        extra = {"now": NOW} if ask is subscriptions.unsubscribe else {}
        with pytest.raises(SubscriptionUnknown):
            ask(session, made.id, who=holder_of(other), **extra)
    with pytest.raises(UnitUnknown):
        subscribe(session, holder_of(other), unit="H44.1")
    with pytest.raises(SubscriptionUnknown):
        subscriptions.list_mails(session, made.id, who=holder_of(other), after=None, limit=9)
    shown, more = subscriptions.list_mails(
        session, made.id, who=holder_of(province), after=None, limit=9
    )
    assert ([row.kind for row in shown], more) == (["confirmation"], False)
    subscriptions.unsubscribe(session, made.id, who=holder_of(mine), now=NOW)


def test_a_subscription_that_was_refused_begins_anew_when_asked_again(
    session: WriteSession,
) -> None:
    who = holder_of(make_unit(session))
    made: UUID = subscribe(session, who)[0].id
    session.execute(sa.update(subscription).values(disabled_at=NOW, disabled_reason="x"))

    again, _ = subscribe(session, who, topics=(Topic.DUE_SOON, Topic.DUE_SOON))

    assert (again.id, again.disabled_at, again.topics) == (made, None, ("due_soon",))
