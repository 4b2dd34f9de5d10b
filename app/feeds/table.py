"""Rows of a table into records: columns found by their headers, values as offices write them.

A header is compared folded. Two columns that could both be one field are left to a person; a
column that nobody knows is never read. A row becomes a record in the native form, so that it gets
the same verdict as through any other door. Where a cell says less than a record:

- a cell left empty says nothing (absent), it does not erase;
- a day without an hour is 00:00 of that day, for a due date 23:59:59, and never before what
  happened earlier on the same day (receipt before finish before return);
- times are local times of Viet Nam unless they carry an offset.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeAlias

from app.domain.faults import Fault
from app.domain.pauses import PauseKind
from app.feeds import native
from app.feeds.masking import LOST, is_personal, mask
from app.feeds.national import procedure_code
from app.feeds.reading import FIRST_YEAR, LAST_YEAR, ZONE, Flaw, Hash, RecordIn, bounded, flaw
from app.feeds.words import APPLICANTS, CHANNELS, FLAGS, OUTCOMES, RETURNS, STATUSES, fold

Cell: TypeAlias = str | int | float | bool | datetime | None
"""A cell as a sheet holds it; a date of the sheet is a naive local time."""

Read: TypeAlias = Callable[[Cell], object]

HEADER_WITHIN: Final = 30
"""A header stands in the first rows, below titles at most."""
MOST_COLUMNS: Final = 200
NO_FIELD: Final = ""
"""In place of a field: this column is not to be read."""

SUPPLEMENT_FROM: Final = "supplement.started_at"
SUPPLEMENT_TO: Final = "supplement.ended_at"


# ------------------------------------------------------------------ single cells


class Day(datetime):
    """A local day that came without an hour."""


def _text(cell: Cell) -> str:
    """Return a cell as the text that a person sees; a number without a fraction has none."""
    match cell:
        case bool():
            return "1" if cell else "0"
        case float() if abs(cell) >= 2**53:
            raise flaw("import.digits_lost")
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            raise flaw("import.date_in_text")
        case None:
            return ""
        case _:
            return str(cell).strip()


_NATIONAL_CODE = re.compile(r"(\d)[.,](\d{1,6})", re.ASCII)


def _procedure(cell: Cell) -> object:
    """Return the code of a procedure, mending the one that a sheet took for a number.

    National codes have six digits behind the point: 1.003560 as a number has lost its zero.
    """
    told = _text(cell)
    match = _NATIONAL_CODE.fullmatch(told)
    return procedure_code(told) if match is None else f"{match[1]}.{match[2]:0<6}"


_TIME = r"(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
_HALF = r"(?:\s*(?P<half>AM|PM|SA|CH))?"
_DMY = r"(?P<day>\d{1,2})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<year>\d{4})"
_DATES: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"{_DMY}(?:,?\s+{_TIME}{_HALF})?",
        rf"{_TIME}{_HALF},?\s+(?:ngày\s+)?{_DMY}",
        rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ]{_TIME})?",
        (
            r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
            r"(?:(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d))?"
        ),
    )
)
_OFFSET = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)",
    re.ASCII | re.IGNORECASE,
)
_SERIAL = re.compile(r"\d{5}(?:[.,]\d{1,12})?", re.ASCII)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 -- a sheet knows no zone
_FIRST_SERIAL, _LAST_SERIAL = 36_526, 73_415
"""2000-01-01 and 2101-01-01 as spreadsheets number days."""


def moment(cell: Cell) -> datetime:
    """Read a date as a sheet or a person writes it, as local time; ``Day`` without an hour."""
    match cell:
        case datetime():
            return _bounded(cell)
        case bool() | None:
            raise flaw("import.not_date")
        case int() | float():
            return _of_serial(float(cell))
        case str():
            return _of_text(cell.strip())


def _of_serial(number: float) -> datetime:
    if not _FIRST_SERIAL <= number < _LAST_SERIAL:
        raise flaw("import.not_date")
    if number.is_integer():
        found = _EPOCH + timedelta(days=number)
        return Day(found.year, found.month, found.day)
    return _EPOCH + timedelta(seconds=round(number * 86_400))


def _usual(told: str) -> datetime | None:
    """Read the usual form, dd/MM/yyyy HH:mm[:ss], without a pattern."""
    if told[2:6:3] != "//" or told[10:14:3] != " :" or len(told) not in {16, 19}:
        return None
    try:
        return datetime.fromisoformat(f"{told[6:10]}-{told[3:5]}-{told[:2]}T{told[11:]}")
    except ValueError:
        return None


def _of_text(told: str) -> datetime:
    usual = _usual(told)
    if usual is not None:
        return _bounded(usual)
    if _OFFSET.fullmatch(told):
        try:
            return _bounded(datetime.fromisoformat(told.upper()))
        except ValueError:
            raise flaw("import.not_date") from None
    if _SERIAL.fullmatch(told):
        return _of_serial(float(told.replace(",", ".")))
    for pattern in _DATES:
        match = pattern.fullmatch(told)
        if match is not None:
            return _of_parts(match.groupdict())
    raise flaw("import.not_date")


def _of_parts(parts: Mapping[str, str | None]) -> datetime:
    year, month, day = (int(parts[name] or 0) for name in ("year", "month", "day"))
    try:
        if parts["hour"] is None:
            return _bounded(Day(year, month, day))
        hour = _hour(int(parts["hour"]), (parts.get("half") or "").upper())
        clock = (hour, int(parts["minute"] or 0), int(parts["second"] or 0))
        return _bounded(datetime(year, month, day, *clock))  # noqa: DTZ001 -- local, as written
    except ValueError:
        raise flaw("import.not_date") from None


def _hour(hour: int, half: str) -> int:
    """Return the hour of the day; ``SA`` and ``CH`` are the Vietnamese AM and PM."""
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(half)
    return hour % 12 + (12 if half in {"PM", "CH"} else 0)


def _bounded(found: datetime) -> datetime:
    if FIRST_YEAR <= found.year <= LAST_YEAR:
        return found
    raise flaw("record.year_range", first=str(FIRST_YEAR), last=str(LAST_YEAR))


_GROUPED = re.compile(r"\d{1,3}(?:[.\s]\d{3})+|\d+", re.ASCII)


def _count(cell: Cell) -> object:
    """Read a whole number; "1.234" is one thousand two hundred and thirty-four (T28)."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    told = cell.strip() if isinstance(cell, str) else ""
    if _GROUPED.fullmatch(told) and len(told) < 12:
        return int(re.sub(r"[.\s]", "", told))
    raise flaw("import.not_number")


_SPELLINGS: Final = 200
"""How many spellings of known words are remembered; only known words are."""


def _word(words: Mapping[str, Any]) -> Read:
    seen: dict[Cell, object] = {}

    def read(cell: Cell) -> object:
        known = seen.get(cell) if type(cell) is str else None
        if known is not None:
            return known
        found = words.get(fold(_text(cell)))
        if found is None:
            allowed = dict.fromkeys(member.value for member in words.values())
            raise flaw("import.word_unknown", allowed=", ".join(allowed))
        if len(seen) < _SPELLINGS:
            seen[cell] = found.value
        return found.value

    return read


def _flag(cell: Cell) -> object:
    if isinstance(cell, bool):
        return cell
    found = FLAGS.get(fold(_text(cell)))
    if found is None:
        raise flaw("import.not_flag")
    return found


def _codes(cell: Cell) -> object:
    return [part.strip() for part in re.split(r"[,;\n]", _text(cell)) if part.strip()]


# ------------------------------------------------------------------ headers


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a record: how its cells are read, and the headers that name it.

    ``headers`` name it surely; ``otherwise`` only when no column has one of those.
    """

    read: Read
    headers: str
    otherwise: str = ""


_MOMENTS: Final = (
    *("submitted_at", "received_at", "clock_start_at", "due_at", "finished_at", "ended_at"),
    *("returned_at", "entered_at", "source_updated_at"),
)
_TIMED: Final = (*_MOMENTS, SUPPLEMENT_FROM, SUPPLEMENT_TO)
_POINTERS: Final = {
    SUPPLEMENT_FROM: "/pauses/0/started_at",
    SUPPLEMENT_TO: "/pauses/0/ended_at",
}
FIELDS: Final[Mapping[str, _Field]] = {
    "code": _Field(
        _text, "code;mã hồ sơ;số hồ sơ;mã số hồ sơ;MaHoSo;số hồ sơ một cửa", "số biên nhận"
    ),
    "unit": _Field(
        _text,
        "unit;đơn vị xử lý;đơn vị giải quyết;cơ quan giải quyết;cơ quan xử lý;mã đơn vị;DonViXuLy;"
        "cơ quan thực hiện;đơn vị thực hiện;mã đơn vị xử lý",
        "đơn vị;cơ quan;tên đơn vị",
    ),
    "procedure": _Field(
        _procedure,
        "procedure;mã thủ tục;mã TTHC;mã thủ tục hành chính;MaTTHC",
        "thủ tục;thủ tục hành chính;tên thủ tục;tên thủ tục hành chính;tên TTHC;TTHC",
    ),
    "case": _Field(_text, "case;trường hợp;trường hợp giải quyết"),
    "channel": _Field(
        _word(CHANNELS),
        "channel;kênh tiếp nhận;hình thức nộp;hình thức tiếp nhận;kênh nộp;hình thức nộp hồ sơ;"
        "kênh thực hiện",
    ),
    "applicant_type": _Field(
        _word(APPLICANTS), "applicant_type;loại đối tượng;đối tượng;loại đối tượng nộp"
    ),
    "applicant_key": _Field(
        _text,
        "applicant_key;số CCCD;CCCD;số CMND/CCCD;CMND/CCCD;số định danh;số định danh cá nhân;"
        "số giấy tờ;số giấy tờ chủ hồ sơ;số CMND",
    ),
    "submitted_at": _Field(
        moment, "submitted_at;ngày nộp;ngày nộp hồ sơ;thời điểm nộp;NgayNopHoSo"
    ),
    "received_at": _Field(
        moment,
        "received_at;ngày tiếp nhận;ngày nhận;ngày nhận hồ sơ;ngày tiếp nhận hồ sơ;NgayTiepNhan;"
        "thời điểm tiếp nhận;thời gian tiếp nhận",
    ),
    "clock_start_at": _Field(moment, "clock_start_at;ngày cơ quan có thẩm quyền nhận"),
    "due_at": _Field(
        moment,
        "due_at;ngày hẹn trả;ngày hẹn trả kết quả;hạn trả;hạn trả kết quả;NgayHenTra;hạn xử lý;"
        "hạn giải quyết;ngày hẹn;thời hạn trả kết quả;thời gian hẹn trả",
    ),
    "status": _Field(
        _word(STATUSES), "status;trạng thái;trạng thái hồ sơ;tình trạng;tình trạng hồ sơ"
    ),
    "finished_at": _Field(
        moment,
        "finished_at;ngày kết thúc xử lý;ngày xử lý xong;ngày có kết quả;ngày hoàn thành;"
        "NgayKetThucXuLy;ngày giải quyết xong;ngày kết thúc;ngày giải quyết",
    ),
    "ended_at": _Field(moment, "ended_at;ngày từ chối;ngày rút;ngày rút hồ sơ;ngày dừng xử lý"),
    "returned_at": _Field(
        moment, "returned_at;ngày trả;ngày trả kết quả;NgayTra;ngày trả hồ sơ;ngày công dân nhận"
    ),
    "entered_at": _Field(moment, "entered_at;ngày nhập;ngày nhập phần mềm;ngày nhập liệu"),
    "return_method": _Field(
        _word(RETURNS),
        "return_method;hình thức trả;hình thức trả kết quả;hình thức nhận kết quả;nơi nhận kết quả",
    ),
    "outcome": _Field(_word(OUTCOMES), "outcome;kết quả;kết quả giải quyết"),
    "place_independent": _Field(_flag, "place_independent;phi địa giới;phi địa giới hành chính"),
    "other_codes": _Field(
        _codes, "other_codes;mã hồ sơ khác;mã hồ sơ quốc gia;mã hồ sơ DVCQG;MaHoSoKhac"
    ),
    "parent": _Field(_text, "parent;mã hồ sơ gốc;mã hồ sơ cha;hồ sơ liên thông gốc"),
    "leg": _Field(_text, "leg;chặng"),
    "official": _Field(_text, "official;mã cán bộ;cán bộ xử lý;cán bộ thụ lý;người xử lý"),
    "paid_online": _Field(_flag, "paid_online;thanh toán trực tuyến"),
    "digitised": _Field(_flag, "digitised;số hóa;số hoá;có thành phần số hóa;hồ sơ số hóa"),
    "contacts": _Field(_count, "contacts;số lần đi lại;số lần liên hệ"),
    "bodies_contacted": _Field(_count, "bodies_contacted;số cơ quan phải liên hệ"),
    "founded_complaints": _Field(_count, "founded_complaints;số khiếu nại đúng"),
    "source_updated_at": _Field(
        moment, "source_updated_at;ngày cập nhật;thời điểm cập nhật;ngày cập nhật cuối"
    ),
    SUPPLEMENT_FROM: _Field(
        moment, "ngày yêu cầu bổ sung;ngày bổ sung;ngày gửi yêu cầu bổ sung;bổ sung từ ngày"
    ),
    SUPPLEMENT_TO: _Field(
        moment, "ngày nhận bổ sung;ngày tiếp nhận bổ sung;ngày công dân bổ sung;bổ sung đến ngày"
    ),
}
REQUIRED: Final = ("code", "unit", "procedure")


def _named(pick: Callable[[_Field], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, field in FIELDS.items():
        for header in pick(field).split(";"):
            if header:
                found[fold(header)] = (*found.get(fold(header), ()), name)
    return found


_SURELY: Final = _named(lambda field: field.headers)
_PERHAPS: Final = _named(lambda field: field.otherwise)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table: its letter as sheets show it, its header, and the field it feeds.

    ``could_be`` names the field for which this column is one of several; it is then not read.
    """

    letter: str
    header: str
    field: str | None
    could_be: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is read: the row of its header, and every column with a header."""

    header_row: int
    columns: tuple[Column, ...]
    places: tuple[int, ...]
    sheet: str | None = None

    @property
    def fields(self) -> dict[str, tuple[int, Column]]:
        """Return the place and the column that feeds each field."""
        return {
            column.field: (place, column)
            for place, column in zip(self.places, self.columns, strict=True)
            if column.field
        }

    @property
    def ambiguous(self) -> dict[str, list[Column]]:
        """Return the fields that several columns could be, which a person must decide."""
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            if column.could_be is not None:
                found.setdefault(column.could_be, []).append(column)
        return found

    def missing(self, *, has_unit: bool) -> list[str]:
        """Return the required fields that no column feeds."""
        fed = self.fields.keys() | ({"unit"} if has_unit else set())
        return [name for name in REQUIRED if name not in fed]

    def plain(self) -> dict[str, Any]:
        """Return the mapping for a JSON column."""
        return {
            "sheet": self.sheet,
            "header_row": self.header_row,
            "columns": [
                {"column": one.letter, "header": one.header, "field": one.field}
                for one in self.columns
            ],
        }


def letter_of(place: int) -> str:
    """Return the letters by which sheets call a column, counted from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def find_header(
    rows: Iterable[tuple[int, Sequence[Cell]]], wanted: Mapping[str, str]
) -> tuple[int, Sequence[Cell]] | None:
    """Return the row, among the first, in which most headers are known; at least two must be.

    ``wanted`` are headers that the operator named, folded, with their fields.
    """
    best: tuple[int, Sequence[Cell]] | None = None
    most = 1
    for number, cells in rows:
        if number > HEADER_WITHIN:
            break
        known = sum(
            1
            for cell in cells[:MOST_COLUMNS]
            if isinstance(cell, str)
            and (word := fold(cell))
            and (word in _SURELY or word in _PERHAPS or word in wanted)
        )
        if known > most:
            best, most = (number, cells), known
    return best


def guess(
    header_row: int,
    header: Sequence[Cell],
    *,
    wanted: Mapping[str, str],
    sheet: str | None = None,
    offset: int = 0,
) -> Layout:
    """Return the mapping that the headers say; what is not certain is left to a person.

    ``wanted`` says by folded header or by letter which field a column feeds (``NO_FIELD``: none)
    and goes before every guess.
    """
    found: list[tuple[int, str, str | None]] = []
    claims: dict[str, dict[int, str]] = {}
    named = {name for name in wanted.values() if name}
    for place, cell in enumerate(header[:MOST_COLUMNS]):
        title = " ".join(str(cell).split()) if isinstance(cell, str) else ""
        if not title:
            continue
        word, letter = fold(title), letter_of(place + offset)
        asked = wanted.get(word, wanted.get(letter.lower()))
        found.append((place, title, asked))
        if asked is None:
            for tier, names in (("surely", _SURELY), ("perhaps", _PERHAPS)):
                for name in names.get(word, ()):
                    if name not in named:
                        claims.setdefault(name, {}).setdefault(place, tier)
    chosen, doubtful = _settled(claims)
    columns = tuple(
        Column(
            letter_of(place + offset),
            mask(title)[:100],
            asked if asked is not None else chosen.get(place),
            None if asked is not None else doubtful.get(place),
        )
        for place, title, asked in found
    )
    return Layout(header_row, columns, tuple(place for place, _, _ in found), sheet)


def _settled(claims: Mapping[str, Mapping[int, str]]) -> tuple[dict[int, str], dict[int, str]]:
    """Give each field the one column that is surely it, else the one that may be; two are none."""
    chosen: dict[int, str] = {}
    doubtful: dict[int, str] = {}
    for name, places in claims.items():
        surely = [place for place, tier in places.items() if tier == "surely"]
        rivals = surely or list(places)
        if len(rivals) == 1:
            chosen[rivals[0]] = name
        else:
            doubtful |= dict.fromkeys(rivals, name)
    return chosen, doubtful


# ------------------------------------------------------------------ rows


_FORMULA_NUMBERS = re.compile(r"\(?\d{1,3}\)?(?:\s*=.*)?")
_TOTALS: Final = ("tong cong", "tong so", "tong", "cong")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table by its number in the file, counted from 1.

    ``fault`` stands for a row that could not be read at all.
    """

    number: int
    cells: Sequence[Cell]
    fault: Fault | None = None


class RowReader:
    """Reads the rows of one table."""

    def __init__(self, mapping: Layout, *, unit: str | None = None) -> None:
        self._fields = [
            (name, place, FIELDS[name].read) for name, (place, _) in mapping.fields.items()
        ]
        self._required = [place for name, place, _ in self._fields if name in REQUIRED]
        self._header = {
            place: fold(column.header)
            for place, column in zip(mapping.places, mapping.columns, strict=True)
        }
        self._code = next((place for name, place, _ in self._fields if name == "code"), None)
        self._unit = unit

    def is_aside(self, row: Row) -> bool:
        """Tell whether a row is none of a dossier: empty, a repeated header, numbers, a total.

        A row that names a dossier, its unit and its procedure is never set aside as a total.
        """
        if row.fault is not None:
            return False
        required = [_cell(row, place) for place in self._required]
        is_whole = bool(required) and all(cell is not None and cell != "" for cell in required)
        if is_whole and not self._looks_aside(self._required[0], str(required[0])):
            return False
        filled = [text for cell in row.cells if (text := str(cell or "").strip())]
        if not filled or self._is_header(row):
            return True
        if all(_FORMULA_NUMBERS.fullmatch(text) for text in filled):
            return len(filled) > 1
        return not is_whole and any(fold(text) in _TOTALS for text in filled[:3])

    def _looks_aside(self, place: int, text: str) -> bool:
        """Tell whether one cell could be of a row of numbers or of a repeated header."""
        is_number = _FORMULA_NUMBERS.fullmatch(text.strip()) is not None
        return is_number or fold(text) == self._header[place]

    def _is_header(self, row: Row) -> bool:
        same = [
            fold(str(_cell(row, place) or "")) == title
            for place, title in self._header.items()
            if title
        ]
        return sum(same) > 1 and sum(same) * 2 > len(same)

    def raw(self, row: Row) -> tuple[dict[str, object], list[Fault]]:
        """Return a row as a record in the native form, with what is wrong with its cells."""
        facts: dict[str, Any] = {}
        faults: list[Fault] = []
        broken: set[str] = set()
        for name, place, read in self._fields:
            cell = _cell(row, place)
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                continue
            try:
                facts[name] = read(cell)
            except Flaw as error:
                faults += [fault.under(_POINTERS.get(name, f"/{name}")) for fault in error.faults]
                facts[name] = _kept(cell)
                broken.add(name)
        if self._unit is not None:
            facts.setdefault("unit", self._unit)
        return _native(facts, broken), faults

    def read(
        self, row: Row, *, now: datetime, hash_applicant: Hash
    ) -> RecordIn | tuple[Fault, ...]:
        """Read one row, or list everything that is wrong with it."""
        if row.fault is not None:
            return (row.fault,)
        raw, faults = self.raw(row)
        broken = {field_of(fault) for fault in faults}
        whole = {name: value for name, value in raw.items() if name not in broken}
        found = native.read_record(whole, code=None, now=now, hash_applicant=hash_applicant)
        if isinstance(found, RecordIn):
            return bounded(faults) if faults else found
        return bounded([*faults, *(fault for fault in found if field_of(fault) not in broken)])

    def strip(self, row: Row) -> dict[str, object]:
        """Return what may be kept of a row that was not accepted, in the native form."""
        if row.fault is not None:
            return {}
        raw, faults = self.raw(row)
        kept = native.strip(raw)
        for name in {field_of(fault) for fault in faults} & kept.keys():
            kept[name] = _shown(raw[name]) if name in _MEASURED else LOST
        return kept

    def code_in(self, row: Row) -> str | None:
        """Return the number of the dossier that a row names, if it can be shown again."""
        if row.fault is not None or self._code is None:
            return None
        try:
            return native.code_in({"code": _text(_cell(row, self._code))})
        except Flaw:
            return None


def _cell(row: Row, place: int) -> Cell:
    return row.cells[place] if place < len(row.cells) else None


def _kept(cell: Cell) -> str:
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else str(cell)


_MEASURED: Final = frozenset({*_MOMENTS, "contacts", "bodies_contacted", "founded_complaints"})
_DATE_LIKE = re.compile(r"[0-9/.,:+ -]{1,30}", re.ASCII)


def _shown(value: object) -> object:
    """Return an unreadable value if it is short and looks like a date or a number of nobody."""
    is_plain = isinstance(value, str) and _DATE_LIKE.fullmatch(value) and not is_personal(value)
    return value if is_plain else LOST


def field_of(fault: Fault) -> str:
    """Return the field of a record that a fault speaks of, empty for the record itself."""
    return fault.pointer.removeprefix("/").partition("/")[0]


def at_columns(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return faults with pointers to the fields of columns, for a person with the file."""
    fields = {pointer: name for name, pointer in _POINTERS.items()}
    return tuple(
        Fault(f"/{fields[one.pointer]}", one.code, one.params) if one.pointer in fields else one
        for one in faults
    )


def value_of(raw: Mapping[str, Any], field: str) -> object:
    """Return the value of a column's field in a record of the native form."""
    if field not in _POINTERS:
        return raw.get(field)
    pauses = raw.get("pauses")
    pause = pauses[0] if isinstance(pauses, list) and pauses else None
    return pause.get(_POINTERS[field].rpartition("/")[2]) if isinstance(pause, dict) else None


def _native(facts: dict[str, Any], broken: set[str]) -> dict[str, object]:
    """Return facts as a record in the native form; what could not be read stays as it was."""
    moments: dict[str, datetime] = {
        name: facts[name] for name in _TIMED if name in facts and name not in broken
    }
    _settle_days(moments)
    found = facts | {name: _iso(value) for name, value in moments.items()}
    pause = {
        part: found.pop(name)
        for name, part in ((SUPPLEMENT_FROM, "started_at"), (SUPPLEMENT_TO, "ended_at"))
        if name in found
    }
    if pause:
        found["pauses"] = [{"kind": PauseKind.SUPPLEMENT.value, **pause}]
    return found


_IN_TURN: Final = (
    ("received_at", ("submitted_at",)),
    ("finished_at", ("received_at", "submitted_at")),
    ("ended_at", ("received_at", "submitted_at")),
    ("returned_at", ("finished_at", "received_at")),
    (SUPPLEMENT_FROM, ("received_at",)),
    (SUPPLEMENT_TO, (SUPPLEMENT_FROM,)),
)


def _settle_days(moments: dict[str, datetime]) -> None:
    """Give each day without an hour one that contradicts nothing earlier on the same day."""
    due = moments.get("due_at")
    if isinstance(due, Day):
        moments["due_at"] = datetime.combine(due.date(), time(23, 59, 59))
    for name, earlier in _IN_TURN:
        found = moments.get(name)
        if not isinstance(found, Day):
            continue
        before = [
            moments[other].replace(tzinfo=None)
            for other in earlier
            if other in moments and _local_day(moments[other]) == found.date()
        ]
        if before:
            moments[name] = max(before)


def _local_day(found: datetime) -> date:
    return (found if found.tzinfo is None else found.astimezone(ZONE)).date()


def _iso(found: datetime) -> str:
    """Write a moment with its offset; Viet Nam has had no other since 2000."""
    if found.tzinfo is None:
        return found.isoformat(timespec="seconds") + "+07:00"
    return found.isoformat(timespec="seconds")
