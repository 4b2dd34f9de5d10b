"""Events of many dossiers at once."""

from typing import Annotated

from fastapi import Query, Request, Response

from app.api.body import Raw
from app.api.doors import doors
from app.api.dossiers import (
    BatchShape,
    BatchTooLarge,
    VerdictsOut,
    Writer,
    entries_of,
    instance_of,
    verdicts_of,
)
from app.api.idempotency import Once
from app.api.messages import EVENT, EVENT_EXAMPLE, batch_of
from app.api.problems import problems
from app.deps import Here, Language, Now, Writing
from app.usecases import intake

router = doors("/v1/events", tag="dossiers")


@router.post(
    "/batch",
    operation_id="postEvents",
    summary="Tell many events at once",
    response_model=VerdictsOut,
    responses=problems(BatchShape, BatchTooLarge),
    openapi_extra=batch_of("events", EVENT, {"code": "H44.100-260803-0012", **EVENT_EXAMPLE}),
)
def post_events(
    raw: Raw,
    request: Request,
    session: Writing,
    who: Writer,
    here: Here,
    language: Language,
    once: Once,
    now: Now,
    verbose: Annotated[bool, Query(description="Liệt kê mọi sự kiện. / List every entry.")] = False,
) -> Response:
    """Báo nhiều sự kiện của nhiều hồ sơ; mỗi sự kiện được xét riêng.

    Tell many events of many dossiers; each is judged on its own.
    """
    entries = entries_of(request, raw, "events", most=here.limits.max_batch_records)

    def work() -> VerdictsOut:
        verdicts = intake.native_events(session, entries, who=who, now=now)
        return verdicts_of(
            verdicts, verbose=verbose, language=language, instance=instance_of(request)
        )

    return once.answer(session, who, work, now=now)
