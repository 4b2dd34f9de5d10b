"""The reasons for which no letter is needed."""

import pytest

from app.rulebook.letter_exemptions import ExemptionsBroken, load_exemptions, read_exemptions

GOOD = '[[exemption]]\ncode = "a"\nvi = "A"\nen = "A"\n'


def test_every_reason_has_a_name_in_both_languages() -> None:
    found = load_exemptions()

    assert {"force_majeure", "other"} <= found.keys()
    assert all(one.vi and one.en for one in found.values())


@pytest.mark.parametrize("text", ["", GOOD + GOOD, GOOD + 'x = "1"\n', '[[exemption]]\nvi = "A"\n'])
def test_a_broken_list_is_refused(text: str) -> None:
    with pytest.raises(ExemptionsBroken):
        read_exemptions(text)
