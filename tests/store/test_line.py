"""Several questions in one journey: in their order, up to the first that fails."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from app.store.line import MOST_KEPT, Line, Question
from app.store.session import Database, StorageUnavailable, Trouble, WriteSession

ADD = b"INSERT INTO note VALUES ($1::int)"
ALL = b"SELECT id FROM note ORDER BY id"


@pytest.fixture
def notes(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url)
    with database.begin() as session:
        session.execute(text("CREATE TABLE note (id int PRIMARY KEY)"))
    yield database
    database.dispose()


def line_of(session: WriteSession) -> Line:
    line = session.driver()
    assert isinstance(line, Line)
    return line


def test_questions_travel_together_and_are_answered_in_their_order(notes: Database) -> None:
    with notes.begin() as session:
        first, added, second = Question(ALL, ()), Question(ADD, (7,)), Question(ALL, ())
        line_of(session).ask([first, added, second])

    assert (first.rows, added.rows, second.rows) == ([], [], [(7,)])


def test_those_behind_one_that_fails_are_not_run(notes: Database) -> None:
    questions = [Question(ADD, (1,)), Question(ADD, (1,)), Question(ADD, (2,))]

    with notes.begin() as session:
        with pytest.raises(psycopg.errors.UniqueViolation):
            line_of(session).ask(questions)
        line_of(session).rollback()
        assert session.ask(ALL) == []

    assert [one.rows for one in questions] == [[], None, None]


def test_a_statement_that_is_not_kept_is_prepared_nowhere(notes: Database) -> None:
    with notes.begin() as session:
        session.ask_once(ADD, 1)
        assert session.ask_once(ALL) == [(1,)]
        names = session.ask(b"SELECT statement FROM pg_prepared_statements")

    assert {ADD.decode(), ALL.decode()}.isdisjoint(name for (name,) in names)


def test_a_connection_keeps_no_more_statements_than_it_may(notes: Database) -> None:
    many = [f"SELECT {number}".encode() for number in range(MOST_KEPT + 10)]

    with notes.begin() as session:
        found = [session.ask(one) for one in many]
        ((kept,),) = session.ask(b"SELECT count(*) FROM pg_prepared_statements")

    assert found == [[(number,)] for number in range(len(many))]
    assert kept == MOST_KEPT


def test_what_is_prepared_outlives_a_rollback(notes: Database) -> None:
    with pytest.raises(KeyError), notes.begin() as session:
        session.ask(ADD, 1)
        raise KeyError
    with notes.begin() as session:
        session.ask(ADD, 1)
        names = session.ask(b"SELECT statement FROM pg_prepared_statements")

    assert (ADD.decode(),) in names


def test_behind_a_pooler_nothing_is_prepared(empty_url: str) -> None:
    database = Database(empty_url, behind_pooler=True)
    with database.begin() as session:
        prepared = session.ask(b"SELECT count(*) FROM pg_prepared_statements WHERE $1 = 1", 1)
    database.dispose()

    assert prepared == [(0,)]


def test_a_line_opens_the_transaction_that_its_reader_was_promised(notes: Database) -> None:
    with notes.read() as reader:
        (level,) = reader.ask(b"SELECT current_setting('transaction_isolation')")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.ask(ADD, 1)

    assert level == ("repeatable read",)


def test_an_answer_larger_than_the_wire_holds_comes_whole(notes: Database) -> None:
    told = "x" * 5_000_000
    with notes.begin() as session:
        answers = [session.later(list, b"SELECT $1::text", told) for _ in range(3)]

        assert [one.get() for one in answers] == [[(told,)]] * 3


def test_a_session_ended_by_the_server_closes_the_line(notes: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, notes.begin() as session:
        session.send(ADD, 1)
        session.ask(b"SELECT pg_terminate_backend(pg_backend_pid())")

    assert caught.value.trouble is Trouble.UNREACHABLE
    with notes.begin() as session:
        assert session.ask(ALL) == []


HOLD = b"SELECT pg_advisory_xact_lock(7)"
TRY = b"SELECT pg_try_advisory_xact_lock(7)"


def test_the_server_works_on_what_was_started_while_nobody_waits_for_it(notes: Database) -> None:
    with notes.begin() as session:
        held = Question(HOLD, ())
        line_of(session).start([held])
        while True:  # until the server has run it; were it never run, the test would not end
            with notes.begin() as other:
                if other.ask(TRY) == [(False,)]:
                    break
        assert held.rows is None
        line_of(session).ask([])

    assert held.rows is not None


def test_what_was_started_goes_before_what_is_asked_then(notes: Database) -> None:
    with notes.begin() as session:
        line = line_of(session)
        added, more, all_of_them = Question(ADD, (1,)), Question(ADD, (2,)), Question(ALL, ())
        line.start([added])
        line.start([more])
        under_way = [line.is_under_way]
        line.ask([all_of_them])
        assert [*under_way, line.is_under_way] == [True, False]

    assert (added.rows, more.rows, all_of_them.rows) == ([], [], [(1,), (2,)])


def test_an_error_of_what_was_started_ends_all_behind_it(notes: Database) -> None:
    first, again, never = Question(ADD, (1,)), Question(ADD, (1,)), Question(ADD, (2,))
    with notes.begin() as session:
        line = line_of(session)
        line.start([first, again])
        line.start([never])
        with pytest.raises(psycopg.errors.UniqueViolation):
            line.ask([Question(ALL, ())])
        line.rollback()
        other = Question(b"SELECT $1::int", (5,))
        line.ask([other, Question(ADD, (3,))])  # what was to be prepared behind the error is new

    assert [one.rows for one in (first, again, never, other)] == [[], None, None, [(5,)]]
    with notes.begin() as session:
        assert session.ask(ALL) == [(3,)]


def test_what_was_started_is_done_before_a_commit_and_undone_by_a_rollback(notes: Database) -> None:
    with notes.begin() as session:
        line = line_of(session)
        line.start([Question(ADD, (1,))])
        line.commit()
        line.start([Question(ADD, (2,)), Question(ADD, (2,))])
        line.rollback()
        line.start([Question(ADD, (3,))])
        line.rollback()

        assert session.ask(ALL) == [(1,)]


def test_what_the_wire_does_not_take_at_once_is_sent_on(notes: Database) -> None:
    told = "x" * 5_000_000
    with notes.begin() as session:
        line = line_of(session)
        long = [Question(b"SELECT length($1::text), $1::text", (told,)) for _ in range(3)]
        for one in long:
            line.start([one])
            line.urge()
        line.ask([])

    assert [one.rows for one in long] == [[(5_000_000, told)]] * 3


def test_a_session_that_ends_under_what_was_started_closes_the_line(notes: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, notes.begin() as session:
        session.send(b"SELECT pg_terminate_backend(pg_backend_pid())")
        session.start()
        session.ask(ALL)

    assert caught.value.trouble is Trouble.UNREACHABLE
    with notes.begin() as session:
        assert session.ask(ALL) == []
