"""Slots of jobs: planned once, taken by one, kept by their fence."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from app.domain.night import NIGHTLY, night_of
from app.store import runs
from app.store.runs import RunBusy, RunLost
from app.store.session import WriteSession
from app.store.tables import job_slot
from tests.factories import local

NIGHT = night_of(date(2026, 8, 7))
NOW = local("2026-08-07", 8)
LATER = timedelta(seconds=-1)
"""A lease that is over as soon as it is given."""


def test_a_slot_is_planned_once(session: WriteSession) -> None:
    assert runs.plan(session, [NIGHT]) == 1
    assert runs.plan(session, [NIGHT]) == 0
    assert runs.plan(session, []) == 0
    assert runs.newest(session, NIGHTLY) == "2026-08-07"
    assert runs.newest(session, "other") is None


def test_a_slot_is_taken_by_one_until_the_lease_is_over(session: WriteSession) -> None:
    runs.plan(session, [NIGHT])

    first = runs.claim_oldest(session, NIGHTLY, owner="one", now=NOW)
    refused = runs.claim_oldest(session, NIGHTLY, owner="two", now=NOW)
    session.execute(sa.update(job_slot).values(lease_until=local("2020-01-01")))
    second = runs.claim_oldest(session, NIGHTLY, owner="two", now=NOW)

    assert first is not None
    assert refused is None
    assert second is not None
    assert (first.fence, second.fence) == (1, 2)
    with pytest.raises(RunLost):
        runs.renew(session, first, found={})
    runs.renew(session, second, found={"raised": 3})
    runs.finish(session, second, found={"raised": 4})
    found = runs.get(session, NIGHT)
    assert found is not None
    assert (found.state, found.found, found.takeovers) == ("done", {"raised": 4}, 1)


def test_a_slot_whose_moment_has_not_come_waits(session: WriteSession) -> None:
    runs.plan(session, [NIGHT])

    assert runs.claim_oldest(session, NIGHTLY, owner="one", now=local("2026-08-07", 0)) is None


def test_a_done_slot_is_taken_again_only_by_name(session: WriteSession) -> None:
    claim = runs.claim_named(session, NIGHT, owner="one")
    with pytest.raises(RunBusy):
        runs.claim_named(session, NIGHT, owner="two")
    runs.finish(session, claim, found={"raised": 1})

    assert runs.claim_oldest(session, NIGHTLY, owner="two", now=NOW) is None
    again = runs.claim_named(session, NIGHT, owner="two")
    assert (again.fence, again.found) == (2, {"raised": 1})


def test_a_slot_that_always_fails_is_left_to_an_operator(session: WriteSession) -> None:
    runs.plan(session, [NIGHT])
    tries = 0
    while True:
        claim = runs.claim_oldest(session, NIGHTLY, owner="one", now=NOW)
        if claim is None:
            break
        tries += 1
        runs.fail(session, claim, rest=LATER)

    assert tries == runs.LAST_RETRY


def test_runs_are_listed_newest_first_in_pages(session: WriteSession) -> None:
    runs.plan(session, [night_of(date(2026, 8, day)) for day in range(1, 6)])

    first = runs.page(session, job=NIGHTLY, before=None, limit=3)
    second = runs.page(session, job=NIGHTLY, before=(first[-1].as_of, first[-1].job), limit=3)

    assert [run.slot[-1] for run in (*first, *second)] == ["5", "4", "3", "2", "1"]
    assert runs.page(session, job="other", before=None, limit=3) == []
