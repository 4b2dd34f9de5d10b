"""Receivers as use cases; the doors are tested in tests/api/test_webhooks.py."""

import base64
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.senders.guard import UrlAddressRefused, networks
from app.senders.seal import Sealer
from app.store import outbox
from app.store.outbox import Event, Post
from app.store.session import WriteSession
from app.store.tables import outbox as table
from app.usecases import webhooks
from app.usecases.webhooks import WebhookUnknown, new_secret
from tests.factories import local, make_unit
from tests.usecases.test_subtree import holder_of

NOW = local("2026-08-10", 8)
SEALER = Sealer(b"k" * 32)


def test_a_secret_has_thirty_two_random_bytes() -> None:
    secrets = {new_secret() for _ in range(20)}

    assert len(secrets) == 20
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {32}


def test_a_receiver_that_is_taken_away_leaves_its_post_in_the_dead_letters(
    session: WriteSession,
) -> None:
    unit = make_unit(session)
    who = holder_of(unit)
    made = webhooks.add_webhook(
        session,
        SEALER,
        url="https://receiver.example/",
        unit=unit.code,
        events=["dossier.overdue", "dossier.overdue"],
        allowed=(),
        who=who,
        now=NOW,
    ).webhook
    post = Post(Event(unit.id, uuid4(), made.id), "dossier.overdue", {})
    outbox.append(session, [post], now=NOW)

    webhooks.remove_webhook(session, made.id, who=who, now=NOW)

    assert made.events == ("dossier.overdue",)
    row = session.execute(sa.select(table.c.state, table.c.last_error)).one()
    assert tuple(row) == ("dead", "receiver_removed")
    with pytest.raises(WebhookUnknown):
        webhooks.get_webhook(session, made.id, who=who)


def test_an_inner_address_is_refused_unless_its_network_is_allowed(session: WriteSession) -> None:
    unit = make_unit(session)
    told = {"unit": unit.code, "events": ["dossier.overdue"], "who": holder_of(unit), "now": NOW}
    url = "http://10.1.2.3/"

    with pytest.raises(UrlAddressRefused):
        webhooks.add_webhook(session, SEALER, url=url, allowed=(), **told)  # type: ignore[arg-type] # same arguments twice
    inner = networks(["10.0.0.0/8"])
    made = webhooks.add_webhook(session, SEALER, url=url, allowed=inner, **told)  # type: ignore[arg-type] # as above
    assert made.webhook.url == url
