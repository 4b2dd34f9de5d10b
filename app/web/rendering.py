"""Templates, static files and headers of the pages; no script, nothing from elsewhere."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.i18n import (
    Language,
    choose_language,
    format_day,
    format_instant,
    format_number,
    phrase,
)

HERE: Final = Path(__file__).parent
CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
STATIC: Final = {"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
LANGUAGE_COOKIE: Final = "dunghan_language"
GZIP_LEVEL: Final = 5
A_YEAR: Final = 365 * 24 * 3600
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes codes, days and numbers in the language of the reader."""

    language: Language

    def say(self, code: str, **params: object) -> str:
        """Return the sentence of a code."""
        return phrase(self.language, code, params)

    def day(self, on: date | None) -> str:
        """Write a day, a dash for none."""
        return NOTHING if on is None else format_day(self.language, on)

    def instant(self, at: datetime | None) -> str:
        """Write an instant, a dash for none."""
        return NOTHING if at is None else format_instant(self.language, at)

    def number(self, number: int) -> str:
        """Write a whole number."""
        return format_number(self.language, number)

    def percent(self, percent: str | None) -> str:
        """Write a percentage as reporting rendered it, a dash for none."""
        if percent is None:
            return NOTHING
        sign = "\N{NO-BREAK SPACE}%" if self.language is Language.VI else "%"
        return format_number(self.language, Decimal(percent)) + sign


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the pages: its content, kind and the digest that names this version of it."""

    content: bytes
    media_type: str
    digest: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return every static file, read once."""
    found = {}
    for name, media_type in STATIC.items():
        content = (HERE / "static" / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[name] = StaticFile(content, media_type, digest)
    return found


@cache
def templates() -> Environment:
    """Return the templates; every value is escaped, a missing one is an error."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def language_of(request: Request) -> Language:
    """Return the reader's language: as asked now, as asked before, as the browser says."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in tuple(Language):
            return Language(wish)
    return choose_language(request.headers.get("accept-language"))


def page(
    request: Request, name: str, *, is_demo: bool, status: int = 200, **values: object
) -> HTMLResponse:
    """Return a page from its template."""
    language = language_of(request)
    writing = Writing(language)
    static = {name: f"/static/{name}?v={file.digest}" for name, file in static_files().items()}
    text = (
        templates()
        .get_template(name)
        .render(
            language=language.value,
            other=switched(request, language),
            static=static,
            is_demo=is_demo,
            say=writing.say,
            **values,
        )
    )
    content = text.encode()
    response = HTMLResponse(content, status, headers={"Content-Security-Policy": CSP})
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(content, GZIP_LEVEL, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Encoding, Accept-Language, Cookie"
    response.headers["Content-Language"] = language.value
    if request.query_params.get("lang") in tuple(Language):
        response.set_cookie(
            LANGUAGE_COOKIE, language.value, max_age=A_YEAR, httponly=True, samesite="lax"
        )
    return response


def switched(request: Request, language: Language) -> Mapping[str, str]:
    """Return the way to the same page in the other language."""
    other = Language.EN if language is Language.VI else Language.VI
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "lang"]
    return {
        "code": other.value,
        "link": f"{request.url.path}?{urlencode([*pairs, ('lang', other.value)])}",
    }


def static_response(name: str) -> Response | None:
    """Return a static file, None when there is none of this name."""
    found = static_files().get(name)
    if found is None:
        return None
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{found.digest}"'}
    return Response(found.content, media_type=found.media_type, headers=headers)
