"""Rates: exact fractions of counts under a named definition, and the only rounding of a percentage.

What a rate means is data (``app.rulebook.metrics``); this module adds up the counts that a
definition names, divides, and renders last of all.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor

from app.domain.rounding import Rounding, to_decimals
from app.domain.tally import Count, Tally


class Empty(StrEnum):
    """What a rate is worth when there is nothing to divide by."""

    NULL = "null"
    FULL = "full"


class Better(StrEnum):
    """Which way a rate is better when units are ranked by it."""

    HIGHER = "higher"
    LOWER = "lower"

    @property
    def is_higher(self) -> bool:
        """Tell whether more is better."""
        return self is Better.HIGHER


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of counts: its definition with version, and both numbers as they were counted."""

    definition: str
    numerator: int
    denominator: int
    rounding: Rounding = Rounding.HALF_UP
    empty: Empty = Empty.NULL

    @property
    def value(self) -> Fraction | None:
        """Return the exact share, or None (1 for ``Empty.FULL``) when the denominator is 0."""
        if self.denominator:
            return Fraction(self.numerator, self.denominator)
        return Fraction(1) if self.empty is Empty.FULL else None

    @property
    def percent(self) -> str | None:
        """Return the share in percent as people read it, or None when there is none."""
        if self.denominator and self.rounding is Rounding.HALF_UP:
            return _half_up(self.numerator, self.denominator)
        return percent(self.value, rounding=self.rounding)


@dataclass(frozen=True, slots=True)
class RateDefinition:
    """One version of one definition of a rate: which counts stand above and below the line."""

    id: str
    version: int
    numerator: tuple[Count, ...]
    denominator: tuple[Count, ...]
    title_vi: str
    title_en: str
    used_by: str
    legal_basis: str
    provenance: str
    valid_from: date
    valid_to: date | None = None
    rounding: Rounding = Rounding.HALF_UP
    empty: Empty = Empty.NULL
    note_vi: str | None = None
    note_en: str | None = None
    better: Better = Better.HIGHER

    @property
    def name(self) -> str:
        """Return the id with its version, as it travels with every figure."""
        return f"{self.id}@{self.version}"

    def of(self, tally: Tally) -> Rate:
        """Return the rate of a tally under this definition."""
        return Rate(
            self.name,
            tally.sum(self.numerator),
            tally.sum(self.denominator),
            self.rounding,
            self.empty,
        )


def percent(value: Fraction | None, *, rounding: Rounding = Rounding.HALF_UP) -> str | None:
    """Render a share in percent with two decimals and a point; None stays None.

    Half up, except that a share below all never prints 100.00 and a share above none never prints
    0.00. ``Rounding.TRUNCATE`` cuts to whole percent instead, without exceptions: it exists to
    reproduce systems that do.

    :raises ValueError: a negative share, which no counts can give.
    """
    if value is None:
        return None
    if rounding is Rounding.HALF_UP:
        return _half_up(value.numerator, value.denominator)
    if value < 0:
        raise ValueError(_NEGATIVE)
    return to_decimals(Fraction(floor(value * 100)), 2, rounding)


_NEGATIVE = "a share is never negative"


def _half_up(numerator: int, denominator: int) -> str:
    """Render a share of whole numbers, without a fraction in between: tables have thousands.

    :raises ValueError: a negative share.
    """
    if numerator < 0:
        raise ValueError(_NEGATIVE)
    hundredths = (20_000 * numerator + denominator) // (2 * denominator)
    if hundredths == 10_000 and numerator < denominator:
        hundredths = 9_999
    elif hundredths == 0 and numerator:
        hundredths = 1
    return f"{hundredths // 100}.{hundredths % 100:02}"
