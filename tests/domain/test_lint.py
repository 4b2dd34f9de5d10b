"""What lint adds to the gallery of ``tests/rulebook/malformed``: rare faults and fair warnings."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from app.domain.expression import Kind, parse
from app.domain.lint import Severity, lint, overlapping
from app.domain.method import (
    Alternative,
    Case,
    Cases,
    Deduct,
    Deduction,
    First,
    Fixed,
    Method,
    PeerRank,
    PerCase,
    PerItem,
    Tiers,
    YesNo,
)
from app.domain.rounding import Stage
from app.domain.rule_set import (
    Basis,
    Binding,
    ByLevel,
    CaseList,
    Combine,
    Given,
    Leaf,
    Level,
    Node,
    NodeSum,
    Numbers,
    PeriodKind,
    Pool,
    Provenance,
    Ranking,
    RankMethod,
    RuleSet,
    Title,
    Validity,
)

TWO = Fraction(2)
TITLE = Title("thử", "trial")


def condition(text: str) -> Case:
    return Case(parse(text, Kind.TRUTH), Fixed(TWO))


def rule_set(method: Method, **inputs: Binding) -> RuleSet:
    leaf = Leaf("leaf", TITLE, TWO, method)
    return RuleSet(
        id="trial",
        title=TITLE,
        provenance=Provenance.OFFICIAL,
        basis=(Basis("văn bản"),),
        valid=Validity(date(2026, 1, 1), None),
        inputs=inputs or {"a": Given.DECLARED},
        levels=frozenset({Level.COMMUNE}),
        periods=frozenset({PeriodKind.YEAR}),
        numbers=Numbers(Stage(2), NodeSum.EXACT_SUM),
        root=Node("root", TITLE, TWO, (leaf,)),
        digest="",
    )


def codes(found: RuleSet) -> list[str]:
    return [finding.code for finding in lint(found)]


@pytest.mark.parametrize(
    "conditions",
    [
        ("a < 1", "a == 1", "a > 1"),
        ("a >= 1", "a < 1"),
        ("a > 1", "a <= 1"),
        ("a == 1", "a != 1"),
        ("a + 1 > 2", "a + 1 <= 2"),
    ],
)
def test_cases_that_leave_nothing_out_need_no_else(conditions: tuple[str, ...]) -> None:
    assert codes(rule_set(Cases(tuple(map(condition, conditions))))) == []


@pytest.mark.parametrize("conditions", [("a < 1", "a > 1"), ("a >= 1", "a < 2"), ("a == 1",)])
def test_cases_that_may_leave_something_out_are_warned_about(conditions: tuple[str, ...]) -> None:
    (finding,) = lint(rule_set(Cases(tuple(map(condition, conditions)))))

    assert (finding.code, finding.severity) == ("lint.missing_else", Severity.WARNING)


def test_an_else_that_is_said_to_be_an_error_is_no_oversight() -> None:
    assert codes(rule_set(Cases((condition("a == 1"),), refuses=True))) == []


def test_an_alternative_after_one_that_is_always_taken_is_never_reached() -> None:
    always = Alternative(None, Fixed(TWO))

    assert "lint.unreachable_case" in codes(rule_set(First((always, always))))


def test_the_last_alternative_should_always_be_taken() -> None:
    only = Alternative(parse("a == 1", Kind.TRUTH), Fixed(TWO))

    assert codes(rule_set(First((only,)))) == ["lint.missing_else"]


def test_groups_of_peers_rise_and_end_in_the_rest() -> None:
    of = parse("a", Kind.NUMBER)

    assert codes(rule_set(PeerRank(of, ((10, TWO), (None, Fraction(1)))))) == []
    assert codes(rule_set(PeerRank(of, ((10, TWO),)))) == ["lint.missing_else"]
    assert "lint.unreachable_band" in codes(rule_set(PeerRank(of, ((10, TWO), (5, TWO)))))


def test_facts_of_listed_cases_are_no_inputs_of_the_unit() -> None:
    method = PerCase("cases", Cases((condition("used > limit"),), refuses=True))
    listed: dict[str, Binding] = {
        "cases": CaseList(("used",)),
        "limit": ByLevel({Level.COMMUNE: TWO}),
    }

    assert codes(rule_set(method, **listed)) == ["lint.na_without_policy"]
    assert "lint.unknown_input" in codes(rule_set(method, cases=CaseList(("used",))))


def test_a_division_inside_an_alternative_needs_a_policy_too() -> None:
    share = PerItem(parse("a / a", Kind.NUMBER), TWO)

    found = codes(rule_set(First((Alternative(None, share),))))

    assert found == ["lint.division_without_policy"]


@pytest.mark.parametrize(
    "method",
    [
        Deduct(TWO, (Deduction(parse("a", Kind.NUMBER), TWO),), Fraction(0)),
        Tiers("a", (("x", Fraction(1)),)),
        PerItem(parse("a", Kind.NUMBER), TWO),
    ],
)
def test_sound_methods_pass(method: Method) -> None:
    assert codes(rule_set(method)) == []


def test_yes_or_no_says_what_not_applicable_gives() -> None:
    assert codes(rule_set(YesNo("a"))) == ["lint.na_without_policy"]


def test_an_input_that_nobody_reads_is_warned_about() -> None:
    found = rule_set(PerItem(parse("a", Kind.NUMBER), TWO), a=Given.DECLARED, b=Given.DECLARED)

    assert codes(found) == ["lint.unused_input"]


def test_pools_and_ranking_are_looked_at_too() -> None:
    leaf = Leaf("leaf", TITLE, TWO, PerItem(parse("b", Kind.NUMBER), TWO))
    by = parse("total + c", Kind.NUMBER)
    found = replace(
        rule_set(PerItem(parse("a", Kind.NUMBER), TWO)),
        bonus=Pool(Combine.SUM, None, (leaf,)),
        ranking=Ranking(by, (), RankMethod.COMPETITION, {"d": TWO}),
    )

    assert [(f.where, f.code) for f in lint(found)] == [
        ("bonus/leaf", "lint.unknown_input"),
        ("leaf", "lint.id_twice"),
        ("rank", "lint.unknown_input"),
        ("rank/hide_below", "lint.unknown_input"),
    ]


def test_versions_of_different_sets_never_overlap() -> None:
    one = rule_set(YesNo("a"))
    other = replace(one, id="another")

    assert list(overlapping([one, other])) == []
    assert [finding.code for finding in overlapping([one, one])] == ["lint.validity_overlaps"]
