"""An import by command whose processes are killed: nothing lost, nothing doubled, no one left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from app.store.session import Database
from tests.faults.harness import ROOT, SECRET, differing, wait_for
from tests.files import as_csv, row
from tests.usecases.test_imports import settle

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

ROWS = 8_000
AT_MOST = 1_500
"""Once so many more rows are stored, an import that is to be killed waits for that."""
GATE = """
    CREATE TABLE gate (opens_at bigint);
    CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT count(*) FROM dossier_record) >= (SELECT max(opens_at) FROM gate) THEN
            PERFORM pg_advisory_xact_lock_shared(20261122);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON dossier_record
        FOR EACH STATEMENT EXECUTE FUNCTION wait_at_the_gate()
"""


def begin(url: str, file: Path) -> subprocess.Popen[bytes]:
    """Start the command with two processes that store rows."""
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "app", "import", str(file), "--json"),
            *("--source", "file", "--unit", "H44", "--processes", "2"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DUNGHAN_DATABASE_URL": url,
            "DUNGHAN_HASH_KEY": SECRET,
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def family_of(pid: int) -> list[int]:
    """Return the processes that come from one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                told = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(told[1])
    found = [pid]
    for one in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def is_there(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextlib.contextmanager
def held_up(database: Database, *, after: int) -> Iterator[None]:
    """Let no import end for the time of a block, however fast it is: it waits after some rows."""
    with database.engine.connect() as holder, holder.begin():
        holder.execute(text("SELECT pg_advisory_xact_lock(20261122)"))
        with database.begin() as session:
            session.execute(text("INSERT INTO gate VALUES (:after)"), {"after": after})
        yield


def taken(database: Database) -> int:
    """Return how many rows were stored."""
    with database.read() as session:
        return int(session.scalar(text("SELECT count(*) FROM dossier_record")))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks the kernel for children")
def test_an_import_that_is_killed_goes_on_without_loss(
    folder: Path,
    migrated_url: str,
    fresh_database: Database,
    seed: int,
    tell: Callable[..., None],
) -> None:
    settle(fresh_database)
    with fresh_database.begin() as session:
        session.execute(text(GATE))
    file = folder / "rows.csv"
    file.write_bytes(as_csv(row(n) for n in range(ROWS)))
    random = Random(seed)
    before, places = 0, []

    for victim in ("command", "one of its processes"):
        mark = before + random.randrange(1, 1_000)
        with held_up(fresh_database, after=before + AT_MOST):
            running = begin(migrated_url, file)
            wait_for("some rows", lambda mark=mark: taken(fresh_database) >= mark)  # type: ignore[misc]
            family = family_of(running.pid)
            if victim == "command":
                running.kill()
            else:
                # the crew are the grandchildren, made by the one that loads everything
                of_ours = [pid for child in family for pid in family_of(child)]
                os.kill(random.choice(of_ours), signal.SIGKILL)
        _, told = running.communicate(timeout=180)
        assert running.returncode == (-9 if victim == "command" else 75), told
        wait_for("their end", lambda family=family: not any(map(is_there, family)))  # type: ignore[misc]
        before = taken(fresh_database)
        places.append(before)
    last = begin(migrated_url, file)
    out, told = last.communicate(timeout=300)

    differ = differing(fresh_database)
    tell(kills=2, rows_stored_by_then=places, differing=differ)
    assert last.returncode == 0, told
    assert json.loads(out)["counts"]["accepted"] == ROWS
    assert places[-1] < ROWS, "no kill met an import under way: nothing was tested"
    assert (taken(fresh_database), differ) == (ROWS, 0)
