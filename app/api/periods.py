"""Closed periods: close, read, verify, and see what they would be today."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from app.api import conditions
from app.api.doors import doors
from app.api.fields import Day, In, Instant, Out, Text, UnitCode
from app.api.idempotency import Once
from app.api.pages import entry_of, paged, spelled
from app.api.problems import problems
from app.deps import CursorInvalid, Language, Now, Page, Reading, Writing, any_key, needs
from app.domain.errors import Invalid
from app.domain.period import Period, PeriodKind, PeriodLabelInvalid, PeriodReversed
from app.domain.tally import Count
from app.domain.timeliness import Reading as DueReading
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.rulebook.metrics import load_metrics
from app.rulebook.periods import PeriodKindUnknown, load_period_kinds
from app.store import periods as kept
from app.store.periods import PeriodRow
from app.store.units import UnitUnknown
from app.usecases import periods, restatements
from app.usecases.access import Principal
from app.usecases.idempotency import KeyReused
from app.usecases.periods import (
    NotFrozen,
    PeriodClosedAlready,
    PeriodInMotion,
    PeriodNotOver,
    PeriodUnknown,
    UnitNotFrozen,
    Wanted,
)
from app.usecases.restatements import Restated, Restatement
from app.usecases.subtree import subtree_of, unit_of

router = doors("/v1/periods", tag="reports")

Reader = Annotated[Principal, needs("statistics:read")]
Closer = Annotated[Principal, needs("periods:close")]


@dataclass(eq=False, kw_only=True)
class PeriodUnnamed(Invalid):
    """A period is told by its days or by kind and label, not by both nor by half."""

    code: ClassVar[str] = "period.unnamed"


class KindOut(Out):
    """A named kind of reporting periods."""

    id: str = Field(examples=["month-15"])
    title: str
    example: str = Field(description="Cách gọi một kỳ. / How one is named.", examples=["2026-01"])
    months: int
    begins_on: int = Field(description="1 là tháng dương lịch. / 1 is the calendar.")
    used_by: str

    @classmethod
    def of(cls, kind: PeriodKind, language: LanguageCode) -> "KindOut":
        """Return a kind as it is shown."""
        return cls(
            id=kind.id,
            title=kind.title_vi if language is LanguageCode.VI else kind.title_en,
            example=kind.example,
            months=kind.months,
            begins_on=kind.begins_on,
            used_by=kind.used_by,
        )


class KindsOut(Out):
    """The named kinds of periods."""

    kinds: list[KindOut]
    next_cursor: None = None


class PeriodIn(In):
    """Which period of which unit is to be closed."""

    unit: UnitCode = Field(examples=["H44"])
    kind: str | None = Field(None, max_length=40, examples=["month"])
    label: str | None = Field(None, max_length=40, examples=["2026-07"])
    first: Day | None = Field(None, alias="from")
    last: Day | None = Field(None, alias="to")
    readings: list[Annotated[DueReading, Field(strict=False)]] = Field(
        [DueReading.PROMISED],
        min_length=1,
        max_length=4,
        description="Các cách đọc hạn trả cần chốt. / The readings that are written down.",
    )
    document: Text | None = Field(None, description="Số văn bản, báo cáo. / Its document.")

    def wanted(self) -> Wanted:
        """Return the days that are meant.

        :raises PeriodUnnamed: days and a name together, or half of either.
        :raises PeriodKindUnknown: there is no such kind.
        :raises PeriodLabelInvalid: a period of this kind is not named so.
        :raises PeriodReversed: the last day lies before the first.
        """
        return wanted_of(self.kind, self.label, self.first, self.last)


def wanted_of(kind: str | None, label: str | None, first: date | None, last: date | None) -> Wanted:
    """Return the days that are meant by a name or by themselves.

    :raises PeriodUnnamed: both together, or half of either.
    :raises PeriodKindUnknown: there is no such kind.
    :raises PeriodLabelInvalid: a period of this kind is not named so.
    :raises PeriodReversed: the last day lies before the first.
    """
    if kind is not None and label is not None and first is None and last is None:
        return periods.named(kind, label)
    if kind is None and label is None and first is not None and last is not None:
        return Wanted(Period(first, last))
    raise PeriodUnnamed


class GapOut(Out):
    """A unit whose data do not reach to the end of the period."""

    unit: str
    since: Day = Field(description="Nghe lần cuối ngày này. / Last heard on that day.")
    sources: list[str]


class PeriodOut(Out):
    """A closed period."""

    id: UUID
    unit: str = Field(examples=["H44"])
    first: Day = Field(serialization_alias="from")
    last: Day = Field(serialization_alias="to")
    kind: str | None
    label: str | None
    as_of: Instant
    known_at: Instant
    closed_at: Instant
    closed_by: str
    document: str | None
    readings: list[str]
    definitions: list[str]
    default_definition: str
    units: int = Field(description="Số đơn vị trong cây lúc chốt. / Units of the tree as it stood.")
    rows: int
    digest: str = Field(description="SHA-256 của mọi dòng. / Over all rows.")
    insufficient: list[GapOut] = Field(description="Dữ liệu chưa đủ. / Silent sources.")
    verified: bool | None = Field(
        None, description="`verify=true`: mã băm tính lại có khớp. / Whether it still agrees."
    )
    links: dict[str, str]


class PeriodsOut(Out):
    """A page of closed periods, newest first."""

    periods: list[PeriodOut]
    next_cursor: str | None


class RestatedDossierOut(Out):
    """A dossier behind a difference."""

    source: str
    code: str
    difference: int
    causes: list[str] = Field(examples=[["late_arrival"]])


class RestatementOut(Out):
    """One count of one unit, as closed and as it would be now."""

    unit: str
    count: str = Field(examples=["finished_late"])
    frozen: int
    now: int
    difference: int
    causes: dict[str, int] = Field(description="Số hồ sơ theo từng lý do. / Dossiers by cause.")
    reasons: list[str] = Field(description="Lý do bằng lời. / The causes in words.")
    dossiers: list[RestatedDossierOut]
    dossiers_total: int
    unexplained: int = Field(
        description="Phần không do hồ sơ nào: cây đơn vị đổi, hay đang ghi lúc chốt. / The rest."
    )

    @classmethod
    def of(cls, one: Restatement, language: LanguageCode) -> "RestatementOut":
        """Return a restatement as it is shown."""
        return cls(
            unit=one.unit,
            count=one.count.value,
            frozen=one.frozen,
            now=one.now,
            difference=one.difference,
            causes={cause.value: number for cause, number in one.by_cause.items()},
            reasons=[phrase(language, f"restatement.{cause}") for cause in one.by_cause],
            dossiers=[
                RestatedDossierOut(
                    source=moved.source,
                    code=moved.code,
                    difference=moved.difference,
                    causes=[cause.value for cause in moved.causes],
                )
                for moved in one.dossiers
            ],
            dossiers_total=one.dossiers_total,
            unexplained=one.unexplained,
        )


class InHandOut(Out):
    """What was in hand at the end, and the next period carries over (identity I3)."""

    frozen: int
    now: int
    difference: int


class RestatementsOut(Out):
    """What the closed figures would be today."""

    period: UUID
    unit: str
    reading: str
    closed_known_at: Instant
    known_at: Instant
    in_hand: InHandOut
    restatements: list[RestatementOut]
    next_cursor: None = None


@router.get(
    "/kinds",
    operation_id="listPeriodKinds",
    summary="List the named kinds of reporting periods",
    response_model=KindsOut,
    dependencies=[any_key],
)
def list_period_kinds(request: Request, language: Language) -> Response:
    """Các loại kỳ báo cáo có tên: theo lịch, từ ngày 15 đến 14, từ ngày 21 đến 20.

    Kinds of periods with a name. A figure is always asked for by its days; a kind writes them down.
    """
    kinds = load_period_kinds().values()
    return conditions.document(
        request, KindsOut(kinds=[KindOut.of(one, language) for one in kinds])
    )


@router.post(
    "",
    operation_id="closePeriod",
    summary="Close a period: write its figures down for good",
    status_code=201,
    response_model=PeriodOut,
    responses=problems(
        UnitUnknown,
        PeriodKindUnknown,
        PeriodLabelInvalid,
        PeriodReversed,
        PeriodUnnamed,
        PeriodNotOver,
        PeriodClosedAlready,
        PeriodInMotion,
        KeyReused,
    ),
)
def close_period(body: PeriodIn, session: Writing, who: Closer, now: Now, once: Once) -> Response:
    """Chốt số liệu một kỳ của một đơn vị và mọi đơn vị bên dưới; đã chốt thì không đổi nữa.

    Freeze the counts of every unit, field and procedure of a period that is over, with the
    definitions in force, the moment of knowledge, who closed it and a digest. What is learned
    later never changes them; `/restatements` shows what they would be.
    """
    unit = unit_of(session, who, body.unit)
    wanted = body.wanted()

    def work() -> PeriodOut:
        closed = periods.close(
            session,
            unit,
            wanted,
            metrics=load_metrics(),
            readings=body.readings,
            document=body.document,
            actor=who.actor,
            now=now,
        )
        return period_out(closed, who)

    return once.answer(session, who, work, now=now, status=201)


@router.get(
    "",
    operation_id="listPeriods",
    summary="List closed periods",
    response_model=PeriodsOut,
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_periods(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    unit: Annotated[
        str | None,
        Query(max_length=100, description="Của đơn vị này, bên dưới và bên trên. / Around it."),
    ] = None,
) -> PeriodsOut:
    """Các kỳ đã chốt của đơn vị, của đơn vị bên dưới, và của đơn vị cấp trên có số liệu của mình.

    Closed periods of a unit, of units below it, and of those above it that hold its figures too.
    """
    within = subtree_of(session, who, unit)
    filters = {"unit": unit or ""}
    after = entry_of(page.position(**filters))
    found = kept.page(session, lft=within.lft, rgt=within.rgt, after=after, limit=page.limit + 1)
    shown, cursor = paged(
        *(request, response, page, found),
        lambda one: spelled(one.closing.closed_at, one.id),
        **filters,
    )
    return PeriodsOut(periods=[period_out(one, who) for one in shown], next_cursor=cursor)


@router.get(
    "/{period}",
    operation_id="getPeriod",
    summary="Read a closed period, and verify its digest",
    response_model=PeriodOut,
    responses=problems(PeriodUnknown),
)
def get_period(
    request: Request,
    period: UUID,
    session: Reading,
    who: Reader,
    verify: Annotated[
        bool, Query(description="Tính lại mã băm từ các dòng đã lưu. / Take the digest again.")
    ] = False,
) -> Response:
    """Một kỳ đã chốt: ngày, định nghĩa, ai chốt, mã băm; số liệu ở /v1/statistics?period=….

    A closed period. Its figures are read at `/v1/statistics?period=…`, alike for ever.
    """
    found = periods.get_period(session, period, who=who)
    verified = periods.verify(session, found) if verify else None
    return conditions.document(request, period_out(found, who, verified=verified))


@router.get(
    "/{period}/restatements",
    operation_id="listRestatements",
    summary="Compare closed figures with what is known now, with reasons",
    response_model=RestatementsOut,
    responses=problems(PeriodUnknown, UnitUnknown, UnitNotFrozen, NotFrozen),
)
def list_restatements(
    period: UUID,
    session: Reading,
    who: Reader,
    now: Now,
    language: Language,
    unit: Annotated[
        str | None,
        Query(max_length=100, description="Mặc định: mọi đơn vị được xem. / All that you may see."),
    ] = None,
    count: Annotated[Count | None, Query(description="Chỉ một số liệu. / One count.")] = None,
    reading: Annotated[DueReading, Query(description="Cách đọc hạn trả.")] = DueReading.PROMISED,
    named: Annotated[
        int, Query(ge=0, le=100, description="Số hồ sơ nêu tên sau mỗi chênh lệch. / Named each.")
    ] = 20,
) -> RestatementsOut:
    """Số đã chốt, số tính lại hôm nay, chênh lệch và lý do theo những gì ghi nhận sau khi chốt.

    Each count of each unit that would be another one today, with the dossiers that moved it and
    what was learned of them since. What did not move has no row.
    """
    found = periods.get_period(session, period, who=who)
    above = found.closing.unit if who.covers(found.unit_lft) else who.unit_code
    asked = unit_of(session, who, unit or above or found.closing.unit)
    restated = restatements.restated(
        session, found, asked, reading=reading, only=count, named=named, now=now
    )
    return restatements_out(found, restated, reading, language)


def restatements_out(
    one: PeriodRow, found: Restated, reading: DueReading, language: LanguageCode
) -> RestatementsOut:
    """Return restatements as they are shown."""
    frozen, now = found.in_hand
    return RestatementsOut(
        period=one.id,
        unit=found.unit,
        reading=reading.value,
        closed_known_at=one.closing.known_at,
        known_at=found.known_at,
        in_hand=InHandOut(frozen=frozen, now=now, difference=now - frozen),
        restatements=[RestatementOut.of(row, language) for row in found.rows],
    )


def period_out(one: PeriodRow, who: Principal, *, verified: bool | None = None) -> PeriodOut:
    """Return a closed period as its reader may see it."""
    closing = one.closing
    tree = periods.Tree(closing.units)
    seen = who.unit_code
    inside = set(tree.below(seen) if seen is not None and seen in tree else tree.codes)
    return PeriodOut(
        id=one.id,
        unit=closing.unit,
        first=closing.first,
        last=closing.last,
        kind=closing.kind,
        label=closing.label,
        as_of=closing.as_of,
        known_at=closing.known_at,
        closed_at=closing.closed_at,
        closed_by=closing.closed_by,
        document=closing.document,
        readings=list(closing.readings),
        definitions=list(closing.definitions),
        default_definition=closing.default_definition,
        units=len(closing.units),
        rows=one.rows,
        digest=f"sha256:{one.digest}",
        insufficient=[
            GapOut(unit=code, since=gap.since, sources=list(gap.sources))
            for code, gap in sorted(closing.gaps.items())
            if code in inside
        ],
        verified=verified,
        links={
            "statistics": f"/v1/statistics?unit={closing.unit}&period={one.id}",
            "restatements": f"/v1/periods/{one.id}/restatements",
        },
    )
