"""Keys: made once, checked in one way, ended in time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store import access as rows
from app.store.session import WriteSession
from app.store.units import UnitUnknown
from app.usecases import access, catalogue
from app.usecases.access import (
    ExpiryTooLate,
    Keyring,
    KeyUnknown,
    NewKey,
    Scope,
    ScopeMissing,
    ScopesEmpty,
    ScopeUnknown,
    Unauthenticated,
)
from app.usecases.catalogue import UnitLevel, UnitSpec

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
RING = Keyring(secret=b"one", environment="test")


def issue(session: WriteSession, ring: Keyring = RING, **changes: object) -> NewKey:
    values: dict[str, object] = {
        "name": "N",
        "source": "S",
        "unit": None,
        "scopes": ["dossiers:read"],
        "actor": "test",
        "now": NOW,
    }
    return access.issue_key(session, ring, **(values | changes))  # type: ignore[arg-type]  # a factory


def fresh() -> Keyring:
    """Return a keyring of the same installation that remembers nothing."""
    return Keyring(secret=b"one", environment="test")


def test_a_key_opens_what_it_was_made_for(session: WriteSession) -> None:
    spec = UnitSpec(code="H44", name="P", level=UnitLevel.PROVINCE)
    unit = catalogue.put_unit(session, spec, actor="test", now=NOW).row
    made = issue(session, unit="H44", scopes=["dossiers:read", "dossiers:write"])

    who = access.authenticate(session, RING, made.key, now=NOW)

    assert (who.source_code, who.unit_code, who.lft, who.rgt) == ("S", "H44", unit.lft, unit.rgt)
    assert who.scopes == {Scope.DOSSIERS_READ, Scope.DOSSIERS_WRITE}
    assert who.covers(unit.lft)
    assert not who.covers(unit.rgt + 1)
    with pytest.raises(ScopeMissing):
        who.require(Scope.ADMIN)


def test_the_secret_is_kept_nowhere(session: WriteSession) -> None:
    made = issue(session)

    row = rows.find_key(session, made.prefix)

    assert row is not None
    assert made.key.startswith("dh_test_")
    assert made.key.removeprefix(made.prefix + "_").encode() not in repr(row).encode()


def test_a_key_has_its_form_and_its_checksum() -> None:
    key = RING.mint()
    environment, identity, secret = key.removeprefix("dh_").split("_")

    assert (environment, len(identity), len(secret)) == ("test", 8, 43)
    assert access.checksum(key[:-6]) == key[-6:]
    assert access.prefix_of(key) == f"dh_test_{identity}"


@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_key(text: str) -> None:
    assert access.prefix_of(text) is None


def test_wrong_unknown_foreign_expired_and_revoked_keys_are_all_refused_alike(
    session: WriteSession,
) -> None:
    made = issue(session, expires_at=NOW + timedelta(days=1))
    ended = issue(session)
    access.revoke_key(session, RING, ended.prefix, actor="test", now=NOW)
    body = made.prefix + "_" + "A" * 37
    cases = {
        "wrong": (fresh(), body + access.checksum(body), NOW),
        "unknown": (fresh(), RING.mint(), NOW),
        "other environment": (fresh(), Keyring(secret=b"one", environment="demo").mint(), NOW),
        "other pepper": (Keyring(secret=b"two", environment="test"), made.key, NOW),
        "expired": (fresh(), made.key, NOW + timedelta(days=1)),
        "revoked": (fresh(), ended.key, NOW),
        "malformed": (fresh(), "dh_test_x", NOW),
        "not ascii": (fresh(), "khóa", NOW),
        "empty": (fresh(), "", NOW),
    }

    for name, (ring, key, now) in cases.items():
        with pytest.raises(Unauthenticated):
            access.authenticate(session, ring, key, now=now)
        assert access.recall(ring, key, now=now) is None, name


def test_a_good_key_is_remembered_for_five_seconds_and_a_revoked_one_is_not(
    session: WriteSession,
) -> None:
    ring, made = fresh(), issue(session)
    access.authenticate(session, ring, made.key, now=NOW)

    assert access.recall(ring, made.key, now=NOW + timedelta(seconds=4)) is not None
    assert access.recall(ring, made.key, now=NOW + timedelta(seconds=5)) is None
    slip = made.key[:-1] + ("1" if made.key.endswith("0") else "0")
    assert access.recall(ring, slip, now=NOW) is None
    access.revoke_key(session, ring, made.prefix, actor="test", now=NOW)
    assert access.recall(ring, made.key, now=NOW) is None


def test_use_is_noted_once_a_minute(session: WriteSession) -> None:
    ring, made = fresh(), issue(session)
    who = access.authenticate(session, ring, made.key, now=NOW)

    assert access.needs_touch(ring, who, now=NOW)
    access.touch(session, ring, who, now=NOW)

    assert not access.needs_touch(ring, who, now=NOW + timedelta(seconds=4))
    row = rows.find_key(session, made.prefix)
    assert row is not None
    assert row.last_used_at == NOW
    later = NOW + timedelta(seconds=61)
    access.authenticate(session, ring, made.key, now=later)
    assert access.needs_touch(ring, who, now=later)


def test_a_rotated_key_overlaps_with_its_successor(session: WriteSession) -> None:
    old = issue(session, scopes=["admin"])

    new = access.rotate_key(
        session, RING, old.prefix, overlap=timedelta(hours=1), actor="test", now=NOW
    )

    during, after = NOW + timedelta(minutes=59), NOW + timedelta(hours=1)
    assert access.authenticate(session, fresh(), old.key, now=during).scopes == {Scope.ADMIN}
    assert access.authenticate(session, fresh(), new.key, now=after).scopes == {Scope.ADMIN}
    with pytest.raises(Unauthenticated):
        access.authenticate(session, fresh(), old.key, now=after)


def test_a_key_that_cannot_be_is_refused(session: WriteSession) -> None:
    with pytest.raises(ScopeUnknown):
        issue(session, scopes=["everything"])
    with pytest.raises(ScopesEmpty):
        issue(session, scopes=[])
    with pytest.raises(UnitUnknown):
        issue(session, unit="H99")
    with pytest.raises(ExpiryTooLate):
        issue(session, expires_at=NOW + timedelta(days=401))
    with pytest.raises(KeyUnknown):
        access.revoke_key(session, RING, "dh_test_nothing0", actor="test", now=NOW)


def test_revoking_twice_is_told_and_harmless(session: WriteSession) -> None:
    made = issue(session)

    assert access.revoke_key(session, RING, made.prefix, actor="test", now=NOW)
    assert not access.revoke_key(session, RING, made.prefix, actor="test", now=NOW)


def test_keys_are_listed_without_their_secrets(session: WriteSession) -> None:
    made = issue(session)

    assert [row.prefix for row in access.list_keys(session)] == [made.prefix]
