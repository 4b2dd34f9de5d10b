"""P16, the senders: one that floods in every way it can leaves the others their time."""

import http.client
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import pytest

from app.clock import system_clock
from app.usecases import access
from app.usecases.access import Keyring, Scope
from tests.faults.conftest import Scale
from tests.faults.harness import (
    SECRET,
    Cluster,
    Service,
    awake_seconds,
    database_of,
    furnish,
    wait_for,
)

pytestmark = pytest.mark.fault

BATCHES: Final = 24
"""Connections that each send a large batch as soon as the last one was answered."""
SINGLES: Final = 16
"""Connections that each send a single record as soon as the last one was answered."""
DRIPS: Final = 8
"""Connections that announce a body of unknown length and send a byte of it now and then."""
BATCHES_MEANWHILE: Final = 3
"""How many batches of the flood must be answered beside the quiet one, so that it was felt."""
FLOOD_LASTS: Final = 300.0
"""Seconds after which the quiet one no longer waits for those answers."""
P99_AT_MOST: Final = 5.0
MARK: Final = "MARK"


def record(code: str) -> dict[str, object]:
    """Tell of one dossier."""
    return {
        "code": code,
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": "online",
        "received_at": "2026-03-02T08:00:00+07:00",
        "due_at": "2026-03-06T17:00:00+07:00",
        "status": "processing",
        "source_updated_at": "2026-03-02T08:00:00+07:00",
    }


def batch(codes: list[str]) -> str:
    """Tell of many dossiers."""
    return json.dumps({"dossiers": [record(code) for code in codes]})


class Caller:
    """One connection of one key, opened again when it broke."""

    def __init__(self, port: int, key: str) -> None:
        """Prepare; the first question opens it."""
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, body: str = "") -> int:
        """Ask once and return the status, 0 when the line broke."""
        try:
            self._line.request(method, path, body.encode(), self._headers)
            answer = self._line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._line.close()
            return 0
        return answer.status

    def cut(self) -> None:
        """Break the line, whoever waits on it."""
        line = self._line.sock
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                line.close()

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()


class Flood:
    """Everything that one key can do at once, for the time of a block."""

    def __init__(self, port: int, key: str, *, records: int) -> None:
        """Prepare the connections of a key; ``records`` is how many a batch tells of."""
        self._port, self._key = port, key
        self.batches: Counter[int] = Counter()
        self.singles: Counter[int] = Counter()
        self.drips_open = 0
        self._stop = threading.Event()
        self._template = batch([f"{MARK}-{n}" for n in range(records)])
        self._callers = [Caller(port, key) for _ in range(BATCHES + SINGLES)]
        self._threads = [
            threading.Thread(target=self._send_on, args=(caller, number))
            for number, caller in enumerate(self._callers)
        ] + [threading.Thread(target=self._drip) for _ in range(DRIPS)]

    def __enter__(self) -> Self:
        """Let it begin, and wait until all of it is felt."""
        for thread in self._threads:
            thread.start()
        wait_for("the flood", lambda: self.is_felt, within=FLOOD_LASTS)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every line and wait for the senders to notice."""
        self._stop.set()
        for caller in self._callers:
            caller.cut()
        for thread in self._threads:
            thread.join(60)

    @property
    def is_felt(self) -> bool:
        """Tell whether batches and single records were answered and bodies trickle in."""
        return bool(self.batches and self.singles and self.drips_open)

    def was_answered(self, *, beside: int) -> bool:
        """Tell whether enough batches were answered since a number of them, and some taken."""
        is_enough = self.batches.total() - beside >= BATCHES_MEANWHILE
        return is_enough and bool(self.batches[200] and self.singles[201])

    def _send_on(self, caller: Caller, number: int) -> None:
        turn = 0
        try:
            while not self._stop.is_set():
                turn += 1
                name = f"F-{number}-{turn}"
                if number < BATCHES:
                    body = self._template.replace(MARK, name)
                    self._note(self.batches, caller.ask("POST", "/v1/dossiers/batch", body))
                else:
                    body = json.dumps(record(name))
                    self._note(self.singles, caller.ask("PUT", f"/v1/dossiers/{name}", body))
        finally:
            caller.close()

    def _note(self, counts: Counter[int], status: int) -> None:
        if not self._stop.is_set():
            counts[status] += 1

    def _drip(self) -> None:
        head = (
            "POST /v1/dossiers/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {self._key}\r\n\r\n"
        )
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=60) as line:
                    line.sendall(head.encode())
                    self.drips_open += 1
                    while not self._stop.wait(0.2):
                        line.sendall(b"1\r\n \r\n")
            except OSError:
                continue


def ways(caller: Caller) -> dict[str, Callable[[int], int]]:
    """Return what a sender does on an ordinary day, by name."""
    query = "/v1/statistics?unit=H44.101&from=2026-03-01&to=2026-03-31"

    def single(n: int) -> int:
        return caller.ask("PUT", f"/v1/dossiers/Q-{n}", json.dumps(record(f"Q-{n}")))

    def some(n: int) -> int:
        body = batch([f"Q-{n}-{place}" for place in range(20)])
        return caller.ask("POST", "/v1/dossiers/batch", body)

    def figures(_: int) -> int:
        return caller.ask("GET", query)

    return {"single": single, "batch of 20": some, "statistics": figures}


def p99(times: list[float]) -> float:
    """Return the time that one in a hundred exceeds."""
    return sorted(times)[len(times) * 99 // 100]


def test_a_sender_that_floods_leaves_another_its_time(
    folder: Path, scale: Scale, seed: int, tell: Callable[..., None]
) -> None:
    """One key does all it can on 48 connections; another does its ordinary work on one."""
    wanted = scale(30, 3_000)
    chance = random.Random(seed)
    with Cluster(folder / "data") as cluster:
        with database_of(cluster.url) as database:
            noisy = furnish(database)
            with database.begin() as session:
                quiet = access.issue_key(
                    session,
                    Keyring(secret=SECRET.encode(), environment="production"),
                    name="quiet",
                    source="quiet",
                    unit="H44",
                    scopes=tuple(Scope),
                    actor="test",
                    now=system_clock(),
                ).key
        service = Service(folder, url=cluster.url)
        took: dict[str, list[float]] = {}
        answers: Counter[int] = Counter()
        with service, Flood(service.port, noisy, records=scale(1_000, 5_000)) as flood:
            before = flood.batches.total()
            caller = Caller(service.port, quiet)
            todo = ways(caller)
            until = awake_seconds() + FLOOD_LASTS
            asked = 0
            while asked < wanted or (
                not flood.was_answered(beside=before) and awake_seconds() < until
            ):
                name = chance.choice(sorted(todo))
                began = awake_seconds()
                answers[todo[name](asked)] += 1
                took.setdefault(name, []).append(awake_seconds() - began)
                asked += 1
            caller.close()
            meanwhile = flood.batches.total() - before
    tell(
        flooding_batches=dict(flood.batches),
        flooding_singles=dict(flood.singles),
        batches_meanwhile=meanwhile,
        trickling_bodies=flood.drips_open,
        of_the_quiet_one=dict(answers),
        **{f"p99 of {name}": f"{p99(times):.2f} s" for name, times in took.items()},
    )
    assert meanwhile >= BATCHES_MEANWHILE, "the flood had ended"
    assert flood.drips_open >= DRIPS, "no body trickled"
    assert flood.batches[200] > 0, "no batch of the flood was taken"
    assert flood.singles[201] > 0, "no single record of the flood was taken"
    assert set(flood.batches) | set(flood.singles) <= {200, 201, 429, 503}, service.tail
    assert set(answers) <= {200, 201}, answers
    assert p99([each for times in took.values() for each in times]) <= scale.seconds(P99_AT_MOST)
