"""Small tables that offices keep by hand, read by the names of their columns.

Unlike a file of dossiers nothing is guessed: a column has one of the names that are known for it,
in either language, with or without marks; a column with another name is not read and is told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.domain.faults import Fault
from app.feeds.reading import Flaw, flaw
from app.feeds.table import HEADER_WITHIN, Cell, Row, moment
from app.feeds.words import FLAGS, fold

ReadCell = Callable[[Cell], object]


@dataclass(eq=False, kw_only=True)
class ColumnsMissing(Invalid):
    """The first rows of a table name not all columns that it must have."""

    code: ClassVar[str] = "sheet.columns_missing"
    columns: str


@dataclass(eq=False, kw_only=True)
class ColumnTwice(Invalid):
    """Two columns of a table have names of the same thing."""

    code: ClassVar[str] = "sheet.column_twice"
    column: str


@dataclass(frozen=True, slots=True)
class Heading:
    """One column: what it feeds, the names that it may have, and how its cells are read."""

    field: str
    names: tuple[str, ...]
    read: ReadCell
    required: bool = False


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row by its number in the file: its values by field, and what could not be read."""

    number: int
    values: Mapping[str, object]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table whose columns are found: where each is, and the names of those not read."""

    header_row: int
    places: Mapping[int, Heading]
    unread: tuple[str, ...]

    def rows(self, rows: Iterable[Row]) -> Iterator[SheetRow]:
        """Read the rows below the header; empty ones are passed over."""
        for row in rows:
            if row.number <= self.header_row:
                continue
            if row.fault is not None:
                yield SheetRow(row.number, {}, (row.fault,))
            elif any(_is_told(row, place) for place in self.places):
                yield self._row(row)

    def _row(self, row: Row) -> SheetRow:
        values: dict[str, object] = {}
        faults: list[Fault] = []
        for place, heading in self.places.items():
            if not _is_told(row, place):
                continue
            try:
                values[heading.field] = heading.read(row.cells[place])
            except Flaw as refused:
                faults += [fault.under(f"/{heading.field}") for fault in refused.faults]
        return SheetRow(row.number, values, tuple(faults))


def _is_told(row: Row, place: int) -> bool:
    cell = row.cells[place] if place < len(row.cells) else None
    return cell is not None and cell != "" and not (isinstance(cell, str) and not cell.strip())


def find_columns(rows: Iterable[Row], headings: Sequence[Heading]) -> Sheet:
    """Find the header among the first rows: the first that names every column that must be there.

    :raises ColumnsMissing: none does; the columns that the best one lacks are named.
    :raises ColumnTwice: it names one thing twice.
    """
    by_name = {fold(name): one for one in headings for name in (one.field, *one.names)}
    required = {one.field for one in headings if one.required}
    lacking = required
    for row in rows:
        if row.number > HEADER_WITHIN:
            break
        titles = {place: str(cell) for place, cell in enumerate(row.cells) if isinstance(cell, str)}
        places = {
            place: by_name[fold(title)] for place, title in titles.items() if fold(title) in by_name
        }
        missing = required - {one.field for one in places.values()}
        if not missing:
            _check_once(places.values())
            unread = (title for place, title in titles.items() if place not in places)
            return Sheet(row.number, places, tuple(title for title in unread if title.strip()))
        if len(missing) < len(lacking):
            lacking = missing
    names = {one.field: one.names[0] for one in headings}
    raise ColumnsMissing(columns=", ".join(sorted(names[field] for field in lacking)))


def _check_once(found: Iterable[Heading]) -> None:
    seen: set[str] = set()
    for heading in found:
        if heading.field in seen:
            raise ColumnTwice(column=heading.names[0])
        seen.add(heading.field)


# ---------------------------------------------------------------- cells


def words(cell: Cell) -> str:
    """Read a cell as the text that a person sees."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def day(cell: Cell) -> date:
    """Read a local day, as a date of the sheet or as it is usually written."""
    return moment(cell).date()


def flag(cell: Cell) -> bool:
    """Read yes or no."""
    if isinstance(cell, bool):
        return cell
    found = FLAGS.get(fold(words(cell)))
    if found is None:
        raise flaw("import.not_flag")
    return bool(found)


POSTINGS: Final = (
    Heading("unit", ("Mã đơn vị", "Đơn vị"), words, required=True),
    Heading("procedure", ("Mã thủ tục", "Mã TTHC"), words, required=True),
    Heading("applies_from", ("Áp dụng từ ngày", "Áp dụng từ"), day, required=True),
    Heading("applies_until", ("Áp dụng đến ngày", "Áp dụng đến"), day),
    Heading("due_on", ("Hạn công khai",), day),
    Heading("at_office_on", ("Ngày niêm yết",), day),
    Heading("online_on", ("Ngày công khai điện tử", "Ngày công khai trực tuyến"), day),
    Heading("is_complete", ("Nội dung đầy đủ",), flag),
    Heading("document", ("Văn bản công bố", "Quyết định công bố"), words),
    Heading("address", ("Địa chỉ trang đăng", "Đường dẫn"), words),
)
"""The columns of a register of publications."""

PETITIONS: Final = (
    Heading("unit", ("Mã đơn vị", "Đơn vị"), words, required=True),
    Heading("code", ("Số phản ánh", "Số", "Mã phản ánh"), words, required=True),
    Heading("kind", ("Loại",), words),
    Heading("procedure", ("Mã thủ tục", "Mã TTHC"), words),
    Heading("received_on", ("Ngày tiếp nhận",), day, required=True),
    Heading("refused_on", ("Ngày từ chối",), day),
    Heading("asked_on", ("Ngày yêu cầu bổ sung",), day),
    Heading("completed_on", ("Ngày bổ sung đủ", "Ngày bổ sung"), day),
    Heading("answered_on", ("Ngày trả lời",), day),
    Heading("published_on", ("Ngày công khai",), day),
    Heading("satisfied", ("Hài lòng",), flag),
)
"""The columns of a register of petitions; what they say and who wrote them has no column."""
