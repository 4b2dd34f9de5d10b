"""The reader of workbooks as a program: lines out, and an end whatever comes in."""

import gzip
import io
import subprocess
import sys
from datetime import date, datetime, time, timedelta

import orjson
import pytest

from app.feeds import sheet_reader
from app.feeds.workbook import READER
from tests.contracts.repository import ROOT
from tests.files import xlsx


def run(raw: bytes, *arguments: str) -> tuple[int, list[object]]:
    done = subprocess.run(
        [sys.executable, "-m", READER, *arguments],
        cwd=ROOT,
        input=raw,
        capture_output=True,
        check=False,
        timeout=180,
    )
    lines = gzip.decompress(done.stdout).splitlines()
    return done.returncode, [orjson.loads(line) for line in lines]


def test_it_writes_what_the_sheet_is_then_its_rows_then_an_end() -> None:
    code, lines = run(xlsx([["x", 1.5]], ["a", "b"]))

    assert code == 0
    assert lines == [
        {"sheet": "Hồ sơ", "rows": 2, "offset": 0, "others": []},
        [["a", "b"], ["x", 1.5]],
        "end",
    ]


@pytest.mark.parametrize("raw", [b"", b"nothing", b"PK\x03\x04"])
def test_what_is_no_workbook_is_told_in_a_line(raw: bytes) -> None:
    assert run(raw) == (1, [{"error": "unreadable"}])


def test_a_sheet_that_is_not_there_is_told_in_a_line() -> None:
    assert run(xlsx([]), b"Ba".hex()) == (1, [{"error": "sheet"}])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", None),
        ("x", "x"),
        (True, True),
        (2.5, 2.5),
        (date(2026, 8, 3), ["2026-08-03"]),
        (datetime(2026, 8, 3, 9, 10, 0, 5), ["2026-08-03T09:10:00"]),  # noqa: DTZ001 -- a cell
        (time(9, 10), "09:10:00"),
        (timedelta(hours=30), "1 day, 6:00:00"),
        (None, None),
    ],
)
def test_cells_are_written_as_json(cell: object, expected: object) -> None:
    assert sheet_reader.plain(cell) == expected


def test_it_writes_to_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_reader, "limit_memory", lambda: None)
    target = io.BytesIO()

    code = sheet_reader.main([], io.BytesIO(xlsx([["x"]], ["a"])), target)

    assert (code, gzip.decompress(target.getvalue()).splitlines()[-1]) == (0, b'"end"')
