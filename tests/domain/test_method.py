"""Each method of the closed set, alone."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.expression import Expression, InputMissing, InputNotApplicable, Kind, Scalar, parse
from app.domain.method import (
    Alternative,
    Band,
    Bands,
    Case,
    Cases,
    Compare,
    Deduct,
    Deduction,
    Earned,
    External,
    Facts,
    First,
    Fixed,
    Increments,
    Linear,
    Method,
    NoBranch,
    NothingToScore,
    OutOfRange,
    PeerRank,
    PerCase,
    PerItem,
    Recovery,
    Survey,
    Tiers,
    YesNo,
    best,
    earn,
    expressions,
    names,
    recover,
)
from app.domain.rounding import Stage

MOST = Fraction(6)
TWO = Fraction(2)


def num(text: str) -> Expression:
    return parse(text, Kind.NUMBER)


def when(text: str) -> Expression:
    return parse(text, Kind.TRUTH)


def fixed(points: str) -> Fixed:
    return Fixed(Fraction(points))


def earned(method: Method, **env: Scalar | None) -> Earned:
    return earn(method, MOST, Facts(env))


def recovery_of(method: Method, **env: Scalar | None) -> list[Recovery]:
    return list(recover(method, MOST, Facts(env)))


class TestLinear:
    LINE = Linear(num("a"), num("b"), target=Fraction("0.8"))

    def test_points_follow_the_share_up_to_the_target(self) -> None:
        assert earned(self.LINE, a=4, b=10).points == 3
        assert earned(self.LINE, a=8, b=10).points == MOST
        assert earned(self.LINE, a=9, b=10).points == MOST

    def test_what_is_missing_to_the_target_is_told(self) -> None:
        (recovery,) = recovery_of(self.LINE, a=4, b=10)

        assert (recovery.name, recovery.more, recovery.among_new) == ("a", 4, 20)

    def test_a_floor_may_be_compared_as_printed_where_the_rule_says_so(self) -> None:
        exact = Linear(num("a"), num("b"), floor=Fraction("0.95"))
        printed = replace(exact, compare=Compare.PRINTED)

        assert earned(exact, a=94_996, b=100_000).points == 0
        assert earned(printed, a=94_996, b=100_000).points > 5

    def test_nothing_is_missing_where_all_is_earned(self) -> None:
        assert recovery_of(self.LINE, a=9, b=10) == []

    @pytest.mark.parametrize(("a", "b"), [(-1, 10), (1, -10)])
    def test_counts_below_zero_are_refused(self, a: int, b: int) -> None:
        with pytest.raises(OutOfRange):
            earned(self.LINE, a=a, b=b)

    def test_points_below_the_floor_are_those_that_the_rule_names(self) -> None:
        line = Linear(num("a"), num("b"), floor=Fraction("0.5"), below=Fraction(1))

        assert earned(line, a=1, b=10).points == 1

    @given(st.integers(0, 500), st.integers(1, 500))
    def test_more_never_earns_less(self, a: int, b: int) -> None:
        line = Linear(num("a"), num("b"), target=Fraction("0.9"), floor=Fraction("0.6"))

        assert earned(line, a=a, b=b).points <= earned(line, a=a + 1, b=b).points


class TestBands:
    TABLE = Bands(
        num("a / b"),
        (
            Band(Fraction("0.8"), fixed("6")),
            Band(Fraction("0.5"), Linear(num("a"), num("b"), times=Fraction(4))),
        ),
        fixed("1"),
    )

    @pytest.mark.parametrize(("a", "points"), [(9, 6), (8, 6), (6, Fraction("2.4")), (4, 1)])
    def test_the_first_band_from_the_top_counts(self, a: int, points: Fraction) -> None:
        assert earned(self.TABLE, a=a, b=10).points == points

    def test_the_way_to_the_next_band_is_told_in_dossiers(self) -> None:
        (recovery,) = recovery_of(self.TABLE, a=6, b=10)

        assert (recovery.more, recovery.points, recovery.reaches) == (2, Fraction(6), "band")

    def test_or_as_a_value_where_it_is_no_share(self) -> None:
        bands = Bands(num("a"), (Band(Fraction(5), fixed("6")), Band(Fraction(0), fixed("0"))))

        (recovery,) = recovery_of(bands, a=Fraction("4.5"))

        assert recovery.more == Fraction("0.5")

    def test_a_value_in_no_band_is_an_error_and_not_zero(self) -> None:
        with pytest.raises(NoBranch):
            earned(Bands(num("a"), (Band(Fraction(1), fixed("1")),)), a=0)


class TestCases:
    CASES = Cases((Case(when("a == 0"), fixed("2")), Case(when("a < 5"), fixed("1"))))

    def test_the_first_that_holds_counts(self) -> None:
        assert earned(self.CASES, a=0).points == 2
        assert earned(self.CASES, a=4).points == 1

    def test_no_case_and_no_else_is_an_error_and_not_zero(self) -> None:
        with pytest.raises(NoBranch):
            earned(self.CASES, a=5)

    def test_else_takes_the_rest(self) -> None:
        assert earned(Cases(self.CASES.cases, fixed("0")), a=5).points == 0

    def test_a_case_that_decides_needs_no_later_input(self) -> None:
        cases = Cases((Case(when("a == 0"), fixed("2")), Case(when("b > 0"), fixed("1"))))

        assert earned(cases, a=0).points == 2
        with pytest.raises(InputMissing):
            earned(cases, a=1)


class TestFirst:
    def test_the_first_alternative_that_holds_is_the_method(self) -> None:
        first = First(
            (
                Alternative(when("a == 1"), fixed("6")),
                Alternative(when("a == 2"), YesNo("c")),
                Alternative(None, PerItem(num("b"), Fraction(1, 2))),
            )
        )

        assert earned(first, a=1).points == 6
        assert earned(first, a=2, c=0).points == 0
        assert earned(first, a=0, b=3).points == Fraction("1.5")

    def test_what_is_missing_is_that_of_the_alternative_taken(self) -> None:
        first = First((Alternative(when("a == 1"), PerItem(num("b"), Fraction(1))),))

        assert [recovery.more for recovery in recovery_of(first, a=1, b=4)] == [2]
        assert recovery_of(first, a=1, b=9) == []
        assert recovery_of(first, a=2, b=4) == []

    def test_none_is_an_error(self) -> None:
        with pytest.raises(NoBranch):
            earned(First((Alternative(when("a == 1"), fixed("6")),)), a=0)


class TestIncrements:
    @pytest.mark.parametrize(
        ("value", "partial", "points"),
        [
            ("16000", True, "1"),
            ("15000", True, "1"),
            ("17500", True, "1.75"),
            ("17500", False, "1.5"),
            ("99999", True, "6"),
        ],
    )
    def test_points_for_each_step_beyond_the_threshold(
        self, value: str, partial: bool, points: str
    ) -> None:
        method = Increments(
            num("a"), num("16000"), Fraction(1), Fraction(1000), Fraction(1, 2), partial
        )

        assert earned(method, a=Fraction(value)).points == Fraction(points)

    def test_downwards_less_is_more(self) -> None:
        method = Increments(
            num("a"), num("4.5"), Fraction(3), Fraction(1), Fraction(1), partial=True, down=True
        )

        (recovery,) = recovery_of(method, a=Fraction("3.1"))

        assert earned(method, a=Fraction("3.1")).points == Fraction("4.4")
        assert recovery.more == Fraction("-1.6")

    def test_whole_steps_are_missing_where_parts_do_not_count(self) -> None:
        method = Increments(
            num("a"), num("0"), Fraction(0), Fraction(10), Fraction(4), partial=False
        )

        (recovery,) = recovery_of(method, a=5)

        assert recovery.more == 15


class TestManyCases:
    METHOD = PerCase(
        "cases",
        Cases((Case(when("used < limit"), fixed("2")), Case(when("used >= limit"), fixed("1")))),
    )

    def test_the_mean_of_the_cases_each_rounded_where_the_rule_says_so(self) -> None:
        rows = {"cases": ({"used": 1}, {"used": 3}, {"used": 3})}
        facts = Facts({"limit": 2}, rows)

        assert earn(self.METHOD, MOST, facts, Stage(0)).points == Fraction(4, 3)

    def test_without_cases_there_is_nothing_to_score(self) -> None:
        with pytest.raises(NothingToScore):
            earn(self.METHOD, MOST, Facts({"limit": 2}, {"cases": ({},)}))

    def test_a_list_that_is_not_known_is_missing(self) -> None:
        with pytest.raises(InputMissing):
            earn(self.METHOD, MOST, Facts({"limit": 2}))


class TestItems:
    def test_so_many_points_each_up_to_the_maximum(self) -> None:
        method = PerItem(num("a"), Fraction(1, 2))

        assert earned(method, a=3).points == Fraction("1.5")
        assert earned(method, a=50).points == MOST
        assert [recovery.more for recovery in recovery_of(method, a=3)] == [9]

    def test_deductions_have_caps_and_may_go_below_zero(self) -> None:
        method = Deduct(
            Fraction(1),
            (
                Deduction(num("a"), Fraction("0.25"), Fraction("0.5")),
                Deduction(num("b"), Fraction(1)),
            ),
            Fraction(-1),
        )

        assert earned(method, a=0, b=0).points == 1
        assert earned(method, a=9, b=0).points == Fraction("0.5")
        assert earned(method, a=9, b=1).points == Fraction("-0.5")
        assert earned(method, a=9, b=9).points == -1

    def test_each_deduction_says_what_its_end_would_bring(self) -> None:
        method = Deduct(
            Fraction(1), (Deduction(num("a"), Fraction("0.1")), Deduction(num("b"), TWO)), -TWO
        )

        assert [(r.name, r.more, r.points) for r in recovery_of(method, a=3, b=0)] == [
            ("a", -3, Fraction(1))
        ]


class TestGrades:
    TIERS = Tiers("grade", (("excellent", Fraction(1)), ("good", Fraction("0.75"))))

    def test_a_grade_is_a_share_of_the_maximum(self) -> None:
        assert earned(self.TIERS, grade="good").points == Fraction("4.5")

    def test_an_unknown_grade_is_an_error(self) -> None:
        with pytest.raises(NoBranch):
            earned(self.TIERS, grade="fair")

    @pytest.mark.parametrize(("place", "points"), [(1, 3), (10, 3), (11, 2), (20, 2), (34, 1)])
    def test_places_among_peers_earn_by_group(self, place: int, points: int) -> None:
        groups = ((10, Fraction(3)), (20, Fraction(2)), (None, Fraction(1)))

        assert earned(PeerRank(num("place"), groups), place=place).points == points

    def test_a_place_beyond_the_last_group_is_an_error(self) -> None:
        with pytest.raises(NoBranch):
            earned(PeerRank(num("place"), ((10, Fraction(3)),)), place=11)


class TestGiven:
    SURVEY = Survey("form", Fraction(1), Fraction(5), num("(mean - 1) / 4"))

    def test_a_survey_is_a_transform_of_its_mean(self) -> None:
        assert earned(self.SURVEY, form=Fraction("4.2")).points == Fraction("4.8")

    @pytest.mark.parametrize("mean", [0, 6, "many"])
    def test_a_mean_that_no_answer_gives_is_refused(self, mean: Scalar) -> None:
        with pytest.raises(OutOfRange):
            earned(self.SURVEY, form=mean)

    def test_an_external_score_lies_within_its_maximum(self) -> None:
        assert earned(External("portal", "x"), x=Fraction("6")).points == 6
        for value in (-1, Fraction("6.01"), "six"):
            with pytest.raises(OutOfRange):
                earned(External("portal", "x"), x=value)

    def test_yes_or_no(self) -> None:
        assert earned(YesNo("x"), x=1).points == MOST
        assert earned(YesNo("x"), x=0).points == 0
        with pytest.raises(OutOfRange):
            earned(YesNo("x"), x="yes")

    def test_what_does_not_apply_is_told_apart(self) -> None:
        with pytest.raises(InputNotApplicable):
            earned(YesNo("x"), x=None)
        with pytest.raises(InputMissing):
            earned(YesNo("x"))


ALL: list[tuple[Method, tuple[str, ...], int]] = [
    (fixed("2"), (), 2),
    (Linear(num("a"), num("b")), ("a", "b"), 6),
    (TestBands.TABLE, ("a", "b"), 6),
    (TestCases.CASES, ("a",), 2),
    (First((Alternative(when("a == 1"), YesNo("c")),)), ("a", "c"), 6),
    (
        Increments(num("a"), num("peer.mean"), Fraction(1), Fraction(1), Fraction(1), partial=True),
        ("a", "peer.mean"),
        6,
    ),
    (TestManyCases.METHOD, ("cases", "used", "limit"), 2),
    (PerItem(num("a"), Fraction(1)), ("a",), 6),
    (Deduct(Fraction(1), (Deduction(num("a"), Fraction(1)),), Fraction(0)), ("a",), 1),
    (TestGrades.TIERS, ("grade",), 6),
    (PeerRank(num("place"), ((None, Fraction(3)),)), ("place",), 3),
    (TestGiven.SURVEY, ("form",), 6),
    (External("portal", "x"), ("x",), 6),
    (YesNo("x"), ("x",), 6),
]


@pytest.mark.parametrize(("method", "read", "most"), ALL, ids=lambda value: type(value).__name__)
def test_what_a_method_reads_and_can_give_is_known_beforehand(
    method: Method, read: tuple[str, ...], most: int
) -> None:
    assert names(method) == read
    assert best(method, MOST) == most
    assert all(expression.names for expression in expressions(method))
