"""Which source no longer sends for which units. Append-only: the last word holds."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import text

from app.store.session import ReadSession, WriteSession
from app.store.tables import retirement


@dataclass(frozen=True, slots=True)
class Retirement:
    """What was said of a source for a unit and all below it.

    From ``from_on`` on, that day included, it owes nothing; None takes back what was said before.
    """

    source: str
    unit_id: int
    unit: str
    lft: int
    rgt: int
    from_on: date | None
    reason: str
    actor: str
    recorded_at: datetime


_SAID = """
    SELECT s.code AS source, r.unit_id, u.code AS unit, u.lft, u.rgt, r.from_on, r.reason, r.actor,
           r.recorded_at
      FROM retirement r JOIN unit u ON u.id = r.unit_id JOIN source s ON s.id = r.source_id"""
_HOLDING = text(
    _SAID.replace("SELECT", "SELECT DISTINCT ON (r.source_id, r.unit_id)", 1)
    + " ORDER BY r.source_id, r.unit_id, r.seq DESC"
)
_WITHIN = text(
    f"{_SAID} WHERE u.lft BETWEEN :lft AND :rgt"
    " ORDER BY r.recorded_at DESC, s.code, u.code, r.seq DESC LIMIT :most"
)
_OF_BOTH = text(f"{_SAID} WHERE r.unit_id = :unit AND r.source_id = :source ORDER BY r.seq DESC")


def holding(session: ReadSession) -> list[Retirement]:
    """Return what holds now, one word for each source and unit that have one."""
    return [Retirement(**row) for row in session.execute(_HOLDING).mappings()]


def said(session: ReadSession, *, lft: int, rgt: int, most: int) -> list[Retirement]:
    """Return everything that was said for the units of a subtree, the newest first."""
    found = session.execute(_WITHIN, {"lft": lft, "rgt": rgt, "most": most})
    return [Retirement(**row) for row in found.mappings()]


def history(session: ReadSession, unit_id: int, source_id: int) -> list[Retirement]:
    """Return everything that was said of a source for a unit, the newest first."""
    found = session.execute(_OF_BOTH, {"unit": unit_id, "source": source_id})
    return [Retirement(**row) for row in found.mappings()]


def add(
    session: WriteSession,
    unit_id: int,
    source_id: int,
    *,
    from_on: date | None,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Say from which day on a source owes nothing for a unit and all below it."""
    mine = sa.and_(retirement.c.unit_id == unit_id, retirement.c.source_id == source_id)
    last = session.scalar(sa.select(sa.func.max(retirement.c.seq)).where(mine))
    session.execute(
        sa.insert(retirement).values(
            unit_id=unit_id,
            source_id=source_id,
            seq=(last or 0) + 1,
            from_on=from_on,
            reason=reason,
            actor=actor,
            recorded_at=now,
        )
    )
