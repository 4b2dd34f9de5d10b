"""The function behind a door: what it asks for is found out once, when the program starts.

FastAPI reads a signature to describe and to check it, and reads it again for every request; a
session costs it a thread to open, one to use and one to close it. Here the signature becomes a
plan. A call takes what the plan names straight from the request, and a plain function runs on one
thread from the beginning of its transaction to its end: it is still committed before the answer.
"""

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.deps import Guard

BODILESS: Final = frozenset({204, 304})
NOTHING: Final = object()
"""The body of a request that has none, for an endpoint that asks for none."""
_PLAIN: Final = (str, int, bool, tuple, type(None))
"""What a default may be, because all calls share it."""


class Unplain(RuntimeError):
    """A signature asks for something that no plan knows; the program must not start."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of the path, the query or the head of a request."""

    name: str
    alias: str
    place: str
    is_list: bool
    is_required: bool
    default: object
    check: Callable[..., tuple[Any, list[dict[str, Any]]]]

    @classmethod
    def of(cls, field: Any, place: str) -> Self:
        """Return the plan of a field of FastAPI's.

        :raises Unplain: it is a whole model, or its default could be changed by a call.
        """
        annotation = field.field_info.annotation
        is_required = field.field_info.is_required()
        default = None if is_required else field.get_default()
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        if is_model or not isinstance(default, _PLAIN):
            raise Unplain(f"{place} parameter {field.name}")
        return cls(
            name=field.name,
            alias=field.alias,
            place=place,
            is_list=is_list(annotation),
            is_required=is_required,
            default=default,
            check=field.validate,
        )

    def read(self, told: Any, values: dict[str, Any], errors: list[Any]) -> None:
        """Add the value to the values, or what is wrong with it to the errors."""
        found = (told.getlist(self.alias) or None) if self.is_list else told.get(self.alias)
        if found is not None:
            value, wrong = self.check(found, {}, loc=(self.place, self.alias))
            values[self.name] = value
            errors += wrong
        elif self.is_required:
            errors.append({"type": "missing", "loc": (self.place, self.alias), "input": None})
        else:
            values[self.name] = self.default


def is_list(annotation: object) -> bool:
    """Tell whether a parameter of this type may come more than once."""
    parts = (annotation, *get_args(annotation))
    return any(get_origin(part) in {list, set, tuple, frozenset} for part in parts)


@dataclass(frozen=True, slots=True)
class Part:
    """A function that a request is asked for: the endpoint itself, or one that it depends on."""

    call: Callable[..., Any]
    name: str | None
    request_name: str | None
    paths: tuple[Parameter, ...]
    queries: tuple[Parameter, ...]
    headers: tuple[Parameter, ...]

    @classmethod
    def of(cls, dependant: Dependant) -> Self:
        """Return the plan of one function.

        :raises Unplain: it asks for a cookie, a websocket or the like.
        """
        odd = (
            dependant.cookie_params,
            dependant.websocket_param_name,
            dependant.http_connection_param_name,
            dependant.background_tasks_param_name,
            dependant.security_scopes_param_name,
            dependant.concurrency,
        )
        if dependant.call is None or any(odd):
            raise Unplain(f"{dependant.path} {dependant.call}")
        return cls(
            call=dependant.call,
            name=dependant.name,
            request_name=dependant.request_param_name,
            paths=tuple(Parameter.of(field, "path") for field in dependant.path_params),
            queries=tuple(Parameter.of(field, "query") for field in dependant.query_params),
            headers=tuple(Parameter.of(field, "header") for field in dependant.header_params),
        )

    def arguments(self, request: Request, errors: list[Any]) -> dict[str, Any]:
        """Return what the function is given; what is wrong is added to the errors."""
        values: dict[str, Any] = {}
        if self.request_name is not None:
            values[self.request_name] = request
        for parameter in self.paths:
            parameter.read(request.path_params, values, errors)
        for parameter in self.queries:
            parameter.read(request.query_params, values, errors)
        for parameter in self.headers:
            parameter.read(request.headers, values, errors)
        return values


@dataclass(frozen=True, slots=True)
class Opener:
    """A session that is open while the function runs."""

    name: str
    open: Callable[..., AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The function of a route, with all that it asks for and all that it answers."""

    own: Part
    parts: tuple[Part, ...]
    openers: tuple[Opener, ...]
    is_async: bool
    body: Any
    answers: Any
    response_name: str | None
    status: int

    @classmethod
    def of(cls, route: APIRoute) -> Self:
        """Return the plan of a route's function.

        :raises Unplain: the route asks for something that no plan knows.
        """
        dependant = route.dependant
        own = Part.of(dependant)
        _check(route, own)
        parts: list[Part] = []
        openers: list[Opener] = []
        for inner in dependant.dependencies:
            part = Part.of(inner)
            if inner.dependencies or inner.body_params or inner.response_param_name:
                raise Unplain(f"{route.path}: {part.call} asks for more than values of a request")
            if isinstance(part.call, Guard) or inspect.iscoroutinefunction(part.call):
                parts.append(part)
            elif inspect.isgeneratorfunction(part.call) and part.name is not None:
                openers.append(Opener(part.name, contextmanager(part.call)))
            else:
                raise Unplain(f"{route.path}: {part.call} is neither a session nor async")
        is_async = inspect.iscoroutinefunction(own.call)
        if is_async and openers:
            raise Unplain(f"{route.path}: a session belongs to a thread, so not to async def")
        return cls(
            own=own,
            parts=tuple(parts),
            openers=tuple(openers),
            is_async=is_async,
            body=dependant.body_params[0] if dependant.body_params else None,
            answers=route.response_field,
            response_name=dependant.response_param_name,
            status=route.status_code or 200,
        )

    async def answer(self, request: Request, body: object = NOTHING) -> Response:
        """Give the function what it asks for, and return its answer.

        :raises RequestValidationError: a value of the request is missing or wrong.
        :raises ResponseValidationError: the answer does not fit its model.
        """
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for part in self.parts:
            before = len(errors)
            asked = part.arguments(request, errors)
            if len(errors) == before:
                found = await part.call(**asked)
                if part.name is not None:
                    values[part.name] = found
        values |= self.own.arguments(request, errors)
        if self.body is not None:
            values[self.body.name], wrong = self.body.validate(body, {}, loc=("body",))
            errors += wrong
        if errors:
            raise RequestValidationError(errors, body=None if body is NOTHING else body)
        shell = None
        if self.response_name is not None:
            shell = values[self.response_name] = Response(status_code=self.status)
        if self.is_async:
            return self._answered(await self.own.call(**values), shell)
        return await run_in_threadpool(self._worked, request, values, shell)

    def _worked(self, request: Request, values: dict[str, Any], shell: Response | None) -> Response:
        """Run the function with its sessions, each ended before the answer is given."""
        with ExitStack() as stack:
            for opener in self.openers:
                values[opener.name] = stack.enter_context(opener.open(request))
            response = self._answered(self.own.call(**values), shell)
        return response  # noqa: RET504  # for mypy, a with block may swallow an error and go on

    def _answered(self, value: Any, shell: Response | None) -> Response:
        """Return what the function returned as an answer."""
        if isinstance(value, Response):
            return value
        status = self.status if shell is None else shell.status_code
        if status in BODILESS:
            return Response(status_code=status)
        fit, errors = self.answers.validate(value, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=value)
        content = self.answers.serialize_json(fit)
        response = Response(content, status, media_type="application/json")
        if shell is not None:
            told = (pair for pair in shell.raw_headers if pair[0] != b"content-length")
            response.raw_headers.extend(told)
        return response


def _check(route: APIRoute, own: Part) -> None:
    """Pass if a route is answered in a way that a plan knows.

    :raises Unplain: it is not.
    """
    shaped: Mapping[str, object] = {
        "include": route.response_model_include,
        "exclude": route.response_model_exclude,
        "unset": route.response_model_exclude_unset,
        "defaults": route.response_model_exclude_defaults,
        "none": route.response_model_exclude_none,
    }
    is_stream = inspect.isgeneratorfunction(own.call) or inspect.isasyncgenfunction(own.call)
    if any(shaped.values()) or not route.response_model_by_alias or is_stream:
        raise Unplain(f"{route.path}: an answer is a Response or a whole model")
    if len(route.dependant.body_params) > 1 or route._embed_body_fields:  # noqa: SLF001  # FastAPI's name
        raise Unplain(f"{route.path}: a body is one model")
