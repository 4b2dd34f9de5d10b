"""Folding step by step, and finding a number that somebody changed."""

from sqlalchemy import text

from app.store import folding
from app.store.session import WriteSession
from app.usecases import recount
from tests.factories import add_dossier, make_source, make_unit


def _told(session: WriteSession) -> None:
    root = make_unit(session)
    for number in range(3):
        commune = make_unit(session, f"H44.{number}", parent=root)
        add_dossier(session, commune, make_source(session), f"HS-{number}")


def test_what_waits_is_folded_and_nothing_is_left(session: WriteSession) -> None:
    _told(session)
    assert folding.waiting(session) == 3

    assert not recount.fold_some(session)

    assert folding.waiting(session) == 0
    found = recount.compare(session)
    assert (found.units, found.differ, found.batches) == (4, 0, ())


def test_a_changed_number_is_named_and_mended(session: WriteSession) -> None:
    _told(session)
    recount.fold_some(session)
    session.execute(text("UPDATE fact_month SET received_in_person = 7 WHERE slice = 0"))
    session.execute(text("DELETE FROM fact_day WHERE open_overdue IS NOT NULL"))
    seen: list[int] = []

    found = recount.compare(session, progress=seen.append)

    assert seen == [4]
    assert (
        found.differ == len(found.named) == 2 * 3 + 3 * 3
    )  # two months; three counters of the day
    wrong = {(one.table, one.counter, one.stored, one.expected) for one in found.named}
    assert ("fact_month", "received_in_person", 7, 1) in wrong
    assert ("fact_day", "open_overdue", 0, 1) in wrong

    for units in found.batches:
        recount.build(session, units)

    assert recount.compare(session).differ == 0


def test_a_dossier_changed_behind_the_log_shows(session: WriteSession) -> None:
    _told(session)
    recount.fold_some(session)
    session.execute(text("UPDATE dossier SET channel = 'online' WHERE code = 'HS-1'"))

    assert recount.compare(session).differ > 0
