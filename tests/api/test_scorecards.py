"""Score sheets through their doors: real sheets to the cent, and every question asked of them."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store.session import Database
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.factories import make_source, make_unit
from tests.rule_set_texts import annex
from tests.score_sheets import GIA_LAI, GROUPS, ON_TIME, RECEIVED, VAN_CANH, handle, told

SET = "qd766.profile-2026"
SHEET = f"/v1/scorecards/{SET}/H21.227"
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture
def key(database: Database, make_key: MakeKey) -> dict[str, str]:
    """Give a key of Gia Lai, whose commune Vân Canh handled 2,618 dossiers."""
    with database.begin() as session:
        province = make_unit(session, "H21", name="Tỉnh Gia Lai")
        commune = make_unit(session, "H21.227", parent=province, name="Xã Vân Canh")
        other = make_unit(session, "H21.228", parent=province)
        source = make_source(session)
        handle(session, commune, source, on_time=ON_TIME, late=RECEIVED - ON_TIME)
        handle(session, other, source, on_time=9, late=1)
        make_unit(session, "H15")
    return as_key(make_key(unit="H21"))


def put(client: TestClient, key: dict[str, str], unit: str, values: dict[str, object]) -> Any:
    path = f"/v1/scorecards/{SET}/{unit}/inputs?period=2026"
    answer = client.put(path, json=told(values), headers=key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sheet(client: TestClient, key: dict[str, str], query: str = "") -> Any:
    answer = client.get(f"{SHEET}?period=2026{query}", headers=key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def leaf(card: Any, identifier: str) -> Any:
    return next(
        line for group in card["nodes"] for line in group["children"] if line["id"] == identifier
    )


@pytest.fixture
def filled(client: TestClient, key: dict[str, str]) -> dict[str, str]:
    """Give the key once every input of the sheet is there."""
    put(client, key, "H21", GIA_LAI)
    put(client, key, "H21.227", VAN_CANH)
    return key


class TestVanCanh:
    def test_the_sheet_is_the_published_one_to_the_cent(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        card = sheet(client, filled)

        assert (card["status"], card["total"], card["max"]) == ("complete", "75.34", "100")
        assert {group["id"]: group["score"] for group in card["nodes"]} == GROUPS
        assert (card["class"], card["confirmed"], card["notice"]) == ("Khá", True, None)
        assert card["next_class"] == {"label": "Tốt", "points": "4.66"}

    def test_a_line_tells_its_inputs_its_loss_and_what_would_recover_it(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        line = leaf(sheet(client, filled), "e_result")

        assert (line["score"], line["max"], line["lost"]) == ("5.72", "6", "0.28")
        assert (line["method"], line["branch"]) == ("linear", "branch.linear.share")
        assert line["inputs"]["e_result"]["value"] == "2497"
        assert line["inputs"]["e_result"]["source"] == "declared"
        assert line["recover"]["dossiers"] == 121
        assert "121" in line["recover"]["text"]

    def test_a_counted_line_leads_to_its_definition_and_its_dossiers(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        line = leaf(sheet(client, filled), "on_time")

        found = line["inputs"]["on_time"]
        assert (line["score"], found["value"], found["source"]) == ("19.41", "2541", "measure")
        assert (found["definition"], found["part"]) == ("progress_766@1", "numerator")
        assert found["counts"] == {"progress_766_on_time": 2541}
        assert [(one["rel"], one["dossiers"]) for one in line["links"]] == [
            ("whole", RECEIVED),
            ("counted", ON_TIME),
        ]
        for link in line["links"]:
            listed = client.get(link["href"] + "&limit=1", headers=filled)
            assert listed.status_code == 200, listed.text

    def test_an_inherited_line_reads_the_province(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        found = leaf(sheet(client, filled), "publish_on_time")["inputs"]["published_on_time"]

        assert (found["value"], found["from"]) == ("1", "H21")

    def test_what_the_province_has_not_told_may_be_copied_on_the_communes_own_sheet(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        put(client, key, "H21.227", {**VAN_CANH, **GIA_LAI})

        card = sheet(client, key)

        assert (card["total"], card["status"]) == ("75.34", "complete")
        assert leaf(card, "publish_on_time")["inputs"]["published_on_time"]["from"] is None

    def test_what_is_missing_is_named_and_never_zero(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        put(client, key, "H21", GIA_LAI)
        put(client, key, "H21.227", {n: v for n, v in VAN_CANH.items() if n != "online"})

        card = sheet(client, key)

        assert (card["status"], card["class"], card["rank"]) == ("pending", None, None)
        (missing,) = card["missing"]
        assert (missing["input"], missing["source"], missing["leaves"]) == (
            "online",
            "external",
            ["online"],
        )
        assert leaf(card, "online")["score"] is None

    def test_the_hash_stays_while_nothing_scored_changes_and_moves_with_an_input(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        first = sheet(client, filled)
        again = client.get(f"{SHEET}?period=2026&known_at={first['known_at']}", headers=filled)

        put(client, filled, "H21.227", {"e_result": 2500})

        assert again.json() == first
        assert sheet(client, filled)["hash"] != first["hash"]

    def test_what_was_known_before_a_change_can_be_asked_again(
        self, client: TestClient, filled: dict[str, str], clock: HandClock
    ) -> None:
        before = clock().isoformat().replace("+00:00", "Z")
        clock.now = clock.now.replace(hour=5)
        put(client, filled, "H21.227", {"e_result": 2618})

        then = sheet(client, filled, f"&known_at={before}")

        assert (then["total"], sheet(client, filled)["total"]) == ("75.34", "75.62")

    def test_an_unchanged_sheet_is_not_sent_again(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        first = client.get(f"{SHEET}?period=2026", headers=filled)

        again = client.get(
            f"{SHEET}?period=2026", headers=filled | {"If-None-Match": first.headers["etag"]}
        )

        assert (first.status_code, again.status_code) == (200, 304)

    def test_sentences_come_in_the_callers_language(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        vi = leaf(sheet(client, filled), "e_result")
        en = leaf(sheet(client, filled | {"Accept-Language": "en"}), "e_result")

        assert "so với mức" in vi["explanation"]
        assert "against" in en["explanation"]


class TestDeclaring:
    def test_a_declared_number_beside_a_counted_one_stands_with_the_difference(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        put(client, filled, "H21.227", {"on_time": 2550})

        card = sheet(client, filled)

        found = leaf(card, "on_time")["inputs"]["on_time"]
        assert (found["value"], found["declared"], found["difference"]) == ("2541", "2550", "9")
        assert card["total"] == "75.34"

    def test_a_set_may_let_the_declared_number_score(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        text = annex().replace(
            '"measure:on_time_of_finished@1.numerator"',
            "{measure: on_time_of_finished@1.numerator, scores: declared}",
        )
        made = client.put("/v1/rule-sets/par.h44", content=text, headers=key | YAML)
        assert made.status_code == 201, made.text
        path = "/v1/scorecards/par.h44/H21.228"
        client.put(
            f"{path}/inputs?period=2026",
            json=told({"resolved_in_time": 10, "not_published": 2}),
            headers=key,
        )

        card = client.get(f"{path}?period=2026", headers=key).json()

        found = card["nodes"][0]["inputs"]["resolved_in_time"]
        assert (found["value"], found["source"], found["computed"]) == ("10", "declared", "9")
        assert card["total"] == "1.80"

    def test_the_same_again_changes_nothing_and_null_takes_back(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        first = put(client, key, "H21.227", {"e_result": 5, "online": "6.31"})
        again = put(client, key, "H21.227", {"e_result": 5})
        path = f"{SHEET}/inputs?period=2026"

        gone = client.put(path, json={"inputs": {"e_result": None}}, headers=key).json()

        assert sorted(first["changed"]) == ["e_result", "online"]
        assert again["changed"] == []
        assert gone["changed"] == ["e_result"]
        assert list(gone["inputs"]) == ["online"]

    def test_what_cannot_be_an_input_is_refused_in_its_place(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        refusals: list[tuple[str, object, str, str]] = [
            ("nothing", 1, "/inputs/nothing", "input.unknown"),
            ("e_result", "nhiều", "/inputs/e_result/value", "input.not_number"),
            ("e_result", 1.5, "/inputs/e_result/value", "input.not_number"),
            ("e_result", -1, "/inputs/e_result/value", "input.too_small"),
            ("online", 13, "/inputs/online/value", "input.too_great"),
            ("e_result", None, "/inputs/e_result/note", "input.na_without_note"),
        ]
        for name, value, pointer, code in refusals:
            body = {"inputs": {name: {"value": value}, "stored": {"value": 2}}}

            answer = client.put(f"{SHEET}/inputs?period=2026", json=body, headers=key)

            assert answer.status_code == 422
            (fault,) = answer.json()["errors"]
            assert (fault["pointer"], fault["code"]) == (pointer, code)

    def test_another_source_than_the_sets_is_refused(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        body = {"inputs": {"online": {"value": "6.31", "source": "declared"}}}

        answer = client.put(f"{SHEET}/inputs?period=2026", json=body, headers=key)

        assert answer.json()["errors"][0]["code"] == "input.source_differs"

    def test_what_does_not_apply_is_said_with_a_reason(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        body = {"inputs": {"rated": {"value": None, "note": "không tổ chức đánh giá"}}}
        assert client.put(f"{SHEET}/inputs?period=2026", json=body, headers=filled).is_success

        line = leaf(sheet(client, filled), "dossier_satisfaction")

        assert line["inputs"]["rated"]["known"] is True
        assert line["inputs"]["rated"]["value"] is None
        assert line["state"] == "failed"  # the profile does not say what follows


class TestBoard:
    def fill(self, client: TestClient, key: dict[str, str], units: dict[str, str]) -> None:
        text = annex("tie.h21")
        assert client.put("/v1/rule-sets/tie.h21", content=text, headers=key | YAML).is_success
        for unit, missing in units.items():
            body = told({"not_published": int(missing)})
            path = f"/v1/scorecards/tie.h21/{unit}/inputs?period=2026"
            assert client.put(path, json=body, headers=key).is_success

    def test_published_ties_share_a_place_and_the_next_is_skipped(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        assert client.put(
            "/v1/rule-sets/points.h21", content=EXTERNAL, headers=key | YAML
        ).is_success
        scores = {"H21.227": "73.31", "H21.228": "73.29", "H21.229": "73.29", "H21.230": "73.28"}
        for code in ("H21.229", "H21.230"):
            unit = {"name": code, "level": "commune", "parent": "H21"}
            assert client.put(f"/v1/units/{code}", json=unit, headers=key).is_success
        for unit_code, value in scores.items():
            path = f"/v1/scorecards/points.h21/{unit_code}/inputs?period=2026"
            assert client.put(path, json=told({"sheet": value}), headers=key).is_success

        board = client.get("/v1/scorecards/points.h21?period=2026", headers=key).json()

        communes = [one for one in board["scorecards"] if one["level"] == "commune"]
        assert [(one["unit"], one["total"], one["rank"]) for one in communes] == [
            ("H21.227", "73.31", {"place": 1, "of": 4, "tied": False}),
            ("H21.228", "73.29", {"place": 2, "of": 4, "tied": True}),
            ("H21.229", "73.29", {"place": 2, "of": 4, "tied": True}),
            ("H21.230", "73.28", {"place": 4, "of": 4, "tied": False}),
        ]

    def test_pages_go_on_with_what_was_known_at_the_first(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        self.fill(client, key, {"H21.227": "1", "H21.228": "2"})
        path = "/v1/scorecards/tie.h21?period=2026&limit=2"

        first = client.get(path, headers=key).json()
        second = client.get(f"{path}&cursor={first['next_cursor']}", headers=key).json()

        assert [one["unit"] for one in first["scorecards"]] == ["H21.227", "H21.228"]
        assert [one["unit"] for one in second["scorecards"]] == ["H21"]
        assert (first["total"], second["next_cursor"]) == (3, None)
        assert first["known_at"] == second["known_at"]

    def test_moves_since_another_period_are_told_in_points_and_places(
        self, client: TestClient, key: dict[str, str]
    ) -> None:
        self.fill(client, key, {"H21.227": "1", "H21.228": "2"})
        earlier = {"H21.227": 1, "H21.228": 0}
        for unit, value in earlier.items():
            path = f"/v1/scorecards/tie.h21/{unit}/inputs?period=2026-Q1"
            client.put(path, json=told({"not_published": value}), headers=key)

        board = client.get("/v1/scorecards/tie.h21?period=2026&compare=2026-Q1", headers=key).json()

        deltas = {one["unit"]: one["delta"] for one in board["scorecards"]}
        assert board["comparable"] is True
        assert deltas["H21.228"] == {"points": "-0.2", "places": 0}

    def test_a_unit_with_few_dossiers_is_shown_without_a_place(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        board = client.get(f"/v1/scorecards/{SET}?period=2026", headers=filled).json()

        by_unit = {one["unit"]: one for one in board["scorecards"]}
        assert by_unit["H21.227"]["rank"] == {"place": 1, "of": 1, "tied": False}
        assert by_unit["H21.228"]["status"] == "pending"
        assert by_unit["H21.228"]["missing"] > 0


class TestWhatIf:
    def test_other_inputs_give_another_score_and_nothing_is_stored(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        answer = client.post(
            f"{SHEET}/what-if?period=2026",
            json={"inputs": {"on_time": 2618, "published_on_time": 47}},
            headers=filled,
        ).json()

        assert (answer["now"]["total"], answer["then"]["total"]) == ("75.34", "81.80")
        assert (answer["now"]["class"], answer["then"]["class"]) == ("Khá", "Tốt")
        assert {one["id"] for one in answer["leaves"]} == {"on_time", "publish_on_time"}
        assert answer["then"]["rank"] == {"place": 1, "of": 1, "tied": False}
        assert sheet(client, filled)["total"] == "75.34"

    def test_an_unknown_input_is_refused(self, client: TestClient, filled: dict[str, str]) -> None:
        answer = client.post(
            f"{SHEET}/what-if?period=2026", json={"inputs": {"x": 1}}, headers=filled
        )

        assert answer.json()["errors"][0]["code"] == "input.unknown"


class TestLostPoints:
    def test_losses_come_greatest_first_and_are_summed_by_role(
        self, client: TestClient, filled: dict[str, str]
    ) -> None:
        roles = {"responsible": {"publish_on_time": "Văn phòng", "online": "Văn phòng"}}
        client.put(f"{SHEET}/inputs?period=2026", json=roles, headers=filled)

        found = client.get(f"{SHEET}/lost-points?period=2026", headers=filled).json()

        assert [line["leaf"] for line in found["lines"]][:2] == ["publish_on_time", "online"]
        assert found["lost"] == "24.66"
        assert found["roles"][1] == {"responsible": "Văn phòng", "lost": "11.56", "lines": 2}
        on_time = next(line for line in found["lines"] if line["leaf"] == "on_time")
        assert (on_time["lost"], on_time["recover"]["dossiers"]) == ("0.59", 77)

    def test_a_subtree_lists_every_unit(self, client: TestClient, filled: dict[str, str]) -> None:
        path = f"/v1/scorecards/{SET}/H21/lost-points?period=2026&scope=subtree"

        found = client.get(path, headers=filled).json()

        assert {line["unit"] for line in found["lines"]} == {"H21", "H21.227", "H21.228"}


class TestRights:
    @pytest.mark.usefixtures("filled")
    def test_a_commune_knows_its_own_place_and_no_other_sheet(
        self, client: TestClient, make_key: MakeKey
    ) -> None:
        commune = as_key(make_key(unit="H21.227"))

        assert sheet(client, commune)["rank"] == {"place": 1, "of": 1, "tied": False}
        other = client.get(f"/v1/scorecards/{SET}/H21.228?period=2026", headers=commune)
        assert (other.status_code, other.json()["code"]) == (404, "unit.unknown")

    @pytest.mark.usefixtures("key")
    def test_reading_and_telling_need_their_scopes(
        self, client: TestClient, make_key: MakeKey
    ) -> None:
        reader = as_key(make_key(["statistics:read"], unit="H21"))

        answer = client.put(f"{SHEET}/inputs?period=2026", json={"inputs": {}}, headers=reader)

        assert answer.status_code == 403
        assert client.get(f"{SHEET}?period=2026", headers=reader).status_code == 200


REFUSALS = [
    ("nothing/H21.227?period=2026", 404, "rule_set.unknown"),
    (f"{SET}/H21.227?period=2021", 404, "rule_set.not_in_force"),
    (f"{SET}/H21.227?period=2027", 422, "scorecard.period_to_come"),
    (f"{SET}/H21.227?period=next", 422, "assessment.period_unreadable"),
    (f"{SET}/H21.227?period=2026-01-01..2026-01-09", 422, "scorecard.period_not_assessed"),
    ("nd307-2025.xa/H21?period=2026", 409, "scorecard.unit_not_assessed"),
    (f"{SET}/H15?period=2026", 404, "unit.unknown"),
    (f"{SET}/H21.227?period=2026&known_at=2027-01-01T00:00:00Z", 422, "index.knowledge_to_come"),
]


def test_what_cannot_be_answered_is_a_problem_in_both_languages(
    client: TestClient, key: dict[str, str]
) -> None:
    for path, status, code in REFUSALS:
        vietnamese = client.get(f"/v1/scorecards/{path}", headers=key)
        english = client.get(f"/v1/scorecards/{path}", headers=key | {"Accept-Language": "en"})

        assert (vietnamese.status_code, vietnamese.json()["code"]) == (status, code)
        assert vietnamese.json()["detail"] != english.json()["detail"]


EXTERNAL = """\
schema: dunghan-score/1
id: points.h21
title: {vi: "Điểm của hội đồng", en: "Points of the council"}
provenance: official
basis: [{doc: 1/QĐ-UBND}]
valid: {from: 2020-01-01}
inputs: {sheet: external}
subject: {level: [commune], period: [year]}
numbers: {leaf: {dp: 2, round: half_up}, node: exact_sum, publish: {dp: 2, round: truncate}}
root:
  id: total
  max: 100
  children:
    - {id: appraised, max: 100, external: {source: council, of: sheet}}
rank: {by: total, within: [level, parent, period], method: competition}
"""
