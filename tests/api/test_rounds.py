"""Rounds of a sheet through their doors."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store.session import Database
from tests.api.conftest import MakeKey, as_key
from tests.factories import make_unit
from tests.rule_set_texts import annex

ROUNDS = "rounds: [self, verify_1, explain, verify_2]\nscore_of_record: verify_2\n"
SHEET = "/v1/scorecards/par.h44/H44.1"


@pytest.fixture
def province(database: Database, client: TestClient, make_key: MakeKey) -> dict[str, str]:
    with database.begin() as session:
        found = make_unit(session, "H44")
        make_unit(session, "H44.1", parent=found)
        make_unit(session, "H44.2", parent=found)
    key = as_key(make_key(unit="H44"))
    put = client.put(
        "/v1/rule-sets/par.h44",
        content=annex(more=ROUNDS),
        headers=key | {"Content-Type": "application/yaml"},
    )
    assert put.status_code == 201, put.text
    told = {"inputs": {"not_published": {"value": 1}}}
    assert client.put(f"{SHEET}/inputs?period=2026", json=told, headers=key).is_success
    return key


@pytest.fixture
def unit(province: dict[str, str], make_key: MakeKey) -> dict[str, str]:
    assert province
    return as_key(make_key(unit="H44.1"))


def post(client: TestClient, key: dict[str, str], **body: object) -> Any:
    return client.post(f"{SHEET}/rounds?period=2026", json=body, headers=key)


def test_rounds_follow_one_another_to_the_score_of_record(
    client: TestClient, province: dict[str, str], unit: dict[str, str]
) -> None:
    said = {"on_time": {"score": "0.9", "note": "theo báo cáo"}}
    own = post(client, unit, round="self", author="An", leaves=said, close=True)
    appraised = post(
        client, province, round="verify_1", leaves={"on_time": {"score": "0.5"}}, close=True
    )

    assert (own.status_code, appraised.status_code) == (200, 200), own.text + appraised.text
    card = client.get(f"{SHEET}?period=2026", headers=unit).json()
    assert (card["total"], card["record"]["round"], card["record"]["total"]) == (
        "0.90",
        "verify_1",
        "1.40",
    )
    frozen = client.get(f"{SHEET}?period=2026&round=self", headers=unit).json()
    assert (frozen["total"], frozen["round"]) == ("1.80", "self")
    assert frozen["hash"] == card["rounds"][0]["hash"]
    assert frozen["nodes"][0]["branch"] == "given.points"
    board = client.get("/v1/scorecards/par.h44?period=2026&round=verify_1", headers=province).json()
    assert {one["unit"]: one["total"] for one in board["scorecards"]}["H44.1"] == "1.40"


def test_self_score_and_appraisal_stand_side_by_side(
    client: TestClient, province: dict[str, str], unit: dict[str, str]
) -> None:
    post(client, unit, round="self", leaves={"on_time": {"score": "0.9"}}, close=True)
    words = {"published": {"inputs": {"not_published": 4}, "note": "bốn thủ tục chưa niêm yết"}}
    post(client, province, round="verify_1", due_on="2026-09-30", leaves=words)

    found = client.get(f"{SHEET}/rounds?period=2026", headers=unit).json()

    assert found["listed"] == ["self", "verify_1", "explain", "verify_2"]
    assert [one["state"] for one in found["rounds"]] == ["closed", "open"]
    assert found["rounds"][1]["due_on"] == "2026-09-30"
    published = found["lines"][1]
    assert (published["computed"], published["difference"]) == ("0.90", "-0.3")
    assert published["rounds"][1]["inputs"] == {"not_published": "4"}


def test_appraisal_is_kept_from_the_unit_itself(
    client: TestClient, province: dict[str, str], unit: dict[str, str], make_key: MakeKey
) -> None:
    post(client, unit, round="self", close=True)
    writer = as_key(make_key(["index:write"], unit="H44"))

    assert post(client, unit, round="verify_1").json()["code"] == "round.verifier_below"
    assert post(client, writer, round="verify_1").json()["code"] == "access.scope_missing"
    assert post(client, province, round="verify_1").status_code == 200


def test_what_is_out_of_order_or_wrong_is_a_problem_with_its_place(
    client: TestClient, province: dict[str, str], unit: dict[str, str]
) -> None:
    early = post(client, province, round="verify_2")
    wrong = post(client, unit, round="self", leaves={"on_time": {"score": 7}})
    unknown = post(client, unit, round="final")

    assert (early.status_code, early.json()["code"]) == (409, "round.out_of_order")
    assert wrong.json()["errors"][0]["pointer"] == "/leaves/on_time/score"
    assert unknown.status_code == 422


def test_after_its_own_round_a_unit_changes_no_numbers(
    client: TestClient, unit: dict[str, str]
) -> None:
    post(client, unit, round="self", close=True)
    told = {"inputs": {"not_published": {"value": 0}}}

    answer = client.put(f"{SHEET}/inputs?period=2026", json=told, headers=unit)

    assert (answer.status_code, answer.json()["code"]) == (409, "scorecard.inputs_closed")


def test_evidence_is_linked_to_lines_by_hash(
    client: TestClient, province: dict[str, str], unit: dict[str, str]
) -> None:
    stored = client.post("/v1/evidence?unit=H44.1&name=a.pdf", content=b"%PDF-1", headers=unit)
    body = {"evidence": {"published": [stored.json()["hash"]]}}

    linked = client.put(f"{SHEET}/inputs?period=2026", json=body, headers=unit)
    unheld = client.put(
        "/v1/scorecards/par.h44/H44.2/inputs?period=2026", json=body, headers=province
    )

    assert linked.json()["changed"] == ["evidence/published"]
    card = client.get(f"{SHEET}?period=2026", headers=unit).json()
    assert card["nodes"][1]["evidence"] == body["evidence"]["published"]
    assert unheld.json()["errors"][0]["code"] == "evidence.not_held"


def test_another_unit_does_not_find_the_rounds(
    client: TestClient, province: dict[str, str], make_key: MakeKey
) -> None:
    assert province
    sister = as_key(make_key(unit="H44.2"))

    assert client.get(f"{SHEET}/rounds?period=2026", headers=sister).status_code == 404
    assert post(client, sister, round="self").json()["code"] == "unit.unknown"
