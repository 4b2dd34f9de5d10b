"""The index feed: every unit's sub-index with its counts, its evidence and its difference."""

import json
from datetime import datetime, timedelta

import pytest

from app.rulebook.metrics import load_metrics
from app.store.session import Database
from app.usecases import feed as feeds
from app.usecases import index, reporting
from app.usecases.access import OPERATOR
from app.usecases.index import KnowledgeToCome, content_hash
from app.usecases.reporting import Question
from tests.factories import local, make_unit
from tests.feed_world import NOW, World, make_world
from tests.store.test_successions import follow


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def read(world: World, **question: datetime) -> dict[str, object]:
    since = question.pop("since", None)
    with world.database.read() as session:
        return feeds.feed(
            session,
            index.DEFAULT_RULE_SET,
            index.ask(2026, now=NOW, **question),
            root=world.province,
            who=OPERATOR,
            since=since,
        )


def entry(feed: dict[str, object], unit: str) -> dict[str, object]:
    units = feed["units"]
    assert isinstance(units, list)
    return next(found for found in units if found["unit"] == unit)


def criterion(feed: dict[str, object], unit: str, name: str) -> dict[str, object]:
    criteria = entry(feed, unit)["criteria"]
    assert isinstance(criteria, list)
    return next(found for found in criteria if found["id"] == name)


def test_a_unit_has_both_criteria_with_their_counts_and_definitions(world: World) -> None:
    feed = read(world)

    progress = criterion(feed, "H44.100", "on_time")
    on_time = criterion(feed, "H44.100", "on_time_sum")
    assert (progress["numerator"], progress["denominator"]) == (19, 20)
    assert (progress["score"], progress["definition"]) == ("19.00", "progress_766@1")
    assert (on_time["score"], on_time["definition"]) == ("0.9500", "on_time_of_finished@1")
    assert entry(feed, "H44.100")["sub_index"] == "19.95"


def test_one_dossier_below_the_floor_loses_the_line_and_says_so(world: World) -> None:
    line = criterion(read(world), "H44.101", "on_time_sum")

    assert line["score"] == "0.0000"
    assert line["recover"] == [{"reaches": "floor", "more": "1", "among_new": 20, "points": "0.95"}]


def test_the_province_adds_counts_and_then_divides(world: World) -> None:
    line = criterion(read(world), "H44", "on_time_sum")

    assert (line["numerator"], line["denominator"], line["percent"]) == (37, 40, "92.50")


def test_its_figures_are_those_of_the_statistics(world: World) -> None:
    line = criterion(read(world), "H44", "on_time_sum")

    with world.database.read() as session:
        question = Question(world.province, index.ask(2026, now=NOW).period)
        found = reporting.figures(
            session,
            question,
            group_by=[],
            definitions=[load_metrics().get("on_time_of_finished@1")],
            now=NOW,
        )

    (rate,) = found.total.rates
    assert (line["numerator"], line["denominator"]) == (rate.numerator, rate.denominator)


def test_a_criterion_leads_to_the_dossiers_that_cost_points(world: World) -> None:
    line = criterion(read(world), "H44.101", "on_time_sum")

    assert line["evidence"] == (
        "/v1/dossiers?unit=H44.101&count=finished_late&from=2026-01-01&to=2026-12-31"
        "&as_of=2026-08-10T01%3A00%3A00Z&known_at=2026-08-10T01%3A00%3A00Z"
    )


def test_units_are_ranked_within_their_level_and_parent(world: World) -> None:
    feed = read(world)

    assert entry(feed, "H44.100")["rank"] == {"place": 1, "of": 2, "tied": False}
    assert entry(feed, "H44.101")["rank"] == {"place": 2, "of": 2, "tied": False}
    assert entry(feed, "H44")["rank"] is None


def test_a_template_is_told_to_be_unconfirmed(world: World) -> None:
    origin = read(world)["generated_from"]

    assert isinstance(origin, dict)
    assert origin["confirmed"] is False
    assert origin["definitions"] == ["on_time_of_finished@1", "progress_766@1"]


def test_the_same_question_gives_the_same_bytes(world: World) -> None:
    known_at = NOW - timedelta(days=1)

    first, again = read(world, known_at=known_at), read(world, known_at=known_at)

    assert json.dumps(first) == json.dumps(again)


def test_the_hash_stays_while_nothing_that_is_said_changes(world: World) -> None:
    night, next_night = read(world, known_at=NOW - timedelta(days=1)), read(world)

    assert night["hash"] == next_night["hash"]
    assert night["generated_from"] != next_night["generated_from"]


def test_the_hash_moves_with_a_figure(world: World) -> None:
    feed = read(world)
    unit = entry(feed, "H44.100")

    unit["sub_index"] = "20.00"

    assert f"sha256:{content_hash(feed)}" != feed["hash"]


def test_the_difference_from_an_earlier_feed_is_told(world: World) -> None:
    feed = read(world, since=local("2026-03-06"))

    assert entry(feed, "H44.101")["delta"] == {
        "since": "2026-03-05T17:00:00Z",
        "sub_index": "21.00",
        "points": "-3",
    }


def test_a_unit_without_dossiers_is_shown_and_not_ranked(world: World) -> None:
    with world.database.begin() as session:
        make_unit(session, "H44.102", parent=world.province)

    found = entry(read(world), "H44.102")

    assert (found["sub_index"], found["rank"], found["status"]) == ("0.00", None, "complete")


def test_a_commune_that_merged_is_scored_as_its_successor_once_that_is_known(
    world: World,
) -> None:
    with world.database.begin() as session:
        follow(session, world.bad, world.good)

    def shown(**question: datetime) -> set[str]:
        units = read(world, **question)["units"]
        assert isinstance(units, list)
        return {str(one["unit"]) for one in units}

    both = {world.good.code, world.bad.code}
    assert shown() & both == {world.good.code}
    assert shown(known_at=local("2026-07-01")) & both == both


def test_what_will_be_known_is_not_known(world: World) -> None:
    with pytest.raises(KnowledgeToCome):
        read(world, known_at=local("2026-05-01"), since=local("2026-06-01"))
