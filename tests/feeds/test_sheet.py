"""Small tables are read by the names of their columns; nothing is guessed."""

from datetime import date, datetime

import pytest

from app.feeds.sheet import PETITIONS, POSTINGS, ColumnsMissing, ColumnTwice, find_columns
from app.feeds.table import Cell, Row

HEADER = ("Mã đơn vị", "MA THU TUC", "Áp dụng từ", "Ngày niêm yết", "Nội dung đầy đủ", "Ghi chú")


def rows(*cells: tuple[Cell, ...]) -> list[Row]:
    return [Row(number, row) for number, row in enumerate(cells, start=1)]


def test_columns_are_found_below_titles_whatever_their_marks_and_case() -> None:
    table = rows(
        ("SỔ CÔNG KHAI THỦ TỤC", None),
        HEADER,
        ("H44.100", "1.001193", "01/02/2026", datetime(2026, 2, 3, 0, 0), "Có", "x"),  # noqa: DTZ001 -- a sheet knows no zone
        (None, "", None, None, None, None),
        ("H44.101", 1.5, "mai", None, "có lẽ", None),
    )

    found = find_columns(table, POSTINGS)
    first, second = found.rows(table)

    assert found.header_row == 2
    assert found.unread == ("Ghi chú",)
    assert first.values == {
        "unit": "H44.100",
        "procedure": "1.001193",
        "applies_from": date(2026, 2, 1),
        "at_office_on": date(2026, 2, 3),
        "is_complete": True,
    }
    assert [(one.pointer, one.code) for one in second.faults] == [
        ("/applies_from", "import.not_date"),
        ("/is_complete", "import.not_flag"),
    ]


def test_a_table_without_its_columns_is_refused_with_their_names() -> None:
    with pytest.raises(ColumnsMissing) as refused:
        find_columns(rows(("Mã đơn vị", "Ngày tiếp nhận"), ("H44", "01/02/2026")), PETITIONS)

    assert refused.value.columns == "Số phản ánh"


def test_two_columns_of_one_thing_are_refused() -> None:
    with pytest.raises(ColumnTwice):
        find_columns(rows((*HEADER, "unit")), POSTINGS)
