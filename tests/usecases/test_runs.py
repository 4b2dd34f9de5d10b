"""Nights, worked on by several, killed and done again."""

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.domain.night import night_by_hand, night_of
from app.store import runs as slots
from app.store.runs import RunBusy
from app.store.session import Database
from app.store.tables import alert, job_slot, outbox, webhook
from app.usecases import runs
from app.usecases.runs import Duty
from tests.factories import add_dossiers, dossier_row, local, make_source, make_unit

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 8, 7)
NOW = local(DAY, 8)
DOSSIERS, KILLS, SEED = 300, 6, 20260807

PROGRAM = """
import sys
from datetime import datetime
from app.store.session import Database
from app.usecases import runs

now = datetime.fromisoformat(sys.argv[2])

def clock():
    print("tick", flush=True)
    sys.stdin.readline()  # so that it cannot run ahead of who will kill it
    return now

duty = runs.Duty(clock=clock, owner="killed", batch=10)
runs.run_due_nights(Database(sys.argv[1]), duty)
print("done", flush=True)
"""


def duty(owner: str = "test", at: datetime = NOW, batch: int = 500) -> Duty:
    return Duty(clock=lambda: at, owner=owner, batch=batch)


def fill(database: Database, count: int) -> None:
    with database.begin() as session:
        province = make_unit(session)
        commune = make_unit(session, "H44.100", parent=province)
        source_id = make_source(session)
        add_dossiers(session, (dossier_row(commune, source_id, f"D{n:05}") for n in range(count)))
        session.execute(
            sa.insert(webhook).values(
                id=sa.func.gen_random_uuid(),
                unit_id=province.id,
                url="https://receiver.example/",
                events=["dossier.overdue"],
                secret=b"",
            )
        )


def counted(database: Database) -> tuple[int, int, int]:
    """Return alerts, distinct dossiers among them, and what is queued."""
    with database.read() as session:
        alerts = session.execute(sa.select(alert.c.code)).scalars().all()
        queued = session.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one()
    return len(alerts), len(set(alerts)), queued


@contextmanager
def process(url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, NOW.isoformat()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def next_tick(running: subprocess.Popen[str]) -> str:
    """Let a process look at its clock and go on until it does so again."""
    assert running.stdout is not None
    assert running.stdin is not None
    heard = running.stdout.readline()
    running.stdin.write("\n")
    running.stdin.flush()
    return heard


def lapse(database: Database) -> None:
    """Let the lease of whoever was killed run out."""
    with database.begin() as session:
        session.execute(
            sa.update(job_slot)
            .where(job_slot.c.state == "running")
            .values(lease_until=sa.func.now() - timedelta(seconds=1))
        )


@pytest.mark.fault
def test_a_worker_killed_again_and_again_raises_each_alert_once(
    fresh_database: Database, migrated_url: str
) -> None:
    fill(fresh_database, DOSSIERS)
    chance = random.Random(SEED)
    kills, at_kill = 0, []
    while kills < KILLS:
        with process(migrated_url) as running:
            for _ in range(4 + chance.randint(1, 4)):  # four come before the first batch
                assert next_tick(running) == "tick\n", "the night ended before it could be killed"
            threading.Event().wait(chance.random() * 0.02)
            running.kill()
        kills += 1
        at_kill.append(counted(fresh_database)[0])
        lapse(fresh_database)

    (done,) = runs.run_due_nights(fresh_database, duty())

    alerts, distinct, queued = counted(fresh_database)
    sys.stdout.write(f"seed {SEED}, kills {kills}, alerts at each kill {at_kill}, end {alerts}\n")
    assert 0 < at_kill[0] < DOSSIERS
    assert at_kill == sorted(at_kill)
    assert (alerts, distinct, queued) == (DOSSIERS, DOSSIERS, DOSSIERS)
    assert (done.state, done.found["raised"], done.takeovers) == ("done", DOSSIERS, KILLS)


def test_two_workers_at_one_night_raise_each_alert_once(fresh_database: Database) -> None:
    """Even when the lease protects nothing: both hold the same moment and work at once."""
    fill(fresh_database, 200)
    claims = []
    for owner in ("one", "two"):
        with fresh_database.begin() as session:
            claims.append(slots.claim_named(session, night_of(DAY), owner=owner))
        lapse(fresh_database)
    start = threading.Barrier(2)
    outcomes = Counter[str]()

    def work(number: int) -> None:
        start.wait(60)
        try:
            runs.work(fresh_database, claims[number], duty(batch=10))
            outcomes["finished"] += 1
        except slots.RunLost:
            outcomes["overtaken"] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)

    assert outcomes == {"finished": 1, "overtaken": 1}
    assert counted(fresh_database) == (200, 200, 200)


def test_many_workers_share_the_missed_nights_and_keep_their_order(
    fresh_database: Database,
) -> None:
    fill(fresh_database, 40)
    with fresh_database.begin() as session:
        slots.plan(session, [night_of(date(2026, 8, day)) for day in range(4, 8)])
    order: list[str] = []
    lock = threading.Lock()

    def work(owner: str) -> None:
        while True:
            with fresh_database.begin() as session:
                claim = runs.claim_night(session, owner=owner, now=NOW)
            if claim is None:
                with fresh_database.read() as session:
                    waiting = slots.page(session, job=None, before=None, limit=9)
                if all(run.state == "done" for run in waiting):
                    return
                continue
            with lock:
                order.append(claim.slot)
            runs.work(fresh_database, claim, duty(owner, batch=10))

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)

    assert order == [f"2026-08-0{day}" for day in range(4, 8)]
    assert counted(fresh_database) == (40, 40, 40)


def test_clocks_that_differ_by_minutes_plan_each_night_once(database: Database) -> None:
    midnight = local("2026-08-07", 1)
    for skew in (-5, 5, -4, 4, 0):
        with database.begin() as session:
            runs.plan_nights(session, now=midnight + timedelta(minutes=skew))

    with database.read() as session:
        found, _ = runs.list_runs(session, job="nightly", before=None, limit=10)
    assert [run.slot for run in found] == ["2026-08-07", "2026-08-06"]


def test_a_night_that_another_works_on_is_not_taken(database: Database) -> None:
    with database.begin() as session:
        runs.claim_named_night(session, DAY, owner="one", now=NOW)

    with database.begin() as session, pytest.raises(RunBusy):
        runs.claim_named_night(session, DAY, owner="two", now=NOW)


def test_a_night_that_failed_is_tried_again_after_a_rest_and_holds_up_no_other(
    database: Database,
) -> None:
    with database.begin() as session:
        slots.plan(session, [night_of(date(2026, 8, 6)), night_of(DAY)])
    with database.begin() as session:
        first = runs.claim_night(session, owner="one", now=NOW)
        assert first is not None
        runs.fail(session, first)

    with database.begin() as session:
        second = runs.claim_night(session, owner="one", now=NOW)
        assert second is not None
        session.execute(
            sa.update(job_slot)
            .where(job_slot.c.state == "failed")
            .values(lease_until=local("2020-01-01"))
        )
        third = runs.claim_night(session, owner="one", now=NOW)

    assert [first.slot, second.slot] == ["2026-08-06", "2026-08-07"]
    assert third is not None
    assert third.slot == "2026-08-06"


def test_a_night_never_planned_is_a_mistake_of_the_caller(database: Database) -> None:
    with database.read() as session, pytest.raises(LookupError):
        runs.get_night(session, night_by_hand(DAY, now=NOW))
