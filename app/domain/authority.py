"""Who may tell what of a dossier (thẩm quyền): by the place of a key in the tree of units.

A key speaks for its units. It may tell of the time at which one of them held the dossier, and
take a dossier over by a transfer that says so; a plain record of a unit that does not hold the
dossier takes nothing. What undoes a figure needs a unit strictly above the one that holds it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.stay import Stay

Entitled = Callable[[int], bool]
"""Tells whether a key speaks for a unit, or nobody does because the unit is not known."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the tree of units: a unit and all below it."""

    lft: int
    rgt: int

    def covers(self, other: "Span") -> bool:
        """Tell whether the other lies within."""
        return self.lft <= other.lft and other.rgt <= self.rgt

    def is_above(self, other: "Span") -> bool:
        """Tell whether the other lies within and is not the same."""
        return self.covers(other) and self != other


def may_tell(
    stays: Sequence[Stay], at: datetime, *, entitled: Entitled, taken_over_by: int | None = None
) -> bool:
    """Tell whether a key may tell of a dossier as of a moment.

    ``taken_over_by`` is the unit to which the message says that the dossier is transferred.
    """
    if entitled(held_at(stays, at)):
        return True
    return taken_over_by is not None and entitled(taken_over_by)


def held_at(stays: Sequence[Stay], at: datetime) -> int:
    """Return the unit that held a dossier at a moment; the first held it from the beginning."""
    held = stays[0].unit
    for stay in stays[1:]:
        if stay.since is not None and stay.since <= at:
            held = stay.unit
    return held
