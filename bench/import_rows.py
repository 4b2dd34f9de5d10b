"""Import 100,000 rows of a workbook or of a text: seconds, rows a second, memory.

    python -m bench.import_rows [--rows 100000] [--kind xlsx|csv] [--processes 1 2] [--rounds 1]

The file is generated, one row in a hundred is broken in one of ten ways, and `dunghan import`
itself takes it into a new durable embedded PostgreSQL; the time is that of the whole command, from
its start to its end. Memory is the proportional share (PSS) of the command with all processes that
it starts, summed every 50 ms, without PostgreSQL. Before any figure is shown, what is stored is
counted: accepted + quarantined + set aside = rows sent, and the rebuild of every dossier from its
record equals what is stored. Reading alone (no database) is timed apart.
"""

import argparse
import atexit
import contextlib
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
from sqlalchemy import text

from app.store import schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import catalogue, imports, rebuild
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.imports import Order
from tests.files import as_csv, row, xlsx


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of the command took."""

    seconds: float
    cpu: float
    memory: float
    counts: dict[str, int]


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


def command(url: str, file: Path, processes: int) -> Told:
    """Run the command and watch it."""
    environment = {**compiled(), "DUNGHAN_DATABASE_URL": url, "DUNGHAN_HASH_KEY": "k" * 32}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "app", "import", str(file), "--json"),
            *("--source", "file", "--unit", "H44", "--processes", str(processes)),
        ],
        env=environment,
        stdout=subprocess.PIPE,
    ) as running:
        peak = 0.0
        cpu: dict[int, float] = {}
        while running.poll() is None:
            family = family_of(running.pid)
            peak = max(peak, sum(map(share_of, family)))
            for pid in family:
                cpu[pid] = max(cpu.get(pid, 0.0), cpu_of(pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - begun
        out = running.stdout.read() if running.stdout else b""
    assert running.returncode == 0, running.returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited_for = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Told(seconds, max(waited_for, sum(cpu.values())), peak, orjson.loads(out)["counts"])


@cache
def compiled() -> dict[str, str]:
    """Return an environment in which the modules are compiled, as they are once installed."""
    kept = Path(tempfile.mkdtemp(prefix="dunghan-bytecode-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(kept)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(2):
        told = [sys.executable, "-m", "app", "import", "--help"]
        subprocess.run(told, check=True, capture_output=True, env=environment)
    return environment


def family_of(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                told = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(told[1])
    found = [pid]
    for one in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == one]
    return found


def share_of(pid: int) -> float:
    """Return the proportional share of the memory of a process, in MB; 0 when it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_of(pid: int) -> float:
    """Return the seconds that a process has worked, with the children for which it waited."""
    with contextlib.suppress(OSError):
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


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


def run(folder: Path, file: Path, processes: int, rows: int) -> Told:
    """Import a file into a new database, and check what is stored."""
    data = folder / "data"
    try:
        with EmbeddedPostgres(data) as server:
            database = Database(server.url, statement_timeout_ms=600_000)
            settle(database)
            told = command(server.url, file, processes)
            check(database, told.counts, rows)
            database.dispose()
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kind", choices=("xlsx", "csv"), nargs="+", default=["xlsx"])
    parser.add_argument("--processes", type=int, nargs="+", default=[2])
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {asked.rows} rows")
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    try:
        files = {}
        for kind in asked.kind:
            make = xlsx if kind == "xlsx" else as_csv
            raw = make(broken_row(number) for number in range(asked.rows))
            files[kind] = folder / f"rows.{kind}"
            files[kind].write_bytes(raw)
            alone = reading_alone(raw)
            print(f"{kind}, {len(raw) / 1e6:.1f} MB: reading alone {alone:.1f} s", flush=True)
        cells = [(kind, size) for kind in files for size in asked.processes]
        found: dict[tuple[str, int], list[Told]] = {cell: [] for cell in cells}
        for number in range(asked.rounds):
            for kind, size in cells if number % 2 == 0 else reversed(cells):
                told = run(folder, files[kind], size, asked.rows)
                found[kind, size].append(told)
                print(
                    f"{kind} {size} processes: {told.seconds:6.1f} s"
                    f" {asked.rows / told.seconds:6.0f} rows/s, CPU {told.cpu:.1f} s without"
                    f" PostgreSQL, {told.memory:.0f} MB, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"verdicts {told.counts}")
    for (kind, size), runs in found.items():
        seconds = statistics.median(one.seconds for one in runs)
        memory = max(one.memory for one in runs)
        print(f"median of {len(runs)}: {kind} {size} processes {seconds:.1f} s, {memory:.0f} MB")
    print("checked: every row has one verdict; rebuild from the record differs in 0 dossiers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
