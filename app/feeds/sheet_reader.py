"""The reader of workbooks: a program of its own, with little memory and nothing to lose.

``python -m app.feeds.sheet_reader [name of the sheet, hex]`` reads a workbook from standard input
and writes lines of JSON, packed by gzip: what the sheet is, its rows in groups, and "end". It is a
child of ``app.feeds.workbook``, so that a file made to break a reader breaks this process only.
"""

import gzip
import sys
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, BinaryIO, Final, Protocol

import orjson
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

try:
    import resource
except ImportError:  # not every system has limits to set
    resource = None  # type: ignore[assignment]  # stands for "there is none"

MEMORY: Final = 1 << 29
GROUP: Final = 500
PACKING: Final = 1
"""The quickest packing takes a tenth of the room."""


class Lines(Protocol):
    """What lines are written to."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes."""


def main(arguments: list[str], source: BinaryIO, target: BinaryIO) -> int:
    """Read the workbook and write it; what goes wrong is the last line."""
    limit_memory()
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=PACKING, mtime=0) as lines:
        return tell_all(arguments, source, lines)


def tell_all(arguments: list[str], source: BinaryIO, target: Lines) -> int:
    """Write the lines and return the exit code."""
    wanted = bytes.fromhex(arguments[0]).decode() if arguments else None
    try:
        book = CalamineWorkbook.from_filelike(source)
        found = choose(book, wanted)
        if found is None:
            tell(target, {"error": "empty" if wanted is None else "sheet"})
            return 1
        sheet, others = found
        write(sheet, others, target)
    except (CalamineError, MemoryError, ValueError, OSError):
        tell(target, {"error": "unreadable"})
        return 1
    return 0


def limit_memory() -> None:
    """Bound the memory of this process, where the system can."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def choose(book: Any, wanted: str | None) -> tuple[CalamineSheet, list[str]] | None:
    """Return the sheet of a name, else the first visible one with content, and the others."""
    names = [
        each.name
        for each in book.sheets_metadata
        if each.typ is SheetTypeEnum.WorkSheet and each.visible is SheetVisibleEnum.Visible
    ]
    for name in names if wanted is None else [wanted]:
        if name not in book.sheet_names:
            return None
        sheet = book.get_sheet_by_name(name)
        if sheet.start is not None:
            return sheet, [other for other in names if other != name]
    return None


def write(sheet: CalamineSheet, others: list[str], target: Lines) -> None:
    """Write what the sheet is, then its rows."""
    start, end = sheet.start or (0, 0), sheet.end or (0, 0)
    tell(
        target,
        {"sheet": sheet.name, "rows": end[0] + 1, "offset": start[1], "others": others},
    )
    rows = iter(sheet.iter_rows())
    while group := list(islice(rows, GROUP)):
        tell(target, [[plain(cell) for cell in row] for row in group])
    tell(target, "end")


def plain(cell: object) -> object:
    """Return a cell as JSON: a date as a list with its text, a time of day as text."""
    match cell:
        case str() | bool() | int() | float():
            return cell if cell != "" else None
        case datetime():
            return [cell.replace(microsecond=0).isoformat()]
        case date():
            return [cell.isoformat()]
        case time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return None


def tell(target: Lines, value: object) -> None:
    """Write one line."""
    target.write(orjson.dumps(value) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
