"""What a sender's own words for units and procedures mean. Append-only: the last word holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from app.store.session import ReadSession, WriteSession
from app.store.tables import mapping


@dataclass(frozen=True, slots=True)
class Mapping:
    """One word with the code that it means, who said so and when."""

    told: str
    target: str
    actor: str
    recorded_at: datetime


def _latest(kind: str, root: int) -> sa.Select[tuple[str, str, str, datetime]]:
    return (
        sa.select(mapping.c.told, mapping.c.target, mapping.c.actor, mapping.c.recorded_at)
        .ext(distinct_on(mapping.c.told))
        .where(mapping.c.kind == kind, mapping.c.unit_id == root)
        .order_by(mapping.c.told, mapping.c.seq.desc())
    )


def targets(session: ReadSession, kind: str, told: Iterable[str], *, root: int) -> dict[str, str]:
    """Return the code behind each of the words that were mapped below a root."""
    wanted = list(told)
    if not wanted:
        return {}
    rows = session.execute(_latest(kind, root).where(mapping.c.told.in_(wanted)))
    return {row.told: row.target for row in rows}


def listed(session: ReadSession, kind: str, *, root: int) -> list[Mapping]:
    """List all mappings of a kind below a root, by word."""
    rows = session.execute(_latest(kind, root))
    return [Mapping(row.told, row.target, row.actor, row.recorded_at) for row in rows]


def add(
    session: WriteSession,
    kind: str,
    told: str,
    target: str,
    *,
    root: int,
    actor: str,
    now: datetime,
) -> None:
    """Say what a word means from now on."""
    last = session.scalar(
        sa.select(sa.func.max(mapping.c.seq)).where(
            mapping.c.kind == kind, mapping.c.unit_id == root, mapping.c.told == told
        )
    )
    session.execute(
        sa.insert(mapping).values(
            kind=kind,
            unit_id=root,
            told=told,
            seq=(last or 0) + 1,
            target=target,
            actor=actor,
            recorded_at=now,
        )
    )
