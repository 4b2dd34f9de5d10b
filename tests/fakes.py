"""Stand-ins for other people's machines."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from app.domain.delivery import Answer, Letter, answered
from app.domain.mail import Mail


def accepted(letter: Letter) -> Answer:
    """Answer as a receiver that takes everything."""
    del letter
    return answered(204, milliseconds=1)


@contextmanager
def deaf_port() -> Iterator[int]:
    """Hold a port of the loopback on which nobody listens, and which nobody else is given."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@dataclass
class RecordingSender:
    """Keeps every letter and answers as it is told to."""

    reply: Callable[[Letter], Answer] = accepted
    letters: list[Letter] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def line(self) -> Iterator["RecordingSender"]:
        """Open a line, to here whoever the receiver is."""
        yield self

    def send(self, letter: Letter) -> Answer:
        """Take a letter."""
        with self._lock:
            self.letters.append(letter)
        return self.reply(letter)

    @property
    def ids(self) -> list[UUID]:
        """Return the ids of the letters in the order of their coming."""
        return [letter.event_id for letter in self.letters]


@dataclass
class FakeIgate:
    """An iGate installation on a real socket: tokens, and a search by pages.

    ``items`` are shown newest change first. ``troubles`` are statuses to answer with before
    going on as usual; a tuple adds the seconds of ``Retry-After``.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    secret: str = "right"
    troubles: list[int | tuple[int, int]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    revoked: set[str] = field(default_factory=set)
    honours_pages: bool = True
    raw_answer: bytes | None = None
    url: str = ""

    @property
    def token_url(self) -> str:
        """Return where tokens are given."""
        return f"{self.url}/auth/realms/digo/protocol/openid-connect/token"

    def search(self, query: dict[str, str]) -> bytes:
        """Answer a page of the search."""
        self.asked.append(query)
        if self.raw_answer is not None:
            return self.raw_answer
        number = int(query["page"]) if self.honours_pages else 0
        size = int(query["size"])
        shown = sorted(self.items, key=lambda one: str(one.get("updatedDate")), reverse=True)
        content = shown[number * size : (number + 1) * size]
        last = self.honours_pages and (number + 1) * size >= len(shown)
        return json.dumps({"content": content, "last": last, "number": number}).encode()

    def grant(self, form: dict[str, str]) -> tuple[int, bytes]:
        """Answer a request for a token."""
        if form.get("client_secret") != self.secret:
            return 401, b'{"error": "unauthorized_client"}'
        self.tokens += 1
        told = {"access_token": f"token-{self.tokens}", "expires_in": 300}
        return 200, json.dumps(told).encode()

    @contextmanager
    def serve(self) -> Iterator["FakeIgate"]:
        """Listen for the time of a block."""
        server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (IgateHandler,), {"fake": self})
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


class IgateHandler(BaseHTTPRequestHandler):
    """Speaks for a fake."""

    fake: ClassVar[FakeIgate]

    def do_GET(self) -> None:
        """Answer the search to who has a token."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        query = {name: one[0] for name, one in parse_qs(urlsplit(self.path).query).items()}
        known = {f"token-{n + 1}" for n in range(self.fake.tokens)} - self.fake.revoked
        if bearer not in known:
            self.answer(401, b"{}")
        elif self.fake.troubles:
            trouble = self.fake.troubles.pop(0)
            status, after = trouble if isinstance(trouble, tuple) else (trouble, None)
            self.answer(status, b"busy", after)
        elif not self.path.startswith("/pa/dossier/search?"):
            self.answer(404, b"{}")
        else:
            self.answer(200, self.fake.search(query))

    def do_POST(self) -> None:
        """Answer a request for a token."""
        told = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: one[0] for name, one in parse_qs(told).items()}
        self.answer(*self.fake.grant(form))

    def answer(self, status: int, body: bytes, after: int | None = None) -> None:
        """Write an answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if after is not None:
            self.send_header("Retry-After", str(after))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def igate_item(number: int, **more: Any) -> dict[str, Any]:
    """Return an item of iGate's search, with other values laid over."""
    return {
        "id": f"{number:024x}",
        "code": f"H44.100-{number:06}",
        "nationCode": f"G22.{number:06}",
        "applicant": {"data": {"fullname": "Nguyễn Văn A", "phoneNumber": "0912345678"}},
        "procedure": {"code": "1.001193.000.00.00.H44", "translate": [{"name": "Khai sinh"}]},
        "agency": {"name": "Đơn vị H44.100"},
        "applyMethod": {"name": "Trực tuyến"},
        "appliedDate": "2026-08-03T01:00:00.000+0000",
        "acceptedDate": "2026-08-03T09:10:00.000+07:00",
        "appointmentDate": "2026-08-05T10:00:00Z",
        "completedDate": None,
        "updatedDate": f"2026-08-03T{number // 60 % 24:02}:{number % 60:02}:00.000+0000",
        "dossierStatus": {"id": 2, "name": "Đang xử lý"},
        "eForm": {"cccd": "012345678901"},
        **more,
    }


def delivered(mail: Mail) -> Answer:
    """Answer as a mail server that takes everything."""
    del mail
    return answered(250, milliseconds=1)


@dataclass
class RecordingPost:
    """Keeps every mail and answers as it is told to."""

    reply: Callable[[Mail], Answer] = delivered
    mails: list[Mail] = field(default_factory=list)

    def send(self, mail: Mail) -> Answer:
        """Take a mail."""
        self.mails.append(mail)
        return self.reply(mail)
