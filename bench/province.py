"""The month of a province, sent whole over HTTP and read back.

    python -m bench.province [--report phu-tho-2026-08] [--scale 1] [--connections 4]

A fresh durable embedded PostgreSQL and one server process with its nightly work inside. The command
``dunghan published send`` registers the units, sends every dossier of the printed report in batches
of 1,000 and reads every count, rate and identity back; it fails when one of them is not what the
report says. Then the table by unit is read and added up, the lists behind two figures are read to
their ends, the dossiers are counted in the database, and the recount looks for a difference.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import text

from app.clock import system_clock
from app.domain.tally import Count
from app.rulebook.published import Report, get_report
from app.store import folding, schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import published
from bench.ingest import free_port, process
from bench.memory import peak
from bench.stats import SECRET, Client, Place, say

PAGE, ROUNDS = 500, 6
LISTED = (Count.FINISHED_LATE, Count.RECEIVED)


@dataclass(slots=True)
class Memory:
    """What the server holds while others work, in MB, looked at four times a second."""

    pid: int
    done: threading.Event
    seen: list[float]

    def watch(self) -> None:
        """Look until told to stop."""
        while not self.done.wait(0.25):
            self.seen.append(peak(self.pid, "VmRSS"))


def send(report: str, scale: int, connections: int, port: int, key: str) -> float:
    """Send the report by the command, show what it prints, and return the seconds it took."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "app", "published", "send", report]
    command += ["--url", f"http://127.0.0.1:{port}", "--scale", str(scale)]
    command += ["--connections", str(connections)]
    subprocess.run(command, check=True, env=os.environ | {"DUNGHAN_KEY": key})
    return time.perf_counter() - begun


def add_up(client: Client, report: Report) -> float:
    """Add the units of the month up, compare, and return the milliseconds of the table."""
    path = (
        f"/v1/statistics?unit={report.unit_code}&from={report.first}&to={report.last}&group_by=unit"
    )
    begun = time.perf_counter()
    answer = orjson.loads(client.ask(path))
    took = (time.perf_counter() - begun) * 1000
    wanted = published.expected(report)
    for count, number in answer["total"]["counts"].items():
        units = sum(row["counts"][count] for row in answer["rows"])
        assert units == number == wanted.get(Count(count), 0), (count, units, number)
    assert len(answer["rows"]) == report.below, len(answer["rows"])
    return took


def read_lists(client: Client, report: Report) -> None:
    """Read the lists behind some figures to their ends; each has as many rows as the figure."""
    path = f"/v1/statistics?unit={report.unit_code}&from={report.first}&to={report.last}"
    total = orjson.loads(client.ask(path))["total"]
    for count in LISTED:
        begun, codes, after = time.perf_counter(), set[str](), ""
        while True:
            path = f"{total['dossiers']}&count={count.value}&limit={PAGE}{after}"
            page = orjson.loads(client.ask(path))
            codes |= {row["code"] for row in page["dossiers"]}
            if page["next_cursor"] is None:
                break
            after = f"&cursor={page['next_cursor']}"
        assert len(codes) == total["counts"][count.value], (count, len(codes))
        seconds = time.perf_counter() - begun
        say(f"the list of {count.value} has its {len(codes):,} dossiers; read in {seconds:.1f} s")


def recount(database: Database) -> None:
    """Compare facts and log with the dossiers."""
    with database.read() as session:
        units = session.scalars(text("SELECT DISTINCT unit_id FROM dossier ORDER BY 1")).all()
        waiting = folding.waiting(session)
        parts = [units[at : at + 10] for at in range(0, len(units), 10)]
        differ = sum(len(folding.compare(session, part)) for part in parts)
    say(f"recount: {differ} numbers differ, with {waiting:,} versions in the log")
    assert differ == 0


def run(asked: argparse.Namespace, report: Report, place: Place) -> None:
    """Send, read back and compare, with one server process."""
    schema.migrate(place.database)
    key, port = place.key(), free_port()
    told = {
        "DUNGHAN_DATABASE_URL": place.url,
        "DUNGHAN_HASH_KEY": SECRET,
        "DUNGHAN_DATA_DIR": str(place.folder / "app"),
        "DUNGHAN_LOG_LEVEL": "warning",
    }
    with process(
        [sys.executable, "-m", "app", "serve", "--port", str(port)], port, **told
    ) as running:
        memory = Memory(running.pid, threading.Event(), [peak(running.pid, "VmRSS")])
        watcher = threading.Thread(target=memory.watch)
        watcher.start()
        try:
            seconds = send(asked.report, asked.scale, asked.connections, port, key)
        finally:
            memory.done.set()
            watcher.join()
        size = published.size_of(report)
        say(
            f"{size:,} dossiers of {report.below} units sent and read back in {seconds:.1f} s"
            f" ({size / seconds:,.0f}/s), {asked.connections} connections"
        )
        rest, middle = memory.seen[0], statistics.median(memory.seen)
        most = peak(running.pid, "VmHWM")
        say(f"server: {rest:,.0f} MB at rest, median {middle:,.0f}, most {most:,.0f} MB")
        client = Client(port, key)
        times = [add_up(client, report) for _ in range(ROUNDS)]
        shown = f"first {times[0]:,.0f}, then {statistics.median(times[1:]):,.0f} ms"
        say(f"the table of {report.below} units adds up to the report; {shown}")
        with place.database.read() as session:
            kept = session.scalar(text("SELECT count(*) FROM dossier WHERE is_current"))
        assert kept == size, kept
        read_lists(client, report)
        recount(place.database)
    load = os.getloadavg()[0]
    say(f"CPython {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")


def main() -> None:
    """Send, read back, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", default="phu-tho-2026-08")
    parser.add_argument("--scale", type=int, default=1, help="one dossier for so many")
    parser.add_argument("--connections", type=int, default=4)
    asked = parser.parse_args()
    report = published.scaled(get_report(asked.report), asked.scale)
    folder = Path(tempfile.mkdtemp(prefix="dunghan-province-"))
    try:
        with EmbeddedPostgres(folder / "data") as server:
            database = Database(server.url, statement_timeout_ms=0)
            run(asked, report, Place(folder, database, server.url, 0, system_clock()))
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
