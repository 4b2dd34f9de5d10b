"""What no sender tells, gathered for a batch: units behind words, procedures, calendars."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.dossier import History
from app.domain.procedure import OnlineLevel, Procedure
from app.domain.reading import Terms
from app.domain.record import Told as TypedFacts
from app.domain.stay import Heirs
from app.rulebook.intake import intake_limit_at
from app.store import access, mappings, procedures, stamps, successions, units
from app.store.session import Later, ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import calendar_book
from app.usecases.calendar_book import CalendarBook
from app.usecases.catalogue import ProcedureSpec

NOWHERE = ""
"""The word for the unit of a dossier of which only events were told so far."""


Told = tuple[int, str]
"""A word as a sender used it: the root of its key (0 is the whole installation), and the word."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words for units and procedures that messages use, each with its root."""

    units: frozenset[Told]
    procedures: frozenset[Told]


@dataclass(frozen=True, slots=True)
class KnownProcedure:
    """A procedure of the catalogue, with its number and what was told of it over time."""

    id: int
    revisions: tuple[tuple[datetime, Procedure], ...]

    @property
    def online_level(self) -> OnlineLevel | None:
        """Return how far it goes online by what was told last; no judgement rests on it."""
        return self.revisions[-1][1].online_level

    def at(self, known_at: datetime) -> Procedure:
        """Return the procedure as it was known at a moment, or as it was known first."""
        if len(self.revisions) == 1:
            return self.revisions[0][1]
        known = [procedure for recorded_at, procedure in self.revisions if recorded_at <= known_at]
        return known[-1] if known else self.revisions[0][1]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What words mean; an unknown unit is the bucket of its root."""

    unit_ids: Mapping[Told, int]
    by_id: Mapping[int, UnitRow]
    heirs: Heirs
    procedures: Mapping[Told, KnownProcedure | None]
    calendars: CalendarBook
    by_name: frozenset[Told] = frozenset()

    def joined(self, other: "Lexicon") -> "Lexicon":
        """Return the words of both."""
        return Lexicon(
            unit_ids={**self.unit_ids, **other.unit_ids},
            by_id={**self.by_id, **other.by_id},
            heirs={**self.heirs, **other.heirs},
            procedures={**self.procedures, **other.procedures},
            calendars=self.calendars.joined(other.calendars),
            by_name=self.by_name | other.by_name,
        )

    def procedure_of(self, history: History) -> KnownProcedure | None:
        """Return the procedure of a dossier, None if it is unknown."""
        return self.procedures.get((history.root, history.facts.get("procedure") or ""))

    def terms(
        self, history: History, *, parent_known: bool, known_at: datetime | None = None
    ) -> Terms:
        """Return the terms under which a history is read: those of the unit that holds it.

        ``known_at`` asks for the calendars and limits of another moment than the dossier's own.
        """
        known = self.procedure_of(history)
        moment = history.rules_known_at if known_at is None else known_at
        calendar = self.calendars.at(history.stays[-1].unit, moment)
        handed_in = history.facts.get("submitted_at") or history.source_updated_at
        return Terms(
            calendar,
            None if known is None else known.at(moment),
            intake_limit_at(calendar.local_date(handed_in)),
            parent_known,
        )


MOST_REMEMBERED: Final = 50_000
"""Words that are remembered at most; then all are forgotten and asked for again."""

_MEMORY: Final = "lexicon"
_EMPTY: Final = Lexicon({}, {}, {}, {}, CalendarBook({}))


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Words, and the stamp under which they were looked up."""

    stamp: str
    lexicon: Lexicon


def words_in(dossiers: Iterable[Sequence[tuple[int, TypedFacts]]]) -> Words:
    """Gather the words of dossiers, each given as its messages with the roots of their senders."""
    units: set[Told] = set()
    procedures: set[Told] = set()
    for told in dossiers:
        is_placed = False
        for root, facts in told:
            if "unit" in facts:
                units.add((root, facts["unit"]))
                is_placed = True
            if "procedure" in facts:
                procedures.add((root, facts["procedure"]))
        if not is_placed:
            units.update([(root, NOWHERE) for root, _ in told[:1]])
    return Words(frozenset(units), frozenset(procedures))


def lexicon(
    session: WriteSession, words: Words, *, now: datetime, stamp: Later[str] | None = None
) -> Lexicon:
    """Look up words before a change; the bucket of a root is made when it is first needed.

    ``stamp`` is that of the words as this transaction has looked it up before.
    """

    def bucket(root: UnitRow | None) -> UnitRow:
        return units.bucket_of(session, root, now=now)

    return _lexicon(session, words, bucket, stamp)


def lexicon_for_reading(session: ReadSession, words: Words) -> Lexicon:
    """Look up words of what is stored already; whatever was put into a bucket made it."""

    def bucket(root: UnitRow | None) -> UnitRow | None:
        return units.find_bucket(session, root)

    return _lexicon(session, words, bucket)


def _lexicon(
    session: ReadSession,
    words: Words,
    bucket: Callable[[UnitRow | None], UnitRow | None],
    seen: Later[str] | None = None,
) -> Lexicon:
    """Look up the words that are not remembered, and remember them under the stamp of the words.

    A session that changed words itself, or met a change while it looked, remembers nothing.
    """
    stamp = (seen or stamps.of_catalogue(session)).get()
    kept = session.memory.get(_MEMORY)
    known = kept.lexicon if isinstance(kept, _Remembered) and kept.stamp == stamp else _EMPTY
    missing = Words(
        frozenset([word for word in words.units if word not in known.unit_ids]),
        frozenset([word for word in words.procedures if word not in known.procedures]),
    )
    if not missing.units and not missing.procedures:
        return known
    found = _looked_up(session, missing, bucket)
    if len(known.unit_ids) + len(known.procedures) > MOST_REMEMBERED:
        known = _EMPTY
        found = _looked_up(session, words, bucket)
    whole = known.joined(found)
    if stamps.of_catalogue(session).get() == stamp:
        session.memory[_MEMORY] = _Remembered(stamp, whole)
    return whole


def _looked_up(
    session: ReadSession, words: Words, bucket: Callable[[UnitRow | None], UnitRow | None]
) -> Lexicon:
    """Look up all words at once.

    A word for a unit is first looked up among the mappings of its root, then among the codes,
    former codes and names of the units below it. What is not certain is the bucket for
    unknown units, visible and never dropped.
    """
    ids: dict[Told, int] = {}
    rows: dict[int, UnitRow] = {}
    by_name: set[Told] = set()
    roots = units.by_id(session, {root for root, _ in words.units if root})
    for root, told in _by_root(words.units).items():
        row = roots.get(root)
        lft, rgt = access.WHOLE if row is None else (row.lft, row.rgt)
        mapped = mappings.targets(session, "unit", told, root=root)
        asked = {mapped.get(word, word) for word in told if word}
        resolved = units.resolved(session, asked, lft=lft, rgt=rgt)
        found = resolved.units
        by_name |= {(root, word) for word in told if mapped.get(word, word) in resolved.by_name}
        rows |= units.by_id(session, set(found.values()))
        meant = {word: found.get(mapped.get(word, word)) for word in told}
        place = bucket(row) if None in meant.values() else None
        if place is not None:
            rows[place.id] = place
        for word, number in meant.items():
            if number is not None:
                ids[root, word] = number
            elif place is not None:
                ids[root, word] = place.id
    heirs = _heirs(session, rows)
    return Lexicon(
        unit_ids=ids,
        by_id=rows,
        heirs=heirs,
        procedures=_procedures(session, words.procedures),
        calendars=calendar_book.of_units(session, rows),
        by_name=frozenset(by_name),
    )


def _heirs(session: ReadSession, rows: dict[int, UnitRow]) -> Heirs:
    """Return who goes on for units that ceased, and add those units to the rows."""
    gone = [number for number, row in rows.items() if row.heir_id is not None]
    if not gone:
        return {}
    heirs = successions.heirs(session, gone)
    rows |= units.by_id(session, {heir.unit for heir in heirs.values()} - rows.keys())
    return heirs


def _by_root(told: Iterable[Told]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for root, word in told:
        found.setdefault(root, set()).add(word)
    return found


def _procedures(session: ReadSession, told: frozenset[Told]) -> dict[Told, KnownProcedure | None]:
    meant: dict[Told, str] = {}
    for root, words in _by_root(told).items():
        mapped = mappings.targets(session, "procedure", words, root=root)
        meant |= {(root, word): mapped.get(word, word) for word in words}
    known = {
        code: KnownProcedure(
            rows[0].procedure_id,
            tuple((row.recorded_at, ProcedureSpec.from_plain(row.spec).procedure) for row in rows),
        )
        for code, rows in procedures.revisions_of(session, set(meant.values())).items()
    }
    return {word: known.get(code) for word, code in meant.items()}
