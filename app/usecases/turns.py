"""Large batches take turns, for those that come together often tell of the same dossiers.

Side by side, the one that comes second finds its dossiers changed when it claims them, and does its
whole round again; and one alone keeps both the interpreter and the database at work, for PostgreSQL
writes a part of it while the next one is folded. A batch is read within its turn: if it is read
beside another that is folded, it takes the interpreter away from that one each time a part goes to
the database.
Batches of one key that come together share a transaction instead (``usecases.coalescing``); turns
are for those of different keys, and for one that has its own because of its Idempotency-Key.
A turn is taken before the transaction begins, so whoever waits for one holds no lock, and it is a
courtesy: a batch that has waited for long goes on beside the others.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

LARGE: Final = 100
"""Batches of fewer records than this wait for nobody."""
PLACES: Final = 1
"""Large batches under way at once; a second one loses more races than it gains from the waits."""
PATIENCE_SECONDS: Final = 5.0
"""After so long a wait a batch goes on without a turn of its own."""


class Turns:
    """So many places for large batches, in one process."""

    def __init__(self, places: int, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Prepare the places."""
        self._free = threading.BoundedSemaphore(places)
        self._patience = patience_seconds

    @contextlib.contextmanager
    def of(self, records: int) -> Iterator[bool]:
        """Hold a place for a batch of so many records; tell whether there is one to give back."""
        has_place = records >= LARGE and self._free.acquire(timeout=self._patience)
        try:
            yield has_place
        finally:
            if has_place:
                self._free.release()


BATCHES: Final = Turns(PLACES)
"""The turns of this process."""
