"""Rule sets that offices put, every version of them, and who confirmed which number."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from app.store.session import ReadSession, WriteSession
from app.store.tables import rule_set_confirmation, rule_set_version, unit

EVERYBODY: Final = 0
"""The unit of a confirmation that holds in the whole installation."""

_LOCK: Final = 0x72_75_6C_65  # any number, as long as every writer of rule sets names it


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a rule set as it was put; ``owner_*`` None is a set of everybody."""

    id: str
    version: int
    owner_code: str | None
    owner_lft: int | None
    owner_rgt: int | None
    text: str
    digest: str
    first_on: date | None
    last_on: date | None
    replaces: int | None
    document: str | None
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationRow:
    """One number that a person confirmed, for a unit and those below; None is everybody."""

    unit_code: str | None
    unit_lft: int | None
    unit_rgt: int | None
    path: str
    value: str
    person: str
    document: str
    actor: str
    recorded_at: datetime


def lock(session: WriteSession) -> None:
    """Let no other transaction put rule sets or confirm their numbers until this one ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def versions(
    session: ReadSession, identifier: str | None = None, *, known_at: datetime | None = None
) -> list[VersionRow]:
    """List the versions of one rule set, or of all, in the order in which they were put."""
    table = rule_set_version
    statement = (
        sa.select(
            table.c.id,
            table.c.version,
            unit.c.code.label("owner_code"),
            unit.c.lft.label("owner_lft"),
            unit.c.rgt.label("owner_rgt"),
            table.c.text,
            table.c.digest,
            table.c.first_on,
            table.c.last_on,
            table.c.replaces,
            table.c.document,
            table.c.actor,
            table.c.recorded_at,
        )
        .select_from(table.outerjoin(unit, unit.c.id == table.c.owner_id))
        .order_by(table.c.id.collate("C"), table.c.version)
    )
    if identifier is not None:
        statement = statement.where(table.c.id == identifier)
    if known_at is not None:
        statement = statement.where(table.c.recorded_at <= known_at)
    return [VersionRow(**row) for row in session.execute(statement).mappings()]


def add(
    session: WriteSession,
    *,
    identifier: str,
    version: int,
    owner_id: int | None,
    text: str,
    digest: str,
    first_on: date | None,
    last_on: date | None,
    replaces: int | None,
    document: str | None,
    actor: str,
    now: datetime,
) -> None:
    """Append a version."""
    session.execute(
        sa.insert(rule_set_version).values(
            id=identifier,
            version=version,
            owner_id=owner_id,
            text=text,
            digest=digest,
            first_on=first_on,
            last_on=last_on,
            replaces=replaces,
            document=document,
            actor=actor,
            recorded_at=now,
        )
    )


def confirmations(
    session: ReadSession, identifier: str, *, known_at: datetime | None = None
) -> list[ConfirmationRow]:
    """List what was confirmed of a rule set, in the order of time."""
    table = rule_set_confirmation
    statement = (
        sa.select(
            unit.c.code.label("unit_code"),
            unit.c.lft.label("unit_lft"),
            unit.c.rgt.label("unit_rgt"),
            table.c.path,
            table.c.value,
            table.c.person,
            table.c.document,
            table.c.actor,
            table.c.recorded_at,
        )
        .select_from(table.outerjoin(unit, unit.c.id == table.c.unit_id))
        .where(table.c.rule_set == identifier)
        .order_by(table.c.recorded_at, table.c.unit_id, table.c.seq)
    )
    if known_at is not None:
        statement = statement.where(table.c.recorded_at <= known_at)
    return [ConfirmationRow(**row) for row in session.execute(statement).mappings()]


def confirm(
    session: WriteSession,
    identifier: str,
    numbers: Iterable[tuple[str, str]],
    *,
    unit_id: int,
    person: str,
    document: str,
    actor: str,
    now: datetime,
) -> None:
    """Append what a person confirmed: paths with the values that stood there."""
    table = rule_set_confirmation
    last = session.scalar(
        sa.select(sa.func.max(table.c.seq)).where(
            table.c.unit_id == unit_id, table.c.rule_set == identifier
        )
    )
    session.execute(
        sa.insert(table),
        [
            {
                "unit_id": unit_id,
                "rule_set": identifier,
                "seq": (last or 0) + place,
                "path": path,
                "value": value,
                "person": person,
                "document": document,
                "actor": actor,
                "recorded_at": now,
            }
            for place, (path, value) in enumerate(numbers, start=1)
        ],
    )
