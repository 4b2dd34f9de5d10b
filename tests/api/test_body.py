"""Bodies as real senders send them, good and bad: never a server error, always a remedy."""

import gzip
import json
import socket
from collections.abc import Callable, MutableMapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.body import Budget
from app.api.problems import Overloaded
from app.deps import Limits
from app.main import create_app
from app.store.session import Database
from tests.api.conftest import SECRET, HandClock, MakeKey, as_key

UNIT = {"name": "Tỉnh Phú Thọ", "level": "province"}
GOOD = json.dumps(UNIT).encode()
JSON = "Content-Type: application/json"
Send = Callable[..., tuple[int, dict[str, str], bytes]]


@pytest.fixture
def send(server: tuple[str, int], make_key: MakeKey) -> Send:
    """Send bytes as a sender's own software would, and return status, headers and body."""
    key = make_key()

    def put(
        body: bytes, *headers: str, version: str = "1.1", length: int | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        head = [
            f"PUT /v1/units/H44 HTTP/{version}",
            "Host: localhost",
            f"Authorization: Bearer {key}",
            "Connection: close" if not any("Connection" in each for each in headers) else "",
            *headers,
        ]
        if not any("chunked" in each for each in headers):
            head.append(f"Content-Length: {len(body) if length is None else length}")
        text = "\r\n".join(line for line in head if line) + "\r\n\r\n"
        with socket.create_connection(server, timeout=60) as connection:
            connection.sendall(text.encode() + body)
            if length is not None and length > len(body):
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
                if is_whole(answer):
                    break
        return parsed(answer)

    return put


@pytest.fixture
def put(client: TestClient, make_key: MakeKey) -> Send:
    """Put bytes without a socket, where the socket is not the subject."""
    key = make_key()

    def do(body: bytes, *headers: str) -> tuple[int, dict[str, str], bytes]:
        own = dict(header.split(": ", 1) for header in headers)
        answer = client.put("/v1/units/H44", content=body, headers=as_key(key, **own))
        return answer.status_code, dict(answer.headers), answer.content

    return do


def is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100") and separator:
        return is_whole(body)
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return parsed(body)
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}, body


def test_java_offers_an_upgrade_and_keeps_its_body(send: Send) -> None:
    status, _, _ = send(
        GOOD,
        JSON,
        "Connection: Upgrade, HTTP2-Settings",
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        "Upgrade: h2c",
        "User-Agent: Java-http-client/17.0.9",
    )

    assert status == 201


def test_a_chunked_body_is_read(send: Send) -> None:
    half = len(GOOD) // 2
    pieces = b"".join(
        f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        for piece in (GOOD[:half], GOOD[half:], b"")
    )

    assert send(pieces, JSON, "Transfer-Encoding: chunked")[0] == 201


def test_a_sender_that_waits_to_be_told_to_continue_is_told(send: Send) -> None:
    assert send(GOOD, JSON, "Expect: 100-continue")[0] == 201


def test_http_1_0_is_answered(send: Send) -> None:
    assert send(GOOD, JSON, version="1.0")[0] == 201


@pytest.mark.parametrize(
    "header", ["Content-Type: application/x-www-form-urlencoded", "", "Content-Type: text/plain"]
)
@pytest.mark.parametrize(
    ("language", "words"), [("vi", "Nếu dùng PHP cURL"), ("en", "With PHP cURL add the line")]
)
def test_another_content_type_is_answered_with_the_line_to_write(
    send: Send, header: str, language: str, words: str
) -> None:
    status, headers, body = send(GOOD, header, f"Accept-Language: {language}")

    assert status == 415
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["code"] == "body.media_type"
    assert words in problem["detail"]
    assert "curl_setopt($ch, CURLOPT_HTTPHEADER" in problem["detail"]


@pytest.mark.parametrize(
    "told",
    ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.dunghan+json"],
)
def test_json_by_its_other_names_is_read(put: Send, told: str) -> None:
    assert put(GOOD, f"Content-Type: {told}")[0] == 201


def test_one_utf_8_mark_is_passed_over(put: Send) -> None:
    assert put(b"\xef\xbb\xbf" + GOOD, JSON)[0] == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body.empty"),
        (b"{", "body.truncated"),
        (b"{'name': 1}", "body.syntax"),
        ("Tỉnh".encode("utf-16"), "body.encoding"),
        (json.dumps(UNIT, ensure_ascii=False).encode("utf-16-le"), "body.encoding"),
        (b'{"name": "T\xd0nh"}', "body.encoding"),
        (b'{"name": NaN}', "body.not_finite"),
        (b'{"name": 1e999}', "body.not_finite"),
        (b'{"name": Infinity}', "body.not_finite"),
        (b'{"name": 123456789012345678901234567890}', "body.number"),
        (b'{"name": "a", "name": "b"}', "body.duplicate_key"),
        (b'{"name": "a\\u0000b"}', "body.nul"),
        (b'{"name": "\\ud800"}', "body.surrogate"),
        (b"[" * 5000 + b"]" * 5000, "body.depth"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "body.depth"),
        (b"[]", "field.not_object"),
        (b'"x"', "field.not_object"),
        (b"null", None),
    ],
)
def test_a_broken_body_is_named_and_never_an_error_of_ours(
    put: Send, body: bytes, code: str | None
) -> None:
    status, headers, answer = put(body, JSON)

    assert status == 422, answer
    assert headers["content-type"] == "application/problem+json"
    assert code in (None, json.loads(answer)["code"])


def test_a_body_that_breaks_off_is_no_error_of_ours(send: Send, app: FastAPI) -> None:
    with pytest.raises((IndexError, ValueError)):  # the connection ends without an answer
        send(GOOD[:10], JSON, length=len(GOOD))

    served = app.state.meters.registry.get_sample_value(
        "dunghan_http_requests_total",
        {"route": "/v1/units/{code}", "method": "PUT", "status": "5xx"},
    )
    assert served is None


def test_a_compressed_body_is_unpacked(put: Send) -> None:
    assert put(gzip.compress(GOOD), JSON, "Content-Encoding: gzip")[0] == 201


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (gzip.compress(b" " * 40_000_000), "gzip", 413, None),
        (gzip.compress(GOOD)[:-9], "gzip", 422, "body.gzip"),
        (GOOD, "gzip", 422, "body.gzip"),
        (GOOD, "br", 415, "body.content_encoding"),
    ],
    ids=["bomb", "cut off", "not packed", "another packing"],
)
def test_a_bomb_or_another_packing_is_refused(
    put: Send, body: bytes, encoding: str, status: int, code: str | None
) -> None:
    found, _, answer = put(body, JSON, f"Content-Encoding: {encoding}")

    assert found == status
    assert code in (None, json.loads(answer)["code"])


def small(database: Database, clock: HandClock, **limits: int) -> TestClient:
    app = create_app(
        database,
        secret=SECRET,
        clock=clock,
        environment="test",
        limits=Limits(max_body_bytes=1000, **limits),
    )
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(("size", "status"), [(1000, 201), (1001, 413)])
@pytest.mark.parametrize("is_declared", [True, False])
def test_the_limit_holds_to_the_byte(
    database: Database,
    clock: HandClock,
    make_key: MakeKey,
    size: int,
    status: int,
    is_declared: bool,
) -> None:
    client = small(database, clock)
    body = GOOD + b" " * (size - len(GOOD))

    answer = client.put(
        "/v1/units/H44",
        content=body if is_declared else iter([body[:500], body[500:]]),
        headers=as_key(make_key(), **{"Content-Type": "application/json"}),
    )

    assert answer.status_code == status
    if status == 413:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "1000" in answer.json()["detail"].replace(".", "")


def test_nothing_is_read_from_one_who_may_not_pass(client: TestClient) -> None:
    def body() -> list[bytes]:
        return [b"not json at all"]

    answer = client.put("/v1/units/H44", content=iter(body()))

    assert answer.status_code == 401


def test_a_body_waits_for_room_and_then_goes_in_turn() -> None:
    budget = Budget(10, wait_seconds=60)
    order: list[str] = []

    async def one(name: str, size: int) -> None:
        async with budget.admit(size, owner=name):
            order.append(name)
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for name, size in (("a", 8), ("b", 8), ("c", 1)):
                group.start_soon(one, name, size)

    anyio.run(main)

    assert order == ["a", "b", "c"]
    assert budget.held == 0


def test_a_body_that_finds_no_room_in_time_is_sent_away() -> None:
    budget = Budget(10, wait_seconds=0.01)

    async def main() -> None:
        async with budget.admit(10, owner="a"):
            with pytest.raises(Overloaded):
                async with budget.admit(1, owner="b"):
                    pass

    anyio.run(main)

    assert budget.held == 0


def holding(budget: Budget, sizes: list[tuple[str, int]]) -> list[str]:
    """Let owners come one after the other and return who found room while none left."""
    inside: list[str] = []

    async def one(owner: str, size: int) -> None:
        async with budget.admit(size, owner=owner):
            inside.append(owner)
            await anyio.sleep_forever()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for owner, size in sizes:
                group.start_soon(one, owner, size)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(main)
    assert budget.held == 0
    return inside


def test_one_owner_alone_holds_half_and_leaves_the_rest_to_who_comes() -> None:
    flood = [("noisy", 1)] * 100

    assert holding(Budget(12, wait_seconds=60), flood).count("noisy") == 6
    assert holding(Budget(12, wait_seconds=60), [*flood, ("quiet", 1)])[-1] == "quiet"


def test_every_owner_finds_room_beside_several_that_flood() -> None:
    flood = [(f"noisy {n % 5}", 1) for n in range(500)]

    inside = holding(Budget(12, wait_seconds=60), [*flood, ("quiet", 1)])

    assert "quiet" in inside
    assert {inside.count(f"noisy {n}") for n in range(5)} <= {1, 2, 3}


def test_who_waits_for_room_of_all_is_not_passed_by_a_smaller_one() -> None:
    assert holding(Budget(10, wait_seconds=60), [("a", 8), ("b", 8), ("c", 1)]) == ["a"]


def test_an_owner_who_fills_the_line_is_told_to_come_again() -> None:
    budget = Budget(2, wait_seconds=60)
    refused = 0

    async def one() -> None:
        nonlocal refused
        try:
            async with budget.admit(1, owner="noisy"):
                await anyio.sleep_forever()
        except Overloaded:
            refused += 1

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(1_011):
                group.start_soon(one)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(main)

    assert refused == 10


def test_a_body_that_trickles_gives_its_room_back(
    database: Database, clock: HandClock, make_key: MakeKey
) -> None:
    app = create_app(database, secret=SECRET, clock=clock, limits=Limits(body_seconds=0.2))
    key = make_key()
    answers: list[tuple[int, bytes]] = []

    async def receive() -> dict[str, object]:
        await anyio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answers.append((message["status"], dict(message["headers"])[b"content-type"]))

    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/v1/units/H44",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"application/json"),
        ],
        "client": ("127.0.0.1", 1),
    }
    anyio.run(app, scope, receive, send)

    assert answers == [(408, b"application/problem+json")]
    assert app.state.budget.held == app.state.places.held == 0
