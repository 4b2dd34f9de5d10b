"""Figures of a period with their rates, their checks and the lists behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Final
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import orjson
from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api import conditions
from app.api.doors import doors
from app.api.fields import (
    AsKnown,
    ByUnits,
    Day,
    ExtentAsked,
    Instant,
    JudgedBy,
    Out,
    UnitAsked,
    UnitsOn,
)
from app.api.problems import problems
from app.deps import Now, Reading, needs
from app.domain.errors import Invalid
from app.domain.frozen import Gap
from app.domain.lateness import MEDIAN, NINETIETH, SMALL_SAMPLE, classes
from app.domain.period import ObservedAfterEnd, ObservedBeforeBegin, Period, PeriodReversed
from app.domain.rate import Rate
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, LEG_COUNTS, identities
from app.domain.timeliness import Reading as DueReading
from app.rulebook.metrics import UnknownDefinition, load_metrics
from app.store.periods import PeriodRow
from app.store.tallies import UNKNOWN
from app.store.trees import Units
from app.store.units import UnitUnknown
from app.usecases import freshness, periods, reporting, spreads
from app.usecases.access import Principal
from app.usecases.freshness import Marks
from app.usecases.periods import NotFrozen, PeriodUnknown, UnitNotFrozen
from app.usecases.reporting import (
    Cell,
    Extent,
    Figures,
    GroupingTwice,
    GroupingUnknown,
    KnownInFuture,
    Question,
    TooManyParts,
)
from app.usecases.spreads import Include, RowSpread, Spreads
from app.usecases.subtree import unit_of

router = doors("/v1/statistics", tag="statistics")

StatisticsReader = Annotated[Principal, needs("statistics:read")]

ASKING: Final = (
    *(UnitUnknown, PeriodReversed, ObservedAfterEnd, ObservedBeforeBegin),
    KnownInFuture,
)
"""Why a question of figures may be refused, whatever is asked."""


@dataclass(eq=False, kw_only=True)
class DaysMissing(Invalid):
    """Figures are asked for by both days of a period, or by a closed period, not by both."""

    code: ClassVar[str] = "statistics.days_missing"


@dataclass(eq=False, kw_only=True)
class IncludeUnknown(Invalid):
    """Nothing of this name can stand beside the figures."""

    code: ClassVar[str] = "statistics.include_unknown"
    include: str
    known: str


class RateOut(Out):
    """A rate with both its numbers."""

    definition: str = Field(examples=["on_time_of_finished@1"])
    numerator: int
    denominator: int
    percent: str | None = Field(
        description="Hai chữ số thập phân; null khi mẫu số bằng 0. / Null when nothing to divide.",
        examples=["97.96"],
    )
    small_sample: bool = Field(
        description="Mẫu số dưới 5: tỷ lệ nói lên rất ít. / Fewer than five below the line."
    )

    @classmethod
    def of(cls, rate: Rate) -> "RateOut":
        """Return a rate as it is shown."""
        return cls(
            definition=rate.definition,
            numerator=rate.numerator,
            denominator=rate.denominator,
            percent=rate.percent,
            small_sample=rate.denominator < SMALL_SAMPLE,
        )


def rate_body(rate: Rate) -> dict[str, JsonValue]:
    """Return a rate as ``RateOut`` shows it, as plain JSON."""
    return {
        "definition": rate.definition,
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "percent": rate.percent,
        "small_sample": rate.denominator < SMALL_SAMPLE,
    }


class LatenessOut(Out):
    """Late dossiers by how many working days late they were; adds up to the count, exactly."""

    finished_late: dict[str, int] = Field(examples=[{"0": 1, "1-3": 4, "4-10": 2}])
    open_overdue: dict[str, int] = Field(
        description="Ngày làm việc sau ngày hẹn đến hết ngày xem. / Up to and including T's day."
    )


class DurationsOut(Out):
    """Whole working days that finishes took, from clock start to finish, less the pauses."""

    finishes: int = Field(description="Số lần giải quyết xong tính được. / Those computed.")
    not_computable: int = Field(description="Thiếu năm trong lịch. / A year is not loaded.")
    median_days: int | None = Field(description="Trung vị, hạng gần nhất. / Nearest rank.")
    p90_days: int | None = Field(description="Bách phân vị 90. / The 90th percentile.")
    small_sample: bool = Field(description="Dưới 5 hồ sơ. / Below five dossiers.")


class OldestOpenOut(Out):
    """The dossier in hand whose clock started first."""

    code: str
    source: str
    unit: str
    started_on: Day
    working_days: int | None = Field(description="Kể cả lúc tạm dừng. / Pauses included.")


class LegsOut(Out):
    """Legs of joint dossiers, counted at their units on their own clocks and in no other figure."""

    counts: dict[str, int] = Field(
        description="Danh sách: `dossiers` thêm `&legs=true&count=<tên không có legs_>`. / The "
        "list: `dossiers` with `&legs=true&count=<name without legs_>`.",
        examples=[{"legs_received": 3, "legs_finished_late": 1, "legs_open_overdue": 1}],
    )
    identities: dict[str, int] = Field(description="`I1` của các chặng. / `I1` over the legs.")


class DataOut(Out):
    """Whether the data reach to the end of the period (dữ liệu đã đủ hay chưa)."""

    sufficient: bool = Field(description="Sai: dữ liệu chưa đủ. / False: a sender fell silent.")
    since: Day | None = Field(None, description="Nghe lần cuối ngày này. / Last heard on that day.")
    sources: list[str] = Field(description="Nguồn đã im lặng. / The sources that fell silent.")


def data_out(gap: Gap | None) -> DataOut:
    """Return what is missing as it is shown."""
    if gap is None:
        return DataOut(sufficient=True, since=None, sources=[])
    return DataOut(sufficient=False, since=gap.since, sources=list(gap.sources))


COMPLETE: Final = data_out(None).model_dump(mode="json")
NO_MARKS: Final = Marks({}, {})


class CellOut(Out):
    """The figures of one set of dossiers."""

    counts: dict[str, int] = Field(
        description="Mọi số liệu theo tên. / Every count by its name; see /v1/definitions."
    )
    rates: list[RateOut]
    identities: dict[str, int] = Field(
        description="Phần dư của từng đẳng thức; 0 là khớp. / What is left over; 0 means it holds."
    )
    dossiers: str = Field(
        description="Danh sách hồ sơ; thêm `&count=<tên>` để mở đúng một số liệu. / The list; add "
        "`&count=<name>` for exactly the dossiers that one figure counted."
    )
    links: dict[str, str] | None = Field(
        None, description="Danh sách sau từng số liệu. / The list behind each count."
    )
    data: DataOut | None = Field(
        None, description="Ở dòng theo đơn vị và ở tổng. / In rows of units, and in the total."
    )
    lateness: LatenessOut | None = Field(None, description="`include=lateness`.")
    durations: DurationsOut | None = Field(None, description="`include=durations`.")
    oldest_open: OldestOpenOut | None = Field(None, description="`include=oldest`.")
    legs: LegsOut | None = Field(None, description="`include=legs`.")


class RowOut(CellOut):
    """One row of a table: only the keys that were asked for, null for what is not known."""

    unit: str | None = None
    child: str | None = Field(None, description="Null: do chính đơn vị giữ. / Held by the unit.")
    level: str | None = None
    field: str | None = None
    procedure: str | None = None
    channel: str | None = None
    applicant_type: str | None = None
    online_level: str | None = None
    day: str | None = None
    month: str | None = Field(None, examples=["2026-08"])
    quarter: str | None = Field(None, examples=["2026-Q3"])
    year: str | None = None


class StatisticsOut(Out):
    """A table of figures with all that is needed to compute it again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-08-31T17:00:00Z",
                    "known_at": "2026-09-03T02:00:00Z",
                    "reading": "promised",
                    "units": "as_now",
                    "units_on": None,
                    "rows": [
                        {
                            "unit": "H44.100",
                            "month": "2026-08",
                            "counts": {"received": 147, "finished_on_time": 144},
                            "rates": [
                                {
                                    "definition": "on_time_of_finished@1",
                                    "numerator": 144,
                                    "denominator": 147,
                                    "percent": "97.96",
                                    "small_sample": False,
                                }
                            ],
                            "identities": {"I1": 0, "I2": 0},
                            "data": {"sufficient": True, "since": None, "sources": []},
                            "dossiers": "/v1/dossiers?unit=H44.100&from=2026-08-01&to=2026-08-31",
                        }
                    ],
                    "total": {
                        "counts": {"received": 147, "finished_on_time": 144},
                        "rates": [],
                        "identities": {"I1": 0, "I4": 0},
                        "dossiers": "/v1/dossiers?unit=H44&from=2026-08-01&to=2026-08-31",
                    },
                }
            ]
        }
    )

    as_of: Instant = Field(description="T, không kể chính thời điểm này. / T, exclusive.")
    known_at: Instant
    reading: str
    units: str
    units_on: Day | None = Field(
        None, description="Ngày của cây đơn vị khi `as_was`. / Day of the tree of `as_was`."
    )
    period: UUID | None = Field(None, description="Kỳ đã chốt. / The closed period, if asked.")
    rows: list[RowOut] = Field(description="Trống khi không nhóm. / Empty without `group_by`.")
    total: CellOut


Flag = Annotated[bool, Query(description="Bỏ thủ tục trả trong ngày. / Without same-day limits.")]


@router.get(
    "",
    operation_id="getStatistics",
    summary="Count a period, with rates and the lists behind them",
    response_model=StatisticsOut,
    responses={
        304: {"description": "The figures are those that the caller has."},
        **problems(
            *ASKING,
            UnknownDefinition,
            GroupingUnknown,
            GroupingTwice,
            TooManyParts,
            IncludeUnknown,
            DaysMissing,
            PeriodUnknown,
            UnitNotFrozen,
            NotFrozen,
        ),
    },
)
def get_statistics(
    request: Request,
    session: Reading,
    who: StatisticsReader,
    now: Now,
    unit: UnitAsked,
    first: Annotated[
        Day | None,
        Query(alias="from", description="Ngày đầu kỳ, khi không nêu `period`. / First day."),
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Ngày cuối kỳ. / Last day, inclusive.")
    ] = None,
    period: Annotated[
        UUID | None,
        Query(description="Kỳ đã chốt: số liệu đã ghi, không đổi. / A closed period, as frozen."),
    ] = None,
    scope: ExtentAsked = Extent.SUBTREE,
    as_of: Annotated[
        Instant | None,
        Query(description="Thời điểm xem, trong kỳ. / Observed at; the end of the period or now."),
    ] = None,
    known_at: AsKnown = None,
    group_by: Annotated[
        str,
        Query(
            max_length=200,
            description="Các chiều, cách nhau bằng dấu phẩy. / Comma list of unit, child, level, "
            "field, procedure, channel, applicant_type, online_level, day, month, quarter, year.",
            examples=["unit,month"],
        ),
    ] = "",
    reading: JudgedBy = DueReading.PROMISED,
    definitions: Annotated[
        str,
        Query(
            max_length=1000,
            description="Các định nghĩa tỷ lệ, cách nhau bằng dấu phẩy, có thể kèm @phiên bản. / "
            "Comma list of rates, `id` or `id@version`; see /v1/definitions.",
            examples=["on_time_of_finished,on_time_of_received"],
        ),
    ] = "",
    units: ByUnits = Units.AS_NOW,
    units_on: UnitsOn = None,
    exclude_same_day: Flag = False,
    procedure: Annotated[
        str | None, Query(max_length=100, description=f"`{UNKNOWN}`: chưa rõ. / Not known.")
    ] = None,
    field: Annotated[
        str | None, Query(max_length=100, description=f"`{UNKNOWN}`: chưa rõ. / Not known.")
    ] = None,
    channel: Annotated[str | None, Query(max_length=40)] = None,
    applicant_type: Annotated[str | None, Query(max_length=40)] = None,
    level: Annotated[
        str | None, Query(max_length=40, description="Cấp đơn vị. / Level of the units.")
    ] = None,
    online_level: Annotated[
        str | None, Query(max_length=40, description=f"`{UNKNOWN}`: chưa rõ. / Not known.")
    ] = None,
    links: Annotated[
        bool, Query(description="Kèm danh sách sau từng số liệu ở mỗi dòng. / In every row too.")
    ] = False,
    include: Annotated[
        str,
        Query(
            max_length=100,
            description="Kèm thêm, cách nhau bằng dấu phẩy: `lateness` trễ bao nhiêu ngày, "
            "`durations` giải quyết trong bao nhiêu ngày, `oldest` hồ sơ lâu nhất, `legs` chặng "
            "của hồ sơ liên thông. / Beside it.",
            examples=["lateness,durations"],
        ),
    ] = "",
) -> Response:
    """Số liệu của một kỳ: mỗi con số kèm định nghĩa, tử số, mẫu số và danh sách hồ sơ đã đếm.

    The figures of a period. Each rate names its definition with both numbers, each row opens the
    list of exactly the dossiers that it counted, and the identities show that nothing is lost.
    The `ETag` is that of the figures: it stays while they do.
    """
    frozen = None if period is None else periods.get_period(session, period, who=who)
    question = Question(
        unit=unit_of(session, who, unit),
        period=days_of(frozen, first, last),
        extent=scope,
        reading=reading,
        as_of=as_of,
        known_at=known_at,
        exclude_same_day=exclude_same_day,
        procedure=procedure,
        field=field,
        channel=channel,
        applicant_type=applicant_type,
        level=level,
        online_level=online_level,
        units=units,
        units_on=units_on,
    )
    names, by, metrics = words_of(definitions), words_of(group_by), load_metrics()
    beside = asked(include)
    spread = None
    if frozen is not None:
        if beside:
            raise NotFrozen(word=include, known=", ".join(periods.FROZEN_BY))
        wanted = periods.definitions_of(frozen, metrics, names)
        figures = periods.figures(session, frozen, question, group_by=by, definitions=wanted)
    else:
        wanted = reporting.definitions_of(metrics, names, question.period.last)
        figures = reporting.figures(session, question, group_by=by, definitions=wanted, now=now)
        spread = spreads.spreads(session, question, group_by=by, include=beside, now=now)
        if Include.LEGS in beside:  # a unit may hold legs and nothing else
            figures = reporting.with_rows(figures, spread.rows, group_by=by, definitions=wanted)
    marks = (
        freshness.marks(session, question.unit, until=figures.last_day, now=now)
        if frozen is None
        else periods.marks(frozen)
    )
    body = statistics_body(figures, links=links, spread=spread, period=period, marks=marks)
    return conditions.answered(request, orjson.dumps(body), tag=tag_of(body, as_of, known_at))


def days_of(frozen: PeriodRow | None, first: date | None, last: date | None) -> Period:
    """Return the days that are asked for, those of a closed period when one is named.

    :raises DaysMissing: a day is missing, or days stand beside a closed period.
    :raises PeriodReversed: the last day lies before the first.
    """
    if frozen is not None and first is None and last is None:
        return Period(frozen.closing.first, frozen.closing.last)
    if frozen is None and first is not None and last is not None:
        return Period(first, last)
    raise DaysMissing


def words_of(text: str) -> list[str]:
    """Return the words of a comma list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def asked(text: str) -> frozenset[Include]:
    """Return what a comma list asks for beside the figures.

    :raises IncludeUnknown: a word that nobody knows.
    """
    words = words_of(text)
    if unknown := [word for word in words if word not in set(Include)]:
        raise IncludeUnknown(include=unknown[0], known=", ".join(Include))
    return frozenset(Include(word) for word in words)


def statistics_body(
    figures: Figures,
    *,
    links: bool,
    spread: Spreads | None = None,
    period: UUID | None = None,
    marks: Marks = NO_MARKS,
) -> dict[str, JsonValue]:
    """Return a table as ``StatisticsOut`` shows it, as plain JSON.

    A table may have thousands of rows, so they are written as they are shown, one by one; that
    they are what the model says is held by a test.
    """
    closed = {} if period is None else {"period": period}
    addresses = _Addresses(figures)
    beside = None if spread is None else spread.total
    head = StatisticsOut(
        **closed,
        as_of=figures.as_of,
        known_at=figures.known_at,
        reading=figures.question.reading.value,
        units=figures.question.units.value,
        units_on=figures.units_on,
        rows=[],
        total=CellOut.model_validate(
            _cell(addresses, figures.total, links=True, beside=beside)
            | {"data": _data(figures, figures.total, marks)}
        ),
    )
    body: dict[str, JsonValue] = head.model_dump(mode="json", exclude_unset=True)
    body["rows"] = [
        {
            **row.keys,
            **_cell(addresses, row, links=links, beside=_of_row(spread, row)),
            "data": _data(figures, row, marks),
        }
        for row in figures.rows
        if row.keys
    ]
    return body


def _data(figures: Figures, cell: Cell, marks: Marks) -> dict[str, JsonValue]:
    """Return whether the data of a row are complete up to its end."""
    if not marks.gaps:
        return COMPLETE
    question, keys = figures.question, cell.keys
    until = min(cell.period.last, figures.last_day)
    root = question.unit.code
    if keys.get("unit") is not None:
        gap = marks.own(str(keys["unit"]), until=until)
    elif keys.get("child") is not None:
        gap = marks.below(str(keys["child"]), until=until)
    elif "child" in keys or question.extent is Extent.OWN:
        gap = marks.own(root, until=until)
    else:
        gap = marks.below(root, until=until)
    return data_out(gap).model_dump(mode="json")


def _of_row(spread: Spreads | None, row: Cell) -> RowSpread | None:
    return None if spread is None else spread.of(row.keys)


def _cell(
    addresses: "_Addresses", cell: Cell, *, links: bool, beside: RowSpread | None
) -> dict[str, JsonValue]:
    address = addresses.of(cell)
    found: dict[str, JsonValue] = {
        "counts": {**cell.tally.to_dict()},
        "rates": [rate_body(rate) for rate in cell.rates],
        "identities": dict(cell.identities),
        "dossiers": address,
    }
    if links:
        opened: dict[str, JsonValue] = {
            count.value: f"{address}&count={count.value}"
            for count in COUNTS
            if count not in CATALOGUE_COUNTS
        }
        if beside is not None and Include.LEGS in beside.include:
            for name, count in LEG_COUNTS.items():
                opened[name] = f"{address}&legs=true&count={count.value}"
        found["links"] = opened
    if beside is not None:
        shown = _beside(beside)
        found |= {
            name: one.model_dump(mode="json") if isinstance(one, Out) else None
            for name, one in shown.items()
        }
    return found


def _beside(row: RowSpread) -> dict[str, object]:
    spread, oldest = row.spread, row.oldest
    found: dict[str, object] = {}
    if Include.LATENESS in row.include:
        found["lateness"] = LatenessOut(
            finished_late=classes(spread.finished_late), open_overdue=classes(spread.open_overdue)
        )
    if Include.DURATIONS in row.include:
        found["durations"] = DurationsOut(
            finishes=spread.finishes,
            not_computable=spread.taken.get(None, 0),
            median_days=spread.days_at(MEDIAN),
            p90_days=spread.days_at(NINETIETH),
            small_sample=spread.finishes < SMALL_SAMPLE,
        )
    if Include.OLDEST in row.include:
        found["oldest_open"] = oldest and OldestOpenOut(
            code=oldest.code,
            source=oldest.source,
            unit=oldest.unit,
            started_on=oldest.started_on,
            working_days=oldest.working_days,
        )
    if Include.LEGS in row.include:
        found["legs"] = LegsOut(
            counts={name: row.legs[count] for name, count in LEG_COUNTS.items()},
            identities={"I1": identities(row.legs)["I1"]},
        )
    return found


NARROWED: Final = (*("procedure", "field", "channel", "applicant_type", "level", "online_level"),)
"""Dimensions under which a list is narrowed by the filter of the same name."""


class _Addresses:
    """The lists of the rows of a table, pinned to what was known for its figures."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._spans: dict[Period, str] = {}

    def of(self, cell: Cell) -> str:
        """Return the address of the list of a row."""
        question = self._figures.question
        unit, extent = _place(question, cell.keys)
        narrowed = {}
        for name in NARROWED:
            value = getattr(question, name)
            if name in cell.keys:
                value = UNKNOWN if cell.keys[name] is None else cell.keys[name]
            if value is not None:
                narrowed[name] = value
        last = f"&{urlencode(narrowed)}" if narrowed else ""
        place = f"unit={quote_plus(unit)}&scope={extent.value}"
        return f"/v1/dossiers?{place}&{self._span(cell.period)}{last}"

    def _span(self, period: Period) -> str:
        """Return what the rows of one period have in common."""
        found = self._spans.get(period)
        if found is None:
            figures = self._figures
            query: dict[str, str] = {
                "from": period.first.isoformat(),
                "to": period.last.isoformat(),
                "as_of": told(min(figures.as_of, period.ends)),
                "known_at": told(figures.known_at),
                "reading": figures.question.reading.value,
                "units": figures.question.units.value,
            }
            if figures.units_on is not None:
                query["units_on"] = figures.units_on.isoformat()
            if figures.question.exclude_same_day:
                query["exclude_same_day"] = "true"
            found = self._spans[period] = urlencode(query)
        return found


def _place(question: Question, keys: Mapping[str, str | None]) -> tuple[str, Extent]:
    """Return the unit of a row, and whether alone."""
    if "unit" in keys:
        return str(keys["unit"]), Extent.OWN
    if keys.get("child") is not None:
        return str(keys["child"]), question.extent
    return question.unit.code, Extent.OWN if "child" in keys else question.extent


def told(moment: datetime) -> str:
    """Write an instant as it stands in an address."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def tag_of(body: Mapping[str, JsonValue], *pinned: datetime | None) -> str:
    """Return a weak tag of the figures: not of the moments at which the same were seen again."""
    rows, total = body["rows"], body["total"]
    cells = [*(rows if isinstance(rows, list) else []), total]
    kept = [
        {name: value for name, value in cell.items() if name not in {"dossiers", "links"}}
        for cell in cells
        if isinstance(cell, dict)
    ]
    by_units = [body["units"], body.get("units_on")]
    basis = orjson.dumps([body["reading"], by_units, [str(one) for one in pinned], kept])
    return f"W/{conditions.etag_of(basis)}"
