"""The import command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.domain.errors import AppError
from app.feeds.workbook import open_book
from app.store.session import Database
from tests.files import as_csv, row, xlsx
from tests.usecases.test_imports import settle

Import = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, migrated_url: str, fresh_database: Database) -> Import:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    settle(fresh_database)
    return lambda *more: CliRunner().invoke(
        cli.build(), ["import", *more, "--source", "file", "--unit", "H44"]
    )


def test_a_file_is_imported_once_and_its_refused_rows_are_written(
    run: Import, tmp_path: Path
) -> None:
    rows: list[list[object]] = [row(n) for n in range(12)]
    rows[3][6] = "mai"
    file, errors = tmp_path / "hồ sơ.xlsx", tmp_path / "errors.xlsx"
    file.write_bytes(xlsx(rows))

    first = run(str(file), "--errors", str(errors))
    second = run(str(file), "--json")

    assert first.exit_code == 0, first.output
    assert "accepted 11, unchanged 0, stale 0, quarantined 1" in first.stderr
    with open_book(errors.read_bytes()).rows() as found:
        assert [one.cells[0] for one in found][1:] == ["5"]
    assert json.loads(second.stdout)["counts"]["accepted"] == 11


def test_a_preview_shows_columns_and_stores_nothing(run: Import, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(as_csv([*(row(n) for n in range(3)), [*row(4)[:6], "mai", *row(4)[7:]]]))

    shown = run(str(file), "--dry-run")
    told = json.loads(run(str(file), "--dry-run", "--json").stdout)

    assert "3 rows can be read, 1 cannot" in shown.stderr
    assert "Mã hồ sơ" in shown.stdout
    assert told["first_verdicts"]["accepted"] == 3


def test_what_is_not_certain_is_told_before_anything_is_stored(run: Import, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    header = ["Mã hồ sơ", "Số hồ sơ", "Mã TTHC"]
    file.write_bytes(as_csv([["1", "2", "1.001193"]], header))

    shown = run(str(file), "--dry-run")
    refused = run(str(file))
    named = run(str(file), "--map", "Số hồ sơ=code", "--json")

    assert "Several columns could be code: A, B" in shown.stderr
    assert isinstance(refused.exception, AppError)
    assert json.loads(named.stdout)["counts"]["accepted"] == 1


def test_a_file_that_is_not_there_is_a_mistake_in_use(run: Import) -> None:
    assert run("/nowhere.csv").exit_code == 2
