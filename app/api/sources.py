"""The source systems that send dossiers, and how fresh what they sent is."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import Field

from app.api.doors import doors
from app.api.fields import Day, Instant, Out, UnitsBelow
from app.api.problems import problems
from app.deps import Now, Reading, needs
from app.domain.freshness import Freshness
from app.store.units import UnitUnknown
from app.usecases import freshness, silences
from app.usecases.access import Principal
from app.usecases.freshness import SourceHeard
from app.usecases.subtree import subtree_of

router = doors("/v1/sources", tag="statistics")

Reader = Annotated[Principal, needs("statistics:read")]


class FreshnessOut(Out):
    """When a source was last heard against its usual rhythm, in working days."""

    last_heard_on: Day
    rhythm_working_days: int | None = Field(
        description="Khoảng cách trung vị giữa các ngày có gửi; null khi chưa đủ. / Median gap."
    )
    quiet_working_days: int | None = Field(
        description="Số ngày làm việc từ lần cuối, kể cả hôm nay. / Since then, today included."
    )
    silent: bool = Field(
        description="Im lặng: quá 3 lần nhịp thường, ít nhất 1 ngày. / Longer than 3 rhythms."
    )
    retired_from: Day | None = Field(
        description="Thôi gửi từ ngày này, xem /v1/retirements. / From this day on it owes nothing."
    )


class UnitHeardOut(FreshnessOut):
    """How fresh a source is for one unit."""

    unit: str = Field(examples=["H44.100"])


class SourceOut(FreshnessOut):
    """A source system and its units."""

    source: str = Field(examples=["mot-cua"])
    name: str
    units: list[UnitHeardOut]

    @classmethod
    def of(cls, heard: SourceHeard) -> "SourceOut":
        """Return a source as it is shown."""
        return cls(
            source=heard.source,
            name=heard.name,
            **_shown(heard.freshness, heard.retired_from),
            units=[
                UnitHeardOut(unit=one.unit, **_shown(one.freshness, one.retired_from))
                for one in heard.units
            ],
        )


class SourcesOut(Out):
    """The sources that told of dossiers of some units."""

    sources: list[SourceOut]
    next_cursor: None = None


class SilenceOut(Out):
    """One silence of a source."""

    id: UUID = Field(description="Cũng là mã của bản tin. / Also the id of the event.")
    source: str = Field(examples=["mot-cua"])
    last_heard_on: Day
    rhythm_working_days: int
    raised_at: Instant
    resolved_at: Instant | None = Field(description="Khi nghe lại. / When it was heard again.")


class SilencesOut(Out):
    """Silences, the newest first."""

    silences: list[SilenceOut]
    next_cursor: None = None


@router.get(
    "/silences",
    operation_id="listSilences",
    summary="List when sources fell silent, and when they were heard again",
    responses=problems(UnitUnknown),
)
def list_silences(
    session: Reading,
    who: Reader,
    unit: UnitsBelow = None,
) -> SilencesOut:
    """Những lần nguồn ngừng gửi dữ liệu, mới nhất trước, tối đa 200; mỗi lần chỉ báo một lần.

    Silences of the sources that ever told of the units, the newest first, 200 at most; each is
    told once.
    """
    found = silences.list_silences(session, within=subtree_of(session, who, unit))
    return SilencesOut(
        silences=[
            SilenceOut(
                id=row.id,
                source=row.source,
                last_heard_on=row.last_heard_on,
                rhythm_working_days=row.rhythm,
                raised_at=row.raised_at,
                resolved_at=row.resolved_at,
            )
            for row in found
        ]
    )


@router.get(
    "",
    operation_id="listSources",
    summary="List source systems with their freshness",
    responses=problems(UnitUnknown),
)
def list_sources(
    session: Reading,
    who: Reader,
    now: Now,
    unit: Annotated[
        str | None,
        Query(max_length=100, description="Đơn vị và bên dưới. / A unit and all below it."),
    ] = None,
) -> SourcesOut:
    """Mỗi hệ thống nguồn gửi tin lần cuối ngày nào, so với nhịp thường của chính nó.

    When each source was last heard against its own rhythm, as a whole and unit by unit. Figures
    of a unit whose source is silent are not complete.
    """
    within = subtree_of(session, who, unit)
    found = freshness.sources(session, within=within, now=now)
    return SourcesOut(sources=[SourceOut.of(one) for one in found])


def _shown(one: Freshness, retired_from: date | None) -> dict[str, Any]:
    return {
        "last_heard_on": one.last_heard_on,
        "rhythm_working_days": one.rhythm,
        "quiet_working_days": one.quiet,
        "silent": one.is_silent,
        "retired_from": retired_from,
    }
