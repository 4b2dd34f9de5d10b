"""Exact numbers to and from decimals: how a score is rounded, and how a decimal is read.

No binary floating point passes through here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Rounding(StrEnum):
    """What happens to the digits that are not kept."""

    HALF_UP = "half_up"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of rounding (làm tròn): how many decimals are kept, and how."""

    dp: int
    rounding: Rounding = Rounding.HALF_UP

    def of(self, value: Fraction) -> Fraction:
        """Return the value rounded, still exact."""
        return rounded(value, self.dp, self.rounding)

    def text(self, value: Fraction) -> str:
        """Return the value rounded and written with all its decimals."""
        return to_decimals(value, self.dp, self.rounding)


def rounded(value: Fraction, dp: int, rounding: Rounding = Rounding.HALF_UP) -> Fraction:
    """Round to ``dp`` decimals: half up (away from zero), or towards zero."""
    return Fraction(_scaled(value, dp, rounding), 10**dp)


def to_decimals(value: Fraction, dp: int, rounding: Rounding = Rounding.HALF_UP) -> str:
    """Write a number with exactly ``dp`` decimals and a point."""
    scaled = _scaled(value, dp, rounding)
    sign = "-" if scaled < 0 else ""
    digits = str(abs(scaled)).rjust(dp + 1, "0")
    return (
        f"{sign}{digits[: len(digits) - dp]}.{digits[len(digits) - dp :]}" if dp else sign + digits
    )


def plain(value: Fraction) -> str:
    """Write a number exactly: as a decimal without trailing zeros, else as ``p/q``."""
    if value.denominator == 1:
        return str(value.numerator)
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    if denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    return to_decimals(value, max(twos, fives))


_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
MAX_DIGITS = 40


def from_decimal(text: str) -> Fraction:
    """Read a plain decimal number exactly.

    :raises ValueError: anything else: an exponent, a separator, infinity, more than 40 digits.
    """
    if len(text) > MAX_DIGITS or not _DECIMAL.fullmatch(text):
        raise ValueError(f"not a plain decimal number: {text[:MAX_DIGITS]!r}")
    return Fraction(text)


def _scaled(value: Fraction, dp: int, rounding: Rounding) -> int:
    scale: int = 10**dp
    if value.denominator == 1:
        return value.numerator * scale
    top, bottom = abs(value.numerator) * scale, value.denominator
    whole = (2 * top + bottom) // (2 * bottom) if rounding is Rounding.HALF_UP else top // bottom
    return -whole if value.numerator < 0 else whole
