"""Which dossiers are one and the same, told under several numbers or by several systems.

Numbers alone link dossiers: the number itself, or another number that the sender names with it.
Persons and dates never do. Within one source, a dossier that names another one's number is that
dossier under a new number. Across sources, dossiers that share a number are one dossier in two
systems. What could be read in two ways is shown and not guessed: nothing is linked then.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Final, TypeVar

from app.domain.authority import Span
from app.domain.dossier import in_order
from app.domain.record import Message, MessageKind, Told
from app.domain.values import immutable

Key = tuple[int, str]
"""A dossier as its sender knows it: (source, number)."""

T = TypeVar("T")

_DIGIT = re.compile(r"[1-9]")

MOST_NUMBERS: Final = 16
"""So many numbers may one dossier have; more that hang together are no one dossier's."""
SHORTEST_RUNNING: Final = 8
"""A plain running number shorter than this names a dossier only within its own source."""


class Relation(StrEnum):
    """What another dossier is to this one."""

    NEWER_NUMBER = "newer_number"
    FORMER_NUMBER = "former_number"
    OTHER_SYSTEM = "other_system"
    UNCLEAR = "unclear"


@immutable
class Numbered:
    """The numbers of one dossier as its source tells them now.

    ``place`` is the unit at which it was told last, None if that is not known; ``naming`` is the
    part of the tree for which the sender of the other numbers speaks, None for all of it.
    """

    source: int
    code: str
    others: frozenset[str]
    has_parent: bool
    first_told_at: datetime
    place: Span | None = None
    naming: Span | None = None

    @property
    def key(self) -> Key:
        """Return the dossier."""
        return (self.source, self.code)


@immutable
class Kinship:
    """What is the same dossier as one: its ``lines``, one for each source, its own first.

    A line is the numbers that one source gave the dossier, the newest first. ``unclear`` are the
    dossiers of which the numbers do not tell whether they are the same.
    """

    lines: tuple[tuple[Key, ...], ...]
    unclear: tuple[Key, ...] = ()

    @property
    def line(self) -> tuple[Key, ...]:
        """Return the numbers of the dossier's own source, the newest first."""
        return self.lines[0]

    @property
    def is_alone(self) -> bool:
        """Tell whether no other dossier is the same, or may be."""
        return len(self.lines) == 1 == len(self.lines[0]) and not self.unclear

    def relations(self, key: Key) -> tuple[tuple[Key, Relation], ...]:
        """Return what each other dossier is to one of the own line."""
        place = self.line.index(key)
        found = {
            other: Relation.NEWER_NUMBER if index < place else Relation.FORMER_NUMBER
            for index, other in enumerate(self.line)
            if index != place
        }
        found |= {other: Relation.OTHER_SYSTEM for line in self.lines[1:] for other in line}
        found |= dict.fromkeys(self.unclear, Relation.UNCLEAR)
        return tuple(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides whether the dossier of a source counts among those that are the same."""

    is_voided: bool
    is_preferred: bool
    first_recorded_at: datetime


def is_number(word: str) -> bool:
    """Tell whether a word can be the number of a dossier: it has a digit other than zero."""
    return _DIGIT.search(word) is not None


def is_distinctive(word: str) -> bool:
    """Tell whether a number names a dossier beyond its own source."""
    return _is_wide(word) and is_number(word)


def _is_wide(word: str) -> bool:
    return len(word) >= SHORTEST_RUNNING or not word.isdigit()


def signs(source: int, words: Iterable[str]) -> frozenset[str]:
    """Return the signs by which dossiers that share a number are found, whoever told them.

    A number that is not distinctive is a sign within its own source only.
    """
    return frozenset(
        [
            word if _is_wide(word) else f"{source}/{word}"
            for word in words
            if _DIGIT.search(word) is not None
        ]
    )


def sign(source: int, word: str) -> str:
    """Return the sign of one number that a source told."""
    return word if is_distinctive(word) else f"{source}/{word}"


def numbered(
    key: Key,
    messages: Sequence[Message],
    *,
    place_of: Callable[[int, str], Span | None] = lambda _root, _word: None,
    span_of: Callable[[int], Span | None] = lambda _root: None,
) -> Numbered:
    """Return the numbers of a dossier after everything that was told of it.

    The number of the parent of a leg is no number of the leg. ``place_of`` gives the unit behind
    a word of a root, ``span_of`` the part of the tree below a root.
    """
    others: frozenset[str] = frozenset()
    parent: str | None = None
    place: Span | None = None
    naming: Span | None = None
    for message in in_order(messages):
        told = message.told
        if "unit" in told:
            place = place_of(message.root, told["unit"])
        if message.kind is MessageKind.RECORD:
            if "other_codes" in told:
                others = frozenset(told["other_codes"] or ())
                naming = span_of(message.root)
            parent = told.get("parent", parent)
    return Numbered(
        source=key[0],
        code=key[1],
        others=others - {key[1], parent},
        has_parent=parent is not None,
        first_told_at=min(message.source_updated_at for message in messages),
        place=place,
        naming=naming,
    )


def words_of(key: Key, told: Iterable[Told]) -> frozenset[str]:
    """Return every number under which a dossier was ever told, also those no longer told."""
    words = [key[1]]
    for facts in told:
        if "other_codes" in facts:
            words += facts["other_codes"] or ()
    return frozenset(words)


def kinships(known: Iterable[Numbered]) -> dict[Key, Kinship]:
    """Return what is the same as each of some dossiers, given all that could be.

    A leg of a joint dossier has its parent; it is linked to its own former numbers alone. Where
    more than ``MOST_NUMBERS`` hang together, the number that they share is no dossier's.
    """
    found: dict[Key, Kinship] = {}
    for near in _neighbours(known):
        if len(near) > MOST_NUMBERS:
            found |= {one.key: Kinship(((one.key,),)) for one in near}
        else:
            found |= _kinships(near)
    return found


def _neighbours(known: Iterable[Numbered]) -> list[list[Numbered]]:
    """Return the dossiers in parts that share signs, in one walk over all of them."""
    above: dict[Key, Key] = {}
    first: dict[str, Key] = {}

    def top(key: Key) -> Key:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    ordered = sorted(known, key=lambda one: one.key)
    for one in ordered:
        above[one.key] = one.key
        for sign in signs(one.source, (one.code, *one.others)):
            above[top(one.key)] = top(first.setdefault(sign, one.key))
    parts: dict[Key, list[Numbered]] = {}
    for one in ordered:
        parts.setdefault(top(one.key), []).append(one)
    return list(parts.values())


def _kinships(near: Sequence[Numbered]) -> dict[Key, Kinship]:
    lines: list[tuple[Numbered, ...]] = []
    torn: list[tuple[Numbered, ...]] = []
    for _, of_source in groupby(near, key=lambda one: one.source):
        for part in _parts(list(of_source), _names):
            line = _in_line(part)
            lines += [(one,) for one in part] if line is None else [line]
            torn += [tuple(part)] if line is None else []
    found: dict[Key, Kinship] = {}
    for together in _parts(lines, _share_number):
        found |= _judged(together)
    for members in torn:
        keys = [one.key for one in members]
        for key in keys:
            unclear = {*found[key].unclear, *keys} - {key}
            found[key] = Kinship(found[key].lines, tuple(sorted(unclear)))
    return found


def counting(candidates: Mapping[Key, Candidate]) -> Key:
    """Return which of the dossiers that are the same counts.

    One that is not void, then one of the source that is preferred at its unit, then the one that
    we saw first.
    """

    def place(key: Key) -> tuple[bool, bool, datetime, Key]:
        one = candidates[key]
        return (one.is_voided, not one.is_preferred, one.first_recorded_at, key)

    return min(candidates, key=place)


def _judged(part: Sequence[tuple[Numbered, ...]]) -> dict[Key, Kinship]:
    """Return the kinship of lines that hang together: one dossier, or an unclear lot."""
    sources = [line[0].source for line in part]
    keys = [tuple(one.key for one in line) for line in part]
    is_one = len(set(sources)) == len(sources)
    found: dict[Key, Kinship] = {}
    for own in keys:
        away = [line for line in keys if line is not own]
        if is_one:
            kinship = Kinship((own, *away))
        else:
            kinship = Kinship((own,), tuple(sorted(key for line in away for key in line)))
        found |= dict.fromkeys(own, kinship)
    return found


def _names(one: Numbered, other: Numbered) -> bool:
    return other.code in one.others or one.code in other.others


def _share_number(one: tuple[Numbered, ...], other: tuple[Numbered, ...]) -> bool:
    if one[0].source == other[0].source or _is_leg(one) or _is_leg(other):
        return False
    return not _line_words(one).isdisjoint(_line_words(other))


def _is_leg(line: tuple[Numbered, ...]) -> bool:
    return any(one.has_parent for one in line)


def _line_words(line: tuple[Numbered, ...]) -> frozenset[str]:
    words = {word for one in line for word in (one.code, *one.others)}
    return frozenset(word for word in words if is_distinctive(word))


def _parts(items: Sequence[T], linked: Callable[[T, T], bool]) -> list[list[T]]:
    """Return the items in parts that hang together, in their order."""
    left = list(items)
    parts = []
    while left:
        part = [left.pop(0)]
        for one in part:  # grows while it is walked
            near = [other for other in left if linked(one, other)]
            left = [other for other in left if other not in near]
            part += near
        parts.append(part)
    return parts


def _in_line(part: Sequence[Numbered]) -> tuple[Numbered, ...] | None:
    """Return the numbers of one source as one line, or None if two are not above one another."""
    below = {one.code: _reached(one, part) for one in part}
    for one in part:
        for other in part:
            if other.code not in below[one.code] and one.code not in below[other.code]:
                return None
    return tuple(
        sorted(part, key=lambda one: (len(below[one.code]), one.first_told_at, one.code))[::-1]
    )


def _may_rename(one: Numbered, other: Numbered) -> bool:
    """Tell whether who names a number may speak for the unit that holds it."""
    return one.naming is None or other.place is None or one.naming.covers(other.place)


def _reached(one: Numbered, part: Sequence[Numbered]) -> frozenset[str]:
    """Return the numbers that a dossier names, and those that these name, with its own."""
    reached, ahead = {one.code}, [one]
    while ahead:
        one = ahead.pop()
        names = one.others
        new = [other for other in part if other.code in names and other.code not in reached]
        new = [other for other in new if _may_rename(one, other)]
        reached |= {other.code for other in new}
        ahead += new
    return frozenset(reached)
