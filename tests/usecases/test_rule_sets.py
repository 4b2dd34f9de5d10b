"""Rule sets of offices: versions, validity, owners, and numbers confirmed by name."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.period import Period
from app.rulebook.entry import RulebookRefused
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import rule_sets
from app.usecases.access import Principal
from app.usecases.rule_sets import (
    NumberUnknown,
    PeriodAcrossChange,
    RuleSetIdDiffers,
    RuleSetOfSuperior,
    RuleSetShipped,
    RuleSetTaken,
    ValidityOverlaps,
    VersionNotInUse,
)
from tests.factories import make_unit
from tests.principals import holder
from tests.rule_set_texts import annex

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
Make = Callable[..., rule_sets.Put]


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    return make_unit(session, "H44")


@pytest.fixture
def commune(session: WriteSession, province: UnitRow) -> UnitRow:
    return make_unit(session, "H44.100", parent=province)


@pytest.fixture
def put(session: WriteSession, province: UnitRow) -> Make:
    def make(
        text: str, *, who: Principal | None = None, at: datetime = NOW, **more: object
    ) -> rule_sets.Put:
        identifier = str(more.pop("identifier", "par.h44"))
        replaces = more.pop("replaces", None)
        assert replaces is None or isinstance(replaces, int)
        return rule_sets.put(
            session, identifier, text, who=who or holder(province), now=at, replaces=replaces
        )

    return make


class TestPutting:
    def test_the_first_text_is_version_1_of_the_putters_unit(self, put: Make) -> None:
        done = put(annex())

        assert (done.version.number, done.version.owner, done.is_new) == (1, "H44", True)

    def test_the_same_text_again_changes_nothing(self, put: Make) -> None:
        put(annex())

        again = put(annex())

        assert (again.version.number, again.is_new) == (1, False)

    def test_versions_in_force_on_the_same_day_are_refused(self, put: Make) -> None:
        put(annex())

        with pytest.raises(ValidityOverlaps) as refusal:
            put(annex(first="2027-01-01"))

        assert (refusal.value.version, refusal.value.last) == (1, "…")

    def test_a_version_ended_by_its_replacement_leaves_room_for_the_next(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex())
        put(annex(last="2026-12-31"), replaces=1)
        put(annex(first="2027-01-01", floor="0.98"))

        versions = rule_sets.history(session, "par.h44")

        assert [(one.number, one.replaced_by) for one in versions] == [(1, 2), (2, None), (3, None)]
        assert rule_sets.on_day(versions, date(2027, 3, 31)).number == 3
        assert rule_sets.on_day(versions, date(2026, 12, 31)).number == 2

    def test_what_was_replaced_is_still_known_as_of_then(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex())
        put(annex(floor="0.9"), replaces=1, at=NOW + timedelta(days=1))

        then = rule_sets.history(session, "par.h44", known_at=NOW)

        assert rule_sets.on_day(then, date(2026, 12, 31)).number == 1

    def test_a_version_is_replaced_once(self, put: Make) -> None:
        put(annex())
        put(annex(floor="0.9"), replaces=1)

        with pytest.raises(VersionNotInUse):
            put(annex(floor="0.8"), replaces=1)

    def test_a_text_with_faults_is_refused_with_all_of_them(self, put: Make) -> None:
        with pytest.raises(RulebookRefused) as refusal:
            put(annex(floor="95").replace("each: 0.1", "each: 0.1, colour: red"))

        assert refusal.value.count == 1
        with pytest.raises(RulebookRefused, match="percent_as_whole"):
            put(annex(floor="95"))

    def test_the_id_in_the_text_is_the_one_it_is_put_under(self, put: Make) -> None:
        with pytest.raises(RuleSetIdDiffers):
            put(annex("par.h15"))

    def test_what_we_ship_is_only_read(self, put: Make) -> None:
        with pytest.raises(RuleSetShipped):
            put(annex("qd766.profile-2026"), identifier="qd766.profile-2026")


class TestOwners:
    def test_those_below_read_and_do_not_change(
        self, session: WriteSession, put: Make, commune: UnitRow
    ) -> None:
        put(annex())

        assert rule_sets.seen(session, "par.h44", who=holder(commune))[0].owner == "H44"
        with pytest.raises(RuleSetOfSuperior):
            put(annex(floor="0.5"), who=holder(commune), replaces=1)

    def test_another_office_neither_reads_nor_takes_the_id(
        self, session: WriteSession, put: Make
    ) -> None:
        other = holder(make_unit(session, "H15"))
        put(annex())

        with pytest.raises(UnknownRuleSet):
            rule_sets.seen(session, "par.h44", who=other)
        with pytest.raises(RuleSetTaken):
            put(annex(floor="0.5"), who=other)
        assert "par.h44" not in {one.rule_set.id for one in rule_sets.listed(session, who=other)}

    def test_a_superior_sees_and_mends_the_set_of_a_unit_below(
        self, session: WriteSession, put: Make, commune: UnitRow
    ) -> None:
        put(annex("own"), who=holder(commune), identifier="own")

        done = put(annex("own", floor="0.9"), identifier="own", replaces=1)

        assert (done.version.owner, done.version.number) == ("H44.100", 2)
        assert not done.version.holds_for(make_unit(session, "H15").lft)

    def test_the_whole_installation_owns_for_everybody(
        self, session: WriteSession, put: Make
    ) -> None:
        done = put(annex("all"), who=holder(None), identifier="all")

        assert done.version.owner is None
        assert done.version.holds_for(make_unit(session, "H15").lft)


class TestChoosing:
    def test_a_period_across_a_change_is_refused_with_its_parts(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex(last="2026-06-30"))
        put(annex(first="2026-07-01", floor="0.98"))
        versions = rule_sets.history(session, "par.h44")

        with pytest.raises(PeriodAcrossChange) as refusal:
            rule_sets.for_period(versions, YEAR)

        assert refusal.value.parts == "2026-01-01..2026-06-30, 2026-07-01..2026-12-31"
        first_half = Period(date(2026, 1, 1), date(2026, 6, 30))
        assert rule_sets.for_period(versions, first_half).number == 1

    def test_a_set_that_began_within_the_period_is_no_change(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex(first="2026-07-01"))

        chosen = rule_sets.for_period(rule_sets.history(session, "par.h44"), YEAR)

        assert chosen.number == 1

    def test_a_set_that_has_ended_by_the_last_day_is_not_in_force(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex(last="2026-06-30"))

        with pytest.raises(RuleSetNotInForce):
            rule_sets.for_period(rule_sets.history(session, "par.h44"), YEAR)

    def test_a_version_is_picked_by_number_or_day_or_as_the_newest(
        self, session: WriteSession, put: Make
    ) -> None:
        put(annex(last="2026-06-30"))
        put(annex(first="2026-07-01"))
        versions = rule_sets.history(session, "par.h44")

        assert rule_sets.pick(versions, day=None, number=1).number == 1
        assert rule_sets.pick(versions, day="2026-06-30", number=None).number == 1
        assert rule_sets.pick(versions, day=None, number=None).number == 2
        with pytest.raises(VersionNotInUse):
            rule_sets.pick(versions, day=None, number=9)
        with pytest.raises(RuleSetNotInForce):
            rule_sets.pick(versions, day="2026-02-30", number=None)


class TestConfirming:
    def confirm(self, session: WriteSession, paths: list[str], who: Principal) -> int:
        version = rule_sets.pick(
            rule_sets.history(session, "par-tthc.template"), day=None, number=None
        )
        return rule_sets.confirm(
            session, version, paths, person="An", document="876/QĐ-UBND", who=who, now=NOW
        )

    def is_confirmed(self, session: WriteSession, lft: int) -> bool:
        version = rule_sets.history(session, "par-tthc.template")[0]
        rows = rule_sets.confirmations(session, "par-tthc.template")
        return rule_sets.is_confirmed(version, rows, lft)

    def test_a_template_is_confirmed_when_each_of_its_numbers_is(
        self, session: WriteSession, province: UnitRow, commune: UnitRow
    ) -> None:
        who = holder(province)

        assert self.confirm(session, ["root/on_time_sum/linear"], who) == 2
        assert not self.is_confirmed(session, commune.lft)
        self.confirm(session, ["numbers", "root", "rescale", "bonus", "penalty"], who)
        assert self.is_confirmed(session, commune.lft)

    def test_it_holds_for_the_confirmers_units_alone(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        other = make_unit(session, "H15")

        self.confirm(session, ["numbers", "root", "rescale", "bonus", "penalty"], holder(province))

        assert not self.is_confirmed(session, other.lft)

    def test_the_same_again_is_not_written_twice(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        self.confirm(session, ["rescale"], holder(province))

        assert self.confirm(session, ["rescale/to"], holder(province)) == 0

    def test_a_place_without_a_number_is_refused(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        with pytest.raises(NumberUnknown):
            self.confirm(session, ["root/nothing"], holder(province))

    def test_a_number_that_changed_has_to_be_confirmed_again(
        self, session: WriteSession, put: Make, province: UnitRow
    ) -> None:
        parts = ["numbers", "root", "classify"]
        first = put(annex(provenance="template")).version
        rule_sets.confirm(
            session, first, parts, person="An", document="d", who=holder(province), now=NOW
        )
        second = put(annex(provenance="template", floor="0.98"), replaces=1).version
        rows = rule_sets.confirmations(session, "par.h44")

        left = [
            one.number.path
            for one in rule_sets.confirmed(second, rows, province.lft)
            if one.by is None
        ]

        assert rule_sets.is_confirmed(first, rows, province.lft)
        assert left == ["root/on_time/linear/floor"]
