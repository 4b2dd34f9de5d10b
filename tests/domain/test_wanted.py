"""What rule sets want to be told, and how a told value is read."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.expression import Kind
from app.domain.wanted import (
    Origin,
    ValueRefused,
    Wanted,
    changed,
    from_plain,
    read_value,
    to_plain,
    wanted,
)
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import load_rule_sets, parse_rule_set


def of(identifier: str, day: date = date(2026, 12, 31)) -> dict[str, Wanted]:
    return wanted(load_rule_sets().get(identifier, day))


def test_each_input_has_its_source_range_and_lines() -> None:
    found = of("qd766.profile-2026")

    assert found["on_time"].origin is Origin.MEASURE
    assert found["online"] == Wanted(
        "online", Origin.EXTERNAL, lowest=Fraction(0), highest=Fraction(12), leaves=("online",)
    )
    assert found["proc_with_fee"].leaves == ("fee_procedures_integrated", "fee_procedures_used")
    assert found["rated"].lowest == 0


def test_words_surveys_cases_and_fixed_numbers_are_told_apart() -> None:
    assert of("nd307-2025.xa")["role"].kind is Kind.TEXT
    survey = of("par-tthc.template")["tthc_01"]
    assert survey.origin is Origin.SURVEY
    assert (survey.lowest, survey.highest) == (Fraction(1), Fraction(5))
    shop = of("tt01-2018.unit", date(2025, 3, 31))
    assert shop["on_spot_threshold"].origin is Origin.FIXED
    assert shop["legs_ended"].fields == ("days_used", "days_allowed")
    assert of("cantho-2579.class", date(2026, 12, 31))["corruption"].kind is Kind.NUMBER


def test_grades_items_and_yes_or_no_narrow_what_may_be_told() -> None:
    text = """
schema: dunghan-score/1
id: a
title: A
provenance: official
basis: [{doc: x}]
valid: {from: 2026-01-01}
inputs:
  grade: declared
  issued: declared
  done: declared
  p: {peer: pooled, of: issued, over: done}
subject: {level: [commune], period: [year]}
numbers: {leaf: {dp: 2, round: half_up}, node: exact_sum}
root:
  id: r
  max: 4
  children:
    - {id: g, max: 1, tiers: {of: grade, options: [{is: tốt, share: 1}, {is: khá, share: 0.5}]}}
    - {id: i, max: 1, per_item: {count: issued, each: 0.5}}
    - {id: y, max: 1, yes_no: {of: done}, na: zero}
    - {id: f, max: 1, first: [{when: done == 1, score: 1}, {per_item: {count: p, each: 1}}]}
"""
    found = wanted(parse_rule_set(text, file="a.yaml", metrics=load_metrics()))

    assert found["grade"].options == ("tốt", "khá")
    assert (found["done"].lowest, found["done"].highest) == (Fraction(0), Fraction(1))
    assert found["issued"].lowest == 0
    assert found["p"].origin is Origin.PEER
    with pytest.raises(ValueRefused) as refusal:
        read_value(found["grade"], "giỏi")
    assert refusal.value.fault.code == "input.not_option"


NUMBER = Wanted("n", Origin.DECLARED)
CASES = Wanted("c", Origin.DECLARED, fields=("days_used", "days_allowed"))


@pytest.mark.parametrize(
    ("told", "value"),
    [(5, 5), (True, 1), ("6.31", Fraction("6.31")), (" 7 ", 7), (None, None)],
)
def test_a_number_is_read_exactly(told: object, value: object) -> None:
    assert read_value(NUMBER, told) == value


@pytest.mark.parametrize("told", [1.5, "1,5", "1e3", "", [], {}, "một"])
def test_what_is_no_exact_number_is_refused(told: object) -> None:
    with pytest.raises(ValueRefused):
        read_value(NUMBER, told)


def test_cases_hold_known_facts_alone() -> None:
    told: list[object] = [{"days_used": 3, "days_allowed": "5"}, {"days_used": None}]

    assert read_value(CASES, told) == ({"days_used": 3, "days_allowed": 5}, {"days_used": None})
    for wrong, where in (
        ("x", ""),
        ([1], "/0"),
        ([{"other": 1}], "/0/other"),
        ([{}, {"days_used": "x"}], "/1/days_used"),
    ):
        with pytest.raises(ValueRefused) as refusal:
            read_value(CASES, wrong)
        assert refusal.value.fault.pointer == where


def test_a_word_is_neither_empty_nor_long() -> None:
    word = Wanted("w", Origin.DECLARED, kind=Kind.TEXT)

    assert read_value(word, "CLUSTER_CENTRE") == "CLUSTER_CENTRE"
    for wrong in ("", " ", "x" * 300, 5):
        with pytest.raises(ValueRefused):
            read_value(word, wrong)


@given(st.fractions())
def test_a_number_comes_back_from_what_is_kept(value: Fraction) -> None:
    assert from_plain(to_plain(value)) == value


def test_words_cases_and_nothing_come_back_too() -> None:
    cases = read_value(CASES, [{"days_used": 3, "days_allowed": None}])

    assert from_plain(to_plain(cases)) == cases
    assert from_plain("12", is_word=True) == "12"
    assert from_plain("word") == "word"
    assert from_plain(None) is None


def test_what_differs_between_two_sets_of_values_is_named() -> None:
    assert changed({"a": 1, "b": 2}, {"b": 3, "c": None}) == ["a", "b", "c"]
