"""Mutes: what is not sent for a while, and why. Lists and figures show everything as before."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.api.doors import doors
from app.api.fields import In, Instant, Out, UnitCode, UnitsBelow, Word
from app.api.pages import entry_of, link_next, spelled
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, Writing, needs
from app.domain.mute import MuteEndsWrongly, NoteReason
from app.store.mutes import MuteRow
from app.store.units import UnitUnknown
from app.usecases import mutes
from app.usecases.access import Principal
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown
from app.usecases.mutes import MuteUnclear, MuteUnknown, Wanted
from app.usecases.subtree import subtree_of

router = doors("/v1/mutes", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]
Manager = Annotated[Principal, needs("alerts:manage")]
StageName = Annotated[str, StringConstraints(pattern=r"^(due|due-[1-9]\d?|overdue\+[1-9]\d?)$")]
EXAMPLE: Final[dict[str, JsonValue]] = {
    "code": "H44.100-260803-0012",
    "reason": "waiting_agency",
    "until": "2026-08-20T00:00:00+07:00",
}


class MuteIn(In):
    """What is to be muted: one dossier (`code`) or one unit with all below it (`unit`)."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    code: Word | None = None
    source: Word | None = Field(None, description="Khi trùng mã. / When a code is ambiguous.")
    unit: UnitCode | None = None
    stage: StageName | None = Field(
        None, description="Null: mọi mốc. / Null: every stage.", examples=["overdue+1"]
    )
    reason: Annotated[NoteReason, Field(strict=False)]
    until: Instant


class MuteOut(Out):
    """A mute."""

    id: UUID
    unit: str = Field(examples=["H44.100"])
    code: str | None = Field(description="Null: cả đơn vị. / Null: everything of the unit.")
    source: str | None
    stage: str | None
    reason: str = Field(examples=["waiting_agency"])
    until: Instant
    by: str
    created_at: Instant
    lifted_at: Instant | None
    lifted_by: str | None

    @classmethod
    def of(cls, row: MuteRow) -> "MuteOut":
        """Return a mute as it is shown."""
        return cls(
            id=row.id,
            unit=row.unit,
            code=row.code,
            source=row.source,
            stage=row.stage,
            reason=row.reason,
            until=row.until,
            by=row.actor,
            created_at=row.created_at,
            lifted_at=row.lifted_at,
            lifted_by=row.lifted_by,
        )


class MutesOut(Out):
    """A page of mutes, newest first."""

    mutes: list[MuteOut]
    next_cursor: str | None


@router.post(
    "",
    operation_id="addMute",
    summary="Stop sending the alerts of a dossier or a unit for a while",
    status_code=201,
    responses=problems(UnitUnknown, DossierUnknown, DossierAmbiguous, MuteUnclear, MuteEndsWrongly),
)
def add_mute(body: MuteIn, session: Writing, who: Manager, now: Now) -> MuteOut:
    """Tạm ẩn cảnh báo, có lý do và thời hạn; danh sách quá hạn và số liệu không thay đổi.

    Mute alerts for a reason and a time: they are raised and listed as before, but not sent. No
    figure and no list of overdue dossiers changes.
    """
    wanted = Wanted(body.reason, body.until, body.code, body.source, body.unit, body.stage)
    return MuteOut.of(mutes.mute(session, wanted, who=who, now=now))


@router.get(
    "",
    operation_id="listMutes",
    summary="List mutes, newest first",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_mutes(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    now: Now,
    unit: UnitsBelow = None,
    live: Annotated[
        bool, Query(description="Chỉ những mục còn hiệu lực. / Only those that still hold.")
    ] = False,
) -> MutesOut:
    """Các mục tạm ẩn: ai, vì sao, đến khi nào.

    Mutes: who, why, until when.
    """
    filters = {"unit": unit, "live": live}
    place = entry_of(page.position(**filters))
    found, has_more = mutes.list_mutes(
        session,
        within=subtree_of(session, who, unit),
        live_at=now if live else None,
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        after = page.cursor_after(spelled(found[-1].created_at, found[-1].id), **filters)
    link_next(request, response, after)
    return MutesOut(mutes=[MuteOut.of(row) for row in found], next_cursor=after)


@router.delete(
    "/{mute_id}",
    operation_id="liftMute",
    summary="End a mute before its time",
    responses=problems(MuteUnknown),
)
def lift_mute(mute_id: UUID, session: Writing, who: Manager, now: Now) -> MuteOut:
    """Bỏ tạm ẩn trước hạn; mục này vẫn được lưu lại.

    End a mute; it stays on record with who lifted it.
    """
    return MuteOut.of(mutes.unmute(session, mute_id, who=who, now=now))
