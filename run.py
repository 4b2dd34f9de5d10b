#!/usr/bin/env python3
"""Make the environment, then run the command: `python3 run.py demo`, `python3 run.py test`.

Needs Python 3.11 and pip, nothing else: no venv package, no make, no git, no compiler. The
libraries are the ones of the lock files, checked by hash. uv is used when it is there.

    demo            the service with sample data, on this machine only
    test [...]      all tests, on a real PostgreSQL; arguments go to pytest
    soak [...]      the fault tests with the numbers of a release, for hours; --minutes 60 ends
                    them after an hour, --soak-part 0.1 does a tenth of the numbers
    lint            format, lint, types, layers, spelling
    anything else   goes to the service's own command line; --help lists it

DUNGHAN_VENV     where to keep the environment (default: .venv here)
DUNGHAN_WHEELS   a folder of wheels to install from, without network
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
OLDEST = (3, 11)
PYTEST = {
    "test": (),
    # its tests take long; where each thread stands says nothing of them
    "soak": ("tests/faults", "--soak", "-o", "faulthandler_timeout=0"),
}
LINT = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
    ("codespell", "."),
)


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code; on POSIX the command replaces this process."""
    _refuse_old_python(arguments)
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in PYTEST:
        python = environment("dev")
        os.chdir(ROOT)
        return _become([str(python), "-m", "pytest", *PYTEST[command], *rest])
    if command == "lint":
        return lint(environment("dev"))
    python = environment("runtime")
    os.environ.setdefault("DUNGHAN_DATA_DIR", str(ROOT / "data"))
    os.environ["PYTHONPATH"] = str(ROOT)
    return _become([str(python), "-P", "-m", "app", command, *rest])


def lint(python: Path) -> int:
    """Run every check of the source and return 1 if any fails."""
    failed = []
    for check in LINT:
        say(f"— {' '.join(check)}")
        done = subprocess.run([python.with_name(check[0]), *check[1:]], cwd=ROOT, check=False)
        if done.returncode != 0:
            failed.append(check[0])
    if failed:
        say(f"Chưa đạt: {', '.join(failed)}", f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def environment(kind: str) -> Path:
    """Return the Python of an environment that holds exactly one lock file's libraries."""
    lock = ROOT / ("requirements.txt" if kind == "runtime" else "requirements-dev.txt")
    stamp = _stamp(lock)
    wanted = _folder(kind)
    for folder in (wanted, _private_folder(kind)):
        if _is_ready(folder, stamp):
            return _python(folder)
    folder = wanted if _is_writable(wanted.parent) else _private_folder(kind)
    with _one_at_a_time(folder):
        if not _is_ready(folder, stamp):  # the one before us may have made it
            _make(folder, lock, stamp)
    return _python(folder)


def _make(folder: Path, lock: Path, stamp: str) -> None:
    """Make the environment from nothing; the stamp comes last, so a broken one is made again."""
    say(
        "Đang cài thư viện (chỉ lần đầu, chừng một phút)…",
        "Installing libraries (first time only, about a minute)…",
    )
    began = time.monotonic()
    venv.EnvBuilder(with_pip=False, clear=True, symlinks=not WINDOWS).create(folder)
    done = subprocess.run(
        [*_installer(folder), *_sources(), "--require-hashes", "-r", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
    )
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
        fail(
            "Không cài được thư viện; lý do ở trên. Kiểm tra mạng rồi chạy lại lệnh này.",
            "The libraries could not be installed; see above. Check the network and run again.",
        )
    (folder / "stamp").write_text(stamp)
    seconds = round(time.monotonic() - began)
    say(f"Xong sau {seconds} giây.", f"Done in {seconds} seconds.")


def _installer(folder: Path) -> list[str]:
    """Choose what installs: uv, the pip of this Python, or a pip made for the purpose."""
    python = str(_python(folder))
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", python]
    quiet = ["--disable-pip-version-check", "--no-input", "--quiet"]
    if _pip_version() >= (22, 3):  # the first that installs into another environment
        return [sys.executable, "-m", "pip", "--python", python, "install", *quiet]
    made = subprocess.run([python, "-m", "ensurepip"], capture_output=True, check=False)
    if made.returncode != 0:
        fail(
            "Máy này thiếu pip (từ 22.3). Trên Debian, Ubuntu: apt install python3-pip",
            "pip 22.3 or newer is missing. On Debian or Ubuntu: apt install python3-pip",
        )
    return [python, "-m", "pip", "install", *quiet]


def _sources() -> list[str]:
    """Take finished packages only, so that installing runs no code of theirs."""
    wheels = os.environ.get("DUNGHAN_WHEELS")
    offline = ["--no-index", "--find-links", wheels] if wheels else []
    return ["--only-binary", ":all:", *offline]


def _pip_version() -> tuple[int, ...]:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False
    )
    words = asked.stdout.split()
    if asked.returncode != 0 or len(words) < 2:
        return (0,)
    return tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit())


def _stamp(lock: Path) -> str:
    """Name what an environment was made from: the lock file and the interpreter."""
    interpreter = f"{sys.version} {sys.base_prefix}"
    return hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()


def _is_ready(folder: Path, stamp: str) -> bool:
    with contextlib.suppress(OSError):
        return (folder / "stamp").read_text() == stamp and _python(folder).exists()
    return False


def _folder(kind: str) -> Path:
    chosen = Path(os.environ.get("DUNGHAN_VENV") or ROOT / ".venv").absolute()
    return chosen if kind == "runtime" else chosen.with_name(chosen.name + "-dev")


def _private_folder(kind: str) -> Path:
    """Name the place for a user who may read the checkout and not write to it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "dunghan" / f"{kind}-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"


def _is_writable(folder: Path) -> bool:
    return os.access(folder if folder.exists() else folder.parent, os.W_OK)


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process make an environment while the others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 -- exists on Windows alone

            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 -- exists on POSIX alone

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Một lệnh khác đang cài, xin chờ…", "Another run is installing; waiting…")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _become(command: list[str]) -> int:
    """Replace this process, so that signals reach the command itself."""
    sys.stdout.flush()
    sys.stderr.flush()
    if not WINDOWS:
        os.execv(command[0], command)
    return subprocess.call(command)


def _refuse_old_python(arguments: list[str]) -> None:
    if sys.version_info >= OLDEST:
        return
    for name in ("python3.13", "python3.12", "python3.11"):
        newer = shutil.which(name)
        if newer:
            os.execv(newer, [newer, str(Path(__file__).resolve()), *arguments])
    fail("Cần Python 3.11 trở lên.", "Python 3.11 or newer is needed.")


def say(*lines: str) -> None:
    """Tell a person what happens, Vietnamese first."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def fail(*lines: str) -> NoReturn:
    """Tell a person why this cannot go on, and stop."""
    say(*lines)
    raise SystemExit(1)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
