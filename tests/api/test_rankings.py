"""Rankings over HTTP: places, reasons with their lists, marks, and another period."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.rankings import UnitRankedOut, UnitsRankedOut
from tests.api.conftest import HandClock, MakeKey, as_key
from tests.api.test_periods import close, key, tell
from tests.api.test_statistics import at, dossier, finished, listed

__all__ = ["key"]
JULY = {"unit": "H44", "from": "2026-07-01", "to": "2026-07-31"}


def rank(client: TestClient, key: str, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/rankings", params=JULY | query, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_children_are_ranked_with_reasons_that_open_their_lists(
    client: TestClient, key: str
) -> None:
    body = rank(client, key)

    assert (body["definition"], body["better"]) == ("on_time_of_finished@1", "higher")
    assert [row["unit"] for row in body["rows"]] == ["H44.01", "H44.100"]
    assert [row["place"] for row in body["rows"]] == [1, 2]
    assert [(row["unit"], row["hidden"]) for row in body["hidden"]] == [("H44.101", "empty")]
    (reason,) = body["rows"][1]["reasons"]
    assert reason["count"] == "finished_late"
    assert len(list(listed(client, key, reason["dossiers"]))) == reason["number"] > 0
    assert body["rows"][0]["data"] == {"sufficient": True, "since": None, "sources": []}
    assert body["rows"][0]["delta"] is None


@pytest.mark.parametrize(
    "more", [{}, {"against_from": "2026-06-01", "against_to": "2026-06-30"}, {"units": "as_was"}]
)
def test_a_ranking_written_by_hand_is_what_its_model_says(
    client: TestClient, key: str, more: dict[str, str]
) -> None:
    body = rank(client, key, **more)

    read = UnitsRankedOut.model_validate(body)
    assert read.model_dump(mode="json", exclude_unset=True) == body
    assert all(row.model_fields_set == set(UnitRankedOut.model_fields) for row in read.rows)
    assert all(row.model_fields_set == set(UnitRankedOut.model_fields) for row in read.hidden)


def test_units_below_a_minimum_stand_apart(client: TestClient, key: str) -> None:
    body = rank(client, key, minimum="5")

    assert [row["unit"] for row in body["rows"]] == ["H44.100"]
    assert {row["unit"]: row["hidden"] for row in body["hidden"]} == {
        "H44.01": "below_minimum",
        "H44.101": "empty",
    }


def test_the_units_of_the_time_are_named_with_the_day_of_their_tree(
    client: TestClient, key: str
) -> None:
    body = rank(client, key, units="as_was", units_on="2026-07-15")

    assert (body["units"], body["units_on"]) == ("as_was", "2026-07-15")
    assert "units_on=2026-07-15" in body["rows"][0]["dossiers"]
    assert rank(client, key)["units"] == "as_now"


def test_units_of_a_level_are_ranked_within_their_parent(client: TestClient, key: str) -> None:
    body = rank(client, key, level="commune", within="parent", definition="on_time_of_received")

    assert {row["parent"] for row in body["rows"]} == {"H44"}
    assert {row["unit"] for row in (*body["rows"], *body["hidden"])} == {"H44.100", "H44.101"}


def test_a_closed_period_is_ranked_and_compared_with_what_it_would_be_now(
    client: TestClient, key: str, clock: HandClock
) -> None:
    closed = close(client, key)
    first = client.get(
        "/v1/rankings", params={"unit": "H44", "period": closed["id"]}, headers=as_key(key)
    )
    clock.advance(timedelta(days=1))
    tell(client, key, *(dossier(60 + n, unit="H44.01", **finished(20)) for n in range(3)))

    again = client.get(
        "/v1/rankings", params={"unit": "H44", "period": closed["id"]}, headers=as_key(key)
    )
    now = rank(client, key, against=closed["id"])

    assert first.status_code == 200, first.text
    assert again.content == first.content
    assert first.json()["period"] == closed["id"]
    changed = {row["unit"]: row["delta"] for row in now["rows"]}
    assert changed["H44.01"]["comparable"]
    assert float(changed["H44.01"]["points"]) < 0
    assert changed["H44.01"]["rate_before"]["percent"] == "100.00"
    assert changed["H44.100"]["points"] == "0.00"


def test_the_tag_stays_while_the_places_do(client: TestClient, key: str, clock: HandClock) -> None:
    first = client.get("/v1/rankings", params=JULY, headers=as_key(key))
    clock.advance(timedelta(hours=1))
    tag = {"If-None-Match": first.headers["etag"]}

    again = client.get("/v1/rankings", params=JULY, headers=as_key(key, **tag))

    assert again.status_code == 304


def test_a_unit_whose_sender_fell_silent_is_marked(
    client: TestClient, key: str, clock: HandClock
) -> None:
    clock.now = clock.now.replace(month=10)
    for day in range(5, 9):
        clock.now = clock.now.replace(day=day)
        told = dossier(50 + day, unit="H44.101", received_at=at(day, month=10))
        tell(client, key, told)
    clock.now = clock.now.replace(month=10, day=28)
    october = {"from": "2026-10-01", "to": "2026-10-31"}

    ranked = rank(client, key, definition="online_share", **october)
    statistics = client.get(
        "/v1/statistics",
        params={"unit": "H44", "group_by": "child", **october},
        headers=as_key(key),
    ).json()
    trend = client.get(
        "/v1/trends", params={"unit": "H44.101", **october, "step": "day"}, headers=as_key(key)
    ).json()

    silent = {"sufficient": False, "since": "2026-10-08", "sources": ["test"]}
    rows = {row["unit"]: row["data"] for row in (*ranked["rows"], *ranked["hidden"])}
    assert rows["H44.101"] == silent
    assert {row["child"]: row["data"] for row in statistics["rows"]}["H44.101"] == silent
    assert not statistics["total"]["data"]["sufficient"]
    marks = [point["data"]["sufficient"] for point in trend["lines"][0]["points"]]
    assert marks == [True] * 8 + [False] * 20 + [True] * 3
    july = rank(client, key)
    assert all(row["data"]["sufficient"] for row in july["rows"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"to": ""}, 422, "field.not_day"),
        ({"against_from": "2026-06-01"}, 422, "ranking.side_unclear"),
        ({"period": "6c1d4a7e-2f0b-4f0a-9d3a-7b1f5a0c9e21"}, 422, "ranking.side_unclear"),
        ({"against": "6c1d4a7e-2f0b-4f0a-9d3a-7b1f5a0c9e21"}, 404, "period.unknown"),
        ({"definition": "luck"}, 404, "definition.unknown"),
        ({"unit": "H15"}, 404, "unit.unknown"),
    ],
)
def test_a_ranking_that_cannot_be_made_is_refused(
    client: TestClient, key: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = client.get("/v1/rankings", params=JULY | query, headers=as_key(key))

    found = answer.json()
    codes = {found["code"], *(one["code"] for one in found.get("errors", ()))}
    assert (answer.status_code, code in codes) == (status, True), answer.text


def test_days_are_needed(client: TestClient, key: str, make_key: MakeKey) -> None:
    answer = client.get("/v1/rankings", params={"unit": "H44"}, headers=as_key(key))

    assert answer.json()["code"] == "ranking.side_unclear"
    other = make_key(["dossiers:read"], unit="H44")
    refused = client.get("/v1/rankings", params=JULY, headers=as_key(other))
    assert refused.status_code == 403
