"""A plain request is read without h11, and read and answered exactly as h11 would."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import h11
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.wire import LARGEST_BODY, Plain, Wire

BODY = '{"tên": "Hồ sơ"}'.encode()
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.9\r\n"
)


def asked(
    target: str = "/echo", more: bytes = b"", body: bytes = BODY, method: str = "PUT"
) -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n".encode()
    return head + more + b"\r\n" + body


# ---------------------------------------------------------------- what is read


def read_by_h11(data: bytes) -> tuple[h11.Request, bytes, bool]:
    """Return the request that h11 reads, the bytes of its body, and whether that is whole."""
    line = h11.Connection(h11.SERVER)
    line.receive_data(data)
    request = line.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := line.next_event(), h11.Data):
        body += event.data
    assert line.trailing_data == (b"", False)
    return request, body, isinstance(event, h11.EndOfMessage)


NAMES = st.one_of(
    st.sampled_from(["Host", "Content-Length", "content-length", "Connection", "Upgrade"]),
    st.sampled_from(["Transfer-Encoding", "Expect", "X-A", "X-B", "Accept", "bad name", "", "Tên"]),
)
VALUES = st.one_of(
    st.sampled_from(
        ["0", "3", "03", "+3", " 3", "3 ", "3, 3", "keep-alive", "Keep-Alive", "close"]
    ),
    st.sampled_from(
        ["chunked", "h2c", "100-continue", "", "a:b", "a\tb", "a b", "a\r\n b", "\xe9"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=5),
)
LINES = st.tuples(
    st.sampled_from(["GET", "PUT", "HEAD", "get", "P UT", "CONNECT"]),
    st.sampled_from(["/", "/a?b=c", "*", "http://a/b", "/ a", "/é", "/%41", ""]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1"]),
)
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])


@st.composite
def bytes_like_a_request(draw: st.DrawFn) -> bytes:
    """Give what is often a request, and often nearly one."""
    end = draw(ENDS)
    headers = draw(st.lists(st.tuples(NAMES, st.sampled_from([": ", ":", " : ", ":  "]), VALUES)))
    lines = [" ".join(draw(LINES)), *draw(st.sampled_from([["Host: a"], []]))]
    lines += ["".join(parts) for parts in headers]
    text = end.join(
        [*lines, "", draw(st.sampled_from(["", "abc", "ab", "abcd", "GET / HTTP/1.1"]))]
    )
    return text.encode("latin-1")


@given(bytes_like_a_request())
def test_what_is_plain_is_what_h11_reads(data: bytes) -> None:
    plain = Plain.of(data)

    if plain is not None:
        request, body, is_whole = read_by_h11(data)
        assert (plain.method.encode(), plain.target) == (request.method, request.target)
        assert plain.headers == [(name.lower(), value) for name, value in request.headers]
        assert (plain.body, plain.missing == 0) == (body, is_whole)


@given(
    st.dictionaries(st.from_regex(r"X-[a-z0-9_-]{1,9}", fullmatch=True), st.integers(0, 99)),
    st.binary(max_size=50),
    st.integers(0, 50),
)
def test_a_request_of_the_ordinary_kind_is_plain(
    headers: dict[str, int], body: bytes, cut: int
) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    whole = asked(more=more, body=body)
    is_repeated = len({name.lower() for name in headers}) < len(headers)

    plain = Plain.of(whole[: len(whole) - min(cut, len(body))])

    assert is_repeated or plain is not None
    if plain is not None:
        assert plain.missing == min(cut, len(body))


@pytest.mark.parametrize(
    "data",
    [
        asked(more=UPGRADE),
        asked(more=b"Upgrade: h2c\r\n"),
        asked(more=b"Expect: 100-continue\r\n"),
        asked(more=b"Transfer-Encoding: chunked\r\n"),
        asked(more=b"Connection: close\r\n"),
        asked(more=b"Content-Length: 1\r\n"),
        asked(more=b"Host: b\r\n"),
        asked() + asked(),
        asked()[:20],
        asked(method="HEAD"),
        asked(body=b"a" * (LARGEST_BODY + 1)),
        asked(target="/" + "a" * 20_000),
        b"PUT /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_h11(data: bytes) -> None:
    assert Plain.of(data) is None


# ---------------------------------------------------------------- what is answered


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in the ways that doors do, and in some that none does."""
    request = Request(scope, receive)
    match request.url.path:
        case "/echo":
            told = {"method": request.method, "query": str(request.query_params)}
            told |= {"body": (await request.body()).decode("latin-1")}
            told |= {"agent": request.headers.get("user-agent", "")}
            response: Response = JSONResponse(told)
        case "/before":  # the body is not read
            response = JSONResponse({"refused": True}, 401)
        case "/empty":
            response = Response(status_code=204)
        case "/stream":
            response = StreamingResponse(iter([b"a", b"b"]))
        case "/injected":
            response = Response("x", headers={"x-a": "b\r\nx-c: d"})
        case "/closing":
            response = Response("x", headers={"connection": "close"})
        case "/silent":
            return
        case _:
            raise RuntimeError("a bug")
    await response(scope, receive, send)


@contextlib.contextmanager
def served(protocol: type[H11Protocol]) -> Iterator[int]:
    """Give the port of a server that speaks by a protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            answering,
            http=protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(timeout=60)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Give the ports of a server of ours and of one that knows h11 alone."""
    with served(Wire) as ours, served(H11Protocol) as plain:
        yield ours, plain


def answers(port: int, pieces: list[bytes]) -> bytes:
    """Send pieces, each after something of an answer or a moment, and return all that comes.

    The last piece is answered, unless it is cut off. What is not closed then is asked to be.
    """
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces, start=1):
            line.sendall(piece)
            is_last = number == len(pieces) and piece is not CUT_OFF
            line.settimeout(30 if is_last else 0.15)
            with contextlib.suppress(TimeoutError):
                told = line.recv(1 << 16)
                got += told
        line.settimeout(30)
        if b"connection: close" not in got.lower() and (got or piece is CUT_OFF):
            line.sendall(asked("/closing", body=b""))
        with contextlib.suppress(ConnectionError):
            while told := line.recv(1 << 16):
                got += told
    return got


CUT_OFF = asked()[:-3]
HALF = len(asked()) - 5


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([asked()], id="one"),
        pytest.param([asked(), asked("/echo?a=b", body=b""), asked(method="GET")], id="several"),
        pytest.param([asked()[:HALF], asked()[HALF:]], id="body in two pieces"),
        pytest.param([asked()[:30], asked()[30:]], id="head in two pieces"),
        pytest.param([asked(body=b"")[:-2], b"\r\n"], id="the last line late"),
        pytest.param([asked(more=UPGRADE)], id="upgrade"),
        pytest.param([asked(), asked(more=UPGRADE), asked()], id="upgrade later"),
        pytest.param([asked(more=UPGRADE) + asked(more=UPGRADE)], id="upgrades at once"),
        pytest.param([asked() + asked(more=UPGRADE) + asked(), asked()], id="pipelined upgrade"),
        pytest.param([asked(more=UPGRADE)[:HALF], asked(more=UPGRADE)[HALF:]], id="upgrade cut"),
        pytest.param([asked()[:HALF], asked()[HALF:] + asked()], id="the next one early"),
        pytest.param(
            [asked("/before")[:HALF], asked("/before")[HALF:], asked()], id="early answer"
        ),
        pytest.param([asked("/empty"), asked()], id="no body"),
        pytest.param([asked("/stream"), asked()], id="stream"),
        pytest.param([asked(method="HEAD"), asked()], id="head"),
        pytest.param([asked("/injected")], id="injected"),
        pytest.param([asked("/closing")], id="closing"),
        pytest.param([asked("/bug")], id="bug"),
        pytest.param([asked("/silent")], id="silent"),
        pytest.param([asked(more=b"Connection: close\r\n")], id="close"),
        pytest.param([asked(more=b"Expect: 100-continue\r\n")], id="expect"),
        pytest.param([asked(body=b"a" * 200_000), asked()], id="large"),
        pytest.param([b"PUT /echo HTTP/1.0\r\nContent-Length: 1\r\n\r\na"], id="old"),
        pytest.param([b"\x16\x03\x01"], id="no HTTP"),
        pytest.param([CUT_OFF], id="cut off"),
    ],
)
def test_the_same_bytes_have_the_same_answers_as_from_h11(
    ports: tuple[int, int], pieces: list[bytes]
) -> None:
    ours, theirs = (answers(port, pieces) for port in ports)

    assert ours == theirs


def test_an_upgrade_is_passed_over_wherever_it_comes(ports: tuple[int, int]) -> None:
    got = answers(ports[0], [asked() + asked(more=UPGRADE), asked(more=UPGRADE), asked()])

    assert got.count(b"HTTP/1.1 200 OK") == 5  # with the one that closes
    assert got.count("Hồ sơ".encode().decode("latin-1").encode()) == 4
    assert got.count(b"Java-http-client/17.0.9") == 2


def test_a_sender_who_goes_away_leaves_the_server_serving(ports: tuple[int, int]) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", ports[0])) as line:
            line.sendall(asked()[:-3])

    assert answers(ports[0], [asked()]).startswith(b"HTTP/1.1 200 OK")
