"""Import 100,000 rows of a workbook and of a text: seconds, rows a second, memory.

    python -m bench.import_rows [--rows 100000] [--batch 1000] [--kind xlsx|csv]

The file is generated, one row in a hundred is broken in one of ten ways, and the import runs in a
process of its own against a durable embedded PostgreSQL, exactly as `dunghan import` does. Before
any figure is shown, what is stored is counted: accepted + quarantined + set aside = rows sent,
and the rebuild of every dossier from its record equals what is stored. Reading alone (no
database) is timed apart, so that one sees where the time goes.
"""

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
from sqlalchemy import text

from app.store import schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import catalogue, imports, intake, rebuild
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.imports import Order
from tests.files import as_csv, row, xlsx

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
BROKEN = (
    *((6, "31/02/2026"), (6, "hôm qua"), (6, "08/13/2026"), (7, "31/12/9999"), (1, "")),
    *((3, None), (9, "Bay mất"), (6, "03/08/2027"), (1, "x" * 101), (10, "mai")),
)


def broken_row(number: int) -> list[object]:
    cells = row(number)
    if number % 100 == 99:
        place, value = BROKEN[number // 100 % len(BROKEN)]
        cells[place] = value
    return cells


def settle(database: Database) -> None:
    schema.migrate(database)
    units = [("H44", None), ("H44.100", "H44"), ("H44.101", "H44")]
    specs = [
        UnitSpec(
            code=code,
            name=f"Đơn vị {code}",
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in units
    ]
    with database.begin() as session:
        catalogue.put_units(session, specs, actor="bench", now=NOW)


def importer(url: str, file: str, batch: int) -> None:
    """Do what the command does, in this process, and print what it took."""
    database = Database(url)
    hashed = intake.hasher_of(b"a key of the benchmark")
    begun = time.perf_counter()
    prepared = imports.prepare(Order(Path(file).read_bytes()))
    with database.begin() as session:
        by = intake.sender_by_name(session, source="file", unit="H44")
        job = imports.begin(session, prepared, by=by, actor="bench", now=NOW)
    *_, last = imports.work(
        database, job, prepared, by=by, hash_applicant=hashed, clock=lambda: NOW, batch=batch
    )
    told = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time(),
        "counts": dict(last.counts),
        "own": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "reader": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    print(orjson.dumps(told).decode())
    database.dispose()


def reading_alone(raw: bytes) -> float:
    begun = time.perf_counter()
    prepared = imports.prepare(Order(raw))
    reader = prepared.reader
    with prepared.book.rows() as rows:
        for one in rows:
            reader.read(one, now=NOW, hash_applicant=str)
    return time.perf_counter() - begun


def check(database: Database, counts: dict[str, int], sent: int) -> None:
    assert sum(counts.values()) == sent, (counts, sent)
    with database.read() as session:
        stored = session.scalar(text("SELECT count(*) FROM dossier WHERE is_current"))
        waiting = session.scalar(text("SELECT count(*) FROM quarantine"))
        compared = rebuild.compare(session)
    assert (stored, waiting) == (counts["accepted"], counts["quarantined"])
    assert (compared.looked_at, compared.differ) == (counts["accepted"], 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=imports.BATCH)
    parser.add_argument("--kind", choices=("xlsx", "csv"), default="xlsx")
    parser.add_argument("--importer", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.importer:
        importer(*asked.importer, asked.batch)
        return 0
    make = xlsx if asked.kind == "xlsx" else as_csv
    raw = make(broken_row(number) for number in range(asked.rows))
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    try:
        file = folder / f"rows.{asked.kind}"
        file.write_bytes(raw)
        alone = reading_alone(raw)
        with EmbeddedPostgres(folder / "data") as server:
            database = Database(server.url, statement_timeout_ms=600_000)
            settle(database)
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "bench.import_rows", "--batch", str(asked.batch)),
                    *("--importer", server.url, str(file)),
                ],
                check=True,
                capture_output=True,
                env=os.environ,
            )
            told = orjson.loads(done.stdout)
            check(database, told["counts"], asked.rows)
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
    print(f"{asked.kind}, {len(raw) / 1e6:.1f} MB, {asked.rows} rows, batches of {asked.batch}")
    print(f"verdicts     {told['counts']}")
    print(f"reading      {alone:8.1f} s  {asked.rows / alone:8.0f} rows/s (no database)")
    print(f"whole import {told['seconds']:8.1f} s  {asked.rows / told['seconds']:8.0f} rows/s")
    print(f"of it CPU    {told['cpu']:8.1f} s in the importer; the rest is PostgreSQL and waiting")
    print(f"memory       {told['own']:8.0f} MB importer, {told['reader']:.0f} MB reader (peaks)")
    print("checked: every row has one verdict; rebuild from the record differs in 0 dossiers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
