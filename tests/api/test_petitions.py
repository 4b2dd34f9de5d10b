"""Petitions told over HTTP: only days, judged by their limits, counted by unit."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.petitions import EXAMPLE

SPAN = {"unit": "H44", "from": "2026-07-01", "to": "2026-07-31"}


def entry(**changed: object) -> dict[str, Any]:
    return {**EXAMPLE, "unit": "H44.1", "procedure": None, **changed}


def put(client: TestClient, sender: dict[str, str], *entries: dict[str, Any]) -> Any:
    return client.put("/v1/petitions", json={"petitions": entries}, headers=sender)


def test_a_petition_shows_its_state_and_the_last_day_of_each_step(
    client: TestClient, sender: dict[str, str]
) -> None:
    assert put(client, sender, entry()).json()["petitions"][0]["verdict"] == "created"

    (seen,) = client.get("/v1/petitions", headers=sender).json()["petitions"]

    assert seen["state"] == "answered_on_time"
    assert seen["due"] == {
        "refuse_by": "2026-07-08",
        "request_by": "2026-07-13",
        "answer_by": "2026-07-27",
        "publish_by": "2026-07-22",
    }


def test_petitions_are_counted_over_a_period(client: TestClient, sender: dict[str, str]) -> None:
    put(
        client,
        sender,
        entry(),
        entry(code="2", answered_on="2026-07-28", published_on=None, satisfied=False),
        entry(code="3", answered_on=None, published_on=None, satisfied=None),
        entry(code="4", received_on="2026-06-01", answered_on="2026-06-10", published_on=None),
    )

    found = client.get("/v1/petitions/counts", params=SPAN, headers=sender).json()

    assert found["total"] == {
        "petitions_received": 3,
        "petitions_judged": 3,
        "petitions_on_time": 1,
        "petitions_open": 1,
        "petitions_rated": 2,
        "petitions_satisfied": 1,
        "petitions_answered": 2,
        "petitions_published_on_time": 1,
    }
    assert [row["unit"] for row in found["rows"]] == ["H44.1"]


def test_a_list_can_show_those_that_are_overdue_only(
    client: TestClient, sender: dict[str, str]
) -> None:
    late = entry(code="2", answered_on=None, published_on=None, satisfied=None)
    put(client, sender, entry(), late)

    query = {"state": "overdue", "on": "2026-07-28"}
    found = client.get("/v1/petitions", params=query, headers=sender).json()

    assert [one["code"] for one in found["petitions"]] == ["2"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"refused_on": "2026-07-07"}, "petition.ends_twice"),
        ({"answered_on": "2026-07-01"}, "petition.out_of_order"),
        ({"answered_on": None}, "petition.out_of_order"),
        ({"content": "nội dung"}, "field.unknown"),
    ],
)
def test_what_cannot_be_is_refused_in_its_place(
    client: TestClient, sender: dict[str, str], changed: dict[str, Any], code: str
) -> None:
    answer = put(client, sender, entry(**changed))

    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["code"] == code
    assert error["pointer"].startswith("/petitions/0")
