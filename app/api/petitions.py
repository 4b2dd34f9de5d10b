"""The register of petitions (phản ánh, kiến nghị) and their limits."""

from typing import Annotated, Final

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import Day, FirstDay, In, Instant, Out, UnitCode, Word
from app.api.pages import paged
from app.api.problems import each_at, problems
from app.api.registers import CountedOut, KnownAt, On, To, Unit, counted, local_day, teller
from app.deps import CursorInvalid, Now, Page, Reading, Writing, needs
from app.domain.almanac import CalendarYearMissing
from app.domain.period import Period, PeriodReversed
from app.domain.petition import (
    Petition,
    PetitionCount,
    PetitionEndsTwice,
    PetitionKind,
    PetitionOutOfOrder,
    PetitionState,
)
from app.rulebook.petitions import PetitionLimitsMissing
from app.store.units import UnitUnknown
from app.usecases import registers
from app.usecases.access import Principal
from app.usecases.registers import (
    EntryInFuture,
    EntryProcedureUnknown,
    EntryTwice,
    EntryUnitUnknown,
    Filed,
    FiledSeen,
)
from app.usecases.subtree import subtree_of

router = doors("/v1/petitions", tag="catalogue")

Reader = Annotated[Principal, needs("statistics:read")]
Writer = Annotated[Principal, needs("catalogue:write")]

EXAMPLE: Final[dict[str, JsonValue]] = {
    "unit": "H44.100",
    "code": "PAKN-2026-0017",
    "kind": "reflection",
    "procedure": "1.001193",
    "received_on": "2026-07-06",
    "answered_on": "2026-07-20",
    "published_on": "2026-07-21",
    "satisfied": True,
}


class PetitionBody(In):
    """One petition as it stands, whole; neither what it says nor who wrote it."""

    unit: UnitCode = Field(description="Đơn vị xử lý. / The unit that handles it.")
    code: Word = Field(description="Số của đơn vị. / Its number at the unit; nothing personal.")
    kind: PetitionKind = Field(strict=False, description="Phản ánh hay kiến nghị. / Which kind.")
    procedure: Word | None = Field(None, description="Về thủ tục nào. / What it is about.")
    received_on: Day = Field(description="Ngày tiếp nhận. / Received on.")
    refused_on: Day | None = Field(None, description="Ngày từ chối. / Refused on.")
    asked_on: Day | None = Field(None, description="Ngày yêu cầu bổ sung. / More was asked for on.")
    completed_on: Day | None = Field(None, description="Ngày bổ sung đủ. / What was asked came on.")
    answered_on: Day | None = Field(None, description="Ngày trả lời. / Answered on.")
    published_on: Day | None = Field(None, description="Ngày công khai. / Answer published on.")
    satisfied: bool | None = Field(
        None, description="Người gửi hài lòng; null: chưa đánh giá. / Null: not rated."
    )

    def to_filed(self) -> Filed:
        """Return what is told.

        :raises PetitionOutOfOrder: a step comes before the one that it follows.
        :raises PetitionEndsTwice: it is both refused and answered.
        """
        petition = Petition(
            received_on=self.received_on,
            refused_on=self.refused_on,
            asked_on=self.asked_on,
            completed_on=self.completed_on,
            answered_on=self.answered_on,
            published_on=self.published_on,
            satisfied=self.satisfied,
        )
        return Filed(self.unit, self.code, self.kind, petition, self.procedure)


class PetitionsBody(In):
    """Several at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"petitions": [EXAMPLE]}]})

    petitions: Annotated[list[PetitionBody], Field(min_length=1, max_length=5000)]


class PetitionPutOut(Out):
    """A petition after it was told."""

    unit: str
    code: str
    verdict: str = Field(description="`created` / `updated` / `unchanged`.", examples=["created"])


class PetitionsPutOut(Out):
    """Petitions after they were told."""

    petitions: list[PetitionPutOut]


class PetitionDueOut(Out):
    """The last days of the steps; null where a step does not run."""

    refuse_by: Day
    request_by: Day
    answer_by: Day | None = Field(description="Null khi chờ bổ sung. / Null while waiting.")
    publish_by: Day | None


class PetitionOut(Out):
    """One petition as it stands at the end of a day."""

    unit: str
    code: str
    kind: PetitionKind
    procedure: str | None
    state: PetitionState
    received_on: Day
    refused_on: Day | None
    asked_on: Day | None
    completed_on: Day | None
    answered_on: Day | None
    published_on: Day | None
    satisfied: bool | None
    due: PetitionDueOut
    recorded_at: Instant

    @classmethod
    def of(cls, seen: FiledSeen) -> "PetitionOut":
        """Return a petition as it is shown, with everything told of it."""
        told, kept, due = seen.filed, seen.filed.petition, seen.due
        return cls(
            unit=told.unit,
            code=told.code,
            kind=told.kind,
            procedure=told.procedure,
            state=seen.state,
            received_on=kept.received_on,
            refused_on=kept.refused_on,
            asked_on=kept.asked_on,
            completed_on=kept.completed_on,
            answered_on=kept.answered_on,
            published_on=kept.published_on,
            satisfied=kept.satisfied,
            due=PetitionDueOut(
                refuse_by=due.refuse_by,
                request_by=due.request_by,
                answer_by=due.answer_by,
                publish_by=due.publish_by,
            ),
            recorded_at=seen.recorded_at,
        )


class PetitionsOut(Out):
    """A page of the register."""

    petitions: list[PetitionOut]
    next_cursor: str | None


@router.put(
    "",
    operation_id="putPetitions",
    summary="Tell petitions",
    responses=problems(
        EntryTwice,
        EntryUnitUnknown,
        EntryProcedureUnknown,
        EntryInFuture,
        PetitionOutOfOrder,
        PetitionEndsTwice,
    ),
)
def put_petitions(body: PetitionsBody, session: Writing, who: Writer, now: Now) -> PetitionsPutOut:
    """Khai phản ánh, kiến nghị theo ngày từng bước; mỗi mục trọn vẹn, không ghi nội dung và người.

    Tell petitions by the days of their steps; each is whole. Never what they say or who wrote them.
    """
    told = each_at("/petitions", body.petitions, PetitionBody.to_filed)
    done = registers.put_petitions(session, told, by=teller(who, now))
    return PetitionsPutOut(
        petitions=[
            PetitionPutOut(unit=one.told.unit, code=one.told.code, verdict=one.change)
            for one in done
        ]
    )


@router.get(
    "",
    operation_id="listPetitions",
    summary="List petitions with their limits",
    responses=problems(UnitUnknown, CursorInvalid, CalendarYearMissing, PetitionLimitsMissing),
)
def list_petitions(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    now: Now,
    page: Page,
    unit: Unit = None,
    on: On = None,
    known_at: KnownAt = None,
    state: Annotated[
        PetitionState | None, Query(description="Chỉ trạng thái này. / In this state only.")
    ] = None,
) -> PetitionsOut:
    """Từng phản ánh, kiến nghị với hạn 2/5/15/2 ngày làm việc của từng bước.

    Each petition with the last day of each step, as it stands at the end of a day.
    """
    filters = {"unit": unit, "on": on, "known_at": known_at, "state": state}
    position = page.position(**filters)
    found = registers.filed(
        session,
        within=subtree_of(session, who, unit),
        on=on or local_day(now),
        state=state,
        known_at=known_at,
        after=None if position is None else (position[0], position[1]),
        limit=page.limit + 1,
    )
    shown, more = paged(request, response, page, found, lambda one: one.place, **filters)
    return PetitionsOut(petitions=[PetitionOut.of(one) for one in shown], next_cursor=more)


@router.get(
    "/counts",
    operation_id="countPetitions",
    summary="Count petitions by unit",
    responses=problems(UnitUnknown, PeriodReversed, CalendarYearMissing, PetitionLimitsMissing),
)
def count_petitions(
    session: Reading,
    who: Reader,
    first: FirstDay,
    last: To,
    unit: Unit = None,
    known_at: KnownAt = None,
) -> CountedOut:
    """Đếm phản ánh, kiến nghị đã xử lý đúng hạn, quá hạn, được đánh giá hài lòng của từng đơn vị.

    Petitions received, judged, on time, rated and satisfied, by the unit that handles them.
    """
    period = Period(first, last)
    found = registers.petition_counts(
        session,
        within=subtree_of(session, who, unit),
        first=period.first,
        last=period.last,
        known_at=known_at,
    )
    return counted(PetitionCount, found, period)
