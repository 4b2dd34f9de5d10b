"""What a route may ask for: who asks, a session, the present, a language, a page.

A route declares who may pass with ``needs(...)``; one that declares nothing stops the start
(see ``app.api.doors``). ``Writing`` commits before the response leaves.
"""

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import orjson
from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from app.domain.errors import Invalid
from app.i18n import Language as LanguageCode
from app.i18n import choose_language
from app.senders.guard import Network
from app.store.session import Database, ReadSession, StorageUnavailable, WriteSession
from app.usecases import access
from app.usecases.access import Keyring, Principal, Scope, Unauthenticated
from app.usecases.coalescing import Coalescer
from app.usecases.quotas import Allowance, Quota

log = logging.getLogger(__name__)

MAX_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request, and all of them together, may take."""

    max_body_bytes: int = 16 * 2**20
    max_batch_records: int = 5_000
    body_budget_bytes: int = 64 * 2**20
    body_wait_seconds: float = 10.0
    body_seconds: float = 120.0
    requests_at_once: int = 12
    """Requests that hold a thread and a connection; the rest of the pool is for single records,
    the look at keys and the worker."""
    records_together: int = 200
    requests_per_minute: int = 60_000
    refusals_per_minute: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Everything a door needs to know of where it stands; made once by ``create_app``."""

    database: Database
    clock: Callable[[], datetime]
    environment: str
    secret: bytes
    keyring: Keyring
    coalescer: Coalescer
    batches: Coalescer
    """The same for batches, so that single records do not wait behind them."""
    limits: Limits = field(default_factory=Limits)
    webhook_networks: tuple[Network, ...] = ()
    mail_url: str | None = None
    """Where the links of mails lead; None without a mail server."""
    mail_domains: tuple[str, ...] = ()
    quota: Quota = field(default_factory=lambda: Quota(Limits().requests_per_minute))
    refusals: Quota = field(default_factory=lambda: Quota(Limits().refusals_per_minute))

    def derived_key(self, purpose: str) -> bytes:
        """Return the key of one purpose, from which the secret cannot be told."""
        return hmac.digest(self.secret, b"dunghan " + purpose.encode("ascii"), hashlib.sha256)


def installation_of(request: Request) -> Installation:
    """Return the installation that serves a request."""
    found = request.app.state.installation
    if not isinstance(found, Installation):
        raise TypeError("the application was not made by create_app")
    return found


# ---------------------------------------------------------------- who asks


def authenticate(installation: Installation, key: str) -> Principal:
    """Return who holds a key, from memory or from the database, and note its use.

    :raises Unauthenticated: the key opens nothing.
    """
    now = installation.clock()
    keyring = installation.keyring
    principal = access.recall(keyring, key, now=now)
    if principal is None:
        with installation.database.read() as session:
            principal = access.authenticate(session, keyring, key, now=now)
    if access.needs_touch(keyring, principal, now=now):
        try:
            with installation.database.begin() as session:
                access.touch(session, keyring, principal, now=now)
        except StorageUnavailable:
            log.warning("use of key not noted", extra={"key": principal.prefix})
    return principal


def presented_key(request: Request) -> str:
    """Return the key of the ``Authorization`` header.

    :raises Unauthenticated: there is none.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated
    return key.strip()


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may pass a route: holders of a key with the scope, of any key, or everybody."""

    scope: Scope | None
    is_open: bool = False

    async def admit(self, request: Request) -> Principal | None:
        """Let a request pass before its body is read, and remember who asks.

        :raises Unauthenticated: no good key.
        :raises ScopeMissing: the key has not the scope.
        :raises QuotaExceeded: too many requests with this key, or too many bad keys from here.
        """
        if self.is_open:
            return None
        installation = installation_of(request)
        now = installation.clock()
        try:
            key = presented_key(request)
            principal = access.recall(installation.keyring, key, now=now)
            if principal is None or access.needs_touch(installation.keyring, principal, now=now):
                principal = await run_in_threadpool(authenticate, installation, key)
        except Unauthenticated:  # a good key passes, however many bad ones come from its place
            installation.refusals.take(place_of(request), now=now)
            raise
        request.state.allowance = installation.quota.take(principal.prefix, now=now)
        request.state.principal = principal
        if self.scope is not None:
            principal.require(self.scope)
        return principal

    async def __call__(self, request: Request) -> Principal | None:
        """Return who asks, having let the request pass if that was not done yet."""
        known = getattr(request.state, "principal", None)
        if isinstance(known, Principal):
            if self.scope is not None:
                known.require(self.scope)
            return known
        return await self.admit(request)


def place_of(request: Request) -> str:
    """Return where in the network a request comes from."""
    return request.client.host if request.client else ""


def needs(scope: Scope | str) -> Any:
    """Ask for a key with a scope.

    In a signature: ``who: Annotated[Principal, needs("dossiers:read")]``.
    """
    return Depends(Guard(Scope(scope)))


AnyKey = Annotated[Principal, Depends(Guard(None))]
"""Whoever holds a good key, whatever its scopes."""

any_key: Final = Depends(Guard(None))
"""The same for a route that does not look at who asks: ``dependencies=[any_key]``."""

open_door: Final = Depends(Guard(None, is_open=True))
"""Everybody: ``dependencies=[open_door]`` on the route. A contract test lists these routes."""


def allowance_of(request: Request) -> Allowance | None:
    """Return what is left of the caller's quota, None before it was counted."""
    found = getattr(request.state, "allowance", None)
    return found if isinstance(found, Allowance) else None


# ---------------------------------------------------------------- sessions, present, language


def _reading(request: Request) -> Iterator[ReadSession]:
    with installation_of(request).database.read() as session:
        yield session


def _writing(request: Request) -> Iterator[WriteSession]:
    with installation_of(request).database.begin() as session:
        yield session


async def _now(request: Request) -> datetime:
    return installation_of(request).clock()


async def language_of(request: Request) -> LanguageCode:
    """Return the language of the answer, from ``Accept-Language``."""
    return choose_language(request.headers.get("accept-language"))


async def _installation(request: Request) -> Installation:
    return installation_of(request)


Reading = Annotated[ReadSession, Depends(_reading, scope="function")]
"""One read-only snapshot, closed before the response leaves."""

Writing = Annotated[WriteSession, Depends(_writing, scope="function")]
"""One transaction, committed before the response leaves; an error leaves no trace of it."""

Now = Annotated[datetime, Depends(_now)]
"""The present, aware and in UTC."""

Language = Annotated[LanguageCode, Depends(language_of)]
"""The caller's language."""

Here = Annotated[Installation, Depends(_installation)]
"""The installation."""


# ---------------------------------------------------------------- pages


@dataclass(eq=False, kw_only=True)
class CursorInvalid(Invalid):
    """The cursor is not one we gave for this list with these filters."""

    code: ClassVar[str] = "page.cursor_invalid"


@dataclass(frozen=True, slots=True)
class PageAsked:
    """How many entries of a list are wanted, and from where on.

    A cursor is opaque and signed; it holds the last position and is bound to the list and its
    filters, so that it cannot be carried to another.
    """

    limit: int
    cursor: str | None
    key: bytes
    path: str

    def position(self, **filters: object) -> Any:
        """Return the position after which to go on, None at the beginning.

        :raises CursorInvalid: the cursor was not given for this list and these filters.
        """
        if self.cursor is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(self.cursor.encode("ascii"))
        except (UnicodeEncodeError, binascii.Error) as error:
            raise CursorInvalid from error
        seal, payload = raw[:16], raw[16:]
        if not hmac.compare_digest(seal, self._seal(payload, filters)):
            raise CursorInvalid
        return orjson.loads(payload)

    def cursor_after(self, position: object, **filters: object) -> str:
        """Return the cursor that goes on after a position of JSON values."""
        payload = orjson.dumps(position)
        return base64.urlsafe_b64encode(self._seal(payload, filters) + payload).decode("ascii")

    def _seal(self, payload: bytes, filters: Mapping[str, object]) -> bytes:
        bound = orjson.dumps([self.path, sorted(filters.items())], default=str)
        return hmac.digest(self.key, bound + b"\0" + payload, hashlib.sha256)[:16]


async def _page(
    request: Request,
    limit: Annotated[
        int, Query(ge=1, le=MAX_PAGE, description="Số mục mỗi trang. / Entries in a page.")
    ] = 100,
    cursor: Annotated[
        str | None,
        Query(max_length=1000, description="`next_cursor` của trang trước. / Of the page before."),
    ] = None,
) -> PageAsked:
    key = installation_of(request).derived_key("cursor")
    return PageAsked(limit, cursor, key, request.url.path)


Page = Annotated[PageAsked, Depends(_page)]
"""``limit`` and ``cursor`` of a list."""
