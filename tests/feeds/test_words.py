"""Vietnamese words, however they are spelt."""

import unicodedata

import pytest

from app.feeds.words import CHANNELS, STATUSES, fold


@pytest.mark.parametrize(
    "spelling", ["Uỷ ban", "Ủy ban", "UỶ  BAN", "ủy-ban", unicodedata.normalize("NFD", "Ủy ban")]
)
def test_spellings_of_one_word_are_one(spelling: str) -> None:
    assert fold(spelling) == "uy ban"


def test_what_stands_in_brackets_does_not_name_a_column() -> None:
    assert fold("Ngày hẹn trả (dd/MM/yyyy)") == fold("ngày hẹn trả")


@pytest.mark.parametrize("words", [STATUSES, CHANNELS])
def test_every_word_of_the_native_form_means_itself(words: dict[str, object]) -> None:
    kind = type(next(iter(words.values())))

    assert all(words[fold(str(member))] is member for member in kind)  # type: ignore[attr-defined]  # an enum
