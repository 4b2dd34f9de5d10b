"""The repository as a stranger finds it: nothing of any one machine, every dependency explained."""

import ast
import re
import string
import sys
import tomllib
from pathlib import Path

import pytest

from app.i18n import Language, catalogue
from tests.contracts.repository import ROOT, text_of, tracked

LOCKS = ("requirements.txt", "requirements-dev.txt")
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:work|opt/dh|opt/pypi|root|home/\w+|tmp/plan)/")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted|registry\.npmjs|index-url|find-links\s*=", re.IGNORECASE
)


def test_no_file_names_a_place_on_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        for match in MACHINE_PATH.finditer(text_of(path) or "")
    ]

    assert found == []


def test_no_file_names_a_package_registry() -> None:
    itself = Path(__file__).name
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.name != itself
        for match in REGISTRY.finditer(text_of(path) or "")
    ]

    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pinned_and_hashed_packages_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = [block for block in re.split(r"\n(?=[a-z])", text) if block[:1].isalnum()]

    assert "://" not in text
    assert packages
    assert [block for block in packages if "==" not in block or "--hash=sha256:" not in block] == []


def test_the_locks_agree_and_hold_every_dependency() -> None:
    runtime, dev = (pins(lock) for lock in LOCKS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert runtime.items() <= dev.items()
    assert {name_of(line) for line in project["dependencies"]} <= runtime.keys()
    assert {name_of(line) for line in project["optional-dependencies"]["dev"]} <= dev.keys()


def test_every_dependency_says_why_it_is_there() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    dependencies = [line for line in lines if re.match(r'  "[a-z0-9\-\[\],]+[><=]', line)]

    assert len(dependencies) > 20
    assert [line for line in dependencies if not re.search(r'",  # [A-Z].{10,}\.$', line)] == []


def test_the_starter_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse((ROOT / "run.py").read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }

    assert {module.split(".")[0] for module in modules} <= sys.stdlib_module_names


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    vietnamese, english = catalogue(Language.VI), catalogue(Language.EN)

    assert sorted(vietnamese) == sorted(english)
    different = [
        code for code in vietnamese if placeholders(vietnamese[code]) != placeholders(english[code])
    ]
    assert different == []


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package of a lock by its name."""
    text = (ROOT / lock).read_text()
    return {
        name_of(name): version
        for name, version in re.findall(
            r"^([a-z0-9][\w\-.\[\],]*)==([^\s;\\]+)", text, re.MULTILINE
        )
    }


def name_of(requirement: str) -> str:
    """Return the normal form of the name at the head of a requirement."""
    return re.split(r"[\[><=;\s]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def placeholders(sentence: str) -> set[str]:
    """Return the names of the values that a sentence asks for."""
    fields = (field for _, field, _, _ in string.Formatter().parse(sentence) if field)
    return {re.sub(r"_(?:vi|en)$", "", field) for field in fields}  # a title in each language
