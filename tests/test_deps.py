"""What a route may ask for: cursors that cannot be carried elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deps import CursorInvalid, PageAsked, needs

positions = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
).filter(lambda value: value is not None)
filters = st.dictionaries(st.sampled_from(["unit", "level"]), st.none() | st.text(), max_size=2)


def asked(cursor: str | None = None, *, key: bytes = b"k", path: str = "/x") -> PageAsked:
    return PageAsked(limit=10, cursor=cursor, key=key, path=path)


@given(positions, filters)
def test_a_cursor_brings_back_its_position(position: object, over: dict[str, object]) -> None:
    cursor = asked().cursor_after(position, **over)

    assert asked(cursor).position(**over) == position


@given(st.text())
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        asked(text).position()


def test_a_cursor_is_bound_to_its_list_its_filters_and_its_installation() -> None:
    cursor = asked().cursor_after("H44", unit="A")

    carried = [
        (asked(cursor), "B"),
        (asked(cursor, path="/y"), "A"),
        (asked(cursor, key=b"l"), "A"),
        (asked(cursor[:-4] + "AAAA"), "A"),
    ]

    for page, unit in carried:
        with pytest.raises(CursorInvalid):
            page.position(unit=unit)


def test_the_first_page_has_no_position() -> None:
    assert asked().position() is None


def test_a_scope_that_does_not_exist_stops_the_start() -> None:
    with pytest.raises(ValueError, match="everything"):
        needs("everything")
