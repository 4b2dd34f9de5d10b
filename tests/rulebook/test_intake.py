"""The rule of intake: dated, strict, and honest about what was not read in the text."""

from datetime import date, timedelta

import pytest

from app.domain.limits import LimitKind
from app.rulebook.intake import (
    IntakeRuleBroken,
    intake_limit_at,
    intake_rule_at,
    load_intake_rules,
    read_rules,
)

GOOD = """
[[version]]
valid_from = 2020-01-01
working_hours = 8
legal_basis = "x"
source = "unverified"
"""


def test_the_shipped_rule_is_eight_working_hours_and_not_verified() -> None:
    rule = intake_rule_at(date(2026, 3, 2))

    assert rule.limit.kind is LimitKind.WORKING_HOURS
    assert rule.limit.duration == timedelta(hours=8)
    assert not rule.verified


def test_the_rule_in_force_on_the_day_holds() -> None:
    later = GOOD.replace("2020-01-01", "2024-01-01").replace("= 8", "= 4")

    rules = read_rules(GOOD + later)

    assert [rule.valid_from.year for rule in rules] == [2020, 2024]
    assert load_intake_rules()[0] == intake_rule_at(date(2000, 1, 1))


@pytest.mark.parametrize(
    "text",
    ["", GOOD + GOOD, GOOD.replace("working_hours = 8\n", ""), GOOD + 'unknown = "x"'],
)
def test_a_broken_file_stops_with_its_place(text: str) -> None:
    with pytest.raises(IntakeRuleBroken, match=r"intake\.toml"):
        read_rules(text)


@pytest.mark.parametrize("day", [date(2000, 1, 1), date(2026, 3, 2)])
def test_the_limit_of_a_day_is_that_of_the_rule_in_force(day: date) -> None:
    assert intake_limit_at(day) is intake_rule_at(day).limit
