"""One dossier under two numbers or from two systems: counted once, listed twice, never guessed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.domain.dossier import Issue
from app.domain.record import Channel, Message, MessageKind, Status, Told
from app.domain.tally import Count
from app.domain.timeliness import Reading
from app.store import tallies, units
from app.store.session import Database, WriteSession
from app.store.tallies import Scope, Span
from app.usecases import ingest, rebuild
from app.usecases.ingest import Incoming, Sender
from tests.strategies import FIRST, message
from tests.usecases.test_ingest import NOW, _undone, incoming, projection, settled

DAY = timedelta(days=1)


@pytest.fixture
def local(session: WriteSession) -> Sender:
    """Give the sender of the local system, and its units, with the place of unknown ones."""
    sender = settled(session, "local")
    units.bucket_of(session, units.get(session, "H44"), now=NOW)
    return sender


@pytest.fixture
def ministry(session: WriteSession, local: Sender) -> Sender:
    """Give the sender of the ministry's system."""
    return sender_of(session, "ministry", local)


def sender_of(session: WriteSession, source: str, like: Sender) -> Sender:
    """Return the sender of another source with the same units."""
    source_id = session.scalar(
        text("INSERT INTO source (code, name) VALUES (:code, :code) RETURNING id"),
        {"code": source},
    )
    return Sender(source_id, None, like.unit_id, like.lft, like.rgt)


def send(
    session: WriteSession, by: Sender, code: str, *, now: datetime = NOW, **told: object
) -> None:
    """Send one record of a dossier at unit A that was received on the first day."""
    facts = Told(unit="A", procedure="P", status=Status.PROCESSING, received_at=FIRST)
    facts.update(told)  # type: ignore[typeddict-item]  # the names are facts
    one = Incoming(0, code, MessageKind.RECORD, now, now, True, facts)
    ingest.accept(session, [one], by=by, door="test", now=now)


def listed(session: WriteSession) -> dict[tuple[int, str], tuple[bool, list[Any], list[str]]]:
    """Return of each dossier whether it counts, what is the same, and its flags of numbers."""
    rows = session.execute(
        text("SELECT source_id, code, is_counted, same_as, issues FROM dossier ORDER BY 1, 2")
    )
    kinds = {Issue.SAME_FROM_TWO_SOURCES, Issue.RENUMBERED, Issue.NUMBER_UNCLEAR}
    return {
        (row.source_id, row.code): (row.is_counted, row.same_as, sorted(kinds & set(row.issues)))
        for row in rows
    }


def received(session: WriteSession, *, known_at: datetime | None = None, legs: bool = False) -> int:
    """Count what was received in March, of legs alone or of all that counts by itself."""
    span = Span(FIRST - DAY, FIRST + 30 * DAY, date(2026, 3, 1), date(2026, 3, 31))
    scope = Scope(0, 2**62, Reading.PROMISED, known_at=known_at, legs=legs)
    return sum(row.tally[Count.RECEIVED] for row in tallies.counts(session, scope, span))


def test_the_dossier_seen_first_counts_and_the_other_is_listed(
    session: WriteSession, local: Sender, ministry: Sender
) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, ministry, "H44-1", now=NOW + DAY)

    found = listed(session)

    assert found[local.source_id, "H44-1"] == (
        True,
        [[ministry.source_id, "H44-1", "other_system"]],
        ["same_from_two_sources"],
    )
    assert found[ministry.source_id, "H44-1"] == (
        False,
        [[local.source_id, "H44-1", "other_system"]],
        ["same_from_two_sources"],
    )
    assert received(session) == 1


def test_a_link_that_vanishes_lets_both_count_and_the_past_stays_known(
    session: WriteSession, local: Sender, ministry: Sender
) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, ministry, "BN-1", now=NOW + DAY, other_codes=("H44-1",))
    send(session, ministry, "BN-1", now=NOW + 2 * DAY, other_codes=())

    assert received(session, known_at=NOW) == 1
    assert received(session, known_at=NOW + DAY) == 1
    assert received(session) == 2
    assert all(not same for _, same, _ in listed(session).values())


def test_a_void_lets_the_other_count(
    session: WriteSession, local: Sender, ministry: Sender
) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, ministry, "H44-1", now=NOW + DAY)
    moment = NOW + 2 * DAY
    void = Incoming(0, "H44-1", MessageKind.VOID, moment, moment, True, Told(reason="trùng"))

    ingest.accept(session, [void], by=local, door="test", now=moment)

    found = listed(session)
    assert (found[local.source_id, "H44-1"][0], found[ministry.source_id, "H44-1"][0]) == (
        False,
        True,
    )
    assert received(session) == 1


def test_a_new_number_goes_on_with_the_history_of_the_old_one(
    session: WriteSession, local: Sender
) -> None:
    promised = FIRST + 5 * DAY
    send(session, local, "H44-1", now=NOW, due_at=promised)
    send(session, local, "H44-2", now=NOW + DAY, other_codes=("H44-1",), due_at=promised + 30 * DAY)

    found = listed(session)
    rows = session.execute(
        text("SELECT code, due_at, is_current, other_codes FROM dossier ORDER BY code")
    ).all()

    assert found[local.source_id, "H44-1"] == (
        False,
        [[local.source_id, "H44-2", "newer_number"]],
        ["renumbered"],
    )
    assert found[local.source_id, "H44-2"] == (
        True,
        [[local.source_id, "H44-1", "former_number"]],
        ["renumbered"],
    )
    assert [tuple(row) for row in rows] == [
        ("H44-1", promised, False, ["H44-2"]),
        ("H44-2", promised, True, ["H44-1"]),
    ]
    assert received(session) == 1


def test_news_under_the_old_number_reaches_the_new_one(
    session: WriteSession, local: Sender
) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, local, "H44-2", now=NOW + DAY, other_codes=("H44-1",))
    send(
        session,
        local,
        "H44-1",
        now=NOW + 2 * DAY,
        status=Status.FINISHED,
        finished_at=FIRST + DAY,
    )

    finished = session.scalars(text("SELECT finished_at FROM dossier ORDER BY code")).all()

    assert finished == [FIRST + DAY, FIRST + DAY]


def test_two_successors_are_shown_and_each_counts(session: WriteSession, local: Sender) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, local, "H44-2", now=NOW, other_codes=("H44-1",))
    send(session, local, "H44-3", now=NOW, other_codes=("H44-1",))

    found = listed(session)

    assert all(is_counted for is_counted, _, _ in found.values())
    assert all(flags == ["number_unclear"] for _, _, flags in found.values())
    assert received(session) == 3


def test_two_systems_that_bring_a_dossier_at_the_same_moment_find_each_other(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        first = settled(session, "local")
        senders = [first, sender_of(session, "ministry", first)]

    def bring(number: int) -> None:
        with fresh_database.begin() as session:
            told = Told(unit="A", procedure="P", received_at=FIRST, contacts=number)
            news = [
                Incoming(index, code, MessageKind.RECORD, NOW, NOW, True, told)
                for index, code in enumerate((f"H44-{number // 4}", f"H44-{number // 4 + 100}"))
            ]
            ingest.accept(session, news, by=senders[number % 2], door="test", now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(80)))

    with fresh_database.begin() as session:
        found = listed(session)
        compared = rebuild.compare(session)
    assert len(found) == 80
    assert sum(is_counted for is_counted, _, _ in found.values()) == 40
    assert compared.differ == 0


def test_a_parent_and_its_leg_brought_at_the_same_moment_find_each_other(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        by = settled(session)

    def bring(turn: tuple[int, str, str | None]) -> None:
        number, code, parent = turn
        told = Told(unit="A", procedure="P", received_at=FIRST)
        if parent is not None:
            told["parent"] = parent
        with fresh_database.begin() as session:
            one = Incoming(0, f"{code}-{number}", MessageKind.RECORD, NOW, NOW, True, told)
            ingest.accept(session, [one], by=by, door="test", now=NOW)

    turns = [
        turn
        for number in range(1, 41)
        for turn in ((number, "LEG", f"PARENT-{number}"), (number, "PARENT", None))
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, turns))

    with fresh_database.begin() as session:
        legs = session.scalar(text("SELECT count(*) FROM dossier WHERE is_leg"))
        compared = rebuild.compare(session)
    assert (legs, compared.differ) == (40, 0)


def test_batches_that_share_dossiers_both_ways_round_wait_for_each_other(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        first = settled(session, "local")
        senders = [first, sender_of(session, "ministry", first)]
        failed = session.scalar(DEADLOCKS)

    def bring(number: int) -> None:
        told = Told(unit="A", procedure="P", received_at=FIRST, contacts=number)
        codes = [f"H44-{(number + step) % 3}" for step in range(3)]
        told["other_codes"] = (codes[0],) if number % 3 == 0 else ()
        news = [
            Incoming(index, code, MessageKind.RECORD, NOW, NOW, True, told)
            for index, code in enumerate(codes)
        ]
        with fresh_database.begin() as session:
            ingest.accept(session, news, by=senders[number % 2], door="test", now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(80)))

    with fresh_database.begin() as session:
        assert session.scalar(DEADLOCKS) == failed
        assert rebuild.compare(session).differ == 0


def test_writers_whose_dossiers_and_legs_turn_up_in_between_never_lock_each_other_out(
    fresh_database: Database,
) -> None:
    """Eight at once tell of twelve dossiers: new and known, parents and legs, under many numbers.

    Who lost a race once found more to lock after it had locked the first.
    """
    with fresh_database.begin() as session:
        first = settled(session, "local")
        senders = [first, sender_of(session, "ministry", first)]
        failed = session.scalar(DEADLOCKS)

    def bring(number: int) -> None:
        draw = Random(number)
        codes = [f"{'K' * length}-{number // 40 + 1}" for length in range(1, 7)]
        news = []
        for index, code in enumerate(draw.sample(codes, draw.randint(2, 5))):
            told = Told(unit=draw.choice("AB"), procedure="P", received_at=FIRST, contacts=number)
            if draw.random() < 0.3:
                told["other_codes"] = (draw.choice(codes),)
            if draw.random() < 0.3:
                told["parent"] = draw.choice(codes)
            at = NOW + timedelta(seconds=number)
            news.append(Incoming(index, code, MessageKind.RECORD, at, at, True, told))
        with fresh_database.begin() as session:
            ingest.accept(session, news, by=draw.choice(senders), door="test", now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(320)))

    with fresh_database.begin() as session:
        assert session.scalar(DEADLOCKS) == failed
        assert rebuild.compare(session).differ == 0


DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")

Telling = tuple[int, str, Message]

codes = st.sampled_from(["H44-1", "H44-2", "BN-1"])


@st.composite
def tellings(draw: st.DrawFn) -> list[Telling]:
    """Draw what two sources tell of dossiers that may be the same."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        told = Told(unit=draw(st.sampled_from(["A", "B"])), procedure="P", received_at=FIRST)
        told["other_codes"] = tuple(sorted(draw(st.frozensets(codes, max_size=2))))
        kind = MessageKind.RECORD
        if draw(st.integers(0, 5)) == 0:
            told, kind = Told(reason="trùng"), MessageKind.VOID
        elif draw(st.booleans()):
            told["finished_at"] = FIRST + draw(st.integers(0, 9)) * DAY
        at = FIRST + number * DAY
        found.append((draw(st.integers(0, 1)), draw(codes), message(told, at=at, kind=kind)))
    return found


@given(tellings(), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=60)
def test_any_order_repetition_and_batching_ends_alike(
    session: WriteSession,
    local: Sender,
    ministry: Sender,
    told: list[Telling],
    random: Random,
    size: int,
) -> None:
    shuffled = [*told, *random.sample(told, k=len(told) // 2)]
    random.shuffle(shuffled)
    ends = []
    for order, batch in ((told, len(told)), (shuffled, size)):
        with _undone(session):
            _tell(session, (local, ministry), order, batch)
            ends.append(sorted(projection(session), key=str))
            compared = rebuild.compare(session)
            assert compared.differ == 0, compared.named

    assert ends[0] == ends[1]


def _tell(
    session: WriteSession, senders: Sequence[Sender], told: Sequence[Telling], size: int
) -> None:
    for start in range(0, len(told), size):
        for number, by in enumerate(senders):
            some = [one for one in told[start : start + size] if one[0] == number]
            news = [one for _, code, each in some for one in incoming([each], code)]
            if news:
                ingest.accept(session, news, by=by, door="test", now=NOW)


def test_a_leg_with_a_new_number_is_counted_once_now_and_as_it_was_known(
    session: WriteSession, local: Sender
) -> None:
    send(session, local, "H44-1", now=NOW)
    send(session, local, "H44-2", now=NOW + DAY, parent="H44-1")
    told: dict[str, Any] = {"parent": "H44-1", "other_codes": ("H44-2",)}
    send(session, local, "H44-3", now=NOW + 2 * DAY, **told)
    send(session, local, "H44-3", now=NOW + 3 * DAY, **told, status=Status.FINISHED)
    send(session, local, "H44-2", now=NOW + 3 * DAY, parent="H44-1", channel=Channel.POST)

    assert "newer_number" in str(listed(session)[local.source_id, "H44-2"])
    for days, number in ((0, 0), (1, 1), (2, 1), (3, 1)):
        assert received(session, known_at=NOW + days * DAY, legs=True) == number
        assert received(session, known_at=NOW + days * DAY) == 1
    assert received(session, legs=True) == 1
