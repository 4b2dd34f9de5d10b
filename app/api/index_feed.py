"""``/v1/index-feed``: the procedure-reform sub-index of each unit, criterion by criterion."""

from typing import Annotated

from fastapi import Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from app.api.conditions import document
from app.api.doors import doors
from app.api.problems import problems
from app.deps import Now, Reading, needs
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet, load_rule_sets
from app.store.units import UnitUnknown
from app.usecases import index
from app.usecases.access import Principal
from app.usecases.index import KnowledgeToCome, MomentOutsideYear, YearToCome
from app.usecases.subtree import subtree_of

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


@router.get(
    "/{year}",
    operation_id="getIndexFeed",
    summary="Read the index feed of a year",
    response_model=IndexFeedOut,
    responses=problems(
        UnitUnknown,
        UnknownRuleSet,
        RuleSetNotInForce,
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
    year: Annotated[int, Path(ge=2000, le=2100, description="Năm đánh giá. / The year assessed.")],
    rule_set: Annotated[
        str, Query(max_length=100, description="Bộ tiêu chí. / The rule set.")
    ] = index.DEFAULT_RULE_SET,
    unit: Annotated[
        str | None, Query(description="Đơn vị và mọi đơn vị bên dưới. / A unit and all below it.")
    ] = None,
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
    asked = index.ask(year, now=now, as_of=as_of, known_at=known_at)
    within = subtree_of(session, who, unit)
    body = index.feed(
        session,
        rule_set=load_rule_sets().get(rule_set, asked.period.last),
        metrics=load_metrics(),
        asked=asked,
        lft=within.lft,
        rgt=within.rgt,
        since=since,
    )
    return document(request, IndexFeedOut.model_validate(body))
