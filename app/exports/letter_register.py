"""The register of letters of apology as a workbook; every cell is text, a number or a day."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import xlsxwriter

from app.exports.refused_rows import MAX_TEXT, OPTIONS
from app.i18n import Language, format_day, phrase

COLUMNS: Final = (
    ("order", 6),
    ("number", 18),
    ("issued_on", 12),
    ("code", 26),
    ("unit", 14),
    ("procedure", 14),
    ("due_on", 12),
    ("new_due_on", 12),
    ("sequence", 10),
    ("timing", 20),
    ("note", 24),
)


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One letter of the register."""

    number: str | None
    issued_on: date
    code: str
    unit: str
    procedure: str | None
    due_on: date
    new_due_on: date | None
    sequence: int | None
    timing: str
    is_second_extension: bool


def workbook(
    rows: Sequence[RegisterRow], *, unit: str, first: date, last: date, language: Language
) -> bytes:
    """Return the register of a unit and period, in the language of the reader."""

    def say(code: str, **params: object) -> str:
        return phrase(language, f"letter.register.{code}", params)

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, dict(OPTIONS))
    sheet = book.add_worksheet(say("sheet"))
    bold = book.add_format({"bold": True})
    head = book.add_format({"bold": True, "bg_color": "#D9E2F3", "text_wrap": True, "border": 1})
    cell = book.add_format({"text_wrap": True, "num_format": "@", "border": 1, "valign": "top"})
    period = {"first": format_day(language, first), "last": format_day(language, last)}
    sheet.write_string(0, 0, say("title", unit=unit, **period)[:MAX_TEXT], bold)
    for place, (name, width) in enumerate(COLUMNS):
        sheet.set_column(place, place, width)
        sheet.write_string(2, place, say(f"column.{name}"), head)
    sheet.freeze_panes(3, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)
    for number, row in enumerate(rows, start=1):
        note = say("second_extension") if row.is_second_extension else ""
        texts = (
            str(number),
            row.number or "",
            format_day(language, row.issued_on),
            row.code,
            row.unit,
            row.procedure or "",
            format_day(language, row.due_on),
            "" if row.new_due_on is None else format_day(language, row.new_due_on),
            "" if row.sequence is None else str(row.sequence),
            phrase(language, f"letter.timing.{row.timing}"),
            note,
        )
        for place, text in enumerate(texts):
            sheet.write_string(number + 2, place, text[:MAX_TEXT], cell)
    book.close()
    return target.getvalue()
