"""Keys by command: shown once, listed without secrets, ended."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import build
from app.deps import authenticate
from app.main import create_from
from app.settings import load
from app.store.session import Database
from app.usecases.access import Unauthenticated

Run = Any


@pytest.fixture
def run(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a database of its own, and return what it prints on standard output."""
    monkeypatch.setenv("DUNGHAN_ENVIRONMENT", "test")
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("DUNGHAN_DATA_DIR", str(tmp_path))
    runner = CliRunner()

    def call(*arguments: str) -> str:
        result = runner.invoke(build(), ["keys", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


ASKED = ["create", "--name", "N", "--source", "S", "--unit", "*", "--scopes"]


def test_a_key_made_by_command_opens_the_doors_until_it_is_revoked(
    run: Run, migrated_url: str
) -> None:
    made = json.loads(run(*ASKED, "dossiers:read,dossiers:write", "--days", "30", "--json"))
    database = Database(migrated_url)
    app = create_from(load(), database)

    who = authenticate(app.state.installation, made["key"])
    listed = json.loads(run("list", "--json"))
    run("revoke", made["prefix"])
    app.state.installation.keyring.forget(made["prefix"])

    assert (who.source_code, who.is_whole) == ("S", True)
    assert made["unit"] == "*"
    assert [(row["prefix"], row["state"]) for row in listed] == [(made["prefix"], "live")]
    assert made["key"] not in json.dumps(listed)
    with pytest.raises(Unauthenticated):
        authenticate(app.state.installation, made["key"])
    database.dispose()


def test_a_rotated_key_is_replaced_by_another(run: Run) -> None:
    made = json.loads(run(*ASKED, "admin", "--json"))

    fresh = json.loads(run("rotate", made["prefix"], "--overlap-hours", "0", "--json"))

    assert fresh["prefix"] != made["prefix"]
    assert fresh["scopes"] == ["admin"]
    states = {row["prefix"]: row["state"] for row in json.loads(run("list", "--json"))}
    assert states == {made["prefix"]: "expired", fresh["prefix"]: "live"}


def test_a_person_gets_the_key_alone_on_its_line_and_a_table(run: Run) -> None:
    shown = run(*ASKED, "admin")
    table = run("list")

    assert shown.strip().startswith("dh_test_")
    assert "\n" not in shown.strip()
    assert shown.strip().rpartition("_")[0] in table
