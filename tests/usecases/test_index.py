"""Units scored from what is counted, and the feed that says how."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.expression import Scalar
from app.domain.rule_set import RuleSet
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import load_rule_sets
from app.store.session import Database
from app.store.units import UnitRow
from app.usecases import index, reporting
from app.usecases.index import (
    Assessed,
    KnowledgeToCome,
    MomentOutsideYear,
    YearToCome,
    content_hash,
)
from app.usecases.reporting import Question
from tests.factories import (
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
    on_time_until,
)
from tests.store.test_successions import follow

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """A province with two communes, and the dossiers of 2026."""

    database: Database
    province: UnitRow
    good: UnitRow
    bad: UnitRow


@pytest.fixture
def world(database: Database) -> World:
    with database.begin() as session:
        province = make_unit(session, "H44")
        good = make_unit(session, "H44.100", parent=province)
        bad = make_unit(session, "H44.101", parent=province)
        source_id = make_source(session)
        day = on_time_until(local("2026-03-10").date()).date()
        received = local("2026-03-02", 9)
        for unit, late in ((good, 1), (bad, 2)):
            for number in range(20):
                finished = local("2026-03-20" if number < late else "2026-03-05", 9)
                add_dossier(
                    session,
                    unit,
                    source_id,
                    f"{unit.code}-260302-{number:04}",
                    due_on=day,
                    course=finished_course(received, day, finished),
                    received_at=received,
                )
    return World(database, province, good, bad)


def the_rule_set() -> RuleSet:
    return load_rule_sets().get(index.DEFAULT_RULE_SET, index.ask(2026, now=NOW).period.last)


def read(world: World, **question: datetime) -> dict[str, object]:
    since = question.pop("since", None)
    with world.database.read() as session:
        return index.feed(
            session,
            rule_set=the_rule_set(),
            metrics=load_metrics(),
            asked=index.ask(2026, now=NOW, **question),
            lft=world.province.lft,
            rgt=world.province.rgt,
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


class TestFeed:
    def test_a_unit_has_both_criteria_with_their_counts_and_definitions(self, world: World) -> None:
        feed = read(world)

        progress = criterion(feed, "H44.100", "on_time")
        on_time = criterion(feed, "H44.100", "on_time_sum")
        assert (progress["numerator"], progress["denominator"]) == (19, 20)
        assert (progress["score"], progress["definition"]) == ("19.00", "progress_766@1")
        assert (on_time["score"], on_time["definition"]) == ("0.9500", "on_time_of_finished@1")
        assert entry(feed, "H44.100")["sub_index"] == "19.95"

    def test_one_dossier_below_the_floor_loses_the_line_and_says_so(self, world: World) -> None:
        line = criterion(read(world), "H44.101", "on_time_sum")

        assert line["score"] == "0.0000"
        assert line["recover"] == [
            {"reaches": "floor", "more": "1", "among_new": 20, "points": "0.95"}
        ]

    def test_the_province_adds_counts_and_then_divides(self, world: World) -> None:
        line = criterion(read(world), "H44", "on_time_sum")

        assert (line["numerator"], line["denominator"], line["percent"]) == (37, 40, "92.50")

    def test_its_figures_are_those_of_the_statistics(self, world: World) -> None:
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

    def test_a_criterion_leads_to_the_dossiers_that_cost_points(self, world: World) -> None:
        line = criterion(read(world), "H44.101", "on_time_sum")

        assert line["evidence"] == (
            "/v1/dossiers?unit=H44.101&count=finished_late&from=2026-01-01&to=2026-12-31"
            "&as_of=2026-08-10T01%3A00%3A00Z&known_at=2026-08-10T01%3A00%3A00Z"
        )

    def test_units_are_ranked_within_their_level_and_parent(self, world: World) -> None:
        feed = read(world)

        assert entry(feed, "H44.100")["rank"] == {"place": 1, "of": 2, "tied": False}
        assert entry(feed, "H44.101")["rank"] == {"place": 2, "of": 2, "tied": False}
        assert entry(feed, "H44")["rank"] is None

    def test_a_template_is_told_to_be_unconfirmed(self, world: World) -> None:
        origin = read(world)["generated_from"]

        assert isinstance(origin, dict)
        assert origin["confirmed"] is False
        assert origin["definitions"] == ["on_time_of_finished@1", "progress_766@1"]

    def test_the_same_question_gives_the_same_bytes(self, world: World) -> None:
        known_at = NOW - timedelta(days=1)

        first, again = read(world, known_at=known_at), read(world, known_at=known_at)

        assert json.dumps(first) == json.dumps(again)

    def test_the_hash_stays_while_nothing_that_is_said_changes(self, world: World) -> None:
        night, next_night = read(world, known_at=NOW - timedelta(days=1)), read(world)

        assert night["hash"] == next_night["hash"]
        assert night["generated_from"] != next_night["generated_from"]

    def test_the_hash_moves_with_a_figure(self, world: World) -> None:
        feed = read(world)
        unit = entry(feed, "H44.100")

        unit["sub_index"] = "20.00"

        assert f"sha256:{content_hash(feed)}" != feed["hash"]

    def test_the_difference_from_an_earlier_feed_is_told(self, world: World) -> None:
        feed = read(world, since=local("2026-03-06"))

        assert entry(feed, "H44.101")["delta"] == {
            "since": "2026-03-05T17:00:00Z",
            "sub_index": "21.00",
            "points": "-3",
        }

    def test_a_unit_without_dossiers_is_shown_and_not_ranked(self, world: World) -> None:
        with world.database.begin() as session:
            make_unit(session, "H44.102", parent=world.province)

        found = entry(read(world), "H44.102")

        assert (found["sub_index"], found["rank"], found["status"]) == ("0.00", None, "complete")


class TestQuestion:
    def test_a_year_that_is_over_is_seen_from_its_end(self) -> None:
        asked = index.ask(2025, now=NOW)

        assert asked.as_of == local("2026-01-01")

    def test_the_moment_follows_what_was_known(self) -> None:
        known_at = local("2026-05-01")

        assert index.ask(2026, now=NOW, known_at=known_at).as_of == known_at

    def test_a_year_that_has_not_begun_is_not_guessed(self) -> None:
        with pytest.raises(YearToCome):
            index.ask(2027, now=NOW)

    @pytest.mark.parametrize(
        "as_of", [local("2025-12-31"), local("2026-08-11"), local("2027-01-01")]
    )
    def test_a_moment_outside_the_year_or_to_come_is_refused(self, as_of: datetime) -> None:
        with pytest.raises(MomentOutsideYear):
            index.ask(2026, now=NOW, as_of=as_of)

    def test_what_will_be_known_is_not_known(self, world: World) -> None:
        with pytest.raises(KnowledgeToCome):
            index.ask(2026, now=NOW, known_at=NOW + timedelta(seconds=1))
        with pytest.raises(KnowledgeToCome):
            read(world, known_at=local("2026-05-01"), since=local("2026-06-01"))


class TestDeclaredInputs:
    def scored(self, world: World, declared: dict[str, dict[str, Scalar | None]]) -> Assessed:
        rule_set = load_rule_sets().get("par-tthc.template", index.ask(2026, now=NOW).period.last)
        with world.database.read() as session:
            known = index.figures(
                session,
                index.ask(2026, now=NOW),
                lft=world.province.lft,
                rgt=world.province.rgt,
                declared=declared,
            )
        scored = index.score_units(rule_set, load_metrics(), known)
        return next(one for one in scored if one.unit == "H44.100")

    def test_what_a_unit_declares_completes_its_sheet(self, world: World) -> None:
        declared: dict[str, dict[str, Scalar | None]] = {
            "H44.100": {"procedures_not_published": 0, "petitions": 0, "petitions_on_time": 0}
        }

        assert self.scored(world, {}).card.missing == ("procedures_not_published", "petitions")
        assert self.scored(world, declared).card.missing == ()

    def test_what_is_counted_cannot_be_declared(self, world: World) -> None:
        declared: dict[str, dict[str, Scalar | None]] = {"H44.100": {"resolved_in_time": 20}}

        (line,) = [
            leaf
            for leaf in self.scored(world, declared).card.leaves
            if leaf.leaf.id == "on_time_sum"
        ]

        assert dict(line.inputs)["resolved_in_time"] == 19

    def test_a_set_without_ranking_ranks_nobody(self, world: World) -> None:
        assert self.scored(world, {}).place is None
