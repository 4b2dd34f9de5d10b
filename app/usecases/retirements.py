"""Say that a source no longer sends for a unit, because another has taken its place or none will.

A word holds for the unit and all below it that have none of their own. From its day on the source
is not called silent there, and marks no figure as incomplete; periods that ended before that day
are judged as they always were. What it sends nevertheless is taken as before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Final

from app.domain.errors import NotFound
from app.store import access, audit, retirements, silences
from app.store.retirements import Retirement
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases.access import Principal
from app.usecases.subtree import Subtree

MOST_LISTED: Final = 500


@dataclass(eq=False, kw_only=True)
class SenderUnknown(NotFound):
    """No source of this code sends to this installation."""

    code: ClassVar[str] = "retirement.source_unknown"
    source: str


@dataclass(frozen=True, slots=True)
class Retired:
    """What holds of all sources: asked for a source and a place in the tree."""

    words: Sequence[Retirement]

    def from_on(self, source: str, lft: int) -> date | None:
        """Return from which day a source owes nothing for a unit, None while it does.

        The nearest word counts: that of the unit, or of the nearest unit above it.
        """
        near = (one for one in self.words if one.source == source and one.lft <= lft <= one.rgt)
        word = min(near, key=lambda one: one.rgt - one.lft, default=None)
        return None if word is None else word.from_on

    def wholly(self, source: str, places: Iterable[int]) -> date | None:
        """Return from which day a source owes nothing for any of some units, None while it does."""
        latest: date | None = None
        for lft in places:
            day = self.from_on(source, lft)
            if day is None:
                return None
            latest = day if latest is None else max(latest, day)
        return latest


def retired(session: ReadSession) -> Retired:
    """Return what holds now."""
    return Retired(retirements.holding(session))


def fully_retired(session: ReadSession, sources: Sequence[str], *, today: date) -> set[str]:
    """Return those of some sources that owe nothing today for any unit they ever told of."""
    held = retired(session)
    named = {one.source for one in held.words}.intersection(sources)
    if not named:
        return set()
    found = set()
    for source, places in silences.places(session, sorted(named)).items():
        day = held.wholly(source, places)
        if day is not None and day <= today:
            found.add(source)
    return found


def listed(session: ReadSession, *, within: Subtree) -> list[Retirement]:
    """Return everything that was said for the units of a subtree, the newest first, bounded."""
    return retirements.said(session, lft=within.lft, rgt=within.rgt, most=MOST_LISTED)


def put(
    session: WriteSession,
    unit: UnitRow,
    source: str,
    *,
    from_on: date | None,
    reason: str,
    who: Principal,
    now: datetime,
) -> list[Retirement]:
    """Say from which day a source owes nothing for a unit and below; return all that was said.

    None takes it back. The same again changes nothing.

    :raises SenderUnknown: no source of this code sends here.
    """
    source_id = access.find_source(session, source)
    if source_id is None:
        raise SenderUnknown(source=source)
    before = retirements.history(session, unit.id, source_id)
    last = before[0] if before else None
    if (None if last is None else (last.from_on, last.reason)) == (from_on, reason):
        return before
    retirements.add(
        session, unit.id, source_id, from_on=from_on, reason=reason, actor=who.actor, now=now
    )
    audit.append(
        session,
        actor=who.actor,
        action="retirement.put",
        subject=f"{source} {unit.code}",
        unit_id=unit.id,
        before=None if last is None else _told(last.from_on, last.reason),
        after=_told(from_on, reason),
    )
    return retirements.history(session, unit.id, source_id)


def _told(from_on: date | None, reason: str) -> dict[str, object]:
    return {"from": None if from_on is None else from_on.isoformat(), "reason": reason}
