"""The nightly command."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.clock import system_clock
from app.domain.dossier import ZONE
from app.store.session import Database
from tests.factories import add_dossier, make_source, make_unit

Nightly = Callable[..., Result]


@pytest.fixture
def nightly(monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> Nightly:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    return lambda *more: CliRunner().invoke(cli.build(), ["nightly", *more])


def test_one_day_by_hand_raises_alerts_once(nightly: Nightly, fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        add_dossier(session, unit, source_id, "A", due_on="2026-02-27")
        add_dossier(session, unit, source_id, "B", due_on="2026-03-02")

    first, second = nightly("--as-of", "2026-03-02"), nightly("--as-of", "2026-03-02")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "2026-03-02: looked at 2 dossiers, 1 overdue without an alert, raised 1" in first.stderr
    assert "0 overdue without an alert, raised 1 new" in second.stderr


def test_without_a_day_what_is_owed_is_done_once(
    nightly: Nightly, fresh_database: Database
) -> None:
    first = nightly()

    assert "looked at 0 dossiers" in first.stderr
    # twice: midnight may come once between the looks
    assert any("No night is waiting" in nightly().stderr for _ in range(2))


def test_a_calendar_that_is_missing_is_told(nightly: Nightly, fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        add_dossier(session, make_unit(session), make_source(session), "A", due_on="1999-03-01")

    done = nightly("--as-of", "2026-03-02")

    assert "1 dossiers cannot be judged" in done.stderr


def test_a_day_to_come_is_refused(nightly: Nightly) -> None:
    from app.domain.night import NightToCome

    # the day after next: tomorrow would have begun if midnight came between the two looks
    day = (system_clock().astimezone(ZONE) + timedelta(days=2)).date()

    assert isinstance(nightly("--as-of", day.isoformat()).exception, NightToCome)


def test_a_day_that_is_none_is_refused(nightly: Nightly) -> None:
    assert nightly("--as-of", "2026-02-30").exit_code == 2
