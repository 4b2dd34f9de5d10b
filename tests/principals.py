"""Holders of keys for tests that stand below the doors."""

from app.store.units import UnitRow
from app.usecases.access import Principal, Scope


def holder(unit: UnitRow | None, *scopes: Scope) -> Principal:
    """Return who holds a key for a unit and those below, None for the whole installation."""
    return Principal(
        key_id=1,
        prefix=f"dh_test_{'all' if unit is None else unit.code}",
        name="t",
        source_id=1,
        source_code="t",
        unit_id=None if unit is None else unit.id,
        unit_code=None if unit is None else unit.code,
        lft=0 if unit is None else unit.lft,
        rgt=2**62 if unit is None else unit.rgt,
        scopes=frozenset(scopes or Scope),
    )
