"""Rankings: units by one definition, with reasons, marks and what changed since another period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import orjson
from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api import conditions
from app.api.doors import doors
from app.api.fields import ByUnits, Day, Instant, Out, UnitsOn
from app.api.problems import problems
from app.api.statistics import (
    ASKING,
    COMPLETE,
    DataOut,
    RateOut,
    StatisticsReader,
    data_out,
    rate_body,
    told,
)
from app.deps import Now, Reading
from app.domain.errors import Invalid
from app.domain.period import Period
from app.domain.ranking import Delta
from app.domain.timeliness import Reading as DueReading
from app.rulebook.metrics import UnknownDefinition, load_metrics
from app.store.session import ReadSession
from app.store.trees import Units
from app.usecases import periods, rankings
from app.usecases.access import Principal
from app.usecases.periods import NotFrozen, PeriodUnknown, UnitNotFrozen
from app.usecases.rankings import Asked, Ranked, Ranking, Side, Within
from app.usecases.reporting import Question
from app.usecases.subtree import unit_of

router = doors("/v1/rankings", tag="statistics")


@dataclass(eq=False, kw_only=True)
class SideUnclear(Invalid):
    """A period is named by both its days, or by a closed one, not by both nor by half."""

    code: ClassVar[str] = "ranking.side_unclear"
    names: str


class RankDeltaOut(Out):
    """How a unit stands against the other period."""

    points: str | None = Field(
        description="Điểm phần trăm tăng hoặc giảm. / Percentage points gained or lost.",
        examples=["1.25"],
    )
    places: int | None = Field(description="Số bậc tăng; âm là tụt. / Places risen.")
    comparable: bool
    reason: str | None = Field(
        description="`definition`: khác phiên bản; `not_ranked`: một kỳ không xếp hạng. / Why not."
    )
    place_before: int | None
    rate_before: RateOut | None


class RankReasonOut(Out):
    """A count that keeps the unit from the best, with its list."""

    count: str = Field(examples=["finished_late"])
    number: int
    dossiers: str


class UnitRankedOut(Out):
    """One unit of a ranking."""

    unit: str = Field(examples=["H44.100"])
    name: str
    parent: str | None
    place: int | None = Field(description="1, 2, 2, 4; null khi không xếp hạng. / Null if hidden.")
    tied: bool
    rate: RateOut
    hidden: str | None = Field(
        None, description="Vì sao không xếp hạng: `empty` không có hồ sơ, `below_minimum` quá ít."
    )
    data: DataOut
    reasons: list[RankReasonOut]
    delta: RankDeltaOut | None = None
    dossiers: str = Field(description="Danh sách hồ sơ. / The list of its dossiers.")


class UnitsRankedOut(Out):
    """Units in the order of their places, and apart from them those without a place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-07-31T17:00:00Z",
                    "known_at": "2026-08-05T02:00:00Z",
                    "reading": "promised",
                    "definition": "on_time_of_finished@1",
                    "better": "higher",
                    "within": "all",
                    "minimum": 5,
                    "units": "as_now",
                    "rows": [
                        {
                            "unit": "H44.100",
                            "name": "Phường Việt Trì",
                            "parent": "H44",
                            "place": 1,
                            "tied": False,
                            "rate": {
                                "definition": "on_time_of_finished@1",
                                "numerator": 144,
                                "denominator": 147,
                                "percent": "97.96",
                                "small_sample": False,
                            },
                            "hidden": None,
                            "data": {"sufficient": True, "since": None, "sources": []},
                            "reasons": [
                                {
                                    "count": "finished_late",
                                    "number": 3,
                                    "dossiers": "/v1/dossiers?unit=H44.100&count=finished_late",
                                }
                            ],
                            "delta": None,
                            "dossiers": "/v1/dossiers?unit=H44.100&from=2026-07-01&to=2026-07-31",
                        }
                    ],
                    "hidden": [],
                }
            ]
        }
    )

    as_of: Instant
    known_at: Instant
    reading: str
    definition: str
    better: str = Field(description="`higher` càng cao càng tốt, `lower` càng thấp càng tốt.")
    within: str
    minimum: int
    units: str = Field(description="`as_now` hoặc `as_was`. / By whose tree.")
    units_on: Day | None = Field(
        None, description="Ngày của cây đơn vị khi `as_was`. / Day of the tree of `as_was`."
    )
    period: UUID | None = Field(None, description="Kỳ đã chốt. / The closed period, if asked.")
    rows: list[UnitRankedOut]
    hidden: list[UnitRankedOut] = Field(
        description="Không xếp hạng, kèm lý do. / Not ranked, and why."
    )


@router.get(
    "",
    operation_id="getRanking",
    summary="Rank units by a definition, against another period if asked",
    response_model=UnitsRankedOut,
    responses={
        304: {"description": "The ranking is the one that the caller has."},
        **problems(
            *ASKING,
            UnknownDefinition,
            SideUnclear,
            PeriodUnknown,
            UnitNotFrozen,
            NotFrozen,
        ),
    },
)
def get_ranking(
    request: Request,
    session: Reading,
    who: StatisticsReader,
    now: Now,
    unit: Annotated[
        str, Query(max_length=100, description="Đơn vị cấp trên. / The unit above those ranked.")
    ],
    level: Annotated[
        str | None,
        Query(max_length=40, description="Mọi đơn vị cấp này; mặc định: đơn vị trực thuộc."),
    ] = None,
    within: Annotated[
        Within, Query(description="Xếp chung, hay riêng theo từng đơn vị cấp trên. / Among whom.")
    ] = Within.ALL,
    first: Annotated[Day | None, Query(alias="from", description="Ngày đầu kỳ.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Ngày cuối kỳ.")] = None,
    period: Annotated[
        UUID | None, Query(description="Kỳ đã chốt, thay cho hai ngày. / A closed period instead.")
    ] = None,
    against_first: Annotated[
        Day | None, Query(alias="against_from", description="Kỳ so sánh. / The other period.")
    ] = None,
    against_last: Annotated[Day | None, Query(alias="against_to")] = None,
    against: Annotated[
        UUID | None, Query(description="Kỳ đã chốt để so sánh. / A closed one to compare with.")
    ] = None,
    definition: Annotated[
        str | None,
        Query(max_length=200, description="Một định nghĩa tỷ lệ. / One rate; see /v1/definitions."),
    ] = None,
    reading: Annotated[DueReading, Query(description="Cách đọc hạn trả.")] = DueReading.PROMISED,
    minimum: Annotated[
        int, Query(ge=1, le=1_000_000, description="Mẫu số ít nhất để xếp hạng. / At least.")
    ] = 1,
    exclude_same_day: Annotated[bool, Query(description="Bỏ thủ tục trả trong ngày.")] = False,
    procedure: Annotated[str | None, Query(max_length=100)] = None,
    field: Annotated[str | None, Query(max_length=100)] = None,
    units: ByUnits = Units.AS_NOW,
    units_on: UnitsOn = None,
    as_of: Annotated[Instant | None, Query(description="Thời điểm xem, trong kỳ.")] = None,
    known_at: Annotated[Instant | None, Query(description="Như đã biết lúc đó.")] = None,
) -> Response:
    """Xếp hạng đơn vị theo một tỷ lệ: đồng hạng cùng bậc (1, 2, 2, 4), so bằng phân số đúng.

    Units by one rate, ties sharing a place; each with what keeps it from the best, a mark where
    data are not complete, and points and places against another period. Versions of a definition
    are not compared with each other.
    """
    asked = Asked(
        question=Question(
            unit=unit_of(session, who, unit),
            period=Period(date.min, date.min),
            reading=reading,
            as_of=as_of,
            known_at=known_at,
            exclude_same_day=exclude_same_day,
            procedure=procedure,
            field=field,
            units=units,
            units_on=units_on,
        ),
        definition=definition,
        level=level,
        within=within,
        minimum=minimum,
    )
    side = _side(session, who, period, first, last, "from, to, period")
    if side is None:
        raise SideUnclear(names="from, to, period")
    other = _side(
        session, who, against, against_first, against_last, "against_from, against_to, against"
    )
    found = rankings.ranking(session, asked, side, against=other, metrics=load_metrics(), now=now)
    body, tag = ranking_body(
        found, asked, period, compared=other is not None, pinned=(as_of, known_at)
    )
    return conditions.answered(request, orjson.dumps(body), tag=tag)


def _side(
    session: ReadSession,
    who: Principal,
    closed: UUID | None,
    first: date | None,
    last: date | None,
    names: str,
) -> Side | None:
    if closed is not None and first is None and last is None:
        frozen = periods.get_period(session, closed, who=who)
        return Side(Period(frozen.closing.first, frozen.closing.last), frozen)
    if closed is None and first is not None and last is not None:
        return Side(Period(first, last))
    if closed is None and first is None and last is None:
        return None
    raise SideUnclear(names=names)


def ranking_body(
    found: Ranking,
    asked: Asked,
    period: UUID | None,
    *,
    compared: bool,
    pinned: Sequence[datetime | None] = (),
) -> tuple[dict[str, JsonValue], str]:
    """Return a ranking as ``UnitsRankedOut`` shows it, as plain JSON, and its weak tag.

    A nation has thousands of rows, so they are written as they are shown, one by one; that they
    are what the model says is held by a test. The tag is that of the places: not of the moment at
    which the same were seen again. ``pinned`` are the moments that the caller named.
    """
    question = found.question
    more: dict[str, Any] = {} if period is None else {"period": period}
    if question.units_on is not None:
        more["units_on"] = question.units_on
    head = UnitsRankedOut(
        as_of=found.as_of,
        known_at=found.known_at,
        reading=question.reading.value,
        definition=found.definition.name,
        better=found.definition.better.value,
        within=asked.within.value,
        minimum=asked.minimum,
        units=question.units.value,
        rows=[],
        hidden=[],
        **more,
    )
    body: dict[str, JsonValue] = head.model_dump(mode="json", exclude_unset=True)
    rows = [_row(one, compared=compared) for one in found.rows]
    hidden = [_row(one, compared=compared) for one in found.hidden]
    words = ("reading", "definition", "within", "minimum", "units", "units_on")
    basis = [[body.get(name) for name in words], [str(one) for one in pinned], rows, hidden]
    tag = f"W/{conditions.etag_of(orjson.dumps(basis))}"
    pinned_to = _pinned(found)
    body["rows"] = [_opened(row, one, pinned_to) for row, one in zip(rows, found.rows, strict=True)]
    body["hidden"] = [
        _opened(row, one, pinned_to) for row, one in zip(hidden, found.hidden, strict=True)
    ]
    return body, tag


def _row(one: Ranked, *, compared: bool) -> dict[str, JsonValue]:
    standing = one.standing
    return {
        "unit": standing.unit,
        "name": one.name,
        "parent": one.parent,
        "place": standing.place,
        "tied": standing.is_tied,
        "rate": rate_body(standing.rate),
        "hidden": None if standing.hidden is None else standing.hidden.value,
        "data": COMPLETE if one.gap is None else data_out(one.gap).model_dump(mode="json"),
        "delta": _delta(one, one.delta) if compared else None,
    }


def _opened(row: dict[str, JsonValue], one: Ranked, pinned_to: str) -> JsonValue:
    """Return a row with the lists behind it."""
    address = f"/v1/dossiers?unit={quote_plus(one.standing.unit)}&{pinned_to}"
    reasons: list[JsonValue] = [
        {"count": count.value, "number": number, "dossiers": f"{address}&count={count.value}"}
        for count, number in one.reasons
    ]
    return {**row, "reasons": reasons, "dossiers": address}


def _delta(one: Ranked, delta: Delta | None) -> JsonValue:
    if delta is None:
        return None
    return {
        "points": delta.points_text,
        "places": delta.places,
        "comparable": delta.incomparable is None,
        "reason": None if delta.incomparable is None else delta.incomparable.value,
        "place_before": None if one.before is None else one.before.place,
        "rate_before": None if one.before is None else rate_body(one.before.rate),
    }


def _pinned(found: Ranking) -> str:
    """Return what the lists of all units have in common: they are pinned to what was known."""
    question = found.question
    query: dict[str, str] = {
        "scope": "subtree",
        "from": question.period.first.isoformat(),
        "to": question.period.last.isoformat(),
        "as_of": told(found.as_of),
        "known_at": told(found.known_at),
        "reading": question.reading.value,
        "units": question.units.value,
    }
    if question.units_on is not None:
        query["units_on"] = question.units_on.isoformat()
    if question.exclude_same_day:
        query["exclude_same_day"] = "true"
    for name in ("procedure", "field"):
        value = getattr(question, name)
        if value is not None:
            query[name] = value
    return urlencode(query)
