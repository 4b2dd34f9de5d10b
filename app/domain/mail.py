"""Mails to offices: to whom, when a digest is due, and what makes a mail the same mail again.

A digest (bản tin tổng hợp) belongs to one subscription and one *slot*: a local day whose office
hours have begun, or a time of such a day that the office has set up. Its id is made from these
alone, so whoever sends it, however often, sends the same one.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from app.domain.calendar import CalendarNeverOpens, CalendarYearMissing, WorkCalendar
from app.domain.delivery import Failure
from app.domain.errors import Invalid

NAMESPACE: Final = uuid.UUID("0a4f8f0e-6b6e-5c55-9b0e-2f6d0d2f3c77")
"""What makes our mail ids ours; it never changes."""

LOOK_BACK_DAYS: Final = 14
"""Office hours that began longer ago than this are not looked for."""
WITHOUT_CALENDAR: Final = time(8)
"""When a digest is sent on weekdays of a year whose calendar is missing: no figure rests on it."""
WEEKEND: Final = 5
LONG_DAY: Final = timedelta(hours=9)
"""How long an office is taken to be open on a day whose calendar is missing."""
AFTERWARDS: Final = timedelta(hours=1)
"""For so long a digest may follow a time that the office has set up after it has closed."""
SETTLING: Final = timedelta(minutes=5)
"""Alerts younger than this wait for the next digest: their transaction may still be open."""

_ADDRESS = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
LONGEST_ADDRESS: Final = 254


REST: Final = timedelta(seconds=30)
"""For so long a mail server that is away is left alone."""
AWAY: Final = frozenset({Failure.CONNECTION, Failure.TIMEOUT, Failure.TLS, Failure.NAME_UNKNOWN})
"""Failures of the server and not of the mail: they use up none of its tries."""


class MailKind(StrEnum):
    """What a mail is for."""

    CONFIRMATION = "confirmation"
    DIGEST = "digest"


class Topic(StrEnum):
    """What a digest may tell of (nội dung bản tin)."""

    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    SOURCE_SILENT = "source_silent"


class MailState(StrEnum):
    """Where a mail stands; what is ``dead`` was given up and stays visible."""

    PENDING = "pending"
    SENT = "sent"
    EMPTY = "empty"
    SUPERSEDED = "superseded"
    DEAD = "dead"


@dataclass(eq=False, kw_only=True)
class AddressInvalid(Invalid):
    """The address is no plain mail address of ASCII letters."""

    code: ClassVar[str] = "subscription.address_invalid"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it goes out."""

    id: uuid.UUID
    message_id: str
    to: str
    subject: str
    text: str
    html: str
    at: datetime
    leave_url: str | None = None
    """Where one press ends the subscription (RFC 8058)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which a digest goes out: what names it, and the instant."""

    key: str
    at: datetime


def read_address(told: str) -> str:
    """Return an address with its domain in small letters.

    :raises AddressInvalid: it is none that we would write into a header.
    """
    address = told.strip()
    if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address) or ".." in address:
        raise AddressInvalid
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


def domain_of(address: str) -> str:
    """Return the domain of an address."""
    return address.rpartition("@")[2]


def masked(address: str) -> str:
    """Return as much of an address as may be shown: its first letter and its domain."""
    return f"{address[:1]}***@{domain_of(address)}"


def mail_id(*, subscription: uuid.UUID, kind: MailKind, slot: str) -> uuid.UUID:
    """Return the stable id of a mail."""
    return uuid.uuid5(NAMESPACE, "\x1f".join((str(subscription), kind.value, slot)))


def message_id(mail: uuid.UUID, *, host: str) -> str:
    """Return the ``Message-ID`` by which a repeated mail is known to be the same."""
    return f"<{mail}@{host}>"


def opened(calendar: WorkCalendar, *, now: datetime, digest_at: Sequence[time] = ()) -> Slot | None:
    """Return the slot that began last, None when none did of late.

    :param digest_at: local times of a working day; with its opening when there is none.
    """
    today = calendar.local_date(now)
    for back in range(LOOK_BACK_DAYS + 1):
        begun = [
            slot
            for slot in _slots(calendar, today - timedelta(days=back), digest_at)
            if slot.at <= now
        ]
        if begun:
            return begun[-1]
    return None


def look_again_at(
    calendar: WorkCalendar, *, now: datetime, digest_at: Sequence[time] = ()
) -> datetime:
    """Return when to ask for a slot again: at the next one of today, else tomorrow."""
    today = calendar.local_date(now)
    to_come = [slot.at for slot in _slots(calendar, today, digest_at) if slot.at > now]
    if to_come:
        return to_come[0]
    return datetime.combine(today + timedelta(days=1), time(), ZoneInfo(calendar.zone))


def closes_at(
    calendar: WorkCalendar, *, now: datetime, digest_at: Sequence[time] = ()
) -> datetime | None:
    """Return until when digests may go out on the day of ``now``, None on a day off.

    That is the closing of the office, or an hour after the last time that it has set up.
    """
    today = calendar.local_date(now)
    slots = _slots(calendar, today, digest_at)
    if not slots:
        return None
    begins = _begins(calendar, today) or slots[0].at
    try:
        closes = calendar.sessions_on(today)[-1][1]
    except (CalendarYearMissing, IndexError):
        closes = begins + LONG_DAY
    return max(closes, slots[-1].at + AFTERWARDS)


def is_open_for_mail(
    calendar: WorkCalendar, *, now: datetime, digest_at: Sequence[time] = ()
) -> bool:
    """Tell whether a digest may go out now: on a working day, from its first slot to closing."""
    closes = closes_at(calendar, now=now, digest_at=digest_at)
    if closes is None or now >= closes:
        return False
    return _slots(calendar, calendar.local_date(now), digest_at)[0].at <= now


def _slots(calendar: WorkCalendar, day: date, digest_at: Sequence[time]) -> list[Slot]:
    """Return the slots of a day, none when the office is closed."""
    begins = _begins(calendar, day)
    if begins is None:
        return []
    if not digest_at:
        return [Slot(day.isoformat(), begins)]
    zone = ZoneInfo(calendar.zone)
    return [
        Slot(f"{day.isoformat()}T{at:%H:%M}", datetime.combine(day, at, zone))
        for at in sorted(set(digest_at))
    ]


def _begins(calendar: WorkCalendar, day: date) -> datetime | None:
    """Return when a day's office hours begin, None when it has none."""
    try:
        sessions = calendar.sessions_on(day) if calendar.is_working_day(day) else ()
    except (CalendarYearMissing, CalendarNeverOpens):
        if day.weekday() >= WEEKEND:
            return None
        return datetime.combine(day, WITHOUT_CALENDAR, ZoneInfo(calendar.zone))
    return sessions[0][0] if sessions else None
