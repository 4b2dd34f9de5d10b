"""Processes that take in the lanes of a file side by side, so that an import uses every core.

The process that reads the file deals out batches and keeps the account; a process of the crew
has its own connection and its own memory of the catalogue, and stores one batch at a time. Each
batch is a transaction with the place of its lane, so whoever ends in between, however it ends,
leaves whole batches only.
"""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from app.domain.errors import AppError
from app.feeds.table import Row
from app.garbage import collect_rarely
from app.store.imports import Lane
from app.store.session import Address
from app.usecases import intake
from app.usecases.imports import Clock, OwnHands, Task

GRACE_SECONDS: Final = 30.0
"""How long a process may go on with its last batch when the import ends."""

if sys.platform == "win32":
    _CONTEXT = multiprocessing.get_context("spawn")
else:
    from multiprocessing.forkserver import ensure_running

    # new processes come from one that has loaded this module and holds no connection or thread
    _CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(eq=False, kw_only=True)
class CrewBroken(AppError):
    """A process of the import has ended before its time; what was stored stands."""

    code: ClassVar[str] = "import.crew_broken"


@dataclass(frozen=True, slots=True)
class Post:
    """What a process of the crew works with; ``secret`` is the one of the installation."""

    address: Address
    task: Task
    secret: bytes = field(repr=False)
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error as it goes from one process to another."""

    kind: type[AppError]
    told: dict[str, Any]

    @classmethod
    def of(cls, error: AppError) -> Self:
        return cls(type(error), {one.name: getattr(error, one.name) for one in fields(error)})


class Crew:
    """Takes in several batches at a time, each in a process; a context manager.

    It leaves no process behind. A process whose parent is gone ends after the batch that it has.
    """

    def __init__(self, size: int, post: Post) -> None:
        """Prepare a crew of some processes; none is started yet."""
        self._size = size
        self._post = post
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._idle: list[Connection] = []
        self._busy: dict[Connection, int] = {}

    def __enter__(self) -> Self:
        """Start the processes; they are ready when they are."""
        ready()
        for _ in range(self._size):
            ours, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(
                target=_serve, args=(theirs, self._post), name="lanes", daemon=True
            )
            process.start()
            theirs.close()
            self._processes.append(process)
            self._idle.append(ours)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the batches under way come to their end, then every process."""
        for pipe in (*self._idle, *self._busy):
            pipe.close()
        for process in self._processes:
            process.join(GRACE_SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()

    @property
    def pids(self) -> list[int]:
        """Return the numbers of the processes."""
        return [process.pid for process in self._processes if process.pid is not None]

    @property
    def held(self) -> Collection[int]:
        """Return the lanes of which a batch was given and is not done."""
        return self._busy.values()

    @property
    def are_full(self) -> bool:
        """Tell whether every process has a batch."""
        return not self._idle

    def give(self, lane: Lane, rows: Sequence[Row]) -> None:
        """Give a batch to a process that has none.

        :raises CrewBroken: the process has ended.
        """
        pipe = self._idle.pop(0)
        self._busy[pipe] = lane.number
        with _broken():
            pipe.send((lane, [(row.number, row.cells, row.fault) for row in rows]))

    def done(self) -> tuple[int, Lane | None]:
        """Wait until a batch is stored and return its lane, with how far it has come.

        :raises CrewBroken: a process has ended.
        :raises StorageUnavailable: the database cannot serve; the batch was not kept.
        """
        pipe = next(one for one in wait(list(self._busy)) if isinstance(one, Connection))
        with _broken():
            answer = pipe.recv()
        number = self._busy.pop(pipe)
        self._idle.append(pipe)
        if isinstance(answer, _Refusal):
            raise answer.kind(**answer.told)
        return number, answer


def ready() -> None:
    """Begin to load what a crew is made from, beside whatever else is done until it is needed."""
    if sys.platform != "win32":
        _CONTEXT.set_forkserver_preload([__name__])
        ensure_running()


@contextlib.contextmanager
def _broken() -> Iterator[None]:
    """Say of a pipe that has no other end any more what that means.

    :raises CrewBroken: there is nobody at the other end.
    """
    try:
        yield
    except (EOFError, OSError) as error:
        raise CrewBroken from error


def _serve(pipe: Connection, post: Post) -> None:
    """Take in what comes until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that reads the file ends us
    collect_rarely()
    database = post.address.open(pool_size=1)
    hands = OwnHands(
        database,
        post.task,
        hash_applicant=intake.hasher_of(post.secret),
        clock=post.clock,
    )
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            lane, rows = pipe.recv()
            if not _is_awaited():
                break
            hands.give(lane, [Row(*told) for told in rows])
            try:
                _, answer = hands.done()
            except AppError as error:
                pipe.send(_Refusal.of(error))
            else:
                pipe.send(answer)
    database.dispose()


def _is_awaited() -> bool:
    """Tell whether the process that deals out batches is still there."""
    parent = multiprocessing.parent_process()
    return parent is not None and parent.is_alive()
