"""Working calendars as rows: the newest version of each, and every version before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from app.store.session import ReadSession, WriteSession
from app.store.tables import calendar, calendar_version, unit

_LOCK = 0x64_68_63_61


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRow:
    """A calendar (lịch làm việc) as it stands; ``spec`` is what was told, as plain JSON."""

    id: str
    unit_id: int | None
    unit_code: str | None
    unit_lft: int | None
    version: int
    spec: Mapping[str, Any]
    actor: str
    document: str | None
    recorded_at: datetime


def _select() -> sa.Select[Any]:
    newest = sa.and_(
        calendar_version.c.calendar_id == calendar.c.id,
        calendar_version.c.version == calendar.c.version,
    )
    return sa.select(
        calendar.c.id,
        calendar.c.unit_id,
        unit.c.code.label("unit_code"),
        unit.c.lft.label("unit_lft"),
        calendar.c.version,
        calendar_version.c.spec,
        calendar_version.c.actor,
        calendar_version.c.document,
        calendar_version.c.recorded_at,
    ).select_from(
        calendar.join(calendar_version, newest).outerjoin(unit, unit.c.id == calendar.c.unit_id)
    )


def find(session: ReadSession, calendar_id: str) -> CalendarRow | None:
    """Return the newest version of a calendar, None when nobody told one of this id."""
    row = session.execute(_select().where(calendar.c.id == calendar_id)).mappings().one_or_none()
    return None if row is None else CalendarRow(**row)


def of_units(session: ReadSession, unit_ids: Iterable[int]) -> dict[int, CalendarRow]:
    """Return the calendars that belong to these units."""
    wanted = sa.any_(sa.bindparam("ids", list(unit_ids), type_=ARRAY(sa.Integer)))
    rows = session.execute(_select().where(calendar.c.unit_id == wanted)).mappings()
    return {row["unit_id"]: CalendarRow(**row) for row in rows}


def every(session: ReadSession) -> tuple[CalendarRow, ...]:
    """Return the newest version of every calendar, by id."""
    rows = session.execute(_select().order_by(calendar.c.id.collate("C"))).mappings()
    return tuple(CalendarRow(**row) for row in rows)


def every_version(session: ReadSession) -> tuple[CalendarRow, ...]:
    """Return every version of every calendar, by id, oldest first."""
    statement = (
        sa.select(
            calendar.c.id,
            calendar.c.unit_id,
            unit.c.code.label("unit_code"),
            unit.c.lft.label("unit_lft"),
            calendar_version.c.version,
            calendar_version.c.spec,
            calendar_version.c.actor,
            calendar_version.c.document,
            calendar_version.c.recorded_at,
        )
        .select_from(
            calendar.join(
                calendar_version, calendar_version.c.calendar_id == calendar.c.id
            ).outerjoin(unit, unit.c.id == calendar.c.unit_id)
        )
        .order_by(calendar.c.id.collate("C"), calendar_version.c.version)
    )
    return tuple(CalendarRow(**row) for row in session.execute(statement).mappings())


def lock(session: WriteSession) -> None:
    """Let no other transaction change calendars until this one ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def append(
    session: WriteSession,
    calendar_id: str,
    *,
    unit_id: int | None,
    version: int,
    spec: Mapping[str, Any],
    actor: str,
    document: str | None,
    now: datetime,
) -> None:
    """Append a version of a calendar, the first or the next, and make it the one that holds."""
    session.execute(
        insert(calendar)
        .values(id=calendar_id, unit_id=unit_id, version=version, recorded_at=now)
        .on_conflict_do_update(
            index_elements=[calendar.c.id], set_={"version": version, "recorded_at": now}
        )
    )
    session.execute(
        sa.insert(calendar_version).values(
            calendar_id=calendar_id,
            version=version,
            spec=dict(spec),
            actor=actor,
            document=document,
            recorded_at=now,
        )
    )
