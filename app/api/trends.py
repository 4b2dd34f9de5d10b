"""Trends: a rate and counts over time, with gaps, marks and the year before."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import Query, Request, Response
from pydantic import Field

from app.api import conditions
from app.api.doors import doors
from app.api.fields import ByUnits, Day, Instant, Out, UnitAsked, UnitsOn
from app.api.problems import problems
from app.api.statistics import ASKING, DataOut, RateOut, StatisticsReader, data_out, words_of
from app.deps import Now, Reading
from app.domain.errors import Invalid
from app.domain.period import Period, Step
from app.domain.rounding import to_decimals
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, Count, Tally
from app.domain.timeliness import Reading as DueReading
from app.rulebook.metrics import UnknownDefinition, load_metrics
from app.store.trees import Units
from app.usecases import trends
from app.usecases.reporting import Extent, Question, TooManyParts
from app.usecases.subtree import unit_of
from app.usecases.trends import Before, Line, Lines, Point

router = doors("/v1/trends", tag="statistics")


@dataclass(eq=False, kw_only=True)
class CountUnknown(Invalid):
    """There is no count of this name."""

    code: ClassVar[str] = "statistics.count_unknown"
    count: str


class YearBeforeOut(Out):
    """The same part of the year before."""

    first: Day = Field(serialization_alias="from")
    last: Day = Field(serialization_alias="to")
    counts: dict[str, int]
    rate: RateOut | None
    points: str | None = Field(description="Điểm phần trăm so với năm trước. / Points gained.")
    comparable: bool = Field(description="Sai khi khác phiên bản định nghĩa. / Same version.")


class TrendPointOut(Out):
    """One part of a line; counts and rate are null for a part that has not begun."""

    label: str = Field(examples=["2026-08"])
    first: Day = Field(serialization_alias="from")
    last: Day = Field(serialization_alias="to")
    over: bool = Field(description="Đã hết kỳ. / The part is over.")
    counts: dict[str, int] | None
    rate: RateOut | None
    data: DataOut
    year_before: YearBeforeOut | None


class TrendLineOut(Out):
    """A unit over time."""

    unit: str | None = Field(description="Null: do chính đơn vị giữ. / Held by the unit itself.")
    points: list[TrendPointOut]


class TrendsOut(Out):
    """Lines over one span, cut alike."""

    as_of: Instant
    known_at: Instant
    unit: str
    reading: str
    step: str
    units: str = Field(description="`as_now` hoặc `as_was`. / By whose tree.")
    definition: str = Field(description="Mỗi điểm mang phiên bản của mình. / Points say which.")
    lines: list[TrendLineOut]


@router.get(
    "",
    operation_id="getTrends",
    summary="Follow a rate and counts over time, beside the year before",
    response_model=TrendsOut,
    responses={
        304: {"description": "The trend is the one that the caller has."},
        **problems(
            *ASKING,
            UnknownDefinition,
            TooManyParts,
            CountUnknown,
        ),
    },
)
def get_trends(
    request: Request,
    session: Reading,
    who: StatisticsReader,
    now: Now,
    unit: UnitAsked,
    first: Annotated[Day, Query(alias="from", description="Ngày đầu. / First day.")],
    last: Annotated[Day, Query(alias="to", description="Ngày cuối. / Last day, inclusive.")],
    step: Annotated[Step, Query(description="Chia theo. / Cut by.")] = Step.MONTH,
    lines: Annotated[
        Lines, Query(description="Một đường, hay mỗi đơn vị trực thuộc một đường. / Lines.")
    ] = Lines.WHOLE,
    scope: Annotated[Extent, Query(description="Cả nhánh hay riêng đơn vị.")] = Extent.SUBTREE,
    definition: Annotated[
        str | None, Query(max_length=200, description="Một định nghĩa tỷ lệ. / One rate.")
    ] = None,
    counts: Annotated[
        str,
        Query(max_length=1000, description="Các số liệu kèm theo. / Comma list of counts."),
    ] = "received,finished_late,open_overdue",
    year_before: Annotated[bool, Query(description="Kèm cùng kỳ năm trước.")] = True,
    reading: Annotated[DueReading, Query(description="Cách đọc hạn trả.")] = DueReading.PROMISED,
    exclude_same_day: Annotated[bool, Query(description="Bỏ thủ tục trả trong ngày.")] = False,
    procedure: Annotated[str | None, Query(max_length=100)] = None,
    field: Annotated[str | None, Query(max_length=100)] = None,
    units: ByUnits = Units.AS_NOW,
    units_on: UnitsOn = None,
    as_of: Annotated[Instant | None, Query(description="Thời điểm xem, trong kỳ.")] = None,
    known_at: Annotated[Instant | None, Query(description="Như đã biết lúc đó.")] = None,
) -> Response:
    """Diễn biến theo thời gian: chỗ trống để trống, dữ liệu chưa đủ có đánh dấu, kèm năm trước.

    A rate and counts part by part. A part with nothing to divide by has no percentage, one that
    has not begun has no numbers; each point names the version of its definition.
    """
    wanted = _counts(counts)
    question = Question(
        unit=unit_of(session, who, unit),
        period=Period(first, last),
        extent=scope,
        reading=reading,
        as_of=as_of,
        known_at=known_at,
        exclude_same_day=exclude_same_day,
        procedure=procedure,
        field=field,
        units=units,
        units_on=units_on,
    )
    metrics = load_metrics()
    found = trends.trend(
        session,
        question,
        step=step,
        lines=lines,
        definition=definition,
        year_before=year_before,
        metrics=metrics,
        now=now,
    )
    shown = TrendsOut(
        as_of=found.as_of,
        known_at=found.known_at,
        unit=question.unit.code,
        reading=reading.value,
        step=step.value,
        units=units.value,
        definition=(definition or metrics.default.id).partition("@")[0],
        lines=[_line(line, wanted) for line in found.lines],
    )
    body: dict[str, Any] = shown.model_dump(mode="json", by_alias=True)
    basis = {name: value for name, value in body.items() if name not in {"as_of", "known_at"}}
    pinned = [str(as_of), str(known_at)]
    tag = conditions.etag_of(orjson.dumps([basis, pinned]))
    return conditions.answered(request, orjson.dumps(body), tag=f"W/{tag}")


def _counts(text: str) -> list[Count]:
    known = {count.value for count in COUNTS if count not in CATALOGUE_COUNTS}
    for word in words_of(text):
        if word not in known:
            raise CountUnknown(count=word)
    return [Count(word) for word in words_of(text)]


def _line(line: Line, wanted: list[Count]) -> TrendLineOut:
    return TrendLineOut(unit=line.unit, points=[_point(point, wanted) for point in line.points])


def _point(point: Point, wanted: list[Count]) -> TrendPointOut:
    return TrendPointOut(
        label=point.label,
        first=point.period.first,
        last=point.period.last,
        over=point.is_over,
        counts=None if point.tally is None else _numbers(point.tally, wanted),
        rate=None if point.rate is None else RateOut.of(point.rate),
        data=data_out(point.gap),
        year_before=None if point.before is None else _before(point.before, wanted),
    )


def _before(before: Before, wanted: list[Count]) -> YearBeforeOut:
    return YearBeforeOut(
        first=before.period.first,
        last=before.period.last,
        counts=_numbers(before.tally, wanted),
        rate=None if before.rate is None else RateOut.of(before.rate),
        points=None if before.points is None else to_decimals(before.points, 2),
        comparable=before.is_comparable,
    )


def _numbers(tally: Tally, wanted: list[Count]) -> dict[str, int]:
    return {count.value: tally[count] for count in wanted}
