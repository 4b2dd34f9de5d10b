"""Keys and sources as rows."""

from datetime import UTC, datetime, timedelta

from app.store import access
from app.store.session import WriteSession

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def add(session: WriteSession, prefix: str = "dh_test_aaaaaaaa") -> int:
    source_id, _ = access.ensure_source(session, "S", name="S")
    return access.add_key(
        session,
        prefix=prefix,
        digest=b"d" * 32,
        name="N",
        source_id=source_id,
        unit_id=None,
        scopes=("admin",),
        created_at=NOW,
        expires_at=None,
    )


def test_a_source_is_made_once(session: WriteSession) -> None:
    first, made = access.ensure_source(session, "S", name="S")
    second, again = access.ensure_source(session, "S", name="other")

    assert (first, made, again) == (second, True, False)


def test_a_key_without_a_unit_is_for_the_whole_tree(session: WriteSession) -> None:
    add(session)

    row = access.find_key(session, "dh_test_aaaaaaaa")

    assert row is not None
    assert (row.unit_id, row.unit_code) == (None, None)
    assert (row.lft, row.rgt) == access.WHOLE
    assert access.find_key(session, "dh_test_bbbbbbbb") is None
    assert [each.prefix for each in access.list_keys(session)] == ["dh_test_aaaaaaaa"]


def test_an_end_only_ever_comes_nearer(session: WriteSession) -> None:
    number = add(session)

    access.expire_key(session, number, at=NOW + timedelta(days=2))
    access.expire_key(session, number, at=NOW + timedelta(days=9))

    row = access.find_key(session, "dh_test_aaaaaaaa")
    assert row is not None
    assert row.expires_at == NOW + timedelta(days=2)


def test_use_within_the_grain_is_not_written_again(session: WriteSession) -> None:
    number = add(session)
    minute = timedelta(minutes=1)

    access.touch_key(session, number, now=NOW, grain=NOW - minute)
    later = NOW + timedelta(seconds=30)
    access.touch_key(session, number, now=later, grain=later - minute)

    row = access.find_key(session, "dh_test_aaaaaaaa")
    assert row is not None
    assert row.last_used_at == NOW
