"""What a sender's own words for units and procedures mean, said after the fact.

A word belongs to the root of the key that used it. When its meaning is told, every dossier that
was told with it is folded again: restated as if it had always been at the real unit, without a
transfer. What was believed before stays readable through ``known_at``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.domain.sameness import Key
from app.store import access, audit, mappings, procedures, units
from app.store.mappings import Mapping, UnknownWord
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import ingest, subtree
from app.usecases.access import Principal
from app.usecases.ingest import Sender

AT_ONCE: Final = 1_000
"""How many dossiers are folded again together, to bound memory."""
MOST_UNKNOWN: Final = 500


class Kind(StrEnum):
    """What a word stands for."""

    UNIT = "unit"
    PROCEDURE = "procedure"


@dataclass(eq=False, kw_only=True)
class TargetUnknown(Invalid):
    """The word is to mean something that the catalogue does not have."""

    code: ClassVar[str] = "mapping.target_unknown"
    target: str


@dataclass(eq=False, kw_only=True)
class TargetIsBucket(Invalid):
    """The word is to mean the place of dossiers whose unit is not known."""

    code: ClassVar[str] = "mapping.target_bucket"
    target: str


@dataclass(eq=False, kw_only=True)
class WordKnown(Invalid):
    """The word is itself a code of the catalogue; giving it another meaning would hide that one."""

    code: ClassVar[str] = "mapping.word_known"
    told: str


@dataclass(eq=False, kw_only=True)
class WordTwice(Invalid):
    """One request tells the meaning of a word twice."""

    code: ClassVar[str] = "mapping.twice"
    told: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A word and the code that it is to mean."""

    told: str
    target: str


@dataclass(frozen=True, slots=True)
class Put:
    """A word after it was told, whether that was new, and the dossiers that it restated."""

    told: str
    target: str
    is_new: bool
    dossiers: int


@dataclass(frozen=True, slots=True)
class Root:
    """The root of the keys whose words are meant: a unit, or None for the whole installation."""

    unit: UnitRow | None

    @property
    def id(self) -> int:
        """Return its number, 0 for the whole installation."""
        return 0 if self.unit is None else self.unit.id

    @property
    def span(self) -> tuple[int, int]:
        """Return the units within which words are looked up."""
        return access.WHOLE if self.unit is None else (self.unit.lft, self.unit.rgt)

    def covers(self, row: UnitRow) -> bool:
        """Tell whether a unit lies below."""
        lft, rgt = self.span
        return lft <= row.lft <= rgt


def root_of(session: ReadSession, who: Principal, code: str | None) -> Root:
    """Return the root that is asked about: the caller's own when none is named.

    :raises UnitUnknown: there is no such unit within the caller's units.
    """
    if code is not None:
        return Root(subtree.unit_of(session, who, code))
    return Root(None if who.unit_id is None else units.by_id(session, [who.unit_id])[who.unit_id])


def listed(
    session: ReadSession, kind: Kind, *, root: Root
) -> tuple[list[Mapping], list[UnknownWord]]:
    """Return the words that were told, and those behind which dossiers still wait."""
    told = mappings.listed(session, kind, root=root.id)
    if kind is Kind.PROCEDURE:
        lft, rgt = root.span
        return told, mappings.unknown_procedures(session, lft=lft, rgt=rgt, limit=MOST_UNKNOWN)
    bucket = units.find_bucket(session, root.unit)
    if bucket is None:
        return told, []
    waiting = mappings.unknown_units(session, bucket.id, limit=MOST_UNKNOWN)
    return told, _with_candidates(session, waiting, root)


def _with_candidates(
    session: ReadSession, waiting: Sequence[UnknownWord], root: Root
) -> list[UnknownWord]:
    """Name the units that a word may mean when its name fits several."""
    lft, rgt = root.span
    found = units.resolved(session, [one.told for one in waiting], lft=lft, rgt=rgt).candidates
    rows = units.by_id(session, {number for numbers in found.values() for number in numbers})
    return [
        replace(one, candidates=tuple(rows[number].code for number in found.get(one.told, ())))
        for one in waiting
    ]


def put(
    session: WriteSession,
    kind: Kind,
    meanings: Sequence[Meaning],
    *,
    root: Root,
    who: Principal,
    now: datetime,
) -> list[Put]:
    """Tell what words mean, and restate every dossier that was told with them.

    The same again changes nothing, save that dossiers which slipped past are restated too.

    :raises WordTwice: a word occurs twice.
    :raises WordKnown: a word is a code of the catalogue.
    :raises TargetUnknown: a target is not in the catalogue, or not below the root.
    :raises TargetIsBucket: a target is a place of unknown units.
    """
    _check_words(session, kind, meanings)
    _check_targets(session, kind, meanings, root)
    known = mappings.targets(session, kind, [one.told for one in meanings], root=root.id)
    behind = {
        one.told: _behind(session, kind, one, known.get(one.told), root=root, now=now)
        for one in meanings
    }
    done = []
    for one in meanings:
        is_new = known.get(one.told) != one.target
        if is_new:
            mappings.add(
                session, kind, one.told, one.target, root=root.id, actor=who.actor, now=now
            )
            audit.append(
                session,
                actor=who.actor,
                action="mapping.put",
                subject=f"{kind.value}:{one.told}",
                unit_id=root.id or None,
                before={"target": known[one.told]} if one.told in known else None,
                after={"target": one.target, "dossiers": len(behind[one.told])},
            )
        done.append(Put(one.told, one.target, is_new, len(behind[one.told])))
    _restate(session, set().union(*behind.values()), root=root, who=who, now=now)
    return done


def _check_words(session: ReadSession, kind: Kind, meanings: Sequence[Meaning]) -> None:
    words = [one.told for one in meanings]
    for place, word in enumerate(words):
        if word in words[:place]:
            raise WordTwice(told=word)
    codes = procedures.by_code if kind is Kind.PROCEDURE else units.by_code
    for word in codes(session, words):
        raise WordKnown(told=word)


def _check_targets(
    session: ReadSession, kind: Kind, meanings: Sequence[Meaning], root: Root
) -> None:
    targets = {one.target for one in meanings}
    if kind is Kind.PROCEDURE:
        missing = targets - procedures.by_code(session, targets).keys()
    else:
        found = units.by_code(session, targets)
        for row in found.values():
            if row.is_bucket:
                raise TargetIsBucket(target=row.code)
        missing = targets - {code for code, row in found.items() if root.covers(row)}
    if missing:
        raise TargetUnknown(target=min(missing))


def _behind(
    session: WriteSession,
    kind: Kind,
    meaning: Meaning,
    known: str | None,
    *,
    root: Root,
    now: datetime,
) -> set[Key]:
    """Return the dossiers that the meaning of a word moves from where they stand now."""
    lft, rgt = root.span
    if kind is Kind.PROCEDURE:
        if known == meaning.target:
            return set()
        return mappings.dossiers_told_of(session, meaning.told, root=root.id, lft=lft, rgt=rgt)
    places = {units.bucket_of(session, root.unit, now=now).id}
    if known != meaning.target:
        word = known or meaning.told
        places |= set(units.resolve_many(session, [word], lft=lft, rgt=rgt).values())
    return mappings.dossiers_told_at(session, meaning.told, root=root.id, units=places)


def _restate(
    session: WriteSession, keys: Iterable[Key], *, root: Root, who: Principal, now: datetime
) -> None:
    by = Sender(who.source_id, who.key_id, root.id or None, *root.span)
    wanted = sorted(keys)
    for first in range(0, len(wanted), AT_ONCE):
        ingest.refold(session, wanted[first : first + AT_ONCE], by=by, now=now)
