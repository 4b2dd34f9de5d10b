"""Alerts: raised once, read by those above, acknowledged by one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from app.domain.alert import Alert
from app.store.session import ReadSession, WriteSession
from app.store.tables import alert, outbox, source, unit


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it stands."""

    id: UUID
    unit: str
    source: str
    code: str
    episode: int
    stage: str
    level: str
    recipient: str
    due_on: date
    due_at: datetime
    late_since: datetime | None
    occurred_at: datetime
    raised_at: datetime
    run: str
    is_digest_only: bool
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_reason: str | None
    unit_id: int
    source_id: int
    unit_lft: int
    recipients: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Addressed:
    """An alert, and the unit that is to know of it."""

    alert: Alert
    recipient_unit_id: int


def add(
    session: WriteSession, alerts: Sequence[Addressed], *, run: str, now: datetime
) -> frozenset[UUID]:
    """Write the alerts that nobody has raised before and return the ids of those.

    :param now: when they are raised.
    """
    if not alerts:
        return frozenset()
    rows = [_values(each, run=run, now=now) for each in alerts]
    told = {"rows": orjson.dumps(rows).decode()}
    return frozenset(session.execute(_ADD, told).scalars())


_TYPES: Final = {
    "unit_id": "int",
    "source_id": "int",
    "code": "text",
    "episode": "int",
    "stage": "text",
    "id": "uuid",
    "unit_lft": "bigint",
    "level": "text",
    "recipient_unit_id": "int",
    "due_on": "date",
    "due_at": "timestamptz",
    "late_since": "timestamptz",
    "occurred_at": "timestamptz",
    "raised_at": "timestamptz",
    "run": "text",
    "is_digest_only": "boolean",
}
_ADD: Final = sa.text(
    f"""
    INSERT INTO alert ({", ".join(_TYPES)})
    SELECT {", ".join(_TYPES)} FROM json_to_recordset(CAST(:rows AS json)) AS t(
           {", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
        ON CONFLICT DO NOTHING
    RETURNING id"""  # noqa: S608 -- names of columns, nothing told
)


def _values(each: Addressed, *, run: str, now: datetime) -> dict[str, object]:
    raised, dossier = each.alert, each.alert.dossier
    return {
        "unit_id": dossier.key.unit_id,
        "source_id": dossier.key.source_id,
        "code": dossier.key.code,
        "episode": raised.episode,
        "stage": raised.stage.name,
        "id": raised.id,
        "unit_lft": dossier.unit_lft,
        "level": raised.stage.level.value,
        "recipient_unit_id": each.recipient_unit_id,
        "due_on": dossier.due_on,
        "due_at": dossier.due_at,
        "late_since": dossier.late_since,
        "occurred_at": raised.occurred_at,
        "raised_at": now,
        "run": run,
        "is_digest_only": raised.is_digest_only,
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """How many alerts of a unit's dossiers a run kept for the digest, by stage."""

    unit_id: int
    unit: str
    unit_lft: int
    stage: str
    number: int


def kept_for_digest(session: ReadSession, run: str) -> list[Kept]:
    """Count what a run raised and did not send one by one, by unit and stage."""
    found = session.execute(
        sa.select(alert.c.unit_id, unit.c.code, unit.c.lft, alert.c.stage, sa.func.count())
        .join_from(alert, unit, unit.c.id == alert.c.unit_id)
        .where(alert.c.run == run, alert.c.is_digest_only)
        .group_by(alert.c.unit_id, unit.c.code, unit.c.lft, alert.c.stage)
        .order_by(unit.c.code.collate("C"), alert.c.stage.collate("C"))
    )
    return [Kept(*row) for row in found]


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    stage: str | None,
    run: str | None = None,
    since: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[AlertRow]:
    """Return alerts of a subtree, the newest first, after a place (``raised_at``, id)."""
    wanted = _select().where(alert.c.unit_lft.between(lft, rgt))
    if stage is not None:
        wanted = wanted.where(alert.c.stage == stage)
    if run is not None:
        wanted = wanted.where(alert.c.run == run)
    if since is not None:
        wanted = wanted.where(alert.c.raised_at >= since)
    if after is not None:
        wanted = wanted.where(sa.tuple_(alert.c.raised_at, alert.c.id) < after)
    ordered = wanted.order_by(alert.c.raised_at.desc(), alert.c.id.desc()).limit(limit)
    return [_row(row) for row in session.execute(ordered).mappings()]


def find(session: ReadSession, alert_id: UUID, *, lft: int, rgt: int) -> AlertRow | None:
    """Find an alert within a subtree."""
    wanted = _select().where(alert.c.id == alert_id, alert.c.unit_lft.between(lft, rgt))
    row = session.execute(wanted).mappings().one_or_none()
    return None if row is None else _row(row)


def acknowledge(
    session: WriteSession, alert_id: UUID, *, by: str, reason: str | None = None, now: datetime
) -> bool:
    """Note that somebody has taken note; tell whether it was the first to do so."""
    first = session.execute(
        sa.update(alert)
        .where(alert.c.id == alert_id, alert.c.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by=by, acknowledged_reason=reason)
        .returning(alert.c.id)
    )
    return first.one_or_none() is not None


def _select() -> sa.Select[*tuple[object, ...]]:
    receivers = (
        sa.select(outbox.c.webhook_id)
        .where(outbox.c.unit_id == alert.c.unit_id, outbox.c.event_id == alert.c.id)
        .order_by(outbox.c.webhook_id)
    )
    to = unit.alias("recipient")
    return (
        sa.select(
            alert,
            unit.c.code.label("unit"),
            to.c.code.label("recipient"),
            source.c.code.label("source"),
            sa.func.array(receivers.scalar_subquery()).label("recipients"),
        )
        .join_from(alert, unit, unit.c.id == alert.c.unit_id)
        .join(source, source.c.id == alert.c.source_id)
        .join(to, to.c.id == alert.c.recipient_unit_id)
    )


def _row(row: sa.RowMapping) -> AlertRow:
    return AlertRow(
        id=row["id"],
        unit=row["unit"],
        source=row["source"],
        code=row["code"],
        episode=row["episode"],
        stage=row["stage"],
        level=row["level"],
        recipient=row["recipient"],
        due_on=row["due_on"],
        due_at=row["due_at"],
        late_since=row["late_since"],
        occurred_at=row["occurred_at"],
        raised_at=row["raised_at"],
        run=row["run"],
        is_digest_only=row["is_digest_only"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        acknowledged_reason=row["acknowledged_reason"],
        unit_id=row["unit_id"],
        source_id=row["source_id"],
        unit_lft=row["unit_lft"],
        recipients=tuple(row["recipients"]),
    )
