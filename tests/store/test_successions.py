"""The register of successions: what is in force, who goes on, and what was known when."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from app.store import successions, units
from app.store.session import WriteSession
from app.store.tables import succession
from app.store.units import UnitRow
from tests.factories import add_dossier, finished_course, local, make_source, make_unit, open_course

DAY = date(2026, 7, 1)
NOW = local("2026-07-02", 8)


@pytest.fixture
def communes(session: WriteSession) -> list[UnitRow]:
    """Return three communes of a province."""
    province = make_unit(session)
    return [make_unit(session, f"H44.{number}", parent=province) for number in (100, 101, 102)]


def follow(
    session: WriteSession, old: UnitRow, new: UnitRow, *, day: date = DAY, later: int = 0
) -> int:
    """Tell that one unit went on as another."""
    return successions.add(
        session,
        unit_id=old.id,
        kind="merger",
        effective_on=day,
        successor_ids=[new.id],
        heir_id=new.id,
        children_to_id=None,
        former_valid_to=None,
        document="1/NQ",
        actor="test",
        now=NOW + timedelta(hours=later),
    )


def reverse(session: WriteSession, number: int, unit: UnitRow, *, later: int) -> None:
    """Take a succession back."""
    successions.add(
        session,
        unit_id=unit.id,
        kind="reversal",
        effective_on=DAY,
        successor_ids=[],
        heir_id=None,
        children_to_id=None,
        former_valid_to=None,
        document="2/NQ",
        reverses=number,
        actor="test",
        now=NOW + timedelta(hours=later),
    )


def test_a_chain_of_successions_leads_to_its_end(
    session: WriteSession, communes: list[UnitRow]
) -> None:
    first, second, third = communes
    follow(session, first, second)
    follow(session, second, third, day=date(2026, 8, 1), later=1)

    rows = units.by_id(session, [first.id, second.id, third.id])

    assert [rows[one.id].heir_id for one in communes] == [third.id, third.id, None]
    assert {n: heir.unit for n, heir in successions.heirs(session, [first.id]).items()} == {
        first.id: second.id,
        second.id: third.id,
    }
    assert successions.heirs(session, [third.id]) == {}
    assert successions.forebears(session, third.id) == (first.id, second.id)


def test_a_reversal_ends_a_succession_and_what_was_known_before_stays_known(
    session: WriteSession, communes: list[UnitRow]
) -> None:
    first, second, _ = communes
    number = follow(session, first, second)
    reverse(session, number, first, later=2)

    assert successions.find(session, first.id) is None
    assert units.by_id(session, [first.id])[first.id].heir_id is None
    known = NOW + timedelta(hours=1)
    assert successions.finals(session, known_at=known) == {first.id: second.id}
    assert successions.finals(session) == {}
    assert successions.finals(session, known_at=NOW - timedelta(hours=1)) == {}


def test_both_ends_of_a_succession_are_found(
    session: WriteSession, communes: list[UnitRow]
) -> None:
    first, second, third = communes
    follow(session, first, third)
    follow(session, second, third)

    gone, came = successions.of_units(session, [one.id for one in communes])

    assert [row.unit_id for row in gone] == [first.id, second.id]
    assert [row.successor_ids for row in came] == [(third.id,), (third.id,)]


def test_rows_are_only_added(session: WriteSession, communes: list[UnitRow]) -> None:
    follow(session, communes[0], communes[1])

    with pytest.raises(sa.exc.DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.update(succession).values(document="3/NQ"))


def test_what_ended_before_the_day_is_not_concerned(
    session: WriteSession, communes: list[UnitRow]
) -> None:
    source = make_source(session)
    received = local("2026-06-01", 9)
    for code, course in {
        "OPEN": open_course(received, date(2026, 6, 9)),
        "BEFORE": finished_course(received, date(2026, 6, 9), local("2026-06-30", 9)),
        "AFTER": finished_course(received, date(2026, 6, 9), local("2026-07-01", 9)),
    }.items():
        add_dossier(session, communes[0], source, code, course=course, received_at=received)

    found = successions.concerned(session, [communes[0].id], at=successions.begins(DAY))

    assert [code for _, code in found] == ["AFTER", "OPEN"]


def test_what_is_open_at_a_unit_that_ceased_is_stranded(
    session: WriteSession, communes: list[UnitRow]
) -> None:
    source = make_source(session)
    received = local("2026-06-01", 9)
    add_dossier(session, communes[0], source, "D-1", received_at=received)
    assert successions.stranded(session, limit=9) == []

    follow(session, communes[0], communes[1])

    assert successions.stranded(session, limit=9) == [(source, "D-1")]
