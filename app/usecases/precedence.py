"""Say whose dossier counts at a unit when two systems send the same one.

A word holds for the unit and all below it that have none of their own. Saying it folds every
dossier again that shares a number with another; what was believed before stays readable through
``known_at``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.store import access, audit, dossiers, precedence
from app.store.precedence import Word
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import ingest
from app.usecases.access import Principal
from app.usecases.catalogue import UnitPut
from app.usecases.ingest import Sender

AT_ONCE: Final = 1_000


@dataclass(eq=False, kw_only=True)
class PreferredUnknown(Invalid):
    """The source that is to count is none that sends here."""

    code: ClassVar[str] = "precedence.source_unknown"
    source: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds at a unit: the word, said there or above, and all that was said there."""

    holding: Word | None
    history: Sequence[Word]


def get(session: ReadSession, unit: UnitRow) -> Holding:
    """Return whose dossier counts at a unit, and since when, by whose word."""
    return Holding(_holding(session, unit), precedence.history(session, unit.id))


def put(
    session: WriteSession, unit: UnitRow, source: str | None, *, who: Principal, now: datetime
) -> tuple[Holding, int]:
    """Say whose dossier counts at a unit and below; return what holds and how many were folded.

    None is the dossier that was seen first. The same again changes nothing.

    :raises PreferredUnknown: no source of this code sends here.
    """
    source_id = None if source is None else access.find_source(session, source)
    if source is not None and source_id is None:
        raise PreferredUnknown(source=source)
    before = precedence.history(session, unit.id)
    if before and before[0].source_id == source_id:
        return get(session, unit), 0
    precedence.add(session, unit.id, source_id, actor=who.actor, now=now)
    by = Sender(who.source_id, who.key_id, None, *access.WHOLE)
    folded = _fold_below(session, unit, by=by, now=now)
    audit.append(
        session,
        actor=who.actor,
        action="precedence.put",
        subject=unit.code,
        unit_id=unit.id,
        before={"source": before[0].source} if before else None,
        after={"source": source, "dossiers": folded},
    )
    return get(session, unit), folded


def follow(session: WriteSession, told: Iterable[UnitPut], *, now: datetime) -> int:
    """Fold the shared dossiers below units that have moved, and return how many there are.

    Above them stand other units now, and with those the words that hold.
    """
    if not precedence.listed(session):
        return 0
    by = Sender(0, None, None, *access.WHOLE)
    return sum(_fold_below(session, one.row, by=by, now=now) for one in told if one.moved)


def _fold_below(session: WriteSession, unit: UnitRow, *, by: Sender, now: datetime) -> int:
    keys = dossiers.linked(session, lft=unit.lft, rgt=unit.rgt)
    for first in range(0, len(keys), AT_ONCE):
        ingest.refold(session, keys[first : first + AT_ONCE], by=by, now=now)
    return len(keys)


def _holding(session: ReadSession, unit: UnitRow) -> Word | None:
    words = [one for one in precedence.listed(session) if one.lft <= unit.lft <= one.rgt]
    return min(words, key=lambda one: one.rgt - one.lft, default=None)
