"""The limits for petitions are data with dates; a fault is named before anything starts."""

from datetime import date

import pytest

from app.domain.petition import PetitionLimits
from app.rulebook.entry import RulebookRefused
from app.rulebook.petitions import (
    PetitionLimitsMissing,
    load_petition_rules,
    parse_petition_rules,
)

ENTRY = """[[limits]]
valid_from = 2020-01-01
valid_to = 2025-12-31
refuse = 2
ask = 5
answer = 15
publish = 2
basis = "Q"
provenance = "local"
"""


def test_the_shipped_limits_are_two_five_fifteen_and_two_working_days() -> None:
    found = load_petition_rules().on(date(2026, 7, 6))

    assert found.limits == PetitionLimits(refuse=2, ask=5, answer=15, publish=2)
    assert found.provenance == "operational"


def test_a_day_outside_every_entry_has_no_limits() -> None:
    rules = parse_petition_rules(ENTRY, file="x.toml")

    with pytest.raises(PetitionLimitsMissing):
        rules.on(date(2026, 1, 1))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ENTRY + ENTRY, "metric.versions_overlap"),
        (ENTRY.replace("2025-12-31", "2019-12-31"), "metric.ends_before_it_begins"),
        (ENTRY.replace("ask = 5\n", ""), "rulebook.missing_key"),
        (ENTRY + "colour = 1\n", "rulebook.unknown_key"),
        (ENTRY.replace("answer = 15", "answer = 1.5"), "rulebook.not_a_number"),
        ("", "rulebook.missing_key"),
        ("[[limits]", "rulebook.unreadable"),
    ],
)
def test_a_fault_of_the_file_is_named(text: str, fault: str) -> None:
    with pytest.raises(RulebookRefused) as refused:
        parse_petition_rules(text, file="x.toml")

    assert refused.value.fault == fault
