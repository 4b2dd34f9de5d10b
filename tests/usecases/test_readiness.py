"""Ready, not ready, or ready with something to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from app.domain.mail import MailKind
from app.store import mails, outbox, schema
from app.store.mails import Planned
from app.store.outbox import Event, Post
from app.store.session import Database
from app.usecases import readiness, runs
from app.usecases.readiness import Check, Verdict
from app.usecases.runs import Duty
from tests.factories import local, make_unit

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
    assert found.degraded["nightly"] == {
        "last": None,
        "expected": "2026-08-10",
        "waiting": 0,
        "failed": 0,
    }


def test_before_one_in_the_morning_the_night_of_yesterday_is_enough(
    fresh_database: Database,
) -> None:
    midnight = local("2026-08-10")
    duty = Duty(clock=lambda: midnight - timedelta(hours=20), owner="test")
    runs.run_due_nights(fresh_database, duty)

    told = {
        minutes: readiness.look(
            fresh_database, as_of=midnight + timedelta(minutes=minutes), must_be_durable=False
        )
        for minutes in (30, 74, 76)
    }

    assert [("nightly" in each.degraded) for each in told.values()] == [False, False, True]
    assert told[76].degraded["nightly"] == {
        "last": "2026-08-09",
        "expected": "2026-08-10",
        "waiting": 0,
        "failed": 0,
    }
    assert told[76].last_nightly == "2026-08-09"


def test_post_that_waits_too_long_or_died_is_worth_a_look(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session)
        posts = [
            Post(Event(unit.id, uuid4(), uuid4()), "dossier.overdue", {"n": n}) for n in range(3)
        ]
        outbox.append(session, posts, now=NOW)

    def told(minutes: int) -> object:
        later = NOW + timedelta(minutes=minutes)
        return readiness.look(fresh_database, as_of=later, must_be_durable=False).degraded.get(
            "outbox"
        )

    assert told(15) is None
    assert told(16) == {"pending": 3, "dead": 0, "oldest_due_at": NOW.isoformat()}
    measures = readiness.measures_of(fresh_database, as_of=NOW + timedelta(minutes=2))
    assert (measures["dunghan_outbox_pending"], measures["dunghan_outbox_lag_seconds"]) == (3, 120)


def test_mails_that_wait_too_long_or_died_are_worth_a_look(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session)
        for n in range(2):
            planned = Planned(unit.id, uuid4(), uuid4(), MailKind.DIGEST, f"{n}", NOW, NOW)
            assert mails.plan(session, [planned], now=NOW) == 1

    def told(minutes: int) -> object:
        later = NOW + timedelta(minutes=minutes)
        return readiness.look(fresh_database, as_of=later, must_be_durable=False).degraded.get(
            "mails"
        )

    assert told(60) is None
    assert told(61) == {"pending": 2, "dead": 0, "oldest_due_at": NOW.isoformat()}
    measures = readiness.measures_of(fresh_database, as_of=NOW)
    assert (measures["dunghan_mails_pending"], measures["dunghan_mails_dead"]) == (2, 0)


def test_measures_of_a_database_that_is_away_are_left_out() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    assert readiness.measures_of(away, as_of=NOW) == {}
    away.dispose()


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
