"""Names of units (tên đơn vị) as people write them, made comparable without guessing.

Senders name units by free text: with or without "Ủy ban nhân dân", abbreviated, with the tone mark
on another vowel, or without any marks. Names are compared from strict to loose, and the first way
in which a word fits any unit decides: one unit is meant, or it is not clear which.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")
"""Grave, acute, tilde, hook above, dot below: the five tones that are written."""
_NO_WORD = re.compile(r"[^\w\s]|_")
_SHORT: Final[Sequence[tuple[re.Pattern[str], str]]] = tuple(
    (re.compile(rf"\b{short}\b"), full)
    for short, full in (
        (r"u\s*b\s*n\s*d", "uy ban nhan dan"),
        (r"t\s*t\s*p\s*v\s*h\s*c\s*c", "trung tam phuc vu hanh chinh cong"),
        (r"tt\s+phuc vu", "trung tam phuc vu"),
        ("hcc", "hanh chinh cong"),
        (r"t\.?p", "thanh pho"),
        ("tx", "thi xa"),
        ("tt", "thi tran"),
        ("p", "phuong"),
        ("x", "xa"),
        ("h", "huyen"),
        ("q", "quan"),
    )
)
_COMMITTEE: Final = "uy ban nhan dan "
_KINDS: Final = ("phuong ", "xa ", "thi tran ", "dac khu ", "thi xa ", "thanh pho ", "tinh ")


def exact(name: str) -> str:
    """Return a name without the differences of case, spaces and composition."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


@lru_cache(maxsize=20_000)
def toned(name: str) -> str:
    """Return a name with the tone of each syllable at its end: "Uỷ" is "Ủy", "hoà" is "hòa"."""
    syllables = []
    for syllable in _NO_WORD.sub(" ", exact(name)).split():
        marks = unicodedata.normalize("NFD", syllable)
        tone = "".join(char for char in marks if char in _TONES)
        rest = "".join(char for char in marks if char not in _TONES)
        syllables.append(unicodedata.normalize("NFC", rest) + tone)
    return " ".join(syllables)


@lru_cache(maxsize=20_000)
def plain(name: str) -> str:
    """Return a name without marks, with the usual abbreviations written out."""
    letters = unicodedata.normalize("NFD", exact(name).replace("đ", "d"))
    bare = "".join(char for char in letters if not unicodedata.combining(char))
    found = " ".join(_NO_WORD.sub(" ", bare).split())
    for short, full in _SHORT:
        found = short.sub(full, found)
    return found


def short(name: str) -> str:
    """Return a plain name without "Ủy ban nhân dân" and without what follows a comma."""
    return plain(name.split(",", maxsplit=1)[0]).removeprefix(_COMMITTEE)


def bare(name: str) -> str:
    """Return a short name without the kind of unit: "Việt Trì" for "UBND phường Việt Trì"."""
    found = short(name)
    for kind in _KINDS:
        if found.startswith(kind):
            return found.removeprefix(kind)
    return found


WAYS: Final[Sequence[Callable[[str], str]]] = (exact, toned, plain, short, bare)
"""How names are compared, from strict to loose."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The units that a word fits, in the strictest way in which it fits any."""

    units: tuple[int, ...]
    is_exact: bool


def fits(words: Iterable[str], names: Mapping[int, str]) -> dict[str, Fit]:
    """Return which units each word may mean; a word that fits none is left out."""
    found: dict[str, Fit] = {}
    left = {word for word in words if word.strip()}
    for way in WAYS:
        if not left:
            break
        by_key: dict[str, list[int]] = {}
        for number, name in names.items():
            by_key.setdefault(way(name), []).append(number)
        for word in sorted(left):
            units = by_key.get(way(word))
            if units and way(word):
                found[word] = Fit(tuple(sorted(units)), is_exact=way is exact)
        left -= found.keys()
    return found
