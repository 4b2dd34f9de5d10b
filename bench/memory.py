"""Memory of the server under fifty bodies at once, each as bad as it may be.

    python -m bench.memory [--bodies 50] [--only records,lines]

A fresh server for each kind of body: the largest batch that fits the limits (as JSON, as NDJSON and
compressed), a body of nothing but empty lists, one of one endless line, and a compressed bomb. The
peak is what the kernel says (VmHWM). Afterwards the server must still answer.
"""

import argparse
import concurrent.futures
import contextlib
import gzip
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson

from app.store.embedded import EmbeddedPostgres
from app.store.session import Database
from bench import traffic
from bench.ingest import SECRET, free_port, process, settle
from bench.traffic import Traffic

LIMIT = 16 * 2**20
GOAL = 400


def fat_records(room: int) -> list[dict[str, object]]:
    """Return as many records as a batch may have, each filled up until the body is full."""
    records = list(Traffic(5).records(5_000))
    spare = (room - len(traffic.batch(records))) // len(records) - 40
    pause = {"kind": "other", "started_at": "2026-07-01T08:00:00+07:00"}
    size = len(orjson.dumps(pause)) + 1
    for one in records:
        one["pauses"] = [pause] * min(200, spare // size)
    return records


def records() -> tuple[str, bytes, dict[str, str]]:
    return "application/json", traffic.batch(fat_records(LIMIT)), {}


def lines() -> tuple[str, bytes, dict[str, str]]:
    return "application/x-ndjson", b"\n".join(map(orjson.dumps, fat_records(LIMIT))), {}


def packed() -> tuple[str, bytes, dict[str, str]]:
    body = b"\n".join(map(orjson.dumps, fat_records(LIMIT)))
    return "application/x-ndjson", gzip.compress(body, 1), {"Content-Encoding": "gzip"}


def empty_lists() -> tuple[str, bytes, dict[str, str]]:
    many = b"[]," * ((LIMIT - 40) // 3)
    return "application/json", b'{"dossiers":[' + many + b"[]]}", {}


def one_line() -> tuple[str, bytes, dict[str, str]]:
    return "application/x-ndjson", b'{"code":"' + b"x" * (LIMIT - 20), {}


def bomb() -> tuple[str, bytes, dict[str, str]]:
    return "application/json", gzip.compress(b" " * 2**30, 9), {"Content-Encoding": "gzip"}


KINDS: dict[str, Callable[[], tuple[str, bytes, dict[str, str]]]] = {
    "records": records,
    "lines": lines,
    "packed": packed,
    "empty_lists": empty_lists,
    "one_line": one_line,
    "bomb": bomb,
}


def post(port: int, key: str, kind: str, body: bytes, more: dict[str, str]) -> str:
    """Send one body and return the status of the answer; an early refusal may cut the line."""
    head = (
        f"POST /v1/dossiers/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    head += "".join(f"{name}: {value}\r\n" for name, value in more.items())
    with socket.create_connection(("127.0.0.1", port), timeout=300) as line:
        with contextlib.suppress(OSError):
            line.sendall(head.encode() + b"\r\n")
            line.sendall(body)
        with contextlib.suppress(OSError):
            return line.recv(64)[9:12].decode() or "closed"
    return "cut"


def peak(pid: int, name: str) -> float:
    """Return a line of the kernel's account of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> int:
    """Measure each kind on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=50)
    parser.add_argument("--only", help="names of kinds, with commas between")
    asked = parser.parse_args()
    wanted = asked.only.split(",") if asked.only else list(KINDS)
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    worst = 0.0
    try:
        with EmbeddedPostgres(folder / "data") as server:
            database = Database(server.url, statement_timeout_ms=600_000)
            key = settle(database)
            database.dispose()
            print(f"{'kind':<14}{'body MB':>9}{'at rest MB':>12}{'peak MB':>9}  answers")
            for name in wanted:
                kind, body, more = KINDS[name]()
                port = free_port()
                told = {
                    "DUNGHAN_DATABASE_URL": server.url,
                    "DUNGHAN_HASH_KEY": SECRET,
                    "DUNGHAN_DATA_DIR": str(folder / "app"),
                    "DUNGHAN_LOG_LEVEL": "error",
                }
                command = [sys.executable, "-m", "app", "serve", "--no-scheduler", "--port"]
                with process([*command, str(port)], port, **told) as running:
                    rest = peak(running.pid, "VmRSS")
                    with concurrent.futures.ThreadPoolExecutor(asked.bodies) as senders:
                        jobs = [
                            senders.submit(post, port, key, kind, body, more)
                            for _ in range(asked.bodies)
                        ]
                        answers = Counter(job.result() for job in jobs)
                    most = peak(running.pid, "VmHWM")
                    ready = traffic.request("GET", "/healthz", b"", port=port)
                    traffic.send([ready], port=port, connections=1)
                worst = max(worst, most)
                shown = ", ".join(f"{count} × {status}" for status, count in answers.items())
                size = len(body) / 1e6
                print(f"{name:<14}{size:>9.1f}{rest:>12.0f}{most:>9.0f}  {shown}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    print(f"goal: at most {GOAL} MB; {'met' if worst <= GOAL else 'NOT met'} ({worst:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
