"""Runs of the nightly job: planned, taken, worked through, asked for, listed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from app.domain.night import (
    HOURLY,
    NIGHTLY,
    Slot,
    hour_owed,
    newest_night,
    night_by_hand,
    night_of,
    nights_owed,
)
from app.store import runs
from app.store.runs import Claim, Run
from app.store.session import Database, ReadSession, WriteSession
from app.usecases import overdue
from app.usecases.overdue import BATCH

MANY_NIGHTS: Final = 7
"""More missed nights than this are worth a warning."""
CATCH_UP: Final = timedelta(hours=1)
"""A run that begins later than this after its moment makes up for one that was missed."""
HOURS_KEPT: Final = timedelta(days=40)
"""For so long the looks of the day stay in the list of runs."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What working on a run needs beside the database: the present, and a name to work under."""

    clock: Callable[[], datetime]
    owner: str
    batch: int = BATCH


def plan_nights(session: WriteSession, *, now: datetime) -> int:
    """Write the nights that are owed since the last one known, and count them."""
    last = runs.newest(session, NIGHTLY)
    owed = nights_owed(None if last is None else date.fromisoformat(last), now=now)
    return runs.plan(session, owed)


def claim_night(session: WriteSession, *, owner: str, now: datetime) -> Claim | None:
    """Take the oldest night that waits, None when none does or another works on it."""
    return runs.claim_oldest(session, NIGHTLY, owner=owner, now=now)


def plan_hour(session: WriteSession, *, now: datetime) -> int:
    """Write the look of the present hour if one is owed, and forget those of long ago."""
    owed = hour_owed(now=now)
    if owed is None:
        return 0
    planned = runs.plan(session, [owed])
    if planned:
        runs.forget(session, HOURLY, before=now - HOURS_KEPT)
    return planned


def claim_hour(session: WriteSession, *, owner: str, now: datetime) -> Claim | None:
    """Take the look of the present hour if it waits; earlier ones are let go.

    The night takes precedence: while one is being done or waits to be, nothing is taken.
    """
    owed = hour_owed(now=now)
    nights = runs.waiting(session, NIGHTLY, now=now)
    if owed is None or nights.number > nights.failed:
        return None
    return runs.claim_slot(session, owed, owner=owner)


def claim_named_night(session: WriteSession, day: date, *, owner: str, now: datetime) -> Claim:
    """Take the night of a day, done before or not.

    :raises NightToCome: the day has not begun.
    :raises RunBusy: another process works on it.
    """
    return runs.claim_named(session, night_by_hand(day, now=now), owner=owner)


def work(database: Database, claim: Claim, duty: Duty) -> None:
    """Work a claimed night through, batch by batch, each in a transaction of its own.

    It takes the database and not a session: one transaction over all dossiers would hold its
    locks for as long, and a crash would throw everything away.

    :raises RunLost: another process has taken the night over; it will finish it.
    """
    with database.read() as session:
        step = overdue.first_step(session, claim, now=duty.clock())
    while True:
        with database.begin() as session:
            step = overdue.flag_overdue(
                session,
                claim=claim,
                step=step,
                now=duty.clock(),
                batch=duty.batch,
            )
        if step.after is None:
            return


def run_named_night(database: Database, day: date, duty: Duty) -> Run:
    """Do the night of a day now, done before or not, and return what it found.

    It takes the database for the reason that ``work`` does.

    :raises NightToCome: the day has not begun.
    :raises RunBusy: another process works on it.
    :raises RunLost: another process took it over.
    """
    now = duty.clock()
    with database.begin() as session:
        claim = claim_named_night(session, day, owner=duty.owner, now=now)
    work(database, claim, duty)
    with database.read() as session:
        return get_night(session, night_by_hand(day, now=now))


def run_due_nights(database: Database, duty: Duty) -> list[Run]:
    """Plan the nights that are owed, do those that wait, oldest first, and return them.

    It takes the database for the reason that ``work`` does.

    :raises RunLost: another process took one over.
    """
    done: list[Run] = []
    with database.begin() as session:
        plan_nights(session, now=duty.clock())
    while True:
        with database.begin() as session:
            claim = claim_night(session, owner=duty.owner, now=duty.clock())
        if claim is None:
            return done
        work(database, claim, duty)
        with database.read() as session:
            done.append(get_night(session, Slot(claim.job, claim.slot, claim.as_of)))


def get_night(session: ReadSession, slot: Slot) -> Run:
    """Return a night as it stands.

    :raises LookupError: it was never planned.
    """
    found = runs.get(session, slot)
    if found is None:
        raise LookupError(slot.key)
    return found


def fail(session: WriteSession, claim: Claim) -> None:
    """Give a night back as failed, to be tried again after a rest."""
    runs.fail(session, claim)


def list_runs(
    session: ReadSession, *, job: str | None, before: tuple[datetime, str] | None, limit: int
) -> tuple[list[Run], bool]:
    """Return a page of runs, newest first, and whether there are more."""
    found = runs.page(session, job=job, before=before, limit=limit + 1)
    return found[:limit], len(found) > limit


def lag_of(run: Run, *, now: datetime) -> timedelta:
    """Return how long after its moment a run began, or has not begun yet."""
    return max(timedelta(), (run.started_at or now) - run.as_of)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the nights stand: the last one done, and how many wait since when."""

    last: Run | None
    expected: str
    waiting: int
    failed: int
    lag: timedelta

    @property
    def is_behind(self) -> bool:
        """Tell whether a night that should be done is not."""
        return self.last is None or self.last.slot < self.expected or bool(self.waiting)


def standing_of(session: ReadSession, *, now: datetime) -> Standing:
    """Return how the nights stand; before 01:00 the newest one expected is yesterday's."""
    expected = newest_night(now=now)
    last = runs.last_done(session, NIGHTLY)
    waiting = runs.waiting(session, NIGHTLY, now=now)
    owed_since = waiting.oldest
    if owed_since is None and (last is None or last.slot < expected.key):
        owed_since = expected.as_of if last is None else night_after(last).as_of
    return Standing(
        last=last,
        expected=expected.key,
        waiting=waiting.number,
        failed=waiting.failed,
        lag=timedelta() if owed_since is None else max(timedelta(), now - owed_since),
    )


def night_after(run: Run) -> Slot:
    """Return the night after one."""
    return night_of(date.fromisoformat(run.slot) + timedelta(days=1))
