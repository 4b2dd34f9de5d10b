"""Calls that arrive together share one transaction, and each caller has its own verdicts.

A call brings a single record or a batch; single records and batches have a coalescer each, so that
no record waits behind batches. While one transaction is under way, those who come meanwhile gather,
and the next transaction takes all that one key told. A commit is then paid once for many callers,
and what they tell of the same dossiers is no race. A call that comes alone waits for nobody. But
senders who were just answered often tell the next thing at once, so the next transaction waits some
milliseconds for as many as were there before. Keys take turns, and one may
have no more calls waiting than it leaves places free, so that a key which floods keeps nobody else
from its turn. If a shared transaction fails, each of its calls is done again by itself, so that one
caller's trouble is nobody else's.
"""

import asyncio
import contextlib
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.store.session import Database, StorageUnavailable, Trouble
from app.usecases import ingest
from app.usecases.ingest import Incoming, Sender, Unreadable, Verdict
from app.usecases.turns import Turns

log = logging.getLogger(__name__)

MOST_WAITING: Final = 2_000
"""Calls that may wait at once; further ones are told to come again."""
MOST_RECORDS: Final = 2_000
"""Records that share a transaction; a call that brings more has one of its own."""
LEADERS: Final = 2
"""Transactions under way at once: the second one is for those whom the first cannot take along."""
LEADERS_OF_BATCHES: Final = 4
"""The same for batches, each of another key; large ones still take turns."""
COMPANY_SECONDS: Final = 0.005
"""How long a transaction waits for those to come back who were there before it."""

_Kind = tuple[Sender, str]
"""What calls must have in common to share a transaction: the sender and the door."""
Read = Callable[[], Sequence[Incoming | Unreadable]]
"""Returns what a call brings."""
_Answer = Future[list[Verdict]] | asyncio.Future[list[Verdict]]
"""Where verdicts go: to a thread that waits, or to a coroutine."""
_Outcome = tuple[_Answer, list[Verdict] | BaseException]


@dataclass(frozen=True, slots=True)
class _Call:
    """One caller's records, so many, and where their verdicts go."""

    read: Read
    size: int
    by: Sender
    door: str
    now: datetime
    answer: _Answer

    def is_wanted(self) -> bool:
        """Tell whether its caller still waits; from now on a thread that does may not give up."""
        if isinstance(self.answer, Future):
            return self.answer.set_running_or_notify_cancel()
        return not self.answer.cancelled()


class Coalescer:
    """Takes in calls, many of one key in one transaction.

    It opens and commits the transactions itself, because they belong to no single caller; a
    verdict is given only once the transaction that holds it has been committed.
    """

    def __init__(
        self,
        database: Database,
        *,
        most_together: int,
        most_records: int = MOST_RECORDS,
        most_waiting: int = MOST_WAITING,
        company_seconds: float = COMPANY_SECONDS,
        leaders: int = LEADERS,
        large: Turns | None = None,
    ) -> None:
        """Prepare; threads are started by the first call.

        :param most_together: calls that share one transaction at most; 1 shares none.
        :param most_records: records that share one transaction at most; a call is never split.
        :param company_seconds: how long a transaction waits for as many as were there before.
        :param leaders: transactions under way at once, each of another key or door.
        :param large: where a transaction with many records takes a turn among large batches.
        """
        self._database = database
        self._large = large
        self._most_together = most_together
        self._most_records = most_records
        self._most_waiting = most_waiting
        self._company_seconds = company_seconds
        self._leaders = leaders if most_together > 1 else 8
        self._threads = ThreadPoolExecutor(self._leaders, thread_name_prefix="coalescer")
        self._turn = threading.Condition()
        self._waiting: dict[_Kind, deque[_Call]] = {}  # in the order of their turns
        self._count = 0
        self._under_way: dict[int, _Kind] = {}  # by leader
        self._expected: dict[_Kind, int] = {}  # calls for which a leader waits

    def submit(
        self,
        records: Sequence[Incoming | Unreadable],
        *,
        by: Sender,
        door: str,
        now: datetime,
    ) -> Future[list[Verdict]]:
        """Give records to the next transaction, and return where their verdicts will be.

        :raises StorageUnavailable: too many of this key wait already; nothing was taken.
        """
        return self.submit_unread(lambda: records, len(records), by=by, door=door, now=now)

    def submit_unread(
        self, read: Read, size: int, *, by: Sender, door: str, now: datetime
    ) -> Future[list[Verdict]]:
        """Do the same with so many records that are read when their turn comes.

        They are read before the transaction begins, and again if it fails and they are alone in
        the next one.
        """
        answer: Future[list[Verdict]] = Future()
        self._enter(_Call(read, size, by, door, now, answer))
        return answer

    async def verdicts(
        self,
        records: Sequence[Incoming | Unreadable],
        *,
        by: Sender,
        door: str,
        now: datetime,
    ) -> list[Verdict]:
        """Give records to the next transaction, and return their verdicts once it is committed.

        No thread waits meanwhile, and the loop is woken once for all calls of a transaction.

        :raises StorageUnavailable: too many of this key wait already, or the database is away.
        """
        answer: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self._enter(_Call(lambda: records, len(records), by, door, now, answer))
        return await answer

    def _enter(self, call: _Call) -> None:
        """Let a call wait for the next transaction of its kind, and see that one comes."""
        kind = (call.by, call.door)
        with self._turn:
            own = self._waiting.setdefault(kind, deque())
            if own and len(own) >= self._most_waiting - self._count:
                raise StorageUnavailable(trouble=Trouble.BUSY)
            own.append(call)
            self._count += 1
            if self._is_free(kind):
                self._call_leader(kind)
            elif len(own) == self._expected.get(kind):
                self._turn.notify_all()

    def _call_leader(self, kind: _Kind) -> None:
        """Let a leader that is free begin, or one that waits go on."""
        if len(self._under_way) < self._leaders:
            leader = min({*range(self._leaders)} - self._under_way.keys())
            self._under_way[leader] = kind
            self._threads.submit(self._lead, leader)
        elif self._expected:
            self._turn.notify_all()

    def _is_free(self, kind: _Kind) -> bool:
        """Tell whether no leader comes back for calls of a kind anyway."""
        return self._most_together == 1 or kind not in self._under_way.values()

    def _lead(self, leader: int) -> None:
        """Take in those who wait until nobody does."""
        while calls := self._next(leader):
            try:
                self._settle(calls)
                self._gather((calls[0].by, calls[0].door))
            except BaseException as error:
                with self._turn:
                    del self._under_way[leader]
                _give((call.answer, error) for call in calls)
                raise

    def _expect(self, answered: Sequence[_Call]) -> None:
        """Note how many calls may come together next: those just answered, and those who wait."""
        kind = (answered[0].by, answered[0].door)
        with self._turn:
            own = len(self._waiting.get(kind, ()))
            records = sum(one.size for one in answered)
            fitting = self._most_records * len(answered) // max(records, 1)
            self._expected[kind] = min(len(answered) + own, self._most_together, fitting)

    def _gather(self, kind: _Kind) -> None:
        """Wait a moment for those to come back who were answered, unless other calls need a leader.

        Senders that tell one thing after the other share transactions all together this way. Else
        half of them would wait while the other half is taken in, and each half pay for a commit.
        """
        with self._turn:
            expected = self._expected.get(kind, 0)
            if expected > 1:
                self._turn.wait_for(
                    lambda: len(self._waiting.get(kind, ())) >= expected or self._is_needed(),
                    self._company_seconds,
                )
            self._expected.pop(kind, None)

    def _is_needed(self) -> bool:
        """Tell whether calls of some kind wait for a leader, and all are busy."""
        is_busy = len(self._under_way) == self._leaders
        return is_busy and any(self._is_free(one) for one in self._waiting)

    def _next(self, leader: int) -> list[_Call]:
        """Return calls of the key and door whose turn it is, or stop leading."""
        with self._turn:
            del self._under_way[leader]
            taken: list[_Call] = []
            while not taken:
                kind = next((one for one in self._waiting if self._is_free(one)), None)
                if kind is None:
                    return []
                own = self._waiting.pop(kind)
                records = 0
                while own and len(taken) < self._most_together:
                    records += own[0].size
                    if taken and records > self._most_records:
                        break
                    call = own.popleft()
                    self._count -= 1
                    if call.is_wanted():
                        taken.append(call)
                    else:
                        records -= call.size
                if own:
                    self._waiting[kind] = own  # what is left takes its turn behind the others
                if taken:
                    self._under_way[leader] = kind
            return taken

    def _settle(self, calls: Sequence[_Call]) -> None:
        """Give every call its verdicts, or its own error."""
        try:
            verdicts = self._taken_in(calls)
        except StorageUnavailable as error:
            self._refuse(calls, error, is_common=error.trouble is not Trouble.BUSY)
        except Exception as error:
            log.exception("calls failed", extra={"calls": len(calls)})
            self._refuse(calls, error, is_common=False)
        else:
            self._expect(calls)
            _give(zip((call.answer for call in calls), verdicts, strict=True))

    def _refuse(self, calls: Sequence[_Call], error: Exception, *, is_common: bool) -> None:
        """Answer with an error; one that may be that of another call is looked for singly."""
        if is_common or len(calls) == 1:
            _give((call.answer, error) for call in calls)
            return
        for call in calls:
            self._settle([call])

    def _taken_in(self, calls: Sequence[_Call]) -> list[list[Verdict]]:
        """Take in all records of some calls, and return the verdicts of each call."""
        first = calls[0]
        now = max(call.now for call in calls)
        with self._turn_of(calls):
            records, owners = _joined(calls)
            with self._database.begin() as session:
                verdicts = ingest.accept(session, records, by=first.by, door=first.door, now=now)
        found: list[list[Verdict]] = [[] for _ in calls]
        for verdict in verdicts:
            number, index = owners[verdict.index]
            told = verdict if verdict.index == index else verdict.placed(index)
            found[number].append(told)
        return found

    def _turn_of(self, calls: Sequence[_Call]) -> contextlib.AbstractContextManager[object]:
        if self._large is None:
            return contextlib.nullcontext()
        return self._large.of(sum(one.size for one in calls))


def _joined(
    calls: Sequence[_Call],
) -> tuple[list[Incoming | Unreadable], list[tuple[int, int]]]:
    """Read calls one after the other; tell for each record its call, and its index in it."""
    records: list[Incoming | Unreadable] = []
    owners: list[tuple[int, int]] = []
    for number, call in enumerate(calls):
        for one in call.read():
            owners.append((number, one.index))
            at = len(records)
            records.append(one if one.index == at else one.placed(at))
    return records, owners


def _give(outcomes: Iterable[_Outcome]) -> None:
    """Let callers have what became of their calls; each loop is woken once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Outcome]] = defaultdict(list)
    for answer, outcome in outcomes:
        if isinstance(answer, Future):
            _settle(answer, outcome)
        else:
            by_loop[answer.get_loop()].append((answer, outcome))
    for loop, own in by_loop.items():
        with contextlib.suppress(RuntimeError):  # its server has stopped, and nobody waits
            loop.call_soon_threadsafe(_settle_all, own)


def _settle_all(outcomes: Iterable[_Outcome]) -> None:
    for answer, outcome in outcomes:
        _settle(answer, outcome)


def _settle(answer: _Answer, outcome: list[Verdict] | BaseException) -> None:
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
