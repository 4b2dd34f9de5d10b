"""What a database is for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from app.store import installation
from app.store.session import Database, WriteSession
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def test_a_database_is_for_nothing_until_somebody_says_so(session: WriteSession) -> None:
    assert installation.purpose(session) is None

    installation.declare(session, "demo", now=NOW)

    assert installation.purpose(session) == "demo"


def test_its_purpose_is_said_once_and_the_first_word_holds(session: WriteSession) -> None:
    assert installation.declare(session, "demo", now=NOW) == "demo"
    assert installation.declare(session, "production", now=NOW) == "demo"
    assert installation.purpose(session) == "demo"


def test_servers_that_start_at_once_all_hear_the_first_word(fresh_database: Database) -> None:
    together = threading.Barrier(6)

    def start(number: int) -> str:
        with fresh_database.begin() as session:
            together.wait(timeout=60)
            return installation.declare(session, ("demo", "production")[number % 2], now=NOW)

    with ThreadPoolExecutor(6) as servers:
        heard = set(servers.map(start, range(6)))

    assert len(heard) == 1


def test_a_unit_is_a_sign_of_use(session: WriteSession) -> None:
    assert not installation.is_in_use(session)

    make_unit(session)

    assert installation.is_in_use(session)


def test_nothing_was_told_by_a_source_that_is_new(session: WriteSession) -> None:
    assert installation.told_until(session, make_source(session)) is None


def test_a_database_without_a_table_is_blank(empty_url: str, database: Database) -> None:
    empty = Database(empty_url)
    with empty.read() as session:
        assert installation.is_blank(session)
    empty.dispose()
    with database.read() as session:
        assert not installation.is_blank(session)
