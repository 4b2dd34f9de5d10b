"""Ready, not ready, or ready with something to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.store import schema
from app.store.session import Database
from app.usecases import readiness
from app.usecases.readiness import Check, Verdict

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


class Unsafe(Database):
    """A database whose settings may lose what was acknowledged."""

    setting = "fsync"

    def durability(self) -> dict[str, str]:
        """Return settings of which one is off."""
        return dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "on") | {
            self.setting: "off"
        }


@pytest.fixture
def unsafe(migrated_url: str) -> Iterator[Unsafe]:
    database = Unsafe(migrated_url)
    yield database
    database.dispose()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_settings_that_may_lose_records_are_not_ready_where_it_matters(
    unsafe: Unsafe, setting: str
) -> None:
    unsafe.setting = setting

    strict = readiness.look(unsafe, as_of=NOW, must_be_durable=True)
    lenient = readiness.look(unsafe, as_of=NOW, must_be_durable=False)

    assert not strict.is_ready
    assert strict.checks[Check.DURABILITY] is Verdict.FAILED
    assert lenient.is_ready
    assert strict.degraded["durability"] == lenient.degraded["durability"] == {setting: "off"}


def test_an_empty_database_is_not_ready(empty_url: str) -> None:
    database = Database(empty_url)

    found = readiness.look(database, as_of=NOW, must_be_durable=False)
    database.dispose()

    assert found.checks[Check.DATABASE] is Verdict.OK
    assert found.checks[Check.SCHEMA] is Verdict.FAILED
    assert not found.is_ready


def test_a_database_that_is_away_is_not_ready() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    found = readiness.look(database, as_of=NOW, must_be_durable=False)

    assert found.checks[Check.DATABASE] is Verdict.FAILED
    assert found.checks[Check.SCHEMA] is Verdict.SKIPPED
    assert not found.is_ready


def test_a_migrated_database_is_ready_and_tells_of_the_missing_night(
    fresh_database: Database,
) -> None:
    found = readiness.look(fresh_database, as_of=NOW, must_be_durable=False)

    assert schema.current(fresh_database) == schema.head()
    assert found.is_ready
    assert found.degraded["nightly"] == {"last": None, "expected": "2026-08-10"}


@pytest.mark.parametrize(
    ("as_of", "found"),
    [
        (datetime(2026, 9, 30, 16, 59, tzinfo=UTC), None),
        (datetime(2026, 9, 30, 17, 0, tzinfo=UTC), (2027, "estimated")),
        (datetime(2027, 12, 1, tzinfo=UTC), (2028, "missing")),
    ],
)
def test_in_the_last_quarter_an_unsettled_next_year_is_worth_a_look(
    database: Database, as_of: datetime, found: tuple[int, str] | None
) -> None:
    degraded = readiness.look(database, as_of=as_of, must_be_durable=False).degraded

    told = degraded.get("calendar")
    assert told == (None if found is None else {"id": "vn", "year": found[0], "status": found[1]})
