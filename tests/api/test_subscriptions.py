"""Subscriptions through their doors."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.domain.delivery import Answer, Failure
from app.domain.mail import MailState
from app.main import create_app
from app.store import mails
from app.store.session import Database
from app.usecases import subscriptions
from app.usecases.subscriptions import Purpose
from tests.api.conftest import SECRET, HandClock, MakeKey, as_key
from tests.factories import local, make_unit

BODY = {"address": "mot-cua@viet-tri.example.gov.vn", "unit": "H44.1", "level": "head"}
MAILING = subscriptions.mailing(SECRET, public_url="https://dung-han.vn")


@pytest.fixture
def app(database: Database, clock: HandClock) -> FastAPI:
    """Give the application with a mail server."""
    return create_app(
        database,
        secret=SECRET,
        clock=clock,
        environment="test",
        mail_url="https://dung-han.vn",
        mail_domains=["gov.vn"],
    )


@pytest.fixture
def key(database: Database, make_key: MakeKey) -> dict[str, str]:
    with database.begin() as session:
        province = make_unit(session)
        for n in (1, 2):
            make_unit(session, f"H44.{n}", parent=province)
    return as_key(make_key(unit="H44"))


def test_an_address_is_asked_for_shown_masked_followed_and_forgotten(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    made = client.post("/v1/subscriptions", json=BODY, headers=key)
    again = client.post("/v1/subscriptions", json=BODY, headers=key)

    assert (made.status_code, again.status_code) == (201, 200), made.text
    shown = made.json()
    path = f"/v1/subscriptions/{shown['id']}"
    assert (shown["address"], shown["confirmed_at"]) == ("m***@viet-tri.example.gov.vn", None)
    assert shown["topics"] == ["due_soon", "overdue", "source_silent"]
    assert client.get(path, headers=key).json() == shown
    (listed,) = client.get("/v1/subscriptions", headers=key).json()["subscriptions"]
    assert listed == shown
    (mail,) = client.get(f"{path}/mails", headers=key).json()["mails"]
    assert (mail["kind"], mail["state"], mail["attempts"]) == ("confirmation", "pending", 0)
    beside = as_key(make_key(unit="H44.2"))
    assert client.get(path, headers=beside).status_code == 404
    assert client.get("/v1/subscriptions", headers=beside).json()["subscriptions"] == []
    assert client.post("/v1/subscriptions", json=BODY, headers=beside).status_code == 404
    assert client.delete(path, headers=beside).status_code == 404
    assert client.delete(path, headers=key).status_code == 204
    assert client.get(path, headers=key).json()["code"] == "subscription.unknown"


def test_each_attempt_to_send_a_mail_is_shown_with_the_answer_and_the_next_one(
    client: TestClient, database: Database, key: dict[str, str], make_key: MakeKey
) -> None:
    made = client.post("/v1/subscriptions", json=BODY, headers=key).json()["id"]
    path = f"/v1/subscriptions/{made}/attempts"
    before = client.get(path, headers=key).json()
    at = local("2026-08-10", 9)
    with database.begin() as session:
        for status in (421, 451):
            claimed = mails.claim(session, now=at)
            assert claimed is not None
            answer = Answer(status, Failure.STATUS, 12)
            mails.log(session, claimed, answer, now=at)
            at += timedelta(hours=1)
            mails.settle(session, claimed, MailState.PENDING, answer=answer, next_at=at, now=at)

    first = client.get(f"{path}?limit=1", headers=key).json()
    second = client.get(f"{path}?limit=1&cursor={first['next_cursor']}", headers=key).json()

    assert before == {"attempts": [], "next_cursor": None}
    (newest,), (oldest,) = first["attempts"], second["attempts"]
    assert (newest["attempt"], newest["status"], newest["error"]) == (2, 451, "status")
    assert (newest["state"], newest["next_at"]) == ("pending", "2026-08-10T04:00:00Z")
    assert (oldest["attempt"], oldest["status"], second["next_cursor"]) == (1, 421, None)
    beside = as_key(make_key(unit="H44.2"))
    assert client.get(path, headers=beside).status_code == 404


def test_opening_the_link_says_nothing_and_the_button_says_yes(
    client: TestClient, key: dict[str, str]
) -> None:
    made = client.post("/v1/subscriptions", json=BODY, headers=key).json()["id"]
    path = f"/v1/subscriptions/{made}"
    token = MAILING.token(made, Purpose.CONFIRM)

    asked = client.get(f"{path}/confirmation?token={token}")
    before = client.get(path, headers=key).json()["confirmed_at"]
    said = client.post(f"{path}/confirmation?token={token}")
    after = client.get(path, headers=key).json()["confirmed_at"]

    assert '<form method="post">' in asked.text
    assert "m***@viet-tri" in asked.text
    assert asked.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in asked.headers["content-security-policy"]
    assert (before, said.status_code, after) == (None, 200, "2026-08-10T01:00:00Z")
    assert "<form" not in said.text


def test_the_one_press_of_a_mail_program_ends_the_digests(
    client: TestClient, key: dict[str, str]
) -> None:
    made = client.post("/v1/subscriptions", json=BODY, headers=key).json()["id"]
    path = f"/v1/subscriptions/{made}"
    url = MAILING.url(made, Purpose.LEAVE).removeprefix("https://dung-han.vn")

    asked = client.get(url, headers={"Accept-Language": "en"})
    pressed = client.post(url, data={"List-Unsubscribe": "One-Click"})

    assert "End the digests?" in asked.text
    assert pressed.status_code == 200
    assert client.get(path, headers=key).status_code == 404
    assert client.post(url).status_code == 200


@pytest.mark.parametrize("noun", ["confirmation", "removal"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_not_ours_opens_nothing(
    client: TestClient, key: dict[str, str], noun: str, method: str
) -> None:
    made = client.post("/v1/subscriptions", json=BODY, headers=key).json()["id"]

    for query in ("", "?token=x", "?token=" + "x" * 32):
        answer = client.request(method, f"/v1/subscriptions/{made}/{noun}{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "subscription.link_invalid")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("someone@gmail.com", "subscription.domain_refused"),
        ("a@gov.vn\r\nBcc: b@gov.vn", "subscription.address_invalid"),
    ],
)
def test_an_address_that_may_not_is_refused_without_being_repeated(
    client: TestClient, key: dict[str, str], address: str, code: str
) -> None:
    answer = client.post("/v1/subscriptions", json={**BODY, "address": address}, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert address not in answer.text


def test_without_a_mail_server_nobody_is_promised_anything(
    database: Database, clock: HandClock, key: dict[str, str]
) -> None:
    bare = create_app(database, secret=SECRET, clock=clock, environment="test")

    with TestClient(bare) as client:
        answer = client.post("/v1/subscriptions", json=BODY, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (409, "subscription.mail_unconfigured")
    assert "DUNGHAN_SMTP_HOST" in answer.json()["detail"]
