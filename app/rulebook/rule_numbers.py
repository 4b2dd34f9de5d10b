"""The numbers of a rule set, each under its path, so that a person can confirm them one by one.

A path names lines by their id: ``root/on_time_sum/linear/floor``. A condition that holds numbers
is confirmed as it is written.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.rounding import from_decimal
from app.rulebook.rule_sets import read_yaml

PARTS: Final = (
    *("inputs", "numbers", "root", "rescale", "bonus", "penalty"),
    *("classify", "derived", "variants", "rank"),
)
"""The parts of a rule set whose numbers move points, labels or places."""
_WORDS: Final = frozenset(
    ("id", "title", "note", "evidence", "responsible", "sum", "form", "source", "label", "is")
)
"""Keys whose values are words, even where they look like numbers."""
_EXPRESSIONS: Final = frozenset(
    ("of", "num", "den", "when", "require", "count", "from", "transform", "by")
)
_CONSTANT: Final = re.compile(r"(?<![\w.\"])[0-9]")


@dataclass(frozen=True, slots=True)
class RuleNumber:
    """One number of a rule set: where it stands, and what stands there."""

    path: str
    value: str


def numbers_of(text: str) -> tuple[RuleNumber, ...]:
    """Return the numbers of a rule set that passed lint, in the order of the text."""
    whole = read_yaml(text)
    if not isinstance(whole, dict):
        return ()
    return tuple(
        number for part in PARTS if part in whole for number in _numbers(whole[part], part, part)
    )


def _numbers(value: object, path: str, key: str) -> Iterator[RuleNumber]:
    match value:
        case dict():
            yield from _of_mapping(value, path)
        case list():
            for place, item in enumerate(value):
                yield from _numbers(item, f"{path}/{_name(item, place)}", key)
        case str() if _is_number(value) or (key in _EXPRESSIONS and _CONSTANT.search(value)):
            yield RuleNumber(path, value)
        case _:
            pass


def _of_mapping(value: Mapping[str, object], path: str) -> Iterator[RuleNumber]:
    for name, item in value.items():
        if name == "children" and isinstance(item, list):
            for place, child in enumerate(item):
                yield from _numbers(child, f"{path}/{_name(child, place)}", name)
        elif name not in _WORDS:
            yield from _numbers(item, f"{path}/{name}", name)


def _name(item: object, place: int) -> str:
    if isinstance(item, dict) and isinstance(item.get("id"), str):
        return str(item["id"])
    return str(place)


def _is_number(value: str) -> bool:
    try:
        from_decimal(value)
    except ValueError:
        return False
    return True
