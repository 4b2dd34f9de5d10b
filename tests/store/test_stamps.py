"""Stamps: another one after every change of a word, the old one again after none."""

import contextlib

from sqlalchemy import text

from app.store import stamps
from app.store.session import WriteSession
from tests.factories import make_unit


def test_a_change_of_words_gives_a_new_stamp_and_an_undone_one_the_old(
    session: WriteSession,
) -> None:
    make_unit(session)
    first = stamps.of_catalogue(session).get()

    with contextlib.suppress(RuntimeError), session.savepoint():
        make_unit(session, "H56")
        inside = stamps.of_catalogue(session).get()
        raise RuntimeError
    after = stamps.of_catalogue(session).get()
    session.execute(text("UPDATE unit SET name = name"))

    assert inside != first
    assert after == first
    assert stamps.of_catalogue(session).get() not in {first, inside}


def test_every_table_of_words_is_watched(session: WriteSession) -> None:
    watched = session.scalars(
        text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'stamped'")
    )

    assert {"unit", "procedure_revision", "calendar_version", "mapping"} <= set(watched)
