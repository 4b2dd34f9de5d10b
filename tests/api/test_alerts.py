"""Alerts through their doors."""

from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import MakeKey, as_key
from tests.factories import add_dossier, make_source, make_unit


@pytest.fixture
def key(make_key: MakeKey, installation: Installation, client: TestClient) -> dict[str, str]:
    with installation.database.begin() as session:
        province = make_unit(session)
        commune, other = (make_unit(session, f"H44.{n}00", parent=province) for n in (1, 2))
        source_id = make_source(session)
        for code in "AB":
            add_dossier(session, commune, source_id, code, due_on="2026-08-06")
        add_dossier(session, other, source_id, "C", due_on="2026-08-06")
    made = as_key(make_key(unit="H44"))
    hook = {"url": "https://receiver.example/", "unit": "H44"}
    assert client.post("/v1/webhooks", json=hook, headers=made).status_code == 201
    run = client.post("/v1/runs", json={"as_of": "2026-08-07"}, headers=made)
    assert run.json()["found"]["raised"] == 3
    return made


def test_an_alert_tells_when_the_stage_came_and_who_was_told(
    client: TestClient, key: dict[str, str]
) -> None:
    answer = client.get("/v1/alerts?unit=H44.200", headers=key).json()

    (alert,) = answer["alerts"]
    assert answer["next_cursor"] is None
    assert (alert["code"], alert["unit"], alert["episode"]) == ("C", "H44.200", 1)
    assert (alert["stage"], alert["run"]) == ("overdue+1", "2026-08-07")
    assert alert["occurred_at"] == alert["late_since"] == "2026-08-06T17:00:00Z"
    assert alert["raised_at"] == "2026-08-10T01:00:00Z"
    assert [to.partition(":")[0] for to in alert["recipients"]] == ["webhook"]


def test_alerts_are_filtered_and_paged(client: TestClient, key: dict[str, str]) -> None:
    first = client.get("/v1/alerts?limit=2", headers=key).json()
    rest = client.get(
        "/v1/alerts", params={"limit": 2, "cursor": first["next_cursor"]}, headers=key
    )

    assert {each["code"] for each in first["alerts"] + rest.json()["alerts"]} == set("ABC")
    none = client.get("/v1/alerts", params={"stage": "due"}, headers=key).json()
    assert none["alerts"] == []
    later = client.get("/v1/alerts", params={"since": "2026-08-11T00:00:00Z"}, headers=key).json()
    assert later["alerts"] == []


def test_the_first_acknowledgement_stays(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    alert = client.get("/v1/alerts?unit=H44.200", headers=key).json()["alerts"][0]
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    other = as_key(make_key(unit="H44.200"))

    first = client.post(path, headers=other).json()
    second = client.post(path, headers=key).json()

    assert first["acknowledged_at"] == "2026-08-10T01:00:00Z"
    assert first["acknowledged_by"].startswith("key:dh_test_")
    assert second == first


def test_another_subtree_s_alert_does_not_exist(
    client: TestClient, key: dict[str, str], make_key: MakeKey
) -> None:
    alert = client.get("/v1/alerts?unit=H44.200", headers=key).json()["alerts"][0]
    sibling = as_key(make_key(unit="H44.100"))

    hidden = client.post(f"/v1/alerts/{alert['id']}/acknowledge", headers=sibling)
    unknown = client.post(f"/v1/alerts/{uuid4()}/acknowledge", headers=key)

    assert [answer.status_code for answer in (hidden, unknown)] == [404, 404]
    assert hidden.json()["code"] == "alert.unknown"
    assert len(client.get("/v1/alerts", headers=sibling).json()["alerts"]) == 2
