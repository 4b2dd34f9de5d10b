"""Single fields: exact about form, kind about what does not matter, and never a guess."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from app.api import fields

READERS = [
    fields.read_instant,
    fields.read_told_instant,
    fields.read_day,
    fields.read_wall_time,
    fields.read_period,
    fields.read_number,
    fields.read_text,
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@given(anything, st.sampled_from(READERS))
def test_any_value_is_read_or_refused_under_a_code_of_ours(value: object, read: object) -> None:
    assert callable(read)

    assert refusal(read, value).startswith("field.")


def refusal(read: Callable[[object], object], value: object) -> str:
    """Return the code under which a value is refused, ``field.`` when it is read."""
    try:
        read(value)
    except PydanticCustomError as error:
        return error.type
    return "field."


@pytest.mark.parametrize(
    "told",
    [
        "2026-08-03T09:10:00+07:00",
        "2026-08-03T02:10:00Z",
        "2026-08-03t02:10:00z",
        "2026-08-03 09:10+07:00",
        " 2026-08-03T09:10:00.000+07:00 ",
    ],
)
def test_an_instant_is_one_however_it_is_written(told: str) -> None:
    assert fields.read_instant(told) == datetime(2026, 8, 3, 2, 10, tzinfo=UTC)
    assert fields.read_instant(told).tzinfo is UTC


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("2026-08-03T09:10:00", "field.no_offset"),
        ("2026-08-03", "field.not_instant"),
        (1785723000, "field.not_instant"),
        ("20260803T091000Z", "field.not_instant"),
        ("2026-02-30T09:10:00Z", "field.not_instant"),
        ("2026-08-03T25:10:00Z", "field.not_instant"),
        ("2026-08-03T09:10:00+99:99", "field.not_instant"),
        ("0001-01-01T00:00:00+14:00", "field.year_out_of_range"),
        ("9999-12-31T23:59:59-14:00", "field.year_out_of_range"),
        ("٢٠٢٦-08-03T09:10:00Z", "field.not_instant"),
    ],
)
def test_what_is_no_instant_is_named(told: object, code: str) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        fields.read_instant(told)

    assert refused.value.type == code


def test_days_times_durations_and_numbers_are_read_exactly() -> None:
    assert fields.read_day("2026-08-03") == date(2026, 8, 3)
    assert fields.read_wall_time("15:00") == time(15)
    assert fields.read_period("PT4H30M") == timedelta(hours=4, minutes=30)
    assert fields.read_number(4.1) == Fraction(41, 10)
    assert fields.read_number(5) == 5


@pytest.mark.parametrize("value", [True, "5", None, 10_001, -10_001, 1e300])
def test_what_is_no_number_or_beyond_all_measure_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        fields.read_number(value)


def test_a_text_comes_in_one_form() -> None:
    assert fields.read_text("  Vie\u0323\u0302t Tri\u0300 ") == "Việt Trì"


@pytest.mark.parametrize("value", ["a\x00b", "a\x1bb", "\ud800", 7, None])
def test_a_text_without_sense_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError):
        fields.read_text(value)
