"""Lists in pages: where a page ends, places in cursors, and the ``Link`` header (RFC 8288)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from app.deps import PageAsked
from app.usecases.outbox import told

Entry = TypeVar("Entry")


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Name the next page in the ``Link`` header, if there is one."""
    if cursor is not None:
        address = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'


def paged(
    request: Request,
    response: Response,
    page: PageAsked,
    found: Sequence[Entry],
    place: Callable[[Entry], object],
    /,
    **filters: object,
) -> tuple[Sequence[Entry], str | None]:
    """Return the entries of a page and the cursor of the next one, which ``Link`` names too.

    :param found: the entries from the page on: one more than it holds, if there are so many.
    :param place: what a cursor says of the last entry of the page.
    """
    shown = found[: page.limit]
    cursor = None
    if len(found) > page.limit:
        cursor = page.cursor_after(place(shown[-1]), **filters)
    link_next(request, response, cursor)
    return shown, cursor


def spelled(at: datetime, entry: UUID, *attempt: int) -> list[object]:
    """Write a place into a cursor: the instant of an entry, its id, and the number of an attempt.

    The id, then the attempt, tell apart what is of one instant.
    """
    return [told(at), str(entry), *attempt]


def entry_of(position: list[Any] | None) -> tuple[datetime, UUID] | None:
    """Read a place among entries from a cursor, None at the beginning."""
    if position is None:
        return None
    at, entry = position
    return datetime.fromisoformat(at), UUID(entry)


def attempt_of(position: list[Any] | None) -> tuple[datetime, UUID, int] | None:
    """Read a place among attempts from a cursor, None at the beginning."""
    if position is None:
        return None
    at, entry, attempt = position
    return datetime.fromisoformat(at), UUID(entry), int(attempt)
