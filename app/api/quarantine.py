"""Records that could not be accepted: listed with their reasons, mended, tried again."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.body import JSON, Raw, require_media_type
from app.api.doors import doors
from app.api.dossiers import hashing
from app.api.fields import Instant, Out
from app.api.idempotency import Once
from app.api.pages import entry_of, paged, spelled
from app.api.problems import Refused, problems
from app.deps import CursorInvalid, Here, Language, Now, Page, Reading, Writing, needs
from app.domain.errors import Invalid
from app.feeds.body import decode
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.store.quarantine import Entry, QuarantineUnknown
from app.store.units import UnitUnknown
from app.usecases import quarantine
from app.usecases.access import Principal, ScopeMissing
from app.usecases.quarantine import QuarantineSettled, Waiting
from app.usecases.subtree import subtree_of

router = doors("/v1/quarantine", tag="dossiers")

Reader = Annotated[Principal, needs("dossiers:read")]
Writer = Annotated[Principal, needs("dossiers:write")]


@dataclass(eq=False, kw_only=True)
class MendedShape(Invalid):
    """A mended record comes as an object with the one field ``record``."""

    code: ClassVar[str] = "quarantine.mended_shape"


class ReasonOut(Out):
    """One reason why a record could not be accepted."""

    pointer: str = Field(description="Chỗ sai trong bản ghi. / JSON pointer into the record.")
    code: str = Field(examples=["record.not_instant"])
    detail: str


class EntryOut(Out):
    """One record in quarantine, without anything of a person."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0b8f3c1e-6b0a-4d0c-9d7e-2f7f1c1b5a10",
                    "code": "H44.100-260803-0012",
                    "source": "mot-cua",
                    "form": "native",
                    "state": "waiting",
                    "reasons": [
                        {
                            "pointer": "/received_at",
                            "code": "record.naive_instant",
                            "detail": "Thời điểm thiếu múi giờ; hãy thêm +07:00.",
                        }
                    ],
                    "record": {"code": "H44.100-260803-0012", "received_at": "2026-08-03T09:10:00"},
                    "recorded_at": "2026-08-03T02:10:06Z",
                    "settled_at": None,
                }
            ]
        }
    )

    id: UUID
    code: str | None
    source: str | None
    form: str = Field(description="`native`, `native-event`, `national`, `national-step`.")
    state: str = Field(description="`waiting` / `accepted`.")
    reasons: list[ReasonOut]
    record: dict[str, Any] = Field(description="Đã bỏ mọi thông tin cá nhân. / Without persons.")
    recorded_at: Instant
    settled_at: Instant | None = None

    @classmethod
    def of(cls, entry: Entry, language: LanguageCode) -> "EntryOut":
        """Return a record in quarantine as it is shown."""
        return cls(
            id=entry.id,
            code=entry.code,
            source=entry.source,
            form=quarantine.form_of(entry).value,
            state=entry.state,
            reasons=[
                ReasonOut(
                    pointer=fault.pointer,
                    code=fault.code,
                    detail=phrase(language, fault.code, fault.params),
                )
                for fault in entry.faults
            ],
            record=dict(entry.raw),
            recorded_at=entry.recorded_at,
            settled_at=entry.settled_at,
        )


class QuarantineOut(Out):
    """A page of records in quarantine, oldest first."""

    quarantine: list[EntryOut]
    next_cursor: str | None


class RetriedOut(Out):
    """What became of another try."""

    id: UUID
    code: str | None
    verdict: str = Field(description="`accepted`, `unchanged` or `stale`.", examples=["accepted"])


@router.get(
    "",
    operation_id="listQuarantine",
    summary="List records that could not be accepted",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_quarantine(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    language: Language,
    unit: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Gốc của khóa đã gửi, và bên dưới. / Root of the key that sent, and below.",
        ),
    ] = None,
    state: Annotated[
        Waiting | None, Query(description="Còn chờ hay đã nhận. / Waiting, or accepted since.")
    ] = None,
    fault: Annotated[
        str | None,
        Query(max_length=100, description="Mã lý do. / Code of a reason."),
    ] = None,
) -> QuarantineOut:
    """Bản ghi chưa nhận được, kèm từng lý do và cách sửa; không bản ghi nào bị bỏ mất.

    Records that could not be accepted, each with its reasons. Nothing is dropped: a record waits
    here until it is mended, and stays listed as accepted afterwards.
    """
    filters = {"unit": unit, "state": state, "fault": fault}
    place = entry_of(page.position(**filters))
    found = quarantine.page(
        session,
        within=subtree_of(session, who, unit),
        state=state,
        fault=fault,
        after=place,
        limit=page.limit + 1,
    )
    shown, more = paged(
        request, response, page, found, lambda one: spelled(one.recorded_at, one.id), **filters
    )
    return QuarantineOut(
        quarantine=[EntryOut.of(entry, language) for entry in shown], next_cursor=more
    )


@router.get(
    "/{entry_id}",
    operation_id="getQuarantined",
    summary="Read a record that could not be accepted",
    responses=problems(QuarantineUnknown),
)
def get_quarantined(entry_id: UUID, session: Reading, who: Reader, language: Language) -> EntryOut:
    """Một bản ghi chưa nhận được, với các lý do. / One such record, with its reasons."""
    return EntryOut.of(quarantine.get(session, entry_id, who=who), language)


MENDED: Final[dict[str, JsonValue]] = {
    "type": "object",
    "required": ["record"],
    "additionalProperties": False,
    "properties": {
        "record": {
            "type": "object",
            "additionalProperties": True,
            "description": "Cả bản ghi, đúng dạng đã gửi. / The whole, in the form it came in.",
        }
    },
}


@router.post(
    "/{entry_id}/retry",
    operation_id="retryQuarantined",
    summary="Try a record again, as it was kept or mended",
    response_model=RetriedOut,
    responses=problems(QuarantineUnknown, QuarantineSettled, ScopeMissing, MendedShape, Refused),
    openapi_extra={
        "requestBody": {
            "required": False,
            "content": {
                "application/json": {
                    "schema": MENDED,
                    "examples": {
                        "mended": {
                            "value": {"record": {"received_at": "2026-08-03T09:10:00+07:00"}}
                        }
                    },
                }
            },
        }
    },
)
def retry_quarantined(
    entry_id: UUID,
    raw: Raw,
    request: Request,
    session: Writing,
    who: Writer,
    here: Here,
    once: Once,
    now: Now,
) -> Response:
    """Thử lại bản ghi như đã giữ, hoặc gửi kèm `record` đã sửa; còn lỗi thì vẫn nằm chờ.

    Without a body the record is read again as it was kept; with `record` it is the mended one.
    What is still wrong is answered with 422 and changes nothing.
    """
    mended = _mended(request, raw)

    def work() -> RetriedOut:
        done = quarantine.retry(
            session, entry_id, mended=mended, who=who, hash_applicant=hashing(here), now=now
        )
        if done.faults:
            raise Refused(faults=tuple(fault.under("/record") for fault in done.faults))
        return RetriedOut(id=entry_id, code=done.code, verdict=done.word.value)

    return once.answer(session, who, work, now=now)


def _mended(request: Request, raw: bytes) -> object:
    if not raw.strip():
        return None
    require_media_type(request, (JSON,))
    value = decode(raw)
    if not isinstance(value, dict) or value.keys() != {"record"} or value["record"] is None:
        raise MendedShape
    return value["record"]
