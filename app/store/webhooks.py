"""Receivers of events: where they are, what they want, how they are doing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from app.domain.delivery import CLAIM_OF_EVENT
from app.store.session import ReadSession, WriteSession
from app.store.tables import outbox, unit, webhook


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A receiver as it stands; its secrets are sealed."""

    id: UUID
    unit_id: int
    unit: str
    url: str
    events: tuple[str, ...]
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    failures: int
    resume_at: datetime | None
    created_at: datetime

    def live_secrets(self, now: datetime) -> tuple[bytes, ...]:
        """Return the sealed secrets that sign now, the newest first."""
        if self.previous_secret is None or self.previous_until is None:
            return (self.secret,)
        return (self.secret, self.previous_secret) if now < self.previous_until else (self.secret,)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who wants an event, and of which part of the tree of units."""

    id: UUID
    unit_id: int
    lft: int
    rgt: int


def receivers(session: ReadSession, *event_types: str) -> dict[str, list[Receiver]]:
    """Return the receivers that want each kind of event and are not disabled."""
    found = session.execute(
        sa.select(webhook.c.id, webhook.c.unit_id, unit.c.lft, unit.c.rgt, webhook.c.events)
        .join_from(webhook, unit, unit.c.id == webhook.c.unit_id)
        .where(webhook.c.disabled_at.is_(None), webhook.c.events.overlap(event_types))
        .order_by(webhook.c.id)
    ).all()
    return {
        kind: [Receiver(*place) for *place, events in found if kind in events]
        for kind in event_types
    }


def with_post(session: ReadSession, *, now: datetime, limit: int) -> list[UUID]:
    """Return receivers that have something due and are not resting, the longest waiting first.

    One that failed last is asked again with what is not due yet, as soon as it has rested.
    """
    first = (
        sa.select(outbox.c.next_at)
        .where(
            outbox.c.webhook_id == webhook.c.id,
            outbox.c.state == "pending",
            sa.or_(
                outbox.c.next_at <= now,
                sa.and_(webhook.c.failures > 0, outbox.c.next_at > now + CLAIM_OF_EVENT),
            ),
        )
        .order_by(outbox.c.next_at)
        .limit(1)
        .lateral("first")
    )
    rested = sa.or_(webhook.c.resume_at.is_(None), webhook.c.resume_at <= now)
    found = session.execute(
        sa.select(webhook.c.id)
        .join_from(webhook, first, sa.true())
        .where(webhook.c.disabled_at.is_(None), rested)
        .order_by(first.c.next_at, webhook.c.id)
        .limit(limit)
    )
    return list(found.scalars())


def add(
    session: WriteSession,
    *,
    webhook_id: UUID,
    unit_id: int,
    url: str,
    events: Sequence[str],
    secret: bytes,
    now: datetime,
) -> None:
    """Write a new receiver."""
    session.execute(
        sa.insert(webhook).values(
            id=webhook_id,
            unit_id=unit_id,
            url=url,
            events=list(events),
            secret=secret,
            created_at=now,
        )
    )


def find(session: ReadSession, webhook_id: UUID, *, lft: int, rgt: int) -> WebhookRow | None:
    """Find a receiver whose unit lies within a subtree."""
    wanted = _select().where(webhook.c.id == webhook_id, unit.c.lft.between(lft, rgt))
    row = session.execute(wanted).mappings().one_or_none()
    return None if row is None else _row(row)


def find_any(session: ReadSession, webhook_id: UUID) -> WebhookRow | None:
    """Find a receiver, wherever it is."""
    row = session.execute(_select().where(webhook.c.id == webhook_id)).mappings().one_or_none()
    return None if row is None else _row(row)


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[WebhookRow]:
    """Return the receivers of a subtree, oldest first, after a place (``created_at``, id)."""
    wanted = _select().where(unit.c.lft.between(lft, rgt))
    if after is not None:
        wanted = wanted.where(sa.tuple_(webhook.c.created_at, webhook.c.id) > after)
    ordered = wanted.order_by(webhook.c.created_at, webhook.c.id).limit(limit)
    return [_row(row) for row in session.execute(ordered).mappings()]


def remove(session: WriteSession, webhook_id: UUID) -> bool:
    """Take a receiver away; tell whether it was there."""
    gone = sa.delete(webhook).where(webhook.c.id == webhook_id).returning(webhook.c.id)
    return session.execute(gone).one_or_none() is not None


def rotate(
    session: WriteSession, webhook_id: UUID, *, secret: bytes, previous_until: datetime
) -> None:
    """Put a new secret in place; the one before it still signs until an instant."""
    session.execute(
        sa.update(webhook)
        .where(webhook.c.id == webhook_id)
        .values(previous_secret=webhook.c.secret, previous_until=previous_until, secret=secret)
    )


def disable(session: WriteSession, webhook_id: UUID, *, reason: str, now: datetime) -> bool:
    """Stop calling a receiver; tell whether it was called until now."""
    stopped = session.execute(
        sa.update(webhook)
        .where(webhook.c.id == webhook_id, webhook.c.disabled_at.is_(None))
        .values(disabled_at=now, disabled_reason=reason)
        .returning(webhook.c.id)
    )
    return stopped.one_or_none() is not None


def enable(session: WriteSession, webhook_id: UUID) -> None:
    """Call a receiver again, without rest."""
    session.execute(
        sa.update(webhook)
        .where(webhook.c.id == webhook_id)
        .values(disabled_at=None, disabled_reason=None, failures=0, resume_at=None)
    )


def note_failure(session: WriteSession, webhook_id: UUID, *, resume_at: datetime) -> None:
    """Count a failure in a row and leave the receiver alone for a while."""
    session.execute(
        sa.update(webhook)
        .where(webhook.c.id == webhook_id)
        .values(failures=sa.func.least(webhook.c.failures + 1, 1000), resume_at=resume_at)
    )


def note_success(session: WriteSession, webhook_id: UUID) -> bool:
    """Note an acknowledgement; tell whether the receiver had been failing."""
    healed = session.execute(
        sa.update(webhook)
        .where(webhook.c.id == webhook_id, webhook.c.failures > 0)
        .values(failures=0, resume_at=None)
        .returning(webhook.c.id)
    )
    return healed.one_or_none() is not None


def _select() -> sa.Select[*tuple[object, ...]]:
    return sa.select(webhook, unit.c.code.label("unit")).join_from(
        webhook, unit, unit.c.id == webhook.c.unit_id
    )


def _row(row: sa.RowMapping) -> WebhookRow:
    return WebhookRow(
        id=row["id"],
        unit_id=row["unit_id"],
        unit=row["unit"],
        url=row["url"],
        events=tuple(row["events"]),
        secret=row["secret"],
        previous_secret=row["previous_secret"],
        previous_until=row["previous_until"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
        failures=row["failures"],
        resume_at=row["resume_at"],
        created_at=row["created_at"],
    )
