"""The runs that are owed: the nights, and the hours between them.

The night of a day looks at the world as it stands at 01:00 of that day, local time: the day has
begun, so a dossier that was due the day before is late and an officer finds it in the morning.
Every stage begins with a local day, so the night meets all of them in time.

The hours of the day, 07:00 to 17:00, look for warnings only, for dossiers that reach the service
or resume while the day goes on. An hour that was missed is not made up for: the next one, or the
night, sees what it would have seen.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import ClassVar, Final

from app.domain.dossier import ZONE
from app.domain.errors import Invalid

NIGHTLY: Final = "nightly"
HOURLY: Final = "hourly"
LOOKS_AT: Final = time(1)
FIRST_HOUR: Final = 7
LAST_HOUR: Final = 17
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
    newest = date.fromisoformat(newest_night(now=now).key)
    oldest = newest - timedelta(days=LOOK_BACK_DAYS - 1)
    first = newest if last is None else max(last + timedelta(days=1), oldest)
    return [night_of(first + timedelta(days=n)) for n in range((newest - first).days + 1)]


def newest_night(*, now: datetime) -> Slot:
    """Return the newest night that has come: today's from 01:00 on, yesterday's before."""
    local = now.astimezone(ZONE)
    has_come = local.time() >= LOOKS_AT
    return night_of(local.date() if has_come else local.date() - timedelta(days=1))


def hour_owed(*, now: datetime) -> Slot | None:
    """Return the look of the present hour, None outside the hours of the day."""
    local = now.astimezone(ZONE)
    if not FIRST_HOUR <= local.hour <= LAST_HOUR:
        return None
    as_of = local.replace(minute=0, second=0, microsecond=0)
    return Slot(HOURLY, f"{as_of:%Y-%m-%dT%H}", as_of)
