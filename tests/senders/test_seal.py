"""Secrets at rest."""

import pytest

from app.senders.seal import SealBroken, Sealer

SEALER = Sealer(b"k" * 32)


def test_a_secret_comes_back_and_is_not_to_be_seen_in_what_is_stored() -> None:
    sealed = SEALER.seal("whsec_c2VjcmV0", owner="one")

    assert SEALER.open(sealed, owner="one") == "whsec_c2VjcmV0"
    assert b"c2VjcmV0" not in sealed


def test_the_same_secret_is_never_sealed_the_same_way_twice() -> None:
    assert SEALER.seal("a", owner="one") != SEALER.seal("a", owner="one")


def test_a_seal_carried_to_another_row_does_not_open() -> None:
    with pytest.raises(SealBroken):
        SEALER.open(SEALER.seal("a", owner="one"), owner="two")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        Sealer(b"other" * 8).open(SEALER.seal("a", owner="one"), owner="one")


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02" + b"x" * 40, b"\x01" + b"x" * 40])
def test_damage_is_noticed(damage: bytes) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(damage, owner="one")
