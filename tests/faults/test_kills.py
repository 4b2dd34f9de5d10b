"""P1 and P2: what was acknowledged is there after the service, or PostgreSQL, was killed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from app.store.embedded import EmbeddedPostgres
from app.store.opening import opened
from tests.faults.conftest import Scale
from tests.faults.harness import (
    Cluster,
    Service,
    database_of,
    differing,
    furnish,
    pause,
    wait_for,
)
from tests.faults.proxy import Fault, Proxy
from tests.faults.senders import Crowd, Journal, account_of

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

CRASHES_AT_MOST = 5
"""So often a crash may come right after the log was written, by chance."""
BACK_WITHIN = 5.0
"""Seconds in which the service must serve again after its database is back."""


def test_what_was_acknowledged_survives_kill_9_of_the_service(
    folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """P1, on the embedded PostgreSQL: each new start takes over the server left behind."""
    random = Random(seed)
    kills, while_starting = 0, 0
    with opened(url=None, data_dir=folder / "data") as database:
        key = furnish(database)
    service = Service(folder, url=None)
    with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
        enough = scale(300, 200_000)
        while kills < scale(20, 500) or journal.seen["acks"] < enough:
            if random.random() < 0.2:  # the start itself is a moment like any other
                pause(random.uniform(0.05, 1.5))
                while_starting += service.get("/healthz") is None
            else:
                _work_goes_on(service, journal)
                pause(random.uniform(0.0, 2.0 if scale.is_soak else 0.5))
            kills += service.kill()
            service.start()
        service.wait_until_up()

    with opened(url=None, data_dir=folder / "data") as database:
        found = account_of(database, list(journal.marks()))
        differ = differing(database)
    tell(
        kills=kills,
        of_them_while_starting=while_starting,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        seen=dict(journal.seen),
    )
    assert journal.violations == [], service.tail
    assert service.starts == kills + 1
    assert journal.seen["broken calls"] > 0, "no kill met a call: nothing was tested"
    assert found.acknowledged >= enough
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def test_what_was_acknowledged_survives_a_crash_of_postgresql(
    folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """P2: immediate stops and kills of the server; the service itself is never started again."""
    random = Random(seed)
    slowest = 0.0
    with Cluster(folder / "data") as cluster:
        with database_of(cluster.url) as database:
            key = furnish(database)
        service = Service(folder, url=cluster.url)
        with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
            while cluster.crashes < scale(5, 200):
                _work_goes_on(service, journal)
                pause(random.uniform(0.1, 1.0))
                sign = signal.SIGQUIT if cluster.crashes % 2 else signal.SIGKILL
                assert cluster.crash(sign)
                _is_refused(service, journal)
                cluster.start()
                slowest = max(slowest, _work_goes_on(service, journal))
            assert service.get("/readyz") == 200
        with database_of(cluster.url) as database:
            found = account_of(database, list(journal.marks()))
            differ = differing(database)
    tell(
        crashes=cluster.crashes,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        slowest_return=f"{slowest:.2f} s",
        seen=dict(journal.seen),
    )
    assert journal.violations == [], service.tail
    assert service.starts == 1
    assert journal.seen["refusals: unreachable"] > 0, "no crash met a call: nothing was tested"
    assert slowest <= scale.seconds(BACK_WITHIN)
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def test_an_embedded_postgresql_that_is_killed_comes_back_by_itself(
    folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """P2 for the embedded server: the service is never started again, and starts its server."""
    random = Random(seed)
    kills, slowest = 0, 0.0
    server = EmbeddedPostgres(folder / "data")
    with opened(url=None, data_dir=folder / "data") as database:
        key = furnish(database)
    service = Service(folder, url=None)
    with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
        while kills < scale(3, 100):
            _work_goes_on(service, journal)
            pause(random.uniform(0.1, 1.0))
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT if kills % 2 else signal.SIGKILL)
            kills += 1
            slowest = max(slowest, _comes_back(service, server, pid))
            _work_goes_on(service, journal)
        assert service.get("/readyz") == 200
    with opened(url=None, data_dir=folder / "data") as database:
        found = account_of(database, list(journal.marks()))
        differ = differing(database)
    tell(
        kills=kills,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        slowest_return=f"{slowest:.2f} s",
        seen=dict(journal.seen),
    )
    assert journal.violations == [], service.tail
    assert service.starts == 1
    assert journal.seen["refusals: unreachable"] > 0, "no kill met a call: nothing was tested"
    assert slowest <= scale.seconds(BACK_WITHIN)
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def test_the_senders_would_notice_a_loss(
    folder: Path, seed: int, tell: Callable[..., None]
) -> None:
    """The tests above are worth something: with commits that do not wait, they find the loss."""
    lazy = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
    with Cluster(folder / "data", **lazy) as cluster:
        with database_of(cluster.url) as database:
            key = furnish(database, environment="test")
        cluster.checkpoint()
        service = Service(folder, url=cluster.url, environment="test")
        with service, Crowd(folder, service.port, key, seed=seed, size=4) as journal:
            while True:
                for _ in range(5):
                    _work_goes_on(service, journal)
                assert cluster.crash(signal.SIGKILL)
                cluster.start()
                _work_goes_on(service, journal)
                with database_of(cluster.url) as database:
                    found = account_of(database, list(journal.marks()))
                if found.lost or cluster.crashes == CRASHES_AT_MOST:
                    break  # a crash right after the log was written loses nothing
    tell(crashes=cluster.crashes, acks=found.acknowledged, lost=found.lost)
    assert found.lost > 0


def test_what_was_acknowledged_survives_cuts_between_service_and_postgresql(
    folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """A switch on the way to the database resets, refuses, and comes back."""
    random = Random(seed)
    slowest = 0.0
    with Cluster(folder / "data") as cluster, Proxy(cluster.socket) as wire:
        with database_of(cluster.url) as database:
            key = furnish(database)
        url = f"postgresql+psycopg://dunghan@127.0.0.1:{wire.port}/dunghan"
        service = Service(folder, url=url)
        with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
            for _ in range(scale(10, 1_000)):
                _work_goes_on(service, journal)
                pause(random.uniform(0.0, 0.3))
                wire.fault = Fault.REFUSE
                wire.cut()
                _is_refused(service, journal)
                wire.fault = Fault.NONE
                slowest = max(slowest, _work_goes_on(service, journal))
        with database_of(cluster.url) as database:
            found = account_of(database, list(journal.marks()))
            differ = differing(database)
    tell(
        cuts=wire.injected,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        slowest_return=f"{slowest:.2f} s",
        seen=dict(journal.seen),
    )
    assert journal.violations == [], service.tail
    assert service.starts == 1
    assert wire.injected > 0
    assert slowest <= scale.seconds(BACK_WITHIN)
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def _work_goes_on(service: Service, journal: Journal) -> float:
    """Wait for another acknowledged call and return how many seconds that took."""
    before = journal.seen["calls"]

    def is_more() -> bool:
        assert service.is_alive, service.tail
        return journal.seen["calls"] > before or bool(journal.violations)

    return wait_for("an acknowledged call", is_more)


def _comes_back(service: Service, server: EmbeddedPostgres, former: int) -> float:
    """Wait until another server runs and the service is ready; return the seconds that took."""
    took = wait_for("another server", lambda: server.pid not in {former, None})
    return took + wait_for("readiness", lambda: service.get("/readyz") == 200)


def _is_refused(service: Service, journal: Journal) -> None:
    """See that the service lives, says that it is not ready, and refuses with a problem."""
    before = journal.seen["refusals"]
    assert service.get("/healthz") == 200
    assert service.get("/readyz") == 503
    wait_for("a refusal", lambda: journal.seen["refusals"] > before or bool(journal.violations))
