"""The workbook of rows that could not be accepted: each with its reasons, the faulty cells red.

Every cell is written as text, so that nothing that came in can become a formula or a link.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import xlsxwriter

from app.domain.faults import Fault
from app.i18n import Language, phrase

MAX_TEXT: Final = 32_767
WIDTHS: Final = (8, 24, 60)
OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row: its number in the file, its code, what was kept of it by field, and why."""

    row: int
    code: str | None
    values: Mapping[str, str]
    faults: tuple[Fault, ...]
    is_settled: bool


def workbook(
    rows: Sequence[RefusedRow], columns: Sequence[tuple[str, str]], *, language: Language
) -> bytes:
    """Return the rows as a workbook, in the language of the reader.

    ``columns`` are the fields that the file fed, each with its header there.
    """
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, dict(OPTIONS))
    sheet = book.add_worksheet(phrase(language, "import.errors.sheet"))
    head = book.add_format({"bold": True, "bg_color": "#D9E2F3", "text_wrap": True})
    red = book.add_format({"bg_color": "#F8CBAD", "text_wrap": True, "num_format": "@"})
    plain = book.add_format({"text_wrap": True, "num_format": "@"})
    titles = [phrase(language, f"import.errors.{name}") for name in ("row", "code", "reasons")]
    for place, title in enumerate([*titles, *(header for _, header in columns)]):
        sheet.set_column(place, place, WIDTHS[place] if place < len(WIDTHS) else 20)
        sheet.write_string(0, place, title[:MAX_TEXT], head)
    sheet.freeze_panes(1, 2)
    headers = dict(columns)
    for line, one in enumerate(rows, start=1):
        reasons = "\n".join(reason_of(fault, headers, language) for fault in one.faults)
        if one.is_settled:
            reasons = f"{phrase(language, 'import.errors.settled')}\n{reasons}"
        broken = {fault.pointer.removeprefix("/").partition("/")[0] for fault in one.faults}
        for place, text in enumerate((str(one.row), one.code or "", reasons)):
            sheet.write_string(line, place, text[:MAX_TEXT], plain)
        for place, (field, _) in enumerate(columns, start=len(titles)):
            told = one.values.get(field, "")
            form = red if field in broken else plain
            sheet.write_string(line, place, told[:MAX_TEXT], form)
    book.close()
    return target.getvalue()


def reason_of(fault: Fault, headers: Mapping[str, str], language: Language) -> str:
    """Return one reason as a sentence, behind the header of the column that it speaks of."""
    sentence = phrase(language, fault.code, fault.params)
    field = fault.pointer.removeprefix("/").partition("/")[0]
    title = headers.get(field, field)
    return f"{title}: {sentence}" if title else sentence


def shown(value: object, *, lost: str, language: Language) -> str:
    """Return a kept value as text; one that was not kept is told as such."""
    match value:
        case None:
            return ""
        case bool():
            return phrase(language, "import.errors.yes" if value else "import.errors.no")
        case str():
            return phrase(language, "import.errors.not_kept") if value == lost else value
        case list():
            return "; ".join(shown(one, lost=lost, language=language) for one in value)
        case _:
            return str(value)
