"""Ingest on PostgreSQL: any order and repetition end alike, and a rebuild gives what is stored."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.domain.record import Message, MessageKind, Status, Told
from app.store.session import Database, WriteSession
from app.usecases import catalogue, ingest, rebuild
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender, Unreadable, VerdictWord
from tests.strategies import histories, message

NOW = datetime(2026, 2, 1, tzinfo=UTC)
"""Before everything that the random histories tell, so that nothing is learned too late."""


def settled(session: WriteSession, source: str = "s") -> Sender:
    """Put units A and B below a province and return a sender for it."""
    specs = [
        UnitSpec(
            code=code,
            name=f"Đơn vị {code}",
            level=UnitLevel.PROVINCE if parent is None else UnitLevel.COMMUNE,
            parent=parent,
            valid_from=None,
            valid_to=None,
            legacy_codes=(),
        )
        for code, parent in (("H44", None), ("A", "H44"), ("B", "H44"))
    ]
    catalogue.put_units(session, specs, actor="test", now=NOW)
    source_id = session.scalar(
        text("INSERT INTO source (code, name) VALUES (:code, :code) RETURNING id"),
        {"code": source},
    )
    root = session.execute(text("SELECT id, lft, rgt FROM unit WHERE code = 'H44'")).one()
    return Sender(source_id, None, root.id, root.lft, root.rgt)


def incoming(messages: Sequence[Message], code: str = "HS-1") -> list[Incoming]:
    """Return messages as a door hands them over."""
    return [
        Incoming(index, code, one.kind, one.at, one.source_updated_at, one.stamped, one.told)
        for index, one in enumerate(messages)
    ]


def projection(session: WriteSession) -> list[tuple[Any, ...]]:
    """Return what is believed of all dossiers, without the times at which we learned it."""
    rows = session.execute(
        text(
            "SELECT to_jsonb(d) - 'version' - 'recorded_at' - 'source_id' - 'first_recorded_at'"
            " - 'home_unit_id', (SELECT jsonb_agg(to_jsonb(r) - 'source_id' ORDER BY r.reading)"
            " FROM dossier_reading r WHERE (r.unit_id, r.source_id, r.code)"
            " = (d.unit_id, d.source_id, d.code)) FROM dossier d ORDER BY d.code, d.unit_id"
        )
    )
    return [tuple(row) for row in rows]


def misplaced(session: WriteSession) -> int:
    """Count the rows that do not stand at the version, or not at the unit, of their locator."""
    found = text(
        "SELECT count(*) FROM dossier d LEFT JOIN locator l USING (source_id, code)"
        " WHERE (l.version, l.home_unit_id) IS DISTINCT FROM (d.version, d.home_unit_id)"
        " OR d.is_current AND l.unit_id <> d.unit_id"
    )
    return int(session.scalar(found))


@pytest.fixture
def sender(session: WriteSession) -> Sender:
    """Give a sender; the units are put once for all examples of a test."""
    return settled(session)


@given(histories(("A", "B")), st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=50)
def test_any_order_repetition_and_batching_ends_in_the_same_state(
    session: WriteSession, sender: Sender, messages: list[Message], random: Random, size: int
) -> None:
    shuffled = [*messages, *random.sample(messages, k=len(messages) // 2)]
    random.shuffle(shuffled)
    ends = []
    for order, batch in ((messages, len(messages)), (shuffled, size)):
        with _undone(session):
            for start in range(0, len(order), batch):
                some = incoming(order[start : start + batch])
                ingest.accept(session, some, by=sender, door="test", now=NOW)
            ends.append(projection(session))
            assert misplaced(session) == 0

    assert ends[0] == ends[1]


@given(
    st.lists(histories(("A", "B")), min_size=2, max_size=4),
    st.randoms(use_true_random=False),
    st.integers(2, 20),
)
@settings(max_examples=40)
def test_dossiers_that_come_together_end_as_those_that_come_alone(
    session: WriteSession,
    sender: Sender,
    told: list[list[Message]],
    random: Random,
    size: int,
) -> None:
    records = [one for n, messages in enumerate(told) for one in incoming(messages, f"HS-{n}")]
    records += random.sample(records, k=len(records) // 2)  # told again
    ends = []
    for batch in (1, size):
        with _undone(session):
            for start in range(0, len(records), batch):
                some = [
                    replace(one, index=index)
                    for index, one in enumerate(records[start : start + batch])
                ]
                verdicts = ingest.accept(session, some, by=sender, door="test", now=NOW)
                assert [one.index for one in verdicts] == list(range(len(some)))
            ends.append(projection(session))
            assert misplaced(session) == 0

    assert ends[0] == ends[1]


def test_a_leg_told_again_beside_its_parent_becomes_one(
    session: WriteSession, sender: Sender
) -> None:
    told = Told(unit="A", procedure="P", received_at=NOW)
    leg = incoming([message(Told(**{**told, "parent": "HS-0"}), at=NOW)], "HS-0/1")
    parent = replace(incoming([message(told, at=NOW)], "HS-0")[0], index=1)

    ingest.accept(session, leg, by=sender, door="test", now=NOW)
    verdicts = ingest.accept(session, [*leg, parent], by=sender, door="test", now=NOW)

    legs = session.scalars(text("SELECT code FROM dossier WHERE is_leg"))
    assert [one.word for one in verdicts] == [VerdictWord.UNCHANGED, VerdictWord.ACCEPTED]
    assert list(legs) == ["HS-0/1"]


@given(histories(("A", "B")), st.integers(1, 3))
@settings(max_examples=40)
def test_a_rebuild_from_the_record_gives_what_is_stored(
    session: WriteSession, sender: Sender, messages: list[Message], size: int
) -> None:
    with _undone(session):
        for start in range(0, len(messages), size):
            now = NOW + timedelta(days=20 * start)
            some = incoming(messages[start : start + size])
            ingest.accept(session, some, by=sender, door="test", now=now)

        found = rebuild.compare(session)

    assert (found.looked_at, found.differ) == (1, 0)


def test_two_writers_of_one_dossier_lose_nothing(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        by = settled(session)

    def send(number: int) -> str:
        told = Told(unit="A", procedure="P", received_at=NOW, contacts=number)
        stamp = NOW + timedelta(seconds=number)
        with fresh_database.begin() as session:
            one = Incoming(0, f"HS-{number % 5}", MessageKind.RECORD, stamp, stamp, True, told)
            return ingest.accept(session, [one], by=by, door="test", now=NOW)[0].word

    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(send, [*range(60), *range(60)]))

    with fresh_database.begin() as session:
        kept = session.scalar(text("SELECT count(*) FROM dossier_record"))
        newest = session.execute(text("SELECT code, contacts FROM dossier ORDER BY code")).all()
        compared = rebuild.compare(session)
    assert kept == 60
    assert words.count(VerdictWord.UNCHANGED) == 60
    assert [tuple(row) for row in newest] == [(f"HS-{n}", 55 + n) for n in range(5)]
    assert compared.differ == 0


def _many(numbers: Sequence[int], at: datetime, status: Status) -> list[Incoming]:
    """Return one record of each of many dossiers, some of them at another unit."""
    return [
        Incoming(
            index=index,
            code=f"HS-{number}",
            kind=MessageKind.RECORD,
            at=at,
            source_updated_at=at,
            stamped=True,
            told=Told(unit="AB"[number % 2], received_at=NOW, status=status),
        )
        for index, number in enumerate(numbers)
    ]


def test_a_batch_of_many_parts_ends_like_its_records_in_small_batches(
    session: WriteSession, sender: Sender
) -> None:
    count = 2 * ingest.PART + 5
    first = _many(range(count), NOW, Status.PROCESSING)
    later = _many(range(0, count, 3), NOW + timedelta(days=1), Status.FINISHED)
    ends = []
    for size in (count, 7):
        with _undone(session):
            for records in (first, later):
                words = []
                for start in range(0, len(records), size):
                    some = records[start : start + size]
                    found = ingest.accept(session, some, by=sender, door="test", now=NOW)
                    words += [one.word for one in found]
                assert words == [VerdictWord.ACCEPTED] * len(records)
            changes = text("SELECT sign, count(*) FROM dossier_change GROUP BY sign ORDER BY sign")
            ends.append((projection(session), [tuple(one) for one in session.execute(changes)]))

    assert ends[0] == ends[1]
    assert ends[0][1] == [(-1, len(later)), (1, count + len(later))]


def test_large_batches_that_share_dossiers_lose_nothing_and_never_lock_each_other_out(
    fresh_database: Database,
) -> None:
    count, writers = 2 * ingest.PART + 5, 3
    with fresh_database.begin() as session:
        sender = settled(session)
    start = threading.Barrier(writers)

    def send(number: int) -> int:
        at = NOW + timedelta(hours=number)
        records = _many(range(count), at, Status.PROCESSING)
        Random(number).shuffle(records)
        start.wait(timeout=60)
        with fresh_database.begin() as session:
            found = ingest.accept(session, records, by=sender, door="test", now=NOW)
        return len(found)

    with ThreadPoolExecutor(writers) as pool:
        assert list(pool.map(send, range(writers))) == [count] * writers

    with fresh_database.begin() as session:
        kept = session.scalar(text("SELECT count(*) FROM dossier_record"))
        versions = session.scalar(text("SELECT sum(version) FROM locator"))
        changes = session.scalar(text("SELECT sum(sign) FROM dossier_change"))
        found = rebuild.compare(session)
        deadlocks = session.scalar(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
    assert (kept, versions, changes, deadlocks) == (count * writers, count * writers, count, 0)
    assert (found.looked_at, found.differ) == (count, 0)


def test_the_record_refuses_to_be_changed(session: WriteSession) -> None:
    by = settled(session)
    ingest.accept(session, [a_record(Told(unit="A", procedure="P"))], by=by, door="t", now=NOW)

    with pytest.raises(Exception, match="append-only"), session.savepoint():
        session.execute(text("UPDATE dossier_record SET told = '{}'"))
    with pytest.raises(Exception, match="append-only"), session.savepoint():
        session.execute(text("DELETE FROM dossier_record"))


def test_what_was_believed_before_is_kept_with_its_time(session: WriteSession) -> None:
    by = settled(session)
    told = Told(unit="A", procedure="P", received_at=NOW, due_at=NOW + timedelta(days=5))
    ingest.accept(session, [a_record(told)], by=by, door="test", now=NOW)
    later = Told(finished_at=NOW + timedelta(days=1), status=Status.FINISHED)
    stamp = NOW + timedelta(days=1)
    record = replace(a_record(later), at=stamp, source_updated_at=stamp)

    ingest.accept(session, [record], by=by, door="test", now=stamp)

    past = session.execute(
        text("SELECT version, recorded_at, superseded_at FROM dossier_past")
    ).one()
    assert tuple(past) == (1, NOW, stamp)


def test_a_record_in_quarantine_is_kept_beside_the_good_one(session: WriteSession) -> None:
    by = settled(session)
    broken = Unreadable(0, None, {"code": 7}, ())

    verdicts = ingest.accept(
        session,
        [broken, replace(a_record(Told(unit="A", procedure="P")), index=1)],
        by=by,
        door="test",
        now=NOW,
    )

    assert [one.word for one in verdicts] == [VerdictWord.QUARANTINED, VerdictWord.ACCEPTED]
    assert session.scalar(text("SELECT count(*) FROM quarantine")) == 1


def a_record(told: Told, code: str = "HS-1") -> Incoming:
    """Return a record that is told now."""
    return Incoming(0, code, MessageKind.RECORD, NOW, NOW, True, told)


class _undone:  # noqa: N801  # reads as a word in a with statement
    """Undo what a block did, so that examples of one test do not meet."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session

    def __enter__(self) -> None:
        self._session.execute(text("SAVEPOINT example"))

    def __exit__(self, *_: object) -> None:
        self._session.execute(text("ROLLBACK TO SAVEPOINT example"))
