"""Whose time it was: the life of a dossier split between the applicant, its unit and others.

A joint dossier (hồ sơ liên thông) that is late is rarely late by its own unit alone. Each instant
from the receipt to the end belongs to exactly one party, so the parts add up to the whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from app.domain.calendar import WorkCalendar
from app.domain.pauses import PauseKind


class Party(StrEnum):
    """Whose time a stretch was (bên đang giữ hồ sơ)."""

    UNIT = "own_unit"
    """The unit that holds the dossier."""
    APPLICANT = "applicant"
    """The applicant, who has to complete the dossier or to pay."""
    OTHER_AGENCY = "other_agency"
    """Another agency: it holds a leg, or its answer is awaited."""
    NOBODY = "nobody"
    """The dossier was closed, before it was opened again."""


APPLICANTS = frozenset({PauseKind.SUPPLEMENT, PauseKind.PAYMENT})


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds something from ``begins`` until ``ends`` (None: still)."""

    begins: datetime
    ends: datetime | None
    unit: str
    leg: str | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether it is held at an instant."""
        return self.begins <= at and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of a kind, from ``begins`` until ``ends`` (None: still)."""

    kind: PauseKind
    begins: datetime
    ends: datetime | None

    def holds(self, at: datetime) -> bool:
        """Tell whether it lasts at an instant."""
        return self.begins <= at and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the life ``[begins, ends)`` that belongs to one party.

    ``unit`` is who held it, of a joint dossier with the ``leg``; None where nobody of ours did.
    """

    begins: datetime
    ends: datetime
    party: Party
    unit: str | None
    leg: str | None
    pause: PauseKind | None

    @property
    def length(self) -> timedelta:
        """Return how long it was."""
        return self.ends - self.begins


def attribute(
    begins: datetime,
    ends: datetime,
    *,
    stays: Sequence[Hold],
    legs: Iterable[Hold] = (),
    waits: Iterable[Wait] = (),
    closed: Iterable[tuple[datetime, datetime]] = (),
) -> tuple[Stretch, ...]:
    """Split ``[begins, ends)`` into stretches of one party each, in order and without a gap.

    The applicant comes first: while they are asked, nobody else is. Then another agency whose
    answer is awaited, or that holds an open leg outside the unit; of several legs the one begun
    last. What is left is the unit's own, a suspension of its own included.

    :param stays: which unit held the dossier when, in order.
    :raises ValueError: nobody held the dossier at its beginning.
    """
    if not stays:
        raise ValueError("a dossier is held by a unit")
    legs, waits, closed = tuple(legs), tuple(waits), tuple(closed)
    edges = {begins, ends}
    for held in (*stays, *legs):
        edges |= {held.begins, held.ends or ends}
    for wait in waits:
        edges |= {wait.begins, wait.ends or ends}
    edges |= {at for span in closed for at in span}
    moments = sorted(at for at in edges if begins <= at <= ends)
    found: list[Stretch] = []
    for start, end in pairwise(moments):
        party, unit, leg, pause = _held(start, stays, legs, waits, closed)
        last = found[-1] if found else None
        if last is not None and (last.party, last.unit, last.leg, last.pause) == (
            party,
            unit,
            leg,
            pause,
        ):
            found[-1] = Stretch(last.begins, end, party, unit, leg, pause)
        else:
            found.append(Stretch(start, end, party, unit, leg, pause))
    return tuple(found)


def _held(
    at: datetime,
    stays: Sequence[Hold],
    legs: Sequence[Hold],
    waits: Sequence[Wait],
    closed: Sequence[tuple[datetime, datetime]],
) -> tuple[Party, str | None, str | None, PauseKind | None]:
    """Return whose an instant is: party, unit, leg and pause."""
    unit = next((stay.unit for stay in reversed(stays) if stay.begins <= at), stays[0].unit)
    if any(begins <= at < ends for begins, ends in closed):
        return Party.NOBODY, None, None, None
    paused = sorted((wait for wait in waits if wait.holds(at)), key=_beginning)
    for wait in paused:
        if wait.kind in APPLICANTS:
            return Party.APPLICANT, unit, None, wait.kind
    open_legs = sorted((leg for leg in legs if leg.holds(at)), key=_begun)
    abroad = [leg for leg in open_legs if leg.unit != unit]
    if abroad:
        return Party.OTHER_AGENCY, abroad[-1].unit, abroad[-1].leg, None
    for wait in paused:
        if wait.kind is PauseKind.OTHER_AGENCY:
            return Party.OTHER_AGENCY, None, None, wait.kind
    leg = open_legs[-1].leg if open_legs else None
    return Party.UNIT, unit, leg, paused[0].kind if paused else None


def _beginning(wait: Wait) -> tuple[datetime, str]:
    return wait.begins, wait.kind


def _begun(leg: Hold) -> tuple[datetime, str]:
    return leg.begins, leg.leg or ""


def holder_at(stretches: Sequence[Stretch], at: datetime) -> Stretch | None:
    """Return the stretch in which an instant lies, the last one at the very end, else None."""
    for stretch in stretches:
        if stretch.begins <= at < stretch.ends:
            return stretch
    return stretches[-1] if stretches and at == stretches[-1].ends else None


def since(stretches: Iterable[Stretch], at: datetime) -> tuple[Stretch, ...]:
    """Return what lies at or after an instant, cut there."""
    return tuple(
        Stretch(max(one.begins, at), one.ends, one.party, one.unit, one.leg, one.pause)
        for one in stretches
        if one.ends > at
    )


def worked(calendar: WorkCalendar, stretches: Iterable[Stretch]) -> dict[Party, timedelta]:
    """Return the working time of each party; together it is that of the whole.

    :raises CalendarYearMissing: a year of it is not loaded.
    """
    total = dict.fromkeys(Party, timedelta())
    for one in stretches:
        total[one.party] += calendar.working_time_between(one.begins, one.ends)
    return total
