"""Columns of values reach the server as they are, whatever is written in them."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.record import MessageKind
from app.store.arrays import array_of, columns_of
from app.store.session import WriteSession

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
hostile = st.text('\\"{},nulNUL \n\t\x01', max_size=8)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | texts | hostile, max_size=6))
def test_texts_come_back_as_they_were(session: WriteSession, words: list[str | None]) -> None:
    found = session.ask(b"SELECT $1::text[]", array_of(words))

    assert found == [(words,)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**31), 2**31 - 1),
            st.none() | st.booleans(),
            st.none() | st.datetimes(timezones=st.just(UTC)),
            hostile,
        ),
        max_size=5,
    )
)
def test_rows_come_back_from_their_columns(
    session: WriteSession,
    rows: list[tuple[int | None, bool | None, datetime | None, str]],
) -> None:
    found = session.ask(
        b"SELECT unnest($1::int[]), unnest($2::boolean[]), unnest($3::timestamptz[]),"
        b" unnest($4::text[])",
        *columns_of(rows, 4),
    )

    assert found == rows


def test_a_member_of_a_set_of_words_is_its_word(session: WriteSession) -> None:
    assert session.ask(b"SELECT $1::text[]", array_of([MessageKind.VOID])) == [(["void"],)]
    assert session.ask(b"SELECT $1::text[]", array_of([MessageKind.VOID, "\\"])) == [
        (["void", "\\"],)
    ]


def test_rows_of_other_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        columns_of([(1, 2), (3,)], 2)
