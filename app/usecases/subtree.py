"""The part of the tree of units that a question is about, never beyond the asker's own."""

from dataclasses import dataclass

from app.store import units
from app.store.session import ReadSession
from app.store.units import UnitRow, UnitUnknown
from app.usecases.access import Principal


@dataclass(frozen=True, slots=True)
class Subtree:
    """Units from ``lft`` to ``rgt``: one and all below it, or everything that a key may see."""

    lft: int
    rgt: int


def reach_of(who: Principal) -> Subtree:
    """Return everything that a caller may see."""
    return Subtree(who.lft, who.rgt)


def subtree_of(session: ReadSession, who: Principal, code: str | None) -> Subtree:
    """Return the subtree of a unit, or all that the asker may see when none is named.

    :raises UnitUnknown: there is no such unit, or it lies outside what the asker may see.
    """
    if code is None:
        return reach_of(who)
    found = unit_of(session, who, code)
    return Subtree(found.lft, found.rgt)


def unit_of(session: ReadSession, who: Principal, code: str) -> UnitRow:
    """Return a unit that the asker may see.

    :raises UnitUnknown: there is no such unit, or it lies outside what the asker may see.
    """
    found = units.get(session, code)
    if not who.covers(found.lft):
        raise UnitUnknown(unit=code)
    return found
