"""Delivery of queued events to receivers, each signed, sent, acknowledged and logged.

    python -m bench.deliver [--events 4000] [--receivers 4] [--rounds 3] [--waits 0,20]

The receivers are one process that keeps connections and acknowledges everything after ``--waits``
milliseconds; the sender is one process on a durable embedded PostgreSQL. Each round queues the
events anew and delivers them as a worker does; the receivers' count, the states of all events and
the delivery log are compared before a rate is shown.
"""

import argparse
import multiprocessing
import platform
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from app.clock import system_clock
from app.senders.guard import networks
from app.senders.seal import Sealer
from app.senders.webhook import WebhookSender
from app.store import outbox as store
from app.store import schema, webhooks
from app.store.embedded import EmbeddedPostgres
from app.store.outbox import Event, Post
from app.store.session import Database
from app.usecases import catalogue
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.outbox import OVERDUE, Courier, deliver_due
from app.usecases.webhooks import new_secret

SEALER = Sealer(b"k" * 32)


def receive(
    port: "Synchronized[int]", wait_ms: "Synchronized[int]", seen: "Synchronized[int]"
) -> None:
    """Acknowledge everything, after a while, on connections that are kept."""

    class Handler(BaseHTTPRequestHandler):
        """One letter after another."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Take a letter."""
            self.rfile.read(int(self.headers["content-length"]))
            if wait_ms.value:
                threading.Event().wait(wait_ms.value / 1000)
            with seen.get_lock():
                seen.value += 1
            self.send_response_only(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


@contextmanager
def receiving() -> Iterator[tuple[int, "Synchronized[int]", "Synchronized[int]"]]:
    """Let another process receive for the time of a block: its port, its wait, its count."""
    context = multiprocessing.get_context("spawn")
    port, wait_ms, seen = (context.Value("i", 0) for _ in range(3))
    process = context.Process(target=receive, args=(port, wait_ms, seen), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.05)
    try:
        yield port.value, wait_ms, seen
    finally:
        process.terminate()
        process.join(10)


def furnish(database: Database, receivers: int, port: int) -> None:
    """Make a unit and its receivers."""
    schema.migrate(database)
    with database.begin() as session:
        spec = UnitSpec(
            code="H44",
            name="H44",
            level=UnitLevel.PROVINCE,
            parent=None,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        catalogue.put_units(session, [spec], actor="bench", now=system_clock())
        unit_id = int(session.scalar(text("SELECT id FROM unit WHERE code = 'H44'")))
        for number in range(receivers):
            webhook_id = uuid4()
            webhooks.add(
                session,
                webhook_id=webhook_id,
                unit_id=unit_id,
                url=f"http://127.0.0.1:{port}/{number}",
                events=[OVERDUE],
                secret=SEALER.seal(new_secret(), owner=str(webhook_id)),
                now=system_clock(),
            )


def deliver(database: Database, events: int) -> float:
    """Queue events for every receiver, deliver them, check the books, and return the seconds."""
    courier = Courier(
        sender=WebhookSender(allowed=networks(["127.0.0.0/8"])), sealer=SEALER, clock=system_clock
    )
    with database.begin() as session:
        session.execute(text("TRUNCATE outbox"))
        unit_id = int(session.scalar(text("SELECT id FROM unit WHERE code = 'H44'")))
        to = list(session.scalars(text("SELECT id FROM webhook")))
        posts = [
            Post(Event(unit_id, uuid4(), to[n % len(to)]), OVERDUE, {"type": OVERDUE, "data": n})
            for n in range(events)
        ]
        store.append(session, posts, now=system_clock())
    since, begun = system_clock(), time.perf_counter()
    done = deliver_due(database, courier)
    took = time.perf_counter() - begun
    with database.read() as session:
        delivered = session.scalar(text("SELECT count(*) FROM outbox WHERE state = 'delivered'"))
        logged = session.scalar(
            text("SELECT count(*) FROM delivery WHERE at >= :since"), {"since": since}
        )
    assert (done.acknowledged, delivered, logged) == (events,) * 3, (done, delivered, logged)
    return took


def main() -> int:
    """Deliver with each wait in interleaved rounds and print one line for each."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--events", type=int, default=4000)
    asked.add_argument("--receivers", type=int, default=4)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--waits", default="0,20")
    told = asked.parse_args()
    waits = [int(one) for one in told.waits.split(",")]
    rates: dict[int, list[float]] = {wait: [] for wait in waits}
    folder = Path(tempfile.mkdtemp(prefix="dunghan-bench-"))
    folder.chmod(0o755)
    try:
        with EmbeddedPostgres(folder) as server, receiving() as (port, wait_ms, seen):
            database = Database(server.url)
            furnish(database, told.receivers, port)
            for _ in range(told.rounds):
                for wait in waits:
                    wait_ms.value, seen.value = wait, 0
                    took = deliver(database, told.events)
                    assert seen.value == told.events, f"{seen.value} arrived"
                    rates[wait].append(told.events / took)
            database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"CPython {platform.python_version()}, {told.events} events, {told.receivers} receivers")
    for wait, found in rates.items():
        print(
            f"acknowledged after {wait} ms: {statistics.median(found):,.0f}/s"
            f" [{min(found):,.0f} to {max(found):,.0f}]"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
