"""Lists in pages: places in the order of time, and the ``Link`` to the next page (RFC 8288)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from app.usecases.outbox import told


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Name the next page in the ``Link`` header, if there is one."""
    if cursor is not None:
        address = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'


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
