"""Scorecards: real sheets to the cent, and the policies one by one."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.expression import Scalar
from app.domain.rounding import to_decimals
from app.domain.rule_set import Level, RuleSet
from app.domain.scoring import (
    LeafScore,
    NodeScore,
    Place,
    Scorecard,
    Standing,
    State,
    Subject,
    competition_ranks,
    lost_points,
    score,
    what_if,
)
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import load_rule_sets, parse_rule_set

VAN_CANH: dict[str, Scalar | None] = {
    "synced": 1869,
    "sync_base": 1869,
    "on_time": 2541,
    "received": 2618,
    "online": Fraction("6.31"),
    "proc_integrated": 20,
    "proc_with_fee": 42,
    "proc_paid_online": 8,
    "paid_online": 2352,
    "obligated": 2489,
    "e_result": 2497,
    "e_result_base": 2618,
    "e_documents": 1520,
    "e_documents_base": 2618,
    "reused": 1543,
    "reuse_base": 2618,
    "stored": 2,
    "store_base": 2618,
    "cdb_dossier": 1105,
    "cdb_dossier_base": 2618,
    "cdb_proc": 28,
    "cdb_proc_base": 388,
    "pet_on_time": 0,
    "pet_total": 0,
    "pet_satisfied": 0,
    "pet_rated": 0,
    "rated_ok": 2540,
    "rated": 2618,
}
GIA_LAI: dict[str, Scalar | None] = {
    "published_on_time": 1,
    "published_due": 47,
    "updated_on_time": 43,
    "update_due": 47,
    "content_full": 47,
    "content_total": 47,
}
YEAR_END = date(2026, 12, 31)


def rule_set(identifier: str, day: date = YEAR_END) -> RuleSet:
    return load_rule_sets().get(identifier, day)


def leaf(card: Scorecard, identifier: str) -> LeafScore:
    return next(leaf for leaf in card.leaves if leaf.leaf.id == identifier)


def points(card: Scorecard) -> dict[str, str]:
    return {leaf.leaf.id: to_decimals(leaf.points, 2) for leaf in card.leaves}


def groups(card: Scorecard) -> dict[str, str]:
    return {
        child.node.id: to_decimals(child.points, 2)
        for child in card.root.children
        if isinstance(child, NodeScore)
    }


class TestVanCanh:
    def card(self, **changes: Scalar | None) -> Scorecard:
        subject = Subject(Level.COMMUNE, {**VAN_CANH, **changes}, above={Level.PROVINCE: GIA_LAI})
        return score(rule_set("qd766.profile-2026"), subject)

    def test_every_leaf_is_the_published_one(self) -> None:
        assert points(self.card()) == {
            "publish_on_time": "0.13",
            "update_on_time": "3.66",
            "content_full": "2.00",
            "dossier_sync": "6.00",
            "on_time": "19.41",
            "online": "6.31",
            "fee_procedures_integrated": "1.19",
            "fee_procedures_used": "0.48",
            "dossiers_paid_online": "5.67",
            "e_result": "5.72",
            "e_documents": "2.32",
            "reuse": "1.47",
            "personal_store": "0.00",
            "citizen_db_dossier": "0.84",
            "citizen_db_procedure": "0.14",
            "e_certified_copy": "2.00",
            "petitions_on_time": "6.00",
            "petitions_satisfaction": "6.00",
            "dossier_satisfaction": "6.00",
        }

    def test_the_groups_and_the_total_add_rounded_leaves(self) -> None:
        card = self.card()

        assert groups(card) == {
            "CKMB": "11.79",
            "TDGQ": "19.41",
            "ONLINE": "6.31",
            "TTTT": "7.34",
            "MDSH": "12.49",
            "MDHL": "18.00",
        }
        assert (card.printed, card.label, card.standing) == ("75.34", "Khá", Standing.COMPLETE)

    def test_the_exact_sum_of_digitisation_would_have_been_another(self) -> None:
        digitisation = self.card().root.children[4]

        assert isinstance(digitisation, NodeScore)
        exact = sum(child.exact for child in digitisation.children if isinstance(child, LeafScore))
        assert to_decimals(Fraction(exact), 2) == "12.51"

    def test_a_leaf_says_how_many_dossiers_would_bring_the_rest(self) -> None:
        result = leaf(self.card(), "e_result")

        assert result.lost == Fraction("0.28")
        assert [(r.more, r.reaches) for r in result.recovery] == [(121, "full")]

    def test_a_unit_without_dossiers_loses_the_twenty_points_as_on_the_portal(self) -> None:
        progress = leaf(self.card(on_time=0, received=0), "on_time")

        assert (progress.points, progress.branch.code) == (Fraction(0), "zero_den.zero")

    def test_an_input_that_is_not_known_leaves_the_sheet_pending_and_is_never_zero(self) -> None:
        inputs = {name: value for name, value in VAN_CANH.items() if name != "online"}

        card = score(
            rule_set("qd766.profile-2026"),
            Subject(Level.COMMUNE, inputs, above={Level.PROVINCE: GIA_LAI}),
        )

        assert (card.standing, card.missing, card.label) == (Standing.PENDING, ("online",), None)
        assert leaf(card, "online").state is State.PENDING

    def test_lines_of_the_province_wait_for_the_province(self) -> None:
        card = score(rule_set("qd766.profile-2026"), Subject(Level.COMMUNE, VAN_CANH))

        assert card.missing == ("published_on_time", "updated_on_time", "content_full")

    def test_a_score_from_outside_above_its_maximum_is_refused(self) -> None:
        assert leaf(self.card(online=13), "online").state is State.FAILED

    def test_lost_points_come_greatest_first(self) -> None:
        lost = [item.leaf.id for item in lost_points(self.card())]

        assert lost[:3] == ["publish_on_time", "online", "personal_store"]

    def test_what_if_answers_without_changing_the_sheet(self) -> None:
        subject = Subject(Level.COMMUNE, VAN_CANH, above={Level.PROVINCE: GIA_LAI})

        better = what_if(rule_set("qd766.profile-2026"), subject, {"on_time": 2618})

        assert better.printed == "75.93"
        assert self.card().printed == "75.34"


class TestOneStopShopOf2018:
    CASES = tuple(
        {
            "days_used": used,
            "days_allowed": allowed,
            "contacts_not_applicant_fault": contacts,
            "bodies_contacted": bodies,
            "only_one_stop": 1,
            "founded_complaints": complaints,
        }
        for used, allowed, contacts, bodies, complaints in [
            (3, 5, 0, 0, 0),
            (5, 5, 0, 0, 0),
            (7, 5, 1, 1, 0),
            (2, 5, 0, 0, 0),
            (4, 5, 2, 1, 1),
            (1, 1, 0, 0, 0),
            (10, 15, 0, 0, 0),
        ]
    )
    UNIT: Mapping[str, Scalar | None] = {
        "on_spot_share": Fraction("0.6"),
        "received_at_one_stop_share": 1,
        "posted_ok": 1,
        "online_ok": 1,
        "petitions": 11,
        "petitions_on_time": 10,
        "prolonged": 0,
        "online_late": 0,
        "online_share": Fraction("0.42"),
        "online_procedures": 25,
        "online_procedures_share": Fraction("0.25"),
    }

    def card(self, level: Level = Level.COMMUNE) -> Scorecard:
        legs = (*self.CASES, self.CASES[0], self.CASES[1])
        rows = {"dossiers_ended": self.CASES, "legs_ended": legs}
        subject = Subject(level, self.UNIT, rows)
        return score(rule_set("tt01-2018.unit", date(2025, 3, 31)), subject)

    def test_the_worked_example_gives_13_2(self) -> None:
        card = self.card()

        assert [to_decimals(leaf.points, 1) for leaf in card.leaves] == [
            "1.4", "1.4", "1.6", "1.7", "1.0", "2.0", "1.1", "1.0", "2.0",
        ]  # fmt: skip
        assert (card.printed, card.label) == ("13.2", "Tốt")

    def test_the_official_has_7_2_and_full_duty(self) -> None:
        (official,) = self.card().derived

        assert (official.points, official.label) == (Fraction("7.2"), "Hoàn thành 100 % nhiệm vụ")

    def test_the_threshold_depends_on_the_level(self) -> None:
        assert leaf(self.card(Level.DISTRICT), "5").points == 2

    def test_cases_without_the_facts_are_left_out_and_counted(self) -> None:
        rows = {"dossiers_ended": (*self.CASES, {"days_used": 3}), "legs_ended": self.CASES}

        card = score(
            rule_set("tt01-2018.unit", date(2025, 3, 31)), Subject(Level.COMMUNE, self.UNIT, rows)
        )

        first = leaf(card, "1")
        assert first.branch.params == {"judged": "7", "left_out": "1"}
        assert first.points == Fraction("1.4")

    def test_without_any_case_the_line_is_left_out_and_the_total_rescaled(self) -> None:
        rows = {"dossiers_ended": self.CASES, "legs_ended": ()}

        card = score(
            rule_set("tt01-2018.unit", date(2025, 3, 31)), Subject(Level.COMMUNE, self.UNIT, rows)
        )

        assert leaf(card, "2").state is State.EXCLUDED
        assert card.total == Fraction("11.8") * 18 / 16


class TestCommuneClassification:
    INPUTS: Mapping[str, Scalar | None] = {
        "population": 18_500,
        "mountain": 0,
        "area": Fraction("41.7"),
        "self_balanced": 0,
        "own_revenue_pct": Fraction("47.35"),
        "industry_services_pct": Fraction("63.2"),
        "non_farm_pct": 58,
        "poor_pct": Fraction("3.1"),
        "clean_water_pct": 92,
        "full_online_pct": Fraction("62.3"),
        "peer.province_mean": Fraction("60.1"),
        "signed_out_pct": Fraction("99.5"),
        "minority_pct": 34,
        "land_border": 0,
        "heritage": 0,
        "safe_zone": 1,
        "population_pct_of_standard": 110,
        "area_pct_of_standard": 40,
        "role": "CLUSTER_CENTRE",
    }

    def card(self, **changes: Scalar | None) -> Scorecard:
        inputs = {**self.INPUTS, **changes}
        return score(rule_set("nd307-2025.xa"), Subject(Level.COMMUNE, inputs))

    def test_the_worked_example_gives_56_98_and_59_98_with_priority(self) -> None:
        card = self.card()

        assert list(points(card).values()) == [
            "11.25", "11.17", "3.74", "4.32", "3.80", "4.40", "5.00", "4.10", "5.00", "2.20",
            "0.00", "0.00", "2.00",
        ]  # fmt: skip
        assert card.printed == "56.98"
        assert card.bonus.points == 3
        assert card.label == "Loại III"

    def test_four_hundredths_of_a_percentage_point_online_lift_the_class(self) -> None:
        assert self.card(full_online_pct=Fraction("62.34")).label == "Loại II"

    def test_a_mountain_commune_has_its_own_threshold(self) -> None:
        card = self.card(mountain=1, population=13_000)

        assert leaf(card, "1").points == Fraction("10.67")

    def test_only_the_highest_priority_counts(self) -> None:
        card = self.card(population_pct_of_standard=400)

        assert [item.points for item in card.bonus.items] == [6, 0, 3]
        assert card.bonus.points == 6


class TestOnTimeWithAFloor:
    def earned(self, on_time: int, finished: int) -> LeafScore:
        subject = Subject(Level.COMMUNE, {"resolved_in_time": on_time, "resolved": finished})
        return leaf(score(rule_set("par-tthc.template"), subject), "on_time_sum")

    @pytest.mark.parametrize(
        ("on_time", "finished", "expected"),
        [(9_499, 10_000, "0.0000"), (9_500, 10_000, "0.9500"), (635_593, 643_272, "0.9881")],
    )
    def test_one_dossier_decides_at_the_floor(
        self, on_time: int, finished: int, expected: str
    ) -> None:
        assert to_decimals(self.earned(on_time, finished).points, 4) == expected

    def test_below_the_floor_the_leaf_says_how_many_dossiers_are_missing(self) -> None:
        (recovery,) = self.earned(9_499, 10_000).recovery

        assert (recovery.more, recovery.among_new, recovery.reaches) == (1, 20, "floor")
        assert recovery.points == Fraction("0.95")

    def test_nothing_finished_leaves_the_line_out(self) -> None:
        assert self.earned(0, 0).state is State.EXCLUDED

    def test_a_share_that_prints_95_and_is_below_is_below_with_a_warning(self) -> None:
        earned = self.earned(94_996, 100_000)

        assert (earned.points, earned.warnings) == (Fraction(0), ("warning.printed_reaches_floor",))

    @given(st.integers(1, 5_000), st.data())
    def test_the_number_of_dossiers_is_the_least_that_reaches(
        self, finished: int, data: st.DataObject
    ) -> None:
        on_time = data.draw(st.integers(0, finished))
        earned = self.earned(on_time, finished)

        for recovery in earned.recovery:
            reached = self.earned(on_time + int(recovery.more), finished)
            almost = self.earned(on_time + int(recovery.more) - 1, finished)
            assert reached.points >= recovery.points
            assert almost.exact < recovery.points


class TestSurveyAndPublication:
    INPUTS: Mapping[str, Scalar | None] = {
        "resolved_in_time": 98,
        "resolved": 100,
        "late_apologised": 2,
        "late": 2,
        "online": 60,
        "received": 100,
        "procedures_not_published": 3,
        "petitions": 10,
        "petitions_on_time": 9,
    }

    def test_without_a_survey_the_total_is_brought_to_a_hundred(self) -> None:
        card = score(rule_set("par-tthc.template"), Subject(Level.COMMUNE, self.INPUTS))

        assert leaf(card, "survey").state is State.EXCLUDED
        assert card.root.max == 5
        assert card.total == Fraction("3.78") * 100 / 5
        assert card.printed == "75.60"

    def test_with_a_survey_the_scale_is_that_of_the_tree(self) -> None:
        inputs = {**self.INPUTS, "tthc_01": Fraction("4.2")}

        card = score(rule_set("par-tthc.template"), Subject(Level.COMMUNE, inputs))

        assert (card.total, card.max) == (Fraction("4.58"), Fraction(6))

    @pytest.mark.parametrize(("earned", "published"), [("62.62", "89.45"), ("61.46", "87.80")])
    def test_nam_dinh_cuts_what_it_publishes(self, earned: str, published: str) -> None:
        text = NAM_DINH
        card = score(
            parse_rule_set(text, file="nam-dinh.yaml", metrics=load_metrics()),
            Subject(Level.COMMUNE, {"sheet": Fraction(earned)}),
        )

        assert card.printed == published


NAM_DINH = """
schema: dunghan-score/1
id: nam-dinh.2020
title: {vi: "Nam Định 2020", en: "Nam Định 2020"}
provenance: operational
basis: [{doc: "công bố năm 2020"}]
valid: {from: 2020-01-01}
inputs: {sheet: external, form: survey}
subject: {level: [commune], period: [year]}
numbers: {leaf: {dp: 2, round: half_up}, node: exact_sum, publish: {dp: 2, round: truncate}}
root:
  id: total
  max: 100
  children:
    - {id: appraised, max: 70, external: {source: council, of: sheet}}
    - id: asked
      max: 30
      survey: {form: form, answers: {from: 1, to: 5}, transform: (mean - 1) / 4}
      absent: exclude_and_rescale
rescale: {when: survey_absent, to: 100, base: max_of_present}
"""


class TestGates:
    def test_the_legal_access_gate_asks_for_three_things(self) -> None:
        gate = rule_set("qd25-2021.gate")

        def label(total: int, lowest: str, disciplined: int) -> str | None:
            inputs: dict[str, Scalar | None] = {
                "standard_points": total,
                "min_criterion_share": Fraction(lowest),
                "head_disciplined": disciplined,
            }
            return score(gate, Subject(Level.COMMUNE, inputs)).label

        assert label(80, "0.5", 0) == "Đạt chuẩn"
        assert label(79, "0.5", 0) == "Chưa đạt"
        assert label(95, "0.49", 0) == "Chưa đạt"
        assert label(95, "0.9", 1) == "Chưa đạt"

    CAN_THO: Mapping[str, Scalar | None] = {
        "base_points": 94,
        "bonus_given": 2,
        "penalty_given": 0,
        "zero_scored_criteria": 0,
        "corruption": 0,
        "serious_disunity": 0,
        "leader_removed": 0,
        "criminal": 0,
        "self_score_missing": 0,
        "leader_reprimand": 0,
        "leader_warning": 0,
    }

    @pytest.mark.parametrize(
        ("changes", "label"),
        [
            ({}, "Hoàn thành xuất sắc"),
            ({"penalty_given": 2}, "Hoàn thành tốt"),
            ({"zero_scored_criteria": 1}, "Hoàn thành"),
            ({"self_score_missing": 1}, "Không hoàn thành"),
            ({"leader_reprimand": 1}, "Hoàn thành tốt"),
            ({"leader_reprimand": 1, "leader_warning": 1}, "Hoàn thành"),
            ({"base_points": 60, "leader_warning": 1}, "Không hoàn thành"),
        ],
    )
    def test_can_tho_bands_vetoes_and_ceilings(
        self, changes: dict[str, Scalar | None], label: str
    ) -> None:
        subject = Subject(Level.COMMUNE, {**self.CAN_THO, **changes})

        assert score(rule_set("cantho-2579.class"), subject).label == label

    def test_a_line_that_was_not_assigned_is_left_out(self) -> None:
        head = rule_set("haiphong-212.head")
        unassigned = Subject(Level.COMMUNE, {"par_index": None, "peer.city_mean": 80})
        at_the_mean = Subject(Level.COMMUNE, {"par_index": 80, "peer.city_mean": 80})

        assert score(head, unassigned).total is None
        assert score(head, at_the_mean).total == 2


class TestRanks:
    def test_equal_scores_share_a_place_and_the_next_is_skipped(self) -> None:
        scores = {
            name: Fraction(value)
            for name, value in {"a": "73.31", "b": "73.29", "c": "73.29", "d": "73.28"}.items()
        }
        better = {f"x{i}": Fraction(80 + i) for i in range(10)}

        places = competition_ranks({**better, **scores})

        assert [places[name].place for name in "abcd"] == [11, 12, 12, 14]
        assert places["b"] == Place(12, 14, tied=True)

    @given(st.dictionaries(st.integers(), st.fractions(0, 100), max_size=12))
    def test_a_place_is_one_more_than_the_number_of_better_ones(
        self, scores: dict[int, Fraction]
    ) -> None:
        places = competition_ranks(scores)

        for key, value in scores.items():
            assert places[key].place == 1 + sum(other > value for other in scores.values())


REDISTRIBUTED = """
schema: dunghan-score/1
id: redistributed.example
title: {vi: "Ví dụ", en: "Example"}
provenance: operational
basis: [{doc: "ví dụ"}]
valid: {from: 2020-01-01}
inputs: {a: declared, b: declared, c: declared}
subject: {level: [commune], period: [year]}
numbers: {leaf: {dp: 2, round: half_up}, node: sum_of_rounded_leaves}
root:
  id: total
  max: 18
  children:
    - {id: one, max: 6, linear: {num: a, den: a}, zero_den: redistribute}
    - {id: two, max: 6, linear: {num: b, den: 10}}
    - {id: three, max: 6, yes_no: {of: c}, na: zero}
"""


class TestRedistribution:
    def card(self, a: int, c: Scalar | None) -> Scorecard:
        parsed = parse_rule_set(REDISTRIBUTED, file="x.yaml", metrics=load_metrics())
        return score(parsed, Subject(Level.COMMUNE, {"a": a, "b": 5, "c": c}))

    def test_the_points_of_a_line_without_a_base_go_to_its_sisters(self) -> None:
        card = self.card(0, 1)

        assert [leaf.max for leaf in card.leaves] == [0, 9, 9]
        assert card.total == Fraction("4.5") + 9

    def test_not_applicable_may_cost_the_points(self) -> None:
        assert self.card(1, None).total == 9

    def test_an_answer_that_is_neither_yes_nor_no_fails(self) -> None:
        assert self.card(1, 2).standing is Standing.FAILED
