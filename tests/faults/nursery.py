"""Processes that may die: forked from one that has loaded everything, so that many can.

Run as a program it reads what to start, one JSON object a line, and answers with process ids.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.clock import system_clock
from app.jobs import Worker
from app.rulebook.calendars import load_state_calendar
from app.senders.guard import networks
from app.senders.seal import Sealer
from app.senders.webhook import WebhookSender
from app.store.session import Database
from app.usecases.outbox import Courier
from app.usecases.runs import Duty
from tests.faults.harness import PATIENCE, ROOT, SECRET, wait_for

SEALER: Final = Sealer(SECRET.encode())


def courier(clock: Callable[[], datetime] = system_clock) -> Courier:
    """Return what a courier of these tests works with; it may call this machine."""
    sender = WebhookSender(allowed=networks(["127.0.0.0/8"]))
    return Courier(sender=sender, sealer=SEALER, clock=clock)


def nights(*, url: str, moment: str, skew: int, batch: int) -> None:
    """Do what is due by a clock that is read from a file and goes wrong by some seconds."""

    def clock() -> datetime:
        return datetime.fromisoformat(Path(moment).read_text()) + timedelta(seconds=skew)

    duty = Duty(clock=clock, owner=f"test:{os.getpid()}", batch=batch)
    worker = Worker(Database(url, pool_size=1), duty=duty, courier=courier(clock))
    while True:
        worker.do_nights()
        threading.Event().wait(0.03)


def post(*, url: str) -> None:
    """Deliver what is due, as the ticker of a worker does."""
    duty = Duty(clock=system_clock, owner=f"test:{os.getpid()}")
    worker = Worker(Database(url), duty=duty, courier=courier())
    while True:
        worker.send_post()
        threading.Event().wait(0.1)


TASKS: Final[dict[str, Callable[..., None]]] = {"nights": nights, "post": post}


class Nursery:
    """Starts processes and kills them; a context manager that leaves none behind."""

    def __init__(self) -> None:
        """Prepare; nothing runs yet."""
        self.alive: set[int] = set()
        self._parent: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Load everything once."""
        self._parent = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.faults.nursery"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill whoever lives."""
        for pid in tuple(self.alive):
            self.kill(pid)
        if self._parent is not None:
            self._parent.communicate(timeout=PATIENCE)

    def start(self, task: str, **told: object) -> int:
        """Start a process at a task and return its id."""
        assert self._parent is not None
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({"task": task, **told}) + "\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline())
        self.alive.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """Kill a process and wait until it is gone."""
        self.alive.discard(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for("the end of a process", lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Fork one process for each line that comes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    load_state_calendar().is_working_day(date(2026, 8, 3))  # makes its tables
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            TASKS[told.pop("task")](**told)
            os._exit(0)
        print(pid, flush=True)  # noqa: T201 -- the answer


if __name__ == "__main__":
    main()
