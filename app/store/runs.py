"""The slots of jobs: what is owed, who works on it, what it found.

Who holds a slot is settled by its lease, on the clock of the database; every step renews it under
the number (``fence``) that the holder was given, so that one who was overtaken notices and stops.
The lease only saves work: what a job writes is right however many work on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict
from app.domain.night import Slot
from app.store.session import ReadSession, WriteSession
from app.store.tables import job_slot

LEASE: Final = timedelta(seconds=60)
LAST_RETRY: Final = 8
"""A slot that failed so often waits for an operator."""

_NOW = sa.func.now()
_READY = sa.or_(
    job_slot.c.state == "new",
    sa.and_(job_slot.c.state == "running", job_slot.c.lease_until < _NOW),
    sa.and_(
        job_slot.c.state == "failed",
        job_slot.c.lease_until < _NOW,
        job_slot.c.fence < LAST_RETRY,
    ),
)
_BUSY = sa.and_(job_slot.c.state == "running", job_slot.c.lease_until >= _NOW)


@dataclass(eq=False, kw_only=True)
class RunBusy(Conflict):
    """Another process is working on this run."""

    code: ClassVar[str] = "run.busy"
    job: str
    slot: str


@dataclass(eq=False, kw_only=True)
class RunLost(Conflict):
    """Another process has taken this run over; what was written so far stands."""

    code: ClassVar[str] = "run.lost"
    job: str
    slot: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a slot."""

    job: str
    slot: str
    as_of: datetime
    fence: int
    found: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A slot as it stands."""

    job: str
    slot: str
    as_of: datetime
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    found: Mapping[str, object]
    takeovers: int


def newest(session: ReadSession, job: str) -> str | None:
    """Return the key of the newest slot of a job, None when it has none."""
    keys = sa.select(sa.func.max(job_slot.c.slot)).where(job_slot.c.job == job)
    key: str | None = session.execute(keys).scalar_one()
    return key


def plan(session: WriteSession, slots: Sequence[Slot]) -> int:
    """Write the slots that are not there yet and return how many they were."""
    if not slots:
        return 0
    rows = [{"job": slot.job, "slot": slot.key, "as_of": slot.as_of} for slot in slots]
    written = insert(job_slot).values(rows).on_conflict_do_nothing().returning(job_slot.c.slot)
    return len(session.execute(written).all())


def claim_oldest(
    session: WriteSession, job: str, *, owner: str, now: datetime, lease: timedelta = LEASE
) -> Claim | None:
    """Take the oldest slot that is due, None when there is none or another holds it.

    Slots are worked on in order: a later one waits for an earlier one, unless that has failed.
    """
    earlier = job_slot.alias("earlier")
    waits = (
        sa.exists()
        .where(earlier.c.job == job_slot.c.job)
        .where(earlier.c.as_of < job_slot.c.as_of)
        .where(earlier.c.state.in_(("new", "running")))
    )
    oldest = (
        sa.select(job_slot.c.slot)
        .where(job_slot.c.job == job, job_slot.c.as_of <= now, _READY, ~waits)
        .order_by(job_slot.c.as_of)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return _take(session, job, job_slot.c.slot == oldest, owner=owner, lease=lease)


def claim_slot(
    session: WriteSession, slot: Slot, *, owner: str, lease: timedelta = LEASE
) -> Claim | None:
    """Take one slot that waits, None when it is done or another process holds it."""
    mine = sa.and_(job_slot.c.slot == slot.key, _READY)
    return _take(session, slot.job, mine, owner=owner, lease=lease)


def claim_named(
    session: WriteSession, slot: Slot, *, owner: str, lease: timedelta = LEASE
) -> Claim:
    """Take one slot by name, done before or not, writing it when it is not there.

    :raises RunBusy: another process is working on it.
    """
    plan(session, [slot])
    named = sa.and_(job_slot.c.slot == slot.key, ~_BUSY)
    claim = _take(session, slot.job, named, owner=owner, lease=lease)
    if claim is None:
        raise RunBusy(job=slot.job, slot=slot.key)
    return claim


def renew(
    session: WriteSession, claim: Claim, *, found: Mapping[str, object], lease: timedelta = LEASE
) -> None:
    """Keep the slot and note what was found so far, in the transaction of what was written.

    :raises RunLost: another process has taken the slot over.
    """
    _change(session, claim, lease_until=_NOW + lease, found=dict(found))


def finish(session: WriteSession, claim: Claim, *, found: Mapping[str, object]) -> None:
    """Close the slot with what it found.

    :raises RunLost: another process has taken the slot over.
    """
    _change(session, claim, state="done", lease_until=None, finished_at=_NOW, found=dict(found))


def fail(session: WriteSession, claim: Claim, *, rest: timedelta = LEASE) -> None:
    """Give the slot back as failed, to be tried again after a rest.

    :raises RunLost: another process has taken the slot over.
    """
    _change(session, claim, state="failed", lease_until=_NOW + rest)


def get(session: ReadSession, slot: Slot) -> Run | None:
    """Find a slot as it stands."""
    found = session.execute(
        sa.select(job_slot).where(job_slot.c.job == slot.job, job_slot.c.slot == slot.key)
    )
    row = found.mappings().one_or_none()
    return None if row is None else _run(row)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Slots whose moment has come and that are not done; ``failed`` of them have failed."""

    number: int
    failed: int
    oldest: datetime | None


def waiting(session: ReadSession, job: str, *, now: datetime) -> Waiting:
    """Return how many slots of a job wait, and of which moment the oldest one is."""
    found = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(job_slot.c.state == "failed"),
            sa.func.min(job_slot.c.as_of),
        ).where(job_slot.c.job == job, job_slot.c.as_of <= now, job_slot.c.state != "done")
    )
    return Waiting(*found.one())


def last_done(session: ReadSession, job: str) -> Run | None:
    """Return the newest slot of a job that is done, None when none is."""
    found = session.execute(
        sa.select(job_slot)
        .where(job_slot.c.job == job, job_slot.c.state == "done")
        .order_by(job_slot.c.as_of.desc())
        .limit(1)
    )
    row = found.mappings().one_or_none()
    return None if row is None else _run(row)


def forget(session: WriteSession, job: str, *, before: datetime) -> int:
    """Take away the slots of a job whose moment lies before an instant, and count them."""
    gone = sa.delete(job_slot).where(job_slot.c.job == job, job_slot.c.as_of < before)
    return len(session.execute(gone.returning(job_slot.c.slot)).all())


def page(
    session: ReadSession, *, job: str | None, before: tuple[datetime, str] | None, limit: int
) -> list[Run]:
    """Return slots, newest first, beginning after a place (``as_of``, job) of that order."""
    wanted = sa.select(job_slot).order_by(job_slot.c.as_of.desc(), job_slot.c.job.desc())
    if job is not None:
        wanted = wanted.where(job_slot.c.job == job)
    if before is not None:
        wanted = wanted.where(sa.tuple_(job_slot.c.as_of, job_slot.c.job) < before)
    return [_run(row) for row in session.execute(wanted.limit(limit)).mappings()]


def _take(
    session: WriteSession,
    job: str,
    which: sa.ColumnElement[bool],
    *,
    owner: str,
    lease: timedelta,
) -> Claim | None:
    taken = session.execute(
        sa.update(job_slot)
        .where(job_slot.c.job == job, which)
        .values(
            state="running",
            owner=owner,
            fence=job_slot.c.fence + 1,
            lease_until=_NOW + lease,
            started_at=sa.func.coalesce(job_slot.c.started_at, _NOW),
            finished_at=None,
        )
        .returning(job_slot.c.slot, job_slot.c.as_of, job_slot.c.fence, job_slot.c.found)
    ).one_or_none()
    if taken is None:
        return None
    return Claim(job, taken.slot, taken.as_of, taken.fence, taken.found)


def _change(session: WriteSession, claim: Claim, **values: object) -> None:
    mine = session.execute(
        sa.update(job_slot)
        .where(
            job_slot.c.job == claim.job,
            job_slot.c.slot == claim.slot,
            job_slot.c.fence == claim.fence,
            job_slot.c.state == "running",
        )
        .values(values)
        .returning(job_slot.c.slot)
    )
    if mine.one_or_none() is None:
        raise RunLost(job=claim.job, slot=claim.slot)


def _run(row: sa.RowMapping) -> Run:
    return Run(
        job=row["job"],
        slot=row["slot"],
        as_of=row["as_of"],
        state=row["state"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        found=row["found"],
        takeovers=max(0, row["fence"] - 1),
    )
