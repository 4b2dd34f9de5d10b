"""A connection to PostgreSQL: how long it waits, and how it asks several things in one journey.

A journey may be started and its answers read later: the server then works on one core while its
caller computes what comes next on another one.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel, adapt, pq
from psycopg.abc import RV, PQGen, Transformer
from psycopg.errors import error_from_result
from psycopg.waiting import Ready, Wait

Parameter = str | bytes | int | None
Rows = list[tuple[Any, ...]]

MOST_KEPT: Final = 400
"""How many statements a connection keeps prepared; any more are planned each time."""

_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)


class Question:
    """A statement with its parameters, and its rows once they are known.

    The statement is constant and names its parameters ``$1``, ``$2``; many values are one
    parameter, as JSON, and bytes are sent as they are. It is prepared once for each connection,
    unless it is not to be kept.
    """

    __slots__ = ("is_kept", "parameters", "rows", "statement")

    def __init__(
        self, statement: bytes, parameters: Sequence[Parameter], *, is_kept: bool = True
    ) -> None:
        self.is_kept = is_kept
        self.statement = statement
        self.parameters = [
            one if one is None or isinstance(one, bytes) else str(one).encode()
            for one in parameters
        ]
        self.rows: Rows | None = None


class Line(psycopg.Connection[Any]):
    """A connection that waits for its server no longer than its patience.

    The server ends a statement by ``statement_timeout`` and says so. If nothing was said some
    seconds later, nobody will: the line is closed, so that the thread and the place in the pool
    are free again, and the caller learns that the database is unreachable.
    """

    patience: float | None = None
    """Seconds to wait for one answer; None waits for ever."""
    is_own: bool = True
    """Whether the server keeps for it what it has prepared, which a pooler in between does not."""

    def __init__(self, *words: Any, **told: Any) -> None:
        super().__init__(*words, **told)
        self._names: dict[bytes, bytes] = {}
        self._loader: Transformer | None = None
        self._sent: list[tuple[Question | None, bytes | None]] = []
        """What is under way: the opening of a transaction, what is prepared as what, questions."""
        self._is_stuck = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer, and close the line when none comes in time.

        :raises psycopg.OperationalError: none came; the connection is closed.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not said by the server: out of time, or lost already
                self.pgconn.finish()
            raise

    @contextlib.contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Have less patience for the time of a block."""
        usual, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = usual

    @property
    def is_under_way(self) -> bool:
        """Tell whether questions were started whose answers nobody has read."""
        return bool(self._sent)

    def start(self, questions: Sequence[Question]) -> None:
        """Send questions without waiting, so that the server works while its caller goes on.

        They are answered by the next ``ask``, together with its own questions and in their order:
        the first that fails ends them all. What the wire does not take now is sent by ``urge``.

        :raises psycopg.OperationalError: the connection is lost.
        """
        with self._given_up_on_error():
            self._put(questions)
            self._is_stuck = True
            self.urge()

    def urge(self) -> None:
        """Send on what the wire did not take before, as far as it takes it now.

        :raises psycopg.OperationalError: the connection is lost.
        """
        if not self._is_stuck:
            return
        with self._given_up_on_error():
            self._is_stuck = bool(self.pgconn.flush())
            if self._is_stuck:
                self.pgconn.consume_input()  # a server that cannot speak does not listen

    def ask(self, questions: Sequence[Question]) -> None:
        """Ask all questions in one journey, one after the other, and fill in their rows.

        The first one that fails ends it: those behind it are not run. A transaction is begun when
        none is open. Questions that were started go before them.

        :raises psycopg.Error: one failed; the questions before it have their rows.
        """
        with self._given_up_on_error():
            self._put(questions)
            results = self.wait(self._exchanged())
            self.pgconn.exit_pipeline_mode()
        sent, self._sent, self._is_stuck = self._sent, [], False
        self._fill_in(iter(results), sent)

    def commit(self) -> None:
        """Commit, once everything that was started is done.

        :raises psycopg.Error: it failed.
        """
        if self.is_under_way:
            self.ask([])
        super().commit()

    def rollback(self) -> None:
        """Roll back, whatever became of what was started."""
        if self.is_under_way:
            with contextlib.suppress(psycopg.Error):
                self.ask([])
        super().rollback()

    @contextlib.contextmanager
    def _given_up_on_error(self) -> Iterator[None]:
        """Close the line when a journey breaks off: nobody knows what the server has done."""
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        try:
            yield
        except BaseException:
            self.pgconn.finish()
            self._sent = []
            raise

    def _begin(self) -> bytes | None:
        """Return the statement that opens a transaction, None if one is open."""
        if self.autocommit or self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            return None
        words = ["BEGIN"]
        if self.isolation_level is not None:
            level = IsolationLevel(self.isolation_level).name.replace("_", " ")
            words.append(f"ISOLATION LEVEL {level}")
        if self.read_only is not None:
            words.append("READ ONLY" if self.read_only else "READ WRITE")
        return " ".join(words).encode()

    def _put(self, questions: Sequence[Question]) -> None:
        """Hand questions to the driver, behind those that are under way."""
        line, sent = self.pgconn, self._sent
        if not sent:
            begin = self._begin()
            line.enter_pipeline_mode()
            if begin is not None:
                line.send_query_params(begin, None)
                sent.append((None, None))
        coming = {one.statement: name for one, name in sent if one and name}
        for one in questions:
            name = self._names.get(one.statement) or coming.get(one.statement)
            number = len(self._names) + len(coming)
            if name is None and self.is_own and one.is_kept and number < MOST_KEPT:
                name = coming[one.statement] = b"hot_%d" % number
                line.send_prepare(name, one.statement)
                sent.append((one, name))
            if name is None:
                line.send_query_params(
                    one.statement, one.parameters, result_format=pq.Format.BINARY
                )
            else:
                line.send_query_prepared(name, one.parameters, result_format=pq.Format.BINARY)
            sent.append((one, None))

    def _exchanged(self) -> PQGen[list[pq.abc.PGresult]]:
        """Send everything, then gather one result for each command."""
        line = self.pgconn
        line.pipeline_sync()
        while line.flush():
            if (yield Wait.RW) & Ready.R:
                line.consume_input()
        return (yield from self._gathered())

    def _gathered(self) -> PQGen[list[pq.abc.PGresult]]:
        """Read up to the end of the journey."""
        line = self.pgconn
        results: list[pq.abc.PGresult] = []
        while True:
            while line.is_busy():
                yield Wait.R
                try:
                    line.consume_input()
                except psycopg.OperationalError:
                    if results:
                        self._check(results[-1])  # the server's last word says why
                    raise
            result = line.get_result()
            if result is None:  # the end of one command
                if line.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)

    def _fill_in(
        self,
        results: Iterator[pq.abc.PGresult],
        sent: Sequence[tuple[Question | None, bytes | None]],
    ) -> None:
        if self._loader is None:
            self._loader = adapt.Transformer(self)
        loader = self._loader
        for one, name in sent:
            result = next(results)
            self._check(result)
            if one is None:  # a transaction was begun
                continue
            if name is not None:
                self._names[one.statement] = name
            elif result.status == pq.ExecStatus.TUPLES_OK:
                loader.set_pgresult(result)
                one.rows = loader.load_rows(0, result.ntuples, tuple)
            else:
                one.rows = []
        loader.set_pgresult(None)

    def _check(self, result: pq.abc.PGresult) -> None:
        """Say why a command failed.

        :raises psycopg.OperationalError: without an SQLSTATE: not the server said so, but libpq,
            whose line was lost before the server could say anything of this command.
        :raises psycopg.Error: what the server said.
        """
        if result.status not in _FAILED:
            return
        error = error_from_result(result)
        if error.sqlstate is None:
            raise psycopg.OperationalError(f"the connection is lost: {error}")
        raise error
