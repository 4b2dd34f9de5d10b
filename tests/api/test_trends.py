"""Trends over HTTP: points with their counts and rates, gaps and the year before."""

from datetime import timedelta

from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, as_key
from tests.api.test_periods import key, tell
from tests.api.test_statistics import dossier

__all__ = ["key"]
YEAR = {"unit": "H44", "from": "2026-01-01", "to": "2026-12-31"}


def test_a_line_has_a_point_for_each_part(client: TestClient, key: str) -> None:
    answer = client.get("/v1/trends", params=YEAR, headers=as_key(key))

    body = answer.json()
    assert answer.status_code == 200, answer.text
    (line,) = body["lines"]
    points = {point["label"]: point for point in line["points"]}
    assert len(points) == 12
    july = points["2026-07"]
    assert july["over"]
    assert set(july["counts"]) == {"received", "finished_late", "open_overdue"}
    assert july["rate"]["definition"] == "on_time_of_finished@1"
    assert july["rate"]["percent"] is not None
    assert points["2026-01"]["rate"]["percent"] is None
    assert points["2026-12"]["counts"] is None
    assert not points["2026-08"]["over"]
    assert july["year_before"]["from"] == "2025-07-01"
    assert july["year_before"]["points"] is None


def test_each_child_has_a_line_of_the_counts_asked_for(client: TestClient, key: str) -> None:
    asked = YEAR | {"lines": "children", "counts": "received", "year_before": "false"}

    body = client.get("/v1/trends", params=asked, headers=as_key(key)).json()

    units = [line["unit"] for line in body["lines"]]
    assert units[0] is None
    assert {"H44.01", "H44.100", "H44.101"} <= set(units)
    assert {tuple(point["counts"]) for point in body["lines"][1]["points"] if point["counts"]} == {
        ("received",)
    }
    assert {point["year_before"] for point in body["lines"][1]["points"]} == {None}


def test_a_trend_is_told_by_the_units_of_the_time_too(client: TestClient, key: str) -> None:
    now, was = (
        client.get("/v1/trends", params=YEAR | {"units": way}, headers=as_key(key)).json()
        for way in ("as_now", "as_was")
    )

    assert (now["units"], was["units"]) == ("as_now", "as_was")
    assert now["lines"] == was["lines"]


def test_the_tag_stays_while_the_numbers_do(client: TestClient, key: str, clock: HandClock) -> None:
    first = client.get("/v1/trends", params=YEAR, headers=as_key(key))
    tag = {"If-None-Match": first.headers["etag"]}
    clock.advance(timedelta(minutes=5))

    again = client.get("/v1/trends", params=YEAR, headers=as_key(key, **tag))
    tell(client, key, dossier(70))
    after = client.get("/v1/trends", params=YEAR, headers=as_key(key, **tag))

    assert (again.status_code, after.status_code) == (304, 200)


def test_an_unknown_count_is_refused(client: TestClient, key: str) -> None:
    answer = client.get("/v1/trends", params=YEAR | {"counts": "luck"}, headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (422, "statistics.count_unknown")
