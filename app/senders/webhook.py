"""Webhooks out: signed POSTs to a guarded address, each bounded in time and size.

``httpcore`` bounds each read and not the whole, and has no place for an address guard. Both are
put below it: a network backend that connects only to checked addresses and gives every operation
what is left of one deadline. Letters to one receiver share a connection for as long as it lasts,
so a name is resolved and its addresses are checked at every connection, not at every letter.
"""

import contextlib
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
import httpx
from standardwebhooks import Webhook

from app.domain.delivery import Answer, Failure, Letter, answered
from app.domain.errors import Invalid
from app.senders.guard import (
    NameUnknown,
    Network,
    Resolver,
    addresses_of,
    check_target,
    check_url,
    resolve,
)

TOTAL_SECONDS: Final = 15.0
LONGEST_ANSWER: Final = 65_536
KEPT_SECONDS: Final = 5.0
"""For so long a connection that carries nothing is kept."""
USER_AGENT: Final = "DungHan-Webhook/1"

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class TargetRefused(Exception):
    """The guard does not let this connection be made."""


class Deadline:
    """What is left of the time for one attempt, counted on a clock that is never set back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds

    def begin(self) -> None:
        """Give the whole time again, to the next attempt on the same connection."""
        self._ends = time.monotonic() + self._seconds

    def left(self) -> float:
        """Return the seconds left.

        :raises httpcore.ReadTimeout: none are.
        """
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("out of time")
        return seconds


class BoundedStream(httpcore.NetworkStream):
    """A connection whose every operation gets only what is left of the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 -- httpcore's signature
        """Read, within the deadline."""
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 -- as above
        """Write, within the deadline."""
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 -- httpcore's signature
    ) -> httpcore.NetworkStream:
        """Begin TLS for the name that was asked for, not the address that was dialled."""
        inner = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return BoundedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """Pass on what the connection knows about itself."""
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects only where the guard allows, to the very address that it checked."""

    def __init__(
        self, *, scheme: str, allowed: Sequence[Network], resolver: Resolver, deadline: Deadline
    ) -> None:
        """Prepare for calls by one scheme; ``dialled`` counts the connections made."""
        self.scheme = scheme
        self.dialled = 0
        self._allowed = allowed
        self._resolver = resolver
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve once, check every address, connect to the first that answers.

        :raises TargetRefused: the guard forbids one of the addresses.
        :raises NameUnknown: the name does not resolve in time.
        """
        found = addresses_of(host, port, resolver=self._resolver, seconds=self._deadline.left())
        try:
            check_target(self.scheme, port, found, allowed=self._allowed)
        except Invalid as refusal:
            raise TargetRefused(refusal.code) from refusal
        last: Exception = httpcore.ConnectError("no address")
        for address in found:
            try:
                stream = self._plain.connect_tcp(
                    str(address), port, self._deadline.left(), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                last = error
                continue
            self.dialled += 1
            return BoundedStream(stream, self._deadline)
        raise last

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 -- httpcore's signature
        socket_options: Iterable[SocketOption] | None = None,  # noqa: ARG002 -- as above
    ) -> httpcore.NetworkStream:
        """Refuse: a webhook never leads to a file of this machine.

        :raises TargetRefused: always.
        """
        raise TargetRefused(path)


class GuardedTransport(httpx.HTTPTransport):
    """httpx, with the guard under it. The one place that knows where httpx keeps its pool."""

    def __init__(self, *, ssl_context: ssl.SSLContext, backend: GuardedBackend) -> None:
        super().__init__(verify=ssl_context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context, max_keepalive_connections=0, network_backend=backend
        )


class WebhookSender:
    """Sends letters as Standard Webhooks."""

    def __init__(
        self,
        *,
        allowed: Sequence[Network] = (),
        resolver: Resolver = resolve,
        ca_file: str | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Prepare a sender.

        :param allowed: networks of the operator, where addresses may be private, and http and
            other ports may be used.
        :param ca_file: certificates of an authority of the operator's own, trusted besides.
        """
        self._allowed = tuple(allowed)
        self._resolver = resolver
        self._total_seconds = total_seconds
        self._ssl = httpx.create_ssl_context(trust_env=False)
        if ca_file is not None:
            self._ssl.load_verify_locations(cafile=ca_file)

    @contextlib.contextmanager
    def line(self) -> Iterator["WebhookLine"]:
        """Open a line to one receiver; its connection is made by the first letter."""
        deadline = Deadline(self._total_seconds)
        backend = GuardedBackend(
            scheme="https", allowed=self._allowed, resolver=self._resolver, deadline=deadline
        )
        with httpcore.ConnectionPool(
            ssl_context=self._ssl,
            max_connections=1,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=backend,
        ) as pool:
            yield WebhookLine(pool, backend, deadline, self._allowed)


class WebhookLine:
    """One letter after another to one receiver, on one connection while it lasts."""

    def __init__(
        self,
        pool: httpcore.ConnectionPool,
        backend: GuardedBackend,
        deadline: Deadline,
        allowed: Sequence[Network],
    ) -> None:
        self._pool = pool
        self._backend = backend
        self._deadline = deadline
        self._allowed = allowed

    def send(self, letter: Letter) -> Answer:
        """Make one attempt and say what came of it; never raises for the receiver's doing."""
        began = time.monotonic()
        status, failure, retry_after = self._try(letter)
        milliseconds = round((time.monotonic() - began) * 1000)
        if status is None:
            return Answer(None, failure, milliseconds)
        return answered(status, milliseconds=milliseconds, retry_after=retry_after)

    def _try(self, letter: Letter) -> tuple[int | None, Failure | None, timedelta | None]:
        try:
            check_url(letter.url, allowed=self._allowed)
            status, retry_after = self._post(letter)
        except (Invalid, TargetRefused):
            return None, Failure.ADDRESS_REFUSED, None
        except NameUnknown:
            return None, Failure.NAME_UNKNOWN, None
        except httpcore.TimeoutException:
            return None, Failure.TIMEOUT, None
        except httpcore.ConnectError as error:
            return None, Failure.TLS if is_tls(error) else Failure.CONNECTION, None
        except (httpcore.RemoteProtocolError, httpx.InvalidURL) as error:
            cut = "disconnected" in str(error) or "closed" in str(error)
            return None, Failure.CONNECTION if cut else Failure.ANSWER_INVALID, None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return None, Failure.CONNECTION, None
        return status, None, retry_after

    def _post(self, letter: Letter) -> tuple[int, timedelta | None]:
        """Post a letter; where a kept connection turns out to be dead, post it on a new one."""
        url = httpx.URL(letter.url)
        self._backend.scheme = url.scheme
        self._deadline.begin()
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers = list(headers_of(letter).items())
        before = self._backend.dialled
        try:
            return self._exchange(target, headers, letter)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if self._backend.dialled > before:
                raise
        return self._exchange(target, headers, letter)

    def _exchange(
        self, target: httpcore.URL, headers: list[tuple[str, str]], letter: Letter
    ) -> tuple[int, timedelta | None]:
        with self._pool.stream("POST", target, headers=headers, content=letter.body) as response:
            _read_a_little(response)
            return response.status, _retry_after(response, letter.at)


def headers_of(letter: Letter) -> dict[str, str]:
    """Return the headers of a letter: its id, its date and a signature for each live secret."""
    moment = letter.at.astimezone(UTC)  # the library reads any other zone as UTC
    event_id = str(letter.event_id)
    signed = [
        Webhook(secret).sign(msg_id=event_id, timestamp=moment, data=letter.body.decode())
        for secret in letter.secrets
    ]
    return {
        "content-type": "application/json; charset=utf-8",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _read_a_little(response: httpcore.Response) -> None:
    """Take the body off the line, within limits; the status alone is the answer."""
    read = 0
    try:
        for part in response.iter_stream():
            read += len(part)
            if read > LONGEST_ANSWER:
                return
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        return


def _retry_after(response: httpcore.Response, now: datetime) -> timedelta | None:
    found = (value for name, value in response.headers if name.lower() == b"retry-after")
    told = next(found, b"").decode("latin-1").strip()
    if told.isascii() and told.isdigit():
        return timedelta(seconds=min(int(told[:9]), 10**7))
    try:
        until = parsedate_to_datetime(told)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(aware - now, timedelta())


def is_tls(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, is of TLS."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
