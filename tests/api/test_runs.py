"""Runs and alerts they raise, through the doors."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from app.deps import Installation
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.factories import add_dossier, make_source, make_unit


@pytest.fixture
def key(make_key: MakeKey, installation: Installation) -> dict[str, str]:
    with installation.database.begin() as session:
        commune = make_unit(session, "H44.100", parent=make_unit(session))
        add_dossier(session, commune, make_source(session), "A", due_on="2026-08-06")
    return as_key(make_key(unit="H44"))


def test_a_night_done_by_hand_tells_what_it_found_and_twice_is_as_once(
    client: TestClient, key: dict[str, str]
) -> None:
    first = client.post("/v1/runs", json={"as_of": "2026-08-07"}, headers=key)
    second = client.post("/v1/runs", json={"job": "nightly", "as_of": "2026-08-07"}, headers=key)

    assert first.status_code == 200
    assert (first.json()["slot"], first.json()["state"]) == ("2026-08-07", "done")
    assert first.json()["as_of"] == "2026-08-06T18:00:00Z"
    assert first.json()["found"]["raised"] == second.json()["found"]["raised"] == 1
    assert second.json()["takeovers"] == 1
    assert len(client.get("/v1/alerts", headers=key).json()["alerts"]) == 1


def test_runs_are_listed_newest_first_in_pages(client: TestClient, key: dict[str, str]) -> None:
    for day in (5, 7, 6):
        client.post("/v1/runs", json={"as_of": f"2026-08-0{day}"}, headers=key)

    first = client.get("/v1/runs?limit=2&job=nightly", headers=key).json()
    rest = client.get(
        "/v1/runs",
        params={"limit": 2, "job": "nightly", "cursor": first["next_cursor"]},
        headers=key,
    ).json()

    assert [run["slot"][-1] for run in first["runs"] + rest["runs"]] == ["7", "6", "5"]
    assert [run["is_catch_up"] for run in first["runs"]] == [True, True]
    told = {name: first[name] for name in ("last_done", "expected", "waiting")}
    assert told == {"last_done": "2026-08-07", "expected": "2026-08-10", "waiting": 0}
    assert (
        first["lag_seconds"] == timedelta(days=2, hours=7).total_seconds()
    )  # since that of the 8th


def test_tomorrow_is_not_guessed(client: TestClient, key: dict[str, str], clock: HandClock) -> None:
    day = (clock() + timedelta(days=2)).date().isoformat()

    answer = client.post("/v1/runs", json={"as_of": day}, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "run.night_to_come")


def test_reading_and_doing_need_their_scopes(
    client: TestClient, make_key: MakeKey, key: dict[str, str]
) -> None:
    reader = as_key(make_key(scopes=["dossiers:read"]))
    told = {"as_of": "2026-08-07"}

    assert client.get("/v1/runs", headers=reader).status_code == 200
    assert client.post("/v1/runs", json=told, headers=reader).status_code == 403
