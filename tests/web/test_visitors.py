"""The note that a browser keeps of a visit, and the way back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.deps import Installation
from app.store.session import Database
from app.usecases.access import Keyring, Principal, Scope, Unauthenticated
from app.usecases.coalescing import Coalescer
from app.web.visitors import LASTS, note_of, opened, way_back

NOW = datetime(2026, 8, 20, 3, 30, tzinfo=UTC)
WHO = Principal(
    key_id=1,
    prefix="dh_test_abcdefgh",
    name="x",
    source_id=1,
    source_code="x",
    unit_id=None,
    unit_code=None,
    lft=0,
    rgt=9,
    scopes=frozenset({Scope.STATISTICS_READ}),
)


def installation(secret: bytes = b"one secret of the tests") -> Installation:
    database = Database("postgresql+psycopg://")
    return Installation(
        database=database,
        coalescer=Coalescer(database, most_together=1),
        batches=Coalescer(database, most_together=1),
        clock=lambda: NOW,
        environment="test",
        secret=secret,
        keyring=Keyring(secret=secret, environment="test"),
    )


def test_a_note_opens_until_its_end() -> None:
    here = installation()
    note = note_of(here, WHO, now=NOW)

    assert opened(here, note, now=NOW + LASTS - timedelta(seconds=1)) == WHO.prefix
    with pytest.raises(Unauthenticated):
        opened(here, note, now=NOW + LASTS)


def test_a_note_of_another_installation_opens_nothing() -> None:
    note = note_of(installation(b"another secret of the tests"), WHO, now=NOW)

    with pytest.raises(Unauthenticated):
        opened(installation(), note, now=NOW)


def test_a_note_that_was_changed_opens_nothing() -> None:
    here = installation()
    good = note_of(here, WHO, now=NOW)
    other = note_of(here, replace(WHO, prefix="dh_test_zzzzzzzz"), now=NOW)

    forged = other.rpartition(".")[0] + "." + good.rpartition(".")[2]
    for note in ("", ".", "..", "a.b.c", "x" * 500, "đ.1.2", good[:-1], good + "0", forged):
        with pytest.raises(Unauthenticated):
            opened(here, note, now=NOW)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("/?unit=H44", "/?unit=H44"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example/", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_is_always_ours(asked: str, expected: str) -> None:
    assert way_back(asked) == expected
