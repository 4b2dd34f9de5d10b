"""Procedures: what is asked for, and the time limits that bind the offices."""

from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api import conditions
from app.api.doors import doors
from app.api.fields import CodeInPath, In, Out, Text, Word
from app.api.idempotency import Once
from app.api.limits import DatedLimitIn
from app.api.pages import paged
from app.api.previews import PreviewOut
from app.api.problems import PreconditionFailed, at, each_at, problems
from app.api.units import CatalogueWriter, ChangesOut, changes_out
from app.deps import CursorInvalid, Now, Page, Reading, Writing, any_key
from app.domain.limits import (
    LimitNotDivisible,
    LimitNotPositive,
    LimitValueMissing,
    LimitValueUnexpected,
)
from app.domain.procedure import OnlineLevel
from app.store.procedures import ProcedureRow, ProcedureUnknown
from app.usecases import catalogue, rule_change
from app.usecases.catalogue import (
    LimitTwice,
    ProcedureSpec,
    ProcedureTwice,
    SharedCatalogue,
    UnitLevel,
    ValidityReversed,
)
from app.usecases.subtree import reach_of

router = doors("/v1/procedures", tag="catalogue")

EXAMPLE: dict[str, JsonValue] = {
    "name": "Đăng ký khai sinh",
    "field": "G15-TP01",
    "field_name": "Hộ tịch",
    "level": "commune",
    "online_level": "full",
    "limits": [
        {
            "valid_from": "2025-07-01",
            "kind": "same_day",
            "cutoff": "15:00",
            "legal_basis": "Luật Hộ tịch 2014, Điều 16",
        }
    ],
}
WRONG = (
    LimitNotPositive,
    LimitNotDivisible,
    LimitValueMissing,
    LimitValueUnexpected,
    LimitTwice,
    ValidityReversed,
)


class ProcedureIn(In):
    """What is told of a procedure, whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Text = Field(description="Tên thủ tục. / Name.")
    field: Word | None = Field(None, description="Mã lĩnh vực. / Code of its field.")
    field_name: Text | None = Field(None, description="Tên lĩnh vực. / Name of its field.")
    level: UnitLevel | None = Field(None, strict=False, description="Cấp giải quyết. / Level.")
    online_level: OnlineLevel | None = Field(
        None, strict=False, description="Mức trực tuyến. / How far it can be done online."
    )
    limits: Annotated[list[DatedLimitIn], Field(max_length=200)] = Field(
        default_factory=list, description="Các thời hạn theo ngày áp dụng. / Limits by validity."
    )

    def to_spec(self, code: str) -> ProcedureSpec:
        """Return what is told, for the procedure of a code.

        :raises Refused: a limit cannot be; its place is named.
        """
        limits = each_at("/limits", self.limits, DatedLimitIn.to_dated)
        with at("/limits"):
            return ProcedureSpec(
                code=code,
                name=self.name,
                field=self.field,
                field_name=self.field_name,
                level=self.level,
                online_level=self.online_level,
                limits=tuple(limits),
            )


class ProcedureInBatch(ProcedureIn):
    """What is told of a procedure, with its code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "1.001193", **EXAMPLE}]})

    code: Word = Field(description="Mã thủ tục. / Code.")


class ProcedureOut(Out):
    """A procedure as it stands."""

    code: str
    name: str
    field: str | None
    field_name: str | None
    level: str | None
    online_level: str | None
    limits: list[dict[str, Any]] = Field(description="Như đã khai. / As they were told.")
    revision: int

    @classmethod
    def of(cls, row: ProcedureRow) -> "ProcedureOut":
        """Return a procedure as it was told last."""
        return cls(**row.spec, revision=row.revision)


class ProceduresOut(Out):
    """A page of procedures."""

    procedures: list[ProcedureOut]
    next_cursor: str | None


class ProceduresIn(In):
    """Several procedures at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"procedures": [{"code": "1.001193", **EXAMPLE}]}]}
    )

    procedures: Annotated[list[ProcedureInBatch], Field(min_length=1, max_length=5000)]


@router.put(
    "/{code}",
    operation_id="putProcedure",
    summary="Register or change a procedure",
    response_model=ProcedureOut,
    responses={
        201: {"model": ProcedureOut, "description": "Created."},
        **problems(SharedCatalogue, PreconditionFailed, *WRONG),
    },
)
def put_procedure(
    code: CodeInPath,
    body: ProcedureIn,
    request: Request,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> Response:
    """Khai hoặc sửa một thủ tục, trọn vẹn: thời hạn không khai lại là bỏ. Gửi lại y hệt: không đổi.

    Register or change a procedure, whole: limits not told again are gone. The same again changes
    nothing. `If-Match` is honoured.
    """
    catalogue.require_shared(reach_of(who))
    spec = body.to_spec(code)
    catalogue.hold_procedures(session)
    before = catalogue.find_procedure(session, code)
    conditions.check(request, None if before is None else ProcedureOut.of(before))
    (done,), _ = rule_change.apply(
        session,
        rule_change.of_procedures(
            lambda inner: (catalogue.put_procedure(inner, spec, actor=who.actor, now=now),)
        ),
        now=now,
    )
    return conditions.document(
        request, ProcedureOut.of(done.row), status=201 if before is None else 200
    )


@router.get(
    "/{code}",
    operation_id="getProcedure",
    summary="Read a procedure",
    response_model=ProcedureOut,
    dependencies=[any_key],
    responses=problems(ProcedureUnknown),
)
def get_procedure(code: CodeInPath, request: Request, session: Reading) -> Response:
    """Đọc một thủ tục với mọi thời hạn theo ngày áp dụng. Có `ETag`.

    Read a procedure with all its limits by validity. Carries an `ETag`.
    """
    return conditions.document(request, ProcedureOut.of(catalogue.get_procedure(session, code)))


@router.get(
    "",
    operation_id="listProcedures",
    summary="List procedures",
    dependencies=[any_key],
    responses=problems(CursorInvalid),
)
def list_procedures(
    request: Request,
    response: Response,
    session: Reading,
    page: Page,
    field: Annotated[str | None, Query(max_length=100, description="Lĩnh vực. / Field.")] = None,
    level: Annotated[UnitLevel | None, Query(description="Cấp. / Level.")] = None,
) -> ProceduresOut:
    """Danh mục thủ tục theo mã, từng trang.

    The catalogue of procedures by code, in pages.
    """
    filters = {"field": field, "level": level}
    rows = catalogue.page_procedures(
        session,
        after=page.position(**filters),
        limit=page.limit + 1,
        field_code=field,
        level=level,
    )
    shown, more = paged(request, response, page, rows, lambda one: one.code, **filters)
    return ProceduresOut(procedures=[ProcedureOut.of(row) for row in shown], next_cursor=more)


@router.post(
    "/{code}/preview",
    operation_id="previewProcedure",
    summary="Show whom a change of limits would move, and save nothing",
    responses=problems(SharedCatalogue, *WRONG),
)
def preview_procedure(
    code: CodeInPath, body: ProcedureIn, session: Writing, who: CatalogueWriter, now: Now
) -> PreviewOut:
    """Xem trước khi lưu thời hạn mới: hồ sơ nào đổi hạn, hồ sơ nào đổi trạng thái.

    Before saving new limits: which open dossiers move, which change their state at once. Promises
    that a sender told and finished dossiers never move.
    """
    catalogue.require_shared(reach_of(who))
    spec = body.to_spec(code)
    catalogue.hold_procedures(session)
    found = rule_change.preview(
        session,
        rule_change.of_procedures(
            lambda inner: (catalogue.put_procedure(inner, spec, actor=who.actor, now=now),)
        ),
        now=now,
    )
    return PreviewOut.of(found, reach_of(who))


@router.post(
    "/batch",
    operation_id="putProcedures",
    summary="Register or change several procedures",
    response_model=ChangesOut,
    responses=problems(SharedCatalogue, ProcedureTwice, *WRONG),
)
def put_procedures(
    body: ProceduresIn, session: Writing, who: CatalogueWriter, now: Now, once: Once
) -> Response:
    """Khai nhiều thủ tục một lần; sai một thủ tục thì không nhận cả lô.

    Register several procedures at once; one that is wrong refuses all.
    """
    catalogue.require_shared(reach_of(who))

    def answer() -> ChangesOut:
        specs = each_at("/procedures", body.procedures, lambda one: one.to_spec(one.code))
        done, _ = rule_change.apply(
            session,
            rule_change.of_procedures(
                lambda inner: catalogue.put_procedures(inner, specs, actor=who.actor, now=now)
            ),
            now=now,
        )
        return changes_out([(put.row.code, put.change) for put in done])

    return once.answer(session, who, answer, now=now)
