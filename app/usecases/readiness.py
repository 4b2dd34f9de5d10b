"""Whether the installation may serve, and what is worth an operator's look although it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.calendar import next_year_warning
from app.domain.delivery import Backlog
from app.store import mails, outbox, schema
from app.store.session import Database, ReadSession, StorageUnavailable
from app.usecases import calendars, freshness, runs
from app.usecases.runs import Standing

LATE_NIGHT: Final = timedelta(minutes=15)
"""A night that is not done so long after its moment is worth a look."""
LATE_POST: Final = timedelta(minutes=15)
"""An event that is still not sent so long after it was due is worth a look."""
LATE_MAIL: Final = timedelta(hours=1)
"""A mail that is still not sent so long after it was due is worth a look."""
DEAD_FOR: Final = timedelta(days=1)
"""Events that died in this time are worth a look."""
SAFE: Final = frozenset({"on", "remote_write", "remote_apply", "local"})


class Check(StrEnum):
    """What must hold for the service to be ready."""

    DATABASE = "database"
    SCHEMA = "schema"
    DURABILITY = "durability"


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The checks by name, and what is degraded although the service is ready."""

    checks: Mapping[Check, Verdict]
    degraded: Mapping[str, object]
    last_nightly: str | None

    @property
    def is_ready(self) -> bool:
        """Tell whether the service may be given requests."""
        return Verdict.FAILED not in self.checks.values()


def look(database: Database, *, as_of: datetime, must_be_durable: bool) -> Readiness:
    """Check the database, its schema and the settings on which durability rests.

    :param must_be_durable: unsafe settings make the installation not ready; otherwise degraded.
    """
    checks = dict.fromkeys(Check, Verdict.SKIPPED)
    degraded: dict[str, object] = {}
    last: str | None = None
    try:
        settings = database.durability()
        checks[Check.DATABASE] = Verdict.OK
        at, head = schema.current(database), schema.head()
        checks[Check.SCHEMA] = _verdict(at == head or _is_newer(at))
        unsafe = {name: value for name, value in settings.items() if value not in SAFE}
        checks[Check.DURABILITY] = _verdict(not (unsafe and must_be_durable))
        if unsafe:
            degraded["durability"] = unsafe
        if checks[Check.SCHEMA] is Verdict.OK:
            with database.read() as session:
                nights = runs.standing_of(session, now=as_of)
                post = outbox.backlog(session, now=as_of, dead_for=DEAD_FOR)
                last = None if nights.last is None else nights.last.slot
                letters = mails.backlog(session, now=as_of, dead_for=DEAD_FOR)
                degraded |= {
                    **_behind(nights),
                    **_unsent("outbox", post, as_of, late=LATE_POST),
                    **_amiss(session, as_of),
                    **_unsent("mails", letters, as_of, late=LATE_MAIL),
                }
    except StorageUnavailable:
        checks[Check.DATABASE] = Verdict.FAILED
    return Readiness(checks=checks, degraded=degraded, last_nightly=last)


def measures_of(database: Database, *, as_of: datetime) -> Mapping[str, float]:
    """Return what is measured of nights and post, nothing while the database is away."""
    try:
        with database.read() as session:
            nights = runs.standing_of(session, now=as_of)
            post = outbox.backlog(session, now=as_of, dead_for=DEAD_FOR)
            letters = mails.backlog(session, now=as_of, dead_for=DEAD_FOR)
    except StorageUnavailable:
        return {}
    told = {"pending": letters.pending, "dead": letters.dead}
    return {
        **_measures(nights, post, as_of),
        **{f"dunghan_mails_{name}": float(number) for name, number in told.items()},
    }


def _measures(nights: Standing, post: Backlog, as_of: datetime) -> dict[str, float]:
    """Return what is measured of nights and post, by names of measures."""
    oldest = post.oldest_due_at
    return {
        "dunghan_nightly_last_as_of_seconds": (
            0.0 if nights.last is None else nights.last.as_of.timestamp()
        ),
        "dunghan_nightly_lag_seconds": nights.lag.total_seconds(),
        "dunghan_nightly_waiting": float(nights.waiting),
        "dunghan_nightly_failed": float(nights.failed),
        "dunghan_outbox_pending": float(post.pending),
        "dunghan_outbox_dead": float(post.dead),
        "dunghan_outbox_lag_seconds": (0.0 if oldest is None else (as_of - oldest).total_seconds()),
    }


def _behind(nights: Standing) -> dict[str, object]:
    """Return which night is missing, nothing while none is."""
    if not nights.is_behind or nights.lag <= LATE_NIGHT:
        return {}
    return {
        "nightly": {
            "last": None if nights.last is None else nights.last.slot,
            "expected": nights.expected,
            "waiting": nights.waiting,
            "failed": nights.failed,
        }
    }


def _unsent(name: str, backlog: Backlog, as_of: datetime, *, late: timedelta) -> dict[str, object]:
    """Return how far events or mails are behind, under their name; nothing while they are not."""
    oldest = backlog.oldest_due_at
    if not backlog.dead and (oldest is None or as_of - oldest <= late):
        return {}
    return {
        name: {
            "pending": backlog.pending,
            "dead": backlog.dead,
            "oldest_due_at": None if oldest is None else oldest.isoformat(),
        }
    }


def _amiss(session: ReadSession, as_of: datetime) -> dict[str, object]:
    """Return what else does not hinder the service and still is worth a look."""
    found: dict[str, object] = {}
    warning = next_year_warning(calendars.state_calendar(session), as_of)
    if warning is not None:
        year, status = warning.year, warning.status.value
        found["calendar"] = {"id": warning.calendar, "year": year, "status": status}
    silent = freshness.silent_sources(session, now=as_of)
    if silent:
        found["silent_sources"] = {name: since.isoformat() for name, since in silent.items()}
    return found


def _verdict(holds: bool) -> Verdict:
    return Verdict.OK if holds else Verdict.FAILED


def _is_newer(revision: str | None) -> bool:
    """Tell whether the schema is ahead of this code, which a newer version beside us may do."""
    return revision is not None and revision not in schema.revisions()
