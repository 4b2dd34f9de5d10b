"""``/v1/index-feed``: the procedure-reform sub-index of each unit, criterion by criterion."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from app.api.conditions import answered, document, etag_of
from app.api.doors import doors
from app.api.fields import UnitsBelow
from app.api.pages import paged
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, needs
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store.editions import Edition, Series
from app.store.units import UnitUnknown
from app.usecases import editions, feed, index
from app.usecases.access import Principal
from app.usecases.editions import EditionUnknown
from app.usecases.index import KnowledgeToCome, MomentOutsideYear, YearToCome
from app.usecases.rule_sets import PeriodAcrossChange
from app.usecases.scorecards import PeriodNotAssessed
from app.usecases.subtree import unit_of

router = doors("/v1/index-feed", tag="index")

Reader = Annotated[Principal, needs("statistics:read")]


class TitleOut(BaseModel):
    """A name in both languages."""

    vi: str
    en: str


class BranchOut(BaseModel):
    """Which way a rule went."""

    code: str = Field(examples=["branch.linear.share"])
    params: dict[str, str]


class RecoveryOut(BaseModel):
    """What would bring points back."""

    reaches: str = Field(examples=["floor"])
    more: str = Field(
        description="So many more among those counted, all else being equal.", examples=["1"]
    )
    among_new: int | None = Field(
        description="Or so many further dossiers that are all on time; null where that cannot "
        "reach it."
    )
    points: str = Field(description="The points of the leaf then.", examples=["0.95"])


class CriterionOut(BaseModel):
    """One leaf of the sheet of one unit."""

    id: str = Field(examples=["on_time"])
    title: TitleOut
    state: str = Field(
        description="`scored`, `pending`, `excluded`, `redistributed` or `failed`; more may come.",
        examples=["scored"],
    )
    score: str | None = Field(examples=["19.41"])
    max: str = Field(examples=["20"])
    numerator: int | None = Field(examples=[2541])
    denominator: int | None = Field(examples=[2618])
    percent: str | None = Field(examples=["97.06"])
    definition: str | None = Field(examples=["progress_766@1"])
    branch: BranchOut
    lost: str | None = Field(examples=["0.59"])
    recover: list[RecoveryOut]
    warnings: list[str]
    evidence: str | None = Field(description="The list of dossiers behind the criterion.")


class RankOut(BaseModel):
    """A place among the units of the same level under the same parent."""

    place: int
    of: int
    tied: bool


class DeltaOut(BaseModel):
    """The difference from an earlier feed."""

    since: str
    sub_index: str | None
    points: str | None = Field(examples=["-0.5"])


class UnitScoreOut(BaseModel):
    """The sub-index of one unit."""

    unit: str = Field(examples=["H44.100"])
    name: str
    level: str = Field(examples=["commune"])
    status: str = Field(
        description="`complete`, `pending` (inputs are missing) or `failed`.", examples=["complete"]
    )
    sub_index: str | None = Field(description="Null when nothing applies.", examples=["20.36"])
    max: str = Field(examples=["21"])
    class_: str | None = Field(alias="class", description="The label, where the set gives one.")
    rank: RankOut | None = Field(description="Null for sheets that are not ranked.")
    missing: list[str] = Field(description="Inputs that are not known yet.")
    criteria: list[CriterionOut]
    delta: DeltaOut | None


class OriginOut(BaseModel):
    """What the feed was made from."""

    known_at: str
    as_of: str
    reading: str = Field(examples=["promised"])
    definitions: list[str] = Field(examples=[["on_time_of_finished@1", "progress_766@1"]])
    rule_set_digest: str
    provenance: str = Field(examples=["operational"])
    confirmed: bool = Field(
        description="False: show «chưa xác nhận» beside every number of this rule set."
    )


class IndexFeedOut(BaseModel):
    """The index feed of a year."""

    year: int = Field(examples=[2026])
    rule_set: str = Field(examples=["progress.feed-1"])
    generated_from: OriginOut
    units: list[UnitScoreOut]
    hash: str = Field(
        description="SHA-256 of what the feed says: not of `known_at`, `as_of`, links or `delta`."
    )


class EditionLinksOut(BaseModel):
    """Where an edition is read."""

    edition: str


class EditionOut(BaseModel):
    """One edition: a document that was given out and is kept byte for byte."""

    number: int = Field(examples=[3])
    known_at: datetime = Field(description="Số liệu như đã biết lúc này. / As known then.")
    as_of: datetime
    hash: str
    is_final: bool = Field(description="Năm đã khóa: không có bản sau. / The year is closed.")
    period: UUID | None = Field(description="Kỳ đã khóa. / The closed period behind a final one.")
    issued_at: datetime
    links: EditionLinksOut

    @classmethod
    def of(cls, edition: Edition, unit: str) -> "EditionOut":
        """Return an edition as it is shown."""
        return cls(
            number=edition.number,
            known_at=edition.known_at,
            as_of=edition.as_of,
            hash=edition.hash,
            is_final=edition.is_final,
            period=edition.period_id,
            issued_at=edition.recorded_at,
            links=EditionLinksOut(edition=editions.address_of(unit, edition)),
        )


class EditionsOut(BaseModel):
    """A page of editions, newest first."""

    editions: list[EditionOut]
    next_cursor: str | None


RuleSetName = Annotated[str, Query(max_length=100, description="Bộ tiêu chí. / The rule set.")]
RootUnit = Annotated[str, Query(max_length=100, description="Đơn vị gốc. / The root unit.")]
Year = Annotated[int, Path(ge=2000, le=2100, description="Năm đánh giá. / The year assessed.")]


@router.get(
    "/{year}/editions",
    operation_id="listIndexFeedEditions",
    summary="List the editions of the index feed",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_editions(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    year: Year,
    unit: RootUnit,
    rule_set: RuleSetName = index.DEFAULT_RULE_SET,
) -> EditionsOut:
    """Các bản đã phát hành của một gốc đơn vị, mới nhất trước; chỉ phát hành khi có điều mới.

    One is given out when it says something that the one before did not; the last when the year is
    closed.
    """
    filters = {"unit": unit, "rule_set": rule_set}
    root = unit_of(session, who, unit)
    found = editions.listed(
        session,
        Series(root.id, rule_set, year),
        below=page.position(**filters),
        limit=page.limit + 1,
    )
    shown, more = paged(request, response, page, found, lambda one: one.number, **filters)
    return EditionsOut(editions=[EditionOut.of(one, unit) for one in shown], next_cursor=more)


@router.get(
    "/{year}/editions/{number}",
    operation_id="getIndexFeedEdition",
    summary="Read an edition of the index feed, byte for byte",
    response_model=IndexFeedOut,
    responses=problems(UnitUnknown, EditionUnknown),
)
def get_edition(
    request: Request,
    session: Reading,
    who: Reader,
    year: Year,
    number: Annotated[int, Path(ge=1, le=1_000_000, description="Số bản. / Its number.")],
    unit: RootUnit,
    rule_set: RuleSetName = index.DEFAULT_RULE_SET,
) -> Response:
    """Đọc đúng văn bản đã phát hành, không đổi một ký tự.

    The document as it was given out; no later knowledge changes it.
    """
    root = unit_of(session, who, unit)
    body = editions.document_of(session, Series(root.id, rule_set, year), number)
    return answered(request, body, tag=etag_of(body))


@router.get(
    "/{year}",
    operation_id="getIndexFeed",
    summary="Read the index feed of a year",
    response_model=IndexFeedOut,
    responses=problems(
        UnitUnknown,
        UnknownRuleSet,
        RuleSetNotInForce,
        PeriodAcrossChange,
        PeriodNotAssessed,
        YearToCome,
        MomentOutsideYear,
        KnowledgeToCome,
    ),
)
def get_index_feed(
    request: Request,
    session: Reading,
    who: Reader,
    now: Now,
    year: Year,
    rule_set: RuleSetName = index.DEFAULT_RULE_SET,
    unit: UnitsBelow = None,
    as_of: Annotated[
        AwareDatetime | None,
        Query(description="Thời điểm chốt, trong năm. / The moment within the year."),
    ] = None,
    known_at: Annotated[
        AwareDatetime | None,
        Query(description="Theo những gì đã biết lúc đó. / As known at that instant."),
    ] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(description="`known_at` của bản trước, để so sánh. / Of an earlier feed."),
    ] = None,
) -> Response:
    """Điểm thành phần cải cách TTHC của từng đơn vị, kèm tử số, mẫu số và danh sách hồ sơ.

    The same question gives the same bytes; `hash` changes only when a figure or a rule does.
    """
    root = None if unit is None else unit_of(session, who, unit)
    if known_at is None and root is not None:
        known_at = editions.closed_at(session, root, year, now=now)
    body = feed.feed(
        session,
        rule_set,
        index.ask(year, now=now, as_of=as_of, known_at=known_at),
        root=root,
        who=who,
        since=since,
    )
    return document(request, IndexFeedOut.model_validate(body))
