"""The command that takes registers from files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.store.session import Database
from tests.files import as_csv
from tests.usecases.test_imports import settle

Run = Callable[..., Result]
HEADER = ["Mã đơn vị", "Số", "Loại", "Ngày tiếp nhận", "Ngày trả lời"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, migrated_url: str, fresh_database: Database) -> Run:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    settle(fresh_database)
    return lambda *more: CliRunner().invoke(cli.build(), ["register", *more])


def test_good_rows_are_kept_and_each_bad_one_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pakn.csv"
    table = [
        ["H44", "1", "Phản ánh", "06/07/2026", "20/07/2026"],
        ["H44", "2", "Kiến nghị", "06/07/2026", ""],
        ["H44", "3", "Khen", "06/07/2026", ""],
        ["H99", "4", "", "06/07/2026", ""],
        ["H44", "5", "", "20/07/2026", "06/07/2026"],
        ["H44", "", "", "20/07/2026", ""],
        ["H44", "1", "", "20/07/2026", ""],
    ]
    file.write_bytes(as_csv(table, HEADER))

    told = json.loads(run("petition", str(file), "--json").stdout)
    again = run("petition", str(file))

    assert (told["created"], told["updated"], told["unchanged"]) == (2, 0, 0)
    assert [one["row"] for one in told["refused"]] == [4, 5, 6, 7, 8]
    assert again.exit_code == 0, again.output
    assert "unchanged 2, refused 5 rows" in again.stderr
    assert "5: Unit H99 is not within" in again.stdout
