"""The starter: makes the environment once, heals what was interrupted, waits for another start.

The installer is a small script of the test's own; what installs for real is tried by whoever
types `python3 run.py`, and by the gate, which begins with nothing else.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAKE_UV = """#!/bin/sh
echo "$@" >> "$UV_CALLS"
[ -f "$UV_SLOW" ] && sleep 1
[ -f "$UV_BROKEN" ] && { echo "no such host"; exit 1; }
exit 0
"""
FAKE_APP = """
import os, sys
print(sys.prefix)
print(sys.argv[1:])
print(os.environ["DUNGHAN_DATA_DIR"])
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake installer is a script")


class Checkout:
    """A small checkout with the real starter, a fake installer and a fake service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        (folder / "bin").mkdir()
        (folder / "app").mkdir()
        (folder / "run.py").write_text((ROOT / "run.py").read_text(encoding="utf-8"))
        (folder / "requirements.txt").write_text("a==1\n")
        (folder / "app" / "__init__.py").touch()
        (folder / "app" / "__main__.py").write_text(FAKE_APP)
        (folder / "bin" / "uv").write_text(FAKE_UV)
        (folder / "bin" / "uv").chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(self.folder / "run.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder.parent,
            env={
                "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
                "HOME": str(self.folder),
                "UV_CALLS": str(self.calls),
                "UV_SLOW": str(self.folder / "slow"),
                "UV_BROKEN": str(self.folder / "broken"),
                **environment,
            },
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        started = self.start(*arguments, **environment)
        out, err = started.communicate(timeout=180)
        return started.returncode, out, err

    @property
    def installs(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Checkout(folder)


def test_the_first_start_installs_by_hash_and_runs_the_command(checkout: Checkout) -> None:
    code, out, err = checkout.run("demo", "--port", "0")

    prefix, arguments, data = out.splitlines()
    assert code == 0
    assert prefix == str(checkout.folder / ".venv")
    assert arguments == "['demo', '--port', '0']"
    assert data == str(checkout.folder / "data")
    (install,) = checkout.installs
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert err.index("Đang cài") < err.index("Installing")


def test_the_second_start_installs_nothing_and_says_nothing(checkout: Checkout) -> None:
    checkout.run("demo")

    _, _, err = checkout.run("demo")

    assert err == ""
    assert len(checkout.installs) == 1


def test_a_changed_lock_is_installed_anew(checkout: Checkout) -> None:
    checkout.run("demo")
    (checkout.folder / "requirements.txt").write_text("a==2\n")

    checkout.run("demo")

    assert len(checkout.installs) == 2


def test_an_interrupted_install_heals(checkout: Checkout) -> None:
    (checkout.folder / ".venv" / "bin").mkdir(parents=True)
    (checkout.folder / ".venv" / "half").touch()

    code, _, _ = checkout.run("demo")

    assert code == 0
    assert not (checkout.folder / ".venv" / "half").exists()


def test_a_failed_install_is_told_and_tried_again(checkout: Checkout) -> None:
    (checkout.folder / "broken").touch()
    code, _, err = checkout.run("demo")
    (checkout.folder / "broken").unlink()

    again, _, _ = checkout.run("demo")

    assert code == 1
    assert "no such host" in err
    assert "Kiểm tra mạng" in err
    assert again == 0


def test_two_starts_at_once_install_once(checkout: Checkout) -> None:
    (checkout.folder / "slow").touch()

    first, second = checkout.start("demo"), checkout.start("demo")
    first.communicate(timeout=180)
    second.communicate(timeout=180)

    assert (first.returncode, second.returncode) == (0, 0)
    assert len(checkout.installs) == 1


def test_the_environment_can_be_kept_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    _, out, _ = checkout.run("demo", DUNGHAN_VENV=str(tmp_path / "elsewhere"))

    assert out.splitlines()[0] == str(tmp_path / "elsewhere")


def test_a_folder_of_wheels_replaces_the_network(checkout: Checkout) -> None:
    checkout.run("demo", DUNGHAN_WHEELS="wheels")

    assert "--no-index --find-links wheels" in checkout.installs[0]
