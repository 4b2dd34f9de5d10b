"""Keys and source systems as rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.store.session import ReadSession, WriteSession
from app.store.tables import api_key, source, unit

WHOLE: Final = (0, 2**63 - 1)
"""The interval of a key for the whole installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as it is kept: never the secret, only its keyed digest."""

    id: int
    prefix: str
    digest: bytes
    name: str
    source_id: int
    source_code: str
    unit_id: int | None
    unit_code: str | None
    lft: int
    rgt: int
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def _select() -> sa.Select[*tuple[object, ...]]:
    return sa.select(
        api_key,
        source.c.code.label("source_code"),
        unit.c.code.label("unit_code"),
        unit.c.lft,
        unit.c.rgt,
    ).select_from(
        api_key.join(source, source.c.id == api_key.c.source_id).outerjoin(
            unit, unit.c.id == api_key.c.unit_id
        )
    )


def _row(row: sa.RowMapping) -> KeyRow:
    lft, rgt = (row["lft"], row["rgt"]) if row["unit_id"] is not None else WHOLE
    return KeyRow(
        id=row["id"],
        prefix=row["prefix"],
        digest=bytes(row["digest"]),
        name=row["name"],
        source_id=row["source_id"],
        source_code=row["source_code"],
        unit_id=row["unit_id"],
        unit_code=row["unit_code"],
        lft=lft,
        rgt=rgt,
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


def find_key(session: ReadSession, prefix: str) -> KeyRow | None:
    """Return the key of a public prefix, revoked and expired ones too."""
    row = session.execute(_select().where(api_key.c.prefix == prefix)).mappings().one_or_none()
    return None if row is None else _row(row)


def list_keys(session: ReadSession) -> tuple[KeyRow, ...]:
    """Return every key, oldest first."""
    rows = session.execute(_select().order_by(api_key.c.id)).mappings()
    return tuple(_row(row) for row in rows)


def add_key(
    session: WriteSession,
    *,
    prefix: str,
    digest: bytes,
    name: str,
    source_id: int,
    unit_id: int | None,
    scopes: tuple[str, ...],
    created_at: datetime,
    expires_at: datetime | None,
) -> int:
    """Append a key and return its number."""
    statement = (
        sa.insert(api_key)
        .values(
            prefix=prefix,
            digest=digest,
            name=name,
            source_id=source_id,
            unit_id=unit_id,
            scopes=list(scopes),
            created_at=created_at,
            expires_at=expires_at,
        )
        .returning(api_key.c.id)
    )
    return int(session.execute(statement).scalar_one())


def touch_key(session: WriteSession, key_id: int, *, now: datetime, grain: datetime) -> None:
    """Note that a key was used, unless that was noted at or after ``grain``."""
    session.execute(
        sa.update(api_key)
        .where(api_key.c.id == key_id)
        .where(sa.or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < grain))
        .values(last_used_at=now)
    )


def revoke_key(session: WriteSession, key_id: int, *, now: datetime) -> bool:
    """Revoke a key that is not revoked yet; tell whether this call did it."""
    done = session.execute(
        sa.update(api_key)
        .where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


def expire_key(session: WriteSession, key_id: int, *, at: datetime) -> None:
    """Let a key end at an instant, unless it ends earlier already."""
    session.execute(
        sa.update(api_key)
        .where(api_key.c.id == key_id)
        .where(sa.or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > at))
        .values(expires_at=at)
    )


def find_source(session: ReadSession, code: str) -> int | None:
    """Return the number of a source system, None if there is none of this code."""
    return session.execute(sa.select(source.c.id).where(source.c.code == code)).scalar_one_or_none()


def ensure_source(session: WriteSession, code: str, *, name: str) -> tuple[int, bool]:
    """Return the number of a source system, and whether it was made by this call."""
    made = session.execute(
        insert(source)
        .values(code=code, name=name)
        .on_conflict_do_nothing(index_elements=[source.c.code])
        .returning(source.c.id)
    ).scalar_one_or_none()
    if made is not None:
        return int(made), True
    return int(
        session.execute(sa.select(source.c.id).where(source.c.code == code)).scalar_one()
    ), False
