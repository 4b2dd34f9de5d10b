"""Units scored from what is counted, and the feed that says how."""

from datetime import datetime, timedelta

import pytest

from app.domain.expression import Scalar
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import load_rule_sets
from app.store.session import Database
from app.usecases import index
from app.usecases.index import (
    Assessed,
    KnowledgeToCome,
    MomentOutsideYear,
    YearToCome,
)
from tests.factories import local
from tests.feed_world import NOW, World, make_world


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


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

    def test_what_will_be_known_is_not_known(self) -> None:
        with pytest.raises(KnowledgeToCome):
            index.ask(2026, now=NOW, known_at=NOW + timedelta(seconds=1))


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
