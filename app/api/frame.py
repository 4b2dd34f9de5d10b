"""What surrounds every request: its id, safe headers, a log line, a measure, the last resort."""

import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import Unexpected, respond
from app.usecases.access import Principal
from app.usecases.quotas import Allowance

log = logging.getLogger("app.access")

_OWN_ID = re.compile(r"[0-9A-Za-z._-]{8,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

STRICT_CSP: Final = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": STRICT_CSP,
}
"""Headers of every answer that does not set its own."""
_HEADERS: Final = tuple(
    (name.lower().encode("ascii"), value.encode("ascii")) for name, value in HEADERS.items()
)
_NAMES: Final = frozenset(name for name, _ in _HEADERS)
_NAMES_OF_IDS: Final = frozenset({b"x-request-id", b"traceparent"})


MEASURES: Final = {
    "dunghan_nightly_last_as_of_seconds": "Moment of the newest night done, 0 when none is.",
    "dunghan_nightly_lag_seconds": "Time since the moment of the oldest night not done.",
    "dunghan_nightly_waiting": "Nights that wait or failed.",
    "dunghan_nightly_failed": "Nights that failed.",
    "dunghan_outbox_pending": "Events that wait for a receiver.",
    "dunghan_outbox_dead": "Events given up in the last day.",
    "dunghan_mails_pending": "Mails that wait to be sent.",
    "dunghan_mails_dead": "Mails given up in the last day.",
    "dunghan_outbox_lag_seconds": "Time since the oldest event that waits was due.",
}
"""What is asked of the database for each look at the measures."""


class Meters(Collector):
    """Counters and timings of the doors, and the registry to which other parts add theirs."""

    def __init__(self, *, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dunghan_http_requests",
            "Requests by route template, method and class of status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "dunghan_http_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
            registry=self.registry,
        )
        self.open = Gauge(
            "dunghan_http_requests_open", "Requests being answered.", registry=self.registry
        )
        build = Gauge(
            "dunghan_build_info", "Which version runs.", ("version",), registry=self.registry
        )
        build.labels(version).set(1)
        self._found: dict[str, float] = {}
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.registry.register(self)

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request and its time."""
        key = (route, method, status // 100)
        found = self._known.get(key)
        if found is None:
            counter = self.requests.labels(route, method, f"{status // 100}xx")
            found = self._known[key] = (counter, self.seconds.labels(route))
        found[0].inc()
        found[1].observe(seconds)

    def tell(self, found: Mapping[str, float]) -> None:
        """Show these measures from now on in place of those told before."""
        self._found = dict(found)

    def collect(self) -> Iterator[Metric]:
        """Give the measures that were told, as the registry asks for them."""
        for name, value in self._found.items():
            yield GaugeMetricFamily(name, MEASURES[name], value=value)


class Ids:
    """Random ids, cut from random bytes that are asked for many at a time.

    Each time the system is asked, the thread of all requests lets others go first.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def next(self) -> str:
        """Return a new id."""
        if self._at >= len(self._bytes):
            self._bytes, self._at = secrets.token_bytes(256 * 16), 0
        begin, self._at = self._at, self._at + 16
        return self._bytes[begin : self._at].hex()


@dataclass(slots=True)
class Passage:
    """What is known of a request while it passes."""

    began: float
    status: int = 500
    has_begun: bool = False


class Frame:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, meters: Meters) -> None:
        self.app = app
        self.meters = meters
        self._ids = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever goes wrong inside ends as a problem document."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = id_of(scope["headers"]) or self._ids.next()
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        passage = Passage(began=perf_counter())

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.has_begun = True
                passage.status = message["status"]
                message["headers"] = framed(message.get("headers", ()), scope["state"])
            await send(message)

        self.meters.open.inc()
        try:
            await self.app(scope, receive, send_framed)
        except Exception:  # the last door: nothing may pass it
            log.exception("unexpected error", extra={"request_id": request_id})
            if passage.has_begun:
                raise
            request = Request(scope, receive)
            await respond(request, Unexpected())(scope, receive, send_framed)
        finally:
            self.meters.open.dec()
            self._note(scope, passage)

    def _note(self, scope: Scope, passage: Passage) -> None:
        seconds = perf_counter() - passage.began
        route, method = template_of(scope), method_of(scope)
        self.meters.note(route, method, passage.status, seconds)
        if not log.isEnabledFor(logging.INFO):
            return
        principal = scope["state"].get("principal")
        log.info(
            "request",
            extra={
                "request_id": scope["state"]["request_id"],
                "route": route,
                "method": method,
                "status": passage.status,
                "milliseconds": round(seconds * 1000, 1),
                "key": principal.prefix if isinstance(principal, Principal) else None,
                "unit": principal.unit_code if isinstance(principal, Principal) else None,
            },
        )


def id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the id that the caller gave a request, None when there is none that is well formed."""
    told = {name: value for name, value in headers if name in _NAMES_OF_IDS}
    own = told.get(b"x-request-id", b"").decode("latin-1")
    if _OWN_ID.fullmatch(own):
        return own
    trace = _TRACE.fullmatch(told.get(b"traceparent", b"").decode("latin-1"))
    return trace[1] if trace else None


def framed(
    headers: Iterable[tuple[bytes, bytes]], state: Mapping[str, object]
) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with its id, its quota, and those that it does not set."""
    own = list(headers)
    names = {name for name, _ in own}
    own.append((b"x-request-id", str(state["request_id"]).encode("latin-1")))
    own += (
        _HEADERS
        if names.isdisjoint(_NAMES)
        else [pair for pair in _HEADERS if pair[0] not in names]
    )
    allowance = state.get("allowance")
    if isinstance(allowance, Allowance):
        policy = f'"default";q={allowance.limit};w=60'
        left = f'"default";r={allowance.left};t={allowance.seconds}'
        own.append((b"ratelimit-policy", policy.encode("ascii")))
        own.append((b"ratelimit", left.encode("ascii")))
    return own


def template_of(scope: Scope) -> str:
    """Return the template of the route that served a request, never the path itself."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else "none"


METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def method_of(scope: Scope) -> str:
    """Return the method, or ``OTHER`` for one that nobody knows."""
    return scope["method"] if scope["method"] in METHODS else "OTHER"
