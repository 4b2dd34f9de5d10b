"""How often an event is offered to a receiver, and what its answer means.

The schedule is that of the Standard Webhooks specification: ten attempts over 75.5 hours.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The wait after the first, second, … failed attempt; after the last one there is no other."""

JITTER: Final = 0.1
CLAIM: Final = timedelta(seconds=60)
"""For so long a claimed mail is left to whoever claimed it."""
CLAIM_OF_EVENT: Final = timedelta(seconds=30)
"""The same for an event, of which an attempt ends within 15 seconds."""
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
FAILURES_FORGIVEN: Final = 2
"""So many failures in a row are a receiver's bad moment; from the next on it rests."""
BREATH: Final = timedelta(seconds=1)
SHORTEST_REST: Final = timedelta(seconds=5)
LONGEST_REST: Final = timedelta(seconds=30)
LONG_FAILING: Final = 120
"""After so many failures in a row, about an hour, a receiver is asked less often."""
REST_OF_LONG_FAILING: Final = timedelta(minutes=5)
GONE: Final = 410


class Failure(StrEnum):
    """Why an attempt got no acknowledgement; permanent codes, shown in the delivery log."""

    STATUS = "status"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    ADDRESS_REFUSED = "address_refused"
    NAME_UNKNOWN = "name_unknown"
    ANSWER_INVALID = "answer_invalid"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 -- a code, no secret
    REMOVED = "receiver_removed"
    GIVEN_UP = "given_up"
    RECIPIENT_REFUSED = "recipient_refused"


@dataclass(frozen=True, slots=True)
class Letter:
    """One attempt to be made: what is sent where, signed with which secrets, dated when."""

    event_id: UUID
    url: str
    body: bytes
    secrets: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or the reason for which there is none."""

    status: int | None
    failure: Failure | None
    milliseconds: int
    retry_after: timedelta | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether the receiver said 2xx; nothing else counts, redirects neither."""
        return self.failure is None

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver asked never to be called again."""
        return self.status == GONE


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits: events or mails pending and dead, and since when the oldest has been due."""

    pending: int
    dead: int
    oldest_due_at: datetime | None


def answered(status: int, *, milliseconds: int, retry_after: timedelta | None = None) -> Answer:
    """Return the answer that a status code is."""
    good = 200 <= status < 300
    return Answer(status, None if good else Failure.STATUS, milliseconds, retry_after)


def wait_after(tries: int, event_id: UUID) -> timedelta | None:
    """Return the wait after so many failed tries, None when there is no other try.

    Up to a tenth is added, the same for the same event and try, so that the events of one night
    do not come back all at once.
    """
    if not 1 <= tries <= len(WAITS):
        return None
    seed = hashlib.sha256(f"{event_id}:{tries}".encode()).digest()
    share = int.from_bytes(seed[:4]) / 2**32
    return WAITS[tries - 1] * (1 + JITTER * share)


def next_try_at(*, tries: int, event_id: UUID, answer: Answer, now: datetime) -> datetime | None:
    """Return when a failed event is tried again, None when it is given up.

    The receiver's ``Retry-After`` lengthens the wait, up to a day; it never shortens it.
    """
    wait = wait_after(tries, event_id)
    if wait is None or answer.is_gone:
        return None
    asked = min(answer.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    return now + max(wait, asked)


def rest_until(*, failures: int, answer: Answer, now: datetime) -> datetime:
    """Return until when a receiver that failed so often in a row is left alone.

    A failure or two in a row are no reason to rest. The rest is short, so that a receiver that is
    well again is found within a minute, and, of one that has failed for an hour, long enough to
    cost little.
    """
    asked = min(answer.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    in_earnest = failures - FAILURES_FORGIVEN
    if in_earnest < 1:
        return now + max(BREATH, asked)
    doubled = SHORTEST_REST * (1 << min(in_earnest - 1, 10))
    longest = REST_OF_LONG_FAILING if failures > LONG_FAILING else LONGEST_REST
    return now + max(min(doubled, longest), asked)
