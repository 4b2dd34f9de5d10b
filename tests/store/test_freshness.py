"""The days on which sources were heard: written once, read newest first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from sqlalchemy import text

from app.store import freshness
from app.store.freshness import HeardRow
from app.store.session import Database, WriteSession
from tests.factories import make_source, make_unit
from tests.store.test_successions import follow

DAY = date(2026, 8, 10)
NEXT = DAY + timedelta(days=1)


def test_a_day_is_kept_once_for_each_unit_and_for_the_whole(session: WriteSession) -> None:
    source = make_source(session)
    one, two = make_unit(session, "H44"), make_unit(session, "H15")
    for units in ({one.id}, {one.id, two.id}, {two.id}):
        freshness.hear(session, source, units, on=DAY)
    freshness.hear(session, source, {one.id}, on=NEXT)

    whole = freshness.of_sources(session, today=NEXT, most=5)
    by_unit = freshness.of_units(session, lft=one.lft, rgt=one.rgt, today=NEXT, most=5)

    assert whole == [HeardRow("mot-cua", "mot-cua", None, None, (NEXT, DAY))]
    assert by_unit == [HeardRow("mot-cua", "mot-cua", one.id, "H44", (NEXT, DAY), one.lft)]
    assert session.scalar(text("SELECT count(*) FROM source_heard")) == 5


def test_only_the_newest_days_up_to_today_are_read(session: WriteSession) -> None:
    source, unit = make_source(session), make_unit(session, "H44")
    for number in range(6):
        freshness.hear(session, source, {unit.id}, on=DAY + timedelta(days=number))

    found = freshness.of_sources(session, today=DAY + timedelta(days=3), most=2)

    assert found[0].days == (DAY + timedelta(days=3), DAY + timedelta(days=2))


def test_what_was_told_of_a_unit_that_ceased_was_told_of_its_successor(
    session: WriteSession,
) -> None:
    source, province = make_source(session), make_unit(session, "H44")
    old, new = (make_unit(session, f"H44.{n}", parent=province) for n in (100, 101))
    freshness.hear(session, source, {old.id, new.id}, on=DAY)
    freshness.hear(session, source, {old.id}, on=NEXT)
    follow(session, old, new)

    found = freshness.of_units(session, lft=province.lft, rgt=province.rgt, today=NEXT, most=5)

    assert [(one.unit, one.days) for one in found] == [("H44.101", (NEXT, DAY))]


def test_to_hear_of_nothing_writes_nothing(session: WriteSession) -> None:
    freshness.hear(session, make_source(session), set(), on=DAY)

    assert freshness.of_sources(session, today=DAY, most=5) == []


def test_writers_of_one_unit_do_not_wait_for_each_other(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        source, unit = make_source(session), make_unit(session, "H44").id
        freshness.hear(session, source, {unit}, on=DAY)

    def write() -> None:
        with fresh_database.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = '2s'"))
            freshness.hear(other, source, {unit}, on=DAY)

    with fresh_database.begin() as session, ThreadPoolExecutor(1) as pool:
        freshness.hear(session, source, {unit}, on=DAY)

        assert pool.submit(write).result(timeout=60) is None


def test_only_quiet_units_that_still_exist_are_found(session: WriteSession) -> None:
    first, second = make_source(session), make_source(session, "mot-cua-cu")
    root = make_unit(session, "H44")
    busy, quiet, gone = (make_unit(session, f"H44.{number}", parent=root) for number in range(1, 4))
    for unit in (busy, quiet, gone):
        freshness.hear(session, first, {unit.id}, on=DAY)
    freshness.hear(session, second, {quiet.id}, on=DAY - timedelta(days=3))
    freshness.hear(session, first, {busy.id}, on=NEXT)
    session.execute(
        text("UPDATE unit SET valid_from = :day, valid_to = :day WHERE id = :id"),
        {"day": DAY, "id": gone.id},
    )

    found = freshness.quiet_units(
        session, lft=root.lft, rgt=root.rgt, before=NEXT, today=NEXT, most=5
    )

    assert [(row.source, row.unit, row.days) for row in found] == [
        ("mot-cua", "H44.2", (DAY,)),
        ("mot-cua-cu", "H44.2", (DAY - timedelta(days=3),)),
    ]
