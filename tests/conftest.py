"""What every test may ask for: a real PostgreSQL, rolled back or cloned; no network.

``database``: a migrated database whose every change is undone after the test. Transactions of
the code under test are savepoints of one outer transaction, on one connection.
``fresh_database``: a migrated database of its own, with real commits, for tests whose subject
is commits, several connections, threads, or a server process (its URL: ``database_url``).
``migrated_url``: a fresh database's URL, to hand to a process.

PostgreSQL comes from the wheel, in a folder of this run, so several runs never meet.
TEST_DATABASE_URL names another server instead (its role must be allowed to create databases).
"""

import contextlib
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, make_url, text

from app.store import schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database, ReadSession, WriteSession, storage_errors

hypothesis.settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,  # the seed is the test itself: every run tries the same examples
    database=None,
    print_blob=True,
    # a machine that is slow at making examples is no fault of what they try
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
hypothesis.settings.register_profile(
    "nightly",
    parent=hypothesis.settings.get_profile("ci"),
    derandomize=False,
    max_examples=2_000,
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TEMPLATE = "dunghan_template"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let no test that must run in CI be skipped there unseen."""
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("must_run_in_ci"):
        report.outcome = "failed"
    return report


class RolledBackDatabase(Database):
    """A database whose transactions are savepoints of one transaction that never commits."""

    def __init__(self, url: str, connection: Connection) -> None:
        super().__init__(url, pool_size=1)
        self._connection = connection
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def begin(self) -> Iterator[WriteSession]:
        """Commit into the outer transaction, or undo to the savepoint."""
        with storage_errors(), self._alone(), self._connection.begin_nested():
            session = WriteSession(self._connection, self.memory)
            yield session
            session.flush()

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadSession]:
        """Read what the outer transaction sees; the server refuses changes."""
        with storage_errors(), self._alone(), self._connection.begin_nested() as savepoint:
            self._connection.execute(text("SET TRANSACTION READ ONLY"))
            try:
                yield ReadSession(self._connection, self.memory)
            finally:
                savepoint.rollback()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=60):
            raise AssertionError(
                "Another transaction of this test is open: the `database` fixture has one "
                "connection. Close it first, or use `fresh_database`."
            )
        try:
            yield
        finally:
            self._turn.release()


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Give the URL of a PostgreSQL whose role may create databases."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="dunghan-test-"))
    try:
        with EmbeddedPostgres(folder, durable=False) as server:
            yield server.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """Migrate one database, from which the others are copied, and give its name."""
    name = f"{TEMPLATE}_{uuid.uuid4().hex[:8]}"
    with _administrator(server_url) as administrator:
        administrator.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = Database(_named(server_url, name))
    schema.migrate(database)
    database.dispose()
    yield name
    _drop(server_url, name)


@pytest.fixture(scope="session")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    """Give one copy for the whole run, in which nothing is ever committed."""
    name = _copy(server_url, template)
    yield _named(server_url, name)
    _drop(server_url, name)


@pytest.fixture(scope="session")
def shared_pool(shared_url: str) -> Iterator[Database]:
    """Give the pool from which rolled-back tests take their one connection."""
    pool = Database(shared_url, pool_size=1)
    yield pool
    pool.dispose()


@pytest.fixture
def database(shared_url: str, shared_pool: Database) -> Iterator[Database]:
    """Give a database whose changes are undone after the test."""
    with shared_pool.engine.connect() as connection, connection.begin() as outer:
        given = RolledBackDatabase(shared_url, connection)
        yield given
        given.dispose()
        outer.rollback()


@pytest.fixture
def session(database: Database) -> Iterator[WriteSession]:
    """Give an open writer, for tests of the store; undone after the test."""
    with database.begin() as writer:
        yield writer


@pytest.fixture
def migrated_url(server_url: str, template: str) -> Iterator[str]:
    """Give the URL of a migrated database that belongs to this test alone."""
    name = _copy(server_url, template)
    yield _named(server_url, name)
    _drop(server_url, name)


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """Give the URL of a database without any schema, for tests of migrations."""
    name = _copy(server_url, "template1")
    yield _named(server_url, name)
    _drop(server_url, name)


@pytest.fixture
def fresh_database(migrated_url: str) -> Iterator[Database]:
    """Give a migrated database of its own, with real commits."""
    database = Database(migrated_url)
    yield database
    database.dispose()


@contextlib.contextmanager
def _administrator(server_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    url = make_url(server_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


def _copy(server_url: str, template: str) -> str:
    name = f"dunghan_{uuid.uuid4().hex[:12]}"
    with _administrator(server_url) as administrator:
        administrator.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return name


def _drop(server_url: str, name: str) -> None:
    """Remove a database; a vacuum of the server's own may be in it for a moment."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with _administrator(server_url) as administrator:
        for _ in range(20):
            with contextlib.suppress(
                psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse
            ):
                administrator.execute(drop)
                return
            administrator.execute("SELECT pg_sleep(0.25)")
        administrator.execute(drop)


def _named(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)
