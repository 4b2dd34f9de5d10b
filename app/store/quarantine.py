"""Records that could not be accepted, kept without persons until their fault is mended."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from app.domain.errors import NotFound
from app.domain.faults import Fault
from app.store.session import ReadSession, WriteSession
from app.store.tables import quarantine, source

WAITING: Final = "waiting"
ACCEPTED: Final = "accepted"


@dataclass(eq=False, kw_only=True)
class QuarantineUnknown(NotFound):
    """No record of this number waits in quarantine, or not within the caller's units."""

    code = "quarantine.unknown"
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in quarantine: stripped, with every fault; ``door`` is where it came in."""

    id: uuid.UUID
    unit_id: int
    unit_lft: int
    source_id: int
    key_id: int | None
    door: str
    code: str | None
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]
    recorded_at: datetime
    state: str = WAITING
    settled_at: datetime | None = None
    source: str | None = None


def add(session: WriteSession, entries: Sequence[Entry]) -> None:
    """Keep records with their reasons."""
    if not entries:
        return
    session.execute(
        sa.insert(quarantine),
        [
            {
                "unit_id": one.unit_id,
                "id": one.id,
                "unit_lft": one.unit_lft,
                "source_id": one.source_id,
                "key_id": one.key_id,
                "door": one.door,
                "code": one.code,
                "raw": dict(one.raw),
                "faults": [asdict(fault) for fault in one.faults],
                "recorded_at": one.recorded_at,
            }
            for one in entries
        ],
    )


def _select() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(quarantine, source.c.code.label("source_code")).join(
        source, source.c.id == quarantine.c.source_id
    )


def _entry(row: sa.RowMapping) -> Entry:
    return Entry(
        id=row["id"],
        unit_id=row["unit_id"],
        unit_lft=row["unit_lft"],
        source_id=row["source_id"],
        key_id=row["key_id"],
        door=row["door"],
        code=row["code"],
        raw=row["raw"],
        faults=tuple(Fault(**fault) for fault in row["faults"]),
        recorded_at=row["recorded_at"],
        state=row["state"],
        settled_at=row["settled_at"],
        source=row["source_code"],
    )


def get(session: ReadSession, id: uuid.UUID, *, lft: int, rgt: int) -> Entry:  # noqa: A002  # the word of the API
    """Return one record in quarantine.

    :raises QuarantineUnknown: there is none of this number in the subtree.
    """
    wanted = _select().where(quarantine.c.id == id, quarantine.c.unit_lft.between(lft, rgt))
    row = session.execute(wanted).mappings().first()
    if row is None:
        raise QuarantineUnknown(id=id)
    return _entry(row)


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    state: str | None,
    fault: str | None,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> list[Entry]:
    """List records in quarantine, oldest first, by state and by the code of a fault."""
    wanted = _select().where(quarantine.c.unit_lft.between(lft, rgt))
    if state is not None:
        wanted = wanted.where(quarantine.c.state == state)
    if fault is not None:
        wanted = wanted.where(quarantine.c.faults.contains([{"code": fault}]))
    place = sa.tuple_(quarantine.c.recorded_at, quarantine.c.id)
    if after is not None:
        wanted = wanted.where(place > sa.tuple_(*after))
    rows = session.execute(wanted.order_by(quarantine.c.recorded_at, quarantine.c.id).limit(limit))
    return [_entry(row) for row in rows.mappings()]


def settle(session: WriteSession, entry: Entry, *, now: datetime) -> bool:
    """Mark a record as accepted after all; it stays listed with its former faults.

    :returns: False when somebody else has settled it meanwhile.
    """
    done = session.execute(
        sa.update(quarantine)
        .where(
            quarantine.c.unit_id == entry.unit_id,
            quarantine.c.id == entry.id,
            quarantine.c.state == WAITING,
        )
        .values(state=ACCEPTED, settled_at=now)
        .returning(quarantine.c.id)
    )
    return done.first() is not None
