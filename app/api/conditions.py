"""ETags: a document that did not change is not sent again, and nobody overwrites unseen news."""

import hashlib

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.problems import PreconditionFailed


def etag_of(body: bytes) -> str:
    """Return the strong entity tag of a body."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def document(request: Request, model: BaseModel, *, status: int = 200) -> Response:
    """Return a document with its ETag, or 304 when the caller has it already."""
    body = orjson.dumps(model.model_dump(mode="json", by_alias=True))
    return answered(request, body, tag=etag_of(body), status=status)


def answered(request: Request, body: bytes, *, tag: str, status: int = 200) -> Response:
    """Return a body under a tag, or 304 when the caller has it already.

    A weak tag (``W/"…"``) is for a body that may differ in what does not matter.
    """
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    asked = request.headers.get("if-none-match")
    is_known = asked is not None and _names(asked, tag.removeprefix("W/"))
    if request.method in {"GET", "HEAD"} and is_known:
        return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def check(request: Request, present: BaseModel | None) -> None:
    """Pass if the document stands as ``If-Match`` and ``If-None-Match`` suppose, where sent.

    :raises PreconditionFailed: it does not.
    """
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    tag = None
    if present is not None:
        tag = etag_of(orjson.dumps(present.model_dump(mode="json", by_alias=True)))
    if wanted is not None and (tag is None or not _names(wanted, tag)):
        raise PreconditionFailed
    if unwanted is not None and tag is not None and _names(unwanted, tag):
        raise PreconditionFailed


def _names(header: str, tag: str) -> bool:
    tags = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in tags or tag in tags
