"""Days, numbers and languages on pages; templates that escape; nothing from elsewhere."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.i18n import Language
from app.web.rendering import HERE, NOTHING, Writing, static_files, templates

FILES = sorted([*(HERE / "templates").iterdir(), *(HERE / "static").iterdir()])


def test_vietnamese_pages_write_days_and_numbers_the_vietnamese_way() -> None:
    writing = Writing(Language.VI)

    assert writing.number(1234567) == "1.234.567"
    assert writing.percent("97.96") == "97,96\N{NO-BREAK SPACE}%"
    assert writing.day(date(2026, 8, 3)) == "03/08/2026"
    assert writing.instant(datetime(2026, 8, 3, 2, 10, tzinfo=UTC)) == "09:10 ngày 03/08/2026"


def test_english_pages_write_them_the_english_way() -> None:
    writing = Writing(Language.EN)

    assert writing.number(1234567) == "1,234,567"
    assert writing.percent("97.96") == "97.96%"
    assert writing.day(date(2026, 8, 3)) == "2026-08-03"


def test_what_is_not_there_is_a_dash_and_not_a_hundred_percent() -> None:
    writing = Writing(Language.VI)

    assert (writing.percent(None), writing.day(None), writing.instant(None)) == (NOTHING,) * 3


def test_templates_escape_what_they_are_given() -> None:
    shown = templates().from_string("{{ word }}").render(word='<b a="1">')

    assert "<b" not in shown


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_the_pages_asks_for_anything_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")

    assert not re.search(r"https?:|//[a-z]|<script|\son\w+=|\sstyle=|@import|javascript:", text)


def test_a_changed_file_gets_a_new_name() -> None:
    digests = {file.digest for file in static_files().values()}

    assert len(digests) == len(static_files())
