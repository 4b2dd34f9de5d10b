"""Commands about the database."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from app import cli
from app.domain.errors import Conflict
from app.store import schema
from app.store.session import Database


def test_migrate_brings_a_named_database_to_the_head(
    monkeypatch: pytest.MonkeyPatch, empty_url: str
) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", empty_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)

    done = CliRunner().invoke(cli.build(), ["migrate"])

    assert done.exit_code == 0
    assert schema.head() in done.stderr
    database = Database(empty_url)
    assert schema.current(database) == schema.head()
    database.dispose()


def test_a_named_database_without_tables_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", empty_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setattr("sys.argv", ["dunghan", "keys", "list"])

    assert cli.run() == cli.EXIT_CODES[Conflict]
    assert "python3 run.py migrate" in capsys.readouterr().err


def test_the_embedded_database_is_made_ready_by_any_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DUNGHAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DUNGHAN_DATABASE_URL", raising=False)
    asked = ["keys", "create", "--name", "n", "--source", "s", "--unit", "*"]

    done = CliRunner().invoke(cli.build(), [*asked, "--scopes", "dossiers:write", "--json"])

    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["key"].startswith("dh_")
