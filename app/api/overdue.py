"""The list of overdue dossiers, worst first."""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.doors import doors
from app.api.fields import Instant, JudgedBy, Out, UnitsBelow
from app.api.pages import link_next
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, needs
from app.domain.timeliness import Reading as DueReading
from app.store.overdue import OverdueRow, Place
from app.store.units import UnitUnknown
from app.usecases import overdue
from app.usecases.access import Principal
from app.usecases.outbox import told
from app.usecases.overdue import LateDossier, MomentToCome
from app.usecases.subtree import subtree_of

router = doors("/v1/overdue", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]


class HolderOut(Out):
    """Who holds a dossier now."""

    unit: str = Field(examples=["H44.100"])
    leg: str | None = Field(description="Of a joint dossier, the leg that is being worked on.")


class InHandOut(Out):
    """A dossier in hand, by its due date."""

    code: str = Field(examples=["H44.100-260803-0012"])
    source: str
    unit: str = Field(examples=["H44.100"])
    procedure: str | None = Field(examples=["1.001193"])
    due_on: date
    due_at: datetime


class LateDossierOut(InHandOut):
    """One overdue dossier."""

    late_working_days: int | None = Field(
        description="Working days after `due_on` up to the day of `as_of`; null when the calendar "
        "of a year is missing."
    )
    state: str = Field(examples=["open_overdue"])
    holder: HolderOut
    apology: str = Field(description="`none`, `issued` or `exempt`.", examples=["none"])
    late_cause: str | None = Field(
        description="Null khi chưa phân loại; xem /v1/late-causes. / Null while unclassified.",
        examples=["other_agency"],
    )
    links: dict[str, str]

    @classmethod
    def of(cls, late: LateDossier) -> "LateDossierOut":
        """Return a line of the list as it is shown."""
        row = late.row
        return cls(
            **in_hand(row),
            late_working_days=late.late_working_days,
            state="open_overdue",
            holder=HolderOut(unit=late.holder.unit, leg=late.holder.leg),
            apology=late.apology.value,
            late_cause=late.late_cause,
            links={
                "dossier": address_of(row),
                "timeline": address_of(row, "/timeline"),
                "due_date": address_of(row, "/due-date"),
            },
        )


class OverdueOut(Out):
    """A page of the overdue dossiers, worst first."""

    as_of: datetime
    reading: str = Field(examples=["promised"])
    total: int
    dossiers: list[LateDossierOut]
    next_cursor: str | None


@router.get(
    "",
    operation_id="listOverdue",
    summary="List overdue dossiers, worst first",
    responses=problems(UnitUnknown, CursorInvalid, MomentToCome),
)
def list_overdue(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    now: Now,
    page: Page,
    unit: UnitsBelow = None,
    as_of: Annotated[
        Instant | None,
        Query(description="Thời điểm xét, mặc định hiện tại. / The moment; the present if absent."),
    ] = None,
    reading: JudgedBy = DueReading.PROMISED,
) -> OverdueOut:
    """Hồ sơ đang giải quyết đã quá hạn, hạn cũ nhất trước; số ngày trễ tính theo ngày làm việc.

    Dossiers in hand whose due moment has passed, the oldest first; lateness in working days.
    """
    within = subtree_of(session, who, unit)
    filters = {"unit": unit, "as_of": as_of, "reading": reading}
    found = overdue.list_overdue(
        session,
        lft=within.lft,
        rgt=within.rgt,
        reading=reading,
        now=now,
        as_of=as_of,
        after=place_of(page.position(**filters)),
        limit=page.limit,
    )
    cursor = page.cursor_after(spelled(found.after), **filters) if found.after else None
    link_next(request, response, cursor)
    return OverdueOut(
        as_of=found.as_of,
        reading=found.reading.value,
        total=found.total,
        dossiers=[LateDossierOut.of(late) for late in found.dossiers],
        next_cursor=cursor,
    )


def in_hand(row: OverdueRow) -> dict[str, Any]:
    """Return what the lists by due date show of every dossier."""
    return {
        "code": row.key.code,
        "source": row.source,
        "unit": row.unit,
        "procedure": row.procedure,
        "due_on": row.due_on,
        "due_at": row.due_at,
    }


def address_of(row: OverdueRow, part: str = "") -> str:
    """Return the address of a dossier, or of a part of it."""
    code, source = quote(row.key.code, safe=""), quote(row.source, safe="")
    return f"/v1/dossiers/{code}{part}?source={source}"


def spelled(place: Place) -> list[object]:
    """Write a place of a list into a cursor."""
    return [told(place.on_time_until), place.unit_id, place.source_id, place.code]


def place_of(position: list[str] | None) -> Place | None:
    """Read a place of a list from a cursor."""
    if position is None:
        return None
    moment, unit_id, source_id, code = position
    return Place(datetime.fromisoformat(moment), int(unit_id), int(source_id), code)
