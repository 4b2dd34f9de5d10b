"""Where a dossier stays: the units that its messages name, and the successors of those units.

A unit that ceases hands what it still holds to its successor. That is not told dossier by dossier:
it follows from the register of successions, so that a record that arrives late, or one that still
uses the old code, lands where it would have been.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.values import immutable


@immutable
class Stay:
    """A unit that holds the dossier from an instant on; the first stay has no beginning.

    ``succeeds`` says that the unit is a successor of the one that held the dossier before.
    """

    unit: int
    since: datetime | None
    succeeds: bool = False


@dataclass(frozen=True, slots=True)
class Heir:
    """The unit that goes on for another one, from an instant on (đơn vị kế thừa)."""

    unit: int
    since: datetime


Heirs = Mapping[int, Heir]
"""The heir of each unit that has one; no chain of heirs comes back to its beginning."""

Lull = tuple[datetime, datetime | None]
"""From when until when a dossier waits for nobody: ended, refused or voided; None is for good."""


def final(unit: int, heirs: Heirs, *, at: datetime | None = None) -> int:
    """Return the unit that goes on for another at an instant, or in the end; itself without one."""
    while (heir := heirs.get(unit)) is not None and (at is None or heir.since <= at):
        unit = heir.unit
    return unit


def is_heir(unit: int, of: int, heirs: Heirs) -> bool:
    """Tell whether a unit goes on for another, at once or through others."""
    while (heir := heirs.get(of)) is not None:
        of = heir.unit
        if of == unit:
            return True
    return False


def inherited(
    stays: Sequence[Stay], heirs: Heirs, *, begins: datetime, lulls: Sequence[Lull]
) -> tuple[Stay, ...]:
    """Return the stays of a dossier with what passed to successors meanwhile.

    What waits for somebody passes on the day of the succession. What has ended stays where it
    ended, and passes only when it is taken up again. A code that is used after its unit has ceased
    means the successor.

    :param begins: the first instant of the dossier, for the stay that has no beginning.
    """
    found: list[Stay] = []
    for index, told in enumerate(stays):
        later = stays[index + 1 :]
        until = later[0].since if later else None
        for stay in _held(told, until, heirs, begins, lulls):
            if not found:
                found.append(stay)
            elif stay.unit != found[-1].unit:
                succeeds = is_heir(stay.unit, found[-1].unit, heirs)
                found.append(Stay(stay.unit, stay.since, succeeds))
    return tuple(found)


def _held(
    told: Stay, until: datetime | None, heirs: Heirs, begins: datetime, lulls: Sequence[Lull]
) -> Iterator[Stay]:
    """Yield the unit that was told, as it was then, and those to which the dossier passed."""
    here = told.since or begins
    unit = final(told.unit, heirs, at=here)
    yield Stay(unit, told.since)
    while (heir := heirs.get(unit)) is not None:
        passes = _awake(heir.since, lulls)
        if passes is None or (until is not None and passes >= until):
            return
        unit = final(heir.unit, heirs, at=passes)
        yield Stay(unit, passes)


def _awake(at: datetime, lulls: Sequence[Lull]) -> datetime | None:
    """Return the first instant from ``at`` on at which the dossier waits, None if none comes."""
    for begun, ended in lulls:
        if begun < at and (ended is None or ended > at):
            if ended is None:
                return None
            at = ended
    return at
