"""Working calendars: the state's and those of units, as told and as they hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.api import conditions
from app.api.doors import doors
from app.api.fields import CodeInPath, Day, In, Out, Text, UnitCode
from app.api.previews import PreviewOut
from app.api.problems import PreconditionFailed, at, each_at, problems
from app.api.units import CatalogueWriter
from app.deps import AnyKey, Language, Now, Reading, Writing
from app.domain.almanac import FIRST_YEAR, LAST_YEAR
from app.domain.calendar import (
    WEEKDAYS,
    CalendarWithoutSessions,
    DayException,
    ExceptionKind,
    ExceptionSessionsInvalid,
    ExceptionTwice,
    Session,
    SessionInvalid,
    SessionsOverlap,
    Week,
    WorkCalendar,
    YearlyOffInvalid,
    ZoneUnknown,
    week_of,
    yearly_days,
)
from app.feeds.calendar_file import to_icalendar
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.store.calendars import CalendarRow
from app.store.session import WriteSession
from app.store.units import UnitUnknown
from app.usecases import calendars, rule_change
from app.usecases.access import Principal
from app.usecases.calendars import CalendarBound, CalendarSpec, CalendarUnknown
from app.usecases.catalogue import Change, SharedCatalogue
from app.usecases.subtree import Subtree, reach_of

router = doors("/v1/calendars", tag="calendars")

WRONG = (
    ZoneUnknown,
    SessionInvalid,
    SessionsOverlap,
    CalendarWithoutSessions,
    ExceptionTwice,
    ExceptionSessionsInvalid,
    YearlyOffInvalid,
)
OFFICE_HOURS: JsonValue = [["07:30", "11:30"], ["13:30", "17:00"]]
EXAMPLE: dict[str, JsonValue] = {
    "unit": "H44.100",
    "reception": {"sat": [["07:30", "11:30"]]},
    "exceptions": [
        {
            "date": "2026-09-15",
            "kind": "off",
            "title": "Nghỉ do bão",
            "document": "1234/UBND-VP",
        }
    ],
    "document": "1234/UBND-VP",
}

YearTold = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]
WeekdayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WallText = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d(:\d\d)?$")]
SessionIn = Annotated[
    list[WallText],
    Field(min_length=2, max_length=2, description="Mở, đóng. / Open and close; 24:00 is legal."),
]
SessionsIn = Annotated[list[SessionIn], Field(max_length=24)]
WeekIn = dict[WeekdayName, SessionsIn]


class ExceptionIn(In):
    """What a calendar says of one date."""

    date: Day
    kind: ExceptionKind = Field(
        strict=False, description="`off` nghỉ, `work` làm bù, `hours` đổi giờ. / Kind."
    )
    sessions: SessionsIn | None = Field(None, description="Buổi làm việc. / Its sessions.")
    like: WeekdayName | None = Field(None, description="Theo giờ của thứ. / Hours of a weekday.")
    title: Text | None = Field(None, description="Tên ngày nghỉ. / Title in Vietnamese.")
    title_en: Text | None = Field(None, description="Tên tiếng Anh. / Title in English.")
    document: Text | None = Field(None, description="Văn bản. / Document.")
    estimated: bool = Field(False, description="Dự kiến. / Only estimated.")

    def to_exception(self) -> DayException:
        """Return the exception; its place within is named when it cannot be."""
        sessions = _sessions(self.sessions or (), "/sessions")
        untitled = "calendar.untitled"
        return DayException(
            on=self.date,
            kind=self.kind,
            sessions=sessions,
            like=None if self.like is None else WEEKDAYS.index(self.like),
            title_vi=self.title or phrase(LanguageCode.VI, untitled),
            title_en=self.title_en or self.title or phrase(LanguageCode.EN, untitled),
            document=self.document,
            estimated=self.estimated,
        )


class WorkingTimeIn(In):
    """A weekly pattern with its exceptions."""

    week: WeekIn | None = Field(None, description="Giờ làm việc trong tuần. / Sessions by weekday.")
    exceptions: Annotated[list[ExceptionIn], Field(max_length=5000)] = Field(default_factory=list)
    yearly_off: Annotated[list[str], Field(max_length=366)] = Field(
        default_factory=list,
        description="Ngày nghỉ hằng năm MM-DD. / Off every year.",
        examples=[["01-01"]],
    )
    reception: WeekIn | None = Field(
        None, description="Buổi chỉ tiếp nhận. / Sessions of reception only."
    )

    def to_week(self) -> Week | None:
        """Return the weekly pattern."""
        return None if self.week is None else _week(self.week, "/week")

    def to_reception(self) -> Week | None:
        """Return the sessions of reception."""
        return None if self.reception is None else _week(self.reception, "/reception")

    def to_exceptions(self) -> tuple[DayException, ...]:
        """Return the exceptions."""
        return exceptions_of(self.exceptions)

    def to_yearly_off(self) -> frozenset[tuple[int, int]]:
        """Return the yearly days off."""
        days: set[tuple[int, int]] = set()
        for index, told in enumerate(self.yearly_off):
            with at(f"/yearly_off/{index}"):
                days |= yearly_days([told])
        return frozenset(days)


def exceptions_of(told: list[ExceptionIn]) -> tuple[DayException, ...]:
    """Return exceptions, naming the place of one that cannot be."""
    return tuple(each_at("/exceptions", told, ExceptionIn.to_exception))


def _sessions(told: object, pointer: str) -> tuple[Session, ...]:
    pairs = told if isinstance(told, list) else []
    return tuple(each_at(pointer, pairs, lambda pair: Session.parse(*pair)))


def _week(told: Mapping[WeekdayName, Any], pointer: str) -> Week:
    days = {name: _sessions(day, f"{pointer}/{name}") for name, day in told.items()}
    with at(pointer):
        return week_of({str(name): sessions for name, sessions in days.items()})


class CalendarIn(WorkingTimeIn):
    """What is told of a stored calendar, whole: what is left out is inherited."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    unit: UnitCode | None = Field(None, description="Đơn vị dùng lịch này. / Unit it belongs to.")
    stands_alone: bool = Field(
        False, description="Không kế thừa lịch trên. / Inherits nothing; needs a week."
    )
    timezone: Text | None = Field(None, description="Múi giờ. / Zone, if it stands alone.")
    years: Annotated[list[YearTold], Field(max_length=100)] = Field(
        default_factory=list,
        description="Năm khai trọn ở đây, coi như đã nạp. / Years told here whole, so loaded.",
    )
    document: Text | None = Field(None, description="Văn bản. / Document behind this version.")

    def to_spec(self) -> CalendarSpec:
        """Return what is told; the place of what cannot be is named."""
        return CalendarSpec(
            week=self.to_week(),
            exceptions=self.to_exceptions(),
            yearly_off=self.to_yearly_off(),
            reception=self.to_reception(),
            years=frozenset(self.years),
            timezone=self.timezone or calendars.ZONE,
            stands_alone=self.stands_alone,
            unit=self.unit,
            document=self.document,
        )


class ExceptionsIn(In):
    """Exceptions to set and dates to take back; the rest of the calendar stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exceptions": EXAMPLE["exceptions"],
                    "removed": ["2026-09-16"],
                    "document": "1234/UBND-VP",
                }
            ]
        }
    )

    exceptions: Annotated[list[ExceptionIn], Field(max_length=5000)] = Field(default_factory=list)
    removed: Annotated[list[Day], Field(max_length=5000)] = Field(
        default_factory=list, description="Ngày bỏ ngoại lệ. / Dates to take back."
    )
    document: Text | None = Field(None, description="Văn bản. / Document behind the change.")


class ToldOut(Out):
    """The layer that was told: null is inherited."""

    unit: str | None
    stands_alone: bool
    week: dict[str, list[list[str]]] | None
    reception: dict[str, list[list[str]]] | None
    exceptions: list[dict[str, Any]]
    yearly_off: list[str]
    years: list[int] | None
    document: str | None
    actor: str
    recorded_at: str


class CalendarOut(Out):
    """A calendar as it holds, with what it inherits, and as it was told."""

    id: str
    version: str = Field(description="Phiên bản, kể cả các lịch kế thừa. / Of all layers.")
    revision: int = Field(description="0: chưa ai sửa. / 0 when nobody amended it.")
    timezone: str
    week: dict[str, list[list[str]]]
    reception: dict[str, list[list[str]]]
    exceptions: list[dict[str, Any]] = Field(description="Của các năm hỏi. / Of the years asked.")
    yearly_off: list[str]
    years: dict[str, str] | None = Field(
        description="Năm đã nạp: `official` hoặc `estimated`; null: mọi năm. / Loaded years."
    )
    told: ToldOut | None

    @classmethod
    def of(
        cls, held: WorkCalendar, row: CalendarRow | None, *, year: int | None = None
    ) -> "CalendarOut":
        """Return a calendar, with the exceptions of one year or of all."""
        shown = [each for each in held.exceptions if year is None or each.on.year == year]
        loaded = held.loaded_years
        return cls(
            id=held.id,
            version=held.version,
            revision=0 if row is None else row.version,
            timezone=held.zone,
            week=calendars.plain_week(held.week),
            reception=calendars.plain_week(held.reception),
            exceptions=[calendars.plain_exception(each) for each in shown],
            yearly_off=sorted(f"{month:02}-{day:02}" for month, day in held.yearly_off),
            years=None
            if loaded is None
            else {str(one): held.year_status(one).value for one in sorted(loaded)},
            told=None if row is None else _told(row),
        )


def _told(row: CalendarRow) -> ToldOut:
    names = ("stands_alone", "week", "reception", "exceptions", "yearly_off", "years", "document")
    return ToldOut(
        **{name: row.spec.get(name) for name in names},
        unit=row.unit_code,
        actor=row.actor,
        recorded_at=row.recorded_at.isoformat(),
    )


def _check(request: Request, session: WriteSession, calendar_id: str, within: Subtree) -> None:
    """Honour ``If-Match`` against the calendar as it stands."""
    try:
        row = calendars.find_stored(session, calendar_id, within=within)
        held = calendars.calendar_by_id(session, calendar_id, within=within)
    except CalendarUnknown:
        conditions.check(request, None)
    else:
        conditions.check(request, CalendarOut.of(held, row))


@router.get(
    "/{id}.ics",
    operation_id="getCalendarFile",
    summary="Read the exceptions of a calendar as iCalendar",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {}}, "description": "iCalendar (RFC 5545)."},
        **problems(CalendarUnknown),
    },
)
def get_calendar_file(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    session: Reading,
    who: AnyKey,
    now: Now,
    language: Language,
) -> Response:
    """Ngày nghỉ, làm bù, đổi giờ để nạp vào phần mềm lịch.

    Days off, make-up days and changed hours, for any calendar software.
    """
    held = calendars.calendar_by_id(session, id, within=reach_of(who))
    text = to_icalendar(held, stamped_at=now, language=language.value)
    return Response(text, media_type="text/calendar; charset=utf-8")


@router.get(
    "/{id}",
    operation_id="getCalendar",
    summary="Read a working calendar",
    response_model=CalendarOut,
    responses=problems(CalendarUnknown),
)
def get_calendar(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    request: Request,
    session: Reading,
    who: AnyKey,
    year: Annotated[
        int | None, Query(ge=1900, le=2200, description="Chỉ năm này. / Exceptions of one year.")
    ] = None,
) -> Response:
    """Lịch làm việc đang áp dụng, kể cả phần kế thừa; `vn` là lịch chung của Nhà nước.

    The calendar as it holds, with what it inherits; `vn` is the calendar of the state.
    """
    within = reach_of(who)
    row = calendars.find_stored(session, id, within=within)
    held = calendars.calendar_by_id(session, id, within=within)
    return conditions.document(request, CalendarOut.of(held, row, year=year))


@router.put(
    "/{id}",
    operation_id="putCalendar",
    summary="Set a working calendar",
    response_model=CalendarOut,
    responses={
        201: {"model": CalendarOut, "description": "Created."},
        **problems(
            CalendarUnknown, UnitUnknown, CalendarBound, SharedCatalogue, PreconditionFailed, *WRONG
        ),
    },
)
def put_calendar(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    body: CalendarIn,
    request: Request,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> Response:
    """Khai trọn một lịch: phần bỏ trống được kế thừa từ lịch của cấp trên và lịch chung.

    Tell a calendar whole: what is left out is inherited from the units above and the state.
    Every version stays. `If-Match` is honoured.
    """
    within = reach_of(who)
    spec = body.to_spec()
    calendars.hold(session)
    _check(request, session, id, within)
    with at(""):
        done, _ = rule_change.apply(
            session,
            rule_change.of_calendar(
                lambda inner: calendars.put_calendar(
                    inner, id, spec, actor=who.actor, now=now, within=within
                )
            ),
            now=now,
        )
    created = done.change is Change.CREATED
    out = CalendarOut.of(done.calendar, done.row)
    return conditions.document(request, out, status=201 if created else 200)


@router.put(
    "/{id}/exceptions",
    operation_id="putCalendarExceptions",
    summary="Set exceptions of a calendar by date",
    response_model=CalendarOut,
    responses=problems(CalendarUnknown, SharedCatalogue, PreconditionFailed, *WRONG),
)
def put_exceptions(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    body: ExceptionsIn,
    request: Request,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> Response:
    """Đặt hoặc bỏ ngoại lệ theo ngày (nghỉ bão, làm bù, đổi giờ); phần còn lại của lịch giữ nguyên.

    Set or take back exceptions by date (closures, make-up days, changed hours); the rest stays.
    """
    within = reach_of(who)
    fresh = exceptions_of(body.exceptions)
    calendars.hold(session)
    _check(request, session, id, within)
    with at(""):
        done, _ = rule_change.apply(
            session, _changing(id, body, fresh, who, now=now, within=within), now=now
        )
    return conditions.document(request, CalendarOut.of(done.calendar, done.row))


def _changing(
    calendar_id: str,
    body: ExceptionsIn,
    fresh: tuple[DayException, ...],
    who: Principal,
    *,
    now: datetime,
    within: Subtree,
) -> rule_change.Change[calendars.CalendarPut]:
    """Return what saves exceptions, to be shown first or applied."""

    def change(session: WriteSession) -> calendars.CalendarPut:
        return calendars.put_exceptions(
            session,
            calendar_id,
            fresh,
            removed=body.removed,
            document=body.document,
            actor=who.actor,
            now=now,
            within=within,
        )

    return rule_change.of_calendar(change)


@router.post(
    "/{id}/preview",
    operation_id="previewCalendarExceptions",
    summary="Show whom a change of exceptions would move, and save nothing",
    responses=problems(CalendarUnknown, SharedCatalogue, *WRONG),
)
def preview_exceptions(
    id: CodeInPath,  # noqa: A002 - the name in the path is part of the contract
    body: ExceptionsIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
) -> PreviewOut:
    """Xem trước khi lưu: hồ sơ nào đổi hạn, hồ sơ nào đổi trạng thái. Hạn nguồn đã báo không đổi.

    Before saving: which open dossiers move, which change their state at once. Promises that a
    sender told and finished dossiers never move.
    """
    within = reach_of(who)
    fresh = exceptions_of(body.exceptions)
    calendars.hold(session)
    with at(""):
        found = rule_change.preview(
            session, _changing(id, body, fresh, who, now=now, within=within), now=now
        )
    return PreviewOut.of(found, within)
