"""Processor time of Python for a record of a batch, in one thread and without HTTP.

    python -m bench.fold [--records 4000] [--rounds 5] [--national]

Batches of 1,000 of ``bench.traffic`` are decoded, read, folded and written to an embedded
PostgreSQL by this process. Only the time of this process counts, not that of PostgreSQL; a round
has a seed of its own, the first warms up, medians are shown with their range.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import orjson

from app.cli import collect_rarely
from app.clock import system_clock
from app.feeds.body import decode
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import ingest, intake
from bench import traffic
from bench.ingest import SECRET, settle
from bench.traffic import Traffic

BATCH = 1_000


def bodies(seed: int, count: int, *, national: bool) -> list[bytes]:
    """Return the bodies of a round."""
    records = list(Traffic(seed=seed).records(count))
    told = [traffic.national_of(one) for one in records] if national else records
    return [orjson.dumps(told[at : at + BATCH]) for at in range(0, count, BATCH)]


def round_of(database: Database, seed: int, count: int, *, national: bool) -> tuple[float, ...]:
    """Take in a round and return the microseconds a record of decoding, reading, the rest."""
    hashed, now = intake.hasher_of(SECRET.encode()), system_clock()
    with database.begin() as session:
        by = intake.sender_by_name(session, source="bench", unit="H44")
    decoding = reading = taking = 0.0
    for body in bodies(seed, count, national=national):
        began = time.process_time()
        values = decode(body)
        assert isinstance(values, list)
        decoded = time.process_time()
        records = (
            intake.read_national_dossiers(values, unit="H44", hash_applicant=hashed, now=now)
            if national
            else intake.read_native(values, hash_applicant=hashed, now=now)
        )
        read = time.process_time()
        with database.begin() as session:
            verdicts = ingest.accept(session, records, by=by, door="bench", now=now)
        taken = time.process_time()
        assert len(verdicts) == len(values)
        assert all(one.word is not ingest.VerdictWord.QUARANTINED for one in verdicts)
        decoding += decoded - began
        reading += read - decoded
        taking += taken - read
    return tuple(spent / count * 1e6 for spent in (decoding, reading, taking))


def main() -> int:
    """Run the rounds and print what each part took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--national", action="store_true")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    try:
        with EmbeddedPostgres(folder / "data", durable=False) as server:
            database = Database(server.url, statement_timeout_ms=600_000)
            settle(database)
            collect_rarely()
            found = [
                round_of(database, seed, asked.records, national=asked.national)
                for seed in range(asked.rounds + 1)
            ][1:]
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, spent in zip(("decode", "read", "take in"), zip(*found, strict=True), strict=True):
        print(f"{name:<8} {statistics.median(spent):6.1f} µs [{min(spent):.1f}–{max(spent):.1f}]")
    whole = [sum(one) for one in found]
    print(f"whole    {statistics.median(whole):6.1f} µs [{min(whole):.1f}–{max(whole):.1f}]")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
