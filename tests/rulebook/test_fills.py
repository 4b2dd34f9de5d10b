"""What registers can fill is data: every input and every count in it exists."""

import pytest

from app.domain.petition import PetitionCount
from app.domain.rule_set import Given
from app.rulebook.entry import RulebookRefused
from app.rulebook.fills import load_fills, parse_fills
from app.rulebook.rule_sets import load_rule_sets


def test_every_filled_input_is_declared_by_its_rule_set() -> None:
    known = {one.id: one for one in load_rule_sets().all}

    for identifier, fills in load_fills().items():
        inputs = known[identifier].inputs
        assert {inputs[name] for name in fills} == {Given.DECLARED}


def test_a_text_is_read() -> None:
    found = parse_fills('["a-1"]\nx = "petitions_judged"\n', file="f.toml")

    assert found == {"a-1": {"x": PetitionCount.JUDGED}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('["a-1"]\nx = "petitions_juged"\n', "rulebook.not_a_choice"),
        ('["a-1"]\nx = 1\n', "rulebook.not_a_text"),
        ("a = 1", "rulebook.not_a_mapping"),
        ("[", "rulebook.unreadable"),
    ],
)
def test_a_fault_is_named(text: str, fault: str) -> None:
    with pytest.raises(RulebookRefused) as refused:
        parse_fills(text, file="f.toml")

    assert refused.value.fault == fault
