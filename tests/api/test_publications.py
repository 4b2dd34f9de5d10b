"""How public procedures are, told over HTTP, listed and counted."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.publications import EXAMPLE
from tests.api.conftest import HandClock, MakeKey, as_key

CODES = ("1.001193", "1.001194", "1.001195")
SPAN = {"unit": "H44", "from": "2026-01-01", "to": "2026-01-31"}


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> dict[str, str]:
    """Give a key of a province with two communes and three procedures."""
    whole = as_key(make_key())
    units = [
        {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
        {"code": "H44.100", "name": "UBND phường A", "level": "commune", "parent": "H44"},
        {"code": "H44.101", "name": "UBND xã B", "level": "commune", "parent": "H44"},
    ]
    procedures = [{"code": code, "name": f"Thủ tục {code}"} for code in CODES]
    assert client.post("/v1/units/batch", json={"units": units}, headers=whole).is_success
    told = {"procedures": procedures}
    assert client.post("/v1/procedures/batch", json=told, headers=whole).is_success
    return as_key(make_key(unit="H44"))


def put(client: TestClient, key: dict[str, str], *entries: dict[str, Any]) -> list[str]:
    answer = client.put("/v1/publications", json={"publications": entries}, headers=key)
    assert answer.status_code == 200, answer.text
    return [one["verdict"] for one in answer.json()["publications"]]


def entry(**changed: object) -> dict[str, Any]:
    return {**EXAMPLE, **changed}


def test_an_entry_told_again_changes_nothing_and_a_change_is_kept_with_its_moment(
    client: TestClient, key: dict[str, str], clock: HandClock
) -> None:
    assert put(client, key, entry()) == ["created"]
    before = clock()
    clock.advance(timedelta(hours=1))

    assert put(client, key, entry()) == ["unchanged"]
    assert put(client, key, entry(online_on=None)) == ["updated"]

    then = {"unit": "H44", "known_at": before.isoformat()}
    (known,) = client.get("/v1/publications", params=then, headers=key).json()["publications"]
    (now,) = client.get("/v1/publications", headers=key).json()["publications"]
    assert (known["state"], now["state"]) == ("full", "at_office_only")


def test_counts_by_unit_add_up_to_the_total(client: TestClient, key: dict[str, str]) -> None:
    put(
        client,
        key,
        entry(),
        entry(procedure=CODES[1], online_on="2026-01-16"),
        entry(procedure=CODES[2], at_office_on=None),
        entry(unit="H44.101", at_office_on=None, online_on=None, is_complete=None),
    )

    found = client.get("/v1/publications/counts", params=SPAN, headers=key).json()

    one, other = (row["counts"] for row in found["rows"])
    assert one == {
        "procedures_applicable": 3,
        "procedures_posted": 2,
        "procedures_not_posted": 1,
        "procedures_posted_at_office": 2,
        "procedures_posted_online": 3,
        "procedures_posted_complete": 2,
        "publications_due": 3,
        "publications_on_time": 1,
    }
    assert found["total"] == {name: one[name] + other[name] for name in one}


def test_a_list_goes_on_where_a_page_ended_and_shows_one_state_only(
    client: TestClient, key: dict[str, str]
) -> None:
    put(client, key, *(entry(procedure=code) for code in CODES), entry(unit="H44.101"))
    put(client, key, entry(procedure=CODES[1], online_on=None))

    seen: list[tuple[str, str]] = []
    query: dict[str, Any] = {"limit": 2, "state": "full"}
    while True:
        page = client.get("/v1/publications", params=query, headers=key).json()
        seen += [(one["unit"], one["procedure"]) for one in page["publications"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert seen == [("H44.100", CODES[0]), ("H44.100", CODES[2]), ("H44.101", CODES[0])]


@pytest.mark.parametrize(
    ("changed", "code", "pointer"),
    [
        ({"procedure": "9.999999"}, "register.procedure_unknown", None),
        ({"unit": "H99"}, "register.unit_unknown", None),
        ({"online_on": "2036-01-01"}, "register.in_future", None),
        ({"applies_until": "2025-12-31"}, "publication.reversed", "/publications/0"),
        ({"applies_from": "hôm qua"}, "field.not_day", "/publications/0/applies_from"),
    ],
)
def test_what_cannot_be_is_refused_and_named(
    client: TestClient,
    key: dict[str, str],
    changed: dict[str, Any],
    code: str,
    pointer: str | None,
) -> None:
    told = {"publications": [entry(**changed)]}

    answer = client.put("/v1/publications", json=told, headers=key)

    assert answer.status_code == 422
    problem = answer.json()
    if pointer is None:
        assert problem["code"] == code
    else:
        assert (problem["errors"][0]["code"], problem["errors"][0]["pointer"]) == (code, pointer)
    assert client.get("/v1/publications", headers=key).json()["publications"] == []


def test_one_entry_twice_in_a_request_is_refused(client: TestClient, key: dict[str, str]) -> None:
    told = {"publications": [entry(), entry(online_on=None)]}

    answer = client.put("/v1/publications", json=told, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "register.twice")
