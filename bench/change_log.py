"""What the log of versions costs ingest, and how fast it is folded.

    python -m bench.change_log [--rounds 7] [--batch 1000]

The real ingest of new dossiers on a durable embedded PostgreSQL, one transaction for a batch, with
the log and without it in turn; then one fold of all that the log holds. The facts are compared with
a recount before a time is shown. In the round without the log a copy of the statement that leaves
it out is put in the place of the real one.
"""

import argparse
import os
import platform
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from app.store import dossiers, folding, schema
from app.store.access import WHOLE
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import catalogue, ingest, recount
from app.usecases.ingest import Sender
from bench.stats import FIRST, procedures, specs, template

WITH_LOG = dossiers._ADD  # noqa: SLF001  # the statement is the subject
WITHOUT_LOG = WITH_LOG.split(b"WITH written AS (")[1].split(b"RETURNING")[0]
NOW = datetime(2026, 11, 16, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=1_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dunghan-log-"))
    folder.chmod(0o755)
    try:
        with EmbeddedPostgres(folder) as server:
            database = Database(server.url, statement_timeout_ms=0)
            schema.migrate(database)
            with database.begin() as session:
                catalogue.put_units(session, specs(), actor="bench", now=FIRST)
                catalogue.put_procedures(session, procedures(), actor="bench", now=FIRST)
                source = session.scalar(
                    text("INSERT INTO source (code, name) VALUES ('s', 's') RETURNING id")
                )
            measure(database, Sender(source, None, None, *WHOLE), asked.rounds, asked.batch)
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(database: Database, by: Sender, rounds: int, batch: int) -> None:
    chance = random.Random(5)
    times: dict[str, list[float]] = {"with": [], "without": [], "put with": [], "put without": []}
    spent = [0.0]
    told = dossiers.put

    def timed_put(*given: object, **named: object) -> None:
        begun = time.perf_counter()
        told(*given, **named)  # type: ignore[arg-type]
        spent[0] += time.perf_counter() - begun

    dossiers.put = timed_put
    number = 0
    for _ in range(rounds):
        for name, statement in (("with", WITH_LOG), ("without", WITHOUT_LOG)):
            dossiers._ADD = statement  # noqa: SLF001  # as above
            coming = []
            for index in range(batch):
                (one, *_) = template(index, chance)
                one.told["unit"] = f"H{chance.randrange(1, 18):02}.{100 + chance.randrange(200)}"
                coming.append(replace(one, index=index, code=f"L-{number}"))
                number += 1
            spent[0] = 0.0
            begun = time.perf_counter()
            with database.begin() as session:
                ingest.accept(session, coming, by=by, door="bench", now=NOW)
            times[name].append(time.perf_counter() - begun)
            times[f"put {name}"].append(spent[0])
    dossiers._ADD, dossiers.put = WITH_LOG, told  # noqa: SLF001  # as above
    with database.read() as session:
        waiting = folding.waiting(session)
    begun = time.perf_counter()
    with database.begin() as session:
        folding.fold(session, limit=10**9)
    folding_took = time.perf_counter() - begun
    with database.begin() as session:  # those that were told without a log
        session.execute(
            text(
                "INSERT INTO dossier_change (unit_id, source_id, code, version, sign, recorded_at)"
                " SELECT unit_id, source_id, code, version, 1, recorded_at FROM dossier"
                " WHERE (substr(code, 3)::int / :batch) % 2 = 1"
            ),
            {"batch": batch},
        )
    with database.read() as session:
        assert recount.compare(session).differ == 0
    print(
        f"CPython {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f}; {rounds} rounds of {batch} new dossiers"
    )
    print("| | with the log, ms | without, ms | ratio, median of rounds |")
    print("|---|---|---|---|")
    for name, prefix in (("whole ingest of a batch", ""), ("storing dossiers alone", "put ")):
        one, other = times[f"{prefix}with"], times[f"{prefix}without"]
        ratio = statistics.median(a / b for a, b in zip(one, other, strict=True))
        print(
            f"| {name} | {1000 * statistics.median(one):,.0f}"
            f" | {1000 * statistics.median(other):,.0f} | {ratio:.2f} |"
        )
    print(f"folded {waiting:,} versions in {folding_took:.2f} s: {waiting / folding_took:,.0f}/s")


if __name__ == "__main__":
    main()
