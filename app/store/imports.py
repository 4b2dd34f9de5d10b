"""Files of records: which were begun, how far they were taken in, which rows wait.

The rows of a file are in lanes, and each lane has a place of its own in the file: several can be
taken in at once, and none waits for the row of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict, NotFound
from app.domain.faults import Fault
from app.store.session import ReadSession, WriteSession
from app.store.tables import import_job, import_lane, import_refusal, quarantine

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
class Lane:
    """One part of the rows of a file as far as it was taken in.

    ``next_row`` is the row of the file behind the last one that was taken, or looked at, for this
    lane: none of its rows before that one is left.
    """

    number: int
    next_row: int
    counts: Mapping[str, int]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One file as far as it was taken in, with its lanes by number."""

    id: UUID
    source_id: int
    unit_id: int
    unit_lft: int
    file_hash: bytes
    mapping: Mapping[str, Any]
    state: str
    total_rows: int
    actor: str
    started_at: datetime
    finished_at: datetime | None
    lanes: tuple[Lane, ...]

    @property
    def next_row(self) -> int:
        """Return the first row of the file that may not have been taken."""
        return min(lane.next_row for lane in self.lanes)

    @property
    def counts(self) -> dict[str, int]:
        """Return what became of the rows that were taken."""
        found: dict[str, int] = {}
        for lane in self.lanes:
            for word, count in lane.counts.items():
                found[word] = found.get(word, 0) + count
        return found

    @property
    def taken(self) -> int:
        """Return how many rows were taken, those set aside among them."""
        return sum(self.counts.values())

    @property
    def updated_at(self) -> datetime:
        """Return when rows were last taken."""
        return max(lane.updated_at for lane in self.lanes)

    def moved(self, lane: Lane) -> "Job":
        """Return the job with one of its lanes further on."""
        return replace(
            self, lanes=tuple(lane if one.number == lane.number else one for one in self.lanes)
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that waits in quarantine: what is left of it, and why."""

    row: int
    code: str | None
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]
    state: str


_OWN: Final = tuple(name for name in Job.__slots__ if name != "lanes")


def begin(session: WriteSession, job: Job) -> Job:
    """Write a job, or return the one that was begun with the same file, as it stands."""
    made = session.execute(
        insert(import_job)
        .values({name: getattr(job, name) for name in _OWN})
        .on_conflict_do_nothing(index_elements=["source_id", "unit_id", "file_hash"])
        .returning(import_job.c.id)
    )
    if made.one_or_none() is not None:
        session.execute(
            sa.insert(import_lane),
            [
                {
                    "job_id": job.id,
                    "lane": lane.number,
                    "next_row": lane.next_row,
                    "counts": dict(lane.counts),
                    "updated_at": lane.updated_at,
                }
                for lane in job.lanes
            ],
        )
    found = _find(
        session,
        import_job.c.source_id == job.source_id,
        import_job.c.unit_id == job.unit_id,
        import_job.c.file_hash == job.file_hash,
    )
    if found is None:
        raise ImportUnknown(id=job.id)
    return found


def restart(session: WriteSession, job: Job, *, next_row: int, now: datetime) -> Job:
    """Begin a job again from a row, forgetting which rows waited.

    :raises ImportBusy: somebody else has begun it again.
    """
    session.execute(sa.delete(import_refusal).where(import_refusal.c.job_id == job.id))
    lanes = [replace(lane, next_row=next_row, counts={}, updated_at=now) for lane in job.lanes]
    return _change(session, job, lanes, state=RUNNING, finished_at=None)


def advance(
    session: WriteSession,
    job: Job,
    lane: Lane,
    *,
    next_row: int,
    counts: Mapping[str, int],
    now: datetime,
) -> Lane:
    """Note how far a lane was taken in, in the transaction of what was taken.

    Until that ends, whoever wants to advance the same lane waits; no other lane does.

    :raises ImportBusy: somebody else has advanced it since it was read.
    """
    moved = replace(lane, next_row=next_row, counts=dict(counts), updated_at=now)
    changed = session.execute(
        sa.update(import_lane)
        .where(
            import_lane.c.job_id == job.id,
            import_lane.c.lane == lane.number,
            import_lane.c.next_row == lane.next_row,
        )
        .values(next_row=moved.next_row, counts=moved.counts, updated_at=now)
        .returning(import_lane.c.lane)
    )
    if changed.one_or_none() is None:
        raise ImportBusy
    return moved


def finish(session: WriteSession, job: Job, *, next_row: int, now: datetime) -> Job:
    """Close a job of which every lane has come to the end of the file, at a row behind the last.

    :raises ImportBusy: somebody else has advanced it since it was read.
    """
    lanes = [replace(lane, next_row=next_row, updated_at=now) for lane in job.lanes]
    return _change(session, job, lanes, state=DONE, finished_at=now)


def _change(
    session: WriteSession,
    job: Job,
    lanes: Sequence[Lane],
    *,
    state: str,
    finished_at: datetime | None,
) -> Job:
    """Change a job with all its lanes, if all are as they were seen."""
    changed = session.execute(
        sa.update(import_job)
        .where(import_job.c.id == job.id, import_job.c.state == job.state)
        .values(state=state, finished_at=finished_at)
        .returning(import_job.c.id)
    )
    if changed.one_or_none() is None:
        raise ImportBusy
    for seen, lane in zip(job.lanes, lanes, strict=True):
        advance(session, job, seen, next_row=lane.next_row, counts=lane.counts, now=lane.updated_at)
    return replace(job, state=state, finished_at=finished_at, lanes=tuple(lanes))


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
    found = _find(session, import_job.c.id == job_id, import_job.c.unit_lft.between(lft, rgt))
    if found is None:
        raise ImportUnknown(id=job_id)
    return found


def again(session: ReadSession, job: Job) -> Job:
    """Return a job as it stands now.

    :raises ImportUnknown: it is there no more.
    """
    found = _find(session, import_job.c.id == job.id)
    if found is None:
        raise ImportUnknown(id=job.id)
    return found


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


def _find(session: ReadSession, *wanted: sa.ColumnElement[bool]) -> Job | None:
    row = session.execute(sa.select(import_job).where(*wanted)).mappings().one_or_none()
    if row is None:
        return None
    lanes = session.execute(
        sa.select(import_lane).where(import_lane.c.job_id == row["id"]).order_by(import_lane.c.lane)
    )
    return Job(
        **{name: row[name] for name in _OWN},
        lanes=tuple(Lane(one.lane, one.next_row, one.counts, one.updated_at) for one in lanes),
    )
