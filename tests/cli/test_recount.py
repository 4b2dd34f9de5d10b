"""The recount command: compare, name what differs, mend on request."""

import orjson
import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app import cli
from app.domain.record import Told
from app.store.session import Database
from app.usecases import ingest, recount
from tests.usecases.test_ingest import NOW, a_record, settled


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> None:
    """Point the command at the database of the test."""
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)


def run(*more: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli.build(), ["recount", *more])


def test_a_difference_is_named_and_mended(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        told = Told(unit="A", procedure="P", received_at=NOW)
        ingest.accept(session, [a_record(told)], by=settled(session), door="test", now=NOW)
    with fresh_database.begin() as session:
        recount.fold_some(session)
        session.execute(text("UPDATE fact_year SET received_unknown_channel = 5 WHERE slice = 0"))

    found, shown, mended, again = run("--json"), run(), run("--json", "--repair"), run()

    answer = orjson.loads(found.stdout)
    assert (answer["differ"], answer["named"][0]["stored"]) == (2, 5)  # and above
    assert "received_unknown_channel" in shown.stderr
    assert {**orjson.loads(mended.stdout), "units": 0} == {
        "units": 0,
        "waiting": 0,
        "differ": 0,
        "mended": 2,
        "named": [],
    }
    assert [one.exit_code for one in (found, shown, mended, again)] == [1, 1, 0, 0]


def test_everything_is_made_anew_from_the_dossiers(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        by = settled(session)
        told = [
            a_record(Told(unit=unit, procedure="P", received_at=NOW), code=f"HS-{number}")
            for number, unit in enumerate("ABA")
        ]
        ingest.accept(session, told, by=by, door="test", now=NOW)
    with fresh_database.begin() as session:
        recount.fold_some(session)
        session.execute(text("UPDATE fact_day SET received_unknown_channel = 9"))

    built = run("--rebuild", "--json")

    assert built.exit_code == 0
    assert orjson.loads(built.stdout)["differ"] == 0
