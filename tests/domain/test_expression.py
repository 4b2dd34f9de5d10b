"""The small language of rules: exact, bounded, and never Python."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.expression import (
    MAX_DEPTH,
    MAX_LENGTH,
    DividedByZero,
    ExpressionRefused,
    InputMissing,
    InputNotApplicable,
    InputOfWrongKind,
    Kind,
    Scalar,
    constant,
    parse,
)

ENV: dict[str, Scalar | None] = {
    "a": 7,
    "b": 2,
    "zero": 0,
    "nothing": None,
    "role": "CENTRE",
    "peer.mean": Fraction("60.1"),
}


def number(text: str) -> Fraction:
    return Fraction(parse(text, Kind.NUMBER).number(ENV))


def truth(text: str) -> bool:
    return parse(text, Kind.TRUTH).truth(ENV)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 7),
        ("a + b * 2", 11),
        ("(a + b) * 2", 18),
        ("a - b - 1", 4),
        ("a / b / 2", Fraction(7, 4)),
        ("a / b", Fraction(7, 2)),
        ("-a + 1", -6),
        ("--a", 7),
        ("min(a, b, 3) + max(1, zero)", 3),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("peer.mean", Fraction("60.1")),
        ("a × b ÷ 2 − 1", 6),
        ("  a  ", 7),
    ],
)
def test_arithmetic_is_exact_and_binds_as_at_school(text: str, value: Fraction) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a > b", True),
        ("a >= 7 and b < 2", False),
        ("a >= 7 or b < 2", True),
        ("not a == 7", False),
        ("not (a == 7 and b == 1)", True),
        ("a == 1 or a == 2 and b == 2 or a == 7", True),
        ("a / b >= 3.5", True),
        ("a ≥ 7", True),
        ("a ≤ 6", False),
        ("a ≠ 6", True),
        ('role == "CENTRE"', True),
        ('"EDGE" != role', True),
        ('role == "EDGE" or role == "CENTRE"', True),
    ],
)
def test_comparisons_and_junctions(text: str, holds: bool) -> None:
    assert truth(text) is holds


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expression.unexpected"),
        ("a +", "expression.unexpected"),
        ("a b", "expression.unexpected"),
        ("(a", "expression.expected"),
        ("min(a", "expression.expected"),
        ("min a", "expression.expected"),
        ("a ** b", "expression.unexpected"),
        ("a // b", "expression.unexpected"),
        ("a.__class__", "expression.not_truth"),
        ("__import__('os')", "expression.unreadable"),
        ("a[0]", "expression.unreadable"),
        ("lambda: 1", "expression.unreadable"),
        ("f(1)", "expression.unexpected"),
        ("1e9", "expression.unreadable"),
        ("1.2.3", "expression.unreadable"),
        ("1_000", "expression.unreadable"),
        ("a > b > 1", "expression.chained"),
        ("a > b + (a > b)", "expression.not_number"),
        ("a and b", "expression.not_truth"),
        ("not a", "expression.not_truth"),
        ('a > "text"', "expression.not_number"),
        ('"text" == 1', "expression.not_text"),
        ("a / 0 > 1", "expression.divides_by_zero"),
        ("and", "expression.unexpected"),
        ("1" * 41, "expression.too_long"),
        ("a" * (MAX_LENGTH + 1), "expression.too_long"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), "expression.too_deep"),
        ("-" * (MAX_DEPTH + 1) + "a", "expression.too_deep"),
        ("not " * (MAX_DEPTH + 1) + "a == 1", "expression.too_deep"),
        ("+".join("a" * 100), "expression.too_large"),
        ("a", "expression.not_truth"),
        ("ă > 1", "expression.unreadable"),
    ],
)
def test_anything_else_is_refused_with_its_fault(text: str, fault: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        parse(text, Kind.TRUTH)

    assert refused.value.fault == fault


def test_a_truth_is_no_number() -> None:
    with pytest.raises(ExpressionRefused):
        parse("a > b", Kind.NUMBER)


def test_an_input_that_is_not_known_is_missing_and_not_zero() -> None:
    with pytest.raises(InputMissing) as gap:
        number("a + unknown")

    assert gap.value.name == "unknown"


def test_an_input_that_does_not_apply_is_told_apart_from_a_missing_one() -> None:
    with pytest.raises(InputNotApplicable):
        number("a + nothing")


@pytest.mark.parametrize("text", ["unknown > 1 or a == 7", "a == 7 or unknown > 1"])
def test_a_missing_input_does_not_matter_when_the_other_side_decides(text: str) -> None:
    assert truth(text) is True


@pytest.mark.parametrize("text", ["unknown > 1 or a == 6", "unknown > 1 and a == 7"])
def test_a_missing_input_matters_when_it_decides(text: str) -> None:
    with pytest.raises(InputMissing):
        truth(text)


def test_dividing_by_an_input_that_is_zero_is_told() -> None:
    with pytest.raises(DividedByZero):
        number("a / zero")


def test_a_guard_on_the_left_keeps_a_division_from_being_asked() -> None:
    assert truth("zero == 0 or a / zero > 1") is True


@pytest.mark.parametrize("text", ["role + 1 > 0", 'a == "7"'])
def test_a_text_is_no_number_and_a_number_no_text(text: str) -> None:
    with pytest.raises(InputOfWrongKind):
        truth(text)


def test_the_names_that_an_expression_reads_are_known() -> None:
    expression = parse("a + min(b, peer.mean) - a", Kind.NUMBER)

    assert expression.names == ("a", "b", "peer.mean")


@pytest.mark.parametrize(
    ("text", "divides"), [("a / b", True), ("a / 2", False), ("1 + min(a / (b + 1), 2)", True)]
)
def test_whether_an_input_can_make_it_divide_by_zero_is_known(text: str, divides: bool) -> None:
    assert parse(text, Kind.NUMBER).divides is divides


def test_a_constant_is_always_itself() -> None:
    assert constant(3).number({}) == 3


@given(st.text(max_size=60))
def test_no_text_does_more_than_parse_or_be_refused(text: str) -> None:
    with suppress(ExpressionRefused):
        assert parse(text, Kind.NUMBER).kind is Kind.NUMBER


@given(st.lists(st.sampled_from(["a", "b", "1", "0.5", "+", "-", "*", "(", ")", "<", "and"])))
def test_what_parses_has_the_value_that_python_gives_it(tokens: list[str]) -> None:
    text = " ".join(tokens)
    try:
        value = parse(text, Kind.NUMBER).number(ENV)
    except ExpressionRefused:
        return

    exact = text.replace("0.5", "half")
    known = {"a": Fraction(7), "b": Fraction(2), "half": Fraction(1, 2)}
    assert value == eval(exact, {"__builtins__": {}}, known)
