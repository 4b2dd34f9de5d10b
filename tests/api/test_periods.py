"""Closed periods over HTTP: closed once, by whom it may, read alike for ever."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.api.test_statistics import (
    PROCEDURES,
    UNITS,
    at,
    dossier,
    finished,
    listed,
    tell_every_kind,
)

SETTLED = dossier(11, unit="H44.101", due_at=at(5, 17, month=8), **finished(20))
JULY = {"unit": "H44", "kind": "month", "label": "2026-07"}


@pytest.fixture
def key(client: TestClient, make_key: MakeKey, clock: HandClock) -> str:
    """Give the key of a province that was told a dossier of every kind."""
    whole = as_key(make_key())
    for path, name, told in (
        ("/v1/units/batch", "units", UNITS),
        ("/v1/procedures/batch", "procedures", PROCEDURES),
    ):
        assert client.post(path, json={name: told}, headers=whole).status_code == 200
    province = make_key(unit="H44")
    tell_every_kind(client, province, make_key())
    clock.advance(timedelta(minutes=1))
    return province


def close(client: TestClient, key: str, **more: object) -> dict[str, Any]:
    answer = client.post("/v1/periods", json=JULY | more, headers=as_key(key))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def get(client: TestClient, key: str, path: str, **query: str) -> dict[str, Any]:
    answer = client.get(path, params=query, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def tell(client: TestClient, key: str, *records: dict[str, object]) -> None:
    answer = client.post("/v1/dossiers/batch", json={"dossiers": records}, headers=as_key(key))
    assert answer.json()["accepted"] == len(records), answer.text


def test_a_period_is_closed_with_all_that_is_needed_to_compute_it_again(
    client: TestClient, key: str
) -> None:
    closed = close(client, key, readings=["promised", "extended"], document="12/BC-UBND")

    assert (closed["from"], closed["to"]) == ("2026-07-01", "2026-07-31")
    assert closed["as_of"] == "2026-07-31T17:00:00Z"
    assert closed["known_at"] == closed["closed_at"] == "2026-08-10T01:01:00Z"
    assert closed["closed_by"].startswith("key:dh_test_")
    assert closed["readings"] == ["promised", "extended"]
    assert "on_time_of_finished@1" in closed["definitions"]
    assert closed["digest"].startswith("sha256:")
    assert get(client, key, f"/v1/periods/{closed['id']}", verify="true") == closed | {
        "verified": True
    }
    assert get(client, key, "/v1/periods", unit="H44")["periods"] == [closed]


@pytest.mark.parametrize("group_by", ["", "unit", "child,field", "procedure,level"])
def test_the_answer_from_a_closed_period_is_the_same_byte_for_byte(
    client: TestClient, key: str, clock: HandClock, group_by: str
) -> None:
    closed = close(client, key)
    asked = {"unit": "H44", "period": closed["id"], "group_by": group_by, "links": "true"}
    days = {"unit": "H44", "from": "2026-07-01", "to": "2026-07-31", "group_by": group_by}
    first = client.get("/v1/statistics", params=asked, headers=as_key(key))
    live = get(client, key, "/v1/statistics", **days)
    clock.advance(timedelta(days=3))
    tell(client, key, dossier(41), SETTLED)

    again = client.get("/v1/statistics", params=asked, headers=as_key(key))
    tag = first.headers["etag"]
    known = client.get(
        "/v1/statistics", params=asked, headers=as_key(key, **{"If-None-Match": tag})
    )

    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert known.status_code == 304
    body = first.json()
    assert body["period"] == closed["id"]
    assert body["total"]["counts"] == live["total"]["counts"]
    assert body["total"]["rates"] == live["total"]["rates"]
    assert len(body["rows"]) == len([row for row in live["rows"] if any(row["counts"].values())])
    assert set(body["total"]["identities"].values()) == {0}
    moved = get(client, key, "/v1/statistics", **days)["total"]["counts"]
    assert moved["received"] == body["total"]["counts"]["received"] + 1


def test_the_list_behind_a_closed_figure_is_that_of_the_closing(
    client: TestClient, key: str, clock: HandClock
) -> None:
    closed = close(client, key)
    asked = {"unit": "H44", "period": closed["id"]}
    clock.advance(timedelta(days=3))
    tell(client, key, dossier(41), SETTLED)

    total = get(client, key, "/v1/statistics", **asked)["total"]

    for name in ("received", "open_in_time", "finished_late", "carried_over"):
        assert len(list(listed(client, key, total["links"][name]))) == total["counts"][name] > 0


def test_what_is_learned_later_is_restated_with_reasons(
    client: TestClient, key: str, clock: HandClock
) -> None:
    closed = close(client, key)
    path = f"/v1/periods/{closed['id']}/restatements"
    nothing = get(client, key, path)
    clock.advance(timedelta(days=3))
    tell(client, key, dossier(41), SETTLED)

    body = get(client, key, path)

    assert nothing["restatements"] == []
    assert nothing["in_hand"]["difference"] == 0
    rows = {(row["unit"], row["count"]): row for row in body["restatements"]}
    late = rows["H44.100", "received"]
    assert (late["now"] - late["frozen"], late["difference"]) == (1, 1)
    assert late["causes"] == {"late_arrival": 1}
    assert late["reasons"] == ["hồ sơ gửi đến sau khi chốt"]
    assert [one["code"] for one in late["dossiers"]] == ["H44-0041"]
    told = rows["H44.101", "finished_early"]
    assert (told["difference"], told["causes"]) == (1, {"told_again": 1})
    assert body["in_hand"]["difference"] == 0  # one came, one was finished
    assert all(row["unexplained"] == 0 for row in body["restatements"])
    narrowed = get(client, key, path, unit="H44.101", count="finished_early", named="0")
    assert [(row["unit"], row["dossiers"]) for row in narrowed["restatements"]] == [("H44.101", [])]


def refusal(client: TestClient, key: str, **body: object) -> tuple[int, str]:
    answer = client.post("/v1/periods", json=body, headers=as_key(key))
    return answer.status_code, answer.json()["code"]


def test_a_period_is_closed_once_when_it_is_over_and_by_its_name_or_days(
    client: TestClient, key: str
) -> None:
    closed = close(client, key)

    again = client.post("/v1/periods", json=JULY, headers=as_key(key))

    assert (again.status_code, again.json()["code"]) == (409, "period.closed_already")
    assert again.json()["params"]["period"] == closed["id"]
    august = {"unit": "H44", "kind": "month", "label": "2026-08"}
    assert refusal(client, key, **august) == (409, "period.not_over")
    assert refusal(client, key, unit="H44", kind="month") == (422, "period.unnamed")
    assert refusal(client, key, **JULY, **{"from": "2026-07-01", "to": "2026-07-31"}) == (
        422,
        "period.unnamed",
    )
    assert refusal(client, key, unit="H44", kind="moon", label="1") == (404, "period.kind_unknown")
    assert refusal(client, key, **(JULY | {"label": "7"})) == (422, "period.label_invalid")


def test_a_closing_sent_twice_under_one_key_is_answered_once(client: TestClient, key: str) -> None:
    once = as_key(key, **{"Idempotency-Key": "july"})

    first = client.post("/v1/periods", json=JULY, headers=once)
    again = client.post("/v1/periods", json=JULY, headers=once)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_closing_needs_a_scope_of_its_own_and_units_of_ones_own(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    reader = make_key(["statistics:read"], unit="H44")
    commune = make_key(unit="H44.100")

    assert refusal(client, reader, **JULY) == (403, "access.scope_missing")
    assert refusal(client, commune, **JULY) == (404, "unit.unknown")
    assert close(client, commune, unit="H44.100")["unit"] == "H44.100"


def test_a_unit_reads_its_own_part_of_what_was_closed_above_it(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    closed = close(client, key)
    commune, elsewhere = make_key(unit="H44.100"), make_key(unit="H15")
    path = f"/v1/periods/{closed['id']}"

    own = get(client, commune, "/v1/statistics", unit="H44.100", period=closed["id"])

    live = get(
        client,
        commune,
        "/v1/statistics",
        unit="H44.100",
        **{"from": "2026-07-01", "to": "2026-07-31"},
    )
    assert own["total"]["counts"] == live["total"]["counts"]
    assert [one["id"] for one in get(client, commune, "/v1/periods")["periods"]] == [closed["id"]]
    assert get(client, commune, f"{path}/restatements")["unit"] == "H44.100"
    for refused in (
        client.get(f"{path}/restatements", params={"unit": "H44"}, headers=as_key(commune)),
        client.get(f"{path}/restatements", params={"unit": "H44.101"}, headers=as_key(commune)),
        client.get(
            "/v1/statistics",
            params={"unit": "H44", "period": closed["id"]},
            headers=as_key(commune),
        ),
        client.get(path, headers=as_key(elsewhere)),
        client.get(f"{path}/restatements", headers=as_key(elsewhere)),
    ):
        assert refused.status_code == 404, refused.text
    assert get(client, elsewhere, "/v1/periods")["periods"] == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"from": "2026-07-01", "to": "2026-07-31"}, 422, "statistics.days_missing"),
        ({"group_by": "month"}, 422, "period.not_frozen"),
        ({"channel": "online"}, 422, "period.not_frozen"),
        ({"include": "lateness"}, 422, "period.not_frozen"),
        ({"reading": "statutory"}, 422, "period.not_frozen"),
        ({"definitions": "luck"}, 404, "definition.unknown"),
        ({"unit": "H15"}, 404, "period.unit_not_frozen"),
    ],
)
def test_closed_figures_answer_only_what_was_kept(
    client: TestClient, key: str, make_key: MakeKey, query: dict[str, str], status: int, code: str
) -> None:
    closed = close(client, key)
    asked = {"unit": "H44", "period": closed["id"]} | query

    answer = client.get("/v1/statistics", params=asked, headers=as_key(make_key()))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_days_are_needed_without_a_closed_period(client: TestClient, key: str) -> None:
    answer = client.get("/v1/statistics", params={"unit": "H44"}, headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (422, "statistics.days_missing")


def test_periods_are_listed_newest_first_page_by_page(
    client: TestClient, key: str, clock: HandClock
) -> None:
    made = []
    for label in ("2026-05", "2026-06", "2026-07"):
        clock.advance(timedelta(minutes=1))
        made.append(close(client, key, label=label)["id"])

    first = get(client, key, "/v1/periods", limit="2")
    second = get(client, key, "/v1/periods", limit="2", cursor=first["next_cursor"])

    found = [one["id"] for page in (first, second) for one in page["periods"]]
    assert (found, second["next_cursor"]) == (made[::-1], None)


def test_kinds_of_periods_are_listed_in_the_callers_language(client: TestClient, key: str) -> None:
    kinds = client.get("/v1/periods/kinds", headers=as_key(key, **{"Accept-Language": "en"}))

    found = {one["id"]: one for one in kinds.json()["kinds"]}
    assert found["month-21"]["title"] == "Month from the 21st to the 20th"
    assert found["quarter"]["example"] == "2026-Q1"


def test_a_unit_whose_sender_had_fallen_silent_is_marked_in_what_was_closed(
    client: TestClient, make_key: MakeKey, key: str, clock: HandClock
) -> None:
    clock.now = clock.now.replace(month=10)
    for day in range(5, 9):
        clock.now = clock.now.replace(day=day)
        tell(client, key, dossier(50 + day, unit="H44.101", received_at=at(day, month=10)))
    clock.now = clock.now.replace(month=11, day=9)

    closed = close(client, key, label="2026-10")

    (gap,) = [one for one in closed["insufficient"] if one["unit"] == "H44.101"]
    assert gap == {"unit": "H44.101", "since": "2026-10-08", "sources": ["test"]}
