"""Find the dossiers that may be the same as some, and tell which are and which of them counts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain import sameness
from app.domain.authority import Span
from app.domain.dossier import History
from app.domain.record import Message
from app.domain.sameness import Candidate, Key, Kinship
from app.store import dossiers, numbers, precedence, units
from app.store.dossiers import Kept, Located
from app.store.numbers import Holders
from app.store.precedence import Word
from app.store.session import Later, ReadSession, WriteSession
from app.usecases.terms import Lexicon

MOST_NEAR: Final = 500
"""No more dossiers than these are looked at around a batch for each of its own; see ``near``."""


@dataclass(frozen=True, slots=True)
class Near:
    """The dossiers that share a number with some, or with one of those: places and records."""

    located: Mapping[Key, Located]
    kept: Mapping[Key, Kept]


@dataclass(frozen=True, slots=True)
class Looked:
    """Some signs, and the dossiers behind them as soon as they are known."""

    signs: Collection[str]
    holders: Later[Holders]

    @classmethod
    def up(cls, session: ReadSession, told: Mapping[Key, Collection[str]]) -> "Looked":
        """Look up the numbers under which dossiers were told, for ``enter``."""
        signs = _entries(told).keys()
        return cls(signs, numbers.holders(session, signs))


@dataclass(frozen=True, slots=True)
class Entered:
    """The numbers of some dossiers, entered or about to be."""

    own: Collection[Key]
    found: Holders
    entered: Later[Holders] | None
    awaited: Collection[str]

    def near(self, session: ReadSession) -> Near:
        """Return what shares a number with these dossiers."""
        entered = {} if self.entered is None else self.entered.get()
        away = {sign: keys for sign, keys in entered.items() if sign not in self.awaited}
        return _around(session, self.own, {**self.found, **away})


def enter(
    session: WriteSession,
    told: Mapping[Key, Collection[str]],
    *,
    known: Collection[Key],
    parents: Collection[Key] = (),
    looked: Looked | None = None,
) -> Entered:
    """Enter the numbers of dossiers, to find what shares one of them.

    ``told`` gives every number under which each was ever told, ``known`` those that are stored
    already. The numbers are locked until the transaction ends, so of two transactions that bring
    the same dossier the later one finds it. The numbers of ``parents`` are locked likewise and
    lead nowhere: of two transactions that bring a parent and its leg, the later one sees both.
    ``looked`` is what was looked up of them before.
    """
    entries = _entries(told)
    holders = {} if looked is None else looked.holders.get()
    found = {sign: holders[sign] for sign in entries if sign in holders}
    left = entries.keys() - {sameness.sign(*key) for key in told if key not in known}
    left -= set(() if looked is None else looked.signs)
    if left:
        found |= numbers.holders(session, left).get()
    entering: dict[str, set[Key]] = {}
    for sign, keys in entries.items():
        behind = found.get(sign, _NOBODY)
        if len(behind) < numbers.MOST_HOLDERS and not keys <= behind:
            entering[sign] = keys - behind
    awaited = _awaited(session, parents) - entries.keys() if parents else set()
    locked = entering | {sign: set() for sign in awaited}
    entered = numbers.enter(session, locked) if locked else None
    return Entered(told.keys(), found, entered, awaited)


def _awaited(session: ReadSession, parents: Collection[Key]) -> set[str]:
    """Return the signs of those dossiers that are not there yet."""
    signs = {key: sign for key in parents for sign in sameness.signs(key[0], [key[1]])}
    known = numbers.holders(session, signs.values()).get()
    return {sign for key, sign in signs.items() if key not in known.get(sign, ())}


def near_for_reading(session: ReadSession, told: Mapping[Key, Collection[str]]) -> Near:
    """Return what shares a number with dossiers that are stored."""
    return _around(session, told.keys(), numbers.holders(session, _entries(told)).get())


def not_entered(session: ReadSession, told: Mapping[Key, Collection[str]]) -> set[Key]:
    """Return the dossiers that are not found by each of their numbers."""
    return numbers.missing(session, _entries(told))


_NOBODY: Final = frozenset[Key]()


def _entries(told: Mapping[Key, Collection[str]]) -> dict[str, set[Key]]:
    entries: dict[str, set[Key]] = {}
    for key, words in told.items():
        for sign in sameness.signs(key[0], words):
            if sign in entries:
                entries[sign].add(key)
            else:
                entries[sign] = {key}
    return entries


def _around(session: ReadSession, own: Collection[Key], found: Holders) -> Near:
    """Walk from sign to sign until nothing new turns up."""
    located: dict[Key, Located] = {}
    kept: dict[Key, Kept] = {}
    most = MOST_NEAR * max(1, len(own))
    new = {key for keys in found.values() for key in keys} - set(own)
    while new and len(located) < most:
        places = dossiers.locate(session, new)
        records = dossiers.records(session, places)
        located |= places
        kept |= records
        words = {
            key: sameness.words_of(key, [one.told for one in record.messages])
            for key, record in records.items()
        }
        found = numbers.holders(session, _entries(words)).get()
        new = {key for keys in found.values() for key in keys} - set(own) - located.keys() - new
    return Near(located, kept)


def kinships(
    session: ReadSession, told: Mapping[Key, Sequence[Message]], lexicon: Lexicon
) -> dict[Key, Kinship]:
    """Return what is the same as each of some dossiers, given all messages of all near ones."""
    roots = units.by_id(
        session, {one.root for messages in told.values() for one in messages if one.root}
    )

    def span_of(root: int) -> Span | None:
        return Span(roots[root].lft, roots[root].rgt) if root else None

    def place_of(root: int, word: str) -> Span | None:
        row = lexicon.by_id[lexicon.unit_ids[root, word]]
        return None if row.is_bucket else Span(row.lft, row.rgt)

    return sameness.kinships(
        sameness.numbered(key, messages, place_of=place_of, span_of=span_of)
        for key, messages in told.items()
    )


def alone(key: Key) -> Kinship:
    """Return the kinship of a dossier that shares no number."""
    return Kinship(((key,),))


def in_line(line: Iterable[Key], told: Mapping[Key, Sequence[Message]]) -> list[Message]:
    """Return what was told under all numbers of a line, in order of arrival."""
    messages = [one for key in sorted(line) for one in told[key]]
    return sorted(messages, key=lambda one: one.recorded_at)


class Precedence:
    """Whose dossier counts at each unit, by the nearest word said for it or for one above."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._words = sorted(words, key=lambda word: word.rgt - word.lft)

    @classmethod
    def of(cls, session: ReadSession) -> "Precedence":
        """Return what holds now."""
        return cls(precedence.listed(session))

    def source_at(self, lft: int) -> int | None:
        """Return the source that counts at a unit, None for the one seen first."""
        for word in self._words:
            if word.lft <= lft <= word.rgt:
                return word.source_id
        return None


def counting(
    kinship: Kinship,
    histories: Mapping[Key, History],
    *,
    lft_of: Mapping[Key, int],
    precedence: Precedence,
) -> Key:
    """Return which number of which source counts; ``histories`` and ``lft_of`` are by the newest.

    A dossier is preferred when its source is the one that counts at the unit which holds it.
    """
    newest = [line[0] for line in kinship.lines]
    if len(newest) == 1:
        return newest[0]
    return sameness.counting(
        {
            key: Candidate(
                is_voided=histories[key].voided_at is not None,
                is_preferred=precedence.source_at(lft_of[key]) == key[0],
                first_recorded_at=histories[key].first_recorded_at,
            )
            for key in newest
        }
    )
