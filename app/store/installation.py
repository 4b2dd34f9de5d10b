"""What a database is for, so that a demonstration never touches another."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.store.session import ReadSession, WriteSession
from app.store.tables import dossier_record, install, unit

_ANY_TABLE = sa.text("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public')")


def is_blank(session: ReadSession) -> bool:
    """Tell whether the database has no table at all yet."""
    return not session.scalar(_ANY_TABLE)


def purpose(session: ReadSession) -> str | None:
    """Return what the database is for, None while nobody has said."""
    found = session.scalar(sa.select(install.c.purpose))
    return None if found is None else str(found)


def declare(session: WriteSession, what_for: str, *, now: datetime) -> str:
    """Say once and for ever what the database is for, and return that: the first word holds."""
    said = insert(install).values(purpose=what_for, created_at=now).on_conflict_do_nothing()
    session.execute(said)
    return purpose(session) or what_for


def is_in_use(session: ReadSession) -> bool:
    """Tell whether anybody has told a unit or a dossier."""
    units = sa.exists(sa.select(unit.c.id))
    records = sa.exists(sa.select(dossier_record.c.code))
    return bool(session.scalar(sa.select(sa.or_(units, records))))


def told_until(session: ReadSession, source_id: int) -> datetime | None:
    """Return when a source system told us something last."""
    newest = sa.select(sa.func.max(dossier_record.c.recorded_at))
    found = session.scalar(newest.where(dossier_record.c.source_id == source_id))
    return found if isinstance(found, datetime) else None
