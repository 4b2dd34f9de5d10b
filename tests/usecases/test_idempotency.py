"""Work under one key is done once, also when it comes twice at the same time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from app.store.session import Database, WriteSession
from app.usecases import access, idempotency
from app.usecases.access import Keyring, Principal, Scope
from app.usecases.idempotency import Answer, KeyReused

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def principal(session: WriteSession) -> Principal:
    ring = Keyring(secret=b"x", environment="test")
    key = access.issue_key(
        session,
        ring,
        name="t",
        source="t",
        unit=None,
        scopes=[Scope.ADMIN],
        actor="t",
        now=NOW,
    ).key
    return access.authenticate(session, ring, key, now=NOW)


def once(session: WriteSession, who: Principal, done: list[int], *, mark: bytes = b"a") -> Answer:
    def work() -> Answer:
        done.append(1)
        return Answer(201, b"{}")

    return idempotency.once(
        session, who, route="POST /x", key="k", fingerprint=mark, work=work, now=NOW
    )


def test_the_second_time_the_answer_is_repeated_and_nothing_is_done(session: WriteSession) -> None:
    who, done = principal(session), list[int]()

    first, second = once(session, who, done), once(session, who, done)

    assert (first.is_replayed, second.is_replayed) == (False, True)
    assert (second.status, second.body) == (201, b"{}")
    assert done == [1]


def test_another_body_under_the_same_key_is_refused(session: WriteSession) -> None:
    who, done = principal(session), list[int]()
    once(session, who, done)

    with pytest.raises(KeyReused):
        once(session, who, done, mark=b"b")


def test_a_refusal_is_not_kept_and_may_be_mended(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        who = principal(session)

    def fail() -> Answer:
        raise ValueError

    with pytest.raises(ValueError), fresh_database.begin() as session:
        idempotency.once(
            session, who, route="POST /x", key="k", fingerprint=b"a", work=fail, now=NOW
        )
    with fresh_database.begin() as session:
        assert not once(session, who, [], mark=b"b").is_replayed


def test_at_the_same_time_one_does_the_work_and_the_others_repeat_its_answer(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        who = principal(session)
    done, replayed = list[int](), list[bool]()
    start = threading.Barrier(6)

    def send() -> None:
        start.wait()
        with fresh_database.begin() as session:
            answer = once(session, who, done)
        replayed.append(answer.is_replayed)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [1]
    assert sorted(replayed) == [False, True, True, True, True, True]


def test_answers_are_forgotten_after_fourteen_days(session: WriteSession) -> None:
    who, done = principal(session), list[int]()
    once(session, who, done)

    assert idempotency.forget_old(session, now=NOW + timedelta(days=14)) == 0
    assert idempotency.forget_old(session, now=NOW + timedelta(days=14, seconds=1)) == 1
    assert not once(session, who, done).is_replayed
