"""Whether the installation may serve, and what is worth an operator's look although it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app.domain.calendar import next_year_warning
from app.i18n import ZONE
from app.store import runs, schema
from app.store.session import Database, ReadSession, StorageUnavailable
from app.usecases import calendars, freshness

NIGHTLY: Final = "nightly"
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
                last = runs.newest(session, NIGHTLY)
                degraded |= _amiss(session, last, as_of)
    except StorageUnavailable:
        checks[Check.DATABASE] = Verdict.FAILED
    return Readiness(checks=checks, degraded=degraded, last_nightly=last)


def _amiss(session: ReadSession, last_nightly: str | None, as_of: datetime) -> dict[str, object]:
    """Return what does not hinder the service and still is worth a look."""
    found: dict[str, object] = {}
    warning = next_year_warning(calendars.state_calendar(session), as_of)
    if warning is not None:
        year, status = warning.year, warning.status.value
        found["calendar"] = {"id": warning.calendar, "year": year, "status": status}
    today = as_of.astimezone(ZONE).date().isoformat()
    if last_nightly is None or last_nightly < today:
        found["nightly"] = {"last": last_nightly, "expected": today}
    silent = freshness.silent_sources(session, now=as_of)
    if silent:
        found["silent_sources"] = {name: since.isoformat() for name, since in silent.items()}
    return found


def _verdict(holds: bool) -> Verdict:
    return Verdict.OK if holds else Verdict.FAILED


def _is_newer(revision: str | None) -> bool:
    """Tell whether the schema is ahead of this code, which a newer version beside us may do."""
    return revision is not None and revision not in schema.revisions()
