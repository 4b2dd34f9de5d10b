"""Units: the tree of offices that receive dossiers."""

from typing import Annotated, Final

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api import conditions
from app.api.doors import doors
from app.api.fields import CodeInPath, Day, In, Out, Text, UnitCode, Word
from app.api.idempotency import Once
from app.api.pages import paged
from app.api.problems import PreconditionFailed, at, each_at, problems
from app.deps import AnyKey, CursorInvalid, Now, Page, Reading, Writing, needs
from app.store.session import ReadSession
from app.store.units import TreeFull, TreeTooDeep, UnitRow, UnitUnknown
from app.usecases import catalogue, precedence, successions
from app.usecases.access import Principal
from app.usecases.catalogue import (
    ParentInFuture,
    ParentLoop,
    ParentUnknown,
    RootForbidden,
    UnitLevel,
    UnitSpec,
    UnitTwice,
    ValidityReversed,
)
from app.usecases.subtree import reach_of, subtree_of
from app.usecases.successions import Ends

router = doors("/v1/units", tag="catalogue")

CatalogueWriter = Annotated[Principal, needs("catalogue:write")]
PUTTING: Final = (
    *(ParentUnknown, ParentLoop, ParentInFuture, RootForbidden),
    *(TreeTooDeep, TreeFull, ValidityReversed),
)
"""Why what is told of a unit may be refused."""
EXAMPLE: dict[str, JsonValue] = {
    "name": "UBND phường Việt Trì",
    "level": "commune",
    "parent": "H44",
    "valid_from": "2025-07-01",
    "legacy_codes": ["000.00.100.H44"],
}


class UnitIn(In):
    """What is told of a unit."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Text = Field(description="Tên đầy đủ. / Full name.")
    level: UnitLevel = Field(strict=False, description="Cấp. / What kind of body it is.")
    parent: UnitCode | None = Field(None, description="Mã đơn vị cấp trên. / Code of its parent.")
    valid_from: Day | None = Field(None, description="Ngày bắt đầu. / First day.")
    valid_to: Day | None = Field(None, description="Ngày kết thúc. / Last day.")
    legacy_codes: Annotated[list[Word], Field(max_length=50)] = Field(
        default_factory=list, description="Mã cũ. / Codes it had before."
    )
    parent_since: Day | None = Field(
        None,
        description="Trực thuộc `parent` từ ngày; không nêu: như đã khai, hoặc từ trước đến nay. / "
        "Stands below `parent` since; as told before, or always, if not given.",
    )

    def to_spec(self, code: str) -> UnitSpec:
        """Return what is told, for the unit of a code."""
        return UnitSpec(
            code=code,
            name=self.name,
            level=self.level,
            parent=self.parent,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            legacy_codes=tuple(dict.fromkeys(self.legacy_codes)),
            parent_since=self.parent_since,
        )


class UnitInBatch(UnitIn):
    """What is told of a unit, with its code."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "H44.100", **EXAMPLE}]})

    code: UnitCode = Field(description="Mã định danh. / Code.")


class CeasedOut(Out):
    """What became of a unit."""

    kind: str = Field(examples=["merger"])
    effective_on: Day
    successors: list[str]
    continuing: str | None = Field(description="Nhận hồ sơ đang giải quyết. / Takes what is open.")
    document: str | None


class UnitOut(Out):
    """A unit as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "H44.100",
                    **EXAMPLE,
                    "valid_to": None,
                    "is_bucket": False,
                    "parent_since": None,
                    "succession": None,
                    "predecessors": ["H44.90", "H44.91"],
                }
            ]
        }
    )

    code: str
    name: str
    level: str
    parent: str | None
    valid_from: Day | None
    valid_to: Day | None = None
    legacy_codes: list[str]
    is_bucket: bool = Field(description="Nơi giữ hồ sơ chưa rõ đơn vị. / Holds unknown units.")
    parent_since: Day | None = None
    succession: CeasedOut | None = Field(
        None, description="Đã sáp nhập, chia tách, đổi tên, bãi bỏ. / What became of it."
    )
    predecessors: list[str] = Field(
        default_factory=list, description="Đơn vị mà nó kế thừa. / Units for which it goes on."
    )

    @classmethod
    def of(cls, row: UnitRow, ends: Ends) -> "UnitOut":
        """Return a unit as it stands."""
        ceased = None
        if ends.kind is not None and ends.effective_on is not None:
            ceased = CeasedOut(
                kind=ends.kind,
                effective_on=ends.effective_on,
                successors=list(ends.successors),
                continuing=ends.continuing,
                document=ends.document,
            )
        return cls(
            code=row.code,
            name=row.name,
            level=row.level,
            parent=row.parent_code,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            legacy_codes=list(row.legacy_codes),
            is_bucket=row.is_bucket,
            parent_since=row.parent_since,
            succession=ceased,
            predecessors=list(ends.predecessors),
        )


def unit_out(session: ReadSession, row: UnitRow) -> UnitOut:
    """Return a unit as it stands, with both its ends."""
    return UnitOut.of(row, successions.ends_of(session, [row.id])[row.id])


class UnitsOut(Out):
    """A page of units."""

    units: list[UnitOut]
    next_cursor: str | None


class UnitsIn(In):
    """Several units at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"units": [{"code": "H44.100", **EXAMPLE}]}]}
    )

    units: Annotated[list[UnitInBatch], Field(min_length=1, max_length=5000)]


class ChangeOut(Out):
    """What telling one thing of a batch changed."""

    index: int
    code: str
    verdict: str = Field(description="`created`, `updated` or `unchanged`.", examples=["created"])


class ChangesOut(Out):
    """What a batch changed."""

    created: int
    updated: int
    unchanged: int
    results: list[ChangeOut]


@router.put(
    "/{code}",
    operation_id="putUnit",
    summary="Register or change a unit",
    response_model=UnitOut,
    responses={
        201: {"model": UnitOut, "description": "Created."},
        **problems(UnitUnknown, *PUTTING, PreconditionFailed),
    },
)
def put_unit(
    code: CodeInPath,
    body: UnitIn,
    request: Request,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> Response:
    """Khai hoặc sửa một đơn vị; gửi lại giống hệt thì không đổi gì. Đổi `parent`: chuyển cả nhánh.

    Register or change a unit; the same again changes nothing. Another `parent` moves the unit
    with all below it. `If-Match` is honoured.
    """
    within = reach_of(who)
    catalogue.hold_units(session)
    before = catalogue.find_unit(session, code, within=within)
    conditions.check(request, None if before is None else unit_out(session, before))
    with at(""):
        spec = body.to_spec(code)
    done = catalogue.put_unit(session, spec, actor=who.actor, now=now, within=within)
    precedence.follow(session, [done], now=now)
    return conditions.document(
        request, unit_out(session, done.row), status=201 if before is None else 200
    )


@router.get(
    "/{code}",
    operation_id="getUnit",
    summary="Read a unit",
    response_model=UnitOut,
    responses=problems(UnitUnknown),
)
def get_unit(code: CodeInPath, request: Request, session: Reading, who: AnyKey) -> Response:
    """Đọc một đơn vị theo mã hiện tại, mã cũ, hoặc mã cũ viết ngược. Có `ETag`.

    Read a unit by its code, a former code, or an old one written backwards. Carries an `ETag`.
    """
    within = reach_of(who)
    row = catalogue.get_unit(session, code, within=within)
    return conditions.document(request, unit_out(session, row))


@router.get(
    "",
    operation_id="listUnits",
    summary="List units",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_units(
    request: Request,
    response: Response,
    session: Reading,
    who: AnyKey,
    page: Page,
    unit: Annotated[
        str | None, Query(max_length=100, description="Chỉ nhánh này. / Only this subtree.")
    ] = None,
    parent: Annotated[
        str | None, Query(max_length=100, description="Trực thuộc. / Directly below.")
    ] = None,
    level: Annotated[UnitLevel | None, Query(description="Cấp. / Level.")] = None,
    on: Annotated[
        Day | None, Query(description="Còn hiệu lực ngày này. / Valid on this day.")
    ] = None,
) -> UnitsOut:
    """Các đơn vị trong phạm vi của khóa, theo mã, từng trang.

    The units within the key's reach, by code, in pages.
    """
    filters = {"unit": unit, "parent": parent, "level": level, "on": on and on.isoformat()}
    rows = catalogue.page_units(
        session,
        within=subtree_of(session, who, unit),
        after=page.position(**filters),
        limit=page.limit + 1,
        parent=parent,
        level=level,
        on=on,
    )
    ends = successions.ends_of(session, [row.id for row in rows])
    shown, more = paged(request, response, page, rows, lambda one: one.code, **filters)
    return UnitsOut(units=[UnitOut.of(row, ends[row.id]) for row in shown], next_cursor=more)


@router.post(
    "/batch",
    operation_id="putUnits",
    summary="Register or change several units",
    response_model=ChangesOut,
    responses=problems(UnitUnknown, UnitTwice, *PUTTING),
)
def put_units(
    body: UnitsIn, session: Writing, who: CatalogueWriter, now: Now, once: Once
) -> Response:
    """Khai nhiều đơn vị một lần, thứ tự bất kỳ; sai một đơn vị thì không nhận cả lô.

    Register several units, parents and children in any order; one that is wrong refuses all.
    """

    def answer() -> ChangesOut:
        specs = each_at("/units", body.units, lambda unit: unit.to_spec(unit.code))
        done = catalogue.put_units(session, specs, actor=who.actor, now=now, within=reach_of(who))
        precedence.follow(session, done, now=now)
        return changes_out([(put.row.code, put.change) for put in done])

    return once.answer(session, who, answer, now=now)


def changes_out(changes: list[tuple[str, catalogue.Change]]) -> ChangesOut:
    """Return the answer to a batch of the catalogue."""
    count = dict.fromkeys(catalogue.Change, 0)
    for _, change in changes:
        count[change] += 1
    return ChangesOut(
        created=count[catalogue.Change.CREATED],
        updated=count[catalogue.Change.UPDATED],
        unchanged=count[catalogue.Change.UNCHANGED],
        results=[
            ChangeOut(index=index, code=code, verdict=change.value)
            for index, (code, change) in enumerate(changes)
        ],
    )
