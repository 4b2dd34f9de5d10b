"""Ingest over HTTP beside a raw COPY of the same rows, and beside a Django REST Framework peer.

    python -m bench.ingest [--quick] [--rounds 5] [--no-peer] [--only batch1000,raw]

One server process, two where a row says so, on a durable embedded PostgreSQL (fsync and
synchronous_commit on) takes records over several connections: full transactions, with updates, the
same again and older news among them (``bench.traffic``). RAW COPY is a CSV COPY of the rows that
such a run left in ``dossier``, into the empty table with its indexes, one transaction. Cells are
interleaved, tables are emptied before each, a ratio is taken within its round, and medians are
shown with their range. What is stored is counted before a time is shown. The peer runs on the same
PostgreSQL and does less.
"""

import argparse
import contextlib
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import orjson
import psycopg
from sqlalchemy.engine import make_url

from app.clock import system_clock
from app.domain.limits import LimitKind, TimeLimit
from app.domain.procedure import LimitVersion
from app.store import schema
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from app.usecases import access, catalogue
from app.usecases.access import Keyring
from app.usecases.catalogue import DatedLimit, ProcedureSpec, UnitLevel, UnitSpec
from bench import traffic
from bench.traffic import Sent, Traffic

SECRET = "a key of the benchmark that is long enough for anybody"
PEER = ("django==5.2.*", "djangorestframework==3.18.*", "gunicorn", "psycopg[binary]")
CONNECTIONS = 4


@dataclass(slots=True)
class Stand:
    """The database, the server and what is sent: everything that the cells share."""

    server: EmbeddedPostgres
    port: int
    alone_port: int
    second_port: int
    key: str
    peer_port: int | None
    pid: int
    sizes: dict[str, int]
    copied: bytes = b""
    rows: int = 0
    memory: float = 0.0
    notes: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def database(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Open the application's database as its owner's superior, triggers asleep."""
        url = make_url(self.server.superuser_url)
        with psycopg.connect(
            host=str(url.query["host"]), user=url.username, dbname="dunghan", autocommit=True
        ) as line:
            line.execute("SET session_replication_role = replica")
            yield line

    def empty(self) -> None:
        """Forget every dossier."""
        with self.database() as line:
            names = line.execute(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace ="
                " 'public'::regnamespace AND (relname ~ '^(dossier|fact)' OR relname IN"
                " ('locator', 'number', 'quarantine', 'source_heard', 'peer_dossier'))"
            ).fetchall()
            line.execute("TRUNCATE " + ", ".join(f'"{name}"' for (name,) in names))
            line.execute("CHECKPOINT")

    def counted(self, table: str) -> int:
        """Count the rows of a table."""
        with self.database() as line:
            found = line.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(str(found[0])) if found else 0


@dataclass(frozen=True, slots=True)
class Result:
    """What one cell of one round gave."""

    rate: float
    p50: float | None = None


# ---------------------------------------------------------------- cells


def raw(stand: Stand, _round: int) -> Result:
    """COPY the rows of the last batch run into the empty table, one transaction."""
    stand.empty()
    with stand.database() as line:
        line.execute("SET session_replication_role = origin")
        begun = time.perf_counter()
        with line.transaction(), line.cursor().copy("COPY dossier FROM STDIN CSV") as copy:
            for start in range(0, len(stand.copied), 1 << 20):
                copy.write(stand.copied[start : start + (1 << 20)])
        seconds = time.perf_counter() - begun
    assert stand.counted("dossier") == stand.rows
    return Result(stand.rows / seconds)


def batches(size: int, *, national: bool = False) -> Callable[[Stand, int], Result]:
    """Return the cell that sends batches of a size."""
    form, path = (
        (traffic.envelope, "/v1/adapters/national")
        if national
        else (traffic.batch, "/v1/dossiers/batch")
    )

    def cell(stand: Stand, number: int) -> Result:
        stand.empty()
        stream = Traffic(seed=number)
        records = list(stream.records(stand.sizes["batch" if size == 1000 else "small"]))
        requests = [
            traffic.request(
                "POST", path, form(records[at : at + size]), port=stand.port, key=stand.key
            )
            for at in range(0, len(records), size)
        ]
        sent = traffic.send(requests, port=stand.port, connections=CONNECTIONS)
        check(stand, stream, None if national else sent, len(records))
        if size == 1000 and not national:
            with stand.database() as line, line.cursor() as cursor:
                copied = bytearray()
                with cursor.copy("COPY dossier TO STDOUT CSV") as copy:
                    for piece in copy:
                        copied += piece
            stand.copied, stand.rows = bytes(copied), stand.counted("dossier")
        return Result(len(records) / sent.seconds, sent.p50)

    return cell


def check(stand: Stand, stream: Traffic, sent: Sent | None, count: int) -> None:
    """Count what is stored: every new dossier once, every message once."""
    told = stream.told
    assert stand.counted("dossier WHERE is_current") == told[traffic.NEW]
    assert stand.counted("locator") == told[traffic.NEW]
    kept = stand.counted("dossier_record")
    assert told[traffic.NEW] <= kept <= count, (kept, told)
    assert stand.counted("quarantine") == 0
    if sent is not None:
        verdicts = [orjson.loads(answer) for answer in sent.answers]
        sums = {
            word: sum(one[word] for one in verdicts)
            for word in ("accepted", "unchanged", "stale", "quarantined")
        }
        assert sum(sums.values()) == count, sums
        assert sums["accepted"] + sums["stale"] == kept, (sums, kept)


def singles(connections: int, *, alone: bool = False) -> Callable[[Stand, int], Result]:
    """Return the cell that sends record by record; ``alone`` to a server that shares nothing."""

    def cell(stand: Stand, number: int) -> Result:
        stand.empty()
        stream = Traffic(seed=number)
        records = list(stream.records(stand.sizes["single"]))
        port = stand.alone_port if alone else stand.port
        requests = [traffic.request(*single(one), port=port, key=stand.key) for one in records]
        sent = traffic.send(requests, port=port, connections=connections)
        check(stand, stream, None, len(records))
        return Result(len(records) / sent.seconds, sent.p50)

    return cell


def pair(size: int) -> Callable[[Stand, int], Result]:
    """Return the cell of two server processes, each with senders of its own and half of the lines.

    :param size: records of a batch; 1 is a call for each.
    """

    def cell(stand: Stand, number: int) -> Result:
        stand.empty()
        lines = CONNECTIONS if size > 1 else 16
        streams = (Traffic(seed=number), Traffic(seed=number + 500))
        parts = []
        for stream, port in zip(streams, (stand.port, stand.second_port), strict=True):
            records = list(stream.records(stand.sizes["batch" if size > 1 else "single"] // 2))
            calls = (
                [
                    ("POST", "/v1/dossiers/batch", traffic.batch(records[at : at + size]))
                    for at in range(0, len(records), size)
                ]
                if size > 1
                else [single(one) for one in records]
            )
            parts.append([traffic.request(*one, port=port, key=stand.key) for one in calls])
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as both:
            sent = both.map(
                lambda requests, port: traffic.send(requests, port=port, connections=lines // 2),
                parts,
                (stand.port, stand.second_port),
            )
            latencies = [took for one in sent for took in one.latencies]
        seconds = time.perf_counter() - begun
        news = sum(stream.told[traffic.NEW] for stream in streams)
        assert stand.counted("dossier WHERE is_current") == news
        count = sum(sum(stream.told.values()) for stream in streams)
        return Result(count / seconds, statistics.median(latencies) * 1000)

    return cell


def single(record: dict[str, object]) -> tuple[str, str, bytes]:
    """Return the call that tells one record."""
    body = orjson.dumps({name: value for name, value in record.items() if name != "code"})
    return "PUT", f"/v1/dossiers/{record['code']}", body


def peer(path: str, size: int) -> Callable[[Stand, int], Result]:
    """Return the cell that sends the same records to the peer."""

    def cell(stand: Stand, number: int) -> Result:
        stand.empty()
        port = stand.peer_port or 0
        stream = Traffic(seed=number)
        records = list(stream.records(stand.sizes["peer" if size > 1 else "peer single"]))
        if size > 1:
            bodies = [
                ("POST", path, traffic.batch(records[at : at + size]))
                for at in range(0, len(records), size)
            ]
        else:
            bodies = [("PUT", f"{path}/{one['code']}", orjson.dumps(one)) for one in records]
        requests = [traffic.request(*one, port=port) for one in bodies]
        sent = traffic.send(requests, port=port, connections=CONNECTIONS if size > 1 else 16)
        assert stand.counted("peer_dossier") == stream.told[traffic.NEW]
        return Result(len(records) / sent.seconds, sent.p50)

    return cell


CELLS: dict[str, tuple[str, Callable[[Stand, int], Result]]] = {
    "batch1000": ("batches of 1,000, 4 connections", batches(1000)),
    "raw": ("RAW COPY of the same rows", raw),
    "batch100": ("batches of 100, 4 connections", batches(100)),
    "national": ("national envelope, 1,000, 4 connections", batches(1000, national=True)),
    "single16": ("one record a call, 16 connections", singles(16)),
    "alone16": ("the same, a transaction for each", singles(16, alone=True)),
    "single1": ("one record a call, 1 connection", singles(1)),
    "pair1000": ("two server processes: batches of 1,000", pair(1000)),
    "pair1": ("two server processes: one record a call", pair(1)),
    "drf1000": ("peer: batches of 1,000, 4 connections", peer("/batch", 1000)),
    "drf1": ("peer: one record a call, 16 connections", peer("/dossiers", 1)),
}


# ---------------------------------------------------------------- the stand


def settle(database: Database) -> str:
    """Put up the units, the procedures and a key; return the key."""
    schema.migrate(database)
    now = system_clock()
    units = [("H44", None), *((code, "H44") for code in traffic.UNITS)]
    specs = [
        UnitSpec(
            code=code,
            name=f"Đơn vị {code}",
            level=UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE,
            parent=parent,
            valid_from=date(2025, 7, 1),
        )
        for code, parent in units
    ]
    limit = TimeLimit(LimitKind.WORKING_DAYS, Fraction(5))
    with database.begin() as session:
        catalogue.put_units(session, specs, actor="bench", now=now)
        catalogue.put_procedures(
            session,
            [
                ProcedureSpec(
                    code=code,
                    name=f"Thủ tục {code}",
                    limits=(DatedLimit(LimitVersion(limit, date(2025, 1, 1))),),
                )
                for code in traffic.PROCEDURES
            ],
            actor="bench",
            now=now,
        )
        return access.issue_key(
            session,
            Keyring(secret=SECRET.encode(), environment="production"),
            name="bench",
            source="bench",
            unit="H44",
            scopes=("dossiers:write", "dossiers:read"),
            actor="bench",
            now=now,
            expires_at=now + timedelta(days=30),
        ).key


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(arguments: Sequence[str], port: int, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; the block begins once it listens."""
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(arguments, env=os.environ | more, stdout=log, stderr=log)
        try:
            for _ in range(300):
                if running.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(log.read().decode()[-3000:])
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            yield running
        finally:
            running.terminate()
            running.wait(30)


def peer_python(folder: Path) -> Path:
    """Return the interpreter of the peer's own environment, made when it is missing."""
    found = folder / "bin" / "python"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
        subprocess.run([*pip, "install", "--python", str(found), "-q", *PEER], check=True)
    return found


@contextlib.contextmanager
def peer_server(server: EmbeddedPostgres, folder: Path | None) -> Iterator[int | None]:
    """Run the peer on the same PostgreSQL, one worker of four threads."""
    if folder is None:
        yield None
        return
    python = peer_python(folder)
    url = make_url(server.url)
    told = {
        "DRF_DATABASE": str(url.database),
        "DRF_USER": str(url.username),
        "DRF_HOST": str(url.query["host"]),
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
    subprocess.run(
        [str(python), "-c", "import bench.peers.drf"],
        check=True,
        env=os.environ | told | {"DRF_MAKE_TABLE": "1"},
    )
    port = free_port()
    command = [str(python), "-m", "gunicorn", "-w", "1", "--threads", "4", "--log-level", "warning"]
    command += ["-b", f"127.0.0.1:{port}", "--keep-alive", "60", "bench.peers.drf:application"]
    with process(command, port, **told):
        yield port


def resident(pid: int) -> float:
    """Return the memory that a process holds, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


# ---------------------------------------------------------------- the table


def show(stand: Stand, found: dict[str, list[Result]], cells: Sequence[str]) -> None:
    """Print medians and, within each round, the ratio to RAW COPY."""
    raws = [one.rate for one in found.get("raw", [])]
    print(f"{'':<42}{'records/s':>11}{'range':>16}{'of RAW COPY':>13}{'range':>14}{'p50':>9}")
    for name in cells:
        rates = [one.rate for one in found[name]]
        spread = f"{min(rates):.0f}–{max(rates):.0f}"
        line = f"{CELLS[name][0]:<42}{statistics.median(rates):>11.0f}{spread:>16}"
        ratios = [rate / whole for rate, whole in zip(rates, raws, strict=False)]
        if ratios:
            spread = f"{min(ratios):.3f}–{max(ratios):.3f}"
            line += f"{statistics.median(ratios):>13.3f}{spread:>14}"
        p50 = [one.p50 for one in found[name] if one.p50 is not None]
        print(line + (f"{statistics.median(p50):>6.1f} ms" if p50 else ""))
    for ours, theirs in (
        ("single16", "alone16"),
        ("batch1000", "drf1000"),
        ("single16", "drf1"),
    ):
        if ours in found and theirs in found:
            pairs = zip(found[ours], found[theirs], strict=True)
            ratios = [one.rate / other.rate for one, other in pairs]
            spread = f"[{min(ratios):.1f}–{max(ratios):.1f}]"
            print(f"{ours} against {theirs}: {statistics.median(ratios):.1f} × {spread}")
    names = ["server_version", "fsync", "synchronous_commit", "full_page_writes"]
    names += ["shared_buffers", "max_wal_size", "wal_compression"]
    with stand.database() as database:
        told = [
            " ".join(map(str, (name, *(database.execute(f"SHOW {name}").fetchone() or ()))))
            for name in names
        ]
    print("PostgreSQL: " + ", ".join(told))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(f"server memory at the end {resident(stand.pid):.0f} MB; load {os.getloadavg()}")
    print(
        "checked in every cell: each dossier stored once, every message kept once, none set aside"
    )


def main() -> int:
    """Run the cells in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the records")
    parser.add_argument("--rounds", type=int, help="5, or 1 of a quick run")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-venv", type=Path, default=Path(tempfile.gettempdir()) / "bench-drf")
    parser.add_argument("--only", help="names of cells, with commas between")
    asked = parser.parse_args()
    rounds = asked.rounds or (1 if asked.quick else 5)
    part = 5 if asked.quick else 1
    sizes = {"batch": 20_000, "small": 8_000, "single": 2_000, "peer": 6_000, "peer single": 800}
    sizes = {name: size // part for name, size in sizes.items()}
    wanted = asked.only.split(",") if asked.only else list(CELLS)
    has_peer = not asked.no_peer and any(one.startswith("drf") for one in wanted)
    cells = [name for name in CELLS if name in wanted and (has_peer or "drf" not in name)]
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    try:
        with EmbeddedPostgres(folder / "data") as server:
            database = Database(server.url, statement_timeout_ms=600_000)
            key = settle(database)
            database.dispose()
            port, alone, second = free_port(), free_port(), free_port()
            told = {
                "DUNGHAN_DATABASE_URL": server.url,
                "DUNGHAN_HASH_KEY": SECRET,
                "DUNGHAN_DATA_DIR": str(folder / "app"),
                "DUNGHAN_REQUESTS_PER_MINUTE": "1000000",
                "DUNGHAN_LOG_LEVEL": "warning",
            }
            command = [sys.executable, "-m", "app", "serve", "--no-scheduler", "--port"]
            apart = told | {"DUNGHAN_RECORDS_TOGETHER": "1"}
            with (
                process([*command, str(port)], port, **told) as running,
                process([*command, str(alone)], alone, **apart),
                process([*command, str(second)], second, **told),
                peer_server(server, asked.peer_venv if has_peer else None) as peer_port,
            ):
                stand = Stand(server, port, alone, second, key, peer_port, running.pid, sizes)
                CELLS["batch1000"][1](stand, 0)  # warm, and the rows for RAW COPY
                found: dict[str, list[Result]] = {name: [] for name in cells}
                for number in range(1, rounds + 1):
                    for name in cells:
                        found[name].append(CELLS[name][1](stand, number))
                        print(".", end="", file=sys.stderr, flush=True)
                print(file=sys.stderr)
                show(stand, found, cells)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
