"""The tree of units as intervals, and the words by which senders name them."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.store import units
from app.store.session import WriteSession
from app.store.tables import quarantine
from app.store.units import Slots, TreeTooDeep, UnitRow, UnitUnknown, code_forms

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def add(
    session: WriteSession,
    code: str,
    parent: UnitRow | None = None,
    *,
    name: str | None = None,
    legacy: tuple[str, ...] = (),
) -> UnitRow:
    return units.add(
        session,
        Slots.of(session),
        code=code,
        name=name or code,
        level="commune",
        parent=parent,
        valid_from=None,
        valid_to=None,
        legacy_codes=legacy,
        now=NOW,
    )


def current(session: WriteSession, code: str) -> UnitRow:
    return units.by_code(session, [code])[code]


def test_an_interval_holds_those_below_and_none_beside(session: WriteSession) -> None:
    root, other = add(session, "H44"), add(session, "H15")
    first, second = add(session, "H44.1", root), add(session, "H44.2", root)
    leaf = add(session, "H44.1.1", first)

    assert root.lft < first.lft < leaf.lft <= leaf.rgt <= first.rgt < second.lft <= root.rgt
    assert other.lft > root.rgt
    assert [row.code for row in units.subtree(session, first.lft, first.rgt)] == [
        "H44.1",
        "H44.1.1",
    ]
    assert [row.code for row in units.ancestors(session, leaf)] == ["H44.1.1", "H44.1", "H44"]
    assert [row.code for row in units.children(session, root.id)] == ["H44.1", "H44.2"]
    assert units.lineages(session, [leaf.id]) == {leaf.id: (root.id, first.id, leaf.id)}


def test_adding_units_renumbers_nothing(session: WriteSession) -> None:
    root = add(session, "H44")
    before = [add(session, f"H44.{number}", root) for number in range(50)]

    add(session, "H44.x", root)

    assert [current(session, row.code).lft for row in before] == [row.lft for row in before]


def test_a_tree_has_five_levels(session: WriteSession) -> None:
    row = add(session, "0")
    for depth in range(1, 5):
        row = add(session, f"0.{depth}", row)

    with pytest.raises(TreeTooDeep):
        add(session, "0.5", row)


def test_a_moved_unit_takes_those_below_and_what_they_hold(session: WriteSession) -> None:
    old, new = add(session, "OLD"), add(session, "NEW")
    row = add(session, "U", old)
    leaf = add(session, "U.1", row)
    add(session, "NEW.1", new)
    session.execute(
        sa.insert(quarantine).values(
            unit_id=leaf.id,
            id=sa.func.gen_random_uuid(),
            unit_lft=leaf.lft,
            source_id=1,
            door="native",
            raw={},
            faults=[],
        )
    )

    moved = units.move(session, Slots.of(session), row, new)

    assert moved == 2
    row, leaf, new = current(session, "U"), current(session, "U.1"), current(session, "NEW")
    assert row.parent_code == "NEW"
    assert new.lft < row.lft < leaf.lft <= leaf.rgt <= row.rgt <= new.rgt
    assert session.scalar(sa.select(quarantine.c.unit_lft)) == leaf.lft
    lfts = [each.lft for each in units.subtree(session, 0, 2**63 - 1)]
    assert len(lfts) == len(set(lfts)) == 5


def test_a_word_is_a_code_a_former_code_a_code_written_backwards_or_a_name(
    session: WriteSession,
) -> None:
    root = add(session, "H44", name="Tỉnh Phú Thọ")
    row = add(session, "H44.100", root, name="UBND phường Việt Trì", legacy=("H44.01.02",))
    words = {
        "H44.100",
        " H44.100 ",
        "H44.01.02",
        "000.00.100.H44",
        "000.00.00.H44",
        "ubnd  PHƯỜNG việt trì",
        "UBND phường Việt Trì".encode().decode(),
        "UBND phường Không Có",
    }

    found = units.resolve_many(session, words, lft=root.lft, rgt=root.rgt)

    assert found.pop("000.00.00.H44") == root.id
    assert set(found) == words - {"UBND phường Không Có", "000.00.00.H44"}
    assert set(found.values()) == {row.id}


def test_what_is_not_certain_is_not_resolved(session: WriteSession) -> None:
    root, other = add(session, "H44"), add(session, "H15")
    add(session, "H44.1", root, name="UBND xã Tân Lập", legacy=("OLD",))
    add(session, "H44.2", root, name="UBND xã Tân Lập", legacy=("OLD",))
    add(session, "H15.1", other, name="UBND xã Hòa Bình")
    words = {"UBND xã Tân Lập", "OLD", "UBND xã Hòa Bình", "H15.1"}

    assert units.resolve_many(session, words, lft=root.lft, rgt=root.rgt) == {}


def test_the_place_of_unknown_units_is_made_once_and_has_no_name_to_match(
    session: WriteSession,
) -> None:
    root = add(session, "H44")

    bucket = units.bucket_of(session, root, now=NOW)
    again = units.bucket_of(session, root, now=NOW)
    whole = units.bucket_of(session, None, now=NOW)

    assert bucket == again
    assert (bucket.code, bucket.is_bucket) == ("H44~unknown", True)
    assert root.lft < bucket.lft <= root.rgt
    assert whole.parent_id is None
    assert bucket.name == bucket.code
    words = {"Đơn vị chưa xác định", "unknown"}
    assert units.resolve_many(session, words, lft=0, rgt=2**63 - 1) == {}


def test_a_unit_nobody_told_is_unknown(session: WriteSession) -> None:
    with pytest.raises(UnitUnknown):
        units.get(session, "H99")


@pytest.mark.parametrize(
    ("told", "forms"),
    [
        ("H44.100", ("H44.100",)),
        ("000.00.100.H44", ("000.00.100.H44", "H44.100")),
        ("000.00.01.H22", ("000.00.01.H22", "H22.01", "H22.1")),
        ("000.02.01.H22", ("000.02.01.H22", "H22.01.02", "H22.1.2")),
        ("000.00.00.G15", ("000.00.00.G15", "G15")),
        ("1.001193", ("1.001193",)),
        ("...", ("...",)),
        ("", ("",)),
    ],
)
def test_an_old_code_is_turned_round(told: str, forms: tuple[str, ...]) -> None:
    assert code_forms(told) == forms


@given(st.text(max_size=40))
def test_no_word_is_too_odd_to_be_turned(told: str) -> None:
    assert code_forms(told)
