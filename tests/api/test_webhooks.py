"""Receivers of events through the doors."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

from app.api.webhooks import sealer_of
from app.deps import Installation
from app.senders.webhook import headers_of
from app.usecases.outbox import Courier, deliver_due
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.factories import make_unit
from tests.fakes import RecordingSender

URL = "https://receiver.example/dung-han"


@pytest.fixture
def units(installation: Installation) -> None:
    with installation.database.begin() as session:
        province = make_unit(session)
        for code in ("H44.100", "H44.200"):
            make_unit(session, code, parent=province)


@pytest.fixture
def key(make_key: MakeKey, units: None) -> dict[str, str]:
    return as_key(make_key(unit="H44"))


def add(client: TestClient, key: dict[str, str], **body: object) -> dict[str, Any]:
    told = {"url": URL, "unit": "H44.100", **body}
    answer = client.post("/v1/webhooks", json=told, headers=key)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_secret_is_shown_once_and_never_again(client: TestClient, key: dict[str, str]) -> None:
    made = add(client, key)

    shown = client.get(f"/v1/webhooks/{made['id']}", headers=key).json()
    listed = client.get("/v1/webhooks", headers=key).json()

    assert made["secret"].startswith("whsec_")
    assert made["events"] == ["dossier.overdue"]
    assert {**shown, "secret": made["secret"]} == made
    assert listed == {"webhooks": [shown], "next_cursor": None}


def test_the_stored_secret_is_sealed(
    client: TestClient, key: dict[str, str], installation: Installation
) -> None:
    made = add(client, key)

    from app.store import webhooks

    with installation.database.read() as session:
        (row,) = webhooks.page(session, lft=0, rgt=2**62, after=None, limit=2)
    assert made["secret"].encode() not in row.secret
    assert sealer_of(installation).open(row.secret, owner=str(row.id)) == made["secret"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("not a url", "webhook.url_malformed"),
        ("http://receiver.example/", "webhook.url_not_https"),
        ("https://receiver.example:8443/", "webhook.url_port_refused"),
        ("https://169.254.169.254/latest", "webhook.url_address_refused"),
        ("https://[::1]/", "webhook.url_address_refused"),
    ],
)
def test_an_address_that_is_not_to_be_called_is_refused_with_a_remedy(
    client: TestClient, key: dict[str, str], url: str, code: str
) -> None:
    answer = client.post("/v1/webhooks", json={"url": url, "unit": "H44"}, headers=key)

    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert "{" not in answer.json()["detail"]


def test_an_unknown_kind_of_event_and_a_field_too_many_are_refused(
    client: TestClient, key: dict[str, str]
) -> None:
    event = client.post(
        "/v1/webhooks", json={"url": URL, "unit": "H44", "events": ["x"]}, headers=key
    )
    field = client.post("/v1/webhooks", json={"url": URL, "unit": "H44", "id": "1"}, headers=key)

    assert (event.status_code, event.json()["code"]) == (422, "webhook.event_unknown")
    assert field.status_code == 422


def test_another_subtree_s_receiver_does_not_exist(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    made = add(client, key)
    sibling = as_key(make_key(unit="H44.200"))
    path = f"/v1/webhooks/{made['id']}"

    answers = [
        client.get(path, headers=sibling),
        client.delete(path, headers=sibling),
        client.post(f"{path}/test", headers=sibling),
        client.post(f"{path}/rotate", headers=sibling),
        client.get(f"{path}/deliveries", headers=sibling),
        client.post(f"{path}/replay", json={"event_id": str(uuid4())}, headers=sibling),
    ]
    outside = client.post("/v1/webhooks", json={"url": URL, "unit": "H44.100"}, headers=sibling)

    assert [answer.status_code for answer in answers] == [404] * 6
    assert {answer.json()["code"] for answer in answers} == {"webhook.unknown"}
    assert (outside.status_code, outside.json()["code"]) == (404, "unit.unknown")
    assert client.get("/v1/webhooks", headers=sibling).json()["webhooks"] == []


def test_reading_and_changing_need_their_scopes(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    made = add(client, key)
    reader = as_key(make_key(scopes=["dossiers:read"], unit="H44"))
    manager = as_key(make_key(scopes=["alerts:manage"], unit="H44"))

    assert client.get("/v1/webhooks", headers=reader).status_code == 200
    assert client.delete(f"/v1/webhooks/{made['id']}", headers=reader).status_code == 403
    assert client.get("/v1/webhooks", headers=manager).status_code == 403
    assert client.delete(f"/v1/webhooks/{made['id']}", headers=manager).status_code == 204
    assert client.get(f"/v1/webhooks/{made['id']}", headers=reader).status_code == 404


def test_a_trial_is_sent_logged_and_sent_again_on_request(
    client: TestClient, key: dict[str, str], installation: Installation, clock: HandClock
) -> None:
    made = add(client, key)
    path = f"/v1/webhooks/{made['id']}"
    sender = RecordingSender()
    courier = Courier(sender, sealer_of(installation), clock)

    event_id = client.post(f"{path}/test", headers=key).json()["event_id"]
    deliver_due(installation.database, courier, at_once=1)
    again = client.post(f"{path}/replay", json={"event_id": event_id}, headers=key)
    deliver_due(installation.database, courier, at_once=1)
    first = client.get(f"{path}/deliveries?limit=1", headers=key)
    rest = client.get(
        f"{path}/deliveries",
        params={"limit": 1, "cursor": first.json()["next_cursor"]},
        headers=key,
    )

    assert (again.status_code, again.json()) == (202, {"queued": 1})
    assert [str(each) for each in sender.ids] == [event_id, event_id]
    assert 'rel="next"' in first.headers["Link"]
    lines = first.json()["deliveries"] + rest.json()["deliveries"]
    assert [(line["attempt"], line["status"], line["state"]) for line in lines] == [
        (2, 204, "delivered"),
        (1, 204, "delivered"),
    ]
    assert lines[0]["type"] == "webhook.test"


def test_after_a_rotation_both_secrets_sign_for_a_day(
    client: TestClient, key: dict[str, str], installation: Installation, clock: HandClock
) -> None:
    made = add(client, key)
    path = f"/v1/webhooks/{made['id']}"
    sender = RecordingSender()
    courier = Courier(sender, sealer_of(installation), clock)

    turned = client.post(f"{path}/rotate", headers=key).json()
    client.post(f"{path}/test", headers=key)
    deliver_due(installation.database, courier, at_once=1)

    (letter,) = sender.letters
    assert letter.secrets == (turned["secret"], made["secret"])
    assert turned["previous_secret_until"].startswith("2026-08-11T01:00:00")
    signatures = headers_of(letter)["webhook-signature"].split()
    signed = [
        Webhook(secret).sign(str(letter.event_id), letter.at, letter.body.decode())
        for secret in (turned["secret"], made["secret"])
    ]
    assert signatures == signed
    clock.advance(timedelta(days=1))
    client.post(f"{path}/test", headers=key)
    deliver_due(installation.database, courier, at_once=1)
    assert sender.letters[-1].secrets == (turned["secret"],)


def test_a_replay_without_bounds_is_refused(client: TestClient, key: dict[str, str]) -> None:
    made = add(client, key)

    answer = client.post(f"/v1/webhooks/{made['id']}/replay", json={}, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "webhook.replay_unbounded")


def test_every_change_is_on_the_audit_trail_without_the_secret(
    client: TestClient, key: dict[str, str], installation: Installation
) -> None:
    import sqlalchemy as sa

    from app.store.tables import audit

    made = add(client, key)
    path = f"/v1/webhooks/{made['id']}"
    client.post(f"{path}/rotate", headers=key)
    client.delete(path, headers=key)

    with installation.database.read() as session:
        lines = session.execute(
            sa.select(audit.c.action, sa.cast(audit.c.after, sa.Text))
            .where(audit.c.subject == made["id"])
            .order_by(audit.c.id)
        ).all()
    assert [action for action, _ in lines] == ["webhook.add", "webhook.rotate", "webhook.remove"]
    assert "whsec_" not in str(lines)


def test_networks_of_the_operator_may_be_plain_http(
    app: FastAPI, installation: Installation, make_key: MakeKey, clock: HandClock, units: None
) -> None:
    from app.main import create_app
    from app.senders.guard import networks
    from tests.api.conftest import SECRET

    inner = create_app(
        installation.database,
        secret=SECRET,
        clock=clock,
        environment="test",
        webhook_networks=networks(["10.0.0.0/8"]),
    )
    with TestClient(inner) as client:
        answer = client.post(
            "/v1/webhooks",
            json={"url": "http://10.1.2.3:8080/", "unit": "H44"},
            headers=as_key(make_key(unit="H44")),
        )

    assert answer.status_code == 201
