"""Scores by command."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.domain.errors import AppError
from app.rulebook.annex import questions
from app.rulebook.rule_sets import INDEX_FOLDER
from app.store import units
from app.store.session import Database
from app.usecases import rule_sets
from app.usecases.access import operator
from tests.factories import make_unit
from tests.rule_set_texts import annex

Command = Callable[..., Result]
TEMPLATE = (INDEX_FOLDER / "par-tthc-template.yaml").read_text(encoding="utf-8")


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, migrated_url: str, fresh_database: Database) -> Command:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    with fresh_database.begin() as session:
        make_unit(session, "H44.1", parent=make_unit(session, "H44"))
    return lambda *more, **how: CliRunner().invoke(cli.build(), ["score", *more], **how)


def test_a_file_is_linted_with_every_finding(score: Command, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(annex(), encoding="utf-8")
    bad.write_text(annex(floor="95"), encoding="utf-8")

    passed, failed = score("lint", str(good)), score("lint", str(bad))

    assert (passed.exit_code, failed.exit_code) == (0, 5)
    assert "nothing is wrong" in passed.stderr
    assert "ERROR at root/on_time: A share is written as 95" in failed.stderr


def test_an_annex_from_a_file_is_stored_only_when_asked(
    score: Command, tmp_path: Path, fresh_database: Database
) -> None:
    path = tmp_path / "annex.yaml"
    path.write_text(annex(provenance="template"), encoding="utf-8")

    checked = score("annex", str(path))
    saved = score("annex", str(path), "--save", "--unit", "H44", "--person", "An")
    again = score("annex", str(path), "--save", "--unit", "H44")

    assert "was not stored" in checked.stderr
    assert "Stored par.h44, version 1" in saved.stderr
    assert "An confirmed" in saved.stderr
    assert "nothing changed" in again.stderr
    with fresh_database.read() as session:
        (version,) = rule_sets.history(session, "par.h44")
        rows = rule_sets.confirmations(session, "par.h44")
        lft = units.get(session, "H44").lft
    assert version.owner == "H44"
    assert rule_sets.is_confirmed(version, rows, lft)


def test_an_annex_is_typed_in_number_by_number(score: Command, tmp_path: Path) -> None:
    answers = ["par-tthc.h44", "Phụ lục", "Annex", "876/QĐ-UBND", "hôm nay", "2026-01-01"]
    answers += [
        "0,98" if one.path == "root/on_time_sum/linear/floor" else "" for one in questions(TEMPLATE)
    ]
    output = tmp_path / "out.yaml"

    typed = score("annex", "--output", str(output), "--save", input="\n".join(answers) + "\n")
    shown = score("show", "par-tthc.h44")

    assert typed.exit_code == 0, typed.output
    assert "floor: 0.98" in output.read_text(encoding="utf-8")
    assert "version 1" in shown.stderr
    assert "numbers were compared with the document by nobody yet" in shown.stderr


def test_a_faulty_annex_is_not_stored(score: Command, tmp_path: Path) -> None:
    path = tmp_path / "annex.yaml"
    path.write_text(annex(floor="95"), encoding="utf-8")

    assert score("annex", str(path), "--save").exit_code == 5
    assert isinstance(score("show", "par.h44").exception, AppError)


def test_units_are_scored_and_a_sheet_is_printed(score: Command) -> None:
    board = score("run", "progress.feed-1", "--period", "2020", "--json")
    assert isinstance(board.exception, AppError)

    told = score("run", "progress.feed-1", "--period", "2025", "--unit", "H44", "--json")
    table = score("run", "progress.feed-1", "--period", "2025")
    sheet = score("show", "progress.feed-1", "--unit", "H44.1", "--period", "2025")

    assert [line["unit"] for line in json.loads(told.stdout)] == ["H44.1", "H44"]
    assert "H44.1" in table.stdout
    assert "Progress (766 index)" in sheet.stdout
    assert "H44.1: 0.00/21 points" in sheet.stderr
    assert "not confirmed" in sheet.stderr


def test_the_operator_stands_for_a_unit_or_for_all(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session, "H45")

    assert operator(None).is_whole
    assert operator(unit).covers(unit.lft)
    assert operator(unit).actor == "key:operator"
