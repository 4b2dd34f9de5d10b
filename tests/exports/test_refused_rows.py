"""The workbook of refused rows: text stays text, faults are red, both languages."""

import io
import zipfile

import pytest

from app.domain.faults import Fault
from app.exports.refused_rows import RefusedRow, reason_of, shown, workbook
from app.feeds.workbook import open_book
from app.i18n import Language

COLUMNS = [("code", "Mã hồ sơ"), ("received_at", "Ngày tiếp nhận")]
FAULT = Fault("/received_at", "import.not_date")
HOSTILE = (
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x")', "=cmd|' /C calc'!A0"),
    *("{=1+1}", "http://example.org", "mailto:a@b.vn", "file:///etc/passwd", "internal:A!A1"),
)


def refused(value: str = "31/02/2026", *, is_settled: bool = False) -> RefusedRow:
    return RefusedRow(7, "HS-1", {"code": "HS-1", "received_at": value}, (FAULT,), is_settled)


def cells_of(raw: bytes) -> list[list[object]]:
    with open_book(raw).rows() as rows:
        return [list(row.cells) for row in rows]


def test_each_row_has_its_number_its_reason_and_what_was_kept() -> None:
    head, row = cells_of(workbook([refused()], COLUMNS, language=Language.VI))

    assert head == ["Dòng", "Mã hồ sơ", "Lý do và cách sửa", "Mã hồ sơ", "Ngày tiếp nhận"]
    assert row[:2] == ["7", "HS-1"]
    assert str(row[2]).startswith("Ngày tiếp nhận: Không đọc được ngày")
    assert row[3:] == ["HS-1", "31/02/2026"]


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_that_came_in_becomes_a_formula_or_a_link(value: str) -> None:
    raw = workbook([refused(value)], [("received_at", value)], language=Language.VI)

    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
        names = archive.namelist()
    assert b"<f>" not in sheet
    assert b"<f " not in sheet
    assert b"<hyperlink" not in sheet
    assert not [name for name in names if name.endswith(".rels") and "sheet" in name]
    assert cells_of(raw)[1][3] == value


def test_the_faulty_cell_is_red_and_the_others_are_not() -> None:
    raw = workbook([refused()], COLUMNS, language=Language.EN)

    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    style = {cell: sheet.split(f'r="{cell}" s="')[1][0] for cell in ("D2", "E2")}
    assert style["D2"] != style["E2"]
    assert "F8CBAD" in styles


def test_a_row_accepted_since_is_told_as_such() -> None:
    _, row = cells_of(workbook([refused(is_settled=True)], COLUMNS, language=Language.EN))

    assert str(row[2]).startswith("(accepted since)")


def test_a_fault_of_the_whole_row_has_no_column_before_it() -> None:
    assert reason_of(Fault("", "import.row_unreadable"), {}, Language.EN).startswith("The row")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (True, "Có"), (False, "Không"), (12, "12"), ("?", "(không lưu lại)"), ("a", "a")],
)
def test_a_kept_value_is_shown_as_text(value: object, expected: str) -> None:
    assert shown(value, lost="?", language=Language.VI) == expected


def test_a_list_is_shown_item_by_item() -> None:
    assert shown(["a", "?"], lost="?", language=Language.EN) == "a; (not kept)"
