"""Pages about the API that open without internet: Swagger UI, a plain reference, every refusal.

Swagger's files come from an installed package; nothing is fetched from elsewhere, and no script
stands inside a page.
"""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from fastapi import Path as InPath
from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from app.api.doors import doors
from app.api.openapi import TAGS, description
from app.api.problems import RouteUnknown, every_error, status_of, summary_of, title_of
from app.deps import Language, open_door
from app.i18n import Language as LanguageCode
from app.i18n import catalogue, phrase

router = doors("", tag="documentation")

HERE: Final = Path(__file__).parent
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SWAGGER: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
OWN: Final = {"start.js": "text/javascript", "reference.css": "text/css"}


@cache
def pages() -> Environment:
    """Return the templates of these pages; every value is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    made.filters["prose"] = prose
    made.filters["pretty"] = pretty
    return made


def prose(text: str) -> Markup:
    """Show plain text of a description as paragraphs, with its code and its emphasis."""
    shown = []
    for paragraph in text.strip().split("\n\n"):
        safe = str(escape(" ".join(paragraph.split())))
        safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
        safe = re.sub(r"[*][*]([^*]+)[*][*]", r"<strong>\1</strong>", safe)
        shown.append(f"<p>{safe}</p>")
    return Markup("".join(shown))  # noqa: S704 - escaped above, the tags are ours


def pretty(value: object) -> str:
    """Write a value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def page(name: str, language: LanguageCode, **values: object) -> HTMLResponse:
    """Return a page from its template."""

    def say(key: str, /, **params: str) -> str:
        return phrase(language, key, params)

    text = (
        pages()
        .get_template(name)
        .render(
            language=language.value,
            say=say,
            **values,
        )
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": CSP, "Vary": "Accept-Language"})


def described(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    state = request.app.state
    if not hasattr(state, "description"):
        state.description = description(request.app)
    found: dict[str, Any] = state.description
    return found


@router.get(
    "/openapi.json",
    operation_id="getDescription",
    summary="Give the description of the API (OpenAPI 3.1)",
    include_in_schema=False,
    dependencies=[open_door],
)
def get_description(request: Request) -> Response:
    """Mô tả API theo OpenAPI 3.1. / The description of the API."""
    return Response(orjson.dumps(described(request)), media_type="application/json")


@router.get(
    "/docs",
    operation_id="getSwagger",
    summary="Show the API with Swagger UI",
    include_in_schema=False,
    dependencies=[open_door],
)
def get_swagger(language: Language) -> HTMLResponse:
    """Swagger UI, không cần internet. / Swagger UI, without internet."""
    return page("swagger.html", language)


@router.get(
    "/redoc",
    operation_id="getReference",
    summary="Show the API as one plain page",
    include_in_schema=False,
    dependencies=[open_door],
)
def get_reference(request: Request, language: Language) -> HTMLResponse:
    """Toàn bộ API trên một trang, không cần script. / The whole API on one page, no script."""
    document = described(request)
    titles = dict(TAGS)
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = {"path": path, "method": method.upper(), **_resolved(operation, document)}
            groups.setdefault(operation["tags"][0], []).append(shown)
    order = [*titles, *sorted(groups.keys() - titles.keys())]
    return page(
        "reference.html",
        language,
        info=document["info"],
        groups=[(tag, groups[tag]) for tag in order if tag in groups],
        titles=titles,
    )


def _resolved(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return an operation with the examples of its body found, and nothing missing."""
    content = operation.get("requestBody", {}).get("content", {})
    examples: list[object] = []
    for media in content.values():
        schema = media.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        known = document["components"]["schemas"].get(name, schema)
        examples += known.get("examples", [])
        examples += [each.get("value") for each in media.get("examples", {}).values()]
    return {"parameters": [], "description": "", **operation, "body_examples": examples[:3]}


@router.get(
    "/docs/assets/{name}",
    operation_id="getAsset",
    summary="Give a file of these pages",
    include_in_schema=False,
    dependencies=[open_door],
)
def get_asset(name: Annotated[str, InPath(max_length=60)]) -> Response:
    """Tệp của trang tài liệu. / A file of the pages."""
    if name in SWAGGER:
        body = files("fastapi_offline").joinpath("static", name).read_bytes()
        media_type = SWAGGER[name]
    elif name in OWN:
        body = (HERE / "templates" / name).read_bytes()
        media_type = OWN[name]
    else:
        raise RouteUnknown
    return Response(body, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})


@router.get(
    "/docs/problems",
    operation_id="listProblems",
    summary="List every refusal",
    include_in_schema=False,
    dependencies=[open_door],
)
def list_problems(language: Language) -> HTMLResponse:
    """Danh mục các lời từ chối. / Every refusal with its code."""
    rows = [
        {
            "code": code,
            "status": status_of(error),
            "title": title_of(code, status_of(error), language),
            "summary": catalogue(language).get(code, summary_of(error)),
        }
        for code, error in every_error().items()
    ]
    return page("problems.html", language, rows=rows)


@router.get(
    "/docs/problems/{code}",
    operation_id="getProblem",
    summary="Explain one refusal",
    include_in_schema=False,
    dependencies=[open_door],
)
def get_problem(code: Annotated[str, InPath(max_length=100)], language: Language) -> HTMLResponse:
    """Giải thích một lời từ chối và việc cần làm. / What a refusal means and what to do."""
    sentences = catalogue(language)
    error = every_error().get(code)
    if code not in sentences or (error is None and not code.startswith(FIELD_CODES)):
        raise RouteUnknown
    status = 422 if error is None else status_of(error)
    return page(
        "problem.html",
        language,
        code=code,
        status=status,
        title=title_of(code, status, language),
        sentence=sentences[code],
        summary="" if error is None else summary_of(error),
        action=sentences[f"problem.action.{status}"],
    )


FIELD_CODES: Final = ("field.", "record.", "calendar.")
"""Codes of single places, which are no errors of their own."""
