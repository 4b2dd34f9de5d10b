"""The periods commands: close, list, verify."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app import cli
from app.store.session import Database
from app.store.tables import period
from tests.factories import add_dossier, make_source, make_unit


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> None:
    """Point the commands at the database of the test."""
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)


def run(*more: str) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(cli.build(), ["periods", *more])


@pytest.fixture
def unit(fresh_database: Database) -> str:
    """Give a unit with a dossier of August 2020."""
    with fresh_database.begin() as session:
        row = make_unit(session)
        received = datetime(2020, 8, 3, 2, tzinfo=UTC)
        add_dossier(
            session,
            row,
            make_source(session),
            "D-1",
            due_on=date(2020, 8, 10),
            received_at=received,
        )
    return "H44"


def test_a_period_is_closed_listed_and_verified(fresh_database: Database, unit: str) -> None:
    nothing, checked = run("list"), run("verify")
    closed = run("close", unit, "--kind", "month", "--label", "2020-08", "--document", "1/BC")
    with fresh_database.read() as session:
        (found,) = session.scalars(sa.select(period.c.id)).all()
    listed, agrees = run("list"), run("verify", str(found))

    assert nothing.exit_code == checked.exit_code == closed.exit_code == 0
    assert "2020-08-01" in closed.stderr
    assert unit in listed.stdout
    assert str(found) in listed.stdout
    assert (agrees.exit_code, str(found) in agrees.stderr) == (0, True)


def test_rows_changed_by_hand_do_not_agree(fresh_database: Database, unit: str) -> None:
    assert run("close", unit, "--from", "2020-08-01", "--to", "2020-08-31").exit_code == 0
    with fresh_database.begin() as session:
        session.execute(text("ALTER TABLE period_row DISABLE TRIGGER append_only"))
        session.execute(text("UPDATE period_row SET unit = 'H45'"))

    assert run("verify").exit_code == 1


def test_a_period_is_told_by_name_or_by_days(unit: str) -> None:
    assert run("close", unit, "--kind", "month", "--from", "2020-08-01").exit_code == 2
    assert run("close", unit).exit_code == 2


def test_an_unknown_period_is_refused(unit: str) -> None:
    answer = run("verify", "6c1d4a7e-2f0b-4f0a-9d3a-7b1f5a0c9e21")

    assert type(answer.exception).__name__ == "PeriodUnknown"
