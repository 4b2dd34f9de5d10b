"""The catalogue of procedures through the door."""

from typing import Any

from fastapi.testclient import TestClient

from app.api.procedures import EXAMPLE
from tests.api.conftest import MakeKey, as_key


def test_a_procedure_is_told_read_and_listed(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())

    made = client.put("/v1/procedures/1.001193", json=EXAMPLE, headers=key)
    again = client.put("/v1/procedures/1.001193", json=EXAMPLE, headers=key)
    read = client.get("/v1/procedures/1.001193", headers=key)
    listed = client.get("/v1/procedures?field=G15-TP01&level=commune", headers=key)

    assert [made.status_code, again.status_code, read.status_code] == [201, 200, 200]
    body = read.json()
    assert body["revision"] == 1
    assert body["limits"][0]["cutoff"] == "15:00"
    assert body["limits"][0]["pauses"]["supplement"] == "restart"
    assert [one["code"] for one in listed.json()["procedures"]] == ["1.001193"]


def test_what_was_read_can_be_told_again_unchanged(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())
    client.put("/v1/procedures/1", json=EXAMPLE, headers=key)
    body: dict[str, Any] = client.get("/v1/procedures/1", headers=key).json()
    told = {name: body[name] for name in body if name not in {"code", "revision"}}

    answer = client.put("/v1/procedures/1", json=told, headers=key)

    assert answer.status_code == 200, answer.text
    assert answer.json()["revision"] == 1


def test_a_limit_that_cannot_be_is_named_with_its_place(
    client: TestClient, make_key: MakeKey
) -> None:
    good = {"kind": "none", "valid_from": "2025-07-01"}
    bad = {"kind": "working_days", "valid_from": "2025-07-01", "value": -1}
    body = {"procedures": [{"code": "1", "name": "X", "limits": [good, bad]}]}

    answer = client.post("/v1/procedures/batch", json=body, headers=as_key(make_key()))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/procedures/0/limits/1"
    assert answer.json()["code"] == "limit.not_positive"


def test_a_key_of_a_low_unit_may_not_change_what_all_share(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key())
    client.put("/v1/units/A", json={"name": "A", "level": "province"}, headers=key)
    client.put("/v1/units/A.1", json={"name": "A", "level": "commune", "parent": "A"}, headers=key)

    top = client.put("/v1/procedures/1", json=EXAMPLE, headers=as_key(make_key(unit="A")))
    low = client.put("/v1/procedures/1", json=EXAMPLE, headers=as_key(make_key(unit="A.1")))

    assert [top.status_code, low.status_code] == [201, 403]
    assert low.json()["code"] == "catalogue.shared"


def test_a_scope_is_needed_to_write_and_none_to_read(client: TestClient, make_key: MakeKey) -> None:
    reader = as_key(make_key(["dossiers:read"]))

    written = client.put("/v1/procedures/1", json=EXAMPLE, headers=reader)
    read = client.get("/v1/procedures/1", headers=reader)

    assert (written.status_code, written.json()["code"]) == (403, "access.scope_missing")
    assert read.status_code == 404
