"""``Idempotency-Key``: the header by which a sender makes a POST safe to repeat."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

import orjson
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.domain.errors import Invalid
from app.store.session import WriteSession
from app.usecases import idempotency
from app.usecases.access import Principal
from app.usecases.idempotency import Answer

_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


@dataclass(eq=False, kw_only=True)
class KeyMalformed(Invalid):
    """An Idempotency-Key is 1 to 255 visible ASCII characters, with or without quotes."""

    code: ClassVar[str] = "idempotency.key_malformed"


@dataclass(frozen=True, slots=True)
class Repeat:
    """The key of a request that may come again, and what was sent under it."""

    key: str | None
    fingerprint: bytes
    route: str

    def answer(
        self,
        session: WriteSession,
        who: Principal,
        work: Callable[[], BaseModel],
        *,
        now: datetime,
        status: int = 200,
    ) -> Response:
        """Do the work and answer, or repeat the answer given before under the same key.

        :raises KeyReused: the key was used for another body.
        """

        def done() -> Answer:
            return Answer(status, orjson.dumps(work().model_dump(mode="json", by_alias=True)))

        if self.key is None:
            found = done()
        else:
            found = idempotency.once(
                session,
                who,
                route=self.route,
                key=self.key,
                fingerprint=self.fingerprint,
                work=done,
                now=now,
            )
        headers = {"Idempotency-Replayed": "true"} if found.is_replayed else {}
        return Response(found.body, found.status, headers, "application/json")


async def _repeat(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Gửi lại cùng khóa và cùng nội dung thì nhận lại đúng câu trả lời cũ, "
            "trong 14 ngày. / The same key with the same body gets the same answer, for 14 days.",
        ),
    ] = None,
) -> Repeat:
    if key is None:
        return Repeat(None, b"", "")
    found = _KEY.fullmatch(key.strip())
    if found is None:
        raise KeyMalformed
    body = await request.body()
    route = f"{request.method} {request.url.path}"
    return Repeat(found[1] or found[2], hashlib.sha256(body).digest(), route)


Once = Annotated[Repeat, Depends(_repeat)]
"""The ``Idempotency-Key`` of a POST that creates, if one was sent."""
