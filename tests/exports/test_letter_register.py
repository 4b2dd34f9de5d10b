"""The register of letters as a workbook."""

import io
from datetime import date

import python_calamine

from app.exports.letter_register import COLUMNS, RegisterRow, workbook
from app.i18n import Language

ROW = RegisterRow(
    number="=1+1",
    issued_on=date(2026, 8, 4),
    code="H44.100-260803-0012",
    unit="H44.100",
    procedure="1.001193",
    due_on=date(2026, 8, 6),
    new_due_on=date(2026, 8, 12),
    sequence=2,
    timing="after_due",
    is_second_extension=True,
)


def test_the_register_holds_every_letter_and_nothing_becomes_a_formula() -> None:
    made = workbook(
        [ROW, ROW],
        unit="UBND phường Việt Trì",
        first=date(2026, 8, 1),
        last=date(2026, 8, 31),
        language=Language.VI,
    )

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(made))
    rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert "UBND phường Việt Trì" in str(rows[0][0])
    assert len(rows[2]) == len(COLUMNS)
    assert len(rows) == 5
    assert rows[3][:4] == ["1", "=1+1", "04/08/2026", "H44.100-260803-0012"]
    assert rows[3][-2:] == ["Sau khi đã quá hạn", "Gia hạn quá một lần"]
    assert b"<f>" not in made
