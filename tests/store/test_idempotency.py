"""Answers under keys, as rows."""

from datetime import UTC, datetime, timedelta

import pytest

from app.store import access, idempotency
from app.store.session import WriteSession

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
def key_id(session: WriteSession) -> int:
    source_id, _ = access.ensure_source(session, "S", name="S")
    return access.add_key(
        session,
        prefix="dh_test_aaaaaaaa",
        digest=b"d" * 32,
        name="N",
        source_id=source_id,
        unit_id=None,
        scopes=("admin",),
        created_at=NOW,
        expires_at=None,
    )


def claim(session: WriteSession, key_id: int, key: str = "k", route: str = "POST /x") -> bool:
    return idempotency.claim(
        session, key_id=key_id, route=route, key=key, fingerprint=b"f", now=NOW
    )


def test_a_key_is_claimed_once_for_each_route(session: WriteSession, key_id: int) -> None:
    assert claim(session, key_id)
    assert not claim(session, key_id)
    assert claim(session, key_id, key="l")
    assert claim(session, key_id, route="POST /y")


def test_what_was_answered_is_found_until_it_is_purged(session: WriteSession, key_id: int) -> None:
    claim(session, key_id)
    idempotency.keep(session, key_id=key_id, route="POST /x", key="k", status=201, body=b"{}")

    kept = idempotency.find(session, key_id=key_id, route="POST /x", key="k")

    assert kept == idempotency.Kept(b"f", 201, b"{}")
    assert idempotency.purge(session, before=NOW) == 0
    assert idempotency.purge(session, before=NOW + timedelta(seconds=1)) == 1
    assert idempotency.find(session, key_id=key_id, route="POST /x", key="k") is None
