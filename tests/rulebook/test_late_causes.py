"""The shipped causes of lateness."""

import unicodedata

import pytest

from app.rulebook.late_causes import LateCausesBroken, load_late_causes, read_causes

GOOD = '[[cause]]\ncode = "a"\ngroup = "unit"\nvi = "A"\nen = "A"\n'


def test_every_shipped_cause_has_a_name_in_both_languages() -> None:
    found = load_late_causes()

    assert len(found) >= 10
    assert all(cause.vi and cause.en and cause.unit is None for cause in found.values())
    assert all(unicodedata.is_normalized("NFC", cause.vi) for cause in found.values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + GOOD,
        GOOD.replace('code = "a"', 'code = "unclassified"'),
        GOOD.replace('code = "a"', 'code = "a:b"'),
        GOOD.replace('"unit"', '"weather"'),
        GOOD.replace('en = "A"\n', ""),
        GOOD + 'more = "x"\n',
    ],
)
def test_a_broken_list_is_refused(text: str) -> None:
    with pytest.raises(LateCausesBroken):
        read_causes(text)
