"""The samples under clients/ against a real server, and the bytes that each language sends.

A sample runs where its runtime is present. The bytes of every language are replayed on a socket
always: what a sender's own library does is part of the contract.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

from app.clock import system_clock
from tests.api.conftest import MakeKey, as_key

CLIENTS = Path(__file__).parents[2] / "clients"
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
UNIT = {
    "name": "UBND phường Việt Trì",
    "level": "commune",
    "parent": "H44",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """How a sample is started: the programs that it needs, and its command."""

    needs: tuple[str, ...]
    command: tuple[str, ...]


SAMPLES = {
    "python": Sample((), (sys.executable, str(CLIENTS / "python/dunghan.py"))),
    "java": Sample(
        ("java", "javac"),
        ("java", "-Dfile.encoding=UTF-8", "-XX:TieredStopAtLevel=1", "-cp", "{made}", "DungHan"),
    ),
    "php": Sample(("php",), ("php", str(CLIENTS / "php/dunghan.php"))),
    "dotnet": Sample(("dotnet",), ("dotnet", "{made}/DungHan.dll")),
    "curl": Sample(("bash", "curl", "openssl"), ("bash", str(CLIENTS / "curl/dunghan.sh"))),
}
MAKING = {
    "java": ["javac", "-encoding", "UTF-8", "-d", "{made}", str(CLIENTS / "java/DungHan.java")],
    "dotnet": [
        *("dotnet", "build", str(CLIENTS / "dotnet"), "-o", "{made}", "--nologo"),
        # nothing is written or read beside the sample, and no compiler stays behind
        *("-p:BaseIntermediateOutputPath={made}/obj/", "-p:DefaultItemExcludes=obj/**"),
        *("-p:UseSharedCompilation=false", "-nodeReuse:false"),
    ],
}
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def absent(name: str) -> list[str]:
    """Return the programs that a sample needs and this machine has not."""
    return [program for program in SAMPLES[name].needs if shutil.which(program) is None]


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> str:
    """Give a key of a source, with a unit to send for."""
    key = make_key(source="mot-cua")
    for code, spec in (("H44", {"name": "Tỉnh Phú Thọ", "level": "province"}), ("H44.100", UNIT)):
        answer = client.put(f"/v1/units/{code}", json=spec, headers=as_key(key))
        assert answer.status_code == 201, answer.text
    return key


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Give a maker: compiles a sample once for the run and returns where it lies."""
    places: dict[str, str] = {}

    def make(name: str) -> str:
        if name not in places:
            places[name] = str(tmp_path_factory.mktemp(name))
            command = [part.format(made=places[name]) for part in MAKING.get(name, [])]
            if command:
                subprocess.run(command, check=True, capture_output=True, timeout=240)
        return places[name]

    return make


@pytest.fixture(params=SAMPLES)
def run(
    request: pytest.FixtureRequest,
    made: Callable[[str], str],
    server: tuple[str, int],
    key: str,
) -> Run:
    """Give a runner of one sample against the server."""
    name = request.param
    if absent(name):
        pytest.skip(f"not present: {', '.join(absent(name))}")
    command = [part.format(made=made(name)) for part in SAMPLES[name].command]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "DUNGHAN_URL": "http://{}:{}".format(*server),
        "DUNGHAN_KEY": key,
        "DUNGHAN_USER": "mot-cua",
    }

    def start(
        *arguments: str, given: bytes = b"", **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [*command, *arguments],
            input=given,
            env=environment | more,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return start


@dataclass(slots=True)
class Unwilling:
    """A server that loses a request, is too busy for the next and takes what comes then."""

    heard: list[tuple[str | None, bytes]]
    port: int = 0


@pytest.fixture
def unwilling() -> Iterator[Unwilling]:
    """Give an unwilling server; its refusal itself says that a record was not taken."""
    found = Unwilling([])

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.heard.append((self.headers["Idempotency-Key"], body))
            if len(found.heard) == 1:
                return
            is_busy = len(found.heard) == 2
            answer = b'{"quarantined": %d}' % is_busy
            self.send_response(503 if is_busy else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            if is_busy:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        found.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def state_of(client: TestClient, key: str, code: str) -> tuple[str, str]:
    """Return the unit and status of a dossier as it was stored."""
    answer = client.get(f"/v1/dossiers/{code}", headers=as_key(key))
    assert answer.status_code == 200, answer.text
    return answer.json()["unit"], answer.json()["status"]


def test_a_sample_sends_one_dossier_a_batch_and_an_envelope(
    run: Run, client: TestClient, key: str
) -> None:
    one = run("send", "H44.100", "D-1")
    batch = run("batch", "H44.100", "D-2", "D-3")
    envelope = run("national", "UBND phường Việt Trì", "D-4")

    for done in (one, batch, envelope):
        assert done.returncode == 0, (done.stdout, done.stderr)
    assert {state_of(client, key, f"D-{number}") for number in range(1, 5)} == {
        ("H44.100", "processing")
    }
    assert "thành công".encode() in envelope.stdout


def test_a_sample_says_when_a_record_was_not_taken(run: Run) -> None:
    refused = run("national", "H44.100", "")

    assert refused.returncode == 1, refused.stdout


def test_a_sample_sends_the_same_again_until_it_is_taken(run: Run, unwilling: Unwilling) -> None:
    done = run("batch", "H44.100", "D-1", DUNGHAN_URL=f"http://127.0.0.1:{unwilling.port}")

    assert done.returncode == 0, (done.stdout, done.stderr)
    first, *others = unwilling.heard
    assert first[0]
    assert json.loads(first[1])["dossiers"][0]["code"] == "D-1"
    assert others == [first, first]


@pytest.mark.parametrize(
    ("age", "change", "genuine"),
    [
        (timedelta(0), b"", True),
        (timedelta(0), b" ", False),
        (timedelta(hours=1), b"", False),
    ],
    ids=["genuine", "another body", "too old"],
)
def test_a_sample_tells_a_genuine_signature(
    run: Run, age: timedelta, change: bytes, genuine: bool
) -> None:
    body = '{"type":"dossier.overdue","data":{"unit":"H44.100","note":"Việt Trì"}}'.encode()
    moment = (system_clock() - age).astimezone(UTC)
    number = str(uuid.UUID(int=7))
    signature = Webhook(SECRET).sign(msg_id=number, timestamp=moment, data=body.decode())
    stamp = str(int(moment.timestamp()))

    done = run("verify", SECRET, number, stamp, f"v1,AAAA {signature}", given=body + change)

    assert (done.returncode == 0) is genuine, (done.stdout, done.stderr)


# ---------------------------------------------------------------- bytes on a socket

RECORD = {
    "code": "D-9",
    "unit": "H44.100",
    "procedure": "1.001193",
    "channel": "online",
    "received_at": "2026-08-03T09:10:00+07:00",
    "source_updated_at": "2026-08-03T09:10:05+07:00",
}
BODY = json.dumps(RECORD, ensure_ascii=False).encode()
JSON_TYPE = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(BODY)}"
BOM = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Replay:
    """The head and body of a request as a library writes it; ``{key}`` stands for the key."""

    lines: Sequence[str]
    body: bytes
    status: int
    version: str = "1.1"
    waits: bool = False


def chunked(body: bytes, size: int) -> bytes:
    """Return a body in chunks, their sizes in capitals as .NET writes them."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%X\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


REPLAYS = {
    "java 17 HttpClient, which offers HTTP/2": Replay(
        (
            "Connection: Upgrade, HTTP2-Settings",
            LENGTH,
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
            "Upgrade: h2c",
            "User-Agent: Java-http-client/17.0.15",
            "Authorization: Bearer {key}",
            JSON_TYPE,
        ),
        BODY,
        201,
    ),
    "java HttpURLConnection without a content type": Replay(
        (
            "Authorization: Bearer {key}",
            "User-Agent: Java/17.0.15",
            "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "Connection: keep-alive",
            "Content-type: application/x-www-form-urlencoded",
            LENGTH,
        ),
        BODY,
        415,
    ),
    "php curl as in the sample": Replay(
        ("Accept: */*", JSON_TYPE, "Authorization: Bearer {key}", LENGTH), BODY, 201
    ),
    "php curl with its own content type": Replay(
        (
            "Accept: */*",
            "Authorization: Bearer {key}",
            LENGTH,
            "Content-Type: application/x-www-form-urlencoded",
        ),
        BODY,
        415,
    ),
    "php streams over HTTP/1.0": Replay(
        ("Connection: close", "Authorization: Bearer {key}", LENGTH, JSON_TYPE),
        BODY,
        201,
        version="1.0",
    ),
    # .NET as .NET Core 3.1 sends it; JsonContent, of .NET 5, is a content without a length there
    ".NET StringContent as in the sample": Replay(
        (
            "Accept-Language: vi",
            "Authorization: Bearer {key}",
            "Content-Type: application/json; charset=utf-8",
            LENGTH,
        ),
        BODY,
        201,
    ),
    ".NET StringContent without a media type": Replay(
        ("Authorization: Bearer {key}", "Content-Type: text/plain; charset=utf-8", LENGTH),
        BODY,
        415,
    ),
    ".NET JsonContent, in a chunk": Replay(
        (
            "Authorization: Bearer {key}",
            "Transfer-Encoding: chunked",
            "Content-Type: application/json; charset=utf-8",
        ),
        chunked(BODY, len(BODY)),
        201,
    ),
    ".NET JsonContent, its last brace in a chunk of its own": Replay(
        (
            "Authorization: Bearer {key}",
            "Transfer-Encoding: chunked",
            "Content-Type: application/json; charset=utf-8",
        ),
        chunked(BODY, len(BODY) - 1),
        201,
    ),
    ".NET told to wait for 100": Replay(
        (
            "Expect: 100-continue",
            "Authorization: Bearer {key}",
            "Content-Type: application/json; charset=utf-8",
            LENGTH,
        ),
        BODY,
        201,
        waits=True,
    ),
    ".NET HttpWebRequest with a StreamWriter, which begins with a byte order mark": Replay(
        (
            "Authorization: Bearer {key}",
            "Connection: Keep-Alive",
            JSON_TYPE,
            f"Content-Length: {len(BOM + BODY)}",
        ),
        BOM + BODY,
        201,
    ),
    ".NET WebClient without a content type": Replay(
        ("Authorization: Bearer {key}", "Connection: Keep-Alive", LENGTH), BODY, 415
    ),
    # as published: .NET Framework runs on Windows alone
    ".NET Framework, which waits for 100": Replay(
        (
            "Authorization: Bearer {key}",
            "Content-Type: application/json; charset=utf-8",
            LENGTH,
            "Expect: 100-continue",
            "Connection: Keep-Alive",
        ),
        BODY,
        201,
        waits=True,
    ),
    "curl --data-binary": Replay(
        (
            "User-Agent: curl/7.88.1",
            "Accept: */*",
            JSON_TYPE,
            "Authorization: Bearer {key}",
            LENGTH,
        ),
        BODY,
        201,
    ),
    "python urllib": Replay(
        (
            "Accept-Encoding: identity",
            LENGTH,
            "User-Agent: Python-urllib/3.11",
            "Authorization: Bearer {key}",
            JSON_TYPE,
            "Connection: close",
        ),
        BODY,
        201,
    ),
}


def sent(address: tuple[str, int], replay: Replay, key: str) -> tuple[int, bytes]:
    """Send the bytes and return the status and body of the answer."""
    head = [f"PUT /v1/dossiers/D-9 HTTP/{replay.version}", f"Host: {address[0]}:{address[1]}"]
    head += [line.format(key=key) for line in replay.lines]
    with socket.create_connection(address, timeout=60) as connection:
        stream = connection.makefile("rb")
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        if replay.waits:
            assert stream.readline().startswith(b"HTTP/1.1 100")
            assert stream.readline() == b"\r\n"
        connection.sendall(replay.body)
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, stream.read(length)


@pytest.mark.parametrize("name", REPLAYS)
def test_the_bytes_of_every_language_are_understood(
    server: tuple[str, int], client: TestClient, key: str, name: str
) -> None:
    replay = REPLAYS[name]

    status, answer = sent(server, replay, key)

    assert status == replay.status, answer
    if status == 201:
        assert json.loads(answer) == {"code": "D-9", "verdict": "accepted"}
        assert client.get("/v1/dossiers/D-9", headers=as_key(key)).status_code == 200
    else:
        assert b"application/json" in answer


# ---------------------------------------------------------------- the samples themselves


@pytest.mark.parametrize(
    "path",
    [
        "python/dunghan.py",
        "java/DungHan.java",
        "php/dunghan.php",
        "dotnet/Program.cs",
        "curl/dunghan.sh",
    ],
)
def test_a_sample_does_all_four_things_and_names_the_header_that_matters(path: str) -> None:
    text = (CLIENTS / path).read_text(encoding="utf-8")

    for word in ("send", "batch", "national", "verify", "application/json", "Idempotency-Key"):
        assert word in text, word
    assert path in (CLIENTS / "README.md").read_text(encoding="utf-8")
