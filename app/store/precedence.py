"""Whose dossier counts when several systems send the same. Append-only: the last word holds."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import text

from app.store.session import ReadSession, WriteSession
from app.store.tables import precedence


@dataclass(frozen=True, slots=True)
class Word:
    """What was said for a unit and everything below: the source that counts, or the first seen."""

    unit_id: int
    unit: str
    lft: int
    rgt: int
    source_id: int | None
    source: str | None
    actor: str
    recorded_at: datetime


_CURRENT = """
    SELECT DISTINCT ON (p.unit_id) p.unit_id, u.code AS unit, u.lft, u.rgt, p.source_id,
           s.code AS source, p.actor, p.recorded_at
      FROM precedence p JOIN unit u ON u.id = p.unit_id
      LEFT JOIN source s ON s.id = p.source_id
     ORDER BY p.unit_id, p.seq DESC"""


def listed(session: ReadSession) -> list[Word]:
    """Return what holds now, one word for each unit that has one."""
    return [Word(*row) for row in session.execute(text(_CURRENT))]


def history(session: ReadSession, unit_id: int) -> list[Word]:
    """Return everything that was said for a unit, the newest first."""
    rows = session.execute(
        text(
            "SELECT p.unit_id, u.code, u.lft, u.rgt, p.source_id, s.code, p.actor, p.recorded_at"
            " FROM precedence p JOIN unit u ON u.id = p.unit_id"
            " LEFT JOIN source s ON s.id = p.source_id"
            " WHERE p.unit_id = :unit ORDER BY p.seq DESC"
        ),
        {"unit": unit_id},
    )
    return [Word(*row) for row in rows]


def add(
    session: WriteSession, unit_id: int, source_id: int | None, *, actor: str, now: datetime
) -> None:
    """Say whose dossier counts at a unit from now on."""
    last = session.scalar(
        sa.select(sa.func.max(precedence.c.seq)).where(precedence.c.unit_id == unit_id)
    )
    session.execute(
        sa.insert(precedence).values(
            unit_id=unit_id,
            seq=(last or 0) + 1,
            source_id=source_id,
            actor=actor,
            recorded_at=now,
        )
    )
