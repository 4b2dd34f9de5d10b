"""The nightly run over many dossiers, with ingest beside it.

    python -m bench.sweep [--dossiers 1000000] [--open 90000] [--rounds 3] [--shares 0.05]
                          [--folder DIR] [--kept DIR [--only-fill]]
                          [--buffers 128MB]

Dossiers are made in the database itself: most are finished, ``--open`` are in hand, of which a
share fell due yesterday, a tenth has been late for up to nine working days and was told of, and of
the rest one in twenty is due today and one in twenty in two working days.
Three receivers want every event. Each round does the night once while a process sends records in
batches of 20, as it did alone before: the flags, the silences, the settling of what is left over,
then, as at eight in the morning, a digest for the officers and for the head of each unit, planned
and written (not sent). Before a time is shown, alerts, queued events and digests are counted
against what was made. The longest transaction bounds every lock it holds. ``--kept`` fills a folder
once, and measures there again and again.
"""

import argparse
import multiprocessing
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from app.clock import system_clock
from app.domain.dossier import ZONE
from app.domain.night import night_of
from app.domain.record import MessageKind, Status, Told
from app.store import mails as posted
from app.store import schema, subscriptions
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database, WriteSession
from app.usecases import (
    catalogue,
    idempotency,
    ingest,
    mails,
    overdue,
    runs,
    silences,
    successions,
)
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender
from app.usecases.outbox import EVENTS

NIGHT = date(2026, 8, 7)
NOW = datetime(2026, 8, 7, 1, 5, tzinfo=ZONE)
MORNING = datetime(2026, 8, 7, 8, 5, tzinfo=ZONE)
UNITS = 214
TOLD_BEFORE = 10
"""One in so many open dossiers is late already, and was told of."""
RECEIVERS = 3
WARM_UP = 10.0
"""Seconds that the process that sends needs to start and to get going."""
WINDOW = 5.0
"""Seconds of sending alone that are held against those beside the night."""
PACE = 0.1
"""Seconds from one batch to the next."""

FILL = """
INSERT INTO dossier (
    unit_id, source_id, code, unit_lft, home_unit_id, version, recorded_at, first_recorded_at,
    source_updated_at, is_current, is_open, is_leg, is_counted, procedure_told, channel,
    applicant_type, status, received_at, clock_start_at, finished_at, limit_kind, due_origin,
    is_provisional, due_on, due_at, early_before, on_time_until, edge_at, edge_state, edge_flow,
    edge_due)
SELECT u.id, CAST(:source AS int), CAST(:mark AS text) || n, u.lft, u.id, 1, received, received,
       received, TRUE, is_open, FALSE, TRUE, '1.001193', 'in_person', 'citizen',
       CAST(:status AS text), received, received,
       CASE WHEN is_open THEN NULL ELSE received + interval '3 days' END, 'working_days', 'told',
       FALSE, due_on, due_at, midnight, until,
       CASE WHEN is_open THEN ARRAY[received, until + interval '1 microsecond']
            ELSE ARRAY[received, received + interval '3 days'] END,
       CASE WHEN is_open THEN ARRAY[30, 31] ELSE ARRAY[30, 40] END,
       CASE WHEN is_open THEN ARRAY[1, 0] ELSE ARRAY[1, 10] END, ARRAY[due_on, due_on]
  FROM (SELECT n, CAST(:due AS date) + (n % CAST(:spread AS int)) AS due_on,
               CAST(:is_open AS boolean) AS is_open
          FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n) days,
       LATERAL (SELECT due_on::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh' AS midnight) a,
       LATERAL (SELECT midnight + interval '17 hours' AS due_at,
                       midnight + interval '1 day' - interval '1 microsecond' AS until,
                       midnight - interval '20 days' + interval '9 hours' AS received) b
  JOIN LATERAL (SELECT id, lft FROM place WHERE place = n % CAST(:units AS int)) u ON TRUE"""

LATER = """
SELECT replace(indexdef, 'UNIQUE INDEX', 'INDEX') FROM pg_indexes
 WHERE tablename = 'dossier' AND indexdef NOT LIKE '%UNIQUE%'"""
"""The indexes that are made after the dossiers."""

TOLD = """
INSERT INTO alert (unit_id, source_id, code, episode, stage, id, unit_lft, level,
                   recipient_unit_id, due_on, due_at, late_since, occurred_at, raised_at, run)
SELECT unit_id, source_id, code, 1, stage, gen_random_uuid(), unit_lft, 'unit', unit_id, due_on,
       due_at, on_time_until, on_time_until, on_time_until, 'before'
  FROM dossier, unnest(ARRAY['overdue+1', 'overdue+5', 'overdue+10']) AS stage
 WHERE code LIKE 'told-%'"""


SUBSCRIBED = """
INSERT INTO subscription (id, unit_id, level, language, topics, address, address_digest,
                          address_masked, actor, confirmed_at)
SELECT gen_random_uuid(), unit.id, rung, 'vi', ARRAY['overdue', 'due_soon', 'source_silent'], '',
       '', '***', 'bench', timestamptz '2026-08-01'
  FROM unit, unnest(ARRAY['unit', 'head']) AS rung WHERE NOT is_bucket"""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run of the benchmark stands on."""

    database: Database
    sender: Sender
    new: int
    warned: int


def ground_of(database: Database, *, in_hand: int, share: float) -> Ground:
    """Return what stands in a filled database, and how many alerts the night must raise."""
    new, told = round(in_hand * share), in_hand // TOLD_BEFORE
    warned = (in_hand - new - told) // 20
    with database.read() as session:
        root = session.execute(text("SELECT id, lft, rgt FROM unit WHERE code = 'H44'")).one()
        source = int(session.scalar(text("SELECT id FROM source WHERE code = 'b'")))
    return Ground(database, Sender(source, None, root.id, root.lft, root.rgt), new, 2 * warned)


def furnish(database: Database, *, dossiers: int, in_hand: int, share: float) -> None:
    """Make units, receivers, subscribers and dossiers."""
    schema.migrate(database)
    specs = [
        UnitSpec(
            code=code,
            name=code,
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in (("H44", None), *((f"H44.{n}", "H44") for n in range(UNITS)))
    ]
    new, told = round(in_hand * share), in_hand // TOLD_BEFORE
    rest = in_hand - new - told
    warned = rest // 20
    with database.begin() as session:
        catalogue.put_units(session, specs, actor="bench", now=datetime(2026, 1, 1, tzinfo=UTC))
        source = int(
            session.execute(
                text("INSERT INTO source (code, name) VALUES ('b', 'b') RETURNING id")
            ).scalar_one()
        )
        root = session.execute(text("SELECT id, lft, rgt FROM unit WHERE code = 'H44'")).one()
        session.execute(
            text(
                "CREATE UNLOGGED TABLE place AS SELECT id, lft,"
                " row_number() OVER (ORDER BY id) - 1 AS place FROM unit WHERE code <> 'H44'"
            )
        )
        session.execute(text("CREATE UNIQUE INDEX ON place (place)"))
        for number in range(RECEIVERS):
            session.execute(
                text(
                    "INSERT INTO webhook (id, unit_id, url, events, secret)"
                    " VALUES (:id, :unit, 'https://receiver.example/', :events, '')"
                ),
                {"id": UUID(int=number + 1), "unit": root.id, "events": list(EVENTS)},
            )
        session.execute(text(SUBSCRIBED))
        later = list(session.scalars(text(LATER)))
        for each in later:
            session.execute(text(f"DROP INDEX {each.split()[2]}"))

    def fill(mark: str, count: int, due: date, spread: int, *, is_open: bool) -> None:
        told = {
            "source": source,
            "mark": f"{mark}-",
            "is_open": is_open,
            "status": "processing" if is_open else "finished",
            "due": due,
            "spread": spread,
            "units": UNITS,
        }
        for first in range(0, count, 500_000):
            last = min(first + 500_000, count) - 1
            with database.begin() as session:
                session.execute(text("SET LOCAL statement_timeout = 0"))
                session.execute(text(FILL), told | {"first": first, "last": last})

    fill("closed", dossiers - in_hand, date(2025, 1, 1), 500, is_open=False)
    fill("new", new, date(2026, 8, 6), 1, is_open=True)
    fill("told", told, date(2026, 7, 24), 10, is_open=True)
    fill("today", warned, date(2026, 8, 7), 1, is_open=True)
    fill("soon", warned, date(2026, 8, 11), 1, is_open=True)
    fill("later", rest - 2 * warned, date(2026, 8, 12), 20, is_open=True)
    with database.begin() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        for each in later:
            session.execute(text(each))
        session.execute(text(TOLD))
    line = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with line:
        line.execute(text("SET statement_timeout = 0"))
        line.execute(text("VACUUM ANALYZE"))


def feed(
    url: str,
    sender: Sender,
    number: int,
    stop: Event,
    out: "multiprocessing.Queue[list[tuple[float, float]]]",
) -> None:
    """Send batches at a steady pace and hand back when each began and how long it took."""
    database = Database(url)
    times = []
    count = 0
    while not stop.is_set():
        at = system_clock()
        told = Told(
            unit=f"H44.{count % UNITS}",
            procedure="1.001193",
            received_at=at - timedelta(hours=1),
            due_at=at + timedelta(days=9),
            status=Status.PROCESSING,
        )
        batch = [
            Incoming(n, f"feed-{number}-{count}-{n}", MessageKind.RECORD, at, at, True, told)
            for n in range(20)
        ]
        begun = time.monotonic()
        with database.begin() as session:
            ingest.accept(session, batch, by=sender, door="bench", now=at)
        took = time.monotonic() - begun
        times.append((begun, took))
        count += 1
        stop.wait(max(0.0, PACE - took))
    database.dispose()
    out.put(times)


@contextmanager
def feeding(
    url: str, sender: Sender, number: int
) -> Iterator[Callable[[], list[tuple[float, float]]]]:
    """Let another process send for the time of a block."""
    context = multiprocessing.get_context("spawn")
    stop, out = context.Event(), context.Queue()
    process = context.Process(target=feed, args=(url, sender, number, stop, out))
    process.start()

    def end() -> list[tuple[float, float]]:
        stop.set()
        times: list[tuple[float, float]] = out.get(timeout=60)
        process.join(60)
        return times

    try:
        yield end
    finally:
        stop.set()
        process.join(60)


@dataclass(slots=True)
class Watch:
    """Times each transaction."""

    database: Database
    parts: list[float] = field(default_factory=list)

    @contextmanager
    def begin(self) -> Iterator[WriteSession]:
        """Open a transaction and time it, with its commit."""
        at = time.perf_counter()
        with self.database.begin() as session:
            yield session
        self.parts.append(time.perf_counter() - at)


def night(ground: Ground) -> tuple[float, list[float]]:
    """Do the night as a worker does, and time the whole and each transaction."""
    watch = Watch(ground.database)
    begun = time.perf_counter()
    with watch.begin() as session:
        claim = runs.claim_named_night(session, NIGHT, owner="bench", now=NOW)
    with ground.database.read() as session:
        step = overdue.first_step(session, claim, now=NOW)
    while True:
        with watch.begin() as session:
            step = overdue.flag_overdue(session, claim=claim, step=step, now=NOW)
        if step.after is None:
            break
    with watch.begin() as session:
        idempotency.forget_old(session, now=NOW)
    with watch.begin() as session:
        successions.settle_stranded(session, now=NOW)
    with watch.begin() as session:
        silences.notice(session, now=NOW)
    return time.perf_counter() - begun, watch.parts


def digests(ground: Ground) -> tuple[float, list[float], int]:
    """Plan and write the digests of the morning; time them and count the alerts that they tell."""
    watch = Watch(ground.database)
    begun = time.perf_counter()
    while True:
        with watch.begin() as session:
            looked = mails.plan_digests(session, now=MORNING)
        if looked < mails.AT_ONCE:
            break
    told = 0
    while True:
        with watch.begin() as session:
            claimed = posted.claim(session, now=MORNING)
            owner = claimed and subscriptions.find(session, claimed.subscription_id)
            if claimed is None or owner is None:
                return time.perf_counter() - begun, watch.parts, told
            digest = mails.digest_of(session, owner, claimed, as_of=MORNING)
            told += sum(digest.numbers.values())


def forget(ground: Ground) -> None:
    """Take back what the night raised, so that it can be done again."""
    with ground.database.begin() as session:
        session.execute(text("DELETE FROM alert WHERE run <> 'before'"))
        session.execute(text("TRUNCATE outbox, mail"))
        session.execute(
            text("UPDATE subscription SET told_until = :at, look_at = :at, last_slot = NULL"),
            {"at": NOW - timedelta(hours=12)},
        )
        session.execute(text("DELETE FROM job_slot"))


def check(ground: Ground, listed: int) -> None:
    """Hold what was raised and queued against what was made."""
    slot = night_of(NIGHT)
    with ground.database.read() as session:
        raised = session.execute(
            text("SELECT count(*) FROM alert WHERE run = :run"), {"run": slot.key}
        ).scalar_one()
        queued = session.execute(text("SELECT count(*) FROM outbox")).scalar_one()
    expected = ground.new + ground.warned
    assert raised == expected, f"{raised} alerts, {expected} expected"
    assert queued == RECEIVERS * expected, f"{queued} events"
    assert listed == expected, f"{listed} alerts in digests"


def p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * 99 // 100)]


def longest_of(times: list[float]) -> str:
    return ", ".join(f"{took * 1000:.0f}" for took in sorted(times)[-3:])


def main() -> int:
    """Run every share and print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--dossiers", type=int, default=1_000_000)
    asked.add_argument("--open", type=int, default=90_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--shares", default="0.001,0.01,0.05")
    asked.add_argument("--folder", type=Path, default=None)
    asked.add_argument("--kept", type=Path, default=None)
    asked.add_argument("--only-fill", action="store_true")
    asked.add_argument("--buffers", default="128MB", help="shared_buffers of PostgreSQL")
    told = asked.parse_args()
    print(f"CPython {platform.python_version()}, {told.dossiers:,} dossiers, {told.open:,} open")
    print(
        f"{'newly late':>10} {'alerts':>8} {'night':>8} {'longest tx':>11} {'digests':>8}"
        f" {'longest tx':>11} {'ingest p99':>24}"
    )
    shares = [float(one) for one in told.shares.split(",")]
    for share in shares:
        folder = told.kept or Path(tempfile.mkdtemp(prefix="dunghan-bench-", dir=told.folder))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        is_new = not (folder / "filled").exists()
        try:
            with EmbeddedPostgres(folder, settings={"shared_buffers": told.buffers}) as server:
                database = Database(server.url, statement_timeout_ms=600_000)
                if is_new:
                    furnish(database, dossiers=told.dossiers, in_hand=told.open, share=share)
                    (folder / "filled").touch()
                ground = ground_of(database, in_hand=told.open, share=share)
                if not told.only_fill:
                    show(server.url, ground, share, told.rounds)
                database.dispose()
        finally:
            if told.kept is None:
                shutil.rmtree(folder, ignore_errors=True)
    return 0


def show(url: str, ground: Ground, share: float, rounds: int) -> None:
    """Measure one share and print its row."""
    nights, mornings, longest, longest_later = [], [], [], []
    alone: list[float] = []
    in_night: list[float] = []
    in_morning: list[float] = []
    for number in range(rounds):
        forget(ground)
        with feeding(url, ground.sender, 2 * number) as end:  # for as long, and as long after
            time.sleep(WARM_UP)
            begun = time.monotonic()
            time.sleep(WINDOW)
            alone += [took for at, took in end() if at > begun - PACE]
        with feeding(url, ground.sender, 2 * number + 1) as end:
            time.sleep(WARM_UP)
            begun = time.monotonic()
            whole, parts = night(ground)
            between = time.monotonic()
            morning, later, listed = digests(ground)
            done = time.monotonic()
            times = end()
        check(ground, listed)
        in_night += [took for at, took in times if begun - PACE < at < between]
        in_morning += [took for at, took in times if between < at < done]
        nights.append(whole)
        mornings.append(morning)
        longest.append(max(parts))
        longest_later.append(max(later))
    print(
        f"{share:>10.1%} {ground.new + ground.warned:>8,} {statistics.median(nights):>6.2f} s"
        f" {max(longest) * 1000:>8.0f} ms {statistics.median(mornings):>6.2f} s"
        f" {max(longest_later) * 1000:>8.0f} ms"
        f" {p99(alone) * 1000:>8.0f} ms alone, {p99(in_night) * 1000:.0f} ms at night,"
        f" {p99(in_morning) * 1000:.0f} ms beside digests;"
        f" medians {statistics.median(alone) * 1000:.0f}, {statistics.median(in_night) * 1000:.0f},"
        f" {statistics.median(in_morning) * 1000:.0f} ms;"
        f" three longest alone {longest_of(alone)}, at night {longest_of(in_night)};"
        f"   nights {min(nights):.2f} to {max(nights):.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
