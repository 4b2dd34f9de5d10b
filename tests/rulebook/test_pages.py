"""The reference pages say what the rulebook says, and are up to date."""

from pathlib import Path

import pytest

from app.domain.tally import COUNTS
from app.rulebook.metrics import load_metrics
from app.rulebook.pages import metrics_page, rule_sets_page
from app.rulebook.rule_sets import load_rule_sets

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("metrics.md", metrics_page(load_metrics())),
        ("rule-sets.md", rule_sets_page(load_rule_sets())),
    ],
)
def test_a_page_is_what_the_rulebook_says_today(name: str, page: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == page, "run: python3 run.py reference"


def test_every_definition_and_count_is_on_its_page() -> None:
    page = metrics_page(load_metrics())

    assert all(f"`{definition.name}`" in page for definition in load_metrics().definitions)
    assert all(f"`{count}`" in page for count in COUNTS)


def test_every_line_of_every_set_is_on_its_page() -> None:
    page = rule_sets_page(load_rule_sets())

    for rule_set in load_rule_sets().all:
        assert f"`{rule_set.id}`" in page
        assert all(f"`{leaf.id}`" in page for leaf in rule_set.leaves)
