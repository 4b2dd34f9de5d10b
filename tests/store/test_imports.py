"""How far a file was taken in, settled between writers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.store import imports
from app.store.imports import ImportBusy, ImportUnknown, Job, Lane
from app.store.session import Database, WriteSession

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
JOB = Job(
    id=UUID(int=1),
    source_id=1,
    unit_id=5,
    unit_lft=50,
    file_hash=b"x",
    mapping={"sheet": None, "header_row": 1, "columns": []},
    state=imports.RUNNING,
    total_rows=9,
    actor="t",
    started_at=NOW,
    finished_at=None,
    lanes=(Lane(0, 2, {}, NOW), Lane(1, 2, {}, NOW)),
)
LATER = NOW + timedelta(minutes=1)


def advance(session: WriteSession, job: Job, number: int, next_row: int, **counts: int) -> Job:
    lane = imports.advance(
        session, job, job.lanes[number], next_row=next_row, counts=counts, now=LATER
    )
    return job.moved(lane)


def test_the_same_file_finds_the_job_that_was_begun(session: WriteSession) -> None:
    first = imports.begin(session, JOB)
    moved = advance(session, first, 1, 7, accepted=5)

    found = imports.begin(session, replace(JOB, id=UUID(int=2), lanes=JOB.lanes[:1]))

    assert first == JOB
    assert found == moved
    assert (found.id, found.next_row, found.counts) == (JOB.id, 2, {"accepted": 5})
    assert found.updated_at == LATER


def test_a_job_is_as_far_as_its_last_lane_and_counts_all_of_them(session: WriteSession) -> None:
    job = advance(session, imports.begin(session, JOB), 0, 5, accepted=2, stale=1)

    job = advance(session, job, 1, 7, accepted=4)

    assert job.next_row == 5
    assert job.counts == {"accepted": 6, "stale": 1}
    assert imports.get(session, JOB.id, lft=50, rgt=60) == job


def test_who_advances_from_an_old_place_has_lost(session: WriteSession) -> None:
    job = imports.begin(session, JOB)
    advance(session, job, 0, 3)

    with pytest.raises(ImportBusy):
        advance(session, job, 0, 3)
    with pytest.raises(ImportBusy):
        imports.finish(session, job, next_row=9, now=NOW)


def test_who_advances_one_lane_does_not_meet_who_advances_another(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        job = imports.begin(session, JOB)

    with fresh_database.begin() as one, fresh_database.begin() as other:
        advance(one, job, 0, 4)
        advance(other, job, 1, 5)

    with fresh_database.read() as session:
        found = imports.get(session, JOB.id, lft=50, rgt=60)
    assert [lane.next_row for lane in found.lanes] == [4, 5]


def test_a_job_that_is_done_has_all_lanes_at_the_end(session: WriteSession) -> None:
    job = advance(session, imports.begin(session, JOB), 0, 9, accepted=7)

    done = imports.finish(session, job, next_row=9, now=LATER)

    assert (done.state, done.next_row, done.counts) == (imports.DONE, 9, {"accepted": 7})
    assert imports.get(session, JOB.id, lft=50, rgt=60) == done
    with pytest.raises(ImportBusy):
        imports.finish(session, job, next_row=9, now=LATER)


def test_a_job_is_seen_only_within_its_units(session: WriteSession) -> None:
    imports.begin(session, JOB)

    assert imports.get(session, JOB.id, lft=50, rgt=60).id == JOB.id
    for lft, rgt in ((0, 49), (51, 99)):
        with pytest.raises(ImportUnknown):
            imports.get(session, JOB.id, lft=lft, rgt=rgt)


def test_a_job_begun_again_forgets_its_refusals(session: WriteSession) -> None:
    job = imports.begin(session, JOB)
    imports.add_refusals(session, job, [(4, UUID(int=9))])
    done = imports.finish(session, job, next_row=9, now=LATER)

    again = imports.restart(session, done, next_row=2, now=NOW + timedelta(minutes=2))

    assert (done.state, again.state, again.finished_at) == (imports.DONE, imports.RUNNING, None)
    assert (again.next_row, again.counts) == (2, {})
    imports.add_refusals(session, again, [(4, UUID(int=9))])
