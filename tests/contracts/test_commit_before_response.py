"""What is acknowledged is committed: the commit comes before the first byte of the answer."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message, Scope

from app.deps import Installation
from app.main import create_app
from app.store.session import (
    Database,
    StorageUnavailable,
    Trouble,
    WriteSession,
    storage_errors,
)
from app.usecases import access, catalogue
from app.usecases.access import Scope as KeyScope

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
BODY = b'{"name": "T\xe1\xbb\x89nh", "level": "province"}'


def test_when_the_answer_begins_another_connection_sees_what_was_written(
    fresh_database: Database,
) -> None:
    app = create_app(fresh_database, secret=b"x" * 32, clock=lambda: NOW, environment="test")
    key = issue(fresh_database, app)
    seen: list[tuple[int, bool]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            with fresh_database.read() as session:
                there = catalogue.find_unit(session, "H44") is not None
            seen.append((message["status"], there))

    anyio.run(app, scope_of("/v1/units/H44", key), receive, send)

    assert seen == [(201, True)]


class CutAtCommit(Database):
    """A database that goes away between the last statement and the commit."""

    @contextlib.contextmanager
    def begin(self) -> Iterator[WriteSession]:
        """Do everything but the commit."""
        with storage_errors(), self.engine.connect() as connection, connection.begin() as open_one:
            yield WriteSession(connection)
            open_one.rollback()
            raise StorageUnavailable(trouble=Trouble.UNREACHABLE)


def test_a_commit_that_fails_is_answered_with_503_and_not_as_done(
    fresh_database: Database, migrated_url: str
) -> None:
    cut = CutAtCommit(migrated_url)
    app = create_app(cut, secret=b"x" * 32, clock=lambda: NOW, environment="test")
    key = issue(fresh_database, app)

    answer = TestClient(app).put(
        "/v1/units/H44",
        content=BODY,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    cut.dispose()

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    with fresh_database.read() as session:
        assert catalogue.find_unit(session, "H44") is None


def issue(database: Database, app: FastAPI) -> str:
    installation: Installation = app.state.installation
    with database.begin() as session:
        return access.issue_key(
            session,
            installation.keyring,
            name="t",
            source="t",
            unit=None,
            scopes=[KeyScope.CATALOGUE_WRITE],
            actor="t",
            now=NOW,
        ).key


def scope_of(path: str, key: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
