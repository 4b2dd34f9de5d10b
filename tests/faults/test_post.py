"""The post under faults: everything arrives, or is seen to have died, and nobody starves."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from app.clock import system_clock
from app.jobs import Worker
from app.store import outbox as store
from app.store import webhooks
from app.store.outbox import Event, Post
from app.store.session import Database
from app.store.tables import outbox
from app.usecases.outbox import OVERDUE
from app.usecases.runs import Duty
from app.usecases.webhooks import new_secret
from tests.factories import make_unit
from tests.faults.conftest import Scale
from tests.faults.harness import awake_seconds, free_port, pause, wait_for
from tests.faults.nursery import SEALER, Nursery, courier

HEALED_WITHIN: Final = 60.0
P99_AT_MOST: Final = 5.0
KINDS: Final = ("well", "lossy", "resetting", "dripping")


@dataclass
class Town:
    """Receivers on one socket, each with its fault; it keeps what reached each."""

    seed: int
    secrets: dict[str, str] = field(default_factory=dict)
    seen: defaultdict[str, list[tuple[str, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    arrived_at: dict[str, float] = field(default_factory=dict)
    injected: int = 0
    is_healed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Draw faults from the seed."""
        self._chance = random.Random(self.seed)

    def fault_of(self, kind: str) -> str:
        """Return what happens to a letter: nothing, or a fault that is counted."""
        with self._lock:
            draw = self._chance.random()
            fault = "none"
            if not self.is_healed:
                if kind == "lossy" and draw < 0.10:
                    fault = "lost ack" if draw < 0.05 else "503"
                elif kind == "resetting" and draw < 0.10:
                    fault = "reset"
                elif kind == "dripping" and draw < 0.004:
                    fault = "drip"
            self.injected += fault != "none"
            return fault

    def take(self, kind: str, headers: dict[str, str], body: bytes) -> None:
        """Keep a letter whose signature is good."""
        Webhook(self.secrets[kind]).verify(body, headers)
        with self._lock:
            self.seen[kind].append((headers["webhook-id"], body))
            self.arrived_at.setdefault(headers["webhook-id"], awake_seconds())


class Handler(BaseHTTPRequestHandler):
    """One letter after another, on a connection that is kept until a fault cuts it."""

    protocol_version = "HTTP/1.1"
    town: ClassVar[Town]

    def do_POST(self) -> None:
        """Take it, lose the answer, refuse, reset or drip."""
        kind = self.path.strip("/")
        body = self.rfile.read(int(self.headers["content-length"]))
        fault = self.town.fault_of(kind)
        self.close_connection = fault not in {"none", "503"}
        if fault == "reset":
            return
        if fault == "503":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.town.take(kind, {name.lower(): told for name, told in self.headers.items()}, body)
        if fault == "lost ack":
            return
        if fault == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(20):
                pause(1)
                self.wfile.write(b"X: y\r\n")
                self.wfile.flush()
            return
        self.send_response(204)
        self.end_headers()

    def handle_one_request(self) -> None:
        """Let a caller that has given up go."""
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(town: Town, port: int = 0) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"town": town}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def add_receiver(database: Database, unit_id: int, url: str) -> tuple[UUID, str]:
    webhook_id, secret = uuid4(), new_secret()
    with database.begin() as session:
        webhooks.add(
            session,
            webhook_id=webhook_id,
            unit_id=unit_id,
            url=url,
            events=[OVERDUE],
            secret=SEALER.seal(secret, owner=str(webhook_id)),
            now=system_clock(),
        )
    return webhook_id, secret


def queue(database: Database, unit_id: int, webhook_id: UUID, number: int) -> list[UUID]:
    ids = [uuid4() for _ in range(number)]
    posts = [
        Post(Event(unit_id, each, webhook_id), OVERDUE, {"type": OVERDUE, "n": n})
        for n, each in enumerate(ids)
    ]
    with database.begin() as session:
        store.append(session, posts, now=system_clock())
    return ids


def in_state(database: Database, state: str, *but: UUID) -> int:
    with database.read() as session:
        counted = sa.select(sa.func.count()).select_from(outbox)
        wanted = counted.where(outbox.c.state == state, outbox.c.webhook_id.not_in(but))
        return int(session.execute(wanted).scalar_one())


@pytest.mark.fault
def test_every_event_arrives_under_its_id_and_soon_after_the_receivers_are_well(
    fresh_database: Database,
    migrated_url: str,
    scale: Scale,
    seed: int,
    tell: Callable[..., None],
) -> None:
    """P7: lost answers, 503, resets, drips, a receiver that is down, couriers killed."""
    events, kills = scale(200, 20_000), scale(8, 400)
    chance = random.Random(seed)
    town = Town(seed)
    sent: dict[str, list[UUID]] = {}
    with fresh_database.begin() as session:
        unit_id = make_unit(session).id
    down = free_port()
    with serving(town) as port, Nursery() as nursery:
        for kind in (*KINDS, "down"):
            url = f"http://127.0.0.1:{down if kind == 'down' else port}/{kind}"
            webhook_id, town.secrets[kind] = add_receiver(fresh_database, unit_id, url)
            sent[kind] = queue(fresh_database, unit_id, webhook_id, events)
        couriers = [nursery.start("post", url=migrated_url) for _ in range(4)]
        killed = 0
        while killed < kills or town.injected < 20:
            pause(0.2 + chance.random() * 0.6)
            at = chance.randrange(len(couriers))
            nursery.kill(couriers[at])
            couriers[at] = nursery.start("post", url=migrated_url)
            killed += 1
            if killed > 50 * kills:
                break
        town.is_healed = True
        with serving(town, down):
            took = wait_for(
                "an empty outbox",
                lambda: in_state(fresh_database, "pending") == 0,
                within=scale.seconds(HEALED_WITHIN) + 30,
            )
    dead = in_state(fresh_database, "dead")
    missing = {
        kind: len({str(each) for each in ids} - {event for event, _ in town.seen[kind]})
        for kind, ids in sent.items()
    }
    attempts = sum(len(each) for each in town.seen.values())
    bodies = defaultdict(set)
    for kind in town.seen:
        for event, body in town.seen[kind]:
            bodies[event].add(body)
    tell(
        couriers_killed=killed,
        faults=town.injected,
        events=len(sent) * events,
        arrivals=attempts,
        repeats=attempts - len(bodies),
        dead=dead,
        seconds_after_healing=round(took, 1),
    )
    assert town.injected >= 20
    assert killed >= kills
    assert sum(missing.values()) == dead == 0
    assert all(len(each) == 1 for each in bodies.values()), "a repeat had another body"
    assert took <= scale.seconds(HEALED_WITHIN)


@pytest.mark.fault
def test_a_dead_receiver_and_a_dripping_one_starve_nobody(
    fresh_database: Database, scale: Scale, seed: int, tell: Callable[..., None]
) -> None:
    """P16: fifty thousand events wait for the dead; what the living get comes within seconds."""
    waiting, events = scale(50_000, 500_000), scale(100, 2_000)
    town = Town(seed)
    with fresh_database.begin() as session:
        unit_id = make_unit(session).id
    with serving(town) as port:
        for kind, url in (
            ("dead", f"http://127.0.0.1:{free_port()}/"),
            ("silent", "http://127.0.0.1:9/"),
        ):
            webhook_id, town.secrets[kind] = add_receiver(fresh_database, unit_id, url)
            with fresh_database.begin() as session:
                session.execute(
                    sa.text(
                        "INSERT INTO outbox (unit_id, event_id, webhook_id, event_type, payload,"
                        " next_at) SELECT :unit, gen_random_uuid(), :webhook, 'dossier.overdue',"
                        " '{}', now() - interval '1 hour' FROM generate_series(1, :number)"
                    ),
                    {"unit": unit_id, "webhook": webhook_id, "number": waiting // 2},
                )
        well, town.secrets["well"] = add_receiver(
            fresh_database, unit_id, f"http://127.0.0.1:{port}/well"
        )
        queued_at: dict[str, float] = {}
        duty = Duty(clock=system_clock, owner="test")
        with Worker(fresh_database, duty=duty, courier=courier()):
            for _ in range(events // 10):
                for each in queue(fresh_database, unit_id, well, 10):
                    queued_at[str(each)] = awake_seconds()
                pause(0.5)
            wait_for("all letters", lambda: len(town.arrived_at) == events)
    late = sorted(town.arrived_at[each] - queued_at[each] for each in queued_at)
    p99 = late[len(late) * 99 // 100]
    pending = in_state(fresh_database, "pending")
    tell(waiting_for_the_dead=pending, events=events, p99_milliseconds=round(p99 * 1000))
    assert pending >= waiting * 9 // 10, "the dead were not dead"
    assert p99 <= scale.seconds(P99_AT_MOST)
