"""Subscriptions as rows."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from app.store import subscriptions
from app.store.session import Database, WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_unit

NOW = local("2026-08-10", 8)


def add(session: WriteSession, unit: UnitRow, **more: object) -> UUID:
    made = uuid4()
    subscriptions.add(
        session,
        {
            "id": made,
            "unit_id": unit.id,
            "level": "unit",
            "language": "vi",
            "topics": ["overdue"],
            "address": b"sealed",
            "address_digest": made.bytes,
            "address_masked": "a***@b.vn",
            "actor": "t",
            "created_at": NOW,
            **more,
        },
    )
    return made


def due(session: WriteSession, now: datetime = NOW) -> set[UUID]:
    return {one.id for one in subscriptions.take_due(session, now=now, limit=10)}


def test_only_those_that_said_yes_and_whose_time_has_come_are_looked_at(
    session: WriteSession,
) -> None:
    unit = make_unit(session)
    ready = add(session, unit, confirmed_at=NOW, look_at=NOW)
    later = add(session, unit, confirmed_at=NOW, look_at=NOW + timedelta(hours=1))
    add(session, unit, look_at=NOW)
    add(session, unit, confirmed_at=NOW, look_at=NOW, disabled_at=NOW)

    assert due(session) == {ready}
    assert due(session, NOW + timedelta(hours=1)) == {ready, later}


def test_one_address_has_one_subscription_of_a_unit_and_level(session: WriteSession) -> None:
    unit = make_unit(session)
    made = add(session, unit, address_digest=b"x")

    found = subscriptions.find_same(session, unit_id=unit.id, level="unit", address_digest=b"x")

    assert found is not None
    assert found.id == made
    assert found == subscriptions.find(session, made) == subscriptions.lock(session, made)
    other = subscriptions.find_same(session, unit_id=unit.id, level="head", address_digest=b"x")
    assert other is None


def test_a_list_is_paged_within_a_subtree(session: WriteSession) -> None:
    province = make_unit(session)
    commune, beside = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    mine = sorted(add(session, commune) for _ in range(3))
    add(session, beside)
    within = {"lft": commune.lft, "rgt": commune.rgt}

    first = subscriptions.page(session, **within, after=None, limit=2)
    rest = subscriptions.page(session, **within, after=(NOW, first[-1].id), limit=2)

    assert [one.id for one in first + rest] == mine
    assert subscriptions.remove(session, mine[0])
    assert not subscriptions.remove(session, mine[0])
    assert not subscriptions.change(session, mine[0], {"language": "en"})


def test_two_that_plan_at_once_do_not_take_the_same(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session)
        made = {add(session, unit, confirmed_at=NOW, look_at=NOW) for _ in range(4)}

    with fresh_database.begin() as one, fresh_database.begin() as two:
        first = {each.id for each in subscriptions.take_due(one, now=NOW, limit=2)}
        second = {each.id for each in subscriptions.take_due(two, now=NOW, limit=9)}

    assert len(first) == 2
    assert first | second == made
    assert not first & second
