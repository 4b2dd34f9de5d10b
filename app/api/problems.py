"""Every refusal as ``application/problem+json`` (RFC 9457), in the caller's language.

The kind of an error decides the status. An answer names what was wrong and where, and never
repeats what was sent.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.domain.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.domain.faults import Fault
from app.feeds.body import BodyCrowded, BodyInflation, BodyTooLarge
from app.i18n import Language, choose_language, has_phrase, phrase
from app.store.session import StorageUnavailable
from app.usecases.access import Unauthenticated
from app.usecases.quotas import QuotaExceeded

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
PAGES: Final = "/docs/problems/"
Told = TypeVar("Told")
Made = TypeVar("Made")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+[+-]\d\d:\d\d", re.ASCII)


@dataclass(eq=False, kw_only=True)
class MediaTypeUnsupported(AppError):
    """The body is announced as something that this door does not read."""

    code: ClassVar[str] = "body.media_type"
    wanted: str


@dataclass(eq=False, kw_only=True)
class EncodingUnsupported(AppError):
    """The body is compressed in a way that this door does not read."""

    code: ClassVar[str] = "body.content_encoding"


@dataclass(eq=False, kw_only=True)
class PreconditionFailed(AppError):
    """The thing is not in the state that ``If-Match`` names."""

    code: ClassVar[str] = "request.precondition_failed"


@dataclass(eq=False, kw_only=True)
class BodySlow(AppError):
    """The body did not arrive in time, so its room was given to others."""

    code: ClassVar[str] = "body.slow"
    seconds: int


@dataclass(eq=False, kw_only=True)
class Overloaded(AppError):
    """Too much is at work at once, by all or by this key; send again a little later."""

    code: ClassVar[str] = "request.overloaded"
    retry_after_seconds: int


@dataclass(eq=False, kw_only=True)
class RouteUnknown(NotFound):
    """Nothing is served under this path."""

    code: ClassVar[str] = "request.route_unknown"


@dataclass(eq=False, kw_only=True)
class MethodUnsupported(AppError):
    """The path exists, but not with this method."""

    code: ClassVar[str] = "request.method_unsupported"
    allowed: str


@dataclass(eq=False, kw_only=True)
class BodyUnreadable(AppError):
    """The request broke off or cannot be read as HTTP."""

    code: ClassVar[str] = "request.unreadable"


@dataclass(eq=False, kw_only=True)
class Unexpected(AppError):
    """A fault of ours; the request id finds it in the log."""

    code: ClassVar[str] = "request.unexpected"


@dataclass(eq=False, kw_only=True)
class Refused(Invalid):
    """Several places of a request cannot be accepted; each is listed."""

    code: ClassVar[str] = "request.invalid"
    faults: tuple[Fault, ...]
    place: str = "body"

    @property
    def params(self) -> dict[str, str]:
        """Return how many places there are."""
        return {"count": str(len(self.faults))}


STATUS: Final[Mapping[type[AppError], int]] = {
    BodyUnreadable: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodUnsupported: 405,
    BodySlow: 408,
    Conflict: 409,
    PreconditionFailed: 412,
    BodyTooLarge: 413,
    BodyInflation: 413,
    BodyCrowded: 413,
    MediaTypeUnsupported: 415,
    EncodingUnsupported: 415,
    Invalid: 422,
    QuotaExceeded: 429,
    Unexpected: 500,
    StorageUnavailable: 503,
    Overloaded: 503,
}


def status_of(error: type[AppError]) -> int:
    """Return the HTTP status of a class of errors; one without a kind is a bug, 500."""
    return next((STATUS[base] for base in error.__mro__ if base in STATUS), 500)


class FaultOut(BaseModel):
    """One place that cannot be accepted."""

    model_config = ConfigDict(json_schema_extra={"description": "One place that is wrong."})

    pointer: str = Field(description="JSON pointer into the part named by `in`.")
    place: str = Field(
        alias="in", description="Where: body, query, path or header.", examples=["body"]
    )
    code: str = Field(description="Permanent dotted code.", examples=["field.missing"])
    detail: str = Field(description="What to do, in the caller's language.")


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: str = Field(description="Path of a page that explains the code.")
    title: str = Field(description="The kind of refusal, in the caller's language.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do, in the caller's language.")
    code: str = Field(description="Permanent dotted code.")
    instance: str = Field(description="The id of this request, as in `X-Request-Id`.")
    params: dict[str, str] = Field(
        default_factory=dict, description="Values of the sentence, never localised."
    )
    errors: list[FaultOut] = Field(
        default_factory=list, description="Each place that is wrong; left out when there is none."
    )


@contextmanager
def at(pointer: str) -> Iterator[None]:
    """Let an ``Invalid`` raised in the block name the place of the request that it speaks of.

    :raises Refused: in place of the error.
    """
    try:
        yield
    except Refused as error:
        raise Refused(faults=tuple(fault.under(pointer) for fault in error.faults)) from error
    except Invalid as error:
        raise Refused(faults=(Fault(pointer, error.code, params_of(error)),)) from error


def each_at(pointer: str, told: Iterable[Told], make: Callable[[Told], Made]) -> list[Made]:
    """Make a value of each entry of a list, so that an ``Invalid`` names the entry it speaks of.

    :raises Refused: in place of the error.
    """
    made = []
    for index, one in enumerate(told):
        with at(f"{pointer}/{index}"):
            made.append(make(one))
    return made


def params_of(error: AppError) -> dict[str, str]:
    """Return the values of an error for the sentence and for machines, as text."""
    return error.params


# ---------------------------------------------------------------- rendering


def respond(
    request: Request, error: AppError, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer to a request that ended in an error."""
    return render(
        error,
        language=choose_language(request.headers.get("accept-language")),
        instance=str(getattr(request.state, "request_id", "")),
        headers=headers,
    )


def render(
    error: AppError,
    *,
    language: Language,
    instance: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error as a problem document."""
    status = status_of(type(error))
    body = document(error, language=language, instance=instance)
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={
            "Content-Language": language.value,
            "Vary": "Accept-Language",
            "Cache-Control": "no-store",
            **_retry(error),
            **(headers or {}),
        },
    )


def document(error: AppError, *, language: Language, instance: str) -> dict[str, object]:
    """Return the members of the problem document of an error, for an answer or a verdict."""
    if isinstance(error, Refused) and len(error.faults) == 1:
        only = error.faults[0]
        code, params = only.code, dict(only.params)
        detail = phrase(language, only.code, _spoken(only.params))
    else:
        code, params = error.code, error.params
        detail = phrase(language, error.code, _spoken(params))
    status = status_of(type(error))
    body: dict[str, object] = {
        "type": PAGES + code,
        "title": title_of(code, status, language),
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
    }
    if params:
        body["params"] = params
    if isinstance(error, Refused):
        body["errors"] = [
            {
                "in": error.place,
                "pointer": fault.pointer,
                "code": fault.code,
                "detail": phrase(language, fault.code, _spoken(fault.params)),
            }
            for fault in error.faults
        ]
    return body


def title_of(code: str, status: int, language: Language) -> str:
    """Return the title of a code: its own, or that of its status."""
    own = f"problem.title.{code}"
    return phrase(language, own if has_phrase(language, own) else f"problem.title.{status}")


def _spoken(params: Mapping[str, str]) -> dict[str, object]:
    """Return values for a sentence: what is a day or an instant as such, the rest as it is."""
    return {name: _read(value) for name, value in params.items()}


def _read(value: str) -> object:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
        if _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        return value
    return value


def _retry(error: AppError) -> dict[str, str]:
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": 'Bearer realm="dunghan"'}
        case StorageUnavailable() | QuotaExceeded() | Overloaded():
            return {"Retry-After": str(error.retry_after_seconds)}
        case MediaTypeUnsupported():
            return {"Accept": error.wanted}
        case EncodingUnsupported():
            return {"Accept-Encoding": "gzip, identity"}
        case _:
            return {}


# ---------------------------------------------------------------- handlers


async def on_app_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours by its kind."""
    if not isinstance(error, AppError):
        raise error
    status = status_of(type(error))
    if status >= 500:
        log.error("request failed", extra={"code": error.code}, exc_info=error)
    return respond(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework refused: unknown paths, methods, broken requests."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    match status:
        case 404:
            return respond(request, RouteUnknown())
        case 405:
            allowed = headers.get("Allow", headers.get("allow", ""))
            return respond(request, MethodUnsupported(allowed=allowed), {"Allow": allowed})
        case 400:
            return respond(request, BodyUnreadable())
        case _:
            return respond(request, Unexpected())


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer what a model refused, place by place, without what was sent."""
    if not isinstance(error, RequestValidationError):
        raise error
    return respond(request, refused(error.errors(), error.body))


async def on_response_error(request: Request, error: Exception) -> Response:
    """Answer when our own answer does not fit its model: a bug."""
    if not isinstance(error, ResponseValidationError):
        raise error
    log.error("answer does not fit its model", extra={"places": len(error.errors())})
    return respond(request, Unexpected())


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    AppError: on_app_error,
    HTTPException: on_http_error,
    RequestValidationError: on_validation_error,
    ResponseValidationError: on_response_error,
}


EXPECTED: Final = (AppError, HTTPException, RequestValidationError, ResponseValidationError)
"""Errors that end a request as it is foreseen."""


async def answer_to(request: Request, error: Exception) -> Response:
    """Return the answer to a request that ended in an error of an expected kind.

    :raises Exception: the error itself, when it is of no such kind.
    """
    for kind in EXPECTED:
        if isinstance(error, kind):
            found: Response = await HANDLERS[kind](request, error)
            return found
    raise error


# ---------------------------------------------------------------- models' refusals

CODES: Final = {
    "missing": "field.missing",
    "extra_forbidden": "field.unknown",
    "string_type": "field.not_text",
    "string_too_short": "field.too_short",
    "string_too_long": "field.too_long",
    "string_pattern_mismatch": "field.bad_form",
    "int_type": "field.not_integer",
    "int_parsing": "field.not_integer",
    "int_from_float": "field.not_integer",
    "int_parsing_size": "field.not_integer",
    "bool_type": "field.not_boolean",
    "bool_parsing": "field.not_boolean",
    "float_type": "field.not_number",
    "decimal_type": "field.not_number",
    "decimal_parsing": "field.not_number",
    "list_type": "field.not_list",
    "tuple_type": "field.not_list",
    "dict_type": "field.not_object",
    "model_type": "field.not_object",
    "model_attributes_type": "field.not_object",
    "dataclass_type": "field.not_object",
    "too_short": "field.too_few",
    "too_long": "field.too_many",
    "literal_error": "field.not_allowed",
    "enum": "field.not_allowed",
    "union_tag_invalid": "field.not_allowed",
    "union_tag_not_found": "field.missing",
    "greater_than": "field.too_small",
    "greater_than_equal": "field.too_small",
    "less_than": "field.too_great",
    "less_than_equal": "field.too_great",
    "date_type": "field.not_day",
    "date_parsing": "field.not_day",
    "date_from_datetime_parsing": "field.not_day",
    "datetime_type": "field.not_instant",
    "datetime_parsing": "field.not_instant",
    "datetime_from_date_parsing": "field.not_instant",
    "timezone_aware": "field.no_offset",
    "uuid_parsing": "field.bad_form",
    "uuid_type": "field.bad_form",
    "invalid_key": "field.bad_form",
}
"""Our code of what a model says; a type with a dot is already a code of ours."""

KEY_MARK: Final = "[key]"
"""What a model adds to the place of a key that it refuses."""

LIMITS: Final = ("ge", "gt", "le", "lt", "min_length", "max_length")


def refused(errors: Iterable[Mapping[str, Any]], body: object) -> Refused:
    """Return what models refused, as one error with a fault for each place."""
    found: dict[tuple[str, str], Fault] = {}
    places: set[str] = set()
    for error in errors:
        place, *path = error["loc"] or ("body",)
        path = [part for part in path if part != KEY_MARK]
        places.add(str(place))
        root = body if place == "body" else None
        pointer = pointer_of(path, root)
        fault = Fault(pointer, *_coded(error))
        found.setdefault((pointer, fault.code), fault)
    place = places.pop() if len(places) == 1 else "body"
    return Refused(faults=tuple(found.values()), place=place)


def _coded(error: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    kind = str(error["type"])
    told = error.get("ctx") or {}
    if "." in kind:
        return kind, {name: str(value) for name, value in told.items()}
    code = CODES.get(kind, "field.invalid")
    if code == "field.not_allowed":
        return code, {"allowed": str(told.get("expected", told.get("expected_tags", "")))}
    limit = next((str(told[name]) for name in LIMITS if name in told), None)
    return code, {} if limit is None else {"limit": limit}


def pointer_of(path: Iterable[str | int], root: object) -> str:
    """Return the JSON pointer of a place, leaving out what a model adds to its path.

    A path through a union names the branch; that is no key of the body and is skipped.
    """
    parts = list(path)
    pointer = ""
    here = root
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        match here, part:
            case list(), int() if 0 <= part < len(here):
                here = here[part]
            case dict(), str() if part in here:
                here = here[part]
            case dict() | list(), _ if not is_last:
                continue
            case _:
                here = None
        pointer += "/" + str(part).replace("~", "~0").replace("/", "~1")
    return pointer


# ---------------------------------------------------------------- documentation


def problems(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Return ``responses=`` of a route from the classes of errors that it may raise.

    What every route may answer (401, 422, 429, 500, 503 …) is added to the whole document.
    """
    by_status: dict[int, list[type[AppError]]] = {}
    for error in errors:
        by_status.setdefault(status_of(error), []).append(error)
    return {status: response_of(status, classes) for status, classes in by_status.items()}


def response_of(status: int, errors: Iterable[type[AppError]]) -> dict[str, Any]:
    """Return the OpenAPI response of a status, naming the codes that it may carry."""
    titles = [phrase(language, f"problem.title.{status}") for language in Language]
    named = [f"`{error.code}`: {summary_of(error)}" for error in errors]
    return {
        "description": "\n\n".join([" / ".join(titles), *named]),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def summary_of(error: type[AppError]) -> str:
    """Return the first line of the docstring of a class of errors."""
    return (error.__doc__ or "").strip().partition("\n")[0]


def every_error() -> dict[str, type[AppError]]:
    """Return every class of errors that is loaded, by code."""
    found: dict[str, type[AppError]] = {}
    waiting: list[type[AppError]] = [AppError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        code = getattr(error, "code", None)
        if isinstance(code, str):
            found.setdefault(code, error)
    return dict(sorted(found.items()))
