"""Mails as rows: planned once, claimed by one, settled by who claimed."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.domain.delivery import CLAIM, Answer, Failure, answered
from app.domain.mail import MailKind, MailState
from app.store import mails
from app.store.mails import Planned
from app.store.session import Database, WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_unit

NOW = local("2026-08-10", 8)
DAY = timedelta(days=1)
GOOD, BAD = answered(250, milliseconds=1), Answer(451, Failure.STATUS, 1)
WHO = uuid4()


def plan(session: WriteSession, unit: UnitRow, slot: str = "2026-08-10") -> UUID:
    made = uuid4()
    planned = Planned(unit.id, made, WHO, MailKind.DIGEST, slot, NOW - DAY, NOW)
    assert mails.plan(session, [planned], now=NOW) == 1
    return made


def test_a_slot_has_one_mail(session: WriteSession) -> None:
    unit = make_unit(session)
    plan(session, unit)
    again = Planned(unit.id, uuid4(), WHO, MailKind.DIGEST, "2026-08-10", NOW, NOW)

    assert mails.plan(session, [again], now=NOW) == 0


def test_a_claim_sets_the_next_attempt_first(session: WriteSession) -> None:
    made = plan(session, make_unit(session))

    first, second, third = (mails.claim(session, now=moment) for moment in (NOW, NOW, NOW + CLAIM))

    assert first is not None
    assert (first.id, first.attempt, first.slot) == (made, 1, "2026-08-10")
    assert second is None
    assert third is not None
    assert third.attempt == 2


def test_a_claim_takes_one_mail_even_of_a_table_that_was_counted_when_it_was_empty(
    fresh_database: Database,
) -> None:
    """Whoever takes a table for empty walks through it, and looks for what is due at each row."""
    with fresh_database.begin() as session:
        unit = make_unit(session)
        session.execute(
            sa.text(
                "INSERT INTO mail (unit_id, id, subscription_id, kind, slot, next_at, created_at)"
                " SELECT :unit, gen_random_uuid(), :who, 'digest', CAST(n AS text), :now, :now"
                " FROM generate_series(1, 300) n"
            ),
            {"unit": unit.id, "who": WHO, "now": NOW},
        )
    with fresh_database.begin() as session:
        session.execute(sa.text("DELETE FROM mail"))
    with fresh_database.begin() as session:
        session.execute(sa.text("ANALYZE mail"))

    with fresh_database.begin() as session:
        made = {plan(session, unit, f"2026-08-1{n}") for n in range(6)}
        taken = [mails.claim(session, now=NOW) for _ in range(7)]

    assert taken[6] is None
    assert {one.id for one in taken if one is not None} == made


def test_what_waits_for_a_server_that_was_away_is_hurried_and_nothing_else(
    session: WriteSession,
) -> None:
    unit = make_unit(session)
    for n, failure in enumerate((Failure.TIMEOUT, Failure.STATUS)):
        plan(session, unit, f"2026-08-1{n}")
        claimed = mails.claim(session, now=NOW)
        assert claimed is not None
        answer = Answer(None, failure, 1)
        mails.settle(
            session, claimed, MailState.PENDING, answer=answer, next_at=NOW + DAY, tries=n, now=NOW
        )

    assert mails.hurry(session, now=NOW) == 1
    hurried = mails.claim(session, now=NOW)
    assert hurried is not None
    assert (hurried.slot, hurried.tries) == ("2026-08-10", 0)
    assert mails.claim(session, now=NOW) is None


def test_a_claim_that_is_given_back_was_no_attempt(session: WriteSession) -> None:
    plan(session, make_unit(session))
    claimed = mails.claim(session, now=NOW)
    assert claimed is not None

    mails.put_back(session, claimed, next_at=NOW + DAY)

    assert mails.claim(session, now=NOW + CLAIM) is None
    again = mails.claim(session, now=NOW + DAY)
    assert again is not None
    assert again.attempt == 1


def test_one_who_was_overtaken_can_only_say_that_it_was_sent(session: WriteSession) -> None:
    plan(session, make_unit(session))
    slow = mails.claim(session, now=NOW)
    quick = mails.claim(session, now=NOW + CLAIM)
    assert slow is not None
    assert quick is not None

    assert not mails.settle(session, slow, MailState.DEAD, answer=BAD, now=NOW)
    assert mails.settle(session, slow, MailState.SENT, answer=GOOD, now=NOW)
    assert not mails.settle(session, quick, MailState.PENDING, answer=BAD, now=NOW)
    (row,) = mails.page(session, slow.unit_id, WHO, after=None, limit=9)
    assert (row.state, row.last_status, row.settled_at) == ("sent", 250, NOW)


def test_a_digest_that_waits_is_taken_over_and_one_on_its_way_is_not(
    session: WriteSession,
) -> None:
    unit = make_unit(session)
    assert mails.supersede(session, [(unit.id, WHO)], now=NOW) == {}
    plan(session, unit)
    mails.claim(session, now=NOW)

    assert mails.supersede(session, [(unit.id, WHO)], now=NOW) == {WHO: None}
    assert mails.supersede(session, [(unit.id, WHO)], now=NOW + CLAIM) == {WHO: NOW - DAY}
    assert mails.claim(session, now=NOW + DAY) is None


def test_what_is_given_up_stays_visible(session: WriteSession) -> None:
    unit = make_unit(session)
    plan(session, unit)
    plan(session, unit, "2026-08-11")

    before = mails.backlog(session, now=NOW, dead_for=DAY)
    buried = mails.bury(session, unit.id, WHO, failure=Failure.REMOVED, now=NOW)
    after = mails.backlog(session, now=NOW, dead_for=DAY)

    assert (before.pending, before.dead, before.oldest_due_at) == (2, 0, NOW)
    assert (buried, after.pending, after.dead, after.oldest_due_at) == (2, 0, 2, None)


def test_the_log_of_attempts_cannot_be_changed(session: WriteSession) -> None:
    plan(session, make_unit(session))
    claimed = mails.claim(session, now=NOW)
    assert claimed is not None
    mails.log(session, claimed, BAD, now=NOW)

    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.text("DELETE FROM mail_attempt"))


def test_mails_are_paged_newest_first(session: WriteSession) -> None:
    unit = make_unit(session)
    made = {plan(session, unit, f"2026-08-1{n}") for n in range(3)}

    first = mails.page(session, unit.id, WHO, after=None, limit=2)
    place = (first[-1].created_at, first[-1].id)
    rest = mails.page(session, unit.id, WHO, after=place, limit=2)

    assert {row.id for row in first + rest} == made


def test_attempts_are_read_newest_first_in_pages_with_what_became_of_the_mail(
    session: WriteSession,
) -> None:
    unit = make_unit(session)
    made = plan(session, unit)
    for n, answer in enumerate((BAD, Answer(None, Failure.TIMEOUT, 9), GOOD)):
        claimed = mails.claim(session, now=NOW + n * DAY)
        assert claimed is not None
        mails.log(session, claimed, answer, now=NOW + n * DAY)
        state = MailState.SENT if answer is GOOD else MailState.PENDING
        next_at = NOW + (n + 1) * DAY
        mails.settle(session, claimed, state, answer=answer, next_at=next_at, now=NOW + n * DAY)

    first = mails.attempts(session, unit.id, WHO, after=None, limit=2)
    last = first[-1]
    rest = mails.attempts(
        session, unit.id, WHO, after=(last.at, last.mail_id, last.attempt), limit=2
    )

    assert [(row.mail_id, row.attempt, row.status, row.error) for row in first + rest] == [
        (made, 3, 250, None),
        (made, 2, None, "timeout"),
        (made, 1, 451, "status"),
    ]
    assert {row.state for row in first + rest} == {"sent"}
    assert mails.attempts(session, unit.id, uuid4(), after=None, limit=2) == []
