"""How far each source that we ask ourselves has been read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Conflict
from app.store.session import ReadSession, WriteSession
from app.store.tables import pull_state


@dataclass(eq=False, kw_only=True)
class PullBusy(Conflict):
    """Another process is pulling from this source; what it has taken stands."""

    code: ClassVar[str] = "pull.busy"


@dataclass(frozen=True, slots=True)
class PullState:
    """How far a source has been read.

    Every change up to ``cursor`` has been read. A pull under way has read the pages before
    ``next_page`` and will have reached ``reaching``; ``version`` settles who goes on.
    """

    source_id: int
    feed: str
    cursor: datetime | None
    reaching: datetime | None
    next_page: int
    version: int
    counts: Mapping[str, int]
    updated_at: datetime
    succeeded_at: datetime | None


def ensure(session: WriteSession, source_id: int, feed: str, *, now: datetime) -> PullState:
    """Return how far a source was read, from nothing if it never was."""
    session.execute(
        insert(pull_state)
        .values(source_id=source_id, feed=feed, updated_at=now)
        .on_conflict_do_nothing()
    )
    found = find(session, source_id, feed)
    if found is None:
        raise LookupError(feed)
    return found


def find(session: ReadSession, source_id: int, feed: str) -> PullState | None:
    """Find how far a source was read."""
    row = session.execute(
        sa.select(pull_state).where(pull_state.c.source_id == source_id, pull_state.c.feed == feed)
    )
    found = row.mappings().one_or_none()
    return None if found is None else _state(found)


def change(
    session: WriteSession, state: PullState, values: Mapping[str, Any], *, now: datetime
) -> PullState:
    """Note how far a source is read, in the transaction of what was read.

    :raises PullBusy: somebody else has changed it since it was read.
    """
    changed = session.execute(
        sa.update(pull_state)
        .where(
            pull_state.c.source_id == state.source_id,
            pull_state.c.feed == state.feed,
            pull_state.c.version == state.version,
        )
        .values({**values, "version": state.version + 1, "updated_at": now})
        .returning(pull_state)
    )
    row = changed.mappings().one_or_none()
    if row is None:
        raise PullBusy
    return _state(row)


def _state(row: sa.RowMapping) -> PullState:
    return PullState(**{name: row[name] for name in PullState.__slots__})
