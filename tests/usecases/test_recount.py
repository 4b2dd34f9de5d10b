"""Folding step by step, building anew, and finding a number that somebody changed."""

import pytest
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
        found.differ == len(found.named) == 2 * 3 + 3 * 3 + 2
    )  # two months; three counters of the day; the months of the unit above
    wrong = {(one.table, one.counter, one.stored, one.expected) for one in found.named}
    assert ("fact_month", "received_in_person", 7, 1) in wrong
    assert ("fact_day", "open_overdue", 0, 1) in wrong

    recount.unroll(session)
    for units in found.batches:
        recount.build(session, units)
    recount.roll_up(session)

    assert recount.compare(session).differ == 0


def test_sums_follow_a_change_of_the_tree_before_anything_is_folded(session: WriteSession) -> None:
    _told(session)
    recount.fold_some(session)
    make_unit(session, "H45")
    assert folding.is_stale(session)

    recount.fold_some(session)

    assert not folding.is_stale(session)
    assert recount.compare(session).differ == 0


def test_a_dossier_changed_behind_the_log_shows(session: WriteSession) -> None:
    _told(session)
    recount.fold_some(session)
    session.execute(text("UPDATE dossier SET channel = 'online' WHERE code = 'HS-1'"))

    assert recount.compare(session).differ > 0


def _facts(session: WriteSession) -> list[tuple[object, ...]]:
    tables = ("fact_day", "fact_month", "fact_year", "fact_procedure_month", "fact_corner")
    return [
        (table, *row)
        for table in tables
        for row in session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5"))
    ]


def test_units_built_anew_hold_what_was_in_the_log_and_the_log_forgets_it(
    session: WriteSession,
) -> None:
    _told(session)
    units = session.scalars(text("SELECT id FROM unit")).all()

    recount.alone(session)
    recount.build(session, units)

    assert folding.waiting(session) == 0
    built, latest = _facts(session), session.scalar(text("SELECT latest FROM fact_state"))
    assert built
    assert latest == session.scalar(text("SELECT max(recorded_at) FROM dossier"))
    recount.build(session, units)
    assert _facts(session) == built


def test_a_flood_of_news_is_built_and_gives_what_folding_gives(
    session: WriteSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _told(session)
    session.execute(text("SAVEPOINT told"))
    recount.fold_some(session)
    folded = _facts(session)
    session.execute(text("ROLLBACK TO told"))
    monkeypatch.setattr(recount, "FLOOD", 2)

    assert recount.fold_some(session)  # the log held three versions

    assert folding.waiting(session) == 1  # two of them were a flood, the third is folded
    assert not recount.fold_some(session)
    assert _facts(session) == folded
    assert recount.compare(session).differ == 0


def test_few_news_of_many_dossiers_are_folded_however_long_the_log(
    session: WriteSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _told(session)
    monkeypatch.setattr(recount, "FLOOD", 2)
    monkeypatch.setattr(recount, "FOLDING_COSTS", 0)

    assert not recount.fold_some(session)

    assert folding.waiting(session) == 0
    assert recount.compare(session).differ == 0
