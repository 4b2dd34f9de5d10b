"""Readers and writers."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url, text

from app.store.line import Line
from app.store.session import (
    GRACE_SECONDS,
    CommittedFailure,
    Database,
    Deadlocked,
    ReadSession,
    StorageUnavailable,
    Trouble,
)
from tests.faults.proxy import Fault, Proxy

PATIENCE = 120
"""Seconds after which what never ends was waited for to its end."""
COUNT = text("SELECT count(*) FROM note")


@pytest.fixture
def notes(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    with database.begin() as session:
        session.execute(text("CREATE TABLE note (id int PRIMARY KEY)"))
    yield database
    database.dispose()


@pytest.fixture
def impatient(empty_url: str) -> Iterator[Database]:
    """Give a database whose statements may take a second."""
    database = Database(empty_url, statement_timeout_ms=1_000)
    yield database
    database.dispose()


def test_a_writer_commits_when_its_block_ends(notes: Database) -> None:
    with notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_a_writer_that_raises_leaves_no_trace(notes: Database) -> None:
    with pytest.raises(KeyError), notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        raise KeyError

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_a_failure_that_somebody_swallowed_is_never_committed(notes: Database) -> None:
    with pytest.raises(CommittedFailure), notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        with contextlib.suppress(psycopg.Error):
            session.ask(b"SELECT 1 / 0")

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_a_failure_within_a_savepoint_may_be_swallowed(notes: Database) -> None:
    with notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        with contextlib.suppress(psycopg.Error), session.savepoint():
            session.ask(b"SELECT 1 / 0")

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_a_reader_sees_one_snapshot(notes: Database) -> None:
    with notes.read() as reader:
        before = reader.scalar(COUNT)
        with notes.begin() as writer:
            writer.execute(text("INSERT INTO note VALUES (1)"))
        after = reader.scalar(COUNT)

    assert (before, after) == (0, 0)


def test_the_server_refuses_a_change_by_a_reader(notes: Database) -> None:
    with (
        pytest.raises(sa.exc.InternalError, match="read-only transaction"),
        notes.read() as reader,
    ):
        reader.execute(text("INSERT INTO note VALUES (1)"))


def test_a_savepoint_undoes_its_own_part_alone(notes: Database) -> None:
    with notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        with pytest.raises(sa.exc.IntegrityError), session.savepoint():
            session.execute(text("INSERT INTO note VALUES (2), (1)"))

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_a_savepoint_within_another_undoes_no_more_than_its_own_part(notes: Database) -> None:
    with notes.begin() as session, session.savepoint():
        session.ask(b"INSERT INTO note VALUES (1)")
        with pytest.raises(KeyError), session.savepoint():
            session.ask(b"INSERT INTO note VALUES (2)")
            raise KeyError
        session.ask(b"INSERT INTO note VALUES (3)")

    with notes.read() as reader:
        assert reader.ask(b"SELECT id FROM note ORDER BY id") == [(1,), (3,)]


@pytest.mark.parametrize("hot", [True, False])
def test_of_two_writers_that_wait_for_each_other_one_gives_way_and_may_begin_again(
    notes: Database, hot: bool
) -> None:
    with notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1), (2)"))
    both_hold_one, one_is_through = threading.Barrier(2), threading.Event()

    def lock(order: tuple[int, int]) -> int:
        given_way = 0
        with notes.begin() as session:
            while True:
                try:
                    with session.savepoint():
                        for number in order:
                            statement = f"SELECT FROM note WHERE id = {number} FOR UPDATE"
                            if hot:
                                session.ask(statement.encode())
                            else:
                                session.execute(text(statement))
                            if number == order[0] and not given_way:
                                both_hold_one.wait(60)
                        one_is_through.set()
                        return given_way
                except Deadlocked:
                    given_way += 1
                    # at once it might be first again at the row for which the other one waits
                    assert one_is_through.wait(60)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lock, [(1, 2), (2, 1)])) == [0, 1]


def test_a_savepoint_whose_connection_is_lost_tells_of_the_loss(notes: Database) -> None:
    with (
        pytest.raises(StorageUnavailable) as caught,
        notes.begin() as session,
        session.savepoint(),
    ):
        session.ask(b"SELECT pg_terminate_backend(pg_backend_pid())")

    assert caught.value.trouble is Trouble.UNREACHABLE
    notes.ping()


def test_a_savepoint_undoes_what_was_started_in_it(notes: Database) -> None:
    with notes.begin() as session:
        session.send(b"INSERT INTO note VALUES (1)")
        with pytest.raises(KeyError), session.savepoint():
            session.send(b"INSERT INTO note VALUES (2)")
            session.start()
            raise KeyError
        with pytest.raises(psycopg.IntegrityError), session.savepoint():
            session.send(b"INSERT INTO note VALUES (3), (1)")
            session.start()
            session.send(b"INSERT INTO note VALUES (4)")

    with notes.read() as reader:
        assert reader.ask(b"SELECT id FROM note ORDER BY id") == [(1,)]


def test_what_was_started_is_known_to_whatever_is_asked_next(notes: Database) -> None:
    with notes.begin() as session:
        session.send(b"INSERT INTO note VALUES (1)")
        counted = session.later(len, b"SELECT id FROM note")
        session.start()
        known = [counted.is_known]
        assert session.scalar(COUNT) == 1
        assert [*known, counted.is_known] == [False, True]
        session.send(b"INSERT INTO note VALUES (2)")
        session.start()

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 2


def test_what_fails_at_the_commit_is_told_and_nothing_is_kept(notes: Database) -> None:
    with notes.begin() as session:
        session.execute(
            text("ALTER TABLE note ADD CONSTRAINT once UNIQUE (id) DEFERRABLE INITIALLY DEFERRED")
        )
        session.execute(text("ALTER TABLE note DROP CONSTRAINT note_pkey"))
    with pytest.raises(psycopg.errors.UniqueViolation), notes.begin() as session:
        session.ask(b"INSERT INTO note VALUES (1), (1)")

    with notes.begin() as session:
        assert session.scalar(COUNT) == 0


def test_what_waits_is_sent_before_anything_else_is_asked(notes: Database) -> None:
    with notes.begin() as session:
        session.send(b"INSERT INTO note VALUES (1)")
        assert session.scalar(COUNT) == 1
        counted = session.later(len, b"SELECT id FROM note")
        session.send(b"INSERT INTO note VALUES (2)")
        assert not counted.is_known
        assert counted.get() == 1

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 2


def test_what_waits_at_the_end_is_sent_before_the_commit(notes: Database) -> None:
    with notes.begin() as session:
        session.send(b"INSERT INTO note VALUES (1)")

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 1


def test_what_waits_since_a_savepoint_that_raises_is_never_sent(notes: Database) -> None:
    with notes.begin() as session:
        session.send(b"INSERT INTO note VALUES (1)")
        with pytest.raises(KeyError), session.savepoint():
            session.send(b"INSERT INTO note VALUES (2)")
            raise KeyError

    with notes.read() as reader:
        assert reader.ask(b"SELECT id FROM note") == [(1,)]


def test_a_hot_statement_is_asked_inside_the_same_transaction(notes: Database) -> None:
    with pytest.raises(KeyError), notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        assert session.ask(b"INSERT INTO note VALUES ($1::int)", 2) == []
        wanted = (
            b"SELECT n.id FROM json_array_elements_text($1::json) k JOIN note n ON n.id = k::int"
        )
        assert sorted(session.ask(wanted, "[1, 2, 3]")) == [(1,), (2,)]
        raise KeyError

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_a_hot_statement_that_takes_too_long_is_trouble_of_the_storage(
    impatient: Database,
) -> None:
    with pytest.raises(StorageUnavailable) as caught, impatient.begin() as session:
        session.ask(b"SELECT pg_sleep(30)")

    assert caught.value.trouble is Trouble.TIMEOUT
    impatient.ping()


def test_the_driver_works_inside_the_same_transaction(notes: Database) -> None:
    with pytest.raises(KeyError), notes.begin() as session:
        session.execute(text("INSERT INTO note VALUES (1)"))
        found = session.driver().execute("SELECT count(*) FROM note").fetchone()
        assert found == (1,)
        session.driver().execute("INSERT INTO note VALUES (2)")
        raise KeyError

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_the_driver_opens_the_transaction_of_a_session_that_has_asked_nothing_yet(
    notes: Database,
) -> None:
    with pytest.raises(KeyError), notes.begin() as session:
        session.driver().execute("INSERT INTO note VALUES (1)")
        raise KeyError

    with notes.read() as reader:
        assert reader.scalar(COUNT) == 0


def test_a_statement_that_takes_too_long_is_trouble_of_the_storage(impatient: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, impatient.begin() as session:
        session.execute(text("SELECT pg_sleep(30)"))

    assert caught.value.trouble is Trouble.TIMEOUT


def test_a_session_ended_by_the_server_is_trouble_and_the_next_one_works(notes: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, notes.begin() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert caught.value.trouble is Trouble.UNREACHABLE
    notes.ping()


@pytest.mark.parametrize("opened", [Database.read, Database.begin])
@pytest.mark.parametrize(
    "ask_again",
    [
        lambda session: session.ask(b"SELECT id FROM note"),
        lambda session: session.execute(COUNT),
        lambda session: session.driver().execute("SELECT id FROM note"),
    ],
    ids=["together", "alone", "driver"],
)
def test_a_session_ended_between_two_questions_is_trouble_too(
    notes: Database,
    opened: Callable[[Database], contextlib.AbstractContextManager[ReadSession]],
    ask_again: Callable[[ReadSession], object],
) -> None:
    """The server has said why before the second question, and the wire is gone: libpq says less."""
    address = make_url(notes.address.url)
    with Proxy(Path(str(address.query["host"])) / ".s.PGSQL.5432") as wire:
        url = address.set(host="127.0.0.1", port=wire.port, query={})
        remote = Database(url.render_as_string(hide_password=False))
        with pytest.raises(StorageUnavailable) as caught, opened(remote) as session:
            (number,) = session.ask(b"SELECT pg_backend_pid()")[0]
            with notes.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 60000)"), {"pid": number})
            ask_again(session)
        remote.ping()
        remote.dispose()

    assert caught.value.trouble is Trouble.UNREACHABLE


def test_a_driver_error_is_told_apart_the_same_way(impatient: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, impatient.begin() as session:
        session.driver().execute("SELECT pg_sleep(30)")

    assert caught.value.trouble is Trouble.TIMEOUT


def test_a_server_that_is_not_there_is_trouble() -> None:
    nowhere = Database("postgresql+psycopg://dunghan@127.0.0.1:1/dunghan")

    with pytest.raises(StorageUnavailable) as caught:
        nowhere.ping()

    assert caught.value.trouble is Trouble.UNREACHABLE


def test_a_wire_that_takes_everything_and_brings_nothing_is_given_up(empty_url: str) -> None:
    socket = Path(str(make_url(empty_url).query["host"])) / ".s.PGSQL.5432"
    with Proxy(socket) as wire:
        url = make_url(empty_url).set(host="127.0.0.1", port=wire.port, query={})
        database = Database(url.render_as_string(hide_password=False), statement_timeout_ms=1_000)
        database.ping()
        wire.fault = Fault.SILENCE
        began = time.monotonic()
        with pytest.raises(StorageUnavailable) as caught:
            database.ping()
        waited = time.monotonic() - began
        wire.fault = Fault.NONE
        database.ping()
        database.dispose()

    assert caught.value.trouble is Trouble.UNREACHABLE
    assert 1 + GRACE_SECONDS <= waited < PATIENCE


def test_a_connection_that_rested_must_soon_show_that_it_lives(notes: Database) -> None:
    with notes.read() as reader:
        line = reader.driver()
        assert isinstance(line, Line)
        with line.hurried(0.2), pytest.raises(psycopg.OperationalError):
            line.execute("SELECT pg_sleep(60)")
        assert line.patience == GRACE_SECONDS + 30
        assert line.closed


def test_a_mistake_in_a_statement_is_a_bug_and_rises_as_it_is(notes: Database) -> None:
    with pytest.raises(sa.exc.ProgrammingError), notes.begin() as session:
        session.execute(text("SELECT nothing FROM nowhere"))
    with pytest.raises(psycopg.errors.UndefinedTable), notes.begin() as session:
        session.driver().execute("SELECT nothing FROM nowhere")


def test_durability_is_told_setting_by_setting(notes: Database) -> None:
    assert notes.durability().keys() == {"fsync", "full_page_writes", "synchronous_commit"}


def test_behind_a_pooler_limits_are_set_by_transaction(empty_url: str) -> None:
    database = Database(empty_url, behind_pooler=True, statement_timeout_ms=1234)

    with database.begin() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "1234ms"
        assert session.scalar(text("SHOW TimeZone")) == "UTC"
    database.dispose()


def test_the_rolled_back_database_forgets(database: Database) -> None:
    with database.begin() as session:
        session.execute(text("CREATE TABLE forgotten (id int)"))
    with database.read() as reader:
        assert reader.scalar(text("SELECT count(*) FROM forgotten")) == 0
    with pytest.raises(sa.exc.InternalError), database.read() as reader:
        reader.execute(text("INSERT INTO forgotten VALUES (1)"))
    with database.begin() as session:
        session.execute(text("INSERT INTO forgotten VALUES (1)"))


def test_the_rolled_back_database_has_forgotten(database: Database) -> None:
    with database.read() as reader:
        assert reader.scalar(text("SELECT to_regclass('forgotten')")) is None
