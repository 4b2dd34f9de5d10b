"""Who visits the pages: in the demonstration anybody, otherwise the holder of a key.

A key is shown once, at the sign-in form; the browser then keeps a signed note of the key's public
prefix and of an end, so the secret is never stored there. A revoked key ends its visits at once.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from fastapi import Request

from app.deps import Installation
from app.store.session import ReadSession
from app.usecases import access, demo
from app.usecases.access import Principal, Scope, Unauthenticated

COOKIE: Final = "dunghan_visit"
LASTS: Final = timedelta(hours=8)
PURPOSE: Final = "page visit"


class Admission(Protocol):
    """Decides who may see the pages."""

    @property
    def needs_key(self) -> bool:
        """Tell whether a visitor must sign in."""

    def visitor(
        self, request: Request, session: ReadSession, installation: Installation
    ) -> Principal:
        """Return who visits.

        :raises Unauthenticated: the visitor must sign in.
        :raises ScopeMissing: the key is not for reading figures.
        """


@dataclass(frozen=True, slots=True)
class Anybody:
    """Lets everybody in, for the demonstration alone: none of its dossiers is real."""

    needs_key: bool = False

    def visitor(
        self,
        request: Request,  # noqa: ARG002 -- the protocol's
        session: ReadSession,
        installation: Installation,  # noqa: ARG002 -- the protocol's
    ) -> Principal:
        """Return the demonstration's own reader."""
        return demo.operator(session)


@dataclass(frozen=True, slots=True)
class ByKey:
    """Lets in whoever signed in with a key that may read figures."""

    needs_key: bool = True

    def visitor(
        self, request: Request, session: ReadSession, installation: Installation
    ) -> Principal:
        """Return the holder of the key behind the browser's note."""
        now = installation.clock()
        prefix = opened(installation, request.cookies.get(COOKIE, ""), now=now)
        principal = access.holder(session, prefix, now=now)
        principal.require(Scope.STATISTICS_READ)
        return principal


def note_of(installation: Installation, principal: Principal, *, now: datetime) -> str:
    """Return the signed note that a browser keeps of a visit."""
    body = f"{principal.prefix}.{int((now + LASTS).timestamp())}"
    return f"{body}.{_seal(installation, body)}"


def opened(installation: Installation, note: str, *, now: datetime) -> str:
    """Return the public prefix of the key that a note was written for.

    :raises Unauthenticated: the note is not ours, or its time is over.
    """
    body, _, seal = note.rpartition(".")
    prefix, _, ends = body.rpartition(".")
    if not note.isascii() or not hmac.compare_digest(seal, _seal(installation, body)):
        raise Unauthenticated
    if now >= datetime.fromtimestamp(int(ends), UTC):
        raise Unauthenticated
    return prefix


def _seal(installation: Installation, body: str) -> str:
    key = installation.derived_key(PURPOSE)
    return hmac.new(key, body.encode("ascii", "replace"), hashlib.sha256).hexdigest()


def is_from_here(request: Request) -> bool:
    """Tell whether a form was sent from a page of ours and not from another site's."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def way_back(asked: str) -> str:
    """Return the page to go to after signing in: a path of ours, or the first page."""
    is_ours = asked.startswith("/") and not asked.startswith(("//", "/\\")) and asked.isprintable()
    return asked if is_ours else "/"
