"""Every number of a rule set under a path of its own."""

from pathlib import Path

import pytest

from app.rulebook.rule_numbers import numbers_of
from app.rulebook.rule_sets import INDEX_FOLDER


def numbers(name: str) -> dict[str, str]:
    text = (INDEX_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return {number.path: number.value for number in numbers_of(text)}


def test_lines_are_named_by_their_id_and_conditions_with_numbers_are_numbers_too() -> None:
    found = numbers("par-tthc-template")

    assert found["root/on_time_sum/linear/floor"] == "0.95"
    assert found["root/online_banded/bands/table/1/ge"] == "0.5"
    assert found["root/petitions/cases/cases/2/when"] == "petitions_on_time >= 0.9 * petitions"
    assert found["rescale/to"] == "100"


def test_an_id_that_looks_like_a_number_is_a_name() -> None:
    found = numbers("haiphong-212-head")

    assert "root/id" not in found
    assert found["root/5.1a/max"] == "2"


@pytest.mark.parametrize("path", sorted(INDEX_FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_two_numbers_share_a_path(path: Path) -> None:
    found = numbers_of(path.read_text(encoding="utf-8"))

    assert len({number.path for number in found}) == len(found) > 0


def test_a_text_that_is_no_mapping_has_no_numbers() -> None:
    assert numbers_of("- 1") == ()
    assert numbers_of("a: [") == ()
