"""Two keys of one source with different units may not take dossiers from one another."""

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "Xã Hy Cương", "level": "commune", "parent": "H44"},
]
CODE = "H44.100-260803-0012"
Headers = dict[str, str]


def record(unit: str = "H44.100", *, day: int = 4, **more: object) -> dict[str, object]:
    """Return a record of a dossier that was received on the third."""
    return {
        "unit": unit,
        "procedure": "1.001193",
        "status": "processing",
        "received_at": "2026-08-03T09:10:00+07:00",
        "source_updated_at": f"2026-08-{day:02}T09:10:05+07:00",
        **more,
    }


def event(kind: str, *, day: int = 6, **more: object) -> dict[str, object]:
    """Return an event."""
    return {"kind": kind, "at": f"2026-08-{day:02}T10:00:00+07:00", **more}


@pytest.fixture
def province(client: TestClient, make_key: MakeKey) -> Headers:
    """Give the key of the province and its units."""
    key = as_key(make_key(source="mot-cua"))
    client.post("/v1/units/batch", json={"units": UNITS}, headers=key)
    return as_key(make_key(unit="H44", source="mot-cua"))


@pytest.fixture
def own(client: TestClient, make_key: MakeKey, province: Headers) -> Headers:
    """Give the key of the commune that holds the dossier."""
    key = as_key(make_key(unit="H44.100", source="mot-cua"))
    assert client.put(f"/v1/dossiers/{CODE}", json=record(), headers=key).status_code == 201
    return key


@pytest.fixture
def other(make_key: MakeKey, province: Headers) -> Headers:
    """Give the key of another commune with the same software."""
    return as_key(make_key(unit="H44.101", source="mot-cua"))


def holder(client: TestClient, key: Headers) -> str:
    """Return the unit that holds the dossier."""
    return str(client.get(f"/v1/dossiers/{CODE}", headers=key).json()["unit"])


def test_a_record_of_another_commune_takes_nothing(
    client: TestClient, own: Headers, other: Headers, province: Headers
) -> None:
    answer = client.put(f"/v1/dossiers/{CODE}", json=record("H44.101", day=5), headers=other)
    waiting = client.get("/v1/quarantine", headers=other).json()["quarantine"]

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "dossier.held_elsewhere"
    assert [one["code"] for one in waiting] == [CODE]
    assert holder(client, province) == "H44.100"


@pytest.mark.parametrize("kind", ["step", "pause", "correction", "extension"])
def test_an_event_of_another_commune_is_refused(
    client: TestClient, own: Headers, other: Headers, kind: str
) -> None:
    told: dict[str, dict[str, object]] = {
        "step": {"status": "finished"},
        "pause": {"pause_kind": "supplement"},
        "correction": {"finished_at": "2026-08-05T10:00:00+07:00", "reason": "x"},
        "extension": {"new_due_at": "2026-08-20T10:00:00+07:00"},
    }

    answer = client.post(
        f"/v1/dossiers/{CODE}/events", json=event(kind) | told[kind], headers=other
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "dossier.held_elsewhere"


def test_a_told_transfer_passes_it_on(
    client: TestClient, own: Headers, other: Headers, province: Headers
) -> None:
    passed = client.post(
        f"/v1/dossiers/{CODE}/events", json=event("transfer", unit="H44.101"), headers=other
    )
    now = client.put(f"/v1/dossiers/{CODE}", json=record("H44.101", day=7), headers=other)
    back = client.put(f"/v1/dossiers/{CODE}", json=record(day=8), headers=own)
    late = client.put(f"/v1/dossiers/{CODE}", json=record(day=5, contacts=2), headers=own)

    assert (passed.status_code, now.status_code) == (200, 200)
    assert back.status_code == 422
    assert late.status_code == 200
    assert holder(client, province) == "H44.101"


def test_the_province_moves_what_its_communes_hold(
    client: TestClient, own: Headers, other: Headers, province: Headers
) -> None:
    moved = client.put(f"/v1/dossiers/{CODE}", json=record("H44.101", day=5), headers=province)

    assert moved.status_code == 200
    assert holder(client, province) == "H44.101"


def test_a_superior_tries_again_what_a_commune_might_not_tell(
    client: TestClient, own: Headers, other: Headers, province: Headers
) -> None:
    client.put(f"/v1/dossiers/{CODE}", json=record("H44.101", day=5), headers=other)
    (entry,) = client.get("/v1/quarantine", headers=province).json()["quarantine"]

    refused = client.post(f"/v1/quarantine/{entry['id']}/retry", headers=other)
    taken = client.post(f"/v1/quarantine/{entry['id']}/retry", headers=province)

    assert refused.json()["errors"][0]["code"] == "dossier.held_elsewhere"
    assert taken.json()["verdict"] == "accepted"
    assert holder(client, province) == "H44.101"


def test_what_waits_at_an_unknown_unit_is_held_by_nobody(
    client: TestClient, make_key: MakeKey, province: Headers, other: Headers
) -> None:
    first = as_key(make_key(unit="H44.100", source="mot-cua"))
    client.put(f"/v1/dossiers/{CODE}", json=record("một nơi nào đó"), headers=first)

    taken = client.put(f"/v1/dossiers/{CODE}", json=record("H44.101", day=5), headers=other)

    assert taken.status_code == 200
    assert holder(client, province) == "H44.101"


def test_a_new_number_does_not_take_over_the_dossier_of_another_commune(
    client: TestClient, own: Headers, other: Headers, province: Headers
) -> None:
    named = record("H44.101", day=5, other_codes=[CODE])
    client.put("/v1/dossiers/H44.101-260805-0001", json=named, headers=other)

    found = client.get("/v1/dossiers/H44.101-260805-0001", headers=province).json()

    assert found["same_as"] == [{"source": "mot-cua", "code": CODE, "relation": "unclear"}]
    assert "number_unclear" in found["flags"]
    assert holder(client, province) == "H44.100"


def test_a_void_needs_a_unit_above_the_one_that_holds_it(
    client: TestClient, own: Headers, province: Headers
) -> None:
    void = event("void", reason="gửi nhầm")

    refused = client.post(f"/v1/dossiers/{CODE}/events", json=void, headers=own)
    taken = client.post(f"/v1/dossiers/{CODE}/events", json=void, headers=province)

    assert (refused.status_code, taken.status_code) == (422, 200)
    assert refused.json()["errors"][0]["code"] == "event.superiors_only"


def test_a_correction_is_approved_only_from_above(
    client: TestClient, own: Headers, province: Headers
) -> None:
    promised = {"due_at": "2026-08-06T17:00:00+07:00"}
    client.put(f"/v1/dossiers/{CODE}", json=record(day=4, **promised), headers=own)
    ended = {"status": "finished", "finished_at": "2026-08-07T10:00:00+07:00"}
    client.put(f"/v1/dossiers/{CODE}", json=record(day=7, **promised, **ended), headers=own)
    earlier = event(
        "correction", day=8, finished_at="2026-08-06T10:00:00+07:00", reason="ghi nhầm ngày"
    )

    def state() -> str:
        return str(client.get(f"/v1/dossiers/{CODE}", headers=province).json()["state"])

    client.post(f"/v1/dossiers/{CODE}/events", json=earlier, headers=own)
    by_itself = state()
    client.post(f"/v1/dossiers/{CODE}/events", json={**earlier, "at": "2026-08-09T10:00:00+07:00"},
                headers=province)  # fmt: skip

    assert by_itself == "finished_late"
    assert state() in {"finished_early", "finished_on_time"}
