"""Why dossiers come late: causes to choose from, named in bulk, and counted."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.api.doors import doors
from app.api.fields import (
    AsKnown,
    ExtentAsked,
    FirstDay,
    In,
    Instant,
    JudgedBy,
    LastDay,
    Out,
    Text,
    UnitAsked,
    UnitCode,
    Word,
)
from app.api.problems import problems
from app.api.statistics import ASKING, StatisticsReader
from app.deps import Language, Now, Reading, Writing, needs
from app.domain.late_cause import UNCLASSIFIED, CauseGroup, LateCause
from app.domain.period import Period
from app.domain.timeliness import Reading as DueReading
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.store.units import UnitUnknown
from app.usecases import late_causes
from app.usecases.access import Principal
from app.usecases.late_causes import (
    MOST_AT_ONCE,
    Assigned,
    CauseCounts,
    LateCauseReserved,
    LateCauseUnknown,
    OwnCause,
)
from app.usecases.reporting import Extent, Question
from app.usecases.subtree import unit_of

router = doors("/v1/late-causes", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]
Writer = Annotated[Principal, needs("dossiers:write")]
CatalogueWriter = Annotated[Principal, needs("catalogue:write")]

CauseId = Annotated[
    str, StringConstraints(min_length=1, max_length=110, pattern=r"^[0-9A-Za-z._:-]+$")
]
OwnCode = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[0-9a-z][0-9a-z_-]*$")
]
PUT_EXAMPLE: Final[dict[str, JsonValue]] = {
    "unit": "H44.100",
    "causes": [
        {
            "code": "mat-dien",
            "group": "events",
            "vi": "Mất điện kéo dài",
            "en": "A long power cut",
        }
    ],
}
ASSIGN_EXAMPLE: Final[dict[str, JsonValue]] = {
    "cause": "other_agency",
    "dossiers": [{"code": "H44.100-260803-0012"}],
}


class LateCauseOut(Out):
    """A cause that may be named."""

    id: str = Field(examples=["other_agency"])
    group: str = Field(examples=["other_agency"], description="Về phía ai. / On whose side.")
    vi: str = Field(examples=["Chờ cơ quan phối hợp"])
    en: str = Field(examples=["Waiting for another agency"])
    unit: str | None = Field(description="Đơn vị đã thêm; null: có sẵn. / Null: shipped.")
    is_retired: bool

    @classmethod
    def of(cls, cause: LateCause) -> "LateCauseOut":
        """Return a cause as it is shown."""
        return cls(
            id=cause.id,
            group=cause.group.value,
            vi=cause.vi,
            en=cause.en,
            unit=cause.unit,
            is_retired=cause.is_retired,
        )


class LateCausesOut(Out):
    """The causes that may be named."""

    late_causes: list[LateCauseOut]
    next_cursor: None = None


class OwnCauseIn(In):
    """A cause that an office adds."""

    code: OwnCode = Field(examples=["mat-dien"])
    group: Annotated[CauseGroup, Field(strict=False)] = CauseGroup.OTHER
    vi: Text
    en: Text | None = None
    is_retired: bool = Field(False, description="Không dùng nữa. / No longer to be named.")


class OwnCausesIn(In):
    """Causes that a unit adds for itself and all below it."""

    model_config = ConfigDict(json_schema_extra={"examples": [PUT_EXAMPLE]})

    unit: UnitCode
    causes: Annotated[list[OwnCauseIn], Field(min_length=1, max_length=100)]


class DossierIn(In):
    """A dossier, by its number."""

    code: Word
    source: Word | None = Field(None, description="Khi trùng mã. / When a code is ambiguous.")


class AssignmentIn(In):
    """A cause for many dossiers."""

    model_config = ConfigDict(json_schema_extra={"examples": [ASSIGN_EXAMPLE]})

    cause: CauseId = Field(description=f"`{UNCLASSIFIED}`: bỏ phân loại. / Takes the word back.")
    dossiers: Annotated[list[DossierIn], Field(min_length=1, max_length=MOST_AT_ONCE)]


class RefusedOut(Out):
    """A dossier for which no cause could be named."""

    index: int
    code: str
    problem: str = Field(examples=["dossier.unknown"])
    detail: str


class AssignedOut(Out):
    """What came of it."""

    assigned: int
    unchanged: int
    refused: list[RefusedOut]

    @classmethod
    def of(cls, done: Assigned, language: LanguageCode) -> "AssignedOut":
        """Return the outcome as it is shown."""
        return cls(
            assigned=done.assigned,
            unchanged=done.unchanged,
            refused=[
                RefusedOut(
                    index=one.index,
                    code=one.code,
                    problem=one.error.code,
                    detail=phrase(language, one.error.code, one.error.params),
                )
                for one in done.refused
            ],
        )


class CauseLineOut(Out):
    """The late dossiers of one cause."""

    cause: str = Field(examples=["other_agency", UNCLASSIFIED])
    name: str
    finished_late: int
    open_overdue: int
    total: int


class CauseTotalOut(Out):
    """All late dossiers, as the statistics count them."""

    finished_late: int
    open_overdue: int
    total: int


class CauseCountsOut(Out):
    """The late dossiers of a period by cause."""

    as_of: Instant
    known_at: Instant
    reading: str
    causes: list[CauseLineOut]
    total: CauseTotalOut

    @classmethod
    def of(
        cls, found: CauseCounts, reading: DueReading, language: LanguageCode
    ) -> "CauseCountsOut":
        """Return the counts as they are shown."""
        finished = sum(line.finished_late for line in found.lines)
        overdue = sum(line.open_overdue for line in found.lines)
        return cls(
            as_of=found.as_of,
            known_at=found.known_at,
            reading=reading.value,
            causes=[
                CauseLineOut(
                    cause=line.id,
                    name=name_of(line.cause, line.id, language),
                    finished_late=line.finished_late,
                    open_overdue=line.open_overdue,
                    total=line.finished_late + line.open_overdue,
                )
                for line in found.lines
            ],
            total=CauseTotalOut(
                finished_late=finished, open_overdue=overdue, total=finished + overdue
            ),
        )


def name_of(cause: LateCause | None, told: str, language: LanguageCode) -> str:
    """Return what a cause is called in a language."""
    if cause is None:
        return phrase(language, "late_cause.unclassified") if told == UNCLASSIFIED else told
    return cause.vi if language is LanguageCode.VI else cause.en


@router.get(
    "",
    operation_id="listLateCauses",
    summary="List the causes that may be named",
    responses=problems(UnitUnknown),
)
def list_late_causes(
    session: Reading,
    who: Reader,
    unit: Annotated[
        str | None, Query(max_length=100, description="Đơn vị của hồ sơ. / Unit of the dossiers.")
    ] = None,
) -> LateCausesOut:
    """Danh mục nguyên nhân trễ: có sẵn, và của đơn vị cùng các cấp trên của đơn vị.

    Causes of lateness: those that ship with the service, those of the unit and of units above it.
    """
    found = late_causes.list_causes(session, who=who, unit=unit)
    return LateCausesOut(late_causes=[LateCauseOut.of(cause) for cause in found])


@router.put(
    "",
    operation_id="putLateCauses",
    summary="Add causes of an office, or change them",
    responses=problems(UnitUnknown, LateCauseReserved),
)
def put_late_causes(
    body: OwnCausesIn, session: Writing, who: CatalogueWriter, now: Now
) -> LateCausesOut:
    """Thêm hoặc sửa nguyên nhân riêng của đơn vị; tên cũ vẫn được lưu, mã không đổi nghĩa.

    Add causes of a unit for itself and all below it. Nothing is deleted: a cause is retired.
    """
    causes = [OwnCause(one.code, one.group, one.vi, one.en, one.is_retired) for one in body.causes]
    found = late_causes.put_causes(session, causes, unit=body.unit, who=who, now=now)
    return LateCausesOut(late_causes=[LateCauseOut.of(cause) for cause in found])


@router.post(
    "/assign",
    operation_id="assignLateCause",
    summary="Name one cause for many dossiers",
    responses=problems(LateCauseUnknown),
)
def assign_late_cause(
    body: AssignmentIn, session: Writing, who: Writer, language: Language, now: Now
) -> AssignedOut:
    """Phân loại nguyên nhân trễ cho nhiều hồ sơ; mỗi hồ sơ được xét riêng, làm lại không sao.

    Name a cause for many dossiers, each on its own; doing it again changes nothing.
    """
    asked = [(one.code, one.source) for one in body.dossiers]
    done = late_causes.assign(session, asked, body.cause, who=who, now=now)
    return AssignedOut.of(done, language)


@router.get(
    "/counts",
    operation_id="countLateCauses",
    summary="Count the late dossiers of a period by cause",
    responses=problems(*ASKING),
)
def count_late_causes(
    session: Reading,
    who: StatisticsReader,
    now: Now,
    language: Language,
    unit: UnitAsked,
    first: FirstDay,
    last: LastDay,
    scope: ExtentAsked = Extent.SUBTREE,
    reading: JudgedBy = DueReading.PROMISED,
    as_of: Annotated[
        Instant | None, Query(description="Thời điểm xem, trong kỳ. / Observed at.")
    ] = None,
    known_at: AsKnown = None,
) -> CauseCountsOut:
    """Hồ sơ trễ theo nguyên nhân; tổng các dòng đúng bằng số quá hạn của bảng số liệu.

    Late dossiers by cause: the lines add up to `finished_late` and `open_overdue` of the
    statistics, and what nobody has classified is a line of its own.
    """
    question = Question(
        unit=unit_of(session, who, unit),
        period=Period(first, last),
        extent=scope,
        reading=reading,
        as_of=as_of,
        known_at=known_at,
    )
    found = late_causes.count_by_cause(session, question, now=now)
    return CauseCountsOut.of(found, reading, language)
