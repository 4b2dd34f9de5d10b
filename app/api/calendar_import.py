"""The exceptions of a calendar from a file of another program, shown before they are saved."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field

from app.api.body import Raw, require_media_type
from app.api.calendars import WRONG, YearTold
from app.api.doors import doors
from app.api.fields import CodeInPath, Out, Text
from app.api.previews import PreviewOut
from app.api.problems import at, problems
from app.api.units import CatalogueWriter
from app.deps import Now, Writing
from app.domain.calendar import DayException
from app.feeds.body import BodyEncoding
from app.feeds.calendar_file import CalendarFileUnreadable, ExceptionChange, text_of
from app.usecases import calendar_import, calendars, rule_change
from app.usecases.calendar_import import CSV, ICALENDAR
from app.usecases.calendars import CalendarUnknown, plain_exception
from app.usecases.catalogue import SharedCatalogue
from app.usecases.subtree import reach_of

router = doors("/v1/calendars", tag="calendars")

FILE = {
    "requestBody": {
        "required": True,
        "content": {
            CSV: {
                "schema": {"type": "string"},
                "example": "date,kind,title_vi,document\n2026-09-15,off,Nghỉ do bão,1234/UBND-VP\n",
            },
            ICALENDAR: {"schema": {"type": "string", "description": "iCalendar (RFC 5545)."}},
        },
    }
}


class DateChangeOut(Out):
    """What changes on one date: added without ``before``, taken back without ``after``."""

    date: date
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, one: ExceptionChange) -> "DateChangeOut":
        """Return a change of one date."""
        return cls(date=one.on, before=_shown(one.before), after=_shown(one.after))


def _shown(exception: DayException | None) -> dict[str, Any] | None:
    return None if exception is None else plain_exception(exception)


class ImportOut(PreviewOut):
    """What the file changes, date by date, and which open dossiers move."""

    saved: bool
    version: int | None = Field(description="Lần khai sau khi lưu. / Version that was saved.")
    changes: list[DateChangeOut]


@router.post(
    "/{id}/import",
    operation_id="importCalendar",
    summary="Take the exceptions of a calendar from CSV or iCalendar",
    responses=problems(
        CalendarUnknown, SharedCatalogue, CalendarFileUnreadable, BodyEncoding, *WRONG
    ),
    openapi_extra=FILE,
)
def import_calendar(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    raw: Raw,
    request: Request,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
    dry_run: Annotated[
        bool, Query(description="Chỉ xem trước, mặc định. / Only show; `false` saves.")
    ] = True,
    year: Annotated[
        list[YearTold] | None,
        Query(description="Năm mà tệp khai trọn. / Years that the file tells whole."),
    ] = None,
    document: Annotated[Text | None, Query(description="Văn bản. / Document behind it.")] = None,
) -> ImportOut:
    """Nạp ngày nghỉ, làm bù từ tệp; xem trước ngày nào đổi, hồ sơ nào dời hạn, rồi mới lưu.

    A file replaces what the calendar itself tells of the years that it names. Without
    `dry_run=false` nothing is saved. A year named by `year` counts as loaded from then on.
    """
    media_type = require_media_type(request, (CSV, ICALENDAR))
    incoming = calendar_import.read(text_of(raw), media_type)
    within = reach_of(who)
    calendars.hold(session)
    with at(""):
        found = calendar_import.plan(
            session,
            id,
            incoming,
            years=frozenset(year or ()),
            document=document,
            within=within,
        )
        change = calendar_import.change(id, found, actor=who.actor, now=now, within=within)
        version = None
        if dry_run:
            preview = rule_change.preview(session, change, now=now)
        else:
            put, preview = rule_change.apply(session, change, now=now)
            version = put.row.version
    return ImportOut(
        **PreviewOut.members(preview, within),
        saved=not dry_run,
        version=version,
        changes=[DateChangeOut.of(one) for one in found.changes],
    )
