"""Decimals in and out, exactly."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.rounding import Rounding, Stage, from_decimal, plain, rounded, to_decimals

decimals = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6)


@given(decimals, st.integers(0, 6))
def test_half_up_is_that_of_decimal_arithmetic(number: Decimal, dp: int) -> None:
    expected = number.quantize(Decimal(1).scaleb(-dp), rounding=ROUND_HALF_UP)

    assert rounded(Fraction(number), dp) == Fraction(expected)


@given(decimals, st.integers(0, 6))
def test_truncation_is_towards_zero(number: Decimal, dp: int) -> None:
    expected = number.quantize(Decimal(1).scaleb(-dp), rounding=ROUND_DOWN)

    assert rounded(Fraction(number), dp, Rounding.TRUNCATE) == Fraction(expected)


@given(decimals)
def test_what_is_written_plainly_is_read_back(number: Decimal) -> None:
    assert from_decimal(plain(Fraction(number))) == Fraction(number)


def test_a_number_without_an_end_is_written_as_a_fraction() -> None:
    assert plain(Fraction(1, 3)) == "1/3"


@pytest.mark.parametrize(
    ("value", "dp", "text"),
    [
        (Fraction(1, 8), 2, "0.13"),
        (Fraction(-1, 8), 2, "-0.13"),
        (Fraction(-1, 1000), 2, "0.00"),
        (Fraction(5, 2), 0, "3"),
        (Fraction(75), 2, "75.00"),
    ],
)
def test_a_number_is_written_with_all_its_decimals(value: Fraction, dp: int, text: str) -> None:
    assert to_decimals(value, dp) == text


def test_a_stage_rounds_and_writes() -> None:
    stage = Stage(2, Rounding.TRUNCATE)

    assert stage.of(Fraction(6262, 70)) == Fraction(8945, 100)
    assert stage.text(Fraction(6262, 70)) == "89.45"


@pytest.mark.parametrize(
    "text", ["", "1e3", "1,5", "Infinity", "nan", "1.", " 1", "1_000", "0x1", "9" * 41, "²"]
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        from_decimal(text)
