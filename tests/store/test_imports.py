"""How far a file was taken in, settled between writers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.store import imports
from app.store.imports import ImportBusy, ImportUnknown, Job
from app.store.session import WriteSession

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
JOB = Job(
    id=UUID(int=1),
    source_id=1,
    unit_id=5,
    unit_lft=50,
    file_hash=b"x",
    mapping={"sheet": None, "header_row": 1, "columns": []},
    state=imports.RUNNING,
    next_row=2,
    total_rows=9,
    counts={},
    actor="t",
    started_at=NOW,
    updated_at=NOW,
    finished_at=None,
)


def test_the_same_file_finds_the_job_that_was_begun(session: WriteSession) -> None:
    first = imports.begin(session, JOB)
    moved = imports.advance(session, first, next_row=7, counts={"accepted": 5}, now=NOW)

    found = imports.begin(session, replace(JOB, id=UUID(int=2)))

    assert found == moved
    assert (found.id, found.next_row, found.counts) == (JOB.id, 7, {"accepted": 5})


def test_who_advances_from_an_old_place_has_lost(session: WriteSession) -> None:
    job = imports.begin(session, JOB)
    imports.advance(session, job, next_row=3, counts={}, now=NOW)

    with pytest.raises(ImportBusy):
        imports.advance(session, job, next_row=3, counts={}, now=NOW)
    with pytest.raises(ImportBusy):
        imports.finish(session, job, now=NOW)


def test_a_job_is_seen_only_within_its_units(session: WriteSession) -> None:
    imports.begin(session, JOB)

    assert imports.get(session, JOB.id, lft=50, rgt=60).id == JOB.id
    for lft, rgt in ((0, 49), (51, 99)):
        with pytest.raises(ImportUnknown):
            imports.get(session, JOB.id, lft=lft, rgt=rgt)


def test_a_job_begun_again_forgets_its_refusals(session: WriteSession) -> None:
    job = imports.begin(session, JOB)
    imports.add_refusals(session, job, [(4, UUID(int=9))])
    done = imports.finish(session, job, now=NOW + timedelta(minutes=1))

    again = imports.restart(session, done, next_row=2, now=NOW + timedelta(minutes=2))

    assert (done.state, again.state, again.finished_at) == (imports.DONE, imports.RUNNING, None)
    imports.add_refusals(session, again, [(4, UUID(int=9))])
