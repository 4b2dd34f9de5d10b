"""Serving as a real process: it starts, shows itself, delivers a signed alert, leaves nothing."""

import json
import logging
import os
import pickle
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import httpx
import pytest
from structlog.stdlib import ProcessorFormatter

from app import cli
from app.cli import serve
from app.store import installation
from app.store.session import Database
from app.usecases import demo
from tests.contracts.repository import ROOT
from tests.usecases.test_demo import NOW

PATIENCE = 240.0


@dataclass
class Running:
    """A command that runs, and what it has printed."""

    process: subprocess.Popen[str]
    lines: list[str]

    @property
    def text(self) -> str:
        """Return everything printed so far."""
        return "".join(self.lines)

    def read_until(self, words: str) -> str:
        """Read what is printed until some words come."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return self.text
        raise AssertionError(f"it ended without {words!r}:\n{self.text}")

    def found(self, pattern: str) -> str:
        """Return the first group of a pattern in what was printed."""
        match = re.search(pattern, self.text)
        assert match is not None, self.text
        return match[1]

    def stop(self, sign: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(sign)
        assert self.process.stdout is not None
        self.lines += list(self.process.stdout)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def command(*arguments: str, data: Path, **settings: str) -> Iterator[Running]:
    """Run a command of the service in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DUNGHAN_")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app", *arguments],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), "DUNGHAN_DATA_DIR": str(data), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Running(process, [])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


def left_running(data: Path) -> list[str]:
    """Return the processes that still name a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in line:
            found.append(line)
    return found


def page(url: str) -> httpx.Response:
    """Ask for a page."""
    return httpx.get(url, timeout=PATIENCE)


def wait_for(url: str, pattern: str) -> str:
    """Ask for a page until it shows a pattern, and return its text."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        text = page(url).text
        if re.search(pattern, text):
            return text
        time.sleep(0.5)
    raise AssertionError(f"{url} never showed {pattern}")


def test_the_demonstration_starts_shows_itself_and_leaves_nothing_running(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command(
            *("demo", "--dossiers", "300", "--port", str(taken.getsockname()[1])), data=tmp_path
        ) as running,
    ):
        running.read_until("Ctrl-C stops.")
        url = running.found(r"Trang tổng quan\s+(http://127\.0\.0\.1:\d+)/")
        key = running.found(r"(dh_demo_\w+)")

        assert not url.endswith(f":{taken.getsockname()[1]}")
        assert "DỮ LIỆU GIẢ LẬP" in page(url).text
        assert page(url + "/docs").status_code == 200
        wait_for(url + "/demo/receiver", r"dossier\.overdue</code>")
        answer = first_request(running.found(r"(curl -X PUT .*)"))
        assert answer.status_code in {200, 201}, answer.text
        assert running.stop(signal.SIGINT) == 0

    assert left_running(tmp_path) == []
    assert key.encode() not in b"".join(
        path.read_bytes() for path in tmp_path.rglob("*.log") if path.is_file()
    )
    with command("demo", "--port", "0", data=tmp_path) as running:
        running.read_until("Ctrl-C stops.")
        assert "Đã tạo" not in running.text
        assert running.found(r"(dh_demo_\w+)") != key
        assert running.stop(signal.SIGTERM) == 0
    assert left_running(tmp_path) == []


def first_request(line: str) -> httpx.Response:
    """Send the request that the demonstration prints."""
    words = shlex.split(line)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = json.loads(words[words.index("-d") + 1])
    return httpx.request("PUT", words[3], headers=headers, json=body, timeout=PATIENCE)


def test_the_installation_serves_and_asks_visitors_for_a_key(
    tmp_path: Path, migrated_url: str
) -> None:
    settings = {"DUNGHAN_DATABASE_URL": plain(migrated_url), "DUNGHAN_HASH_KEY": "k" * 32}
    with command("serve", "--port", "0", data=tmp_path, **settings) as running:
        running.read_until("Ctrl-C")
        url = running.found(r"(http://127\.0\.0\.1:\d+)")

        assert page(url + "/healthz").status_code == 200
        assert page(url + "/").headers["location"].startswith("/sign-in")
        assert page(url + "/demo/receiver").status_code == 404
        assert running.stop(signal.SIGTERM) == 0


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Give the logs of this process back to the run: a command takes them for itself."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in list(root.handlers):
        if isinstance(handler.formatter, ProcessorFormatter):
            root.removeHandler(handler)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **settings: str) -> int:
    """Run a command that will be refused, in this process."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(cli.run())
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def settings(migrated_url: str, tmp_path: Path) -> dict[str, str]:
    """Name a migrated database that belongs to nobody yet."""
    return {
        "DUNGHAN_DATABASE_URL": plain(migrated_url),
        "DUNGHAN_HASH_KEY": "k" * 32,
        "DUNGHAN_DATA_DIR": str(tmp_path),
        "LC_ALL": "C",
    }


@pytest.mark.parametrize("environment", ["production", "demo"])
def test_the_demonstration_leaves_another_database_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fresh_database: Database,
    settings: dict[str, str],
    environment: str,
) -> None:
    with fresh_database.begin() as session:
        demo.declare_production(session, now=NOW)

    code = run(monkeypatch, "demo", "--port", "0", **settings, DUNGHAN_ENVIRONMENT=environment)

    assert code == 4
    assert "không phải của bản chạy thử" in capsys.readouterr().err
    with fresh_database.read() as session:
        assert not installation.is_in_use(session)


def test_the_database_of_the_demonstration_serves_no_real_work(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fresh_database: Database,
    settings: dict[str, str],
) -> None:
    with fresh_database.begin() as session:
        installation.declare(session, demo.PURPOSE, now=NOW)

    assert run(monkeypatch, "serve", "--port", "0", **settings) == 4
    assert "của bản chạy thử" in capsys.readouterr().err


def test_a_database_without_tables_is_not_served(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    empty_url: str,
    settings: dict[str, str],
) -> None:
    settings |= {"DUNGHAN_DATABASE_URL": plain(empty_url)}

    assert run(monkeypatch, "serve", "--port", "0", **settings) == 1
    assert "python3 run.py migrate" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert run(monkeypatch, "serve", "--port", port, **settings) == 1

    assert "đang bị dùng" in capsys.readouterr().err


def plain(url: str) -> str:
    """Return a URL as an operator writes it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def test_the_listener_that_processes_share_leaves_no_delay_on_its_connections() -> None:
    """asyncio switches Nagle's delay off where a socket is named as TCP, as its copies are too."""
    with serve._listener("127.0.0.1", 0) as listener:
        copy = pickle.loads(bytes(ForkingPickler.dumps(listener)))
        with copy:
            assert copy.proto == listener.proto == socket.IPPROTO_TCP
