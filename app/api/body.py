"""How a body comes in: admitted by size, unpacked, decoded strictly, never half.

A JSON body passes here before any model sees it. Routes that read records themselves ask for
``Raw`` and get the bytes under the same limits.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final

import anyio
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.api.problems import (
    BodySlow,
    BodyUnreadable,
    EncodingUnsupported,
    MediaTypeUnsupported,
    Overloaded,
)
from app.api.wire import WHOLE_BODY
from app.feeds.body import BodyTooLarge, decode_strict, gunzip, values_in

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
NDJSON_NAMES: Final = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
ASIDE: Final = 64 * 1024
"""Bodies beyond this many bytes are decoded on a thread of their own."""
HEAVY: Final = 256 * 1024
"""Bodies beyond this many bytes are weighed by their values, and wait for each other."""


MOST_IN_LINE: Final = 1_000
"""Turns that one owner may wait for at once; further ones are told to come again."""


@dataclass(eq=False, slots=True)
class _Turn:
    """Somebody who waits in line."""

    owner: str
    size: int
    came: anyio.Event = field(default_factory=anyio.Event)


class Budget:
    """How much may be taken at once: requests at work, bytes of bodies, values that they become.

    Who does not fit waits in line, then goes. Who holds something already may take no more than
    is left free afterwards, so one alone holds at most about half, two a third each, and whoever
    comes next finds room. In line nobody is passed but those who wait for what they hold
    themselves.
    """

    def __init__(self, total: int, *, wait_seconds: float) -> None:
        self.total = total
        self.wait_seconds = wait_seconds
        self.held = 0
        self._held_by: Counter[str] = Counter()
        self._line: list[_Turn] = []
        self._waiting: Counter[str] = Counter()

    def admit(self, size: int, *, owner: str) -> "Room":
        """Return room to hold during a block; what is beyond the whole budget waits to be alone.

        :param owner: whose it is, a key or a place in the network.
        :raises Overloaded: on entering; no room came free in time, or too many of this owner wait.
        """
        return Room(self, min(size, self.total), owner)

    async def take(self, size: int, *, owner: str) -> None:
        """Take room, at once or after a wait.

        :raises Overloaded: no room came free in time, or too many of this owner wait already.
        """
        if self._line or not self._is_free(owner, size):
            await self._enter(_Turn(owner, size))
        else:
            self._take(owner, size)

    async def _enter(self, turn: _Turn) -> None:
        if self._waiting[turn.owner] >= MOST_IN_LINE:
            raise self._overloaded()
        self._line.append(turn)
        self._waiting[turn.owner] += 1
        self._wake()
        try:
            with anyio.move_on_after(self.wait_seconds):
                await turn.came.wait()
        except BaseException:
            if turn.came.is_set():  # cancelled just as its turn came
                self.let_go(turn.size, owner=turn.owner)
            raise
        finally:
            if not turn.came.is_set():
                self._leave(turn)
                self._wake()
        if not turn.came.is_set():
            raise self._overloaded()

    def _overloaded(self) -> Overloaded:
        return Overloaded(retry_after_seconds=max(1, int(self.wait_seconds)))

    def _wake(self) -> None:
        """Let those go whose turn it is, in the order in which they came."""
        for turn in tuple(self._line):
            if self.held + turn.size > self.total:
                return
            if self._is_free(turn.owner, turn.size):
                self._leave(turn)
                self._take(turn.owner, turn.size)
                turn.came.set()
            if self.held == self.total:
                return

    def _is_free(self, owner: str, size: int) -> bool:
        """Tell whether there is room for an owner, with what it holds already."""
        own, left = self._held_by[owner], self.total - self.held
        return size <= left and (own == 0 or own + size <= left)

    def _take(self, owner: str, size: int) -> None:
        self.held += size
        self._held_by[owner] += size

    def _leave(self, turn: _Turn) -> None:
        self._line.remove(turn)
        self._waiting[turn.owner] -= 1
        if not self._waiting[turn.owner]:
            del self._waiting[turn.owner]

    def let_go(self, size: int, *, owner: str) -> None:
        """Give room back."""
        self.held -= size
        self._held_by[owner] -= size
        if not self._held_by[owner]:
            del self._held_by[owner]
        self._wake()


@dataclass(frozen=True, slots=True)
class Room:
    """Room in a budget, held during a block."""

    budget: Budget
    size: int
    owner: str

    async def __aenter__(self) -> None:
        """Take the room; nothing takes none."""
        if self.size:
            await self.budget.take(self.size, owner=self.owner)

    async def __aexit__(self, *_: object) -> None:
        """Give it back."""
        if self.size:
            self.budget.let_go(self.size, owner=self.owner)


class ReadRequest(Request):
    """A request whose body has been read already."""

    def __init__(self, request: Request, raw: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw

    async def body(self) -> bytes:
        """Return the bytes, unpacked."""
        return self._raw


def media_type_of(request: Request) -> str:
    """Return the media type of the body in lower case, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_media_type(request: Request, allowed: Iterable[str]) -> str:
    """Return the media type of the body if it is one of those allowed.

    :raises MediaTypeUnsupported: it is another, or none is named.
    """
    told = media_type_of(request)
    wanted = tuple(allowed)
    if told in wanted or (JSON in wanted and told.endswith("+json")):
        return told
    raise MediaTypeUnsupported(wanted=wanted[0])


def declared_size(request: Request, limit: int) -> int:
    """Return how much room a body may need: its declared length, or the limit when unknown.

    :raises BodyTooLarge: it declares more than the limit.
    """
    told = request.headers.get("content-length", "")
    if request.headers.get("content-encoding") or not told.isdecimal():
        return limit
    if int(told) > limit:
        raise BodyTooLarge(limit=limit)
    return int(told)


async def read(request: Request, limit: int, *, within: float) -> bytes:
    """Return the whole body, unpacked if it was compressed.

    :param within: seconds after which all of it must have arrived.
    :raises BodySlow: it has not.
    :raises BodyTooLarge: it is larger than the limit, as sent or unpacked.
    :raises BodyGzip: it is announced as gzip and is not.
    :raises BodyInflation: it grows beyond every likelihood.
    :raises EncodingUnsupported: it is compressed in another way.
    :raises BodyUnreadable: the sender went away.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise EncodingUnsupported
    raw: bytes | None = request.scope.get("extensions", {}).get(WHOLE_BODY)
    if raw is None:
        raw = await _received(request, limit, within=within)
    elif len(raw) > limit:
        raise BodyTooLarge(limit=limit)
    if encoding in {"gzip", "x-gzip"}:
        return await run_in_threadpool(gunzip, raw, max_bytes=limit)
    return raw


async def _received(request: Request, limit: int, *, within: float) -> bytes:
    """Return a body that comes in pieces, as sent."""
    pieces = bytearray()
    try:
        async with asyncio.timeout(within):
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise BodyUnreadable
                pieces += message.get("body", b"")
                if len(pieces) > limit:
                    raise BodyTooLarge(limit=limit)
                if not message.get("more_body", False):
                    return bytes(pieces)
    except TimeoutError as error:
        raise BodySlow(seconds=int(within)) from error


async def weight_of(raw: bytes) -> int:
    """Return how many values a body may become in memory; a small one weighs nothing."""
    return await run_in_threadpool(values_in, raw) if len(raw) > HEAVY else 0


async def decoded(raw: bytes) -> object:
    """Return a JSON body decoded strictly.

    :raises Invalid: an error of ``app.feeds.body`` that names what is wrong with the text.
    """
    return await run_in_threadpool(decode_strict, raw) if len(raw) > ASIDE else decode_strict(raw)


async def _raw(request: Request) -> bytes:
    return await request.body()


Raw = Annotated[bytes, Depends(_raw)]
"""The bytes of the body, unpacked, within the limits; its type is for the route to check."""
