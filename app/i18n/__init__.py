"""Sentences for people, in Vietnamese and English, and the formats of days and numbers.

The catalogues are fragments ``vi/<topic>.toml`` and ``en/<topic>.toml``, merged when first used.
A key is a permanent dotted code; a value is a sentence with named placeholders. JSON values are
never localised: only what a person reads is.
"""

import tomllib
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FOLDER = Path(__file__).parent
NO_PARAMS: Mapping[str, object] = MappingProxyType({})


class Language(StrEnum):
    """The languages of the installation; Vietnamese is the default."""

    VI = "vi"
    EN = "en"


class PhraseMissing(LookupError):
    """The catalogue has no sentence for a code: a bug that the contract tests look for."""


class CatalogueBroken(ValueError):
    """A fragment repeats a code, is not NFC, or holds something that is not a sentence."""


def phrase(language: Language, code: str, params: Mapping[str, object] = NO_PARAMS) -> str:
    """Return the sentence of a code with its placeholders filled in.

    Days, instants and decimals among the values are written the way of the language.

    :raises PhraseMissing: the catalogue has no such code, or the sentence asks for a value that
        was not given.
    """
    try:
        sentence = catalogue(language)[code]
        return sentence.format_map(
            {name: _shown(language, value) for name, value in params.items()}
        )
    except KeyError as error:
        raise PhraseMissing(f"{language}: {code} ({error})") from error


def has_phrase(language: Language, code: str) -> bool:
    """Tell whether the catalogue has a sentence for a code."""
    return code in catalogue(language)


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return every sentence of a language by code, merged from its fragments.

    :raises CatalogueBroken: a code is repeated, a text is not NFC, a value is no sentence.
    """
    return read_catalogue(FOLDER / language.value)


def read_catalogue(folder: Path) -> Mapping[str, str]:
    """Merge the fragments of one folder.

    :raises CatalogueBroken: as for ``catalogue``.
    """
    merged: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        if not unicodedata.is_normalized("NFC", text):
            raise CatalogueBroken(f"{path.name}: not in normal form C")
        for code, sentence in _flatten(tomllib.loads(text), path.name):
            if code in merged:
                raise CatalogueBroken(f"{path.name}: {code} is given twice")
            merged[code] = sentence
    return MappingProxyType(merged)


def _flatten(table: Mapping[str, object], name: str, prefix: str = "") -> list[tuple[str, str]]:
    """List the sentences of a table; a nested table adds its name and a dot to the code."""
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        match value:
            case str():
                found.append((prefix + key, value))
            case dict():
                found.extend(_flatten(value, name, f"{prefix}{key}."))
            case _:
                raise CatalogueBroken(f"{name}: {prefix}{key} is no sentence")
    return found


def choose_language(accept_language: str | None) -> Language:
    """Return the caller's best language of ours, Vietnamese when nothing fits.

    :param accept_language: the value of the header of that name (RFC 9110, 12.5.4).
    """
    best, best_weight = Language.VI, 0.0
    if not accept_language:
        return best
    for item in accept_language.split(","):
        tag, _, parameter = item.strip().partition(";")
        weight = _weight(parameter)
        primary = tag.split("-")[0].strip().lower()
        if primary in tuple(Language) and weight > best_weight:
            best, best_weight = Language(primary), weight
    return best


def _weight(parameter: str) -> float:
    """Read ``q=0.8``; anything unreadable weighs nothing, an absent weight is 1."""
    if not parameter.strip():
        return 1.0
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def format_day(language: Language, day: date) -> str:
    """Write a day as 31/12/2026 in Vietnamese, as 2026-12-31 in English."""
    return f"{day:%d/%m/%Y}" if language is Language.VI else day.isoformat()


def format_instant(language: Language, instant: datetime, zone: ZoneInfo = ZONE) -> str:
    """Write an instant to the minute, in the local time of ``zone``."""
    local = instant.astimezone(zone)
    if language is Language.VI:
        return f"{local:%H:%M} ngày {local:%d/%m/%Y}"
    return f"{local:%Y-%m-%d %H:%M}"


def format_number(language: Language, number: Decimal | int) -> str:
    """Write a number as 1.234,5 in Vietnamese, as 1,234.5 in English; nothing is rounded."""
    text = f"{number:,}"
    return text.translate(_SWAP) if language is Language.VI else text


_SWAP = str.maketrans(",.", ".,")


def _shown(language: Language, value: object) -> object:
    match value:
        case datetime():
            return format_instant(language, value)
        case date():
            return format_day(language, value)
        case Decimal():
            return format_number(language, value)
        case StrEnum():
            return value.value
        case _:
            return value
