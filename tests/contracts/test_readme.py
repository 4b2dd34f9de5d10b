"""Both READMEs say the same, lead somewhere, and show a picture that is not too heavy."""

import re

import pytest

from tests.contracts.repository import ROOT

PAGES = ("README.md", "README.vi.md")
HEAVIEST = 300_000


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_readme_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).exists(), target


def test_both_readmes_hold_the_same_commands_requests_and_links() -> None:
    def skeleton(name: str) -> tuple[list[str], list[str]]:
        text = (ROOT / name).read_text(encoding="utf-8")
        typed = r"`(python3 run\.py [^`]*)`|^(python3 run\.py \w+)"
        commands = re.findall(typed, text, re.MULTILINE)
        bodies = re.findall(r"-d '([^']+)'", text)
        links = re.findall(r"\]\(((?!README)[^)]+)\)", text)
        same = [link.replace(".vi.md", ".md") for link in links]  # each page names its own guides
        return ["".join(pair) for pair in commands] + bodies, same

    assert skeleton(PAGES[0]) == skeleton(PAGES[1])


def test_the_picture_is_not_too_heavy() -> None:
    assert (ROOT / "docs" / "images" / "dashboard.png").stat().st_size <= HEAVIEST
