"""Dossiers are found by their numbers, and a number that too many share takes no more."""

from app.store import numbers
from app.store.numbers import MOST_HOLDERS
from app.store.session import WriteSession


def test_who_enters_a_sign_learns_who_was_there(session: WriteSession) -> None:
    numbers.enter(session, {"H44-1": [(1, "H44-1")]})

    found = numbers.enter(session, {"H44-1": [(2, "BN:1")], "BN:1": [(2, "BN:1")]}).get()

    assert found == {"H44-1": frozenset({(1, "H44-1"), (2, "BN:1")})}
    assert numbers.holders(session, ["H44-1", "H44-9", "BN:1"]).get() == dict(found) | {
        "BN:1": frozenset({(2, "BN:1")})
    }


def test_entering_again_changes_nothing(session: WriteSession) -> None:
    numbers.enter(session, {"H44-1": [(1, "H44-1")]})
    numbers.enter(session, {"H44-1": [(1, "H44-1")]})

    assert numbers.holders(session, ["H44-1"]).get()["H44-1"] == {(1, "H44-1")}
    assert numbers.enter(session, {}).get() == numbers.holders(session, []).get() == {}


def test_a_sign_that_many_share_takes_no_more(session: WriteSession) -> None:
    for source in range(1, MOST_HOLDERS + 3):
        numbers.enter(session, {"H44-1": [(source, "H44-1")]})

    found = numbers.holders(session, ["H44-1"]).get()["H44-1"]

    assert found == {(source, "H44-1") for source in range(1, MOST_HOLDERS + 1)}
    assert numbers.missing(session, {"H44-1": [(99, "H44-1")]}) == set()


def test_what_is_not_entered_is_named(session: WriteSession) -> None:
    numbers.enter(session, {"H44-1": [(1, "H44-1")]})

    found = numbers.missing(session, {"H44-1": [(1, "H44-1"), (2, "A")], "B": [(3, "B")]})

    assert found == {(2, "A"), (3, "B")}
