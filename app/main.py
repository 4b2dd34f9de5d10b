"""Put the web application together: one database, one clock, one secret, and every door."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from app import __version__, api
from app.api.body import Budget
from app.api.doors import Directory, Door, Unguarded
from app.api.frame import Frame, Meters
from app.api.problems import HANDLERS
from app.clock import system_clock
from app.deps import Installation, Limits
from app.feeds.body import MAX_VALUES
from app.senders.guard import Network
from app.settings import Settings
from app.store.session import Database
from app.usecases import turns
from app.usecases.access import Keyring
from app.usecases.coalescing import LEADERS_OF_BATCHES, Coalescer
from app.usecases.quotas import Quota

TITLE: Final = "Đúng Hạn"


class Application(FastAPI):
    """FastAPI within our frame, with a directory of the doors before its own way to find routes."""

    def __init__(self, meters: Meters, doors: Iterable[Door], **more: Any) -> None:
        super().__init__(**more)
        self._meters = meters
        self._doors = tuple(doors)

    def build_middleware_stack(self) -> ASGIApp:
        """Return what serves a request: the frame, the directory, and then what FastAPI puts up.

        Its outermost layer answers what nobody expected, in words of its own; the frame does that.
        """
        inner = super().build_middleware_stack()
        if isinstance(inner, ServerErrorMiddleware):
            inner = inner.app
        return Frame(Directory(inner, self._doors), meters=self._meters)


def create_app(
    database: Database,
    *,
    secret: bytes,
    clock: Callable[[], datetime] = system_clock,
    environment: str = "production",
    limits: Limits | None = None,
    webhook_networks: Iterable[Network] = (),
    mail_url: str | None = None,
    mail_domains: Iterable[str] = (),
    pages: Iterable[APIRouter] = (),
) -> FastAPI:
    """Return the application that serves one installation.

    :param secret: the installation's key; what hashes keys and seals cursors is derived from it.
    :param clock: tells the present, aware and in UTC.
    :param webhook_networks: private networks where receivers of events may be.
    :param mail_url: where the links of mails lead; None without a mail server.
    :param mail_domains: whose addresses may subscribe to mails; everybody's when empty.
    :param pages: routers of people's pages, which guard themselves.
    :raises Unguarded: a door does not say who may pass.
    """
    bounds = limits or Limits()
    meters = Meters(version=__version__)
    routers = api.routers()
    doors = [door for router in routers for door in guarded(router)]
    app = Application(
        meters,
        doors,
        title=TITLE,
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        exception_handlers=HANDLERS,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
    )
    app.state.installation = Installation(
        database=database,
        clock=clock,
        environment=environment,
        secret=secret,
        keyring=Keyring(secret=secret, environment=environment),
        coalescer=Coalescer(database, most_together=bounds.records_together),
        batches=Coalescer(
            database,
            most_together=bounds.records_together,
            leaders=LEADERS_OF_BATCHES,
            large=turns.BATCHES,
        ),
        limits=bounds,
        webhook_networks=tuple(webhook_networks),
        mail_url=mail_url,
        mail_domains=tuple(mail_domains),
        quota=Quota(bounds.requests_per_minute),
        refusals=Quota(bounds.refusals_per_minute),
    )
    app.state.places = Budget(bounds.requests_at_once, wait_seconds=bounds.body_wait_seconds)
    app.state.budget = Budget(bounds.body_budget_bytes, wait_seconds=bounds.body_wait_seconds)
    app.state.values = Budget(MAX_VALUES, wait_seconds=bounds.body_wait_seconds)
    app.state.meters = meters
    for router in routers:
        app.include_router(router)
    for router in pages:
        app.include_router(router, include_in_schema=False)
    return app


def guarded(router: APIRouter) -> Iterator[Door]:
    """Give the doors of a router, each of which says who may pass.

    :raises Unguarded: a route is no door, or says nothing.
    """
    for route in router.routes:
        if not isinstance(route, Door):
            path = route.path if isinstance(route, Route) else repr(route)
            raise Unguarded(f"{path}: make its router with app.api.doors.doors")
        _ = route.guard
        yield route


def create_from(settings: Settings, database: Database, **more: Any) -> FastAPI:
    """Return the application that the settings describe, on an open database."""
    return create_app(
        database,
        secret=settings.applicant_key(),
        environment=settings.environment.value,
        webhook_networks=settings.webhook_allow_networks,
        mail_url=None if settings.smtp_host is None else settings.public_url,
        mail_domains=settings.mail_domains,
        limits=Limits(
            max_body_bytes=settings.max_body_bytes,
            max_batch_records=settings.max_batch_records,
            requests_per_minute=settings.requests_per_minute,
            records_together=settings.records_together,
            requests_at_once=max(2, settings.database_pool_size * 3 // 2),
        ),
        **more,
    )
