"""Webhooks over real sockets on this machine."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import httpcore
import httpx
import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from app.clock import system_clock
from app.domain.delivery import Answer, Failure, Letter
from app.senders.guard import networks
from app.senders.webhook import (
    Deadline,
    GuardedBackend,
    GuardedTransport,
    TargetRefused,
    WebhookSender,
    headers_of,
    is_tls,
)
from tests.fakes import deaf_port

HERE = networks(["127.0.0.0/8", "::1/128"])
SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMuLi4="
EVENT = UUID(int=1)
TRIES = 5
"""How often what must come within a second is tried: a machine may stand still for as long."""
BODY = '{"data":{"code":"Hồ sơ"},"type":"dossier.overdue"}'.encode()


def letter(url: str, *, secrets: tuple[str, ...] = (SECRET,), at: datetime | None = None) -> Letter:
    return Letter(EVENT, url, BODY, secrets, at or system_clock())


def sender(seconds: float = 60.0) -> WebhookSender:
    return WebhookSender(allowed=HERE, total_seconds=seconds)


def send(sender: WebhookSender, letter: Letter) -> Answer:
    """Send one letter on a line of its own."""
    with sender.line() as line:
        return line.send(letter)


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after another by hand."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(60)
                try:
                    serve(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while BODY not in data:
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def test_the_ready_made_library_verifies_what_arrives(httpserver: HTTPServer) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return Response(status=204)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(take)

    answer = send(sender(), letter(httpserver.url_for("/hook")))

    assert (answer.status, answer.failure) == (204, None)
    (request,) = seen
    headers = dict(request.headers)
    told = Webhook(SECRET).verify(request.get_data(), headers)
    assert told == {"data": {"code": "Hồ sơ"}, "type": "dossier.overdue"}
    assert headers["Webhook-Id"] == str(EVENT)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_b3RoZXI=").verify(request.get_data(), headers)


def test_during_rotation_either_secret_verifies() -> None:
    other = "whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIG9yIHNvLi4="

    headers = headers_of(letter("https://receiver.example/", secrets=(other, SECRET)))

    for secret in (SECRET, other):
        Webhook(secret).verify(BODY, headers)


def test_the_signature_is_of_the_instant_whatever_its_zone() -> None:
    utc = datetime(2026, 8, 10, 1, tzinfo=UTC)
    local = utc.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))

    assert headers_of(letter("https://x.example/", at=utc)) == headers_of(
        letter("https://x.example/", at=local)
    )


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 410, 429, 500, 503])
def test_every_other_status_is_a_failure_and_redirects_are_not_followed(
    httpserver: HTTPServer, status: int
) -> None:
    target = httpserver.url_for("/elsewhere")
    headers = {"Location": target, "Retry-After": "120"}
    httpserver.expect_request("/hook").respond_with_data("", status=status, headers=headers)

    answer = send(sender(), letter(httpserver.url_for("/hook")))

    assert (answer.status, answer.failure) == (status, Failure.STATUS)
    assert answer.retry_after == timedelta(seconds=120)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Mon, 10 Aug 2026 01:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 10 Aug 2020 01:01:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_a_date_too(
    httpserver: HTTPServer, told: str, expected: timedelta | None
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=503, headers={"Retry-After": told})

    answer = send(
        sender(), letter(httpserver.url_for("/"), at=datetime(2026, 8, 10, 1, 0, tzinfo=UTC))
    )

    assert answer.retry_after == expected


def test_an_answer_that_drips_is_cut_at_the_total_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 4_000:
            connection.sendall(bytes([byte]))
            if ended.wait(0.05):
                return

    ended = threading.Event()
    with raw_server(drip) as url:
        began = time.monotonic()
        answer = send(sender(0.6), letter(url))
        took = time.monotonic() - began
        ended.set()

    assert answer.failure is Failure.TIMEOUT
    assert took < 120, "it was heard to its end"


def test_a_body_without_end_is_not_read_to_its_end() -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with raw_server(flood) as url:
        answer = send(sender(240), letter(url))

    assert (answer.status, answer.failure) == (200, None)
    assert answer.milliseconds < 120_000, "it was read until the deadline"


def test_a_status_counts_although_its_body_never_comes() -> None:
    def stall(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        connection.recv(1)  # until the caller hangs up

    with raw_server(stall) as url:
        tries = (send(sender(1), letter(url)) for _ in range(TRIES))

        assert any(answer.is_acknowledged for answer in tries)


def test_a_lost_acknowledgement_is_a_failure() -> None:
    def vanish(connection: socket.socket) -> None:
        read_request(connection)

    with raw_server(vanish) as url:
        answer = send(sender(), letter(url))

    assert answer.failure is Failure.CONNECTION


def test_a_reset_is_a_failure() -> None:
    def reset(connection: socket.socket) -> None:
        read_request(connection)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with raw_server(reset) as url:
        answer = send(sender(), letter(url))

    assert answer.failure is Failure.CONNECTION


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    def babble(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"220 mail.example ESMTP\r\n\r\n")

    with raw_server(babble) as url:
        answer = send(sender(), letter(url))

    assert answer.failure is Failure.ANSWER_INVALID


def test_nobody_listening_is_a_failure() -> None:
    with deaf_port() as port:
        answer = send(sender(), letter(f"http://127.0.0.1:{port}/"))

    assert answer.failure is Failure.CONNECTION


def test_a_receiver_without_a_good_certificate_is_refused() -> None:
    def speak_plainly(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with raw_server(speak_plainly) as url:
        answer = send(sender(), letter(url.replace("http:", "https:")))

    assert answer.failure is Failure.TLS


def test_without_permission_this_machine_is_not_called(httpserver: HTTPServer) -> None:
    port = httpserver.port
    for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/", "https://localhost/"):
        answer = send(WebhookSender(total_seconds=60), letter(url))

        assert answer.failure is Failure.ADDRESS_REFUSED
    assert httpserver.log == []


def test_a_name_that_changes_its_address_is_judged_by_the_one_that_is_dialled(
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=200)
    answers = iter([["127.0.0.1"], ["10.9.9.9"], ["127.0.0.1", "10.9.9.9"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    moving = WebhookSender(allowed=HERE, resolver=rebinding, total_seconds=60)
    url = f"http://moving.example:{httpserver.port}/"
    found = [send(moving, letter(url)) for _ in range(3)]

    assert [answer.failure for answer in found] == [
        None,
        Failure.ADDRESS_REFUSED,
        Failure.ADDRESS_REFUSED,
    ]
    assert asked == ["moving.example"] * 3
    ((request, _),) = httpserver.log
    assert request.headers["Host"] == f"moving.example:{httpserver.port}"


def keep_answering(connection: socket.socket, times: int) -> None:
    """Answer some letters on one connection, then hang up without a word."""
    for _ in range(times):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_letters_of_one_line_share_a_connection_that_was_checked_once() -> None:
    connections: list[socket.socket] = []
    asked: list[str] = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        keep_answering(connection, 5)

    def here(host: str, port: int) -> Sequence[str]:
        del port
        asked.append(host)
        return ["127.0.0.1"]

    one = WebhookSender(allowed=HERE, resolver=here, total_seconds=60)
    with raw_server(serve) as url, one.line() as line:
        named = url.replace("127.0.0.1", "receiver.example")
        answers = [line.send(letter(named)) for _ in range(5)]

    assert all(answer.is_acknowledged for answer in answers)
    assert len(connections) == len(asked) == 1


def test_a_kept_connection_that_died_is_made_anew_and_its_name_judged_again() -> None:
    hung_up = threading.Event()

    def serve(connection: socket.socket) -> None:
        keep_answering(connection, 1)
        read_request(connection)  # the second letter arrives, and no answer comes
        hung_up.set()

    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["10.9.9.9"]])
    moving = WebhookSender(allowed=HERE, resolver=lambda *_: next(answers), total_seconds=60)
    with raw_server(serve) as url, moving.line() as line:
        named = url.replace("127.0.0.1", "receiver.example")
        found = [line.send(letter(named)) for _ in range(3)]

    assert hung_up.is_set()
    assert [answer.failure for answer in found] == [None, None, Failure.ADDRESS_REFUSED]


def test_every_letter_of_a_line_has_the_whole_time() -> None:
    def serve(connection: socket.socket) -> None:
        for _ in range(3):
            read_request(connection)
            threading.Event().wait(0.3)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def send_three(url: str) -> bool:
        with sender(0.6).line() as line:
            answers = [line.send(letter(url)) for _ in range(3)]
        return all(answer.is_acknowledged for answer in answers)

    with raw_server(serve) as url:
        assert any(send_three(url) for _ in range(TRIES))


def test_a_line_follows_a_receiver_that_moves_to_another_scheme() -> None:
    def serve(connection: socket.socket) -> None:
        if connection.recv(4, socket.MSG_PEEK) == b"POST":
            read_request(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with raw_server(serve) as url, sender().line() as line:
        first = line.send(letter(url))
        second = line.send(letter(url.replace("http:", "https:")))

    assert first.is_acknowledged
    assert second.failure is Failure.TLS


def test_the_first_address_that_answers_is_used(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", status=200)
    several = WebhookSender(
        allowed=HERE, resolver=lambda *_: ["::1", "127.0.0.1"], total_seconds=60
    )

    answer = send(several, letter(f"http://several.example:{httpserver.port}/"))

    assert answer.is_acknowledged


def test_a_name_that_does_not_resolve_is_a_failure_of_its_own() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError

    nowhere = WebhookSender(resolver=unknown, total_seconds=60)

    assert send(nowhere, letter("https://x.example/")).failure is Failure.NAME_UNKNOWN


def test_the_environment_s_proxy_is_not_used(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/").respond_with_data("", status=200)

    assert send(sender(), letter(httpserver.url_for("/"))).is_acknowledged


def test_the_guard_really_sits_under_httpx() -> None:
    """Fails when httpx keeps its pool elsewhere: then the guard would be bypassed."""
    backend = GuardedBackend(
        scheme="http", allowed=(), resolver=lambda *_: ["127.0.0.1"], deadline=Deadline(5)
    )
    context = ssl.create_default_context()
    transport = GuardedTransport(ssl_context=context, backend=backend)

    with httpx.Client(transport=transport, trust_env=False) as client, pytest.raises(TargetRefused):
        client.post("http://receiver.example/")
    with pytest.raises(TargetRefused):
        backend.connect_unix_socket("/run/some.sock")


def test_a_deadline_that_has_passed_says_so() -> None:
    with pytest.raises(httpcore.ReadTimeout):
        Deadline(-1).left()


def test_an_error_of_tls_is_known_behind_the_errors_that_it_led_to() -> None:
    failed, broken = httpx.ConnectError("refused"), httpx.ConnectError("refused")
    failed.__cause__ = httpcore.ConnectError()
    broken.__cause__ = httpcore.ConnectError()
    broken.__cause__.__context__ = ssl.SSLCertVerificationError()

    assert is_tls(broken)
    assert not is_tls(failed)
