"""Mail by SMTP, against a real mail server."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.domain.delivery import Failure
from app.domain.mail import Mail
from app.senders.mail import MailAccount, Security, SmtpSender, message_of
from tests.factories import local
from tests.fakes import deaf_port
from tests.smtp import MailServer, certificate, checks, mail_server, slow_server

PATIENCE = 120
"""Seconds after which what never ends was waited for to its end."""
TO = "mot-cua@viet-tri.example.gov.vn"
MAIL = Mail(
    id=UUID(int=7),
    message_id="<7@dung-han.example.gov.vn>",
    to=TO,
    subject="12 hồ sơ quá hạn",
    text="Đơn vị có 12 hồ sơ quá hạn.\n",
    html="<p>Đơn vị có 12 hồ sơ quá hạn.</p>\n",
    at=local("2026-08-10", 8),
    leave_url="https://dung-han.example.gov.vn/leave",
)


def account(port: int, **more: Any) -> MailAccount:
    plain: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "dung-han@example.gov.vn",
        "sender_name": "Đúng Hạn",
        "security": Security.NONE,
    }
    return MailAccount(**plain | more)


def test_a_mail_arrives_with_both_bodies_and_its_own_id() -> None:
    with mail_server() as server:
        answer = SmtpSender(account(server.port)).send(MAIL)

    assert answer.is_acknowledged
    ((to, message),) = server.taken
    assert to == TO
    assert message["Message-ID"] == "<7@dung-han.example.gov.vn>"
    assert message["Subject"] == "12 hồ sơ quá hạn"
    assert str(message["From"]) == "Đúng Hạn <dung-han@example.gov.vn>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().strip() == MAIL.text.strip()
    assert html.get_content().strip() == MAIL.html.strip()


def test_the_way_is_encrypted_and_the_account_logs_in(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    options = {
        "tls_context": context,
        "require_starttls": True,
        "authenticator": checks("user", "right"),
        "auth_required": True,
    }
    with mail_server(**options) as server:
        good = account(
            server.port,
            security=Security.STARTTLS,
            user="user",
            password="right",
            ca_file=str(trusted),
        )
        answers = [
            SmtpSender(one).send(MAIL)
            for one in (good, replace(good, password="wrong"), replace(good, ca_file=None))
        ]

    assert [answer.failure for answer in answers] == [None, Failure.STATUS, Failure.TLS]
    assert answers[1].status == 535
    assert len(server.taken) == 1


def test_a_server_without_starttls_gets_nothing_in_the_open() -> None:
    with mail_server() as server:
        answer = SmtpSender(account(server.port, security=Security.STARTTLS)).send(MAIL)

    assert answer.failure is Failure.TLS
    assert server.taken == []


def test_a_server_with_tls_from_the_start(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    with mail_server(ssl_context=context) as server:
        tls = account(server.port, security=Security.TLS, ca_file=str(trusted))
        answer = SmtpSender(tls).send(MAIL)

    assert answer.is_acknowledged


@pytest.mark.parametrize(
    ("trouble", "status", "failure"),
    [
        ("451 try later", 451, Failure.STATUS),
        ("554 no", 554, Failure.STATUS),
        ("drop", None, Failure.CONNECTION),
        ("lost", None, Failure.CONNECTION),
    ],
)
def test_a_server_in_trouble_is_told_apart(
    trouble: str, status: int | None, failure: Failure
) -> None:
    with mail_server(MailServer(troubles=[trouble])) as server:
        first, second = (SmtpSender(account(server.port)).send(MAIL) for _ in range(2))

    assert (first.status, first.failure) == (status, failure)
    assert second.is_acknowledged
    assert {message["Message-ID"] for message in server.messages} == {MAIL.message_id}
    assert len(server.taken) == (2 if trouble == "lost" else 1)


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("550 nobody here", Failure.RECIPIENT_REFUSED),
        ("552 box full", Failure.STATUS),
        ("450 busy", Failure.STATUS),
    ],
)
def test_an_address_that_is_refused_for_good_is_told_from_one_that_waits(
    reply: str, failure: Failure
) -> None:
    with mail_server(MailServer(refused={TO: reply})) as server:
        answer = SmtpSender(account(server.port)).send(MAIL)

    assert (answer.status, answer.failure) == (int(reply[:3]), failure)


def test_a_server_that_drips_is_cut_off_in_time() -> None:
    with slow_server() as port:
        began = time.monotonic()
        answer = SmtpSender(account(port), total_seconds=0.5).send(MAIL)
        took = time.monotonic() - began

    assert answer.failure is Failure.TIMEOUT
    assert took < PATIENCE


def test_nobody_there_is_no_accident() -> None:
    with deaf_port() as port:
        answer = SmtpSender(account(port), total_seconds=5).send(MAIL)

    assert answer.failure is Failure.CONNECTION


def test_a_name_that_does_not_resolve_is_told() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise OSError(host, port)

    answer = SmtpSender(account(25, host="x.invalid"), resolver=nothing).send(MAIL)

    assert answer.failure is Failure.NAME_UNKNOWN


@pytest.mark.parametrize("field", ["subject", "to", "message_id", "leave_url"])
def test_a_line_break_cannot_enter_a_header(field: str) -> None:
    told: dict[str, Any] = {field: "x\r\nBcc: all@example.com"}
    broken = replace(MAIL, **told)

    with pytest.raises(ValueError, match=r"(?i)header|linefeed|newline"):
        message_of(broken, sender="a@b.vn", sender_name="A").as_bytes()
