"""Sessions of the national door: sealed, ending, and bound to their key."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.usecases import national
from app.usecases.access import Principal, Scope, Unauthenticated
from app.usecases.national import SESSION_LASTS, SessionUnknown, check_name, open_session, prefix_in

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
KEY = b"a key of the tests"
WHO = Principal(
    key_id=7,
    prefix="dh_test_AbCdEfGh",
    name="Một cửa Việt Trì",
    source_id=1,
    source_code="mot-cua",
    unit_id=None,
    unit_code=None,
    lft=0,
    rgt=9,
    scopes=frozenset({Scope.DOSSIERS_WRITE}),
)


@given(st.timedeltas(timedelta(0), SESSION_LASTS - timedelta(seconds=1)))
def test_a_session_opens_its_key_until_its_end(after: timedelta) -> None:
    session = open_session(KEY, WHO, now=NOW)

    assert national.is_session(session)
    assert prefix_in(KEY, session, now=NOW + after) == WHO.prefix


def test_a_session_opens_nothing_from_its_end_on() -> None:
    session = open_session(KEY, WHO, now=NOW)

    with pytest.raises(SessionUnknown):
        prefix_in(KEY, session, now=NOW + SESSION_LASTS)


def test_a_session_of_another_installation_opens_nothing() -> None:
    session = open_session(b"another key", WHO, now=NOW)

    with pytest.raises(SessionUnknown):
        prefix_in(KEY, session, now=NOW)


@given(st.one_of(st.none(), st.text(max_size=80), st.text(max_size=80).map("dhs_".__add__)))
def test_no_text_that_we_did_not_give_is_a_session(text: str | None) -> None:
    with pytest.raises(SessionUnknown):
        prefix_in(KEY, text, now=NOW)


@pytest.mark.parametrize("username", ["dh_test_AbCdEfGh", "Một cửa Việt Trì", " mot-cua "])
def test_a_sender_is_known_by_prefix_name_or_source(username: str) -> None:
    check_name(WHO, username)


@pytest.mark.parametrize("username", ["", "mot", "MOT-CUA", "dh_test_"])
def test_any_other_name_is_nobody(username: str) -> None:
    with pytest.raises(Unauthenticated):
        check_name(WHO, username)
