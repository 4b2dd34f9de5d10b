"""How much fault tests do, from which seed, and where they tell what they did.

Every run does the numbers of CI; ``--soak`` does the numbers of a release, with a new seed each
time. What each test injected and counted stands at the end of the run, passed or not.
"""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CI_SEED = 20_261_122

TOLD = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of a soak."""
    parser.addoption("--soak", action="store_true", help="fault tests: the numbers of a release")
    parser.addoption("--fault-seed", type=int, help="fault tests: the seed of an earlier run")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what the fault tests did."""
    lines = config.stash.get(TOLD, [])
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


@dataclass(frozen=True, slots=True)
class Scale:
    """Which numbers to reach: those of every run, or those of a soak."""

    is_soak: bool

    def __call__(self, ci: int, soak: int) -> int:
        """Return one of two numbers."""
        return soak if self.is_soak else ci


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Scale:
    """Give the choice between the numbers of CI and those of a soak."""
    return Scale(bool(request.config.getoption("--soak", False)))


@pytest.fixture
def seed(request: pytest.FixtureRequest, scale: Scale) -> int:
    """Give the seed of this test; ``--fault-seed`` repeats an earlier one."""
    asked = request.config.getoption("--fault-seed", None)
    if isinstance(asked, int):
        return asked
    return random.SystemRandom().randrange(10**9) if scale.is_soak else CI_SEED


@pytest.fixture
def tell(request: pytest.FixtureRequest, seed: int) -> Callable[..., None]:
    """Give what keeps a line of counts for the end of the run: ``tell(kills=20, lost=0)``."""
    name = request.node.name
    kept = request.config.stash.setdefault(TOLD, [])

    def told(**counts: object) -> None:
        shown = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        line = f"{name}: seed {seed}; {shown}"
        kept.append(line)
        print(line)  # noqa: T201 -- beside the failure, when there is one

    return told


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that another account may pass through, as PostgreSQL started by root must."""
    made = Path(tempfile.mkdtemp(prefix="dunghan-fault-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
