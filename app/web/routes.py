"""The addresses of the pages, and what surrounds each: the visitor, the language, refusals."""

import logging
from collections.abc import Callable, Coroutine
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from app.deps import authenticate, installation_of
from app.domain.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.domain.period import Period
from app.domain.tally import Count
from app.domain.timeliness import Reading
from app.i18n import has_phrase
from app.store.trees import Units
from app.usecases.access import Scope, Unauthenticated
from app.usecases.quotas import QuotaExceeded
from app.usecases.reporting import Extent, Question
from app.web import pages
from app.web.rendering import Writing, language_of, page, static_response
from app.web.visitors import COOKIE, LASTS, Admission, is_from_here, note_of, way_back

log = logging.getLogger(__name__)

LONGEST_FORM: Final = 4_096
STATUS: Final[dict[type[AppError], int]] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Forbidden: 403,
    QuotaExceeded: 429,
}
FIGURES: Final = frozenset(Count) - {Count.PROCEDURES_POSTED, Count.PROCEDURES_APPLICABLE}
Code = Annotated[str | None, Query(max_length=100)]


class PageUnknown(NotFound):
    """No page has this address."""

    code: ClassVar[str] = "web.page_unknown"


class AddressUnreadable(Invalid):
    """The address asks for something in a way that cannot be read."""

    code: ClassVar[str] = "web.address_unreadable"


def router_for(admission: Admission, *, is_demo: bool) -> APIRouter:
    """Return the pages for the visitors that an admission lets in."""
    router = APIRouter(route_class=_page_route(is_demo=is_demo))

    @router.get("/")
    def overview(
        request: Request, unit: Code = None, month: Code = None, sort: Code = None
    ) -> Response:
        """Show a unit in a month."""
        here = installation_of(request)
        now = here.clock()
        writing = Writing(language_of(request))
        with here.database.read() as session:
            who = admission.visitor(request, session, here)
            model = pages.overview(
                session,
                who=who,
                unit=pages.first_unit(session, who, unit),
                period=pages.month_of(month, now=now),
                sort=sort or pages.DEFAULT_SORT,
                now=now,
                writing=writing,
            )
        return page(request, "overview.html", is_demo=is_demo, page=model, crumbs=model.crumbs)

    @router.get("/dossiers")
    def listed(request: Request) -> Response:
        """List exactly the dossiers behind a figure."""
        here = installation_of(request)
        now = here.clock()
        asked = request.query_params
        writing = Writing(language_of(request))
        pairs = [pair for pair in asked.multi_items() if pair[0] not in {"after", "lang"}]
        base = "/dossiers?" + "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in pairs)
        with here.database.read() as session:
            who = admission.visitor(request, session, here)
            who.require(Scope.DOSSIERS_READ)
            model = pages.dossier_list(
                session,
                _question(request, pages.first_unit(session, who, asked.get("unit")), now),
                who=who,
                count=_one_of(Count, asked.get("count", ""), FIGURES),
                after=asked.get("after"),
                base=base,
                now=now,
                writing=writing,
            )
        return page(request, "dossiers.html", is_demo=is_demo, page=model, crumbs=model.crumbs)

    @router.get("/dossiers/{code:path}")
    def dossier(request: Request, code: str, source: Code = None, reading: Code = None) -> Response:
        """Show one dossier, and why it is due when it is."""
        here = installation_of(request)
        now = here.clock()
        with here.database.read() as session:
            who = admission.visitor(request, session, here)
            who.require(Scope.DOSSIERS_READ)
            model = pages.dossier_page(
                session,
                code,
                who=who,
                source=source,
                reading=_one_of(Reading, reading or Reading.PROMISED, frozenset(Reading)),
                now=now,
                writing=Writing(language_of(request)),
            )
        return page(request, "dossier.html", is_demo=is_demo, page=model, crumbs=model.crumbs)

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        """Give a file of the pages."""
        found = static_response(name)
        if found is None:
            raise PageUnknown
        return found

    @router.get("/favicon.ico")
    def favicon() -> Response:
        """Give the sign of the pages to browsers that ask for it here."""
        return static_response("icon.svg") or Response(status_code=404)

    if admission.needs_key:
        _add_signing(router)
    return router


def _add_signing(router: APIRouter) -> None:
    """Add signing in and out; the one form of the pages."""

    @router.get("/sign-in")
    def form(request: Request) -> Response:
        """Ask for a key."""
        return _form(request, status=200, fault="")

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        """Take a key, and leave the browser a signed note of it."""
        if not is_from_here(request):
            return _form(request, status=403, fault="web.sign_in.elsewhere")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_FORM:
                return _form(request, status=413, fault="web.sign_in.wrong")
        told = parse_qs(body.decode("utf-8", "replace"))
        key = told.get("key", [""])[0].strip()
        back = way_back(told.get("next", ["/"])[0])
        return await run_in_threadpool(_signed_in, request, key, back)

    @router.get("/sign-out")
    def sign_out() -> Response:
        """Let the browser forget the visit."""
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE)
        return response


def _signed_in(request: Request, key: str, back: str) -> Response:
    here = installation_of(request)
    now = here.clock()
    place = request.client.host if request.client else ""
    try:
        principal = authenticate(here, key)
    except Unauthenticated:
        here.refusals.take(place, now=now)
        return _form(request, status=401, fault="web.sign_in.wrong", back=back)
    if Scope.STATISTICS_READ not in principal.scopes:
        return _form(request, status=403, fault="web.sign_in.scope", back=back)
    response = RedirectResponse(back, 303)
    response.set_cookie(
        COOKIE,
        note_of(here, principal, now=now),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _form(request: Request, *, status: int, fault: str, back: str | None = None) -> Response:
    wanted = way_back(request.query_params.get("next", "/")) if back is None else back
    return page(
        request, "sign_in.html", is_demo=False, status=status, crumbs=[], fault=fault, back=wanted
    )


def _page_route(*, is_demo: bool) -> type[APIRoute]:
    """Return the kind of route that tells refusals as pages and sends strangers to sign in."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await inner(request)
                except Unauthenticated:
                    asked = request.url.path
                    if request.url.query:
                        asked += f"?{request.url.query}"
                    return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", 303)
                except AppError as error:
                    return refused(request, error, is_demo=is_demo)

            return handle

    return PageRoute


def refused(request: Request, error: AppError, *, is_demo: bool) -> Response:
    """Return a refusal as a page."""
    writing = Writing(language_of(request))
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
    known = has_phrase(writing.language, error.code)
    text = writing.say(error.code, **error.params) if known else writing.say("web.refused")
    return page(request, "refused.html", is_demo=is_demo, status=status, crumbs=[], text=text)


def _question(request: Request, unit: Any, now: datetime) -> Question:
    """Read which dossiers a list is about; ``at`` is the moment at which its figure was shown.

    :raises AddressUnreadable: a day or an instant cannot be read.
    """
    asked = request.query_params
    try:
        period = pages.month_of(asked.get("month"), now=now)
        if "from" in asked or "to" in asked:
            period = Period(date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"]))
        at = _instant(asked.get("at"))
        return Question(
            unit,
            period,
            extent=_one_of(Extent, asked.get("scope", Extent.SUBTREE), frozenset(Extent)),
            as_of=None if at is None else period.observed_at(None, now=at),
            known_at=at,
            procedure=asked.get("procedure"),
            units=_one_of(Units, asked.get("units", Units.AS_NOW), frozenset(Units)),
        )
    except (KeyError, ValueError, OverflowError):
        raise AddressUnreadable from None


def _instant(word: str | None) -> datetime | None:
    if word is None:
        return None
    found = datetime.fromisoformat(word)
    if found.tzinfo is None:
        raise ValueError(word)
    return found


def _one_of(kind: Any, word: str, allowed: frozenset[Any]) -> Any:
    """Read a word of a closed set.

    :raises AddressUnreadable: it is none of them.
    """
    try:
        found = kind(word)
    except ValueError:
        raise AddressUnreadable from None
    if found not in allowed:
        raise AddressUnreadable
    return found
