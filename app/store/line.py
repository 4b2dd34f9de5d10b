"""A connection to PostgreSQL: how long it waits, and how it asks several things in one journey."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel, adapt, pq
from psycopg.abc import RV, PQGen, Transformer
from psycopg.errors import error_from_result
from psycopg.waiting import Ready, Wait

Parameter = str | int | None
Rows = list[tuple[Any, ...]]

MOST_KEPT: Final = 400
"""How many statements a connection keeps prepared; any more are planned each time."""

_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)


class Question:
    """A statement with its parameters, and its rows once they are known.

    The statement is constant and names its parameters ``$1``, ``$2``; many values are one
    parameter, as JSON. It is prepared once for each connection, unless it is not to be kept.
    """

    __slots__ = ("is_kept", "parameters", "rows", "statement")

    def __init__(
        self, statement: bytes, parameters: Sequence[Parameter], *, is_kept: bool = True
    ) -> None:
        self.is_kept = is_kept
        self.statement = statement
        self.parameters = [None if one is None else str(one).encode() for one in parameters]
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

    def ask(self, questions: Sequence[Question]) -> None:
        """Ask all questions in one journey, one after the other, and fill in their rows.

        The first one that fails ends it: those behind it are not run. A transaction is begun when
        none is open.

        :raises psycopg.Error: one failed; the questions before it have their rows.
        """
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        begin = self._begin()
        new = self._unknown(questions)
        try:
            self.pgconn.enter_pipeline_mode()
            results = self.wait(self._exchanged(begin, questions, new))
            self.pgconn.exit_pipeline_mode()
        except BaseException:
            self.pgconn.finish()  # nobody knows what the server has done
            raise
        self._fill_in(iter(results), begin, questions, new)

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

    def _unknown(self, questions: Sequence[Question]) -> dict[Question, bytes]:
        """Return which questions bring a statement that is to be prepared, and under which name."""
        if not self.is_own:
            return {}
        first = {one.statement: one for one in reversed(questions)}
        new = [one for one in questions if first[one.statement] is one]
        new = [one for one in new if one.is_kept and one.statement not in self._names]
        known = len(self._names)
        new = new[: max(0, MOST_KEPT - known)]
        return {one: b"hot_%d" % number for number, one in enumerate(new, known)}

    def _exchanged(
        self, begin: bytes | None, questions: Sequence[Question], new: dict[Question, bytes]
    ) -> PQGen[list[pq.abc.PGresult]]:
        """Send everything, then gather one result for each command."""
        line = self.pgconn
        names = self._names | {one.statement: name for one, name in new.items()}
        if begin is not None:
            line.send_query_params(begin, None)
        for one in questions:
            if one in new:
                line.send_prepare(new[one], one.statement)
            name = names.get(one.statement)
            if name is None:
                line.send_query_params(
                    one.statement, one.parameters, result_format=pq.Format.BINARY
                )
            else:
                line.send_query_prepared(name, one.parameters, result_format=pq.Format.BINARY)
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
        begin: bytes | None,
        questions: Sequence[Question],
        new: dict[Question, bytes],
    ) -> None:
        if self._loader is None:
            self._loader = adapt.Transformer(self)
        loader = self._loader
        if begin is not None:
            self._check(next(results))
        for one in questions:
            if one in new:
                self._check(next(results))
                self._names[one.statement] = new[one]
            result = next(results)
            self._check(result)
            if result.status == pq.ExecStatus.TUPLES_OK:
                loader.set_pgresult(result)
                one.rows = loader.load_rows(0, result.ntuples, tuple)
            else:
                one.rows = []
        loader.set_pgresult(None)

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in _FAILED:
            raise error_from_result(result)
