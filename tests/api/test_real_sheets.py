"""Worked examples of the texts and published totals, through the doors, to the cent."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store.session import Database
from tests.api.conftest import MakeKey, as_key
from tests.factories import make_unit
from tests.score_sheets import told

CASES = [
    (3, 5, 0, 0, 0),
    (5, 5, 0, 0, 0),
    (7, 5, 1, 1, 0),
    (2, 5, 0, 0, 0),
    (4, 5, 2, 1, 1),
    (1, 1, 0, 0, 0),
    (10, 15, 0, 0, 0),
]
DOSSIERS: list[dict[str, object]] = [
    {
        "days_used": used,
        "days_allowed": allowed,
        "contacts_not_applicant_fault": contacts,
        "bodies_contacted": bodies,
        "only_one_stop": 1,
        "founded_complaints": complaints,
    }
    for used, allowed, contacts, bodies, complaints in CASES
]
LEGS: list[dict[str, object]] = [
    {"days_used": used, "days_allowed": allowed} for used, allowed, *_ in [*CASES, *CASES[:2]]
]
ONE_STOP: dict[str, object] = {
    "dossiers_ended": DOSSIERS,
    "legs_ended": LEGS,
    "on_spot_share": "0.6",
    "received_at_one_stop_share": 1,
    "posted_ok": True,
    "online_ok": True,
    "petitions": 11,
    "petitions_on_time": 10,
    "prolonged": 0,
    "online_late": 0,
    "online_share": "0.42",
    "online_procedures": 25,
    "online_procedures_share": "0.25",
}
COMMUNE: dict[str, object] = {
    "population": 18_500,
    "mountain": 0,
    "area": "41.7",
    "self_balanced": 0,
    "own_revenue_pct": "47.35",
    "industry_services_pct": "63.2",
    "non_farm_pct": 58,
    "poor_pct": "3.1",
    "clean_water_pct": 92,
    "full_online_pct": "62.3",
    "signed_out_pct": "99.5",
    "minority_pct": 34,
    "land_border": 0,
    "heritage": 0,
    "safe_zone": 1,
    "population_pct_of_standard": 110,
    "area_pct_of_standard": 40,
    "role": "CLUSTER_CENTRE",
}
NAM_DINH = """\
schema: dunghan-score/1
id: nam-dinh.2020
title: {vi: "Nam Định 2020", en: "Nam Dinh 2020"}
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


@pytest.fixture
def key(database: Database, make_key: MakeKey) -> dict[str, str]:
    with database.begin() as session:
        make_unit(session, "H44.1", parent=make_unit(session, "H44"))
    return as_key(make_key(unit="H44"))


def put(
    client: TestClient, key: dict[str, str], sheet: str, values: dict[str, object], period: str
) -> None:
    path = f"/v1/scorecards/{sheet}/inputs?period={period}"
    answer = client.put(path, json=told(values), headers=key)
    assert answer.status_code == 200, answer.text


def read(client: TestClient, key: dict[str, str], sheet: str, period: str) -> Any:
    answer = client.get(f"/v1/scorecards/{sheet}?period={period}", headers=key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_one_stop_shop_of_2018_has_13_2_and_its_official_7_2(
    client: TestClient, key: dict[str, str]
) -> None:
    put(client, key, "tt01-2018.unit/H44.1", ONE_STOP, "2025-Q1")

    card = read(client, key, "tt01-2018.unit/H44.1", "2025-Q1")

    assert [line["score"] for line in card["nodes"]] == [
        "1.4", "1.4", "1.6", "1.7", "1.0", "2.0", "1.1", "1.0", "2.0",
    ]  # fmt: skip
    assert (card["total"], card["class"]) == ("13.2", "Tốt")
    (official,) = card["derived"]
    assert (official["score"], official["class"]) == ("7.2", "Hoàn thành 100 % nhiệm vụ")
    assert card["nodes"][0]["inputs"]["dossiers_ended"]["cases"] == 7


def test_the_commune_of_decree_307_is_two_hundredths_short_of_class_2(
    client: TestClient, key: dict[str, str]
) -> None:
    sheet = "nd307-2025.xa/H44.1"
    put(client, key, sheet, COMMUNE, "2025")
    waiting = read(client, key, sheet, "2025")
    put(client, key, "nd307-2025.xa/H44", {"peer.province_mean": "60.1"}, "2025")

    card = read(client, key, sheet, "2025")
    lifted = client.post(
        f"/v1/scorecards/{sheet}/what-if?period=2025",
        json={"inputs": {"full_online_pct": "62.34"}},
        headers=key,
    ).json()

    assert [one["input"] for one in waiting["missing"]] == ["peer.province_mean"]
    assert (card["total"], card["bonus"]["score"], card["class"]) == ("56.98", "3", "Loại III")
    assert card["next_class"] == {"label": "Loại II", "points": "0.02"}
    online = next(line for line in card["nodes"] if line["id"] == "3e")
    assert online["inputs"]["peer.province_mean"]["from"] == "H44"
    assert lifted["then"]["class"] == "Loại II"


@pytest.mark.parametrize(("earned", "published"), [("62.62", "89.45"), ("61.46", "87.80")])
def test_nam_dinh_cuts_what_it_publishes(
    client: TestClient, key: dict[str, str], earned: str, published: str
) -> None:
    headers = key | {"Content-Type": "application/yaml"}
    made = client.put("/v1/rule-sets/nam-dinh.2020", content=NAM_DINH.encode(), headers=headers)
    assert made.status_code == 201, made.text
    put(client, key, "nam-dinh.2020/H44.1", {"sheet": earned}, "2020")

    card = read(client, key, "nam-dinh.2020/H44.1", "2020")

    assert (card["total"], card["status"]) == (published, "complete")


def test_a_template_says_that_nobody_confirmed_it_until_somebody_has(
    client: TestClient, key: dict[str, str]
) -> None:
    before = read(client, key, "par-tthc.template/H44.1", "2026")
    numbers = client.get("/v1/rule-sets/par-tthc.template", headers=key).json()["numbers"]
    body = {
        "person": "Nguyễn Thị An",
        "document": "876/QĐ-UBND",
        "paths": [one["path"] for one in numbers],
    }
    path = "/v1/rule-sets/par-tthc.template/confirmations"
    assert client.post(path, json=body, headers=key).json()["is_confirmed"] is True

    after = read(client, key, "par-tthc.template/H44.1", "2026")

    assert (before["confirmed"], before["notice"]) == (False, "chưa xác nhận")
    assert (after["confirmed"], after["notice"]) == (True, None)
    assert before["hash"] != after["hash"]
