"""Mutes, and taking note for a reason, through their doors."""

from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key
from tests.api.test_alerts import key  # noqa: F401 -- a fixture

UNTIL = "2026-08-12T00:00:00+07:00"


def test_an_alert_is_muted_shown_as_such_and_heard_again(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
    make_key: MakeKey,
) -> None:
    body = {"code": "C", "reason": "waiting_agency", "until": UNTIL}
    made = client.post("/v1/mutes", json=body, headers=key)

    assert made.status_code == 201, made.text
    muted = client.get("/v1/alerts?unit=H44.200", headers=key).json()["alerts"]
    assert {one["muted_until"] for one in muted} == {"2026-08-11T17:00:00Z"}
    others = client.get("/v1/alerts?unit=H44.100", headers=key).json()["alerts"]
    assert {one["muted_until"] for one in others} == {None}
    late = client.get("/v1/overdue", headers=key).json()
    assert late["total"] == 3
    beside = as_key(make_key(unit="H44.100"))
    path = f"/v1/mutes/{made.json()['id']}"
    assert client.delete(path, headers=beside).json()["code"] == "mute.unknown"
    lifted = client.delete(path, headers=key).json()
    assert lifted["lifted_at"] == "2026-08-10T01:00:00Z"
    assert client.get("/v1/mutes?live=true", headers=key).json()["mutes"] == []
    assert client.get("/v1/mutes", headers=key).json()["mutes"] == [lifted]
    again = client.get("/v1/alerts?unit=H44.200", headers=key).json()["alerts"]
    assert {one["muted_until"] for one in again} == {None}


def test_a_mute_without_an_end_or_a_reason_is_refused(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
) -> None:
    good = {"unit": "H44", "reason": "other", "until": UNTIL}
    bad = [{name: value for name, value in good.items() if name != missing} for missing in good]
    bad += [{**good, "until": "2027-08-12T00:00:00+07:00"}, {**good, "reason": "because"}]
    bad += [{**good, "stage": "overdue"}]

    answers = [client.post("/v1/mutes", json=body, headers=key).status_code for body in bad]

    assert answers == [422] * len(bad)


def test_an_alert_is_taken_note_of_for_a_reason(
    client: TestClient,
    key: dict[str, str],  # noqa: F811 -- the fixture
) -> None:
    alert = client.get("/v1/alerts?unit=H44.200", headers=key).json()["alerts"][0]
    path = f"/v1/alerts/{alert['id']}/acknowledge"

    first = client.post(f"{path}?reason=wrong_data", headers=key).json()
    second = client.post(f"{path}?reason=other", headers=key).json()

    assert first["acknowledged_reason"] == "wrong_data"
    assert second == first
