"""Ranks: ties share a place, fractions are compared, too little is told apart."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ranking import (
    Delta,
    Hidden,
    Incomparable,
    Standing,
    delta,
    places,
    points,
    standings,
)
from app.domain.rate import Better, Empty, Rate

fractions = st.fractions(0, 1, max_denominator=50)


def rate(numerator: int, denominator: int, definition: str = "r@1") -> Rate:
    return Rate(definition, numerator, denominator)


def shown(found: list[Standing]) -> list[tuple[str, int | None, bool]]:
    return [(one.unit, one.place, one.is_tied) for one in found]


def test_equal_scores_share_a_place_and_the_next_one_is_skipped() -> None:
    """Source: a published sheet, places 10 to 14."""
    scores = ["73.50", "73.31", "73.29", "73.29", "73.28"]

    found = places([Fraction(score) for score in scores])

    assert [place + 9 for place in found] == [10, 11, 12, 12, 14]


@given(st.lists(fractions, min_size=1), st.sampled_from(Better))
def test_a_place_is_one_more_than_how_many_are_strictly_better(
    values: list[Fraction], better: Better
) -> None:
    found = places(values, better=better)

    for value, place in zip(values, found, strict=True):
        ahead = [
            other
            for other in values
            if (other > value if better is Better.HIGHER else other < value)
        ]
        assert place == len(ahead) + 1


def test_what_prints_alike_is_not_alike() -> None:
    """94.996 % prints 95.00 % and stands below 95 %."""
    nearly, exactly = rate(94_996, 100_000), rate(95, 100)

    found = standings([("A", nearly), ("B", exactly)])

    assert (nearly.percent, exactly.percent) == ("95.00", "95.00")
    assert shown(found) == [("B", 1, False), ("A", 2, False)]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)).map(
            lambda pair: rate(min(pair), max(pair))
        ),
        min_size=1,
    ),
    st.sampled_from(Better),
)
def test_units_are_placed_as_their_exact_shares_are(rates: list[Rate], better: Better) -> None:
    """Also where two shares differ by less than any number with a point could tell."""
    rates = [*rates, rates[0], rate(rates[0].numerator, rates[0].denominator + 1)]

    found = standings([(f"{at:03}", one) for at, one in enumerate(rates)], better=better)

    exact = [Fraction(one.numerator, one.denominator) for one in rates]
    by_unit = {one.unit: one.place for one in found}
    assert [by_unit[f"{at:03}"] for at in range(len(rates))] == places(exact, better=better)


def test_equal_shares_of_different_sizes_share_a_place() -> None:
    found = standings([("A", rate(1, 2)), ("B", rate(50, 100)), ("C", rate(1, 3))])

    assert shown(found) == [("A", 1, True), ("B", 1, True), ("C", 3, False)]


def test_less_is_better_where_the_definition_says_so() -> None:
    found = standings([("A", rate(1, 10)), ("B", rate(0, 10))], better=Better.LOWER)

    assert shown(found) == [("B", 1, False), ("A", 2, False)]


def test_the_empty_and_the_small_stand_apart_with_their_reason() -> None:
    found = standings(
        [("A", rate(0, 0)), ("B", rate(4, 4)), ("C", rate(4, 5)), ("D", rate(5, 5))], minimum=5
    )

    assert shown(found) == [
        ("D", 1, False),
        ("C", 2, False),
        ("A", None, False),
        ("B", None, False),
    ]
    assert [one.hidden for one in found] == [None, None, Hidden.EMPTY, Hidden.BELOW_MINIMUM]


def test_an_empty_rate_that_counts_as_full_is_still_not_ranked() -> None:
    full = Rate("r@1", 0, 0, empty=Empty.FULL)

    assert standings([("A", full)])[0].hidden is Hidden.EMPTY


def standing(place: int | None, one: Rate) -> Standing:
    return Standing("A", one, place, is_tied=False, hidden=None if place else Hidden.EMPTY)


def test_a_unit_rises_in_points_and_places() -> None:
    found = delta(standing(2, rate(9, 10)), standing(5, rate(8, 10)))

    assert found == Delta(Fraction(10), 3, None)
    assert found.points_text == "10.00"
    assert delta(standing(5, rate(1, 3)), standing(2, rate(2, 3))).points_text == "-33.33"


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        (standing(1, rate(1, 2)), standing(1, rate(1, 2, "r@2")), Incomparable.DEFINITION),
        (standing(1, rate(1, 2)), None, Incomparable.NOT_RANKED),
        (standing(1, rate(1, 2)), standing(None, rate(0, 0)), Incomparable.NOT_RANKED),
        (standing(None, rate(0, 0)), standing(1, rate(1, 2)), Incomparable.NOT_RANKED),
    ],
)
def test_what_cannot_be_compared_says_why(
    now: Standing, before: Standing | None, why: Incomparable
) -> None:
    found = delta(now, before)

    assert found == Delta(None, None, why)
    assert found.points_text is None


def test_points_of_nothing_are_none() -> None:
    assert points(rate(0, 0), rate(1, 2)) is None
    assert points(rate(1, 2), rate(1, 4)) == 25
