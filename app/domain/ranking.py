"""Ranks: exact shares put in order, ties sharing a place, too little to rank told apart.

Places are those of a competition (1, 2, 2, 4): one more than how many are strictly better. Shares
are compared as fractions, never as the percentages that are printed of them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from operator import itemgetter
from typing import Final

from app.domain.rate import Better, Rate
from app.domain.rounding import to_decimals

LEAST_VOLUME: Final = 1


class Hidden(StrEnum):
    """Why a unit stands outside the ranks (không xếp hạng)."""

    EMPTY = "empty"
    """There is nothing to divide by."""
    BELOW_MINIMUM = "below_minimum"
    """It has fewer dossiers than are asked for."""


class Incomparable(StrEnum):
    """Why two periods cannot be compared (không so sánh được)."""

    DEFINITION = "definition"
    """The definition has another version."""
    NOT_RANKED = "not_ranked"
    """The unit has no place in one of the two."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One unit with its rate; ``place`` is None when it is hidden."""

    unit: str
    rate: Rate
    place: int | None
    is_tied: bool
    hidden: Hidden | None


@dataclass(frozen=True, slots=True)
class Delta:
    """How a unit stands against another period.

    ``points`` are percentage points, exact; ``places`` is positive for a unit that rose.
    """

    points: Fraction | None
    places: int | None
    incomparable: Incomparable | None

    @property
    def points_text(self) -> str | None:
        """Return the points with two decimals, half up, and a sign when it is a loss."""
        return None if self.points is None else to_decimals(self.points, 2)


def places(values: Sequence[Fraction | int], *, better: Better = Better.HIGHER) -> list[int]:
    """Return the place of each value: 1, 2, 2, 4."""
    ordered = sorted(values, reverse=better is Better.HIGHER)
    first = {value: len(ordered) - at for at, value in enumerate(reversed(ordered))}
    return [first[value] for value in values]


def standings(
    rates: Iterable[tuple[str, Rate]],
    *,
    better: Better = Better.HIGHER,
    minimum: int = LEAST_VOLUME,
) -> list[Standing]:
    """Rank units by their rates, best first; hidden ones follow, all in order of their codes.

    :param minimum: how many dossiers must stand below the line.
    """
    ranked: list[tuple[str, Rate]] = []
    hidden: list[Standing] = []
    for unit, rate in sorted(rates, key=itemgetter(0)):
        if rate.denominator and rate.denominator >= minimum:
            ranked.append((unit, rate))
        else:
            why = Hidden.BELOW_MINIMUM if rate.denominator else Hidden.EMPTY
            hidden.append(Standing(unit, rate, None, is_tied=False, hidden=why))
    found = places(_comparable([rate for _, rate in ranked]), better=better)
    sharing = Counter(found)
    shown = [
        Standing(unit, rate, place, is_tied=sharing[place] > 1, hidden=None)
        for (unit, rate), place in zip(ranked, found, strict=True)
    ]
    shown.sort(key=lambda one: one.place or 0)
    return shown + hidden


def _comparable(rates: Sequence[Rate]) -> list[int]:
    """Return whole numbers that stand to each other as the shares do: as many are compared.

    Two shares that differ do so by at least one over the product of their denominators; scaled by
    more than that product, their whole parts differ too.
    """
    most = max((rate.denominator for rate in rates), default=1)
    bits = 2 * most.bit_length()
    return [(rate.numerator << bits) // rate.denominator for rate in rates]


def delta(now: Standing, before: Standing | None) -> Delta:
    """Compare a unit with itself in another period; never across versions of a definition."""
    if before is not None and before.rate.definition != now.rate.definition:
        return Delta(None, None, Incomparable.DEFINITION)
    if before is None or before.place is None or now.place is None:
        return Delta(None, None, Incomparable.NOT_RANKED)
    return Delta(points(now.rate, before.rate), before.place - now.place, None)


def points(now: Rate, before: Rate) -> Fraction | None:
    """Return the difference of two rates in percentage points; None when one is empty."""
    if not now.denominator or not before.denominator:
        return None
    new = Fraction(now.numerator, now.denominator)
    return (new - Fraction(before.numerator, before.denominator)) * 100
