"""Retiring a source through its door."""

from datetime import timedelta

from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.api.test_sources import UNITS

WORD = {"from": "2026-08-13", "reason": "Thay bằng hệ thống dùng chung"}


def test_a_replaced_source_leaves_no_mark(
    client: TestClient, make_key: MakeKey, clock: HandClock
) -> None:
    key = as_key(make_key(source="mot-cua"))
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)
    for number in range(3):
        record = {"unit": "H44.100", "procedure": "1.001193", "case": f"{number}"}
        client.put("/v1/dossiers/D-1", json=record, headers=key)
        clock.advance(timedelta(days=1))
    clock.advance(timedelta(days=9))

    before = client.get("/readyz").json()["degraded"]["silent_sources"]
    said = client.put("/v1/retirements/H44/mot-cua", json=WORD, headers=key)
    listed = client.get("/v1/retirements?unit=H44", headers=key)
    below = client.get("/v1/retirements?unit=H44.100", headers=key).json()
    (source,) = client.get("/v1/sources?unit=H44", headers=key).json()["sources"]

    assert before == {"mot-cua": "2026-08-12"}
    assert said.status_code == 200, said.text
    (word,) = said.json()["retirements"]
    assert {name: word[name] for name in WORD} == WORD
    assert (word["source"], word["unit"]) == ("mot-cua", "H44")
    assert listed.json() == said.json()
    assert below["retirements"] == []
    assert (source["silent"], source["retired_from"]) == (False, "2026-08-13")
    assert "silent_sources" not in client.get("/readyz").json()["degraded"]


def test_it_is_said_with_a_reason_of_a_source_that_is_known(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key(source="mot-cua"))
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)

    silent = client.put("/v1/retirements/H44/mot-cua", json={"from": None}, headers=key)
    unknown = client.put("/v1/retirements/H44/nobody", json=WORD, headers=key)
    beside = as_key(make_key(unit="H44.101"))
    outside = client.put("/v1/retirements/H44/mot-cua", json=WORD, headers=beside)

    assert silent.json()["errors"][0]["pointer"] == "/reason"
    assert (unknown.status_code, unknown.json()["code"]) == (404, "retirement.source_unknown")
    assert outside.status_code == 404
