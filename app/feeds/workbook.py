"""Files of offices into rows of cells: CSV as text, Excel through a reader in a child process.

A spreadsheet is somebody else's program input: its real size is measured before it is opened, and
it is opened in a process of its own with a limit on memory, so that a bomb harms nobody. A row
that cannot be read is returned as a fault in its place; the rows beside it stand.
"""

import codecs
import csv
import gzip
import io
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final, TypeAlias

import orjson

from app.domain.errors import Invalid
from app.domain.faults import Fault
from app.feeds.table import MOST_COLUMNS, Cell, Day, Row

MAX_UNPACKED: Final = 100_000_000
MAX_RATIO: Final = 100
RATIO_FREE: Final = 1_000_000
MAX_MEMBERS: Final = 200
MAX_ROWS: Final = 1_048_576
MAX_CELL: Final = 32_767
MAX_LINES_IN_ROW: Final = 30
READER: Final = "app.feeds.sheet_reader"

_ROOT = Path(__file__).resolve().parents[2]
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(rb"\s*(?:<!doctype html|<html|<table|<meta|<\?xml)", re.IGNORECASE)
_LOCAL_HEADER = struct.Struct("<4s22xHH")

Book: TypeAlias = "CsvBook | SheetBook"


@dataclass(eq=False, kw_only=True)
class FileEmpty(Invalid):
    """The file has no content."""

    code: ClassVar[str] = "import.file_empty"


@dataclass(eq=False, kw_only=True)
class FileEncoding(Invalid):
    """The text file is not UTF-8, so its Vietnamese letters cannot be known."""

    code: ClassVar[str] = "import.file_encoding"


@dataclass(eq=False, kw_only=True)
class FileIsPage(Invalid):
    """The file is a web page under the name of a workbook, as some software exports it."""

    code: ClassVar[str] = "import.file_is_page"


@dataclass(eq=False, kw_only=True)
class FileUnreadable(Invalid):
    """The file is no workbook, is damaged, or is protected by a password."""

    code: ClassVar[str] = "import.file_unreadable"


@dataclass(eq=False, kw_only=True)
class FileTooBig(Invalid):
    """The workbook is larger, unpacked, than any real one; it was not opened."""

    code: ClassVar[str] = "import.file_too_big"
    limit: int = MAX_UNPACKED


@dataclass(eq=False, kw_only=True)
class SheetUnknown(Invalid):
    """The workbook has no sheet of this name."""

    code: ClassVar[str] = "import.sheet_unknown"


@dataclass(frozen=True, slots=True)
class CsvBook:
    """A text file with one table; ``total`` is how many lines it has."""

    raw: bytes
    encoding: str
    delimiter: str
    total: int
    offset: int = 0
    name: str | None = None
    others: tuple[str, ...] = ()

    @contextmanager
    def rows(self) -> Iterator[Iterator[Row]]:
        """Give all rows in order."""
        yield _csv_rows(self.raw, self.encoding, self.delimiter)


@dataclass(frozen=True, slots=True)
class SheetBook:
    """One sheet of a workbook; ``total`` is how many rows it has, ``offset`` its first column.

    ``packed`` is what the reader wrote of it: a workbook is parsed once, however often its rows
    are read.
    """

    packed: bytes
    name: str
    total: int
    offset: int
    others: tuple[str, ...]

    @contextmanager
    def rows(self) -> Iterator[Iterator[Row]]:
        """Give all rows in order."""
        lines = _lines(self.packed)
        next(lines)
        yield _sheet_rows(lines)


def open_book(raw: bytes, *, sheet: str | None = None) -> Book:
    """Look at a file and return it as a table to be read.

    Of a workbook it is the named sheet, else the first visible one with content.

    :raises FileEmpty: there is nothing in it.
    :raises FileEncoding: it is a text that is not UTF-8 (or UTF-16 with its mark).
    :raises FileIsPage: it is a web page.
    :raises FileTooBig: it would unpack to more than any real workbook.
    :raises FileUnreadable: it cannot be read at all.
    :raises SheetUnknown: it has no such sheet.
    """
    if not raw.strip():
        raise FileEmpty
    if raw.startswith(_ZIP):
        check_archive(raw)
        return _sheet_book(raw, sheet)
    if raw.startswith(_OLD_EXCEL):
        return _sheet_book(raw, sheet)
    if _HTML.match(raw[:1000].removeprefix(codecs.BOM_UTF8)):
        raise FileIsPage
    return _csv_book(raw)


# ------------------------------------------------------------------ the guard


def check_archive(raw: bytes) -> None:
    """Pass if an archive unpacks to a size that a workbook may have.

    What the archive declares is not believed: each member is unpacked and counted, and left as
    soon as the sum is too great.

    :raises FileTooBig: too many members, too large, or growing beyond every likelihood.
    :raises FileUnreadable: it is no archive, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise FileUnreadable from None
    declared = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or declared > MAX_UNPACKED:
        raise FileTooBig
    total = 0
    for member in members:
        total += _unpacked(raw, member, MAX_UNPACKED - total)


def _unpacked(raw: bytes, member: zipfile.ZipInfo, room: int) -> int:
    """Return the true size of a member."""
    begin = member.header_offset
    if len(raw) < begin + _LOCAL_HEADER.size:
        raise FileUnreadable
    sign, name, extra = _LOCAL_HEADER.unpack_from(raw, begin)
    if sign != _ZIP:
        raise FileUnreadable
    begin += _LOCAL_HEADER.size + name + extra
    packed = memoryview(raw)[begin : begin + member.compress_size]
    match member.compress_type:
        case zipfile.ZIP_STORED:
            size = len(packed)
        case zipfile.ZIP_DEFLATED:
            size = _inflated(packed, room)
        case _:
            raise FileUnreadable
    if size > room or (size > RATIO_FREE and size > MAX_RATIO * max(len(packed), 1)):
        raise FileTooBig
    return size


def _inflated(packed: memoryview, room: int) -> int:
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    size, tail = 0, bytes(packed)
    try:
        while tail and not unpack.eof:
            size += len(unpack.decompress(tail, 1 << 20))
            tail = unpack.unconsumed_tail
            if size > room:
                raise FileTooBig
    except zlib.error:
        raise FileUnreadable from None
    return size


# ------------------------------------------------------------------ text


def _csv_book(raw: bytes) -> CsvBook:
    encoding = _encoding(raw)
    size = 2 if encoding == "utf-16" else 1
    head = io.TextIOWrapper(io.BytesIO(raw), encoding, errors="replace", newline="")
    lines = [line for line, _ in zip(head, range(40), strict=False)]
    return CsvBook(raw, encoding, _delimiter(lines), raw.count(b"\n") // size + 1)


def _encoding(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for begin in range(0, len(raw), 1 << 20):
            decoder.decode(raw[begin : begin + (1 << 20)])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise FileEncoding from None
    if b"\0" in raw[:4096]:
        raise FileUnreadable
    return "utf-8-sig"


def _delimiter(lines: Sequence[str]) -> str:
    """Return what parts the cells: named by ``sep=``, else what the first lines hold most of."""
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].rstrip()) == 5:
        return lines[0][4]
    outside = [re.sub(r'"[^"]*"', "", line) for line in lines]
    best = max(";\t,|", key=lambda sign: max((line.count(sign) for line in outside), default=0))
    return best if any(best in line for line in outside) else ","


def _csv_rows(raw: bytes, encoding: str, delimiter: str) -> Iterator[Row]:
    """Read line by line, so that a quote never closed costs one row and not all that follow."""
    text = io.TextIOWrapper(io.BytesIO(raw), encoding, errors="strict", newline="")
    waiting: list[str] = []
    source = iter(text)
    number = 0
    while True:
        try:
            line = waiting.pop() if waiting else next(source)
        except StopIteration:
            return
        except UnicodeDecodeError:
            yield Row(number + 1, (), Fault("", "import.row_unreadable"))
            return
        number += 1
        if number == 1 and line.lower().startswith("sep="):
            continue
        cells = _csv_cells(line, source, waiting, delimiter)
        if cells is None:
            yield Row(number, (), Fault("", "import.row_unreadable"))
        else:
            yield _checked(number, cells)


def _csv_cells(
    line: str, source: Iterator[str], waiting: list[str], delimiter: str
) -> list[str] | None:
    """Read one row, which may go on over several lines within quotes; None if it never ends."""
    lines = [line]
    while True:
        try:
            return next(csv.reader(["".join(lines)], delimiter=delimiter, strict=True), [])
        except csv.Error:
            more = waiting.pop() if waiting else next(source, None)
        if more is not None:
            lines.append(more)
        if more is None or len(lines) > MAX_LINES_IN_ROW:
            waiting.extend(reversed(lines[1:]))
            return None


def _checked(number: int, cells: Sequence[Cell]) -> Row:
    if any(isinstance(cell, str) and len(cell) > MAX_CELL for cell in cells):
        return Row(number, (), Fault("", "import.row_unreadable"))
    return Row(number, cells[:MOST_COLUMNS])


# ------------------------------------------------------------------ sheets


def _sheet_book(raw: bytes, sheet: str | None) -> SheetBook:
    packed = _read(raw, sheet)
    head = orjson.loads(next(_lines(packed), b"{}"))
    match head.get("error"):
        case None if "sheet" in head:
            pass
        case "sheet":
            raise SheetUnknown
        case "empty":
            raise FileEmpty
        case _:
            raise FileUnreadable
    return SheetBook(packed, head["sheet"], head["rows"], head["offset"], tuple(head["others"]))


def _read(raw: bytes, sheet: str | None) -> bytes:
    """Run the reader of workbooks on a file and return what it wrote, packed.

    :raises FileTooBig: that is more than any real workbook gives.
    """
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.seek(0)
        command = [sys.executable, "-m", READER, *([] if sheet is None else [sheet.encode().hex()])]
        with subprocess.Popen(  # noqa: S603 -- our own reader, without a shell
            command,
            cwd=_ROOT,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        ) as child:
            try:
                packed = child.stdout.read(MAX_UNPACKED + 1) if child.stdout else b""
            finally:
                child.kill()
    if len(packed) > MAX_UNPACKED:
        raise FileTooBig
    return packed


def _lines(packed: bytes) -> Iterator[bytes]:
    """Unpack what the reader wrote, line by line; it may have been cut off."""
    with gzip.open(io.BytesIO(packed)) as lines, suppress(EOFError):
        yield from lines


def _sheet_rows(lines: Iterator[bytes]) -> Iterator[Row]:
    """Read the rows that the reader writes.

    :raises FileUnreadable: it ended before it said so.
    """
    number = 0
    for line in lines:
        told = orjson.loads(line)
        if told == "end":
            return
        for cells in told:
            number += 1
            yield _checked(number, [_cell(value) for value in cells])
    raise FileUnreadable


def _cell(value: object) -> Cell:
    match value:
        case [str(moment)] if len(moment) == 10:
            found = datetime.fromisoformat(moment)
            return Day(found.year, found.month, found.day)
        case [str(moment)]:
            return datetime.fromisoformat(moment)
        case str() | int() | float() | bool():
            return value
        case _:
            return None
