"""Two systems that send the same dossier: listed twice, counted once, as the province says."""

from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Phường Việt Trì", "level": "commune", "parent": "H44"},
]
CODE = "H44.100-260803-0012"
RECORD = {
    "unit": "H44.100",
    "procedure": "1.001193",
    "status": "processing",
    "received_at": "2026-08-03T09:10:00+07:00",
    "source_updated_at": "2026-08-03T09:10:05+07:00",
}


def test_the_province_says_whose_dossier_counts(client: TestClient, make_key: MakeKey) -> None:
    own, ministry = make_key(source="mot-cua"), make_key(source="bo")
    client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(own))
    client.put(f"/v1/dossiers/{CODE}", json=RECORD, headers=as_key(own))
    named = {**RECORD, "other_codes": [CODE]}
    client.put("/v1/dossiers/15-260803-000123", json=named, headers=as_key(ministry))

    before = client.get("/v1/dossiers/15-260803-000123", headers=as_key(own)).json()
    said = client.put("/v1/precedence/H44", json={"source": "bo"}, headers=as_key(own))
    after = client.get(f"/v1/dossiers/{CODE}", headers=as_key(own)).json()
    read = client.get("/v1/precedence/H44.100", headers=as_key(own)).json()

    assert before["counted"] is False
    assert before["same_as"] == [{"source": "mot-cua", "code": CODE, "relation": "other_system"}]
    assert (said.status_code, said.json()["dossiers"]) == (200, 2)
    assert after["counted"] is False
    assert "same_from_two_sources" in after["flags"]
    assert (read["source"], read["said_at"], read["history"]) == ("bo", "H44", [])


def test_a_former_number_leads_to_the_dossier(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key(source="mot-cua"))
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)
    client.put(f"/v1/dossiers/{CODE}", json=RECORD, headers=key)
    renamed = {**RECORD, "other_codes": [CODE], "source_updated_at": "2026-08-04T09:10:05+07:00"}
    client.put("/v1/dossiers/H44.100-260803-9999", json=renamed, headers=key)

    found = client.get(f"/v1/dossiers/{CODE}", headers=key).json()
    told = client.get(f"/v1/dossiers/{CODE}/timeline", headers=key).json()

    assert found["code"] == "H44.100-260803-9999"
    assert found["same_as"] == [{"source": "mot-cua", "code": CODE, "relation": "former_number"}]
    assert found["counted"] is True
    assert len(told["messages"]) == 2


def test_a_source_that_nobody_knows_cannot_count(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)

    answer = client.put("/v1/precedence/H44", json={"source": "ai-do"}, headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "precedence.source_unknown")
