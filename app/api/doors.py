"""The kind of route that every door is: guarded, admitted, then read.

``doors("/v1/units", tag="catalogue")`` makes a router whose routes

1. must say who may pass, or the program does not start (``deps.needs``, ``deps.AnyKey``,
   ``deps.open_door``);
2. check the key, its scope and its quota before a byte of the body is read;
3. hold room for the body, read it within the limits, and decode JSON strictly.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.api.body import Budget, declared_size, decoded, taken
from app.deps import Guard, installation_of

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Unguarded(RuntimeError):
    """A route does not say who may pass; the program must not start."""


class Door(APIRoute):
    """A route that checks its caller before it reads the body."""

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
        """Return the handler behind the guard and the reader of bodies."""
        inner = super().get_route_handler()
        guard = self.guard
        has_model = self.body_field is not None
        has_body = bool(BODY_METHODS & (self.methods or set()))

        async def handle(request: Request) -> Response:
            await guard.admit(request)
            if not has_body:
                return await inner(request)
            limit = installation_of(request).limits.max_body_bytes
            async with budget_of(request).admit(declared_size(request, limit)):
                bring = decoded if has_model else taken
                return await inner(await bring(request, limit))

        return handle


def guard_of(dependant: Dependant) -> Guard | None:
    """Return the guard among the dependencies of a route, None when there is none."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, Guard):
            return inner.call
        below = guard_of(inner)
        if below is not None:
            return below
    return None


def budget_of(request: Request) -> Budget:
    """Return the budget of bodies of the application."""
    found = request.app.state.budget
    if not isinstance(found, Budget):
        raise TypeError("the application was not made by create_app")
    return found


def doors(prefix: str, *, tag: str) -> APIRouter:
    """Return a router of guarded routes under a path, shown under one tag."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Door)
