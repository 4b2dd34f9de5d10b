"""The nights of the nightly job: which there are, and at which instant each looks.

The night of a day looks at the world as it stands at 01:00 of that day, local time: the day has
begun, so a dossier that was due the day before is late and an officer finds it in the morning.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import ClassVar, Final

from app.domain.dossier import ZONE
from app.domain.errors import Invalid

NIGHTLY: Final = "nightly"
LOOKS_AT: Final = time(1)
LOOK_BACK_DAYS: Final = 400


@dataclass(eq=False, kw_only=True)
class NightToCome(Invalid):
    """The night asked for has not begun; what will be is not guessed."""

    code: ClassVar[str] = "run.night_to_come"
    day: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One run that a job owes: the local day that names it, and the moment of observation."""

    job: str
    key: str
    as_of: datetime


def night_of(day: date) -> Slot:
    """Return the night that belongs to a local day."""
    return Slot(NIGHTLY, day.isoformat(), datetime.combine(day, LOOKS_AT, ZONE))


def night_by_hand(day: date, *, now: datetime) -> Slot:
    """Return the night of a day that an operator names.

    :raises NightToCome: the day has not begun.
    """
    if day > now.astimezone(ZONE).date():
        raise NightToCome(day=day.isoformat())
    return night_of(day)


def nights_owed(last: date | None, *, now: datetime) -> list[Slot]:
    """Return the nights after the last one known, oldest first, as far as they have come.

    The first time, that is only the newest night; after a long silence, at most the last
    ``LOOK_BACK_DAYS``.
    """
    local = now.astimezone(ZONE)
    newest = local.date() if local.time() >= LOOKS_AT else local.date() - timedelta(days=1)
    oldest = newest - timedelta(days=LOOK_BACK_DAYS - 1)
    first = newest if last is None else max(last + timedelta(days=1), oldest)
    return [night_of(first + timedelta(days=n)) for n in range((newest - first).days + 1)]
