"""How much a run does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import Scale
from tests.faults.harness import ROOT

SLOW = """
import pytest
from tests.faults.harness import pause

@pytest.mark.fault
def test_that_takes_long():
    pause(600)

@pytest.mark.fault
def test_that_comes_after():
    raise AssertionError("begun")
"""


@pytest.mark.parametrize(
    ("scale", "number"),
    [(Scale(False), 20), (Scale(True), 500), (Scale(True, 0.1), 50), (Scale(True, 0.001), 20)],
)
def test_a_soak_does_its_numbers_or_a_part_and_never_less_than_ci(
    scale: Scale, number: int
) -> None:
    assert scale(20, 500) == number


def test_a_run_ends_with_its_minutes_and_names_what_was_not_shown(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    (tmp_path / "conftest.py").write_text("from tests.faults.conftest import *\n")

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", "-q"),
            *("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")),
            *("--minutes", "0.05", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 skipped" in done.stdout
    for name in ("test_that_takes_long", "test_that_comes_after"):
        assert f"NOT SHOWN, out of time: {name}" in done.stdout
