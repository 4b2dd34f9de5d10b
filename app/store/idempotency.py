"""Answers of creating requests, kept in the transaction of what they did."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.store.session import ReadSession, WriteSession
from app.store.tables import idempotency

PENDING = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given."""

    fingerprint: bytes
    status: int
    body: bytes


def claim(
    session: WriteSession, *, key_id: int, route: str, key: str, fingerprint: bytes, now: datetime
) -> bool:
    """Take a key for this transaction; waits while another one holds it.

    :returns: False when a committed request has used the key already.
    """
    done = session.execute(
        insert(idempotency)
        .values(
            key_id=key_id,
            route=route,
            key=key,
            fingerprint=fingerprint,
            status=PENDING,
            body=b"",
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(idempotency.c.key)
    )
    return done.first() is not None


def find(session: ReadSession, *, key_id: int, route: str, key: str) -> Kept | None:
    """Return the answer that was given under a key."""
    row = session.execute(
        sa.select(idempotency.c.fingerprint, idempotency.c.status, idempotency.c.body).where(
            idempotency.c.key_id == key_id,
            idempotency.c.route == route,
            idempotency.c.key == key,
        )
    ).one_or_none()
    return None if row is None else Kept(bytes(row[0]), row[1], bytes(row[2]))


def keep(
    session: WriteSession, *, key_id: int, route: str, key: str, status: int, body: bytes
) -> None:
    """Keep the answer of a key that this transaction has claimed."""
    session.execute(
        sa.update(idempotency)
        .where(
            idempotency.c.key_id == key_id,
            idempotency.c.route == route,
            idempotency.c.key == key,
        )
        .values(status=status, body=body)
    )


def purge(session: WriteSession, *, before: datetime) -> int:
    """Forget answers that were given before an instant; return how many."""
    done = session.execute(sa.delete(idempotency).where(idempotency.c.created_at < before))
    return done.rowcount
