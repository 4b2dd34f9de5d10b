"""The tree of units through the door."""

from typing import Any

from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

PROVINCE = {"name": "Tỉnh Phú Thọ", "level": "province"}
COMMUNE = {
    "name": "UBND phường Việt Trì",
    "level": "commune",
    "parent": "H44",
    "valid_from": "2025-07-01",
    "legacy_codes": ["000.00.100.H44"],
}


def seed(client: TestClient, key: str) -> None:
    units = [
        {"code": "H44.100", **COMMUNE},
        {"code": "H44", **PROVINCE},
        {"code": "H44.101", "name": "UBND xã Hy Cương", "level": "commune", "parent": "H44"},
        {"code": "H15", "name": "Tỉnh Đắk Lắk", "level": "province"},
    ]
    answer = client.post("/v1/units/batch", json={"units": units}, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    assert answer.json()["created"] == 4


def test_a_unit_is_created_then_unchanged_then_updated(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key())
    client.put("/v1/units/H44", json=PROVINCE, headers=key)

    first = client.put("/v1/units/H44.100", json=COMMUNE, headers=key)
    again = client.put("/v1/units/H44.100", json=COMMUNE, headers=key)
    changed = client.put("/v1/units/H44.100", json={**COMMUNE, "name": "Mới"}, headers=key)

    assert [first.status_code, again.status_code, changed.status_code] == [201, 200, 200]
    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"]
    assert changed.json()["name"] == "Mới"


def test_a_unit_is_found_by_its_old_code_written_backwards(
    client: TestClient, make_key: MakeKey
) -> None:
    key = make_key()
    seed(client, key)

    for told in ("H44.100", "000.00.100.H44", "000.00.101.H44"):
        answer = client.get(f"/v1/units/{told}", headers=as_key(key))
        assert answer.status_code == 200, answer.text


def test_outside_the_subtree_a_unit_does_not_exist(client: TestClient, make_key: MakeKey) -> None:
    seed(client, make_key())
    commune = make_key(unit="H44.100")
    expected = {"H44.100": 200, "H44": 404, "H44.101": 404, "H15": 404, "nothing": 404}

    for code, status in expected.items():
        answer = client.get(f"/v1/units/{code}", headers=as_key(commune))
        assert answer.status_code == status, code
    listed = client.get("/v1/units", headers=as_key(commune)).json()["units"]
    assert [unit["code"] for unit in listed] == ["H44.100"]


def test_a_subtree_key_changes_its_own_units_only(client: TestClient, make_key: MakeKey) -> None:
    seed(client, make_key())
    key = as_key(make_key(unit="H44"))
    stray: dict[str, Any] = {"name": "X", "level": "commune"}

    assert client.put("/v1/units/H44.102", json={**stray, "parent": "H44"}, headers=key).is_success
    own = client.put("/v1/units/H44", json=PROVINCE | {"name": "Phú Thọ"}, headers=key)
    root = client.put("/v1/units/H99", json=stray, headers=key)
    elsewhere = client.put("/v1/units/H15.1", json={**stray, "parent": "H15"}, headers=key)
    foreign = client.put("/v1/units/H15", json=stray, headers=key)
    freed = client.put("/v1/units/H44.100", json=stray, headers=key)

    assert own.status_code == 200
    assert (root.status_code, root.json()["code"]) == (403, "unit.root_forbidden")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "unit.parent_unknown")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unit.unknown")
    assert (freed.status_code, freed.json()["code"]) == (403, "unit.root_forbidden")


def test_a_list_goes_on_where_it_stopped(client: TestClient, make_key: MakeKey) -> None:
    key = make_key()
    seed(client, key)
    seen: list[str] = []
    address = "/v1/units?limit=1"

    while address:
        answer = client.get(address, headers=as_key(key))
        assert answer.status_code == 200, answer.text
        seen += [unit["code"] for unit in answer.json()["units"]]
        address = answer.links.get("next", {}).get("url", "")

    assert seen == ["H15", "H44", "H44.100", "H44.101"]


def test_a_cursor_of_another_list_is_refused(client: TestClient, make_key: MakeKey) -> None:
    key = make_key()
    seed(client, key)
    cursor = client.get("/v1/units?limit=1", headers=as_key(key)).json()["next_cursor"]

    other = client.get(f"/v1/units?limit=1&level=commune&cursor={cursor}", headers=as_key(key))
    broken = client.get("/v1/units?cursor=abc", headers=as_key(key))

    assert [other.status_code, broken.status_code] == [422, 422]
    assert other.json()["code"] == "page.cursor_invalid"


def test_if_match_protects_what_was_not_seen(client: TestClient, make_key: MakeKey) -> None:
    key = make_key()
    seed(client, key)
    tag = client.get("/v1/units/H44.100", headers=as_key(key)).headers["etag"]

    good = client.put(
        "/v1/units/H44.100", json={**COMMUNE, "name": "A"}, headers=as_key(key, **{"If-Match": tag})
    )
    late = client.put(
        "/v1/units/H44.100", json={**COMMUNE, "name": "B"}, headers=as_key(key, **{"If-Match": tag})
    )
    same = client.get(
        "/v1/units/H44.100", headers=as_key(key, **{"If-None-Match": good.headers["etag"]})
    )

    assert [good.status_code, late.status_code, same.status_code] == [200, 412, 304]


def test_faults_name_the_field_and_never_the_value(client: TestClient, make_key: MakeKey) -> None:
    body = {"name": 7, "level": "hamlet", "valid_from": "2025-02-30", "owner": "Nguyễn Văn A"}

    answer = client.put("/v1/units/H44", json=body, headers=as_key(make_key()))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    faults = {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
    assert faults == {
        "/name": "field.not_text",
        "/level": "field.not_allowed",
        "/valid_from": "field.not_day",
        "/owner": "field.unknown",
    }
    assert "Nguyễn" not in answer.text
    assert "hamlet" not in answer.text


def test_a_wrong_unit_refuses_the_whole_batch(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())
    units = [
        {"code": "H44", **PROVINCE},
        {"code": "H44.1", **COMMUNE, "valid_to": "2025-06-01"},
    ]

    answer = client.post("/v1/units/batch", json={"units": units}, headers=key)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/units/1"
    assert "01/06/2025" in answer.json()["detail"]
    assert client.get("/v1/units/H44", headers=key).status_code == 404


def test_a_batch_under_one_key_is_done_once(client: TestClient, make_key: MakeKey) -> None:
    key = make_key()
    headers = as_key(key, **{"Idempotency-Key": '"lô-1"'.replace("ô", "o")})
    body = {"units": [{"code": "H44", **PROVINCE}]}

    first = client.post("/v1/units/batch", json=body, headers=headers)
    again = client.post("/v1/units/batch", json=body, headers=headers)
    other = client.post(
        "/v1/units/batch", json={"units": [{"code": "H15", **PROVINCE}]}, headers=headers
    )

    assert first.status_code == 200, first.text
    assert first.json()["created"] == 1
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
