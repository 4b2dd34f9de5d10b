"""The PostgreSQL that comes along: started, shared, taken over, stopped."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from app.store.embedded import (
    EmbeddedFailed,
    EmbeddedInUse,
    EmbeddedPostgres,
    copy_server,
    server_binary,
)
from app.store.opening import opened
from app.store.session import Database, StorageUnavailable

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds after which something that must happen has not happened."""
HOLDER = """
import sys
from pathlib import Path
from app.store.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
print(server.start(), server.pid, flush=True)
sys.stdin.read()
server.stop()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the wheel needs POSIX here")


@pytest.fixture(scope="module")
def template_dir() -> Iterator[Path]:
    """Make one cluster, of which each test gets a copy: initdb takes most of a second."""
    folder = Path(tempfile.mkdtemp(prefix="dunghan-test-"))
    with EmbeddedPostgres(folder / "made", durable=False):
        pass
    yield folder / "made"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_dir(template_dir: Path) -> Iterator[Path]:
    folder = template_dir.parent / f"data-{time.monotonic_ns()}"
    subprocess.run(["cp", "-a", template_dir, folder], check=True)
    yield folder
    with EmbeddedPostgres(folder, durable=False) as server:  # takes over what a test left
        pass
    assert server.pid is None


class Holder:
    """Another process that uses the server until it is told to leave, or is killed."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.url, pid = self.process.stdout.readline().split()
        self.server_pid = int(pid)

    def leave(self) -> None:
        self.process.communicate(timeout=PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and whom nobody has buried does not."""
    try:
        os.kill(pid, 0)
        return (
            sys.platform != "linux" or "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
        )
    except (ProcessLookupError, FileNotFoundError):
        return False


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def answers(url: str) -> bool:
    database = Database(url)
    try:
        with database.read() as session:
            return bool(session.scalar(text("SELECT 41 + 1")) == 42)
    finally:
        database.dispose()


def socket_dir_of(url: str) -> Path:
    return Path(str(make_url(url).query["host"]))


def test_it_starts_answers_and_leaves_nothing_running(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, durable=False)

    with server:
        pid = server.pid
        socket_dir = socket_dir_of(server.url)
        assert answers(server.url)

    assert pid is not None
    assert not alive(pid)
    assert not socket_dir.exists()


def test_it_listens_on_no_network_port_and_its_socket_is_private(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        folder = socket_dir_of(server.url)
        with psycopg.connect(str(make_url(server.url).set(drivername="postgresql"))) as connection:
            listening = connection.execute("SHOW listen_addresses").fetchone()

        assert listening == ("",)
        assert folder.stat().st_mode & 0o077 == 0


def test_a_deep_temporary_folder_leaves_room_for_the_socket(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert answers(server.url)
        socket_dir = socket_dir_of(server.url)

    assert not socket_dir.exists()


def test_the_application_is_no_superuser(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        database = Database(server.url)
        with database.read() as session:
            is_super = session.scalar(
                text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            )
        database.dispose()

    assert is_super is False


def test_unless_told_otherwise_it_keeps_what_it_acknowledged(data_dir: Path) -> None:
    with opened(url=None, data_dir=data_dir) as database:
        durability = database.durability()

    assert set(durability.values()) == {"on"}


def test_a_second_process_joins_and_the_last_one_stops_the_server(data_dir: Path) -> None:
    first = Holder(data_dir)
    second = Holder(data_dir)
    assert second.server_pid == first.server_pid

    first.leave()

    assert answers(second.url)
    second.leave()
    assert until(lambda: not alive(second.server_pid))


def test_a_server_left_by_a_killed_process_is_taken_over(data_dir: Path) -> None:
    killed = Holder(data_dir)
    killed.kill()
    assert alive(killed.server_pid)

    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert server.pid == killed.server_pid
        assert answers(server.url)

    assert not alive(killed.server_pid)


def test_a_killed_server_is_started_again_and_its_remains_are_cleared(data_dir: Path) -> None:
    holder = Holder(data_dir)
    holder.kill()
    os.kill(holder.server_pid, signal.SIGKILL)

    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert server.pid != holder.server_pid
        assert answers(server.url)

    assert not socket_dir_of(holder.url).exists()


def test_a_user_whose_server_died_brings_it_back(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

        assert answers(server.start())


def test_a_supervised_server_comes_back_at_its_address(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server, server.supervised():
        address, first = server.url, server.pid
        assert first is not None

        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while server.pid in {first, None} and time.monotonic() < deadline:
            time.sleep(0.05)

        assert server.url == address
        assert server.revive() is False
        answered = Database(address)
        while not _answers(answered) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _answers(answered)
        answered.dispose()
    assert server.pid is None


def _answers(database: Database) -> bool:
    try:
        database.ping()
    except StorageUnavailable:
        return False
    return True


def test_a_process_id_that_now_belongs_to_a_stranger_does_not_stop_the_start(
    data_dir: Path,
) -> None:
    note = data_dir / "postgres" / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{data_dir}\n1\n5432\n\n\n1 1\nready\n")

    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert server.pid != os.getpid()


def test_a_server_with_other_settings_is_not_joined_while_somebody_uses_it(data_dir: Path) -> None:
    holder = Holder(data_dir)

    with pytest.raises(EmbeddedInUse):
        EmbeddedPostgres(data_dir, durable=True).start()

    assert answers(holder.url)
    holder.leave()


def test_a_server_with_other_settings_that_nobody_uses_is_started_anew(data_dir: Path) -> None:
    Holder(data_dir).kill()

    with opened(url=None, data_dir=data_dir) as database:
        assert database.durability()["fsync"] == "on"


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)

    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert answers(server.url)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("keep me")

    with pytest.raises(EmbeddedFailed, match="holds something else"):
        EmbeddedPostgres(tmp_path, durable=False).start()

    assert (tmp_path / "postgres" / "letter.txt").read_text() == "keep me"


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, durable=False, settings={"shared_buffers": "nonsense"})

    with pytest.raises(EmbeddedFailed, match="shared_buffers"):
        server.start()

    server.stop()


def test_a_deep_data_folder_that_others_may_not_enter_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / "closed" / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)

    with EmbeddedPostgres(deep, durable=False) as server:
        assert answers(server.url)

    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700


def test_stopping_what_never_started_does_nothing(tmp_path: Path) -> None:
    EmbeddedPostgres(tmp_path).stop()

    assert list(tmp_path.iterdir()) == []


def test_the_tools_of_the_server_come_along() -> None:
    assert server_binary("pg_dump").exists()


def test_a_copy_of_the_server_is_whole_and_open_to_every_account(tmp_path: Path) -> None:
    binaries = copy_server(tmp_path / "copy")

    for name in ("postgres", "initdb"):
        told = subprocess.check_output([binaries / name, "--version"], text=True)
        assert "PostgreSQL) 18." in told
    closed = [path for path in binaries.parents[2].rglob("*") if not path.stat().st_mode & 0o004]
    assert closed == []
