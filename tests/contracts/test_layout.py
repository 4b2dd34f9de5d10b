"""Each file of the service is tested in the file of the same name."""

import ast
import tomllib
from pathlib import Path

import pytest

from tests.contracts.repository import ROOT

WITHOUT_A_TEST_OF_THEIR_OWN = {
    "app/__main__.py": "two lines; every test of the command line goes through it",
    "app/store/base.py": "names and one column type; tests/contracts/test_migrations.py compares",
    "app/store/tables.py": "columns and constraints; tests/contracts/test_migrations.py compares",
}

MODULES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "app").rglob("*.py")
    if any(
        isinstance(node, ast.FunctionDef | ast.ClassDef)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
    )
)


def place_of(module: Path) -> Path:
    """Return the file in which a module is tested."""
    return ROOT / "tests" / module.relative_to("app").with_name(f"test_{module.stem}.py")


def is_tested(module: Path) -> bool:
    """Tell whether a module has its test; what a package says of itself is tested beside it."""
    if module.stem == "__init__":
        return any(place_of(module).parent.glob("test_*.py"))
    return place_of(module).exists()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_its_test(module: Path) -> None:
    excused = module.as_posix() in WITHOUT_A_TEST_OF_THEIR_OWN

    assert excused or is_tested(module), f"{module} is not tested in {place_of(module)}"


@pytest.mark.parametrize("module", WITHOUT_A_TEST_OF_THEIR_OWN)
def test_an_exception_is_still_needed(module: str) -> None:
    assert (ROOT / module).exists()
    assert not place_of(Path(module)).exists()


def test_every_room_but_the_store_is_forbidden_to_speak_sql() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = {contract["name"]: contract for contract in linter["contracts"]}
    silent = set(named["Only the store speaks SQL"]["source_modules"])
    rooms = {f"app.{path.stem}" for path in (ROOT / "app").glob("*.py")}
    rooms |= {f"app.{path.parent.name}" for path in (ROOT / "app").glob("*/__init__.py")}
    speaking = {"app.store", "app.__main__", "app.__init__"}
    leaves = {"app.domain", "app.clock", "app.settings"}  # other contracts hold these

    assert rooms - speaking - leaves - silent == set()
