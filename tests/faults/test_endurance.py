"""P17: everything at once for an hour: nothing is lost, nothing fails, and memory stays flat."""

import http.client
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Final, Self

import pytest

from tests.faults.conftest import Scale
from tests.faults.harness import (
    PATIENCE,
    Cluster,
    Service,
    database_of,
    differing,
    furnish,
    pause,
    wait_for,
)
from tests.faults.proxy import Fault, Proxy
from tests.faults.senders import Crowd, Journal, account_of

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks the kernel for sizes"),
]

GROWTH_AT_MOST: Final = 0.10
"""Share by which the memory of the service may grow after the first quarter of the time."""
PAGES: Final = (
    "/v1/statistics?unit=H44&from=2026-03-01&to=2026-03-31&group_by=unit,month",
    "/v1/statistics?unit=H44.101&from=2026-03-02&to=2026-03-17&group_by=day",
    "/v1/overdue?unit=H44&limit=100",
    "/v1/quarantine?limit=100",
    "/v1/alerts?limit=100",
    "/metrics",
)


@dataclass
class Readers:
    """Who asks for one page after another for the time of a block, and what each was told."""

    port: int
    key: str
    number: int
    answers: Counter[int] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Let them begin."""
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(self.number)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let each have its last answer."""
        self.stop.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def _ask_on(self) -> None:
        for path in cycle(PAGES):
            if self.stop.wait(0.02):
                return
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            status = 0
            try:
                line.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
                answer = line.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                status = 0
            finally:
                line.close()
            self.answers[status] += 1


def resident_megabytes(pid: int) -> float:
    """Return how much memory a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} tells no size")


def one_more(service: Service, journal: Journal) -> None:
    """Wait until another call was acknowledged."""
    before = journal.seen["calls"]

    def is_more() -> bool:
        assert service.is_alive, service.tail
        return journal.seen["calls"] > before or bool(journal.violations)

    wait_for("an acknowledged call", is_more)


def test_everything_at_once_loses_nothing_and_does_not_grow(
    folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """Senders, readers, the nightly work and the post, while PostgreSQL and its wire break."""
    chance = Random(seed)
    seconds = scale(12, 3_600)
    faults: Counter[str] = Counter()
    sizes: list[tuple[float, float]] = []
    with Cluster(folder / "data") as cluster, Proxy(cluster.socket) as wire:
        with database_of(cluster.url) as database:
            key = furnish(database)
        url = f"postgresql+psycopg://dunghan@127.0.0.1:{wire.port}/dunghan"
        service = Service(folder, url=url)
        with (
            service,
            Readers(service.port, key, 2) as readers,
            Crowd(folder, service.port, key, seed=seed, size=4) as journal,
        ):
            began = time.monotonic()
            while (now := time.monotonic() - began) < seconds or len(faults) < 3:
                one_more(service, journal)
                sizes.append((now, resident_megabytes(service.pid)))
                pause(chance.uniform(0.1, 1.5))
                fault = chance.choice(("crash", "cut", "refusal"))
                faults[fault] += 1
                if fault == "crash":
                    assert cluster.crash(chance.choice((signal.SIGQUIT, signal.SIGKILL)))
                    cluster.start()
                elif fault == "refusal":
                    wire.fault = Fault.REFUSE
                    wire.cut()
                    pause(chance.uniform(0.1, 1.0))
                    wire.fault = Fault.NONE
                else:
                    wire.cut()
            one_more(service, journal)
            sizes.append((time.monotonic() - began, resident_megabytes(service.pid)))
        with database_of(cluster.url) as database:
            found = account_of(database, list(journal.marks()))
            differ = differing(database)
    settled = [size for at, size in sizes if at >= sizes[-1][0] / 4]
    growth = settled[-1] / settled[0] - 1
    tell(
        seconds=round(sizes[-1][0]),
        faults=dict(faults),
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        pages=dict(readers.answers),
        growth=f"{settled[0]:.0f} to {settled[-1]:.0f} MB, {growth:.1%}",
    )
    assert journal.violations == [], service.tail
    assert service.starts == 1
    assert set(readers.answers) <= {200, 503}, service.tail
    assert readers.answers[200] > 0
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)
    # in CI the first quarter is three seconds, in which a service is still warming up
    assert growth <= (GROWTH_AT_MOST if scale.is_soak else 1.0)
