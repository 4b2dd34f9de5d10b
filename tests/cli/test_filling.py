"""The commands that write declared numbers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.store.session import Database
from tests.files import as_csv
from tests.usecases.test_filling import HEADER
from tests.usecases.test_imports import settle

Run = Callable[..., Result]
ASKED = ("--rule-set", "qd766.profile-2026", "--period", "2026-07")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, migrated_url: str, fresh_database: Database) -> Run:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    settle(fresh_database)
    return lambda *more: CliRunner().invoke(cli.build(), [*more, *ASKED])


def test_a_file_is_written_on_the_sheets_and_its_bad_rows_are_named(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "so-lieu.csv"
    file.write_bytes(as_csv([["H44", "synced", "5", ""], ["H44", "", "5", ""]], HEADER))

    told = json.loads(run("inputs", str(file), "--json").stdout)
    again = run("inputs", str(file))

    assert told["changed"] == {"H44": 1}
    assert [one["place"] for one in told["refused"]] == ["3"]
    assert again.exit_code == 0, again.output
    assert "Wrote 0 numbers for 1 units, refused 1" in again.stderr


def test_registers_without_entries_fill_nothing(run: Run) -> None:
    done = run("fill", "H44", "--json")

    assert json.loads(done.stdout) == {"changed": {}, "refused": []}
