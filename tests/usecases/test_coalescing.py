"""Calls that arrive together: one transaction, a verdict for each, and each its own error."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.domain.faults import Fault
from app.domain.record import MessageKind, Status, Told
from app.store.session import Database, StorageUnavailable, Trouble, WriteSession
from app.usecases.coalescing import Coalescer
from app.usecases.ingest import Incoming, Sender, Unreadable, Verdict, VerdictWord
from app.usecases.turns import LARGE, Turns
from tests.usecases.test_ingest import settled

NOW = datetime(2026, 8, 10, 1, tzinfo=UTC)
PATIENCE = 120
"""Seconds after which an answer will not come any more."""


class Gated(Database):
    """A database whose writers wait at a gate, and that can fail at what it is told to."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.gate = threading.Event()
        self.knocks = threading.Semaphore(0)
        self.transactions = 0
        self.refuses: set[int] = set()
        self.trouble: Exception = StorageUnavailable(trouble=Trouble.BUSY)

    @contextmanager
    def begin(self) -> Iterator[WriteSession]:
        """Wait, count, and fail in the transactions that are named."""
        self.knocks.release()
        self.gate.wait(PATIENCE)
        self.transactions += 1
        is_refused = self.transactions in self.refuses
        with super().begin() as session:
            yield session
            if is_refused:
                raise self.trouble


@pytest.fixture
def gated(migrated_url: str) -> Iterator[Gated]:
    """Give a database of its own, the gate open."""
    database = Gated(migrated_url)
    database.gate.set()
    yield database
    database.dispose()


@pytest.fixture
def sender(gated: Gated) -> Sender:
    """Give a sender."""
    with gated.begin() as session:
        found = settled(session)
    assert gated.knocks.acquire(blocking=False)
    return found


def record(code: str, status: Status = Status.PROCESSING, index: int = 0) -> Incoming:
    """Return a record as a door hands it over."""
    told = Told(unit="A", procedure="P", received_at=NOW, status=status)
    return Incoming(index, code, MessageKind.RECORD, NOW, NOW, True, told)


def submitted(
    coalescer: Coalescer, gated: Gated, sender: Sender, *calls: list[Incoming | Unreadable]
) -> list[Future[list[Verdict]]]:
    """Submit calls while the gate is shut for two leaders, so that the rest arrive together."""
    gated.gate.clear()
    found = [coalescer.submit(one, by=sender, door="test", now=NOW) for one in calls]
    gated.gate.set()
    return found


def stored(database: Database) -> list[str]:
    """Return the codes of all dossiers."""
    with database.read() as session:
        return list(session.scalars(text("SELECT code FROM locator ORDER BY code")))


def test_calls_that_arrive_together_share_transactions_and_each_has_its_verdict(
    gated: Gated, sender: Sender
) -> None:
    before = gated.transactions
    broken = Unreadable(0, "HS-X", {}, (Fault("/unit", "record.required"),))
    calls: list[list[Incoming | Unreadable]] = [[record(f"HS-{n:02}")] for n in range(40)]

    answers = submitted(
        Coalescer(gated, most_together=100), gated, sender, *calls, [broken], [record("HS-00")]
    )
    words = [answer.result(PATIENCE)[0] for answer in answers]

    assert [one.word for one in words[1:40]] == [VerdictWord.ACCEPTED] * 39
    assert (words[40].word, words[40].index) == (VerdictWord.QUARANTINED, 0)
    # two calls under way tell the same: whichever transaction comes first has the news
    assert {words[0].word, words[41].word} == {VerdictWord.ACCEPTED, VerdictWord.UNCHANGED}
    assert stored(gated) == [f"HS-{n:02}" for n in range(40)]
    assert gated.transactions - before <= 4


def test_one_caller_with_several_records_gets_them_by_its_own_places(
    gated: Gated, sender: Sender
) -> None:
    calls: list[list[Incoming | Unreadable]] = [
        [record(f"HS-{n}-{place}", index=place) for place in range(3)] for n in range(5)
    ]

    answers = submitted(Coalescer(gated, most_together=100), gated, sender, *calls)

    for n, answer in enumerate(answers):
        assert [(one.index, one.code) for one in answer.result(PATIENCE)] == [
            (place, f"HS-{n}-{place}") for place in range(3)
        ]


def batch(name: str, size: int) -> list[Incoming | Unreadable]:
    """Return a call with so many records."""
    return [record(f"{name}-{place:03}", index=place) for place in range(size)]


def test_batches_that_tell_of_the_same_dossiers_share_a_transaction_and_lose_no_race(
    gated: Gated, sender: Sender
) -> None:
    before = gated.transactions
    calls: list[list[Incoming | Unreadable]] = [
        [record("HS-0")],
        [record("HS-1"), record("HS-2", index=1)],
        [record("HS-1"), record("HS-3", index=1)],
        [record("HS-2"), record("HS-3", index=1)],
    ]

    answers = submitted(Coalescer(gated, most_together=100), gated, sender, *calls)
    found = [[(one.code, one.index, one.word) for one in each.result(PATIENCE)] for each in answers]

    new, same = VerdictWord.ACCEPTED, VerdictWord.UNCHANGED
    assert found[1] == [("HS-1", 0, new), ("HS-2", 1, new)]
    assert found[2] == [("HS-1", 0, same), ("HS-3", 1, new)]
    assert found[3] == [("HS-2", 0, same), ("HS-3", 1, same)]
    assert stored(gated) == ["HS-0", "HS-1", "HS-2", "HS-3"]
    assert gated.transactions - before <= 2


def test_no_more_records_share_a_transaction_than_may_and_no_call_is_split(
    gated: Gated, sender: Sender
) -> None:
    before = gated.transactions
    coalescer = Coalescer(gated, most_together=100, most_records=6, company_seconds=0)
    gated.gate.clear()
    first = coalescer.submit(batch("A", 1), by=sender, door="test", now=NOW)
    gated.knocks.acquire()
    sizes = (3, 3, 8, 2, 5, 1)
    others = [
        coalescer.submit(batch(f"B{n}", size), by=sender, door="test", now=NOW)
        for n, size in enumerate(sizes)
    ]
    gated.gate.set()

    assert [len(each.result(PATIENCE)) for each in (first, *others)] == [1, *sizes]
    assert gated.transactions - before == 5  # 1, 3 + 3, 8, 2, 5 + 1


def test_a_transaction_of_many_records_takes_a_turn_and_one_of_few_does_not(
    gated: Gated, sender: Sender
) -> None:
    other = Sender(sender.source_id, 7, sender.unit_id, sender.lft, sender.rgt)
    turns = Turns(1, patience_seconds=2 * PATIENCE)
    coalescer = Coalescer(gated, most_together=100, large=turns)

    with turns.of(LARGE):
        large = coalescer.submit(batch("A", LARGE), by=sender, door="test", now=NOW)
        small = coalescer.submit(batch("B", LARGE - 1), by=other, door="test", now=NOW)
        assert len(small.result(PATIENCE)) == LARGE - 1
        assert not large.done()

    assert len(large.result(PATIENCE)) == LARGE


def test_a_batch_is_read_within_its_turn_and_no_sooner(gated: Gated, sender: Sender) -> None:
    other = Sender(sender.source_id, 7, sender.unit_id, sender.lft, sender.rgt)
    turns = Turns(1, patience_seconds=2 * PATIENCE)
    coalescer = Coalescer(gated, most_together=100, large=turns)
    read: list[str] = []

    def reader() -> list[Incoming | Unreadable]:
        read.append("large")
        return batch("A", LARGE)

    with turns.of(LARGE):
        large = coalescer.submit_unread(reader, LARGE, by=sender, door="test", now=NOW)
        small = coalescer.submit(batch("B", 1), by=other, door="test", now=NOW)
        small.result(PATIENCE)
        assert read == []

    assert [one.index for one in large.result(PATIENCE)] == [*range(LARGE)]
    assert read == ["large"]


def test_a_batch_that_cannot_be_read_costs_nobody_else_his_own(
    gated: Gated, sender: Sender
) -> None:
    def broken() -> list[Incoming | Unreadable]:
        raise RuntimeError("a bug")

    coalescer = Coalescer(gated, most_together=100)
    gated.gate.clear()
    first = coalescer.submit(batch("A", 1), by=sender, door="test", now=NOW)
    bad = coalescer.submit_unread(broken, 3, by=sender, door="test", now=NOW)
    good = coalescer.submit(batch("B", 3), by=sender, door="test", now=NOW)
    gated.gate.set()

    assert isinstance(bad.exception(PATIENCE), RuntimeError)
    assert len(first.result(PATIENCE)) == 1
    assert [one.code for one in good.result(PATIENCE)] == ["B-000", "B-001", "B-002"]
    assert stored(gated) == ["A-000", "B-000", "B-001", "B-002"]


def test_when_a_shared_transaction_fails_each_call_is_done_again_by_itself(
    gated: Gated, sender: Sender
) -> None:
    gated.refuses = set(range(gated.transactions + 1, gated.transactions + 4))
    calls: list[list[Incoming | Unreadable]] = [[record(f"HS-{n}")] for n in range(10)]

    answers = submitted(Coalescer(gated, most_together=100), gated, sender, *calls)
    errors = [answer.exception(PATIENCE) for answer in answers]

    refused = [f"HS-{n}" for n, error in enumerate(errors) if error is not None]
    assert len(refused) <= 3
    assert sorted({*stored(gated), *refused}) == [f"HS-{n}" for n in range(10)]
    assert not set(stored(gated)) & set(refused)


def test_a_database_that_is_away_is_told_to_all_at_once(gated: Gated, sender: Sender) -> None:
    gated.trouble = StorageUnavailable(trouble=Trouble.UNREACHABLE)
    gated.refuses = set(range(gated.transactions + 1, gated.transactions + 50))
    before = gated.transactions
    calls: list[list[Incoming | Unreadable]] = [[record(f"HS-{n}")] for n in range(30)]

    answers = submitted(Coalescer(gated, most_together=100), gated, sender, *calls)

    assert all(isinstance(one.exception(PATIENCE), StorageUnavailable) for one in answers)
    assert stored(gated) == []
    assert gated.transactions - before <= 4


def test_an_error_nobody_foresaw_reaches_its_caller_and_the_next_calls_are_served(
    gated: Gated, sender: Sender
) -> None:
    gated.trouble = RuntimeError("a bug")
    gated.refuses = {gated.transactions + 1}
    coalescer = Coalescer(gated, most_together=100)

    first = coalescer.submit([record("HS-1")], by=sender, door="test", now=NOW)

    assert isinstance(first.exception(PATIENCE), RuntimeError)
    second = coalescer.submit([record("HS-1")], by=sender, door="test", now=NOW)
    assert second.result(PATIENCE)[0].word is VerdictWord.ACCEPTED


def test_who_comes_when_too_many_wait_is_told_to_come_again(gated: Gated, sender: Sender) -> None:
    coalescer = Coalescer(gated, most_together=1, most_waiting=3)
    gated.gate.clear()
    taken: list[Future[list[Verdict]]] = []

    with pytest.raises(StorageUnavailable) as refused:
        taken.extend(
            coalescer.submit([record(f"HS-{n}")], by=sender, door="test", now=NOW)
            for n in range(50)
        )
    gated.gate.set()

    assert refused.value.trouble is Trouble.BUSY
    assert all(one.result(PATIENCE)[0].word is VerdictWord.ACCEPTED for one in taken)


def test_keys_do_not_share_a_transaction(gated: Gated, sender: Sender) -> None:
    other = Sender(sender.source_id, 7, sender.unit_id, sender.lft, sender.rgt)
    gated.gate.clear()
    coalescer = Coalescer(gated, most_together=100)

    answers = [
        coalescer.submit([record(f"HS-{n}")], by=by, door="test", now=NOW)
        for n in range(10)
        for by in (sender, other)
    ]
    gated.gate.set()
    for answer in answers:
        answer.result(PATIENCE)

    with gated.read() as session:
        rows = session.execute(
            text("SELECT code, key_id FROM dossier_record ORDER BY code, key_id NULLS FIRST")
        )
        assert [row.key_id for row in rows if row.code == "HS-3"] in ([None], [7])
    assert stored(gated) == sorted(f"HS-{n}" for n in range(10))


def test_a_key_that_floods_leaves_another_its_place_and_its_turn(
    gated: Gated, sender: Sender
) -> None:
    quiet = Sender(sender.source_id, 7, sender.unit_id, sender.lft, sender.rgt)
    coalescer = Coalescer(gated, most_together=2, most_waiting=400)
    gated.gate.clear()
    flood: list[Future[list[Verdict]]] = []
    with pytest.raises(StorageUnavailable):
        flood.extend(
            coalescer.submit([record(f"N-{n}")], by=sender, door="test", now=NOW)
            for n in range(400)
        )

    answer = coalescer.submit([record("Q-1")], by=quiet, door="test", now=NOW)
    order: list[str] = []
    answer.add_done_callback(lambda _: order.append("quiet"))
    flood[-1].add_done_callback(lambda _: order.append("noisy"))
    gated.gate.set()

    for each in [answer, *flood]:
        assert each.result(PATIENCE)[0].word is VerdictWord.ACCEPTED
    assert order == ["quiet", "noisy"]


def test_who_was_answered_and_comes_back_shares_with_those_who_wait(
    gated: Gated, sender: Sender
) -> None:
    before = gated.transactions
    coalescer = Coalescer(gated, most_together=100, company_seconds=10)
    gated.gate.clear()
    first = coalescer.submit([record("HS-1")], by=sender, door="test", now=NOW)
    gated.knocks.acquire()
    second = coalescer.submit([record("HS-2")], by=sender, door="test", now=NOW)

    gated.gate.set()
    first.result(PATIENCE)
    third = coalescer.submit([record("HS-3")], by=sender, door="test", now=NOW)

    assert [each.result(PATIENCE)[0].code for each in (second, third)] == ["HS-2", "HS-3"]
    assert gated.transactions - before == 2


def test_who_stays_away_is_waited_for_no_longer_than_that(gated: Gated, sender: Sender) -> None:
    coalescer = Coalescer(gated, most_together=100, company_seconds=0.01)

    answers = submitted(coalescer, gated, sender, [record("HS-1")], [record("HS-2")])

    assert [each.result(PATIENCE)[0].code for each in answers] == ["HS-1", "HS-2"]


def test_a_leader_that_waits_for_company_serves_another_key_at_once(
    gated: Gated, sender: Sender
) -> None:
    senders = [
        Sender(sender.source_id, key, sender.unit_id, sender.lft, sender.rgt) for key in (7, 8, 9)
    ]
    coalescer = Coalescer(gated, most_together=100, company_seconds=PATIENCE)
    gated.gate.clear()
    first = [
        coalescer.submit([record(f"HS-1-{by.key_id}")], by=by, door="test", now=NOW)
        for by in senders[:2]
    ]
    for _ in first:
        gated.knocks.acquire()
    company = [
        coalescer.submit([record(f"HS-2-{by.key_id}")], by=by, door="test", now=NOW)
        for by in senders[:2]
    ]
    gated.gate.set()
    for one in first:  # both leaders wait for these callers to come back
        one.result(PATIENCE)

    other = coalescer.submit([record("HS-9")], by=senders[2], door="test", now=NOW)

    assert other.result(PATIENCE / 2)[0].word is VerdictWord.ACCEPTED
    # one leader may have served the other key before the second looks: that one waits to the end
    assert [one.result(2 * PATIENCE)[0].word for one in company] == [VerdictWord.ACCEPTED] * 2


def test_coroutines_wait_without_a_thread_and_each_has_its_own(
    gated: Gated, sender: Sender
) -> None:
    coalescer = Coalescer(gated, most_together=100)
    broken = Unreadable(0, "HS-X", {}, (Fault("/unit", "record.required"),))

    async def all_at_once() -> list[list[Verdict]]:
        calls: list[Incoming | Unreadable] = [*(record(f"HS-{n}") for n in range(20)), broken]
        threads = threading.active_count()
        told = asyncio.gather(
            *(coalescer.verdicts([one], by=sender, door="test", now=NOW) for one in calls)
        )
        await asyncio.sleep(0)
        assert threading.active_count() - threads <= 1  # the leader
        return await told

    verdicts = asyncio.run(all_at_once())

    assert [one[0].code for one in verdicts] == [*(f"HS-{n}" for n in range(20)), "HS-X"]
    assert [one[0].word for one in verdicts] == [
        *[VerdictWord.ACCEPTED] * 20,
        VerdictWord.QUARANTINED,
    ]


def test_a_coroutine_has_the_error_of_its_own_call(gated: Gated, sender: Sender) -> None:
    gated.trouble = RuntimeError("a bug")
    gated.refuses = {gated.transactions + 1}
    coalescer = Coalescer(gated, most_together=100)

    async def one_after_the_other() -> list[Verdict]:
        with pytest.raises(RuntimeError, match="a bug"):
            await coalescer.verdicts([record("HS-1")], by=sender, door="test", now=NOW)
        return await coalescer.verdicts([record("HS-1")], by=sender, door="test", now=NOW)

    assert asyncio.run(one_after_the_other())[0].word is VerdictWord.ACCEPTED


def test_a_coroutine_that_gave_up_before_its_turn_is_not_taken_in(
    gated: Gated, sender: Sender
) -> None:
    coalescer = Coalescer(gated, most_together=100)
    gated.gate.clear()

    async def give_one_up() -> None:
        first, second, third = (
            asyncio.ensure_future(
                coalescer.verdicts([record(f"HS-{n}")], by=sender, door="test", now=NOW)
            )
            for n in range(3)
        )
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        gated.gate.set()
        await asyncio.gather(first, third)

    asyncio.run(give_one_up())

    assert stored(gated) == ["HS-0", "HS-2"]


def test_a_loop_that_has_ended_keeps_nobody_else_from_an_answer(
    gated: Gated, sender: Sender
) -> None:
    coalescer = Coalescer(gated, most_together=100)
    gated.gate.clear()

    async def leave() -> None:
        call = coalescer.verdicts([record("HS-1")], by=sender, door="test", now=NOW)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.01)

    asyncio.run(leave())
    other = coalescer.submit([record("HS-2")], by=sender, door="test", now=NOW)
    gated.gate.set()

    assert other.result(PATIENCE)[0].word is VerdictWord.ACCEPTED
