"""How much fault tests do, from which seed, and where they tell what they did.

Every run does the numbers of CI; ``--soak`` does the numbers of a release, with a new seed each
time, ``--soak-part 0.1`` a tenth of them. What each test injected and counted stands at the end of
the run, passed or not. ``--minutes`` bounds the run: a test that is under way then is cut off and
those that follow are not begun; all of them are named, for they have shown nothing.
"""

import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

CI_SEED = 20_261_122
DEEP = 40
"""Letters of a temporary folder below which a path of a socket may be too long."""

TOLD = pytest.StashKey[list[str]]()
UNSHOWN = pytest.StashKey[list[str]]()
BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of a soak."""
    parser.addoption("--soak", action="store_true", help="fault tests: the numbers of a release")
    parser.addoption("--soak-part", type=float, default=1.0, help="share of the soak's numbers")
    parser.addoption("--minutes", type=float, help="fault tests: end after so many minutes")
    parser.addoption("--fault-seed", type=int, help="fault tests: the seed of an earlier run")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what the fault tests did."""
    lines = config.stash.get(TOLD, [])
    unshown = config.stash.get(UNSHOWN, [])
    if lines or unshown:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
    for name in unshown:
        terminalreporter.write_line(f"NOT SHOWN, out of time: {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Cut a fault test off when the minutes of the run are over."""
    minutes = item.config.getoption("--minutes", None)
    if not isinstance(minutes, float) or item.get_closest_marker("fault") is None:
        return (yield)
    left = item.config.stash[BEGAN] + 60 * minutes - time.monotonic()

    def cut(*_: object) -> None:
        item.config.stash.setdefault(UNSHOWN, []).append(item.name)
        pytest.skip(f"the {minutes:g} minutes of this run are over")

    if left <= 0:
        cut()
    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_configure(config: pytest.Config) -> None:
    """Note when the run began."""
    config.stash[BEGAN] = time.monotonic()


@dataclass(frozen=True, slots=True)
class Scale:
    """Which numbers to reach: those of every run, or those of a soak."""

    is_soak: bool
    part: float = 1.0
    slack: ClassVar[float] = 2.0
    """How many times as long things may take beside CI: nobody knows what else its machine does."""

    def __call__(self, ci: int, soak: int) -> int:
        """Return one of two numbers; of that of a soak perhaps a part, never less than in CI."""
        return max(ci, round(soak * self.part)) if self.is_soak else ci

    def seconds(self, promised: float) -> float:
        """Return how long something that is promised in so many seconds may take.

        A soak has its machine to itself and holds the promise to the letter. In CI the same
        figure is printed, and what fails is what takes twice as long.
        """
        return promised if self.is_soak else self.slack * promised


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Scale:
    """Give the choice between the numbers of CI and those of a soak."""
    part = request.config.getoption("--soak-part", 1.0)
    assert isinstance(part, float)
    return Scale(bool(request.config.getoption("--soak", False)), part)


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
    """Give a folder that another account may pass through, as PostgreSQL started by root must.

    Its path is short, because sockets lie in it.
    """
    is_deep = len(tempfile.gettempdir()) > DEEP
    made = Path(tempfile.mkdtemp(prefix="dunghan-fault-", dir="/tmp" if is_deep else None))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
