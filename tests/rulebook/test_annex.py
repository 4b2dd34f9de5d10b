"""A province's annex typed into the template."""

from datetime import date

import pytest

from app.rulebook.annex import Decision, filled, questions, typed
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_numbers import numbers_of
from app.rulebook.rule_sets import INDEX_FOLDER, parse_rule_set

TEMPLATE = (INDEX_FOLDER / "par-tthc-template.yaml").read_text(encoding="utf-8")
DECISION = Decision("par-tthc.h44", 'Phụ lục "của tỉnh"', "Annex", "876/QĐ-UBND", date(2026, 1, 1))


def test_what_is_typed_takes_the_place_of_each_number_and_the_rest_stays() -> None:
    answers = {
        "root/on_time_sum/max": "1.5",
        "root/on_time_sum/linear/floor": "0.98",
        "root/petitions/cases/cases/2/when": "petitions_on_time >= 0.8 * petitions",
    }

    text = filled(TEMPLATE, DECISION, answers)

    rule_set = parse_rule_set(text, file="annex", metrics=load_metrics())
    numbers = {one.path: one.value for one in numbers_of(text)}
    assert (rule_set.id, rule_set.title.vi) == ("par-tthc.h44", 'Phụ lục "của tỉnh"')
    assert (rule_set.valid.first, rule_set.basis[0].doc) == (date(2026, 1, 1), "876/QĐ-UBND")
    assert numbers["root/max"] == "6.5"
    assert numbers["root/on_time_sum/linear/floor"] == "0.98"
    assert numbers["root/petitions/cases/cases/2/when"] == "petitions_on_time >= 0.8 * petitions"
    assert not rule_set.provenance.confirmed
    assert "# A frame for the field" in text


def test_every_number_is_asked_for_but_the_sum() -> None:
    asked = [one.path for one in questions(TEMPLATE)]

    assert "root/max" not in asked
    assert len(asked) == len(numbers_of(TEMPLATE)) - 1


def test_a_place_that_the_template_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing at root/x"):
        filled(TEMPLATE, DECISION, {"root/x": "1"})
    with pytest.raises(ValueError, match="provenance"):
        filled(TEMPLATE.replace("provenance", "origin"), DECISION, {})


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ("0,95", "0.95"),
        (" 95 ", "95"),
        ("1.5", "1.5"),
        ("late == 0", "late == 0"),
        ("1,2,3", "1,2,3"),
    ],
)
def test_a_number_may_be_typed_the_vietnamese_way(answer: str, written: str) -> None:
    assert typed(answer) == written
