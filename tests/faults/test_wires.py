"""P14: a wire to the database that is reset or stalls holds nobody long, and heals by itself."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.faults.conftest import Scale
from tests.faults.harness import (
    Cluster,
    Service,
    awake_seconds,
    database_of,
    differing,
    furnish,
    pause,
    wait_for,
)
from tests.faults.proxy import Fault, Proxy

pytestmark = pytest.mark.fault

STUCK_AT_MOST: Final = 30.0
HEALED_WITHIN: Final = 10.0


@dataclass
class Callers:
    """Who asks one after the other, and how long each waited for what answer."""

    port: int
    key: str
    asks: int
    stop: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    """When the answer came, how long it took, and its status; 0 when there was none."""
    unfit: list[str] = field(default_factory=list)
    """Refusals that do not say when to come again."""

    def __enter__(self) -> "Callers":
        """Let them begin."""
        self._threads = [
            threading.Thread(target=self._ask_on, args=(n,), daemon=True) for n in range(self.asks)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let each have its last answer."""
        self.stop.set()
        for thread in self._threads:
            thread.join(5 * STUCK_AT_MOST)

    def since(self, moment: float) -> list[tuple[float, float, int]]:
        """Return the answers that came after a moment."""
        return [answer for answer in tuple(self.answers) if answer[0] >= moment]

    def _ask_on(self, number: int) -> None:
        turn = 0
        while not self.stop.is_set():
            turn += 1
            self._ask(number, turn)
            pause(0.05)

    def _ask(self, number: int, turn: int) -> None:
        """Read, write one record or write a batch."""
        code = f"W-{number}-{turn}"
        record = {
            "code": code,
            "unit": "H44.100",
            "procedure": "1.001193",
            "channel": "online",
            "received_at": "2026-03-02T08:00:00+07:00",
            "due_at": "2026-03-06T17:00:00+07:00",
            "status": "processing",
            "source_updated_at": "2026-03-02T08:00:00+07:00",
        }
        method, path, told = (
            ("GET", "/v1/overdue?unit=H44", None),
            ("PUT", f"/v1/dossiers/{code}", record),
            ("POST", "/v1/dossiers/batch", {"dossiers": [record]}),
        )[number % 3]
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5 * STUCK_AT_MOST)
        began = awake_seconds()
        status = 0
        try:
            body = None if told is None else json.dumps(told)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
            line.request(method, path, body, headers)
            answer = line.getresponse()
            answer.read()
            status = answer.status
            if status == 503 and not (answer.headers["retry-after"] or "").isdigit():
                self.unfit.append(f"{method} {path}")
        except (OSError, http.client.HTTPException) as error:
            self.unfit.append(f"{method} {path}: {error!r}")
        finally:
            line.close()
        ended = awake_seconds()
        self.answers.append((ended, ended - began, status))


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.STALL])
def test_a_broken_wire_to_the_database_holds_nobody_for_long_and_heals(
    fault: Fault, folder: Path, scale: Scale, tell: Callable[..., None]
) -> None:
    """The limits are those that an installation has by default; the service never starts again."""
    lasts = {Fault.REFUSE: scale(2, 60), Fault.STALL: scale(33, 120)}[fault]
    with Cluster(folder / "data") as cluster, Proxy(cluster.socket) as wire:
        with database_of(cluster.url) as database:
            key = furnish(database)
        url = f"postgresql+psycopg://dunghan@127.0.0.1:{wire.port}/dunghan"
        service = Service(folder, url=url)
        with service, Callers(service.port, key, asks=9) as callers:
            wait_for("answers", lambda: len(callers.answers) > 30)
            broke = awake_seconds()
            wire.fault = fault
            if fault is Fault.REFUSE:
                wire.cut()
            pause(lasts)
            alive = service.get("/healthz")
            wire.fault = Fault.NONE
            healed = awake_seconds()

            def all_is_well() -> bool:
                last = callers.since(healed)[-30:]
                return len(last) == 30 and all(status < 300 for _, _, status in last)

            back = wait_for("thirty good answers in a row", all_is_well)
        with database_of(cluster.url) as database:
            differ = differing(database)
    meanwhile = [answer for answer in callers.answers if broke <= answer[0]]
    statuses = Counter(status for _, _, status in meanwhile)
    longest = max(took for _, took, _ in callers.answers)
    tell(
        fault=fault.value,
        injected=wire.injected,
        seconds=lasts,
        longest=f"{longest:.1f} s",
        well_after=f"{back:.1f} s",
        answers=dict(statuses),
        differing=differ,
    )
    assert (service.starts, alive, callers.unfit) == (1, 200, []), service.tail
    assert set(statuses) <= {200, 201, 503}
    assert statuses[503] > 0, "the fault met nobody"
    assert wire.injected > 0
    assert longest <= scale.seconds(STUCK_AT_MOST)
    assert back <= scale.seconds(HEALED_WITHIN)
    assert differ == 0
