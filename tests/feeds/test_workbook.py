"""Files as offices make them: workbooks and texts, good, odd and hostile."""

import io
import struct
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter

from app.feeds import workbook
from app.feeds.table import Cell, Day, Row
from app.feeds.workbook import (
    Book,
    FileEmpty,
    FileEncoding,
    FileIsPage,
    FileTooBig,
    FileUnreadable,
    SheetBook,
    SheetUnknown,
    open_book,
)


def rows_of(book: Book) -> list[Row]:
    with book.rows() as rows:
        return list(rows)


def cells_of(raw: bytes) -> list[list[Cell]]:
    return [list(row.cells) for row in rows_of(open_book(raw))]


def sheets(**named: list[list[object]]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        moment = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        for name, rows in named.items():
            sheet = book.add_worksheet(name)
            for line, cells in enumerate(rows):
                for place, cell in enumerate(cells):
                    if isinstance(cell, datetime):
                        form = moment if cell.hour else day
                        sheet.write_datetime(line, place, cell, form)
                    else:
                        sheet.write(line, place, cell)
    return target.getvalue()


def test_a_workbook_keeps_text_numbers_and_dates_apart() -> None:
    raw = sheets(
        A=[["Mã", 12, 1.5, True, datetime(2026, 8, 3), datetime(2026, 8, 3, 9, 10)]]  # noqa: DTZ001 -- cells
    )

    (cells,) = cells_of(raw)

    assert cells == [
        *("Mã", 12, 1.5, True),
        *(datetime(2026, 8, 3), datetime(2026, 8, 3, 9, 10)),  # noqa: DTZ001 -- cells
    ]
    assert isinstance(cells[4], Day)
    assert not isinstance(cells[5], Day)


def test_rows_have_the_numbers_that_the_sheet_shows() -> None:
    raw = sheets(A=[[], [], ["", "x"], [], ["", "y"]])

    book = open_book(raw)
    found = [(row.number, list(row.cells)) for row in rows_of(book) if any(row.cells)]

    assert (book.offset, book.total) == (1, 5)
    assert [number for number, _ in found] == [3, 5]


def test_the_first_sheet_with_content_is_read_and_the_others_are_named() -> None:
    raw = sheets(Trống=[], Một=[["a"]], Hai=[["b"]])

    first, named = open_book(raw), open_book(raw, sheet="Hai")

    assert (first.name, set(first.others)) == ("Một", {"Trống", "Hai"})
    assert cells_of(raw) == [["a"]]
    assert [list(row.cells) for row in rows_of(named)] == [["b"]]
    with pytest.raises(SheetUnknown):
        open_book(raw, sheet="Ba")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_text_is_read_with_and_without_its_mark(encoding: str, sign: str) -> None:
    raw = f"Mã hồ sơ{sign}Đơn vị\r\nHS-1{sign}UBND xã Ấm\r\n".encode(encoding)

    assert cells_of(raw) == [["Mã hồ sơ", "Đơn vị"], ["HS-1", "UBND xã Ấm"]]


def test_the_line_that_names_the_separator_is_no_row() -> None:
    assert cells_of(b"sep=|\r\na|b\r\n1|2\r\n") == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize("encoding", ["windows-1258", "windows-1252", "latin-1"])
def test_an_old_encoding_is_refused_and_not_guessed(encoding: str) -> None:
    raw = "Mã hồ sơ,Đơn vị".encode(encoding, errors="replace") + b"\xe3\xd0,x"

    with pytest.raises(FileEncoding):
        open_book(raw)


def test_a_cell_may_hold_lines_and_quotes() -> None:
    raw = 'a,b\n"một\nhai","nói ""vâng"""\n3,4\n'.encode()

    assert cells_of(raw) == [["a", "b"], ["một\nhai", 'nói "vâng"'], ["3", "4"]]


def test_a_quote_that_is_never_closed_costs_one_row() -> None:
    lines = ["a,b", "1,2", '3,"4', *(f"{n},x" for n in range(100))]

    found = rows_of(open_book("\n".join(lines).encode()))

    assert [row.fault.code for row in found if row.fault] == ["import.row_unreadable"]
    assert len(found) == len(lines)
    assert list(found[-1].cells) == ["99", "x"]


def test_a_cell_longer_than_any_sheet_has_costs_one_row() -> None:
    found = rows_of(open_book(f"a,b\n{'x' * 40_000},1\nc,d\n".encode()))

    assert [row.fault is None for row in found] == [True, False, True]


@pytest.mark.parametrize("raw", [b"", b"  \n "])
def test_a_file_without_content_is_refused(raw: bytes) -> None:
    with pytest.raises(FileEmpty):
        open_book(raw)


def test_a_workbook_without_content_is_refused() -> None:
    with pytest.raises(FileEmpty):
        open_book(sheets(A=[]))


@pytest.mark.parametrize("raw", [b"<html><table>", b"\xef\xbb\xbf <!DOCTYPE html>", b"<?xml ?>"])
def test_a_page_with_the_name_of_a_workbook_is_told_as_such(raw: bytes) -> None:
    with pytest.raises(FileIsPage):
        open_book(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"PK\x03\x04" + b"x" * 100,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 600,
        sheets(A=[["a"]])[:-200],
        b"a,b\0,c\n",
    ],
)
def test_a_broken_file_is_refused_kindly(raw: bytes) -> None:
    with pytest.raises(FileUnreadable):
        open_book(raw)


def archive(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return target.getvalue()


def test_a_bomb_is_refused_before_it_is_opened() -> None:
    bomb = archive({"xl/worksheets/sheet1.xml": b"0" * 120_000_000})

    assert len(bomb) < 200_000
    with pytest.raises(FileTooBig):
        open_book(bomb)


def test_a_member_that_grows_too_much_is_refused() -> None:
    with pytest.raises(FileTooBig):
        open_book(archive({"xl/workbook.xml": b"0" * 5_000_000}))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(FileTooBig):
        open_book(archive({f"m{n}": b"x" for n in range(201)}))


def test_an_archive_that_lies_about_its_size_is_measured() -> None:
    honest = archive({"xl/workbook.xml": b"0" * 5_000_000})
    lying = honest.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 500))

    with pytest.raises(FileTooBig):
        open_book(lying)


def test_a_sheet_that_claims_to_be_endless_harms_only_its_reader() -> None:
    small = sheets(A=[["a", "b"], ["c", "d"]])
    with zipfile.ZipFile(io.BytesIO(small)) as known:
        members = {name: known.read(name) for name in known.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    members["xl/worksheets/sheet1.xml"] = sheet.replace(b'r="B2"', b'r="XFD1048576"').replace(
        b'row r="2"', b'row r="1048576"'
    )

    with pytest.raises(FileUnreadable):
        open_book(archive(members))


def test_reading_may_stop_at_any_row(tmp_path: Path) -> None:
    book = open_book(sheets(A=[[n] for n in range(5_000)]))

    with book.rows() as rows:
        first = next(rows)

    assert list(first.cells) == [0]


def test_two_may_read_one_workbook_at_once() -> None:
    book = open_book(sheets(A=[[n] for n in range(2_000)]))

    with book.rows() as some, book.rows() as others:
        pairs = list(zip(some, others, strict=True))

    assert len(pairs) == 2_000
    assert all(one == other for one, other in pairs)


def test_what_the_reader_did_not_finish_is_no_workbook() -> None:
    book = open_book(sheets(A=[[n] for n in range(2_000)]))
    assert isinstance(book, SheetBook)
    cut_off = replace(book, packed=book.packed[: len(book.packed) // 2])

    with pytest.raises(FileUnreadable), cut_off.rows() as rows:
        list(rows)


def test_the_bounds_are_those_of_the_contract() -> None:
    assert (workbook.MAX_UNPACKED, workbook.MAX_RATIO, workbook.MAX_MEMBERS) == (10**8, 100, 200)
