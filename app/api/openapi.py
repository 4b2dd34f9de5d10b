"""The description of the doors (OpenAPI 3.1), completed in one place.

Every operation names its key and its scope, and the refusals that any request may meet; a
refusal is a problem document everywhere.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from app.api import webhook_events
from app.api.doors import BODY_METHODS, Door
from app.api.problems import (
    MEDIA_TYPE,
    BodySlow,
    EncodingUnsupported,
    MediaTypeUnsupported,
    Overloaded,
    Problem,
    Refused,
    Unexpected,
    response_of,
    status_of,
)
from app.domain.errors import AppError
from app.feeds.body import BodyCrowded, BodyInflation, BodyTooLarge
from app.store.session import StorageUnavailable
from app.usecases.access import ScopeMissing, Unauthenticated
from app.usecases.quotas import QuotaExceeded

DESCRIPTION: Final = """\
Đúng Hạn nhận hồ sơ thủ tục hành chính từ phần mềm một cửa, tính hạn trả, đếm đúng hạn và quá hạn, \
báo trước khi trễ, và chấm phần thủ tục của chỉ số cải cách hành chính.

Đúng Hạn takes dossiers from one-door software, computes due dates, counts what is on time and \
what is late, warns in time, and scores the procedure part of the reform index.

**Gửi lại / Resending.** 2xx: xong, done. 408, 409, 429, 502, 503, 504, mất kết nối / \
connection lost: gửi lại đúng như cũ sau `Retry-After` / resend the same after `Retry-After`. \
400, 401, 403, 404, 413, 415, 422: không gửi lại nguyên như cũ / do not resend unchanged.

Giá trị liệt kê có thể được bổ sung trong `/v1` / enumerations may grow within `/v1`.
"""

TAGS: Final = (
    ("dossiers", "Hồ sơ: nhận, tra cứu, giải thích / Dossiers: taking, reading, explaining"),
    ("adapters", "Cổng cho phần mềm một cửa / Wire adapters of one-door software"),
    ("statistics", "Số liệu và xếp hạng / Figures and rankings"),
    ("alerts", "Quá hạn và cảnh báo / Overdue dossiers and alerts"),
    ("webhooks", "Nơi nhận cảnh báo / Receivers of alerts"),
    ("index", "Chấm điểm chỉ số / Scoring the index"),
    ("catalogue", "Danh mục đơn vị, thủ tục / Units and procedures"),
    ("calendars", "Lịch làm việc / Working calendars"),
    ("due-dates", "Tính hạn trả / Computing due dates"),
    ("reports", "Báo cáo / Reports"),
    ("health", "Tình trạng hệ thống / Health of the installation"),
)

ALWAYS: Final[tuple[type[AppError], ...]] = (Unexpected,)
GUARDED: Final[tuple[type[AppError], ...]] = (
    Unauthenticated,
    QuotaExceeded,
    StorageUnavailable,
    Overloaded,
)
WITH_BODY: Final[tuple[type[AppError], ...]] = (
    BodySlow,
    BodyTooLarge,
    BodyInflation,
    BodyCrowded,
    MediaTypeUnsupported,
    EncodingUnsupported,
    Overloaded,
)


def description(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="Hạn trả hồ sơ hành chính / Due dates of administrative dossiers",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
        servers=[{"url": "/", "description": "Hệ thống này / this installation"}],
        contact={"name": "Đúng Hạn"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "dh_<environment>_<id>_<secret>",
            "description": "Khóa do `dunghan keys create` cấp / a key of `dunghan keys create`.",
        }
    }
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(ref_template=template, mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    webhook_events.describe(document)
    for door in doors_of(app):
        for method in door.methods or ():
            operation = document["paths"].get(door.path, {}).get(method.lower())
            if operation is not None:
                complete(operation, door, method)
    return document


def doors_of(app: FastAPI) -> Iterator[Door]:
    """Give every door of an application."""
    yield from _doors(app.routes)


def _doors(routes: list[BaseRoute]) -> Iterator[Door]:
    for route in routes:
        if isinstance(route, Door):
            yield route
        else:
            inner = getattr(route, "original_router", None)
            yield from _doors(getattr(inner, "routes", []))


def complete(operation: dict[str, Any], door: Door, method: str) -> None:
    """Add to an operation its key, its scope and what any request may be answered."""
    guard = door.guard
    operation["security"] = [] if guard.is_open else [{"key": []}]
    if guard.scope is not None:
        operation["x-scope"] = guard.scope.value
    has_body = method in BODY_METHODS
    classes = [
        *ALWAYS,
        *(() if guard.is_open else GUARDED),
        *(() if guard.scope is None else (ScopeMissing,)),
        *(WITH_BODY if has_body else ()),
    ]
    classes = list(dict.fromkeys(classes))
    responses = operation["responses"]
    _document(responses, classes, is_checked=has_body or not guard.is_open)
    operation["responses"] = dict(sorted(responses.items()))


def _document(
    responses: dict[str, Any], classes: list[type[AppError]], *, is_checked: bool
) -> None:
    """Add to the answers of an operation those of some errors, by status."""
    if (is_checked or "422" in responses) and not _is_problem(responses.get("422")):
        responses["422"] = response_of(422, [Refused])
    for status in sorted({status_of(error) for error in classes}):
        general = response_of(status, [error for error in classes if status_of(error) == status])
        own = responses.setdefault(str(status), general)
        if not _is_problem(own):
            own.setdefault("content", {}).update(general["content"])


def _is_problem(response: dict[str, Any] | None) -> bool:
    return response is not None and MEDIA_TYPE in response.get("content", {})
