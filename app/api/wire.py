"""HTTP on the wire: a plain request is read here, h11 takes everything else.

Most requests say nothing out of the ordinary, and their head comes in one piece. Such a one is read
with one pattern and answered with one write. Whatever is not as plain is h11's, from its first
byte: a head in pieces, a request that asks for an upgrade or waits for ``100 Continue``, one in
chunks, one behind another that is not answered yet. A plain request whose answer turns out not to
be plain is given to h11 as well, before a byte of the answer is sent.

The pattern is narrower than the standard and than h11: what passes here, h11 would have read in
the same way. A test holds the two equal.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import unquote

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol, RequestResponseCycle

LARGEST_HEAD: Final = 16 * 1024
LARGEST_BODY: Final = 64 * 1024
"""Bytes of a plain request; what is larger is read with the flow control of h11's protocol."""
WHOLE_BODY: Final = "dunghan.whole_body"
"""The extension of the scope that holds the body of a request which came whole."""

_HEAD: Final = re.compile(
    rb"(GET|PUT|POST|PATCH|DELETE) ([\x21-\x7e]++) HTTP/1\.1\r\n"
    rb"((?:[0-9A-Za-z!#$%&'*+.^_`|~-]++: (?! )[\x20-\x7e]*+(?<! )\r\n)++)\r\n"
)
_HEADER: Final = re.compile(rb"([^:]++): ([^\r]*+)\r\n")
_LENGTH: Final = re.compile(rb"[0-9]{1,8}")
_ODD: Final = frozenset({b"upgrade", b"transfer-encoding", b"expect"})
_FRAMING: Final = frozenset({b"connection", b"transfer-encoding", b"upgrade"})
_BODILESS: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Plain:
    """A request that says nothing out of the ordinary, with what has come of its body."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    missing: int
    """Bytes of the body that are still to come."""

    @classmethod
    def of(cls, data: bytes) -> Self | None:
        """Return the one request that these bytes begin, None when they are anything else."""
        found = _HEAD.match(data)
        if found is None or found.end() > LARGEST_HEAD:
            return None
        headers = [(name.lower(), value) for name, value in _HEADER.findall(found[3])]
        told = dict(headers)
        if len(told) != len(headers) or b"host" not in told or not _ODD.isdisjoint(told):
            return None
        if told.get(b"connection", b"keep-alive").lower() != b"keep-alive":
            return None
        length = told.get(b"content-length", b"0")
        if not _LENGTH.fullmatch(length) or int(length) > LARGEST_BODY:
            return None
        body = data[found.end() :]
        missing = int(length) - len(body)
        if missing < 0:
            return None
        return cls(found[1].decode("ascii"), found[2], headers, body, missing)


class Wire(H11Protocol):
    """uvicorn's protocol of h11, without h11 for plain requests."""

    def data_received(self, data: bytes) -> None:
        """Read a plain request here, and leave everything else to h11."""
        cycle = self.cycle
        if isinstance(cycle, PlainCycle) and not cycle.response_complete:
            if cycle.takes(data):
                return
            cycle.hand_over()
        elif self._is_between():
            plain = Plain.of(data)
            if plain is not None:
                self._unset_keepalive_if_required()
                self._begin(plain, data)
                return
        super().data_received(data)

    def _is_between(self) -> bool:
        """Tell whether h11 is at the beginning of a request and holds nothing of it."""
        line = self.conn
        is_idle = line.our_state is h11.IDLE and line.their_state is h11.IDLE
        return is_idle and line.trailing_data == (b"", False)

    def _begin(self, plain: Plain, data: bytes) -> None:
        raw_path, _, query = plain.target.partition(b"?")
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": plain.method,
            "root_path": self.root_path,
            "path": self.root_path + unquote(raw_path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": plain.headers,
            "state": self.app_state.copy(),
        }
        if not plain.missing:
            scope["extensions"] = {WHOLE_BODY: plain.body}
        self.scope, self.headers = scope, plain.headers
        self.cycle = cycle = PlainCycle(
            plain,
            data,
            scope=scope,
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self.on_response_complete,
        )
        task = self.loop.create_task(cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)


class PlainCycle(RequestResponseCycle):
    """A plain request and its answer; h11's as soon as either turns out not to be plain."""

    def __init__(self, plain: Plain, data: bytes, **more: Any) -> None:
        super().__init__(**more)
        self._is_plain = True
        self._data = data
        self._missing = plain.missing
        self._start: Any = None
        self.body = plain.body  # type: ignore[assignment]  # no copy of what the scope holds too
        self._note_body()

    def takes(self, data: bytes) -> bool:
        """Tell whether some bytes are more of the body, which is kept; only a plain one is."""
        if not self._is_plain or len(data) > self._missing:
            return False
        self._data += data
        self._missing -= len(data)
        self.body += data
        self._note_body()
        return True

    def _note_body(self) -> None:
        self.more_body = self._missing > 0
        self.message_event.set()

    def hand_over(self) -> None:
        """Let h11 read the request too, so that it writes the answer and reads what comes next."""
        if self._is_plain:
            self._is_plain = False
            self.conn.receive_data(self._data)
            event: object = None
            while event is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
                event = self.conn.next_event()

    async def send(self, message: Any) -> None:
        """Write a plain answer at once; its head waits for its body."""
        if self.disconnected:
            return
        if self._is_plain and not self.response_started:
            self._start, self.response_started = message, True
            return
        start, self._start = self._start, None
        if start is not None:
            if self.flow.write_paused:
                await self.flow.drain()
            answer = self._answered(start, message)
            if answer is not None:
                self._write(answer)
                return
            self.hand_over()
            self.response_started = False
            await super().send(start)
        await super().send(message)

    def _answered(self, start: Any, message: Any) -> bytes | None:
        """Return the bytes of a plain answer, None if h11 has to write it."""
        status, body = start["status"], message.get("body", b"")
        headers = self.default_headers + list(start["headers"])
        told = dict(headers)
        is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        if (
            not self._is_plain
            or self._missing
            or not is_whole
            or start["type"] != "http.response.start"
            or status in _BODILESS
            or told.get(b"content-length") != b"%d" % len(body)
            or not _FRAMING.isdisjoint(told)
        ):
            return None
        lines = [b"HTTP/1.1 %d %b" % (status, STATUS_PHRASES[status])]
        lines += [b"%b: %b" % pair for pair in headers]
        head = b"\r\n".join(lines)
        # A value with an end of line in it would be a header of its own: h11 refuses it.
        if head.count(b"\n") != len(headers) or head.count(b"\r") != len(headers) or b"\0" in head:
            return None
        return b"%b\r\n\r\n%b" % (head, body)

    def _write(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
