"""The register of procedures that units make public."""

from typing import Annotated, Final

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import Day, FirstDay, In, Instant, Out, Text, UnitCode, Word
from app.api.pages import paged
from app.api.problems import each_at, problems
from app.api.registers import CountedOut, KnownAt, On, To, Unit, counted, local_day, teller
from app.deps import CursorInvalid, Now, Page, Reading, Writing, needs
from app.domain.period import Period, PeriodReversed
from app.domain.publication import (
    Publication,
    PublicationCount,
    PublicationReversed,
    PublicationState,
)
from app.store.units import UnitUnknown
from app.usecases import registers
from app.usecases.access import Principal
from app.usecases.registers import (
    EntryInFuture,
    EntryProcedureUnknown,
    EntryTwice,
    EntryUnitUnknown,
    Posting,
    PostingSeen,
)
from app.usecases.subtree import subtree_of

router = doors("/v1/publications", tag="catalogue")

Reader = Annotated[Principal, needs("statistics:read")]
Writer = Annotated[Principal, needs("catalogue:write")]

EXAMPLE: Final[dict[str, JsonValue]] = {
    "unit": "H44.100",
    "procedure": "1.001193",
    "applies_from": "2026-01-01",
    "due_on": "2026-01-15",
    "at_office_on": "2026-01-12",
    "online_on": "2026-01-14",
    "is_complete": True,
    "document": "15/QĐ-UBND",
}


class PostingIn(In):
    """How public one procedure is at one unit, whole."""

    unit: UnitCode = Field(description="Đơn vị giải quyết. / The unit that handles it.")
    procedure: Word = Field(description="Mã thủ tục. / Code of the procedure.")
    applies_from: Day = Field(description="Áp dụng từ ngày. / Applies from.")
    applies_until: Day | None = Field(None, description="Áp dụng đến hết ngày. / Until.")
    due_on: Day | None = Field(None, description="Hạn phải công khai. / Public by this day.")
    at_office_on: Day | None = Field(
        None, description="Ngày niêm yết. / On the notice board since."
    )
    online_on: Day | None = Field(None, description="Ngày công khai điện tử. / Online since.")
    is_complete: bool | None = Field(
        None, description="Nội dung đầy đủ; null: chưa kiểm tra. / All parts shown; null: unknown."
    )
    document: Text | None = Field(None, description="Văn bản công bố. / The document behind it.")
    address: Text | None = Field(None, description="Địa chỉ trang đăng. / Where it can be seen.")

    def to_posting(self) -> Posting:
        """Return what is told.

        :raises PublicationReversed: it ends before it begins.
        """
        publication = Publication(
            applies_from=self.applies_from,
            applies_until=self.applies_until,
            due_on=self.due_on,
            at_office_on=self.at_office_on,
            online_on=self.online_on,
            is_complete=self.is_complete,
        )
        return Posting(self.unit, self.procedure, publication, self.document, self.address)


class PostingsIn(In):
    """Several at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"publications": [EXAMPLE]}]})

    publications: Annotated[list[PostingIn], Field(min_length=1, max_length=5000)]


class PostingPutOut(Out):
    """An entry after it was told."""

    unit: str
    procedure: str
    verdict: str = Field(description="`created` / `updated` / `unchanged`.", examples=["created"])


class PostingsPutOut(Out):
    """Entries after they were told."""

    publications: list[PostingPutOut]


class PostingOut(Out):
    """One procedure at one unit."""

    unit: str
    procedure: str
    state: PublicationState = Field(description="Ở cuối ngày `on`. / At the end of the day.")
    applies_from: Day
    applies_until: Day | None
    due_on: Day | None
    at_office_on: Day | None
    online_on: Day | None
    is_complete: bool | None
    document: str | None
    address: str | None
    recorded_at: Instant

    @classmethod
    def of(cls, seen: PostingSeen) -> "PostingOut":
        """Return an entry as it is shown."""
        told, kept = seen.posting, seen.posting.publication
        return cls(
            unit=told.unit,
            procedure=told.procedure,
            state=seen.state,
            applies_from=kept.applies_from,
            applies_until=kept.applies_until,
            due_on=kept.due_on,
            at_office_on=kept.at_office_on,
            online_on=kept.online_on,
            is_complete=kept.is_complete,
            document=told.document,
            address=told.address,
            recorded_at=seen.recorded_at,
        )


class PostingsOut(Out):
    """A page of the register."""

    publications: list[PostingOut]
    next_cursor: str | None


@router.put(
    "",
    operation_id="putPublications",
    summary="Tell how public procedures are",
    responses=problems(
        EntryTwice, EntryUnitUnknown, EntryProcedureUnknown, EntryInFuture, PublicationReversed
    ),
)
def put_publications(body: PostingsIn, session: Writing, who: Writer, now: Now) -> PostingsPutOut:
    """Khai việc công khai thủ tục tại từng đơn vị; mỗi mục là trọn vẹn. Gửi lại y hệt: không đổi.

    Tell how public procedures are at units; each entry is whole. The same again changes nothing.
    """
    told = each_at("/publications", body.publications, PostingIn.to_posting)
    done = registers.put_postings(session, told, by=teller(who, now))
    return PostingsPutOut(
        publications=[
            PostingPutOut(unit=one.told.unit, procedure=one.told.procedure, verdict=one.change)
            for one in done
        ]
    )


@router.get(
    "",
    operation_id="listPublications",
    summary="List how public procedures are",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_publications(
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
        PublicationState | None, Query(description="Chỉ trạng thái này. / In this state only.")
    ] = None,
) -> PostingsOut:
    """Từng thủ tục tại từng đơn vị: đã niêm yết, đã công khai điện tử, còn thiếu.

    Each procedure at each unit, by unit and code: at the office, online, missing.
    """
    filters = {"unit": unit, "on": on, "known_at": known_at, "state": state}
    position = page.position(**filters)
    found = registers.postings(
        session,
        within=subtree_of(session, who, unit),
        on=on or local_day(now),
        state=state,
        known_at=known_at,
        after=None if position is None else (position[0], position[1]),
        limit=page.limit + 1,
    )
    shown, more = paged(request, response, page, found, lambda one: one.place, **filters)
    return PostingsOut(publications=[PostingOut.of(one) for one in shown], next_cursor=more)


@router.get(
    "/counts",
    operation_id="countPublications",
    summary="Count public procedures by unit",
    responses=problems(UnitUnknown, PeriodReversed),
)
def count_publications(
    session: Reading,
    who: Reader,
    first: FirstDay,
    last: To,
    unit: Unit = None,
    known_at: KnownAt = None,
) -> CountedOut:
    """Đếm thủ tục đã công khai, còn thiếu và công khai đúng hạn của từng đơn vị trong kỳ.

    Procedures that apply, that are public in each form, and texts made public by their day.
    """
    period = Period(first, last)
    found = registers.posting_counts(
        session,
        within=subtree_of(session, who, unit),
        first=period.first,
        last=period.last,
        known_at=known_at,
    )
    return counted(PublicationCount, found, period)
