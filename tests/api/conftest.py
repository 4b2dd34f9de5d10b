"""The application over the rolled-back database, a client, and keys.

``client`` speaks to the whole application; ``make_key(scopes, unit)`` returns a key;
``as_key(key)`` are the headers that present it. Time is what ``clock`` says.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.wire import Wire
from app.deps import Installation
from app.main import create_app
from app.store.session import Database
from app.usecases import access
from app.usecases.access import Scope
from tests.api.procedures import LIMITS

SECRET = b"a secret of the tests, of no use elsewhere"
MakeKey = Callable[..., str]


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self.now += by


@pytest.fixture
def clock() -> HandClock:
    """Give a clock that stands still."""
    return HandClock()


@pytest.fixture
def app(database: Database, clock: HandClock) -> FastAPI:
    """Give the application on the rolled-back database."""
    return create_app(database, secret=SECRET, clock=clock, environment="test")


@pytest.fixture
def installation(app: FastAPI) -> Installation:
    """Give what the application stands on."""
    found = app.state.installation
    assert isinstance(found, Installation)
    return found


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Give a client of the whole application; what goes wrong inside is answered, not raised."""
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def make_key(installation: Installation, clock: HandClock) -> MakeKey:
    """Give a maker of keys: ``make_key(scopes=None, unit=None, source="test")``; None is all."""

    def make(
        scopes: Iterable[str] | None = None,
        unit: str | None = None,
        source: str = "test",
        expires_at: datetime | None = None,
    ) -> str:
        with installation.database.begin() as session:
            return access.issue_key(
                session,
                installation.keyring,
                name="test",
                source=source,
                unit=unit,
                scopes=tuple(Scope) if scopes is None else scopes,
                actor="test",
                now=clock(),
                expires_at=expires_at,
            ).key

    return make


def as_key(key: str, **headers: str) -> dict[str, str]:
    """Return the headers that present a key."""
    return {"Authorization": f"Bearer {key}", **headers}


@pytest.fixture
def sender(client: TestClient, make_key: MakeKey) -> dict[str, str]:
    """Give a key of a province with one commune and a procedure of each kind of limit."""
    whole = as_key(make_key())
    client.put("/v1/units/H44", json={"name": "P", "level": "province"}, headers=whole)
    commune = {"name": "C", "level": "commune", "parent": "H44"}
    client.put("/v1/units/H44.1", json=commune, headers=whole)
    for code, limit in LIMITS.items():
        told = {"name": f"Thủ tục {code}", "limits": [limit]}
        answer = client.put(f"/v1/procedures/{code}", json=told, headers=whole)
        assert answer.status_code == 201, answer.text
    return as_key(make_key(unit="H44"))


@pytest.fixture
def server(app: FastAPI) -> Iterator[tuple[str, int]]:
    """Give the address of a real server, as `serve` runs it, for bytes on a socket."""
    listening = socket.create_server(("127.0.0.1", 0))
    host, port = listening.getsockname()
    running = uvicorn.Server(
        uvicorn.Config(app, http=Wire, lifespan="off", log_config=None, access_log=False)
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield str(host), int(port)
    finally:
        running.should_exit = True
        thread.join(timeout=60)
        listening.close()
    assert not thread.is_alive()
