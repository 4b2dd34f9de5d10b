"""Fold every dossier again from its record and compare with what is stored.

The record of what senders told us is all that is needed: a rebuild must give the same rows, to the
last edge. A difference is a bug, or a row that somebody changed by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.sameness import Key
from app.store import access, dossiers
from app.store.session import ReadSession, WriteSession
from app.usecases import ingest
from app.usecases.ingest import Sender

BATCH: Final = 500
MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: how many dossiers were folded, and which differ (the first 100)."""

    looked_at: int
    differ: int
    named: tuple[Key, ...]


def compare(session: ReadSession, *, progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Fold every dossier again and compare; nothing is changed."""
    looked_at, found = 0, list[Key]()
    after: Key | None = None
    while keys := dossiers.page_keys(session, after=after, limit=BATCH):
        after = keys[-1]
        looked_at += len(keys)
        rows, readings = ingest.folded_rows(session, keys)
        differ = dossiers.differing(session, keys, rows=rows, readings=readings)
        found += sorted(differ | ingest.not_found_by_number(session, keys))
        progress(looked_at)
    return Rebuilt(looked_at, len(found), tuple(found[:MOST_NAMED]))


def repair(session: WriteSession, keys: tuple[Key, ...], *, now: datetime) -> int:
    """Store dossiers as their record gives them; what was believed is kept with its time."""
    ingest.refold(session, keys, by=Sender(0, None, None, *access.WHOLE), now=now)
    return len(keys)
