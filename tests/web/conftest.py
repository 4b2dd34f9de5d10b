"""A province told once for the whole run, and the pages over it; nothing here changes it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.main import create_app
from app.store.session import Database
from app.usecases import demo
from app.web import routes, visitors
from app.web.receiver import Mailbox
from tests.conftest import _copy, _drop, _named

NOW = datetime(2026, 8, 20, 3, 30, tzinfo=UTC)
SECRET = b"a secret of the tests, of no use elsewhere"
DOSSIERS = 500


def fixed_clock() -> datetime:
    """Tell the one moment at which these tests look."""
    return NOW


@pytest.fixture(scope="session")
def province(server_url: str, template: str) -> Iterator[Database]:
    """Give a database with the demonstration province."""
    name = _copy(server_url, template)
    database = Database(_named(server_url, name))
    with database.begin() as session:
        demo.seed(session, now=NOW, dossiers=DOSSIERS)
    yield database
    database.dispose()
    _drop(server_url, name)


@pytest.fixture
def mailbox() -> Mailbox:
    """Give an empty receiver."""
    return Mailbox()


@pytest.fixture
def app(province: Database, mailbox: Mailbox) -> FastAPI:
    """Give the demonstration's application."""
    return create_app(
        province,
        secret=SECRET,
        clock=fixed_clock,
        environment="demo",
        pages=[
            routes.router_for(visitors.Anybody(), is_demo=True),
            mailbox.router(),
        ],
    )


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Give a client that does not follow redirects."""
    with TestClient(app, follow_redirects=False) as made:
        yield made
