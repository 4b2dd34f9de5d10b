"""How far sources were read, settled between writers."""

from datetime import UTC, datetime

import pytest

from app.store import pulls
from app.store.pulls import PullBusy
from app.store.session import WriteSession

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)


def test_a_source_begins_with_nothing_read_and_keeps_what_was(session: WriteSession) -> None:
    first = pulls.ensure(session, 1, "igate", now=NOW)
    moved = pulls.change(session, first, {"next_page": 3, "counts": {"pages": 3}}, now=NOW)

    assert (first.cursor, first.next_page) == (None, 0)
    assert pulls.ensure(session, 1, "igate", now=NOW) == moved
    assert pulls.find(session, 2, "igate") is None


def test_who_speaks_from_an_old_version_has_lost(session: WriteSession) -> None:
    first = pulls.ensure(session, 1, "igate", now=NOW)
    pulls.change(session, first, {"next_page": 1}, now=NOW)

    with pytest.raises(PullBusy):
        pulls.change(session, first, {"next_page": 1}, now=NOW)
