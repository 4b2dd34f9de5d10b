"""How much one sender may ask in a minute."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import ClassVar, Final

from app.domain.errors import AppError

WINDOW: Final = timedelta(minutes=1)
TRACKED: Final = 10_000


@dataclass(eq=False, kw_only=True)
class QuotaExceeded(AppError):
    """The sender has asked as often as it may for now."""

    code: ClassVar[str] = "request.quota_exceeded"
    limit: int
    window_seconds: int
    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a quota, and the seconds until it is whole again."""

    limit: int
    left: int
    seconds: int


class Quota:
    """Counts requests by sender in windows of a minute, in this process.

    A sender that is not seen for a minute is forgotten; beyond 10,000 of them the oldest are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    def take(self, sender: str, *, now: datetime) -> Allowance:
        """Count a request.

        :raises QuotaExceeded: the sender has used up the window.
        """
        with self._lock:
            began, used = self._window(sender, now)
            if used < self.limit:
                self._windows.pop(sender, None)  # the latest seen goes last
                self._windows[sender] = (began, used + 1)
                if len(self._windows) > TRACKED:
                    self._windows.pop(next(iter(self._windows)))
        return self._allowance(began, used + 1, now)

    def _window(self, sender: str, now: datetime) -> tuple[datetime, int]:
        began, used = self._windows.get(sender, (now, 0))
        return (began, used) if timedelta(0) <= now - began < WINDOW else (now, 0)

    def _allowance(self, began: datetime, used: int, now: datetime) -> Allowance:
        seconds = ceil((began + WINDOW - now).total_seconds())
        if used > self.limit:
            raise QuotaExceeded(
                limit=self.limit,
                window_seconds=int(WINDOW.total_seconds()),
                retry_after_seconds=seconds,
            )
        return Allowance(self.limit, self.limit - used, seconds)
