"""Previews of changed rules: who moves, counted for all and shown for one's own."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key

LIMIT = {"valid_from": "2020-01-01", "kind": "working_days", "value": 5}


@pytest.fixture(autouse=True)
def provinces(client: TestClient, make_key: MakeKey, clock: HandClock) -> None:
    """Give two provinces with an open dossier each, due after five working days; an hour ago."""
    key = as_key(make_key())
    told: dict[str, Any] = {"name": "Thủ tục", "limits": [LIMIT]}
    client.put("/v1/procedures/P", json=told, headers=key)
    for unit in ("H44", "H56"):
        client.put(f"/v1/units/{unit}", json={"name": unit, "level": "province"}, headers=key)
        record = {"unit": unit, "procedure": "P", "received_at": "2026-08-07T09:00:00+07:00"}
        client.put(f"/v1/dossiers/HS-{unit}", json=record, headers=key)
    clock.advance(timedelta(hours=1))


def test_changed_limits_are_shown_before_they_are_saved(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key())
    told = {"name": "Thủ tục", "limits": [LIMIT | {"value": 7}]}

    found = client.post("/v1/procedures/P/preview", json=told, headers=key).json()
    after = client.get("/v1/dossiers/HS-H44", headers=key).json()

    assert (found["looked_at"], found["moves"], found["flips"]) == (2, 2, 0)
    assert {one["code"] for one in found["dossiers"]} == {"HS-H44", "HS-H56"}
    assert found["dossiers"][0]["due_on"] == "2026-08-18"
    assert after["readings"]["promised"]["due_on"] == "2026-08-14"


def test_dossiers_of_others_are_counted_and_not_shown(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key(unit="H44"))
    closure = {"exceptions": [{"date": "2026-08-10", "kind": "off"}], "document": "12/CĐ"}

    found = client.post("/v1/calendars/vn/preview", json=closure, headers=key).json()

    assert found["moves"] == 2
    assert [one["code"] for one in found["dossiers"]] == ["HS-H44"]
