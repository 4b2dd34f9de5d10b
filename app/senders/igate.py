"""iGate in: its search, page by page, with a token, at a pace, within a deadline.

The address guard and the one deadline of webhooks stand below these requests too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import httpcore
import httpx
import orjson
import stamina

from app.domain.errors import AppError, Conflict, Forbidden
from app.senders.guard import NameUnknown, Network, Resolver, check_url, resolve
from app.senders.webhook import (
    Deadline,
    GuardedBackend,
    GuardedTransport,
    TargetRefused,
    is_tls,
)

PAGE: Final = 500
ATTEMPTS: Final = 4
REQUEST_SECONDS: Final = 60.0
TOTAL_SECONDS: Final = 3_600.0
LONGEST_WAIT: Final = 120.0
LONGEST_ANSWER: Final = 32 * 2**20
USER_AGENT: Final = "DungHan-Pull/1"
AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(eq=False, kw_only=True)
class PullUnavailable(AppError):
    """The server could not be read after several tries, or the time of the pull is over."""

    code: ClassVar[str] = "pull.unavailable"


@dataclass(eq=False, kw_only=True)
class TokenRefused(Forbidden):
    """The server of tokens gives none to this client."""

    code: ClassVar[str] = "pull.token_refused"
    status: int


@dataclass(eq=False, kw_only=True)
class PullRefused(Forbidden):
    """The server answers with a refusal that trying again does not mend."""

    code: ClassVar[str] = "pull.refused"
    status: int


@dataclass(eq=False, kw_only=True)
class AnswerInvalid(Conflict):
    """The server answers something that is no page of dossiers."""

    code: ClassVar[str] = "pull.answer_invalid"


class _Again(Exception):
    """A refusal that may pass; ``wait`` is what the server asks for, if it does."""

    def __init__(self, wait: float | None) -> None:
        super().__init__()
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Account:
    """Where to ask, and as whom; ``agency`` is the part of their tree that is asked for."""

    url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    agency: str | None = None


class IgateClient:
    """Reads the search of one installation, newest change first."""

    def __init__(
        self,
        account: Account,
        *,
        allowed: Sequence[Network] = (),
        resolver: Resolver = resolve,
        ca_file: str | None = None,
        per_minute: int = 60,
        page_size: int = PAGE,
        total_seconds: float = TOTAL_SECONDS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a client.

        :param allowed: networks of the operator, where addresses may be private.
        :param ca_file: certificates of an authority of the operator's own, trusted besides.
        :param per_minute: most requests in a minute.
        :param pause: waits for some seconds.
        :raises Invalid: an address can never be called (see ``guard.check_url``).
        """
        for url in (account.url, account.token_url):
            check_url(url, allowed=allowed)
        self._account = account
        self._allowed = tuple(allowed)
        self._resolver = resolver
        self._ssl = httpx.create_ssl_context(trust_env=False)
        if ca_file is not None:
            self._ssl.load_verify_locations(cafile=ca_file)
        self._every = 60.0 / per_minute
        self._size = page_size
        self._ends = time.monotonic() + total_seconds
        self._pause = pause
        self._next_at = 0.0
        self._token: tuple[str, float] | None = None

    def page(self, number: int) -> tuple[Sequence[object], bool]:
        """Return the items of a page, counted from 0, and whether it is the last.

        :raises PullUnavailable: not read after several tries, or out of time.
        :raises TokenRefused: no token is given to this client.
        :raises PullRefused: the server refuses for good.
        :raises AnswerInvalid: the answer is no page.
        """
        query = {
            "page": str(number),
            "size": str(self._size),
            "spec": "page",
            "sort": "updatedDate,desc",
        }
        if self._account.agency is not None:
            query["ancestor-agency-id"] = self._account.agency
        told = self._tried(lambda: self._search(query))
        items = told.get("content")
        if not isinstance(items, list):
            raise AnswerInvalid
        last = told.get("last")
        is_last = last if isinstance(last, bool) else len(items) < self._size
        return items, is_last or not items

    def _tried(self, ask: Callable[[], Any]) -> Mapping[str, Any]:
        """Ask several times, as long as it may help; what comes must be an object."""
        left = max(self._ends - time.monotonic(), 0.001)
        told: object = None
        try:
            for attempt in stamina.retry_context(
                on=_wait_of, attempts=ATTEMPTS, timeout=left, wait_initial=0.5, wait_max=30.0
            ):
                with attempt:
                    told = ask()
        except (_Again, TargetRefused, NameUnknown, OSError) as error:
            raise PullUnavailable from error
        except (httpx.HTTPError, httpcore.TimeoutException, httpcore.NetworkError) as error:
            raise PullUnavailable from error
        if not isinstance(told, dict):
            raise AnswerInvalid
        return told

    def _search(self, query: Mapping[str, str]) -> object:
        url = f"{self._account.url.rstrip('/')}/pa/dossier/search"
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        status, body = self._request("GET", url, params=query, headers=headers)
        if status == 401:
            self._token = None
            headers = {"Authorization": f"Bearer {self._bearer()}"}
            status, body = self._request("GET", url, params=query, headers=headers)
        if status != 200:
            raise PullRefused(status=status)
        return _json(body)

    def _bearer(self) -> str:
        """Return a token that still lives a while, asking for one when there is none."""
        now = time.monotonic()
        if self._token is not None and now < self._token[1]:
            return self._token[0]
        status, body = self._request(
            "POST",
            self._account.token_url,
            data={
                "grant_type": "client_credentials",
                "client_id": self._account.client_id,
                "client_secret": self._account.client_secret,
            },
        )
        if status != 200:
            raise TokenRefused(status=status)
        told = _json(body)
        token = told.get("access_token") if isinstance(told, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise AnswerInvalid
        lives = told.get("expires_in") if isinstance(told, dict) else None
        lasts = lives if isinstance(lives, int | float) else 60
        self._token = (token, now + max(lasts - 30, 0))
        return token

    def _request(self, method: str, url: str, **more: Any) -> tuple[int, bytes]:
        """Make one request at its turn.

        :raises _Again: the server refuses in a way that may pass.
        """
        self._take_turn()
        left = min(self._ends - time.monotonic(), REQUEST_SECONDS)
        target = httpx.URL(url)
        backend = GuardedBackend(
            scheme=target.scheme,
            allowed=self._allowed,
            resolver=self._resolver,
            deadline=Deadline(left),
        )
        with (
            httpx.Client(
                transport=GuardedTransport(ssl_context=self._ssl, backend=backend),
                trust_env=False,
                follow_redirects=False,
                timeout=max(left, 0.001),
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            ) as client,
            client.stream(method, target, **more) as response,
        ):
            if response.status_code in AGAIN:
                raise _Again(_retry_after(response))
            return response.status_code, _body(response)

    def _take_turn(self) -> None:
        """Wait until the next request may be made."""
        now = time.monotonic()
        if now < self._next_at:
            self._pause(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._every


def _body(response: httpx.Response) -> bytes:
    pieces = bytearray()
    for piece in response.iter_bytes():
        pieces += piece
        if len(pieces) > LONGEST_ANSWER:
            raise AnswerInvalid
    return bytes(pieces)


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise AnswerInvalid from None


def _wait_of(error: Exception) -> bool | float:
    """Tell whether asking again may help, and after how long if the server says so."""
    match error:
        case _Again():
            return True if error.wait is None else error.wait
        case httpx.ConnectError():
            return not is_tls(error)
        case httpx.TransportError() | httpcore.TimeoutException() | NameUnknown():
            return True
        case _:
            return False


def _retry_after(response: httpx.Response) -> float | None:
    told = response.headers.get("retry-after", "").strip()
    return min(float(told), LONGEST_WAIT) if told.isascii() and told.isdigit() else None
