"""What units have set up of their alerts: every state of it, of which the newest holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from app.store.session import ReadSession, WriteSession
from app.store.tables import alert_setting, unit

_LOCK = 0x64_68_61_73


@dataclass(frozen=True, slots=True)
class SettingRow:
    """The newest state of one unit's own settings; ``spec`` None means as the unit above."""

    unit_id: int
    unit: str
    seq: int
    spec: Mapping[str, Any] | None
    actor: str
    recorded_at: datetime


def every(session: ReadSession) -> dict[int, SettingRow]:
    """Return the newest state of each unit that ever set up anything, by unit."""
    rows = session.execute(
        sa.select(
            alert_setting.c.unit_id,
            unit.c.code.label("unit"),
            alert_setting.c.seq,
            alert_setting.c.spec,
            alert_setting.c.actor,
            alert_setting.c.recorded_at,
        )
        .ext(distinct_on(alert_setting.c.unit_id))
        .join_from(alert_setting, unit, unit.c.id == alert_setting.c.unit_id)
        .order_by(alert_setting.c.unit_id, alert_setting.c.seq.desc())
    ).mappings()
    return {row["unit_id"]: SettingRow(**row) for row in rows}


def lock(session: WriteSession) -> None:
    """Let no other transaction change settings until this one ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def append(
    session: WriteSession,
    unit_id: int,
    *,
    seq: int,
    spec: Mapping[str, Any] | None,
    actor: str,
    now: datetime,
) -> None:
    """Append a state of a unit's settings."""
    session.execute(
        sa.insert(alert_setting).values(
            unit_id=unit_id,
            seq=seq,
            spec=None if spec is None else dict(spec),
            actor=actor,
            recorded_at=now,
        )
    )
