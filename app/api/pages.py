"""Lists in pages: the ``Link`` header to the next one (RFC 8288)."""

from fastapi import Request
from starlette.responses import Response


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Name the next page in the ``Link`` header, if there is one."""
    if cursor is not None:
        address = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
