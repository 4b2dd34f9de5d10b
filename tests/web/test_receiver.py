"""The demonstration's receiver: only letters with a good signature get in, once each."""

import json
from datetime import UTC, datetime
from uuid import uuid4

from fastapi.testclient import TestClient
from standardwebhooks.webhooks import Webhook

from app.clock import system_clock
from app.usecases.webhooks import new_secret
from app.web.receiver import RECEIVER_PATH, Mailbox

NOW = datetime(2026, 8, 20, 3, 30, tzinfo=UTC)
ALERT = {
    "type": "dossier.overdue",
    "data": {
        "code": "H44.100-260803-0012",
        "source": "mot-cua-demo",
        "unit": "H44.100",
        "stage": "overdue+1",
        "due_on": "2026-08-06",
    },
}


def letter(secret: str, payload: object = ALERT) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(payload)
    event_id, at = str(uuid4()), system_clock()
    return body.encode(), {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(msg_id=event_id, timestamp=at, data=body),
    }


def test_a_signed_alert_is_shown_with_the_way_to_its_dossier(
    client: TestClient, mailbox: Mailbox
) -> None:
    secret = new_secret()
    mailbox.trust(secret)
    body, headers = letter(secret)

    assert client.post(RECEIVER_PATH, content=body, headers=headers).status_code == 204

    text = client.get(RECEIVER_PATH).text
    assert "/dossiers/H44.100-260803-0012?source=mot-cua-demo" in text
    assert "06/08/2026" in text
    assert "Đã nhận 1 bản tin" in text


def test_a_repeat_is_acknowledged_and_counted_once(mailbox: Mailbox) -> None:
    secret = new_secret()
    mailbox.trust(secret)
    body, headers = letter(secret)

    assert mailbox.take(body, headers, now=NOW)
    assert mailbox.take(body, headers, now=NOW)
    assert (mailbox.count, mailbox.repeated) == (1, 1)


def test_a_letter_signed_with_another_secret_is_refused(
    client: TestClient, mailbox: Mailbox
) -> None:
    mailbox.trust(new_secret())
    body, headers = letter(new_secret())

    assert client.post(RECEIVER_PATH, content=body, headers=headers).status_code == 401
    assert client.post(RECEIVER_PATH, content=body).status_code == 401
    assert (mailbox.count, mailbox.refused) == (0, 2)


def test_a_changed_letter_is_refused(mailbox: Mailbox) -> None:
    secret = new_secret()
    mailbox.trust(secret)
    body, headers = letter(secret)

    assert not mailbox.take(body.replace(b"H44.100", b"H44.101"), headers, now=NOW)


def test_an_endless_letter_is_cut(client: TestClient) -> None:
    assert client.post(RECEIVER_PATH, content=b"x" * 100_000).status_code == 413


def test_before_there_is_a_secret_nothing_is_taken(mailbox: Mailbox) -> None:
    assert not mailbox.take(b"{}", {}, now=NOW)


def test_a_signed_letter_without_dates_does_not_break_the_page(
    client: TestClient, mailbox: Mailbox
) -> None:
    secret = new_secret()
    mailbox.trust(secret)
    payloads: tuple[object, ...] = (
        {"type": "webhook.test", "data": {}},
        {"type": "dossier.overdue", "data": {}},
        [],
    )
    for payload in payloads:
        body, headers = letter(secret, payload)
        client.post(RECEIVER_PATH, content=body, headers=headers)

    assert client.get(RECEIVER_PATH).status_code == 200
