"""Working calendars: the state's, what units do differently, and which one holds for whom.

A unit follows the nearest calendar above it; each stored one is a layer over the one above, down
to the calendar of the state, which ships as data and may itself be amended (id ``vn``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, ClassVar, Final

import orjson

from app.domain.calendar import (
    END_OF_DAY,
    NO_WEEK,
    WEEKDAYS,
    CalendarLayer,
    DayException,
    ExceptionKind,
    Session,
    Week,
    WorkCalendar,
    week_of,
    yearly_days,
)
from app.domain.errors import Conflict, NotFound
from app.rulebook.calendars import load_state_calendar
from app.store import audit, calendars, units
from app.store.calendars import CalendarRow
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow, UnitUnknown
from app.usecases.catalogue import EVERYWHERE, Change, require_shared
from app.usecases.subtree import Subtree

STATE: Final = "vn"
ZONE: Final = "Asia/Ho_Chi_Minh"


@dataclass(eq=False, kw_only=True)
class CalendarUnknown(NotFound):
    """No calendar has this id, or it belongs to a unit that the caller may not see."""

    code: ClassVar[str] = "calendar.unknown"
    calendar: str


@dataclass(eq=False, kw_only=True)
class CalendarBound(Conflict):
    """A calendar stays with its unit, and a unit has one calendar."""

    code: ClassVar[str] = "calendar.bound"
    calendar: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSpec:
    """What is told of a calendar: a layer over the one above, or one that stands alone.

    ``week`` and ``reception`` of None are inherited. ``timezone`` is for a calendar that stands
    alone; a layer has the zone of what lies below it. ``years`` are told here whole.
    """

    week: Week | None = None
    exceptions: tuple[DayException, ...] = ()
    yearly_off: frozenset[tuple[int, int]] = frozenset()
    reception: Week | None = None
    years: frozenset[int] = frozenset()
    timezone: str = ZONE
    stands_alone: bool = False
    unit: str | None = None
    document: str | None = None

    def layer(self, calendar_id: str, version: str) -> CalendarLayer:
        """Return what is told as a layer.

        :raises Invalid: an error of ``app.domain.calendar`` that names what cannot be.
        """
        return CalendarLayer(
            id=calendar_id,
            version=version,
            week=self.week,
            exceptions=self.exceptions,
            yearly_off=self.yearly_off,
            reception=self.reception,
            years=self.years,
            document=self.document,
        )

    def alone(self, calendar_id: str, version: str) -> WorkCalendar:
        """Return what is told as a calendar that stands alone, for every year.

        :raises Invalid: an error of ``app.domain.calendar`` that names what cannot be.
        """
        return WorkCalendar(
            id=calendar_id,
            version=version,
            zone=self.timezone,
            week=self.week or NO_WEEK,
            exceptions=self.exceptions,
            yearly_off=self.yearly_off,
            reception=self.reception or NO_WEEK,
        )

    def plain(self) -> dict[str, object]:
        """Return the same as plain JSON."""
        return {
            "unit": self.unit,
            "stands_alone": self.stands_alone,
            "timezone": self.timezone,
            "week": None if self.week is None else plain_week(self.week),
            "reception": None if self.reception is None else plain_week(self.reception),
            "exceptions": [plain_exception(each) for each in self.exceptions],
            "yearly_off": sorted(f"{month:02}-{day:02}" for month, day in self.yearly_off),
            "years": sorted(self.years),
            "document": self.document,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "CalendarSpec":
        """Read what ``plain`` wrote."""
        week, reception = plain.get("week"), plain.get("reception")
        return cls(
            unit=plain.get("unit"),
            stands_alone=plain.get("stands_alone", False),
            timezone=plain.get("timezone", ZONE),
            week=None if week is None else _week_from(week),
            reception=None if reception is None else _week_from(reception),
            exceptions=tuple(_exception_from(each) for each in plain.get("exceptions", ())),
            yearly_off=yearly_days(plain.get("yearly_off", ())),
            years=frozenset(plain.get("years", ())),
            document=plain.get("document"),
        )


def plain_session(session: Session) -> list[str]:
    """Write a session as its two wall times."""
    closes = "24:00" if session.close == END_OF_DAY else session.close.isoformat("minutes")
    if session.close.second and session.close != END_OF_DAY:
        closes = session.close.isoformat("seconds")
    return [session.open.isoformat("seconds" if session.open.second else "minutes"), closes]


def plain_week(week: Week) -> dict[str, list[list[str]]]:
    """Write a week by weekday."""
    return {
        name: [plain_session(session) for session in day]
        for name, day in zip(WEEKDAYS, week, strict=True)
    }


def plain_exception(exception: DayException) -> dict[str, object]:
    """Write an exception as it is told."""
    plain: dict[str, object] = {
        "date": exception.on.isoformat(),
        "kind": exception.kind.value,
        "title": exception.title_vi or None,
        "title_en": exception.title_en or None,
        "document": exception.document,
        "estimated": exception.estimated,
    }
    if exception.sessions:
        plain["sessions"] = [plain_session(session) for session in exception.sessions]
    if exception.like is not None:
        plain["like"] = WEEKDAYS[exception.like]
    return plain


def _week_from(plain: Mapping[str, Any]) -> Week:
    return week_of({name: [Session.parse(*pair) for pair in day] for name, day in plain.items()})


def _exception_from(plain: Mapping[str, Any]) -> DayException:
    like = plain.get("like")
    return DayException(
        on=date.fromisoformat(plain["date"]),
        kind=ExceptionKind(plain["kind"]),
        sessions=tuple(Session.parse(*pair) for pair in plain.get("sessions", ())),
        like=None if like is None else WEEKDAYS.index(like),
        title_vi=plain.get("title") or "",
        title_en=plain.get("title_en") or "",
        document=plain.get("document"),
        estimated=plain.get("estimated", False),
    )


# ---------------------------------------------------------------- which one holds

Chain = tuple[tuple[str, int, bytes], ...]
"""Stored calendars from the lowest layer up: id, version, spec."""


@lru_cache(maxsize=512)
def _composed(chain: Chain) -> WorkCalendar:
    """Lay calendars over that of the state; kept, because its tables are worth keeping."""
    if not chain:
        return load_state_calendar()
    calendar_id, version, told = chain[-1]
    spec = CalendarSpec.from_plain(orjson.loads(told))
    if spec.stands_alone:
        return spec.alone(calendar_id, str(version))
    return spec.layer(calendar_id, str(version)).inherit(_composed(chain[:-1]))


def composed(rows: Iterable[CalendarRow]) -> WorkCalendar:
    """Return the calendar of versions laid over each other, the lowest first."""
    return _composed(_chain(rows))


def _chain(rows: Iterable[CalendarRow]) -> Chain:
    return tuple(
        (row.id, row.version, orjson.dumps(row.spec, option=orjson.OPT_SORT_KEYS)) for row in rows
    )


def state_calendar(session: ReadSession) -> WorkCalendar:
    """Return the calendar of the state, as shipped and as amended here."""
    row = calendars.find(session, STATE)
    return _composed(() if row is None else _chain([row]))


def calendars_of(session: ReadSession, unit_ids: Iterable[int]) -> dict[int, WorkCalendar]:
    """Return the calendar that holds for each unit; units that share one share the value."""
    asked = set(unit_ids)
    stored = calendars.every(session)
    state = [row for row in stored if row.id == STATE]
    own = {row.unit_id: row for row in stored if row.unit_id is not None}
    if not own:
        return dict.fromkeys(asked, _composed(_chain(state)))
    above = units.lineages(session, asked)
    return {
        number: _composed(_chain(state + [own[each] for each in above[number] if each in own]))
        for number in asked
    }


def calendar_of(session: ReadSession, unit_id: int) -> WorkCalendar:
    """Return the calendar that holds for a unit."""
    return calendars_of(session, [unit_id])[unit_id]


def calendar_by_id(
    session: ReadSession, calendar_id: str, *, within: Subtree = EVERYWHERE
) -> WorkCalendar:
    """Return a calendar complete with what it inherits.

    :raises CalendarUnknown: there is none of this id that the caller may see.
    """
    if calendar_id == STATE:
        return state_calendar(session)
    row = _seen(session, calendar_id, within)
    if row.unit_id is not None:
        return calendar_of(session, row.unit_id)
    state = calendars.find(session, STATE)
    return _composed(_chain([row] if state is None else [state, row]))


def calendar_of_unit(
    session: ReadSession, code: str, *, within: Subtree = EVERYWHERE
) -> WorkCalendar:
    """Return the calendar that holds for the unit of a code.

    :raises UnitUnknown: there is no such unit that the caller may see.
    """
    return calendar_of(session, _unit(session, code, within).id)


def find_stored(
    session: ReadSession, calendar_id: str, *, within: Subtree = EVERYWHERE
) -> CalendarRow | None:
    """Return what was told of a calendar; None for the state's when nobody amended it.

    :raises CalendarUnknown: there is none of this id that the caller may see.
    """
    if calendar_id == STATE:
        return calendars.find(session, STATE)
    return _seen(session, calendar_id, within)


def _seen(session: ReadSession, calendar_id: str, within: Subtree) -> CalendarRow:
    row = calendars.find(session, calendar_id)
    if row is None or not (row.unit_lft is None or within.lft <= row.unit_lft <= within.rgt):
        raise CalendarUnknown(calendar=calendar_id)
    return row


def _unit(session: ReadSession, code: str, within: Subtree) -> UnitRow:
    row = units.get(session, code)
    if not within.lft <= row.lft <= within.rgt:
        raise UnitUnknown(unit=code)
    return row


# ---------------------------------------------------------------- changing


def hold(session: WriteSession) -> None:
    """Let nobody else change calendars until this transaction ends, so that a look stays true."""
    calendars.lock(session)


@dataclass(frozen=True, slots=True)
class CalendarPut:
    """A calendar as it stands after it was told, and what that changed."""

    row: CalendarRow
    calendar: WorkCalendar
    change: Change


def put_calendar(
    session: WriteSession,
    calendar_id: str,
    spec: CalendarSpec,
    *,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> CalendarPut:
    """Append a version of a calendar; the same again changes nothing.

    :raises SharedCatalogue: it belongs to no unit, and the caller is less than a whole tree.
    :raises UnitUnknown: its unit does not exist, or lies outside what the caller may see.
    :raises CalendarUnknown: the id is taken by a calendar that the caller may not see.
    :raises CalendarBound: it belongs to another unit, or the unit has another calendar.
    :raises Invalid: an error of ``app.domain.calendar`` that names what cannot be.
    """
    calendars.lock(session)
    before = calendars.find(session, calendar_id)
    if before is not None and before.unit_lft is not None:
        _seen(session, calendar_id, within)
    unit = None if spec.unit is None else _unit(session, spec.unit, within)
    if unit is None:
        require_shared(within)
    _check_binding(session, calendar_id, before, unit)
    told = replace(spec, unit=None if unit is None else unit.code)
    plain = told.plain()
    if before is not None and before.spec == plain:
        return CalendarPut(
            before, calendar_by_id(session, calendar_id, within=within), Change.UNCHANGED
        )
    calendars.append(
        session,
        calendar_id,
        unit_id=None if unit is None else unit.id,
        version=1 if before is None else before.version + 1,
        spec=plain,
        actor=actor,
        document=spec.document,
        now=now,
    )
    audit.append(
        session,
        actor=actor,
        action="calendar.put",
        subject=calendar_id,
        unit_id=None if unit is None else unit.id,
        before=None if before is None else before.spec,
        after=plain,
    )
    row = calendars.find(session, calendar_id)
    if row is None:
        raise CalendarUnknown(calendar=calendar_id)
    made = calendar_by_id(session, calendar_id, within=within)  # refuses what cannot work
    return CalendarPut(row, made, Change.CREATED if before is None else Change.UPDATED)


def _check_binding(
    session: ReadSession, calendar_id: str, before: CalendarRow | None, unit: UnitRow | None
) -> None:
    unit_id, code = (None, "") if unit is None else (unit.id, unit.code)
    if before is not None and before.unit_id != unit_id:
        raise CalendarBound(calendar=calendar_id, unit=before.unit_code or code)
    if unit_id is not None:
        other = calendars.of_units(session, [unit_id]).get(unit_id)
        if other is not None and other.id != calendar_id:
            raise CalendarBound(calendar=other.id, unit=code)


def put_exceptions(
    session: WriteSession,
    calendar_id: str,
    exceptions: Iterable[DayException],
    *,
    removed: Iterable[date] = (),
    document: str | None,
    actor: str,
    now: datetime,
    within: Subtree = EVERYWHERE,
) -> CalendarPut:
    """Set exceptions of a calendar by date, and take others back; the rest of it stays.

    The calendar of the state is amended so: a layer of it is begun by the first exception.

    :raises CalendarUnknown: there is none of this id that the caller may see.
    :raises SharedCatalogue: as for ``put_calendar``, and likewise its other errors.
    :raises ExceptionTwice: one date is named twice.
    """
    row = find_stored(session, calendar_id, within=within)
    spec = CalendarSpec() if row is None else CalendarSpec.from_plain(row.spec)
    fresh = CalendarLayer(id=calendar_id, version="", exceptions=tuple(exceptions)).exceptions
    kept = {each.on: each for each in spec.exceptions}
    for day in removed:
        kept.pop(day, None)
    kept |= {each.on: each for each in fresh}
    changed = replace(
        spec,
        exceptions=tuple(kept[day] for day in sorted(kept)),
        document=document or spec.document,
    )
    return put_calendar(session, calendar_id, changed, actor=actor, now=now, within=within)
