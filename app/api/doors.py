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

from collections.abc import Callable, Coroutine, Mapping
from inspect import iscoroutinefunction
from typing import Any, get_args, get_origin

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from app.api.body import (
    JSON,
    Budget,
    declared_size,
    decoded,
    require_media_type,
    taken,
    weight_of,
)
from app.api.problems import Refused
from app.deps import Guard, installation_of, place_of
from app.domain.faults import Fault

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
        known = queries_of(self.dependant)
        takes_place = not guard.is_open and not iscoroutinefunction(self.endpoint)

        async def work(request: Request, owner: str) -> Response:
            if not has_body:
                return await inner(request)
            bounds = installation_of(request).limits
            if has_model:
                require_media_type(request, (JSON,))
            size = declared_size(request, bounds.max_body_bytes)
            async with budget_of(request, "budget").admit(size, owner=owner):
                whole = await taken(request, bounds.max_body_bytes, within=bounds.body_seconds)
                weight = await weight_of(whole)
                async with budget_of(request, "values").admit(weight, owner=owner):
                    return await inner(await decoded(whole) if has_model else whole)

        async def handle(request: Request) -> Response:
            principal = await guard.admit(request)
            if request.url.query and not guard.is_open:
                check_query(request, known)
            owner = place_of(request) if principal is None else principal.prefix
            async with budget_of(request, "places").admit(int(takes_place), owner=owner):
                return await work(request, owner)

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


def queries_of(dependant: Dependant) -> dict[str, bool]:
    """Return the query parameters that a route knows, and whether each may come more than once."""
    found: dict[str, bool] = {}
    for parameter in dependant.query_params:
        told = parameter.field_info.annotation
        if isinstance(told, type) and issubclass(told, BaseModel):
            found |= {
                field.alias or name: _is_list(field.annotation)
                for name, field in told.model_fields.items()
            }
        else:
            found[parameter.alias] = _is_list(told)
    for inner in dependant.dependencies:
        found |= queries_of(inner)
    return found


def _is_list(annotation: object) -> bool:
    parts = (annotation, *get_args(annotation))
    return any(get_origin(part) in {list, set, tuple, frozenset} for part in parts)


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


def doors(prefix: str, *, tag: str) -> APIRouter:
    """Return a router of guarded routes under a path, shown under one tag."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Door)
