"""Successions through the door: previewed, told, read back, taken back."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

MERGER: dict[str, Any] = {
    "kind": "merger",
    "effective_on": "2026-07-01",
    "successors": ["H44.101"],
    "document": "Nghị quyết 1",
}
UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Xã A", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "Xã B", "level": "commune", "parent": "H44"},
    {"code": "H15", "name": "Tỉnh Đắk Lắk", "level": "province"},
]
JUNE_TO_JULY = "from=2026-06-01&to=2026-07-31"


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> dict[str, str]:
    """Give a key of a province with two communes, one of which holds two dossiers."""
    whole = as_key(make_key())
    answer = client.post("/v1/units/batch", json={"units": UNITS}, headers=whole)
    assert answer.status_code == 200, answer.text
    headers = as_key(make_key(unit="H44"))
    for code, more in {
        "OPEN": {"status": "processing"},
        "DONE": {"status": "finished", "finished_at": "2026-06-20T09:00:00+07:00"},
    }.items():
        told = {
            "unit": "H44.100",
            "procedure": "1.001193",
            "received_at": "2026-06-15T09:00:00+07:00",
            "source_updated_at": "2026-06-21T09:00:00+07:00",
            **more,
        }
        sent = client.put(f"/v1/dossiers/{code}", json=told, headers=headers)
        assert sent.status_code == 201, sent.text
    return headers


def rows(client: TestClient, key: dict[str, str], units: str) -> dict[str, dict[str, Any]]:
    """Return the rows of the statistics by unit."""
    address = f"/v1/statistics?unit=H44&{JUNE_TO_JULY}&group_by=unit&units={units}&links=true"
    answer = client.get(address, headers=key)
    assert answer.status_code == 200, answer.text
    return {row["unit"]: row for row in answer.json()["rows"]}


def test_a_preview_counts_and_a_succession_moves(client: TestClient, key: dict[str, str]) -> None:
    door = "/v1/units/H44.100/succession"

    previewed = client.post(f"{door}?dry_run=true", json=MERGER, headers=key)
    told = client.post(door, json=MERGER, headers=key)
    again = client.post(door, json=MERGER, headers=key)

    assert previewed.status_code == told.status_code == again.status_code == 200, told.text
    assert previewed.json()["applied"] is False
    for answer in (previewed, told):
        assert answer.json()["dossiers"] == {"open": 1, "awaiting": 0, "since": 0, "restated": 1}
    moved = client.get("/v1/dossiers/OPEN", headers=key).json()
    kept = client.get("/v1/dossiers/DONE", headers=key).json()
    assert (moved["unit"], kept["unit"]) == ("H44.101", "H44.100")


def test_figures_are_told_by_the_units_of_the_time_or_of_today_with_lists_as_long(
    client: TestClient, key: dict[str, str]
) -> None:
    client.post("/v1/units/H44.100/succession", json=MERGER, headers=key)

    was, now = rows(client, key, "as_was"), rows(client, key, "as_now")

    assert {unit: row["counts"]["received"] for unit, row in was.items()} == {
        "H44.100": 2,
        "H44.101": 0,
    }
    assert was["H44.101"]["counts"]["transferred_in"] == 1
    assert {unit: row["counts"]["received"] for unit, row in now.items()} == {"H44.101": 2}
    assert now["H44.101"]["counts"]["transferred_in"] == 0
    for figures in (was, now):
        for row in figures.values():
            for count, address in row["links"].items():
                behind = client.get(address, headers=key)
                assert len(behind.json()["dossiers"]) == row["counts"][count], address


def test_both_units_say_so(client: TestClient, key: dict[str, str]) -> None:
    client.post("/v1/units/H44.100/succession", json=MERGER, headers=key)

    old, new = (
        client.get(f"/v1/units/{code}", headers=key).json() for code in ("H44.100", "H44.101")
    )

    assert old["valid_to"] == "2026-06-30"
    assert old["succession"] == {
        "kind": "merger",
        "effective_on": "2026-07-01",
        "successors": ["H44.101"],
        "continuing": "H44.101",
        "document": "Nghị quyết 1",
    }
    assert (new["succession"], new["predecessors"]) == (None, ["H44.100"])


def test_units_are_listed_as_they_are_valid_on_a_day(
    client: TestClient, key: dict[str, str]
) -> None:
    client.post("/v1/units/H44.100/succession", json=MERGER, headers=key)

    listed = {
        day: [one["code"] for one in client.get(f"/v1/units?on={day}", headers=key).json()["units"]]
        for day in ("2026-06-30", "2026-07-01")
    }

    assert listed == {
        "2026-06-30": ["H44", "H44.100", "H44.101"],
        "2026-07-01": ["H44", "H44.101"],
    }


def test_a_succession_is_taken_back(client: TestClient, key: dict[str, str]) -> None:
    client.post("/v1/units/H44.100/succession", json=MERGER, headers=key)
    door = "/v1/units/H44.100/succession/reversal"

    answer = client.post(door, json={"document": "Đính chính"}, headers=key)
    again = client.post(door, json={"document": "Đính chính"}, headers=key)

    assert answer.json() == {"unit": "H44.100", "restated": 1}
    assert (again.status_code, again.json()["code"]) == (404, "succession.unknown")
    now = rows(client, key, "as_now")
    assert now["H44.100"]["counts"]["open_no_due"] == 1
    assert client.get("/v1/dossiers/OPEN", headers=key).json()["unit"] == "H44.100"


def test_a_key_tells_successions_of_its_own_units_only(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    elsewhere = as_key(make_key(unit="H15"))
    commune = as_key(make_key(unit="H44.100"))

    outside = client.post("/v1/units/H44.100/succession", json=MERGER, headers=elsewhere)
    above = client.post("/v1/units/H44.100/succession", json=MERGER, headers=commune)
    back = client.post(
        "/v1/units/H44.100/succession/reversal", json={"document": "x"}, headers=elsewhere
    )

    assert [one.json()["code"] for one in (outside, above, back)] == [
        "unit.unknown",
        "succession.successor_unknown",
        "unit.unknown",
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"effective_on": "2026-12-01"}, "succession.in_future"),
        ({"successors": []}, "succession.successors_mismatch"),
        ({"successors": ["H44.999"]}, "succession.successor_unknown"),
        ({"successors": ["H44.100"]}, "succession.successors_mismatch"),
        ({"kind": "sold"}, "field.not_allowed"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    client: TestClient, key: dict[str, str], change: dict[str, Any], code: str
) -> None:
    answer = client.post("/v1/units/H44.100/succession", json=MERGER | change, headers=key)

    assert answer.status_code == 422
    told = answer.json()
    assert code in {told["code"], *(one.get("code") for one in told.get("errors", ()))}
    assert told["detail"]


def test_the_successor_may_use_the_old_code(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    client.post("/v1/units/H44.100/succession", json=MERGER, headers=key)
    successor = as_key(make_key(unit="H44.101", source="khac"))
    told = {
        "unit": "H44.100",
        "procedure": "1.001193",
        "status": "processing",
        "received_at": "2026-07-15T09:00:00+07:00",
        "source_updated_at": "2026-07-15T09:00:00+07:00",
    }

    sent = client.put("/v1/dossiers/NEW", json=told, headers=successor)

    assert sent.status_code == 201, sent.text
    found = client.get("/v1/dossiers/NEW", headers=successor).json()
    assert found["unit"] == "H44.101"


def test_a_unit_tells_since_when_it_stands_below_its_parent(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    whole = as_key(make_key())
    district = {"name": "Huyện C", "level": "district", "parent": "H44"}
    client.put("/v1/units/H44.C", json=district, headers=key)
    moved = {"name": "Xã A", "level": "commune", "parent": "H44.C", "parent_since": "2026-07-01"}

    answer = client.put("/v1/units/H44.100", json=moved, headers=key)
    ahead = client.put(
        "/v1/units/H44.100", json=moved | {"parent_since": "2027-01-01"}, headers=key
    )

    assert answer.json()["parent_since"] == "2026-07-01"
    assert ahead.json()["code"] == "unit.parent_in_future"
    counted = {}
    for month in ("06", "07"):
        address = f"/v1/statistics?unit=H44.C&from=2026-{month}-01&to=2026-{month}-30&units=as_was"
        answer = client.get(address, headers=whole)
        counted[month] = answer.json()["total"]["counts"]["open_no_due"]
    assert counted == {"06": 0, "07": 1}
