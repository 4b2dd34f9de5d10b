"""Editions of the index feed: only when there is news, told once, frozen with the year."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text

from app.rulebook.metrics import load_metrics
from app.store import editions as stored
from app.store import outbox, runs, webhooks
from app.store.editions import Edition, Series
from app.store.runs import Claim
from app.store.session import Database
from app.usecases import editions, index, periods, scorecards
from app.usecases.access import OPERATOR
from app.usecases.editions import EditionsFailed, EditionUnknown
from app.usecases.outbox import INDEX_FEED
from app.usecases.periods import Wanted
from app.usecases.runs import Duty
from tests.factories import (
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
    on_time_until,
)
from tests.feed_world import NOW, World, make_world

AFTER = datetime(2027, 2, 1, 1, 0, tzinfo=UTC)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def series_of(world: World) -> Series:
    return Series(world.province.id, index.DEFAULT_RULE_SET, 2026)


def issue(world: World, now: datetime = NOW) -> Edition | None:
    with world.database.begin() as session:
        return editions.issue(session, world.province, series_of(world), now=now)


def body(world: World, number: int) -> dict[str, Any]:
    with world.database.read() as session:
        found: dict[str, Any] = orjson.loads(
            editions.document_of(session, series_of(world), number)
        )
    return found


def finish_late(world: World, code: str, recorded_at: datetime = NOW) -> None:
    """Tell of one more dossier of the good commune that was finished late."""
    with world.database.begin() as session:
        received = local("2026-03-02", 9)
        due = local("2026-03-10").date()
        add_dossier(
            session,
            world.good,
            make_source(session),
            code,
            due_on=on_time_until(due).date(),
            course=finished_course(received, due, local("2026-03-20", 9)),
            received_at=received,
            first_recorded_at=recorded_at,
        )


def close_year(world: World, now: datetime) -> None:
    with world.database.begin() as session:
        periods.close(
            session,
            world.province,
            Wanted(index.year_of(2026)),
            metrics=load_metrics(),
            actor="t",
            now=now,
        )


def payloads(world: World, webhook_id: UUID) -> list[dict[str, Any]]:
    """Take what waits for a receiver."""
    with world.database.begin() as session:
        claimed = outbox.claim(session, webhook_id, now=NOW, limit=100)
    return [dict(each.payload) for each in claimed]


def test_a_night_without_news_gives_nothing_out(world: World) -> None:
    first = issue(world)
    again = issue(world, NOW + timedelta(days=1))

    assert first is not None
    assert (first.number, first.is_final) == (1, False)
    assert again is None


def test_news_gives_the_next_edition_with_its_difference(world: World) -> None:
    issue(world)
    finish_late(world, "late")

    second = issue(world, NOW + timedelta(days=1))

    assert second is not None
    assert second.number == 2
    (unit,) = [one for one in body(world, 2)["units"] if one["unit"] == "H44.100"]
    before = next(one for one in body(world, 1)["units"] if one["unit"] == "H44.100")
    assert unit["delta"]["sub_index"] == before["sub_index"]
    assert unit["delta"]["points"].startswith("-")


def test_a_closed_year_has_one_final_edition_which_nothing_follows(world: World) -> None:
    issue(world)
    close_year(world, AFTER)
    finish_late(world, "told after the closing", AFTER + timedelta(hours=1))

    final = issue(world, AFTER + timedelta(days=1))
    after = issue(world, AFTER + timedelta(days=2))

    assert final is not None
    assert final.is_final
    assert final.known_at == AFTER
    assert after is None
    (unit,) = [one for one in body(world, final.number)["units"] if one["unit"] == "H44.100"]
    assert {line["denominator"] for line in unit["criteria"]} == {20}


def test_a_sheet_of_a_closed_year_is_scored_from_what_was_frozen(world: World) -> None:
    close_year(world, AFTER)
    finish_late(world, "told after the closing", AFTER + timedelta(hours=1))
    later = AFTER + timedelta(days=1)

    with world.database.read() as session:
        asked = scorecards.ask(
            session,
            index.DEFAULT_RULE_SET,
            index.year_of(2026),
            who=OPERATOR,
            now=later,
        )
        found = scorecards.one(session, asked, "H44.100", who=OPERATOR)
        before = scorecards.ask(
            session,
            index.DEFAULT_RULE_SET,
            index.year_of(2026),
            who=OPERATOR,
            now=later,
            known_at=AFTER - timedelta(seconds=1),
        )
        live = scorecards.one(session, before, "H44.100", who=OPERATOR)

    assert found.assessed.tally == live.assessed.tally
    closed = found.loaded.frozen_for(found.row)
    assert closed is not None
    assert closed.closing.known_at == AFTER
    assert live.loaded.frozen_for(live.row) is None


def test_a_feed_of_a_closed_year_is_asked_as_it_was_known(world: World) -> None:
    close_year(world, AFTER)

    with world.database.read() as session:
        assert editions.closed_at(session, world.good, 2026, now=AFTER) == AFTER
        assert editions.closed_at(session, world.good, 2025, now=AFTER) is None


def test_the_morning_run_makes_each_due_edition_once(world: World) -> None:
    duty = Duty(lambda: NOW, "t")
    with world.database.begin() as session:
        claim = editions.claim_due(session, owner="t", now=NOW)
    assert claim is not None

    editions.work(world.database, claim, duty)

    with world.database.begin() as session:
        assert editions.claim_due(session, owner="t", now=NOW) is None
        assert stored.newest(session, series_of(world)) is not None
        run = runs.last_done(session, editions.JOB)
    assert run is not None
    name = f"H44 {index.DEFAULT_RULE_SET} 2026"
    assert run.found == {"series": 1, "editions": 1, "final": 0, "done": [name], "failed": []}


def claimed(world: World) -> Claim:
    with world.database.begin() as session:
        claim = editions.claim_due(session, owner="t", now=NOW)
    assert claim is not None
    return claim


def test_a_series_that_fails_stops_no_other_and_alone_is_tried_again(world: World) -> None:
    duty = Duty(lambda: NOW, "t")
    other = make_other(world)
    with world.database.begin() as session:  # so that nothing can be kept of one series
        session.execute(text(BARRED.format(unit=world.province.id)))

    with pytest.raises(EditionsFailed) as failed:
        editions.work(world.database, claimed(world), duty)
    with world.database.begin() as session:
        found = dict(runs.page(session, job=editions.JOB, before=None, limit=1)[0].found)
        given = stored.newest(session, Series(other, index.DEFAULT_RULE_SET, 2026))
        session.execute(text("DROP TRIGGER barred ON feed_edition"))
        session.execute(text("UPDATE job_slot SET state = 'failed', lease_until = now()"))
        session.execute(text("UPDATE job_slot SET lease_until = now() - interval '1 minute'"))
    claim = claimed(world)
    editions.work(world.database, claim, duty)

    name, second = (f"{code} {index.DEFAULT_RULE_SET} 2026" for code in ("H44", "H45"))
    assert (failed.value.failed, failed.value.series) == (1, 2)
    assert given is not None
    assert found["failed"] == [{"series": name, "code": "unexpected"}]
    assert (found["done"], found["editions"]) == ([second], 1)
    with world.database.begin() as session:
        run = runs.last_done(session, editions.JOB)
        again = stored.newest(session, Series(other, index.DEFAULT_RULE_SET, 2026))
        assert stored.newest(session, series_of(world)) is not None
    assert run is not None
    assert (run.found["done"], run.found["failed"]) == ([second, name], [])
    assert run.found["editions"] == 2
    assert again == given


BARRED = """
CREATE OR REPLACE FUNCTION bar() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'barred'; END $$;
CREATE TRIGGER barred BEFORE INSERT ON feed_edition FOR EACH ROW
 WHEN (NEW.unit_id = {unit}) EXECUTE FUNCTION bar()"""


def make_other(world: World) -> int:
    """Make another root with a commune whose dossiers make an edition."""
    with world.database.begin() as session:
        root = make_unit(session, "H45")
        commune = make_unit(session, "H45.1", parent=root)
        received = local("2026-03-02", 9)
        due = local("2026-03-10").date()
        add_dossier(
            session,
            commune,
            make_source(session),
            "other",
            due_on=on_time_until(due).date(),
            course=finished_course(received, due, local("2026-03-09", 9)),
            received_at=received,
            first_recorded_at=NOW,
        )
        return root.id


def test_an_unknown_number_is_refused(world: World) -> None:
    with world.database.read() as session, pytest.raises(EditionUnknown):
        editions.document_of(session, series_of(world), 7)


def test_receivers_above_get_the_edition_once(world: World) -> None:
    above, below = uuid4(), uuid4()
    with world.database.begin() as session:
        for webhook_id, unit in ((above, world.province), (below, world.good)):
            webhooks.add(
                session,
                webhook_id=webhook_id,
                unit_id=unit.id,
                url="https://example.vn/x",
                events=[INDEX_FEED],
                secret=b"s",
                now=NOW,
            )

    first = issue(world)

    assert first is not None
    assert payloads(world, below) == []
    (payload,) = payloads(world, above)
    assert payload["type"] == INDEX_FEED
    data = payload["data"]
    assert (data["unit"], data["edition"], data["previous_hash"]) == ("H44", 1, None)
    assert data["feed"]["hash"] == data["hash"] == first.hash
    assert data["links"]["edition"] == (
        "/v1/index-feed/2026/editions/1?unit=H44&rule_set=progress.feed-1"
    )
