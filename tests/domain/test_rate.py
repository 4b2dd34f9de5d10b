"""A rate is an exact share of counts, and its percentage is rounded once, at the end."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.rate import Empty, Rate, RateDefinition, percent
from app.domain.rounding import Rounding, to_decimals
from app.domain.tally import Count, Tally

ON_TIME = RateDefinition(
    id="on_time_of_finished",
    version=1,
    numerator=(Count.FINISHED_EARLY, Count.FINISHED_ON_TIME),
    denominator=(Count.FINISHED_EARLY, Count.FINISHED_ON_TIME, Count.FINISHED_LATE),
    title_vi="Tỷ lệ đúng hạn",
    title_en="On-time rate",
    used_by="",
    legal_basis="",
    provenance="official",
    valid_from=date(2018, 1, 1),
)
shares = st.fractions(0, 1)


def finished(on_time: int, late: int) -> Tally:
    return Tally.from_mapping({"finished_on_time": on_time, "finished_late": late})


def test_a_rate_carries_its_definition_and_both_counts() -> None:
    assert ON_TIME.of(finished(144, 3)) == Rate("on_time_of_finished@1", 144, 147)


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (144, 147, "97.96"),
        (94_996, 100_000, "95.00"),
        (19_999, 20_000, "99.99"),  # 99.995 is half way to what it is not
        (99_999_999, 100_000_000, "99.99"),
        (1, 1, "100.00"),
        (0, 5, "0.00"),
        (1, 100_000, "0.01"),
        (49, 1_000_000, "0.01"),
        (50, 1_000_000, "0.01"),
        (1, 8, "12.50"),
        (5, 4, "125.00"),
    ],
)
def test_a_percentage_has_two_decimals_half_up(numerator: int, denominator: int, text: str) -> None:
    assert Rate("x@1", numerator, denominator).percent == text


def test_nothing_to_divide_by_is_no_rate() -> None:
    rate = ON_TIME.of(Tally())

    assert (rate.value, rate.percent) == (None, None)


def test_a_definition_that_copies_another_system_may_call_nothing_full_and_cut() -> None:
    nothing = Rate("vendor_truncated@1", 0, 0, Rounding.TRUNCATE, Empty.FULL)
    cut = Rate("vendor_truncated@1", 99_999, 100_001, Rounding.TRUNCATE, Empty.FULL)

    assert nothing.percent == "100.00"
    assert cut.percent == "99.00"


def test_a_share_below_none_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        percent(Fraction(-1, 2))


@given(shares)
def test_only_all_prints_all_and_only_none_prints_none(share: Fraction) -> None:
    text = percent(share)

    assert (text == "100.00") == (share == 1)
    assert (text == "0.00") == (share == 0)


@given(shares)
def test_the_print_is_never_a_hundredth_away(share: Fraction) -> None:
    text = percent(share)

    assert text is not None
    assert abs(Fraction(text) - share * 100) < Fraction(1, 100)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_rate_prints_as_the_share_that_it_is(numerator: int, denominator: int) -> None:
    share = Fraction(min(numerator, denominator), denominator)

    shown = Rate("r@1", share.numerator * 3, share.denominator * 3).percent

    assert shown == percent(share)
    if 0 < share < 1 and Fraction(1, 20_000) <= share < Fraction(19_999, 20_000):
        assert shown == to_decimals(share * 100, 2)


@given(shares, shares)
def test_a_greater_share_never_prints_less(one: Fraction, other: Fraction) -> None:
    less, more = sorted((one, other))

    low, high = percent(less), percent(more)

    assert low is not None
    assert high is not None
    assert Fraction(low) <= Fraction(high)


@given(*[st.integers(0, 10_000)] * 4)
def test_a_merged_rate_lies_between_its_parts(a: int, b: int, c: int, d: int) -> None:
    assume(a + b > 0)
    assume(c + d > 0)
    north, south = finished(a, b), finished(c, d)

    parts = [ON_TIME.of(north).value, ON_TIME.of(south).value]
    merged = ON_TIME.of(north + south).value

    assert merged is not None
    assert min(p for p in parts if p is not None) <= merged
    assert merged <= max(p for p in parts if p is not None)


def test_the_communes_of_phu_tho_are_pooled_and_not_averaged() -> None:
    """Source: published figures of August 2026; the mean of the rates, 85.90 %, is no rate."""
    small, large = finished(1, 0), finished(125_366, 23_096)
    pooled = ON_TIME.of(small + large)

    assert (pooled.numerator, pooled.denominator, pooled.percent) == (125_367, 148_463, "84.44")
