"""Several processes take in one file: the same end, whatever happens to one of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.store import imports as jobs
from app.store.imports import Job
from app.store.session import Database, StorageUnavailable
from app.usecases import imports, rebuild
from app.usecases.imports import Order, Prepared
from app.usecases.ingest import Sender
from app.usecases.lanes import Crew, CrewBroken, Post
from tests.files import as_csv, row
from tests.usecases.test_imports import begin, settle

ROWS = 400


def clock() -> datetime:
    """Tell the same moment in every process."""
    return datetime(2026, 8, 10, 1, tzinfo=UTC)


def prepared_file() -> Prepared:
    rows: list[list[object]] = [row(n) for n in range(ROWS)]
    for place in range(0, ROWS, 10):
        rows[place][6] = "31/02/2026"
    rows[5] = [None, "Tổng cộng", ROWS]
    return imports.prepare(Order(as_csv(rows)))


@contextmanager
def crew_of(
    database: Database, job: Job, prepared: Prepared, by: Sender, size: int = 2
) -> Iterator[Crew]:
    post = Post(database.address, prepared.task(job, by=by), b"a secret of the tests", clock)
    with Crew(size, post) as crew:
        yield crew


def test_a_crew_stores_what_one_process_would(fresh_database: Database) -> None:
    by, prepared = settle(fresh_database), prepared_file()
    job = begin(fresh_database, prepared, by, lanes=4)

    with crew_of(fresh_database, job, prepared, by) as crew:
        pids = crew.pids
        *_, last = imports.taken_by(crew, fresh_database, job, prepared, clock=clock, batch=30)

    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert (last.state, last.next_row, last.taken) == (jobs.DONE, ROWS + 2, ROWS)
    assert last.counts == {
        "accepted": 359,
        "unchanged": 0,
        "stale": 0,
        "quarantined": 40,
        imports.SET_ASIDE: 1,
    }
    with fresh_database.read() as session:
        refused = imports.refusals(session, last)
        assert [one.row for one in refused] == list(range(2, ROWS + 2, 10))
        assert session.scalar(text("SELECT count(*) FROM dossier_record")) == 359
        assert rebuild.compare(session).differ == 0


def test_a_process_that_is_killed_ends_the_import_and_the_same_file_goes_on(
    fresh_database: Database,
) -> None:
    by, prepared = settle(fresh_database), prepared_file()
    job = begin(fresh_database, prepared, by, lanes=4)
    with (
        pytest.raises(CrewBroken),
        crew_of(fresh_database, job, prepared, by) as crew,
    ):
        batches = imports.taken_by(crew, fresh_database, job, prepared, clock=clock, batch=20)
        next(batches)
        os.kill(crew.pids[0], signal.SIGKILL)
        list(batches)

    found = begin(fresh_database, prepared, by)
    with crew_of(fresh_database, found, prepared, by) as crew:
        *_, last = imports.taken_by(crew, fresh_database, found, prepared, clock=clock)

    assert 0 < found.taken < ROWS
    assert (last.state, last.taken) == (jobs.DONE, ROWS)
    assert (last.counts["accepted"], last.counts["quarantined"]) == (359, 40)
    with fresh_database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM dossier_record")) == 359
        assert rebuild.compare(session).differ == 0


def test_what_a_process_is_refused_is_told_as_if_it_had_happened_here(
    fresh_database: Database,
) -> None:
    by, prepared = settle(fresh_database), prepared_file()
    job = begin(fresh_database, prepared, by, lanes=2)
    away = Database("postgresql+psycopg://nobody@/nothing?host=/nowhere")

    with pytest.raises(StorageUnavailable), crew_of(away, job, prepared, by) as crew:
        list(imports.taken_by(crew, fresh_database, job, prepared, clock=clock))

    away.dispose()


def test_neither_secret_nor_password_is_shown(fresh_database: Database) -> None:
    database = Database("postgresql+psycopg://me:hush@/nothing?host=/nowhere")
    by, prepared = settle(fresh_database), prepared_file()
    task = prepared.task(begin(fresh_database, prepared, by), by=by)

    assert "hush" not in repr(Post(database.address, task, b"hush", clock))
    database.dispose()
