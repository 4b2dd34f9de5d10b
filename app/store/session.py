"""Transactions: a reader sees one snapshot, a writer commits or leaves no trace.

Doors open them (``database.read()``, ``database.begin()``) and pass the session down; nothing
below a door commits. mypy tells the two apart: a function that takes a ``ReadSession`` can be
given either, one that takes a ``WriteSession`` only a writer.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, TypeVarTuple, overload

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    ScalarResult,
    create_engine,
    event,
    text,
)
from sqlalchemy import exc as sa_exc
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.selectable import TypedReturnsRows

from app.domain.errors import AppError
from app.store.line import Line, Parameter, Question, Rows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_LINE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""How long a network that carries nothing may hold a thread: about 25 seconds.

The kernel sees to that. A wire that still acknowledges what it never carries on (a stalled proxy,
a host that froze) deceives the kernel; for that there is ``Line.patience``.
"""

GRACE_SECONDS: Final = 3.0
"""How much later than the server's own limit of a statement the line itself gives up."""
SIGN_OF_LIFE_SECONDS: Final = 5.0
"""How long a connection that rested may take to show that it lives."""

Memory = dict[str, object]
"""What is remembered of one database between transactions, by name; each answer knows its stamp."""

DURABILITY: Final = ("fsync", "full_page_writes", "synchronous_commit")


class Trouble(StrEnum):
    """Why the database could not serve, as far as a caller or an operator can act on it."""

    UNREACHABLE = "unreachable"
    FULL = "full"
    TIMEOUT = "timeout"
    BUSY = "busy"


class CommittedFailure(RuntimeError):
    """A transaction that had failed was to be committed, which PostgreSQL answers by undoing it.

    Whoever swallows the error of a statement does it within a savepoint; anything else is a bug.
    """


@dataclass(eq=False, kw_only=True)
class StorageUnavailable(AppError):
    """The database cannot serve now; nothing of the transaction was kept, so send again.

    A door answers 503 with ``Retry-After: retry_after_seconds``.
    """

    code: ClassVar[str] = "storage.unavailable"
    trouble: Trouble
    retry_after_seconds: int = 2


@dataclass(eq=False, kw_only=True)
class Deadlocked(StorageUnavailable):
    """Two writers waited for each other, and this one was ended back to a savepoint.

    All locks it had taken since are free again, so it may begin again at once.
    """


class Later(Generic[T]):
    """The answer to a statement that travels with the next one that cannot wait."""

    __slots__ = ("_question", "_read", "_session")

    def __init__(
        self, session: "ReadSession", question: Question, read: Callable[[Rows], T]
    ) -> None:
        self._session = session
        self._question = question
        self._read = read

    @property
    def is_known(self) -> bool:
        """Tell whether the server has answered."""
        return self._question.rows is not None

    def get(self) -> T:
        """Return the answer; the statement is sent if it has not been yet."""
        if self._question.rows is None:
            self._session.flush()
        return self._read(self._question.rows or [])


class ReadSession:
    """What a reader may do: ask."""

    __slots__ = ("_connection", "_is_under_way", "_waiting", "memory")

    def __init__(self, connection: Connection, memory: Memory | None = None) -> None:
        self._connection = connection
        self._waiting: list[Question] = []
        self._is_under_way = False
        self.memory: Memory = {} if memory is None else memory

    @overload
    def execute(
        self, statement: TypedReturnsRows[*Ts], parameters: Parameters | None = None
    ) -> CursorResult[*Ts]: ...

    @overload
    def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement; a list of parameter sets runs it once for each."""
        self.flush()
        return self._connection.execute(statement, parameters)

    @overload
    def scalar(
        self, statement: TypedReturnsRows[T], parameters: Mapping[str, Any] | None = None
    ) -> T | None: ...

    @overload
    def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any: ...

    def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the first column of the first row, None when there is no row."""
        self.flush()
        return self._connection.scalar(statement, parameters)

    @overload
    def scalars(
        self, statement: TypedReturnsRows[T], parameters: Parameters | None = None
    ) -> ScalarResult[T]: ...

    @overload
    def scalars(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> ScalarResult[Any]: ...

    def scalars(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> ScalarResult[Any]:
        """Return the first column of every row."""
        self.flush()
        return self._connection.scalars(statement, parameters)

    def send(self, statement: bytes, *parameters: Parameter) -> Question:
        """Let a hot statement travel with the next one; see ``Question`` for how it is written.

        It runs in its turn, at the end of the transaction if nothing follows.
        """
        question = Question(statement, parameters)
        self._waiting.append(question)
        return question

    def later(
        self, read: Callable[[Rows], T], statement: bytes, *parameters: Parameter
    ) -> Later[T]:
        """Do the same and return where the answer will be; ``read`` makes it of the rows."""
        return Later(self, self.send(statement, *parameters), read)

    def ask(self, statement: bytes, *parameters: Parameter) -> Rows:
        """Run a hot statement straight on the driver, at a tenth of the cost of ``execute``."""
        question = self.send(statement, *parameters)
        self.flush()
        return question.rows or []

    def ask_once(self, statement: bytes, *parameters: Parameter) -> Rows:
        """Do the same with a statement that is planned for its parameters and kept nowhere."""
        question = Question(statement, parameters, is_kept=False)
        self._waiting.append(question)
        self.flush()
        return question.rows or []

    def flush(self) -> None:
        """Send what waits, in one journey, and read the answers to all that was sent."""
        if not self._waiting and not self._is_under_way:
            return
        questions, self._waiting, self._is_under_way = self._waiting, [], False
        with self._line() as line:
            line.ask(questions)

    def start(self) -> None:
        """Send what waits and go on; it is answered with whatever is asked next.

        The server works on it meanwhile. Called again and again, it sends on what the wire did not
        take at once. An error of it shows where it is answered.
        """
        if not self._waiting and not self._is_under_way:
            return
        questions, self._waiting, self._is_under_way = self._waiting, [], False
        with self._line() as line:
            if questions:
                line.start(questions)
            else:
                line.urge()
        self._is_under_way = True

    @contextlib.contextmanager
    def _line(self) -> Iterator[Line]:
        """Yield the line of this transaction, and give it up when it is lost."""
        line = self._connection.connection.driver_connection
        if not isinstance(line, Line):
            raise TypeError("this session does not run on a line")
        try:
            yield line
        except psycopg.OperationalError as error:
            if line.closed:
                self._connection.invalidate(error)
            raise

    def driver(self) -> psycopg.Connection[Any]:
        """Return the psycopg connection of this transaction, for the store's hot statements.

        It is inside the same transaction: never commit, roll back or close it.
        """
        self.flush()
        driver = self._connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise TypeError("this session does not run on psycopg")
        return driver


class WriteSession(ReadSession):
    """What a writer may do: ask, and change."""

    __slots__ = ()

    def finish(self) -> None:
        """Commit, as only who opened the transaction does; what still waits travels with it.

        Whatever fails of it keeps the commit from being tried.

        :raises CommittedFailure: a statement failed before, and somebody went on regardless.
        """
        with self._line() as line:
            status = line.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            raise CommittedFailure
        is_open = status != TransactionStatus.IDLE
        if is_open or self._waiting or self._is_under_way:
            self.send(b"COMMIT")
            self.flush()

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[Self]:
        """Keep what the block does, or, when it raises, undo that part alone.

        :raises Deadlocked: two writers waited for each other and this one had to give way.
        """
        begun = self.send(b"SAVEPOINT part")
        try:
            yield self
            self.flush()
        except BaseException as error:
            self._undo(begun)
            cause = error.orig if isinstance(error, sa_exc.DBAPIError) else error
            if isinstance(cause, psycopg.errors.DeadlockDetected):
                raise Deadlocked(trouble=Trouble.BUSY) from error
            raise
        self.send(b"RELEASE SAVEPOINT part")

    def _undo(self, begun: Question) -> None:
        """Forget what waits since a savepoint, and undo what has been sent since."""
        if begun in self._waiting:
            del self._waiting[self._waiting.index(begun) :]
            return
        self._waiting = []
        with contextlib.suppress(psycopg.Error):
            self.flush()
        if not self._connection.invalidated:
            self.send(b"ROLLBACK TO SAVEPOINT part")
            self.ask(b"RELEASE SAVEPOINT part")


@dataclass(frozen=True, slots=True)
class Address:
    """How another process opens the same database; the URL holds the password."""

    url: str = field(repr=False)
    statement_timeout_ms: int
    behind_pooler: bool

    def open(self, *, pool_size: int) -> "Database":
        """Prepare a pool of another size on this database."""
        return Database(
            self.url,
            pool_size=pool_size,
            statement_timeout_ms=self.statement_timeout_ms,
            behind_pooler=self.behind_pooler,
        )


class Database:
    """The database as the doors see it: a pool, and two kinds of transaction."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        statement_timeout_ms: int = 30_000,
        behind_pooler: bool = False,
    ) -> None:
        """Prepare a pool; nothing is opened until the first transaction.

        :param statement_timeout_ms: longest time for one statement, 0 for no limit; a line on which
            nothing came ``GRACE_SECONDS`` later is given up.
        :param behind_pooler: connections pass through a transaction pooler, which keeps neither
            prepared statements nor connection options.
        """
        self.memory: Memory = {}
        self.address = Address(url, statement_timeout_ms, behind_pooler)
        self._statement_timeout_ms = statement_timeout_ms
        self._behind_pooler = behind_pooler
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            pool_recycle=1800,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=self._connect_args(),
            json_deserializer=orjson.loads,
        )
        limit = statement_timeout_ms / 1_000
        patience = limit + GRACE_SECONDS if limit else None
        _watch_lines(self._engine, patience=patience, is_own=not behind_pooler)
        _ask_after_a_rest(self._engine)
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @property
    def engine(self) -> Engine:
        """Return the engine, for migrations."""
        return self._engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[WriteSession]:
        """Open a transaction that commits when the block ends, and leaves no trace if it raises.

        :raises StorageUnavailable: the database cannot serve; nothing was kept.
        """
        with storage_errors(), self._engine.begin() as connection:
            self._limit(connection)
            session = WriteSession(connection, self.memory)
            yield session
            session.finish()

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadSession]:
        """Open one snapshot, read-only at the server, that is always rolled back.

        :raises StorageUnavailable: the database cannot serve.
        """
        with storage_errors(), self._snapshots.connect() as connection:
            self._limit(connection)
            yield ReadSession(connection, self.memory)

    def ping(self) -> None:
        """Ask the server for a sign of life.

        :raises StorageUnavailable: there is none.
        """
        with self.read() as session:
            session.scalar(text("SELECT 1"))

    def durability(self) -> dict[str, str]:
        """Return the settings on which the promise to keep acknowledged records rests.

        All must be ``on`` (``synchronous_commit`` may be stricter still).

        :raises StorageUnavailable: the database cannot serve.
        """
        wanted = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
        with self.read() as session:
            rows = session.execute(wanted, {"names": list(DURABILITY)})
            return {str(name): str(setting) for name, setting in rows}

    def dispose(self) -> None:
        """Close the connections of the pool."""
        self._engine.dispose()

    def _connect_args(self) -> dict[str, Any]:
        # the driver would throw away what is prepared at each rollback, ours too
        told = {**_LINE, "prepare_threshold": None}
        if self._behind_pooler:
            return told
        options = f"-c statement_timeout={self._statement_timeout_ms} -c TimeZone=UTC"
        return {**told, "options": options}

    def _limit(self, connection: Connection) -> None:
        """Set by transaction what a pooler would leak to others if set by connection."""
        if self._behind_pooler:
            connection.execute(
                text(
                    "SELECT set_config('statement_timeout', :timeout, true), "
                    "set_config('TimeZone', 'UTC', true)"
                ),
                {"timeout": str(self._statement_timeout_ms)},
            )


RESTED_SECONDS: Final = 1.0
"""A connection that rested longer is asked for a sign of life before it is used again."""


def _watch_lines(engine: Engine, *, patience: float | None, is_own: bool) -> None:
    """Open connections that give up a wire on which nothing comes."""

    @event.listens_for(engine, "do_connect")
    def _(_dialect: Any, _record: Any, words: tuple[Any, ...], told: dict[str, Any]) -> Line:
        line = Line.connect(*words, **told)
        line.patience = patience
        line.is_own = is_own
        return line


def _ask_after_a_rest(engine: Engine) -> None:
    """Replace connections that died while they rested in the pool.

    Asking each time costs three round trips, as many as a small transaction has by itself.
    """

    @event.listens_for(engine, "checkin")
    def _(_driver: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _(driver: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        rests_since = record.info.get("rests_since")
        if rests_since is None or time.monotonic() - rests_since < RESTED_SECONDS:
            return
        line = driver
        if not isinstance(line, Line):
            raise TypeError("this pool does not hold lines")
        try:
            with line.hurried(SIGN_OF_LIFE_SECONDS):
                engine.dialect.do_ping(driver)
        except psycopg.Error as error:
            raise sa_exc.DisconnectionError from error


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what the driver says of a database that cannot serve into one error.

    :raises StorageUnavailable: unreachable, full, out of time or too busy.
    """
    try:
        yield
    except sa_exc.DBAPIError as error:
        trouble = _trouble(error.orig, lost=error.connection_invalidated)
        if trouble is None:
            raise
        raise StorageUnavailable(trouble=trouble) from error
    except sa_exc.TimeoutError as error:  # no connection became free
        raise StorageUnavailable(trouble=Trouble.BUSY) from error
    except psycopg.Error as error:
        trouble = _trouble(error, lost=False)
        if trouble is None:
            raise
        raise StorageUnavailable(trouble=trouble) from error


def _trouble(error: BaseException | None, *, lost: bool) -> Trouble | None:
    """Read an SQLSTATE; None means that the statement, not the server, is at fault."""
    state = (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""
    match state[:2], state:
        case _, "40001" | "40P01" | "55P03" | "53300":
            return Trouble.BUSY
        case _, "57014" | "25P03" | "25P04":
            return Trouble.TIMEOUT
        case "53" | "58", _:
            return Trouble.FULL
        case "08" | "57", _:
            return Trouble.UNREACHABLE
        case _, "" if lost or isinstance(error, psycopg.OperationalError):
            return Trouble.UNREACHABLE
        case _:
            return None
