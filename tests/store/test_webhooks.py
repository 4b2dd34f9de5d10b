"""Receivers of events."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from app.store import outbox, webhooks
from app.store.outbox import Event, Post
from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_unit

NOW = local("2026-08-10", 8)


@pytest.fixture
def unit(session: WriteSession) -> UnitRow:
    return make_unit(session)


def add(session: WriteSession, unit: UnitRow) -> UUID:
    webhook_id = uuid4()
    webhooks.add(
        session,
        webhook_id=webhook_id,
        unit_id=unit.id,
        url="https://receiver.example/",
        events=["dossier.overdue"],
        secret=b"new",
        now=NOW,
    )
    return webhook_id


def queue(session: WriteSession, unit: UnitRow, webhook_id: UUID, *, minutes: int = 0) -> None:
    event = Event(unit.id, uuid4(), webhook_id)
    at = NOW + timedelta(minutes=minutes)
    outbox.append(session, [Post(event, "dossier.overdue", {})], now=at)


def test_the_longest_waiting_is_served_first_and_who_rests_or_waits_for_nothing_is_not(
    session: WriteSession, unit: UnitRow
) -> None:
    late, early, resting, disabled, idle, to_come = (add(session, unit) for _ in range(6))
    for webhook_id, minutes in (
        (late, -1),
        (early, -9),
        (resting, -9),
        (disabled, -9),
        (to_come, 9),
    ):
        queue(session, unit, webhook_id, minutes=minutes)
    webhooks.note_failure(session, resting, resume_at=NOW + timedelta(seconds=1))
    webhooks.disable(session, disabled, reason="gone", now=NOW)

    assert webhooks.with_post(session, now=NOW, limit=9) == [early, late]
    assert webhooks.with_post(session, now=NOW, limit=1) == [early]
    assert idle not in webhooks.with_post(session, now=NOW + timedelta(hours=1), limit=9)
    assert resting in webhooks.with_post(session, now=NOW + timedelta(seconds=1), limit=9)


def test_failures_are_counted_until_an_acknowledgement(
    session: WriteSession, unit: UnitRow
) -> None:
    webhook_id = add(session, unit)
    assert not webhooks.note_success(session, webhook_id)
    for _ in range(3):
        webhooks.note_failure(session, webhook_id, resume_at=NOW)

    failing = webhooks.find_any(session, webhook_id)
    healed = webhooks.note_success(session, webhook_id)

    assert failing is not None
    assert failing.failures == 3
    assert healed


def test_the_secret_before_signs_until_its_end(session: WriteSession, unit: UnitRow) -> None:
    webhook_id = add(session, unit)
    until = NOW + timedelta(hours=1)
    webhooks.rotate(session, webhook_id, secret=b"newer", previous_until=until)

    row = webhooks.find_any(session, webhook_id)

    assert row is not None
    assert row.live_secrets(NOW) == (b"newer", b"new")
    assert row.live_secrets(until) == (b"newer",)


def test_a_receiver_is_found_within_the_subtree_of_its_unit_only(
    session: WriteSession, unit: UnitRow
) -> None:
    webhook_id = add(session, unit)

    assert webhooks.find(session, webhook_id, lft=unit.lft, rgt=unit.rgt) is not None
    assert webhooks.find(session, webhook_id, lft=unit.lft + 1, rgt=unit.rgt) is None
    assert webhooks.remove(session, webhook_id)
    assert not webhooks.remove(session, webhook_id)


def test_a_disabled_receiver_wants_nothing_until_it_is_called_again(
    session: WriteSession, unit: UnitRow
) -> None:
    webhook_id = add(session, unit)

    assert webhooks.disable(session, webhook_id, reason="gone", now=NOW)
    assert not webhooks.disable(session, webhook_id, reason="gone", now=NOW)
    assert webhooks.receivers(session, "dossier.overdue")["dossier.overdue"] == []
    webhooks.enable(session, webhook_id)
    found = webhooks.receivers(session, "dossier.overdue", "other")
    assert [to.id for to in found["dossier.overdue"]] == [webhook_id]
    assert found["other"] == []


def test_pages_are_in_the_order_of_registration(session: WriteSession, unit: UnitRow) -> None:
    made = {add(session, unit) for _ in range(3)}

    first = webhooks.page(session, lft=0, rgt=unit.rgt, after=None, limit=2)
    last = first[-1]
    rest = webhooks.page(session, lft=0, rgt=unit.rgt, after=(last.created_at, last.id), limit=2)

    assert {row.id for row in (*first, *rest)} == made
    assert len(rest) == 1
