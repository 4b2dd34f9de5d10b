"""Writers that all bring dossiers of one unit: a log of versions beside counter rows.

    python -m bench.contention [--rounds 3] [--seconds 3]

Each transaction claims one new dossier and stores it with the statements of the real ingest, on a
durable embedded PostgreSQL. With the log (the real way) it leaves a row in ``dossier_change``, to
be folded later. With counter rows it adds to the counters of its unit itself, in one order for all
writers. Cells are interleaved; ``5 ms`` cells go on for 5 ms before they commit, as a batch does.
Before a figure is shown, the dossiers are counted, the log and the counter rows are compared with
them, and deadlocks are counted by the server.
"""

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text

from app.store import dossiers, schema
from app.store.dossiers import Claim
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database, WriteSession

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)
WITH_LOG = dossiers._ADD  # noqa: SLF001  # the statement is the subject
WITHOUT_LOG = WITH_LOG.split(b"WITH written AS (")[1].split(b"RETURNING")[0]
COUNT = b"""
    INSERT INTO counter_row (unit_id, day, counter, n)
    SELECT unit_id, day, counter, n
      FROM json_to_recordset($1::json) AS r(unit_id int, day date, counter int, n int)
     ORDER BY unit_id, day, counter
    ON CONFLICT (unit_id, day, counter) DO UPDATE SET n = counter_row.n + EXCLUDED.n
    """


def row(code: str) -> dict[str, Any]:
    """Return a dossier of the one unit, received today and due in a week."""
    return {
        "unit_id": 1,
        "source_id": 1,
        "code": code,
        "unit_lft": 1,
        "home_unit_id": 1,
        "version": 1,
        "recorded_at": NOW,
        "first_recorded_at": NOW,
        "source_updated_at": NOW,
        "is_current": True,
        "is_open": True,
        "is_leg": False,
        "is_counted": True,
        "same_as": [],
        "channel": "online",
        "applicant_type": "citizen",
        "other_codes": [],
        "place_independent": False,
        "due_origin": "computed",
        "is_provisional": False,
        "apology_exempt": False,
        "issues": [],
        "supplement_at": [],
        "received_at": NOW,
        "edge_at": [NOW, NOW + timedelta(days=7)],
        "edge_state": [30, 40],
        "edge_flow": [1, 0],
        "edge_due": [date(2026, 11, 23)] * 2,
        "edge_days": [],
    }


COUNTED = [(date(2026, 11, 16), 0, 1), (date(2026, 11, 16), 1, 1)]
COUNTED += [(date(2026, 11, 23), 1, -1), (date(2026, 11, 23), 2, 1)]
COUNTERS = [{"unit_id": 1, "day": day, "counter": which, "n": n} for day, which, n in COUNTED]


def with_log(session: WriteSession, code: str) -> None:
    """Store a dossier as ingest does."""
    dossiers.put(session, rows=[row(code)], readings=[], replaced={}, now=NOW)


def with_counters(session: WriteSession, code: str) -> None:
    """Store it without the log, and count it at once."""
    session.send(WITHOUT_LOG, orjson.dumps([row(code)]), NOW.isoformat())
    session.send(COUNT, orjson.dumps(COUNTERS).decode())


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell of one round gave."""

    rate: float
    p99: float


def cell(
    database: Database,
    store: Callable[[WriteSession, str], None],
    *,
    writers: int,
    pause: float,
    seconds: float,
) -> Cell:
    """Let writers write for some seconds, each transaction with one dossier."""
    empty(database)
    times: list[float] = []
    faults: list[BaseException] = []
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        count = 0
        try:
            while (begun := time.perf_counter()) < end:
                code = f"HS-{number}-{count}"
                with database.begin() as session:
                    claimed = dossiers.claim(session, [Claim(1, code, 1, 1, 0)])
                    store(session, code)
                    assert claimed.won() == 1
                    time.sleep(pause)
                times.append(time.perf_counter() - begun)
                count += 1
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    begun = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    took = time.perf_counter() - begun
    if faults:
        raise faults[0]
    check(database, len(times), is_logged=store is with_log)
    return Cell(len(times) / took, 1000 * sorted(times)[int(len(times) * 0.99)])


def empty(database: Database) -> None:
    """Forget every dossier."""
    with database.begin() as session:
        for table in ("dossier_reading", "dossier", "dossier_change", "locator", "counter_row"):
            session.execute(text(f"DELETE FROM {table}"))


def check(database: Database, written: int, *, is_logged: bool) -> None:
    """Compare what was counted with the dossiers."""
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM dossier")) == written
        logged = session.scalar(text("SELECT count(*) FROM dossier_change"))
        rows = session.execute(text("SELECT day, counter, n FROM counter_row")).all()
    assert logged == (written if is_logged else 0)
    expected = [] if is_logged else [(day, which, n * written) for day, which, n in COUNTED]
    assert sorted(map(tuple, rows)) == sorted(expected)


def deadlocks(database: Database) -> int:
    """Return how many deadlocks the server has met."""
    with database.read() as session:
        asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(session.scalar(text(asked)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dunghan-contention-"))
    folder.chmod(0o755)
    try:
        with EmbeddedPostgres(folder) as server:
            database = Database(server.url, pool_size=8)
            schema.migrate(database)
            with database.begin() as session:
                session.execute(
                    text(
                        "CREATE TABLE counter_row (unit_id int, day date, counter int,"
                        " n int NOT NULL, PRIMARY KEY (unit_id, day, counter))"
                    )
                )
            measure(database, asked.rounds, asked.seconds)
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(database: Database, rounds: int, seconds: float) -> None:
    cases = [(writers, pause) for pause in (0.0, 0.005) for writers in (1, 4, 8)]
    found: dict[tuple[int, float], list[tuple[Cell, Cell]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for writers, pause in cases:
            one, other = (
                cell(database, store, writers=writers, pause=pause, seconds=seconds)
                for store in (with_counters, with_log)
            )
            found[writers, pause].append((one, other))
    print(
        f"CPython {platform.python_version()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f}; medians of {rounds} rounds of {seconds:g} s a cell;"
        f" {deadlocks(database)} deadlocks"
    )
    print("| writers on one unit | counter rows, sorted | log of versions | ratio [range] |")
    print("|---|---|---|---|")
    for (writers, pause), cells in found.items():
        ratios = [log.rate / counters.rate for counters, log in cells]
        columns = [
            f"{statistics.median(one.rate for one in each):,.0f}/s,"
            f" p99 {statistics.median(one.p99 for one in each):.0f} ms"
            for each in zip(*cells, strict=True)
        ]
        name = f"{writers}, 5 ms before the commit" if pause else f"{writers}"
        spread = f"{statistics.median(ratios):.1f} × [{min(ratios):.1f}–{max(ratios):.1f}]"
        print(f"| {name} | {columns[0]} | {columns[1]} | {spread} |")


if __name__ == "__main__":
    main()
