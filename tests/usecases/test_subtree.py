"""Nobody asks beyond their own part of the tree."""

import pytest

from app.store.session import WriteSession
from app.store.units import UnitRow, UnitUnknown
from app.usecases.access import Principal
from app.usecases.subtree import Subtree, reach_of, subtree_of, unit_of
from tests.factories import make_unit


def holder_of(unit: UnitRow) -> Principal:
    return Principal(
        key_id=1,
        prefix="dh_test_1",
        name="test",
        source_id=1,
        source_code="mot-cua",
        unit_id=unit.id,
        unit_code=unit.code,
        lft=unit.lft,
        rgt=unit.rgt,
        scopes=frozenset(),
    )


def test_the_subtree_of_a_unit_is_answered_to_those_above_it_alone(session: WriteSession) -> None:
    province = make_unit(session)
    commune, sibling = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))

    whole = Subtree(province.lft, province.rgt)
    assert subtree_of(session, holder_of(province), None) == whole
    assert subtree_of(session, holder_of(province), "H44.1") == Subtree(commune.lft, commune.rgt)
    assert reach_of(holder_of(commune)) == Subtree(commune.lft, commune.rgt)
    assert unit_of(session, holder_of(commune), "H44.1").id == commune.id
    for code in ("H44", "H44.2", "H99"):
        with pytest.raises(UnitUnknown):
            subtree_of(session, holder_of(commune), code)
    assert sibling.parent_id == province.id
