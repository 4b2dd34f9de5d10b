"""Who gets digests by mail; the address is sealed and only its mask is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from app.store.session import ReadSession, WriteSession
from app.store.tables import subscription, unit


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription as it stands."""

    id: UUID
    unit_id: int
    unit: str
    unit_name: str
    lft: int
    rgt: int
    level: str
    language: str
    topics: tuple[str, ...]
    address: bytes
    address_masked: str
    actor: str
    created_at: datetime
    confirmed_at: datetime | None
    told_until: datetime | None
    last_slot: str | None
    disabled_at: datetime | None
    disabled_reason: str | None


_NAMES = (
    *("id", "unit_id", "level", "language", "topics", "address", "address_masked", "actor"),
    *("created_at", "confirmed_at", "told_until", "last_slot", "disabled_at", "disabled_reason"),
)


def _select() -> sa.Select[*tuple[object, ...]]:
    return sa.select(
        *(subscription.c[name] for name in _NAMES),
        unit.c.code.label("unit"),
        unit.c.name.label("unit_name"),
        unit.c.lft,
        unit.c.rgt,
    ).join_from(subscription, unit, unit.c.id == subscription.c.unit_id)


def _row(row: sa.RowMapping) -> SubscriptionRow:
    told = {name: row[name] for name in (*_NAMES, "unit", "unit_name", "lft", "rgt")}
    return SubscriptionRow(**told | {"topics": tuple(row["topics"])})


def add(session: WriteSession, values: Mapping[str, object]) -> None:
    """Write a new subscription, by its columns."""
    session.execute(sa.insert(subscription).values(**values))


def find(session: ReadSession, subscription_id: UUID) -> SubscriptionRow | None:
    """Find a subscription, wherever it is."""
    wanted = _select().where(subscription.c.id == subscription_id)
    row = session.execute(wanted).mappings().one_or_none()
    return None if row is None else _row(row)


def lock(session: WriteSession, subscription_id: UUID) -> SubscriptionRow | None:
    """Find a subscription and keep others from changing it until the end of the transaction."""
    wanted = _select().where(subscription.c.id == subscription_id)
    row = session.execute(wanted.with_for_update(of=subscription)).mappings().one_or_none()
    return None if row is None else _row(row)


def find_same(
    session: ReadSession, *, unit_id: int, level: str, address_digest: bytes
) -> SubscriptionRow | None:
    """Find the subscription of an address to a unit and level."""
    wanted = _select().where(
        subscription.c.unit_id == unit_id,
        subscription.c.level == level,
        subscription.c.address_digest == address_digest,
    )
    row = session.execute(wanted).mappings().one_or_none()
    return None if row is None else _row(row)


def page(
    session: ReadSession, *, lft: int, rgt: int, after: tuple[datetime, UUID] | None, limit: int
) -> list[SubscriptionRow]:
    """Return the subscriptions of a subtree, oldest first, after a place (``created_at``, id)."""
    wanted = _select().where(unit.c.lft.between(lft, rgt))
    if after is not None:
        wanted = wanted.where(sa.tuple_(subscription.c.created_at, subscription.c.id) > after)
    ordered = wanted.order_by(subscription.c.created_at, subscription.c.id).limit(limit)
    return [_row(row) for row in session.execute(ordered).mappings()]


def take_due(session: WriteSession, *, now: datetime, limit: int) -> list[SubscriptionRow]:
    """Return subscriptions for which a digest may be due, locked; those of others are passed by."""
    wanted = (
        _select()
        .where(
            subscription.c.confirmed_at.is_not(None),
            subscription.c.disabled_at.is_(None),
            subscription.c.look_at <= now,
        )
        .order_by(subscription.c.look_at, subscription.c.id)
        .limit(limit)
        .with_for_update(of=subscription, skip_locked=True)
    )
    return [_row(row) for row in session.execute(wanted).mappings()]


def change(session: WriteSession, subscription_id: UUID, values: Mapping[str, object]) -> bool:
    """Set columns of a subscription; tell whether it was there."""
    changed = session.execute(
        sa.update(subscription)
        .where(subscription.c.id == subscription_id)
        .values(**values)
        .returning(subscription.c.id)
    )
    return changed.one_or_none() is not None


@dataclass(frozen=True, slots=True)
class Looked:
    """When a subscription is looked at again and what it was told of; None changes nothing."""

    id: UUID
    look_at: datetime
    last_slot: str | None = None
    told_until: datetime | None = None


def look_again(session: WriteSession, looked: Sequence[Looked]) -> None:
    """Set when each subscription is looked at again."""
    rows = orjson.dumps([asdict(each) for each in looked]).decode()
    session.execute(_LOOKED, {"rows": rows})


_LOOKED: Final = sa.text(
    """
    UPDATE subscription
       SET look_at = told.look_at,
           last_slot = coalesce(told.last_slot, subscription.last_slot),
           told_until = coalesce(told.told_until, subscription.told_until)
      FROM json_to_recordset(CAST(:rows AS json)) AS told(
           id uuid, look_at timestamptz, last_slot text, told_until timestamptz)
     WHERE subscription.id = told.id"""
)


def remove(session: WriteSession, subscription_id: UUID) -> bool:
    """Take a subscription away with its address; tell whether it was there."""
    gone = (
        sa.delete(subscription)
        .where(subscription.c.id == subscription_id)
        .returning(subscription.c.id)
    )
    return session.execute(gone).one_or_none() is not None
