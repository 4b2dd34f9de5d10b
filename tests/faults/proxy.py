"""A wire between two programs that can be cut, reset, silenced, stalled or cut at an answer.

It stands on the loopback before a port or a Unix socket. Faults are set from outside and hold
for connections that are open and for those that come.
"""

import contextlib
import socket
import struct
import threading
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PIECE: Final = 65_536


class Fault(StrEnum):
    """What the wire does."""

    NONE = "none"
    """It carries."""
    REFUSE = "refuse"
    """It resets every connection at once."""
    SILENCE = "silence"
    """It accepts, and carries nothing."""
    STALL = "stall"
    """It takes what comes, as if all were well, and carries it on only when the fault is over."""
    CUT_ANSWER = "cut answer"
    """It carries requests whole, and resets when the first byte of the answer comes."""


class Proxy:
    """One wire; a context manager."""

    def __init__(self, target: tuple[str, int] | Path) -> None:
        """Prepare a wire to an address or to a Unix socket."""
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._turn = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.fault = Fault.NONE
        self.injected = 0

    @property
    def port(self) -> int:
        """Return the port of this end."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        """Carry from now on."""
        self._go(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the wire down."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def cut(self) -> int:
        """Reset every open connection and return how many ends that were."""
        with self._turn:
            ends, self._open = self._open, set()
        for end in ends:
            _reset(end)
        self.injected += len(ends)
        return len(ends)

    def _go(self, work: "threading._RunnableTarget", *arguments: socket.socket) -> None:  # type: ignore[name-defined]  # a name of the stubs
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses():
                self.injected += 1
                _reset(near)
                continue
            try:
                far = self._connect()
            except OSError:
                _reset(near)
                continue
            with self._turn:
                # a fault may have come meanwhile, and the cut of it does not know these two
                is_late = self._refuses()
                if not is_late:
                    self._open |= {near, far}
            if is_late:
                _reset(near)
                _reset(far)
                continue
            self._go(self._carry_requests, near, far)
            self._go(self._carry_answers, far, near)

    def _refuses(self) -> bool:
        return self.fault is Fault.REFUSE

    def _connect(self) -> socket.socket:
        if isinstance(self._target, Path):
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                far.connect(str(self._target))
            except OSError:  # nobody is there now
                far.close()
                raise
            return far
        return socket.create_connection(self._target, timeout=10)

    def _stay(self, end: socket.socket) -> None:
        """Hold what is under way to an end while the wire stalls."""
        self.injected += self.fault is Fault.STALL
        while self.fault is Fault.STALL and end in self._open:
            threading.Event().wait(0.05)

    def _carry_requests(self, near: socket.socket, far: socket.socket) -> None:
        self._carry(near, far, is_answer=False)

    def _carry_answers(self, far: socket.socket, near: socket.socket) -> None:
        self._carry(far, near, is_answer=True)

    def _carry(self, here: socket.socket, there: socket.socket, *, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            here.settimeout(None)
            while piece := here.recv(PIECE):
                if is_answer and self.fault is Fault.CUT_ANSWER:
                    self.injected += 1
                    break
                if self.fault is Fault.SILENCE:
                    self.injected += 1
                    continue
                self._stay(there)
                there.sendall(piece)
        with self._turn:
            self._open -= {here, there}
        _reset(here)
        _reset(there)


def _reset(end: socket.socket) -> None:
    """Close so that the other side sees a reset, not a quiet end."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
