"""Rows of tables: headers found and guessed, cells read, nothing invented."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.faults import Fault
from app.feeds import native, table
from app.feeds.masking import LOST
from app.feeds.reading import Flaw, RecordIn
from app.feeds.table import FIELDS, Cell, Day, Layout, Row, RowReader, find_header, guess, moment
from app.feeds.words import fold

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
HEADER = ("Mã hồ sơ", "Đơn vị xử lý", "Mã TTHC", "Ngày tiếp nhận", "Ngày hẹn trả", "Trạng thái")
GOOD: tuple[Cell, ...] = (
    *("HS-1", "H44.100", "1.001193", "03/08/2026 09:10", "05/08/2026", "Đang xử lý"),
)


def layout(*header: Cell, **wanted: str) -> Layout:
    return guess(1, header, wanted={fold(name): field for name, field in wanted.items()})


def reader(*header: str) -> RowReader:
    return RowReader(layout(*(header or HEADER)))


def read(cells: Sequence[Cell], *header: str) -> RecordIn | tuple[Fault, ...]:
    return reader(*header).read(Row(2, cells), now=NOW, hash_applicant=str)


# ------------------------------------------------------------------ headers


def test_headers_are_known_in_every_spelling() -> None:
    found = layout("MÃ HỒ SƠ", "Cơ quan giải quyết", "ma tthc", "Ngày nhận (dd/mm)", "Hạn xử lý")

    assert list(found.fields) == ["code", "unit", "procedure", "received_at", "due_at"]


def test_the_names_of_the_native_form_are_headers_too() -> None:
    names = sorted(native.RECORD_FIELDS - {"pauses", "extension"})

    assert sorted(layout(*names).fields) == names


def test_no_header_surely_names_two_fields() -> None:
    seen: dict[str, str] = {}
    for name, field in FIELDS.items():
        for header in field.headers.split(";"):
            assert seen.setdefault(fold(header), name) == name


def test_two_columns_that_could_be_one_field_are_left_to_a_person() -> None:
    found = layout("Mã hồ sơ", "Số hồ sơ", "Đơn vị", "Mã TTHC")

    assert {name: [one.letter for one in which] for name, which in found.ambiguous.items()} == {
        "code": ["A", "B"]
    }
    assert found.missing(has_unit=False) == ["code"]


def test_a_sure_header_goes_before_a_possible_one() -> None:
    found = layout("Mã hồ sơ", "Tên đơn vị", "Mã đơn vị", "Mã TTHC", "Tên TTHC")

    assert [one.header for _, one in found.fields.values()] == ["Mã hồ sơ", "Mã đơn vị", "Mã TTHC"]
    assert found.ambiguous == {}


def test_the_operator_goes_before_every_guess() -> None:
    found = layout("Số HS", "Mã hồ sơ", "Đơn vị", "TTHC", **{"Số HS": "code", "d": ""})

    assert {name: one.letter for name, (_, one) in found.fields.items()} == {
        "code": "A",
        "unit": "C",
    }


def test_a_column_that_nobody_knows_is_never_read() -> None:
    found = reader("Mã hồ sơ", "Đơn vị", "Mã TTHC", "Chủ hồ sơ", "Số điện thoại")

    raw, _ = found.raw(Row(2, ("HS-1", "H44", "1.001193", "Nguyễn Văn A", "0912345678")))

    assert "A" not in str(raw.values())
    assert set(raw) == {"code", "unit", "procedure"}


def test_the_header_is_found_below_titles_and_not_guessed_without_one() -> None:
    titled = [(1, ("SỞ TƯ PHÁP",)), (2, ("", "DANH SÁCH")), (3, ()), (4, HEADER), (5, GOOD)]

    assert find_header(titled, {}) == (4, HEADER)
    assert find_header([(1, GOOD), (2, GOOD)], {}) is None


@pytest.mark.parametrize(("place", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ")])
def test_columns_have_the_letters_of_a_sheet(place: int, letters: str) -> None:
    assert table.letter_of(place) == letters


# ------------------------------------------------------------------ cells

AT = "2026-08-03T09:10:00"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("03/08/2026 09:10", AT),
        ("3/8/2026 9:10:00", AT),
        ("03-08-2026 09:10", AT),
        ("03.08.2026, 09:10", AT),
        ("09:10 03/08/2026", AT),
        ("9h10 ngày 03/08/2026", AT),
        ("2026-08-03 09:10:00", AT),
        ("2026-08-03T09:10:00", AT),
        ("20260803091000", AT),
        ("03/08/2026 9:10 SA", AT),
        ("03/08/2026 9:10 CH", "2026-08-03T21:10:00"),
        ("03/08/2026 12:10 AM", "2026-08-03T00:10:00"),
        (46_237.381_944_444_4, AT),
        ("46237,3819444444", AT),
        (datetime.fromisoformat(AT), AT),
        ("2026-08-03T09:10:00+07:00", AT + "+07:00"),
    ],
)
def test_a_moment_is_read_as_offices_write_it(cell: Cell, expected: str) -> None:
    assert moment(cell).isoformat() == expected


@pytest.mark.parametrize("cell", ["03/08/2026", "3/8/2026", "2026-08-03", "20260803", 46_237])
def test_a_day_without_an_hour_is_a_day(cell: Cell) -> None:
    found = moment(cell)

    assert isinstance(found, Day)
    assert found.date() == date(2026, 8, 3)


@pytest.mark.parametrize(
    "cell",
    [
        *("31/02/2026", "08/13/2026", "3/8/26", "mai", "2026", "25:00 03/08/2026", "13:00 CH"),
        *(True, 12, 99_999.0, "1234567890123"),
        *("01/01/1899", "01/01/2101", "03/08/2026 13:10 CH", "2026-13-01T00:00:00Z"),
    ],
)
def test_what_is_no_date_is_not_guessed(cell: Cell) -> None:
    with pytest.raises(Flaw):
        moment(cell)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31)))  # noqa: DTZ001 -- local, as written
def test_every_moment_survives_text_and_number(found: datetime) -> None:
    found = found.replace(microsecond=0)
    serial = (found - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001 -- as above

    assert moment(f"{found:%d/%m/%Y %H:%M:%S}") == found
    assert moment(serial) == found


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(2, 2), (2.0, 2), ("2", 2), ("1.234", 1234), ("1 234", 1234), ("12", 12)],
)
def test_a_count_is_read_with_vietnamese_separators(cell: Cell, expected: int) -> None:
    raw, faults = reader("Mã hồ sơ", "Số lần đi lại").raw(Row(2, ("HS-1", cell)))

    assert (raw["contacts"], faults) == (expected, [])


@pytest.mark.parametrize("cell", ["1,5", 1.5, "hai", True, "1.23", "-1"])
def test_what_is_no_count_is_not_guessed(cell: Cell) -> None:
    _, faults = reader("Mã hồ sơ", "Số lần đi lại").raw(Row(2, ("HS-1", cell)))

    assert [(fault.pointer, fault.code) for fault in faults] == [("/contacts", "import.not_number")]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (1.00356, "1.003560"),
        ("1.00356", "1.003560"),
        ("1,003560", "1.003560"),
        ("1.003560.000.00.00.H56", "1.003560"),
        ("2.000635", "2.000635"),
        ("Đăng ký khai sinh", "Đăng ký khai sinh"),
    ],
)
def test_the_code_of_a_procedure_survives_a_sheet(cell: Cell, expected: str) -> None:
    raw, _ = reader("Mã hồ sơ", "Mã TTHC").raw(Row(2, ("HS-1", cell)))

    assert raw["procedure"] == expected


def test_the_code_of_a_dossier_that_was_a_number_has_no_fraction() -> None:
    raw, _ = reader("Mã hồ sơ", "Mã TTHC").raw(Row(2, (2608030012.0, "x")))

    assert raw["code"] == "2608030012"


# ------------------------------------------------------------------ rows


def test_a_row_is_the_record_that_the_api_takes() -> None:
    found = read(GOOD)

    assert found == native.read_record(
        {
            "code": "HS-1",
            "unit": "H44.100",
            "procedure": "1.001193",
            "received_at": "2026-08-03T09:10:00+07:00",
            "due_at": "2026-08-05T23:59:59+07:00",
            "status": "processing",
        },
        code=None,
        now=NOW,
        hash_applicant=str,
    )


def test_an_empty_cell_says_nothing() -> None:
    found = read(("HS-1", "H44.100", "1.001193", "", None, "  "))

    assert isinstance(found, RecordIn)
    assert set(found.told) == {"unit", "procedure"}


def test_a_day_without_an_hour_contradicts_nothing_of_the_same_day() -> None:
    header = (*HEADER[:4], "Ngày kết thúc xử lý", "Ngày trả")
    found = read((*GOOD[:3], "03/08/2026 09:10", "03/08/2026", "04/08/2026"), *header)

    assert isinstance(found, RecordIn)
    assert found.told["finished_at"] == found.told["received_at"]
    assert found.told["returned_at"] == datetime(2026, 8, 3, 17, tzinfo=UTC)


def test_a_supplement_becomes_a_pause() -> None:
    header = (*HEADER[:3], "Ngày yêu cầu bổ sung", "Ngày nhận bổ sung")
    found = read((*GOOD[:3], "04/08/2026", "06/08/2026"), *header)

    assert isinstance(found, RecordIn)
    (pause,) = found.told["pauses"] or ()
    assert (pause.kind, pause.started_at) == ("supplement", datetime(2026, 8, 3, 17, tzinfo=UTC))


@pytest.mark.parametrize(
    "cells",
    [
        *(("", None, " "), ("(1)", "(2)", "(3)"), ("1", "2", "3=1+2")),
        *(("Tổng cộng", "12", None), ("", "TỔNG SỐ:", "3"), HEADER),
    ],
)
def test_rows_that_are_no_dossiers_are_set_aside(cells: tuple[Cell, ...]) -> None:
    assert reader().is_aside(Row(9, cells))


@pytest.mark.parametrize(
    "cells",
    [GOOD, ("Tổng số", "H44", "1.001193"), ("HS-1",), ("", "", "", "31/02/2026"), (None, "H44")],
)
def test_a_row_that_says_something_is_never_set_aside(cells: tuple[Cell, ...]) -> None:
    assert not reader().is_aside(Row(9, cells))


BROKEN: dict[str, tuple[dict[int, Cell], set[tuple[str, str]]]] = {
    "no code": ({0: ""}, {("/code", "record.required")}),
    "no unit": ({1: None}, {("/unit", "record.required")}),
    "no procedure": ({2: ""}, {("/procedure", "record.required")}),
    "code too long": ({0: "x" * 101}, {("/code", "record.too_long")}),
    "code with a control": ({0: "HS\x00 1"}, {("/code", "record.control_character")}),
    "code of rounded digits": ({0: 1.2345678901234567e17}, {("/code", "import.digits_lost")}),
    "code that is a date": ({0: Day(2026, 8, 3)}, {("/code", "import.date_in_text")}),
    "code of a broken encoding": ({0: "HS-\ufffd"}, {("/code", "record.broken_text")}),
    "no such day": ({3: "31/02/2026"}, {("/received_at", "import.not_date")}),
    "month before day": ({3: "08/13/2026"}, {("/received_at", "import.not_date")}),
    "a year of two digits": ({3: "03/08/26"}, {("/received_at", "import.not_date")}),
    "a word for a date": ({3: "hôm qua"}, {("/received_at", "import.not_date")}),
    "a truth for a date": ({3: True}, {("/received_at", "import.not_date")}),
    "a number for a date": ({3: 7}, {("/received_at", "import.not_date")}),
    "year 1": ({3: "01/01/0001"}, {("/received_at", "record.year_range")}),
    "year 9999": ({4: "31/12/9999"}, {("/due_at", "record.year_range")}),
    "receipt to come": ({3: "03/08/2027"}, {("/received_at", "record.too_far_ahead")}),
    "unknown status": ({5: "Bay mất"}, {("/status", "import.word_unknown")}),
    "a number for a status": ({5: 4}, {("/status", "import.word_unknown")}),
    "unit too long": ({1: "x" * 300}, {("/unit", "record.too_long")}),
    "a formula for a date": ({3: "=1+1"}, {("/received_at", "import.not_date")}),
    "two faults": (
        {0: "", 3: "mai"},
        {("/code", "record.required"), ("/received_at", "import.not_date")},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_says_everything_that_is_wrong(name: str) -> None:
    changed, expected = BROKEN[name]
    cells = [changed.get(place, cell) for place, cell in enumerate(GOOD)]

    found = read(cells)

    assert isinstance(found, tuple)
    assert {(fault.pointer, fault.code) for fault in found} == expected


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_kept_of_a_broken_row_is_never_accepted_by_itself(name: str) -> None:
    changed, _ = BROKEN[name]
    cells = [changed.get(place, cell) for place, cell in enumerate(GOOD)]
    kept = reader().strip(Row(2, cells))

    again = native.read_record(kept, code=None, now=NOW, hash_applicant=str)

    assert isinstance(again, tuple)


def test_a_broken_pause_is_kept_as_broken() -> None:
    header = (*HEADER[:3], "Ngày yêu cầu bổ sung")
    row = Row(2, (*GOOD[:3], "sau Tết"))
    found = reader(*header)

    faults = found.read(row, now=NOW, hash_applicant=str)
    kept = found.strip(row)

    assert isinstance(faults, tuple)
    assert [fault.pointer for fault in faults] == ["/pauses/0/started_at"]
    assert [fault.pointer for fault in table.at_columns(faults)] == ["/supplement.started_at"]
    assert isinstance(native.read_record(kept, code=None, now=NOW, hash_applicant=str), tuple)


@given(st.text(max_size=40))
def test_no_text_of_a_person_is_kept_of_a_broken_row(text: str) -> None:
    row = Row(2, ("", "H44", "1.001193", f"012345678901 {text}", f"{text}@mail.vn", text))

    kept = reader().strip(row)

    assert "012345678901" not in str(kept)
    assert "@mail.vn" not in str(kept)
    assert kept["received_at"] == LOST


def test_a_number_of_an_applicant_leaves_only_its_hash() -> None:
    found = read((*GOOD[:3], "0123 4567 8901"), *HEADER[:3], "Số CCCD")

    assert isinstance(found, RecordIn)
    assert found.told["applicant_hash"] == "012345678901"  # what the test's hash makes of it


@given(st.lists(st.one_of(st.none(), st.text(), st.floats(), st.booleans(), st.integers())))
def test_no_row_breaks_the_reader(cells: list[Cell]) -> None:
    row = Row(2, cells)
    found = reader()

    result = found.read(row, now=NOW, hash_applicant=str)

    assert isinstance(found.is_aside(row), bool)
    if isinstance(result, tuple):
        assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", fault.code) for fault in result)
        found.strip(row)
