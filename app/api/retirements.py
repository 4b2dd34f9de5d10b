"""Sources that no longer send for a unit: said with a day and a reason."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field

from app.api.doors import doors
from app.api.fields import Day, In, Instant, Out, Text, UnitCode, Word
from app.api.problems import problems
from app.deps import Now, Reading, Writing, needs
from app.store.retirements import Retirement
from app.store.units import UnitUnknown
from app.usecases import retirements, subtree
from app.usecases.access import Principal
from app.usecases.retirements import SenderUnknown

router = doors("/v1/retirements", tag="catalogue")

Reader = Annotated[Principal, needs("statistics:read")]
CatalogueWriter = Annotated[Principal, needs("catalogue:write")]


class RetirementIn(In):
    """From which day a source owes nothing, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"from": "2026-07-01", "reason": "Thay bằng hệ thống dùng chung"}]
        }
    )

    from_on: Day | None = Field(
        alias="from",
        description="Ngày đầu không còn gửi; null: rút lại. / First day without it; null takes it "
        "back.",
    )
    reason: Text = Field(description="Lý do, không nêu dữ liệu cá nhân. / Why; nothing personal.")


class RetirementOut(Out):
    """What was said of a source for a unit and all below it."""

    source: str = Field(examples=["mot-cua"])
    unit: str = Field(examples=["H44.100"])
    from_on: Day | None = Field(alias="from", description="null: đã rút lại. / null: taken back.")
    reason: str
    actor: str
    recorded_at: Instant

    @classmethod
    def of(cls, said: Retirement) -> "RetirementOut":
        """Return it as it is shown."""
        return cls.model_validate(
            {
                "source": said.source,
                "unit": said.unit,
                "from": said.from_on,
                "reason": said.reason,
                "actor": said.actor,
                "recorded_at": said.recorded_at,
            }
        )


class RetirementsOut(Out):
    """All that was said, the newest first."""

    retirements: list[RetirementOut]
    next_cursor: None = None

    @classmethod
    def of(cls, said: list[Retirement]) -> "RetirementsOut":
        """Return them as they are shown."""
        return cls(retirements=[RetirementOut.of(one) for one in said])


@router.get(
    "",
    operation_id="listRetirements",
    summary="List which sources no longer send for which units",
    responses=problems(UnitUnknown),
)
def list_retirements(
    session: Reading,
    who: Reader,
    unit: Annotated[
        str | None,
        Query(max_length=100, description="Đơn vị và bên dưới. / A unit and all below it."),
    ] = None,
) -> RetirementsOut:
    """Nguồn nào thôi gửi cho đơn vị nào, từ ngày nào, vì sao, do ai; mới nhất trước, tối đa 500.

    Which source no longer sends for which unit, from which day, why and by whose word; the newest
    first, 500 at most. The newest word of a source and a unit holds.
    """
    within = subtree.subtree_of(session, who, unit)
    return RetirementsOut.of(retirements.listed(session, within=within))


@router.put(
    "/{unit}/{source}",
    operation_id="putRetirement",
    summary="Say that a source no longer sends for a unit and below",
    responses=problems(UnitUnknown, SenderUnknown),
)
def put_retirement(
    unit: UnitCode,
    source: Word,
    body: RetirementIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> RetirementsOut:
    """Từ ngày ấy nguồn không bị coi là im lặng, không làm số liệu bị ghi là chưa đủ; kỳ trước giữ.

    From that day on the source is not called silent there and marks no figure as incomplete;
    periods that ended before are judged as they were. What it sends nevertheless is taken.
    """
    row = subtree.unit_of(session, who, unit)
    said = retirements.put(
        session, row, source, from_on=body.from_on, reason=body.reason, who=who, now=now
    )
    return RetirementsOut.of(said)
