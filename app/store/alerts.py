"""Alerts: raised once, read by those above, acknowledged by one of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.alert import Alert, DossierKey
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
    due_on: date
    due_at: datetime
    late_since: datetime
    occurred_at: datetime
    raised_at: datetime
    run: str
    is_digest_only: bool
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    recipients: tuple[UUID, ...]


def former(
    session: ReadSession, keys: Sequence[DossierKey]
) -> Mapping[DossierKey, dict[int, datetime]]:
    """Return the due moments of the episodes alerted before, by dossier and episode."""
    episodes: defaultdict[DossierKey, dict[int, datetime]] = defaultdict(dict)
    if not keys:
        return episodes
    place = sa.tuple_(alert.c.unit_id, alert.c.source_id, alert.c.code)
    known = session.execute(
        sa.select(
            alert.c.unit_id, alert.c.source_id, alert.c.code, alert.c.episode, alert.c.due_at
        ).where(place.in_([(key.unit_id, key.source_id, key.code) for key in keys]))
    )
    for unit_id, source_id, code, episode, due_at in known:
        episodes[DossierKey(unit_id, source_id, code)][episode] = due_at
    return episodes


def add(
    session: WriteSession, alerts: Sequence[Alert], *, run: str, now: datetime
) -> frozenset[UUID]:
    """Write the alerts that nobody has raised before and return the ids of those.

    :param now: when they are raised.
    """
    if not alerts:
        return frozenset()
    rows = [
        {
            "unit_id": each.overdue.key.unit_id,
            "source_id": each.overdue.key.source_id,
            "code": each.overdue.key.code,
            "episode": each.episode,
            "stage": each.stage,
            "id": each.id,
            "unit_lft": each.overdue.unit_lft,
            "due_on": each.overdue.due_on,
            "due_at": each.overdue.due_at,
            "late_since": each.overdue.late_since,
            "occurred_at": each.occurred_at,
            "raised_at": now,
            "run": run,
            "is_digest_only": each.is_digest_only,
        }
        for each in alerts
    ]
    written = insert(alert).on_conflict_do_nothing().returning(alert.c.id)
    return frozenset(session.execute(written, rows).scalars())


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    stage: str | None,
    since: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[AlertRow]:
    """Return alerts of a subtree, the newest first, after a place (``raised_at``, id)."""
    wanted = _select().where(alert.c.unit_lft.between(lft, rgt))
    if stage is not None:
        wanted = wanted.where(alert.c.stage == stage)
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


def acknowledge(session: WriteSession, alert_id: UUID, *, by: str, now: datetime) -> bool:
    """Note that somebody has taken note; tell whether it was the first to do so."""
    first = session.execute(
        sa.update(alert)
        .where(alert.c.id == alert_id, alert.c.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by=by)
        .returning(alert.c.id)
    )
    return first.one_or_none() is not None


def _select() -> sa.Select[*tuple[object, ...]]:
    receivers = (
        sa.select(outbox.c.webhook_id)
        .where(outbox.c.unit_id == alert.c.unit_id, outbox.c.event_id == alert.c.id)
        .order_by(outbox.c.webhook_id)
    )
    return (
        sa.select(
            alert,
            unit.c.code.label("unit"),
            source.c.code.label("source"),
            sa.func.array(receivers.scalar_subquery()).label("recipients"),
        )
        .join_from(alert, unit, unit.c.id == alert.c.unit_id)
        .join(source, source.c.id == alert.c.source_id)
    )


def _row(row: sa.RowMapping) -> AlertRow:
    return AlertRow(
        id=row["id"],
        unit=row["unit"],
        source=row["source"],
        code=row["code"],
        episode=row["episode"],
        stage=row["stage"],
        due_on=row["due_on"],
        due_at=row["due_at"],
        late_since=row["late_since"],
        occurred_at=row["occurred_at"],
        raised_at=row["raised_at"],
        run=row["run"],
        is_digest_only=row["is_digest_only"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        recipients=tuple(row["recipients"]),
    )
