"""Files of records: which were begun, how far they were taken in, which rows wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict, NotFound
from app.domain.faults import Fault
from app.store.session import ReadSession, WriteSession
from app.store.tables import import_job, import_refusal, quarantine

RUNNING: Final = "running"
DONE: Final = "done"


@dataclass(eq=False, kw_only=True)
class ImportUnknown(NotFound):
    """No file was imported under this number, or not within the caller's units."""

    code: ClassVar[str] = "import.unknown"
    id: UUID


@dataclass(eq=False, kw_only=True)
class ImportBusy(Conflict):
    """Another process is taking in the same file; what it has taken stands."""

    code: ClassVar[str] = "import.busy"


@dataclass(frozen=True, slots=True)
class Job:
    """One file as far as it was taken in; ``next_row`` is the first row that was not."""

    id: UUID
    source_id: int
    unit_id: int
    unit_lft: int
    file_hash: bytes
    mapping: Mapping[str, Any]
    state: str
    next_row: int
    total_rows: int
    counts: Mapping[str, int]
    actor: str
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that waits in quarantine: what is left of it, and why."""

    row: int
    code: str | None
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]
    state: str


def begin(session: WriteSession, job: Job) -> Job:
    """Write a job, or return the one that was begun with the same file, as it stands."""
    values = {name: getattr(job, name) for name in Job.__slots__}
    session.execute(
        insert(import_job)
        .values(values)
        .on_conflict_do_nothing(index_elements=["source_id", "unit_id", "file_hash"])
    )
    row = session.execute(
        sa.select(import_job).where(
            import_job.c.source_id == job.source_id,
            import_job.c.unit_id == job.unit_id,
            import_job.c.file_hash == job.file_hash,
        )
    )
    return _job(row.mappings().one())


def restart(session: WriteSession, job: Job, *, next_row: int, now: datetime) -> Job:
    """Begin a job again from a row, forgetting which rows waited."""
    session.execute(sa.delete(import_refusal).where(import_refusal.c.job_id == job.id))
    return _change(
        session,
        job,
        {"state": RUNNING, "next_row": next_row, "counts": {}, "finished_at": None},
        now=now,
    )


def advance(
    session: WriteSession, job: Job, *, next_row: int, counts: Mapping[str, int], now: datetime
) -> Job:
    """Note how far the file was taken in, in the transaction of what was taken.

    :raises ImportBusy: somebody else has advanced it since it was read.
    """
    return _change(session, job, {"next_row": next_row, "counts": dict(counts)}, now=now)


def finish(session: WriteSession, job: Job, *, now: datetime) -> Job:
    """Close a job.

    :raises ImportBusy: somebody else has advanced it since it was read.
    """
    return _change(session, job, {"state": DONE, "finished_at": now}, now=now)


def _change(session: WriteSession, job: Job, values: Mapping[str, Any], *, now: datetime) -> Job:
    changed = session.execute(
        sa.update(import_job)
        .where(
            import_job.c.id == job.id,
            import_job.c.next_row == job.next_row,
            import_job.c.state == job.state,
        )
        .values({**values, "updated_at": now})
        .returning(import_job)
    )
    row = changed.mappings().one_or_none()
    if row is None:
        raise ImportBusy
    return _job(row)


def add_refusals(session: WriteSession, job: Job, refused: Sequence[tuple[int, UUID]]) -> None:
    """Note which rows wait in quarantine, each with its number there."""
    if refused:
        session.execute(
            sa.insert(import_refusal),
            [
                {"job_id": job.id, "row": row, "unit_id": job.unit_id, "quarantine_id": number}
                for row, number in refused
            ],
        )


def get(session: ReadSession, job_id: UUID, *, lft: int, rgt: int) -> Job:
    """Return a job.

    :raises ImportUnknown: there is none of this number in the subtree.
    """
    row = session.execute(
        sa.select(import_job).where(
            import_job.c.id == job_id, import_job.c.unit_lft.between(lft, rgt)
        )
    )
    found = row.mappings().one_or_none()
    if found is None:
        raise ImportUnknown(id=job_id)
    return _job(found)


def refusals(session: ReadSession, job: Job, *, limit: int) -> list[Refusal]:
    """Return the rows that could not be accepted, in the order of the file."""
    rows = session.execute(
        sa.select(
            import_refusal.c.row,
            quarantine.c.code,
            quarantine.c.raw,
            quarantine.c.faults,
            quarantine.c.state,
        )
        .join(
            quarantine,
            sa.and_(
                quarantine.c.unit_id == import_refusal.c.unit_id,
                quarantine.c.id == import_refusal.c.quarantine_id,
            ),
        )
        .where(import_refusal.c.job_id == job.id)
        .order_by(import_refusal.c.row)
        .limit(limit)
    )
    return [
        Refusal(
            row.row, row.code, row.raw, tuple(Fault(**fault) for fault in row.faults), row.state
        )
        for row in rows
    ]


def _job(row: sa.RowMapping) -> Job:
    return Job(**{name: row[name] for name in Job.__slots__})
