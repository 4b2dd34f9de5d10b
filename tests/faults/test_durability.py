"""P3 and P4: unsafe settings are not ready, and a full disk refuses and heals."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.faults.harness import (
    Cluster,
    NeverHappened,
    Service,
    database_of,
    differing,
    furnish,
    wait_for,
)
from tests.faults.senders import Crowd, Journal, account_of

pytestmark = pytest.mark.fault

MEGABYTE = 1 << 20


@pytest.mark.must_run_in_ci
def test_settings_that_may_lose_records_are_never_ready_in_production(
    folder: Path, tell: Callable[..., None]
) -> None:
    """P3, on a real server: each setting switched off, then all on again, one service process."""
    ready: dict[str, int | None] = {}
    with Cluster(folder / "data") as cluster:
        with database_of(cluster.url) as database:
            furnish(database)
        with Service(folder, url=cluster.url) as service:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                cluster.restart_with(**{setting: "off"})
                service.get("/readyz")  # may meet a connection of before, which is then let go
                ready[setting] = service.get("/readyz")
            cluster.restart_with()
            wait_for("readiness", lambda: service.get("/readyz") == 200)
            ready["all on"] = service.get("/readyz")
            assert service.starts == 1
    tell(faults=3, **{name.replace(" ", "_"): str(status) for name, status in ready.items()})

    assert ready == {
        "fsync": 503,
        "full_page_writes": 503,
        "synchronous_commit": 503,
        "all on": 200,
    }


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of 160 MB that can be made larger; only root can mount one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount a small disk")
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m,mode=0755", "dunghan-fault", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_of_the_tables_refuses_and_heals(
    small_disk: Path, folder: Path, seed: int, tell: Callable[..., None]
) -> None:
    """P4: the tables lie on a small disk; neither the service nor PostgreSQL starts again."""
    with Cluster(folder / "data") as cluster:
        with database_of(cluster.url) as database:
            key = furnish(database)
        _move_tables(cluster, small_disk)
        _resize(small_disk, _used(small_disk) + 2 * MEGABYTE)
        service = Service(folder, url=cluster.url)
        with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
            _wait_for_refusals(service, journal, 1_000)
            assert (service.get("/healthz"), cluster.is_alive) == (200, True)
            taken = journal.seen["acks"]
            _resize(small_disk, 160 * MEGABYTE)
            _wait_for_acks(service, journal, taken + 100)
        with database_of(cluster.url) as database:
            found = account_of(database, list(journal.marks()))
            differ = differing(database)
    tell(
        refusals=journal.seen["refusals"],
        acks_before_it_grew=taken,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
    )
    assert journal.violations == [], service.tail
    assert (service.starts, cluster.crashes) == (1, 0)
    assert journal.seen["refusals: full"] > 0
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def test_a_full_disk_of_the_whole_database_refuses_and_heals(
    small_disk: Path, folder: Path, seed: int, tell: Callable[..., None]
) -> None:
    """P4, worse: the log of PostgreSQL is full too, so it stops; the service waits for it."""
    with Cluster(small_disk / "data", max_wal_size="32MB", min_wal_size="32MB") as cluster:
        with database_of(cluster.url) as database:
            key = furnish(database)
        _resize(small_disk, _used(small_disk) + 6 * MEGABYTE)
        service = Service(folder, url=cluster.url)
        with service, Crowd(folder, service.port, key, seed=seed, size=6) as journal:
            _wait_for_refusals(service, journal, 100)
            assert service.get("/healthz") == 200
            stopped = _stops_by_itself(cluster)
            taken = journal.seen["acks"]
            _resize(small_disk, 512 * MEGABYTE)
            stopped |= _wait_for_acks(service, journal, taken + 100, revive=cluster)
        with database_of(cluster.url) as database:
            found = account_of(database, list(journal.marks()))
            differ = differing(database)
    tell(
        refusals=journal.seen["refusals"],
        stops_of_postgresql=int(stopped),
        acks_before_it_grew=taken,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
    )
    assert journal.violations == [], service.tail
    assert service.starts == 1
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def _move_tables(cluster: Cluster, disk: Path) -> None:
    place = disk / "tables"
    place.mkdir()
    owner = (cluster.folder / "postgres").stat()
    shutil.chown(place, owner.st_uid, owner.st_gid)
    url = make_url(cluster.superuser_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(), autocommit=True) as server:
        server.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        server.execute("ALTER DATABASE dunghan SET TABLESPACE small")
        server.execute("CHECKPOINT")


def _resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def _used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def _wait_for_refusals(service: Service, journal: Journal, wanted: int) -> None:
    def enough() -> bool:
        assert service.is_alive, service.tail
        return journal.seen["refusals"] >= wanted or bool(journal.violations)

    wait_for(f"{wanted} refusals", enough, within=240)


def _wait_for_acks(
    service: Service, journal: Journal, wanted: int, *, revive: Cluster | None = None
) -> bool:
    """Wait for acks, and start a server that gave up; tell whether it had, at last or before."""
    stopped = False

    def enough() -> bool:
        nonlocal stopped
        assert service.is_alive, service.tail
        if revive is not None and not revive.is_alive:
            stopped = True
            revive.start()
        return journal.seen["acks"] >= wanted or bool(journal.violations)

    wait_for(f"{wanted} acks", enough, within=240)
    return stopped


def _stops_by_itself(cluster: Cluster) -> bool:
    """Tell whether PostgreSQL gives up, as it does when it cannot write its log."""
    try:
        wait_for("the end of PostgreSQL", lambda: not cluster.is_alive, within=5)
    except NeverHappened:
        return False
    return True
