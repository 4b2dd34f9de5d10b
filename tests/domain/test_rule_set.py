"""Rule sets as data: days in force, leaves in order, what may be published unmarked."""

from datetime import date

import pytest

from app.domain.rounding import Stage
from app.domain.rule_set import Measure, NodeSum, Numbers, Part, Provenance, Validity
from app.rulebook.rule_sets import load_rule_sets


@pytest.mark.parametrize(
    ("valid", "day", "holds"),
    [
        (Validity(date(2026, 1, 1), None), date(2026, 1, 1), True),
        (Validity(date(2026, 1, 1), None), date(2025, 12, 31), False),
        (Validity(date(2026, 1, 1), date(2026, 6, 30)), date(2026, 6, 30), True),
        (Validity(date(2026, 1, 1), date(2026, 6, 30)), date(2026, 7, 1), False),
        (Validity(None, None), date(2026, 7, 1), False),
    ],
)
def test_both_days_of_a_validity_belong_to_it(valid: Validity, day: date, holds: bool) -> None:
    assert valid.holds(day) is holds


def test_only_a_template_is_unconfirmed() -> None:
    assert [kind for kind in Provenance if not kind.confirmed] == [Provenance.TEMPLATE]


def test_leaves_stand_in_the_order_of_the_sheet() -> None:
    rule_set = load_rule_sets().get("qd766.profile-2026", date(2026, 12, 31))

    assert [leaf.id for leaf in rule_set.leaves][3:6] == ["dossier_sync", "on_time", "online"]


def test_a_measure_is_written_as_in_a_rule_set() -> None:
    assert Measure("received@1", Part.COUNT).name == "measure:received@1"
    assert Measure("x@1", Part.NUMERATOR).name == "measure:x@1.numerator"


def test_totals_are_printed_by_the_last_stage_that_is_told() -> None:
    leaf, publish = Stage(4), Stage(2)

    assert Numbers(leaf, NodeSum.EXACT_SUM).printed == leaf
    assert Numbers(leaf, NodeSum.EXACT_SUM, publish=publish).printed == publish
