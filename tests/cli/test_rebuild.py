"""The rebuild command: compare, say what differs, mend on request."""

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
    return CliRunner().invoke(cli.build(), ["rebuild", *more])


def test_a_difference_is_told_and_mended(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        told = Told(unit="A", procedure="P", received_at=NOW)
        ingest.accept(session, [a_record(told)], by=settled(session), door="test", now=NOW)
    with fresh_database.begin() as session:
        recount.fold_some(session)
        session.execute(text("UPDATE dossier SET contacts = 9, channel = 'post'"))

    found, mended, again = run("--json"), run("--json", "--repair"), run()

    assert orjson.loads(found.stdout) == {"looked_at": 1, "differ": 1, "mended": 0}
    assert orjson.loads(mended.stdout) == {"looked_at": 1, "differ": 0, "mended": 1}
    assert (found.exit_code, mended.exit_code, again.exit_code) == (1, 0, 0)
    assert "1" in again.stderr
    with fresh_database.read() as session:
        assert recount.compare(session).differ == 0
