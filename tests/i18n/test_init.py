"""Sentences in two languages: complete, well formed, and written the way of each."""

import string
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.i18n import (
    CatalogueBroken,
    Language,
    PhraseMissing,
    catalogue,
    choose_language,
    format_day,
    format_instant,
    format_number,
    has_phrase,
    phrase,
    read_catalogue,
)


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_say_the_same_codes() -> None:
    assert catalogue(Language.VI).keys() == catalogue(Language.EN).keys()


def test_both_languages_ask_for_the_same_values() -> None:
    allowed = {"title_vi", "title_en"}  # names of days off, each in its language
    differing = [
        code
        for code, vi in catalogue(Language.VI).items()
        if placeholders(vi) - allowed != placeholders(catalogue(Language.EN)[code]) - allowed
    ]

    assert differing == []


def test_a_vietnamese_sentence_is_not_left_in_english() -> None:
    same = [
        code
        for code, vi in catalogue(Language.VI).items()
        if vi == catalogue(Language.EN)[code] and len(vi.split()) > 3
    ]

    assert same == []


def test_a_sentence_gets_its_values_in_the_way_of_the_language() -> None:
    params = {"valid_from": date(2026, 8, 31), "valid_to": date(2026, 8, 1)}

    assert "31/08/2026" in phrase(Language.VI, "catalogue.validity_reversed", params)
    assert "2026-08-31" in phrase(Language.EN, "catalogue.validity_reversed", params)


@pytest.mark.parametrize("code", ["no.such.code", "catalogue.validity_reversed"])
def test_a_missing_sentence_or_value_is_an_error_and_not_a_guess(code: str) -> None:
    with pytest.raises(PhraseMissing):
        phrase(Language.VI, code)


def test_a_code_is_known_or_not() -> None:
    assert has_phrase(Language.VI, "field.missing")
    assert not has_phrase(Language.EN, "no.such.code")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, Language.VI),
        ("", Language.VI),
        ("en", Language.EN),
        ("en-GB,en;q=0.9,vi;q=0.8", Language.EN),
        ("fr,de;q=0.9", Language.VI),
        ("vi;q=0.5, en;q=0.6", Language.EN),
        ("en;q=0", Language.VI),
        ("en;q=7", Language.VI),
        ("EN", Language.EN),
        ("en;q=nonsense", Language.VI),
        ("en;level=1", Language.EN),
        ("*", Language.VI),
    ],
)
def test_the_best_language_of_ours_is_chosen(header: str | None, language: Language) -> None:
    assert choose_language(header) is language


@given(st.text())
def test_no_header_is_too_odd(header: str) -> None:
    assert choose_language(header) in Language


def test_days_instants_and_numbers_are_written_the_way_of_the_language() -> None:
    instant = datetime(2026, 8, 3, 2, 10, tzinfo=UTC)

    assert format_day(Language.VI, date(2026, 12, 31)) == "31/12/2026"
    assert format_day(Language.EN, date(2026, 12, 31)) == "2026-12-31"
    assert format_instant(Language.VI, instant) == "09:10 ngày 03/08/2026"
    assert format_instant(Language.EN, instant) == "2026-08-03 09:10"
    assert format_number(Language.VI, Decimal("1234.50")) == "1.234,50"
    assert format_number(Language.EN, Decimal("1234.50")) == "1,234.50"
    assert format_number(Language.VI, 76936) == "76.936"


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"a.toml": '"x.y" = "1"', "b.toml": '"x.y" = "2"'}, "given twice"),
        ({"a.toml": '"x.y" = "e\u0301"'}, "normal form C"),
        ({"a.toml": '"x.y" = 3'}, "no sentence"),
    ],
)
def test_a_broken_catalogue_stops_with_the_file_and_the_fault(
    tmp_path: Path, files: dict[str, str], fault: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(CatalogueBroken, match=fault):
        read_catalogue(tmp_path)


def test_a_nested_table_adds_its_name_to_the_code(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[x]\ny = "1"', encoding="utf-8")

    assert read_catalogue(tmp_path) == {"x.y": "1"}
