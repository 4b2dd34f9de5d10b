"""The kind of route that every door is: guarded, admitted, then read.

``doors("/v1/units", tag="catalogue")`` makes a router whose routes

1. must say who may pass, or the program does not start (``deps.needs``, ``deps.AnyKey``,
   ``deps.open_door``);
2. check the key, its scope and its quota before a byte of the body is read;
3. refuse query parameters that nobody knows, or that contradict: a filter is never ignored;
4. take a place among the requests at work, of which one key never has all, unless they are
   answered by a coroutine, which holds neither a thread nor a connection while it waits;
5. hold room for the body and for what it becomes, read it within the limits, and decode JSON
   strictly.
"""

import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.body import (
    HEAVY,
    JSON,
    Budget,
    ReadRequest,
    declared_size,
    decoded,
    read,
    require_media_type,
    weight_of,
)
from app.api.endpoint import Endpoint, is_list
from app.api.problems import EXPECTED, Refused, answer_to
from app.deps import Guard, installation_of, place_of
from app.domain.errors import AppError
from app.domain.faults import Fault

BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class Unguarded(RuntimeError):
    """A route does not say who may pass; the program must not start."""


class Door(APIRoute):
    """A route that checks its caller before it reads the body."""

    _service: "Service | None" = None

    @property
    def guard(self) -> Guard:
        """Return who may pass.

        :raises Unguarded: the route does not say.
        """
        found = guard_of(self.dependant)
        if found is None:
            raise Unguarded(f"{self.methods} {self.path}: declare needs(...), AnyKey or open_door")
        return found

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves a request: guard, query, body, and then the function of the route."""
        return self._served_by().serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that is known to be for this door; a refusal is a problem document."""
        request = Request(scope, receive, send)
        try:
            response = await self._served_by().serve(request)
        except EXPECTED as error:
            response = await answer_to(request, error)
        await response(scope, receive, send)

    def _served_by(self) -> "Service":
        if self._service is None:
            self._service = Service.of(self)
        return self._service


@dataclass(frozen=True, slots=True)
class Service:
    """What serves the requests of a door: its guard, its queries, its body, its function."""

    guard: Guard
    queries: Mapping[str, bool]
    has_body: bool
    endpoint: Endpoint

    @classmethod
    def of(cls, door: Door) -> Self:
        """Return the service of a door.

        :raises Unguarded: the door does not say who may pass.
        :raises Unplain: its function asks for something that no plan knows.
        """
        return cls(
            guard=door.guard,
            queries=queries_of(door.dependant),
            has_body=bool(BODY_METHODS & (door.methods or set())),
            endpoint=Endpoint.of(door),
        )

    async def serve(self, request: Request) -> Response:
        """Let a request pass its guard, then answer it."""
        principal = await self.guard.admit(request)
        if request.scope["query_string"] and not self.guard.is_open:
            check_query(request, self.queries)
        owner = place_of(request) if principal is None else principal.prefix
        if self.guard.is_open or self.endpoint.is_async:
            return await self._answer(request, owner)
        async with budget_of(request, "places").admit(1, owner=owner):
            return await self._answer(request, owner)

    async def _answer(self, request: Request, owner: str) -> Response:
        """Hold room for the body and for what it becomes, and answer."""
        if not self.has_body:
            return await self.endpoint.answer(request)
        bounds = installation_of(request).limits
        if self.endpoint.body is not None:
            require_media_type(request, (JSON,))
        size = declared_size(request, bounds.max_body_bytes)
        async with budget_of(request, "budget").admit(size, owner=owner):
            raw = await read(request, bounds.max_body_bytes, within=bounds.body_seconds)
            if len(raw) <= HEAVY:
                return await self._answer_with(request, raw)
            try:
                weight = await weight_of(raw)
                async with budget_of(request, "values").admit(weight, owner=owner):
                    return await self._answer_with(request, raw)
            except AppError as refusal:
                # The frames behind it hold the body, and garbage is looked for rarely.
                traceback.clear_frames(refusal.__traceback__)
                raw = b""
                raise

    async def _answer_with(self, request: Request, raw: bytes) -> Response:
        whole = ReadRequest(request, raw)
        if self.endpoint.body is None:
            return await self.endpoint.answer(whole)
        return await self.endpoint.answer(whole, await decoded(raw))


def guard_of(dependant: Dependant) -> Guard | None:
    """Return the guard among the dependencies of a route, None when there is none."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Guard):
            return inner.call
        below = guard_of(inner)
        if below is not None:
            return below
    return None


def queries_of(dependant: Dependant) -> dict[str, bool]:
    """Return the query parameters that a route knows, and whether each may come more than once."""
    found = {one.alias: is_list(one.field_info.annotation) for one in dependant.query_params}
    for inner in dependant.dependencies:
        found |= queries_of(inner)
    return found


def check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Pass if every query parameter is known and says one thing, where it may not say more.

    A NUL is no part of any text, and no database keeps one.

    :raises Refused: the others, each with its place.
    """
    told: dict[str, set[str]] = {}
    for name, value in request.query_params.multi_items():
        told.setdefault(name, set()).add(value)
    unknown = [name for name in told if name not in known]
    repeated = [name for name, values in told.items() if len(values) > 1 and not known.get(name)]
    odd = [name for name, values in told.items() if any("\x00" in value for value in values)]
    faults = [
        *(Fault("/" + name[:100], "field.unknown") for name in unknown),
        *(Fault("/" + name, "field.bad_text") for name in odd if name in known),
        *(Fault("/" + name, "field.repeated") for name in repeated if name in known),
    ]
    if faults:
        raise Refused(faults=tuple(faults), place="query")


def budget_of(request: Request, name: str) -> Budget:
    """Return a budget of the application: ``places`` at work, ``budget`` of bytes, ``values``."""
    found = getattr(request.app.state, name)
    if not isinstance(found, Budget):
        raise TypeError("the application was not made by create_app")
    return found


class Directory:
    """ASGI middleware that finds the door of a request by the first two words of its path.

    What is no request for a door goes on to the framework, which knows the pages and says what is
    unknown.
    """

    def __init__(self, app: ASGIApp, doors: Iterable[Door]) -> None:
        """Write down the doors, in the order in which the first that fits is taken.

        :raises ValueError: one of them varies within the first two words of its path.
        """
        self.app = app
        self._doors: dict[tuple[str, str], tuple[Door, ...]] = {}
        for door in doors:
            head = head_of(door.path)
            if "{" in head:
                raise ValueError(f"{door.path}: the first two words of a path are fixed")
            for method in door.methods or ():
                self._doors[method, head] = (*self._doors.get((method, head), ()), door)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by its door, or let the framework do so."""
        door = self.find(scope) if scope["type"] == "http" else None
        serve = self.app if door is None else door.serve
        await serve(scope, receive, send)

    def find(self, scope: Scope) -> Door | None:
        """Return the door of a request and note it in the scope, None when there is none."""
        path = scope["path"]
        for door in self._doors.get((scope["method"], head_of(path)), ()):
            found = door.path_regex.match(path)
            if found is not None:
                scope["route"] = door
                scope["path_params"] = {
                    name: door.param_convertors[name].convert(value)
                    for name, value in found.groupdict().items()
                }
                return door
        return None


def head_of(path: str) -> str:
    """Return the first two words of a path."""
    return "/".join(path.split("/", 3)[:3])


def doors(prefix: str, *, tag: str) -> APIRouter:
    """Return a router of guarded routes under a path, shown under one tag."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Door)
