"""The demonstration's receiver of alerts: checks the signature, keeps the newest, shows them."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.deps import installation_of
from app.i18n import ZONE
from app.web.rendering import Writing, language_of, page

RECEIVER_PATH: Final = "/demo/receiver"
LONGEST: Final = 64 * 1024
KEPT: Final = 200
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Arrival:
    """One letter with a good signature."""

    id: str
    at: datetime
    payload: Mapping[str, Any]


class Mailbox:
    """What arrived, newest first; a repeat of an id is counted and not kept twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secret: str | None = None
        self._arrivals: deque[Arrival] = deque(maxlen=KEPT)
        self._ids: set[str] = set()
        self.refused = 0
        self.repeated = 0

    def trust(self, secret: str) -> None:
        """Take letters signed with this secret from now on."""
        with self._lock:
            self._secret = secret

    def take(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
        """Keep a letter if its signature is good; tell whether it is."""
        with self._lock:
            if self._secret is None:
                return False
            try:
                Webhook(self._secret).verify(body, dict(headers))
                payload = json.loads(body)
            except (WebhookVerificationError, ValueError):
                payload = None
            if not isinstance(payload, dict):
                self.refused += 1
                return False
            event_id = headers["webhook-id"]
            if event_id in self._ids:
                self.repeated += 1
            else:
                self._ids.add(event_id)
                self._arrivals.appendleft(Arrival(event_id, now, payload))
            return True

    def arrivals(self) -> list[Arrival]:
        """Return what arrived, newest first."""
        with self._lock:
            return list(self._arrivals)

    @property
    def count(self) -> int:
        """Return how many letters arrived."""
        with self._lock:
            return len(self._ids)

    def router(self) -> APIRouter:
        """Return the door of letters and the page that shows them."""
        router = APIRouter()

        @router.post(RECEIVER_PATH)
        async def receive(request: Request) -> Response:
            """Take one letter."""
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > LONGEST:
                    return Response(status_code=413)
            now = installation_of(request).clock()
            is_good = self.take(body, request.headers, now=now)
            return Response(status_code=204 if is_good else 401)

        @router.get(RECEIVER_PATH)
        def show(request: Request) -> Response:
            """Show what arrived; the page asks again by itself."""
            writing = Writing(language_of(request))
            lines = [_line(one, writing) for one in self.arrivals()[:SHOWN]]
            return page(
                request,
                "receiver.html",
                is_demo=True,
                crumbs=[],
                lines=lines,
                total=writing.number(self.count),
                refused=writing.number(self.refused),
                repeated=writing.number(self.repeated),
            )

        return router


def _line(one: Arrival, writing: Writing) -> dict[str, str]:
    """Word one letter; a test carries no dossier."""
    data = one.payload.get("data")
    told = data if isinstance(data, dict) else {}
    words = {name: str(told.get(name, "")) for name in ("code", "source", "unit", "stage")}
    return words | {
        "at": f"{one.at.astimezone(ZONE):%H:%M:%S}",
        "type": str(one.payload.get("type", "")),
        "due_on": _day(str(told.get("due_on", "")), writing),
    }


def _day(word: str, writing: Writing) -> str:
    try:
        return writing.day(date.fromisoformat(word))
    except ValueError:
        return ""
