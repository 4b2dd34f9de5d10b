"""What a database is for."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from app.store import installation
from app.store.session import Database, WriteSession
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def test_a_database_is_for_nothing_until_somebody_says_so(session: WriteSession) -> None:
    assert installation.purpose(session) is None

    installation.declare(session, "demo", now=NOW)

    assert installation.purpose(session) == "demo"


def test_its_purpose_is_said_once(session: WriteSession) -> None:
    installation.declare(session, "demo", now=NOW)

    with pytest.raises(IntegrityError), session.savepoint():
        installation.declare(session, "production", now=NOW)


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
