"""What faults are injected into: the service as a process, PostgreSQL as another.

Nothing here pretends. The service is `python -m app serve`, killed with its whole process group;
PostgreSQL is the one of the wheel, durable, stopped as a crash stops it. Waiting is always for
something to happen, with a limit.
"""

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from sqlalchemy import make_url

from app.clock import system_clock
from app.store import schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import access, catalogue, rebuild, recount
from app.usecases.access import Keyring, Scope
from app.usecases.catalogue import UnitLevel, UnitSpec

ROOT: Final = Path(__file__).resolve().parents[2]
SECRET: Final = "a secret of the fault tests, of no use elsewhere"
SOURCE: Final = "mot-cua"
UNITS: Final = ("H44.100", "H44.101", "H44.102")
PATIENCE: Final = 120.0
"""Seconds after which something that must happen has not happened."""

_BYTECODE = tempfile.TemporaryDirectory(prefix="dunghan-bytecode-")
"""Where the first start keeps compiled modules, so that the next ones come up in a second."""


class NeverHappened(AssertionError):
    """Something that must happen in time did not."""


def wait_for(what: str, holds: Callable[[], bool], *, within: float = PATIENCE) -> float:
    """Wait until a condition holds and return how many seconds it took.

    :raises NeverHappened: it did not hold in time.
    """
    began = awake_seconds()
    while not holds():
        if awake_seconds() - began > within:
            raise NeverHappened(f"{what} within {within} s")
        pause(0.01)
    return awake_seconds() - began


def pause(seconds: float) -> None:
    """Let others work for a moment."""
    threading.Event().wait(seconds)


class AwakeClock:
    """Tells seconds, but for those in which this machine let nobody run.

    A host that halts a machine halts what is measured together with whoever measures it. A
    thread that asks for a twentieth of a second and gets far more knows of it: what goes beyond
    ``NOTICED`` is not counted. The clock never goes back.
    """

    TICK: Final = 0.05
    NOTICED: Final = 0.5

    def __init__(self) -> None:
        """Prepare; who never asks has no thread, and may fork."""
        self._lost = 0.0
        self._beat = 0.0
        self._turn = threading.Lock()
        self._watcher: threading.Thread | None = None

    def __call__(self) -> float:
        """Tell the seconds; the first time, begin to watch."""
        with self._turn:
            if self._watcher is None:
                self._beat = time.monotonic()
                self._watcher = threading.Thread(target=self._watch, daemon=True, name="awake")
                self._watcher.start()
            return min(time.monotonic(), self._beat + self.TICK + self.NOTICED) - self._lost

    def _watch(self) -> None:
        while True:
            pause(self.TICK)
            with self._turn:
                now = time.monotonic()
                self._lost += max(0.0, now - self._beat - self.TICK - self.NOTICED)
                self._beat = now


awake_seconds: Final = AwakeClock()


def free_port() -> int:
    """Return a port of the loopback that nobody uses now, and that the system gives to nobody.

    It lies below those that are handed out to whoever asks for any, so that it is still free when
    a process that was killed comes back to it.
    """
    draw = random.Random()
    while True:
        port = draw.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Service:
    """The service as an operator starts it; a context manager that leaves no process behind."""

    def __init__(
        self, folder: Path, *, url: str | None, environment: str = "production", **settings: str
    ) -> None:
        """Prepare a service on a database, or on the embedded one when no URL is given."""
        self.port = free_port()
        self.log = folder / "service.log"
        self.starts = 0
        given = {"DATABASE_URL": url} if url else {"DATA_DIR": str(folder / "data")}
        told = {"HASH_KEY": SECRET, "ENVIRONMENT": environment, **given, **settings}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not _is_ours(name)},
            **{f"DUNGHAN_{name}": value for name, value in told.items()},
            "PYTHONPYCACHEPREFIX": _BYTECODE.name,
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start and wait until it answers."""
        self.start()
        self.wait_until_up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process as an operator would, or, if it will not, with force."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def pid(self) -> int:
        """Return the process id."""
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start a new process on the same port."""
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_up(self) -> float:
        """Wait until the service answers and return how many seconds that took."""

        def answers() -> bool:
            assert self.is_alive, self.tail
            return self.get("/healthz") == 200

        return wait_for("an answer of the service", answers)

    def kill(self) -> bool:
        """Kill the process group, as a power cut would; tell whether it was alive."""
        was_alive = self.is_alive
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(PATIENCE)
        return was_alive

    @property
    def tail(self) -> str:
        """Return the end of what it wrote, for a failure to show."""
        return self.log.read_text(errors="replace")[-6000:]

    def get(self, path: str) -> int | None:
        """Return the status of a page, None when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        else:
            return answer.status
        finally:
            connection.close()


def _is_ours(name: str) -> bool:
    return name.startswith(("DUNGHAN_", "PYTHONDONTWRITE", "PYTHONPYCACHE"))


class Cluster:
    """A durable PostgreSQL at an address that survives its crashes; a context manager."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Prepare a cluster in a folder; ``settings`` go before those of the embedded one."""
        self.folder = folder
        self.crashes = 0
        self._server = EmbeddedPostgres(folder, settings=settings)

    def __enter__(self) -> Self:
        """Make the cluster and start it."""
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Return the URL of the application's database, the same after every crash."""
        return f"postgresql+psycopg://dunghan@/dunghan?host={self._address}"

    @property
    def superuser_url(self) -> str:
        """Return the URL by which to administer it."""
        return f"postgresql+psycopg://postgres@/postgres?host={self._address}"

    @property
    def is_alive(self) -> bool:
        """Tell whether the server runs."""
        return self._server.pid is not None

    @property
    def socket(self) -> Path:
        """Return the socket of the server, under its lasting address."""
        return self._address / ".s.PGSQL.5432"

    def checkpoint(self) -> None:
        """Let everything until now be safe on the disk."""
        url = make_url(self.superuser_url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(), autocommit=True) as server:
            server.execute("CHECKPOINT")

    def crash(self, sign: signal.Signals) -> bool:
        """End the server by SIGQUIT (an immediate stop) or SIGKILL; tell whether it was alive."""
        pid = self._server.pid
        if pid is None:
            return False
        os.kill(pid, sign)
        wait_for("the end of PostgreSQL", lambda: not self.is_alive)
        self.crashes += 1
        return True

    def start(self) -> None:
        """Start it again; it recovers from its log before this returns."""
        self._server.stop()  # gives the place of the dead one back
        self._start()

    def restart_with(self, **settings: str) -> None:
        """Stop it in good order and start it with other settings."""
        self._server.stop()
        self._server = EmbeddedPostgres(self.folder, settings=settings)
        self._start()

    @property
    def _address(self) -> Path:
        return self.folder / "address"

    def _start(self) -> None:
        """Start, and let the lasting address lead to the socket of this start."""
        self._server.start()
        new = self.folder / "address.new"
        new.symlink_to(self._server.url.partition("host=")[2])
        new.replace(self._address)


@contextlib.contextmanager
def database_of(url: str) -> Iterator[Database]:
    """Open a database for the time of a block."""
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


def furnish(database: Database, *, environment: str = "production") -> str:
    """Migrate a database, put a province with three communes, and return a key that may send."""
    schema.migrate(database)
    specs = [
        UnitSpec(
            code=code,
            name=f"UBND phường {code}" if parent else "Tỉnh Phú Thọ",
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in (("H44", None), *((code, "H44") for code in UNITS))
    ]
    now = system_clock()
    with database.begin() as session:
        catalogue.put_units(session, specs, actor="test", now=now)
        made = access.issue_key(
            session,
            Keyring(secret=SECRET.encode(), environment=environment),
            name=SOURCE,
            source=SOURCE,
            unit="H44",
            scopes=tuple(Scope),
            actor="test",
            now=now,
        )
    return made.key


def differing(database: Database) -> int:
    """Return how much is not as it must be; it must be nothing.

    Dossiers that differ from what their record gives, and numbers of the facts that differ from a
    recount, once with what waits in the log and once when all of it was folded.
    """
    with database.read() as session:
        found = rebuild.compare(session).differ + recount.compare(session).differ
    more = True
    while more:
        with database.begin() as session:
            more = recount.fold_some(session)
    with database.read() as session:
        return found + recount.compare(session).differ
