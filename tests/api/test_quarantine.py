"""Records that could not be accepted, over HTTP: seen, filtered, mended, tried again."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.feeds.corpus import PERSONS, a_record, a_step, an_old_dossier

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "UBND phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "UBND xã Hy Cương", "level": "commune", "parent": "H44"},
]
BROKEN = a_record(code="HS-1", received_at="2026-08-03T09:10:00", applicant_key=PERSONS[0])
MENDED = a_record(code="HS-1")


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> str:
    """Give a key of a commune."""
    answer = client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(make_key()))
    assert answer.status_code == 200, answer.text
    return make_key(unit="H44.100", source="mot-cua")


def send(client: TestClient, key: str, *records: object) -> list[str]:
    """Send a batch and return where its broken records wait."""
    answer = client.post(
        "/v1/dossiers/batch", json={"dossiers": list(records)}, headers=as_key(key)
    )
    assert answer.status_code == 200, answer.text
    return [one["quarantine_id"] for one in answer.json()["results"]]


def waiting(client: TestClient, key: str, **query: str) -> list[dict[str, Any]]:
    answer = client.get("/v1/quarantine", params=query, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["quarantine"]
    return found


def retry(client: TestClient, key: str, entry: str, record: object = None, **headers: str) -> Any:
    body = None if record is None else {"record": record}
    return client.post(f"/v1/quarantine/{entry}/retry", json=body, headers=as_key(key, **headers))


def test_a_record_waits_with_its_reasons_and_without_persons(client: TestClient, key: str) -> None:
    (entry,) = send(client, key, BROKEN)

    (found,) = waiting(client, key)

    assert (found["id"], found["code"], found["source"]) == (entry, "HS-1", "mot-cua")
    assert (found["form"], found["state"]) == ("native", "waiting")
    (reason,) = found["reasons"]
    assert (reason["pointer"], reason["code"]) == ("/received_at", "record.naive_instant")
    assert reason["detail"].startswith("Thời điểm thiếu múi giờ")
    assert PERSONS[0] not in str(found)
    alone = client.get(
        f"/v1/quarantine/{entry}", headers=as_key(key, **{"Accept-Language": "en"})
    ).json()
    assert alone["reasons"][0]["detail"].startswith("The instant has no offset")


def test_a_mended_record_is_accepted_and_stays_listed(
    client: TestClient, key: str, clock: HandClock
) -> None:
    (entry,) = send(client, key, BROKEN)
    clock.advance(timedelta(hours=1))

    answer = retry(client, key, entry, MENDED)

    assert (answer.status_code, answer.json()) == (
        200,
        {"id": entry, "code": "HS-1", "verdict": "accepted"},
    )
    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).status_code == 200
    assert waiting(client, key, state="waiting") == []
    (settled,) = waiting(client, key, state="accepted")
    assert settled["settled_at"] == "2026-08-10T02:00:00Z"


def test_what_is_still_wrong_is_said_and_changes_nothing(client: TestClient, key: str) -> None:
    (entry,) = send(client, key, BROKEN)

    kept = retry(client, key, entry)
    worse = retry(client, key, entry, {"code": "HS-1", "unit": 7, "procedure": "1.001193"})

    assert (kept.status_code, kept.json()["code"]) == (422, "record.naive_instant")
    assert kept.json()["errors"][0]["pointer"] == "/record/received_at"
    assert (worse.status_code, worse.json()["errors"][0]["pointer"]) == (422, "/record/unit")
    assert len(waiting(client, key)) == 1
    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).status_code == 404


def test_a_record_ahead_of_its_time_is_accepted_as_it_was_once_the_time_has_come(
    client: TestClient, key: str, clock: HandClock
) -> None:
    ahead = a_record(
        code="HS-2",
        received_at="2026-08-13T09:00:00+07:00",
        due_at="2026-08-20T17:00:00+07:00",
        source_updated_at=None,
    )
    (entry,) = send(client, key, {k: v for k, v in ahead.items() if v is not None})
    clock.advance(timedelta(days=5))

    answer = retry(client, key, entry)

    assert (answer.status_code, answer.json()["verdict"]) == (200, "accepted"), answer.text
    found = client.get("/v1/dossiers/HS-2", headers=as_key(key)).json()
    assert found["received_at"] == "2026-08-13T02:00:00Z"


def test_an_old_record_never_overwrites_news_that_came_meanwhile(
    client: TestClient, key: str
) -> None:
    (entry,) = send(client, key, BROKEN)
    newer = a_record(
        code="HS-1", status="finished", finished_at="2026-08-05T10:00:00+07:00",
        source_updated_at="2026-08-05T10:00:00+07:00",
    )  # fmt: skip
    assert send(client, key, newer) == []

    answer = retry(client, key, entry, MENDED)

    assert answer.json()["verdict"] == "stale"
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    assert found["state"] == "finished_on_time"


def test_records_of_the_national_envelope_are_mended_in_its_form(
    client: TestClient, key: str
) -> None:
    bad = an_old_dossier(MaHoSo="H44-9", NgayTiepNhan="3/8/2026", DonViXuLy="")
    step = a_step(MaHoSo="H44-9", TrangThai="99")
    door = "/v1/adapters/national"
    client.post(f"{door}/DongBoHoSoMC?MaDinhDanhDV=H44.100", json=[bad], headers=as_key(key))
    client.post(f"{door}/CapNhatTienDoHoSoMC", json=[step], headers=as_key(key))

    dossier, event = sorted(waiting(client, key), key=lambda one: str(one["form"]))
    assert [dossier["form"], event["form"]] == ["national", "national-step"]
    kept = dossier["record"]
    first = retry(client, key, dossier["id"], kept | {"NgayTiepNhan": "20260803091000"})
    second = retry(client, key, event["id"], event["record"] | {"TrangThai": "5"})

    assert [first.json()["verdict"], second.json()["verdict"]] == ["accepted", "accepted"]
    found = client.get("/v1/dossiers/H44-9", headers=as_key(key)).json()
    assert (found["unit"], found["state"]) == ("H44.100", "paused")


def test_what_was_accepted_is_not_tried_again(client: TestClient, key: str) -> None:
    (entry,) = send(client, key, BROKEN)
    retry(client, key, entry, MENDED)

    again = retry(client, key, entry, MENDED)

    assert (again.status_code, again.json()["code"]) == (409, "quarantine.settled")


def test_the_same_try_under_one_idempotency_key_is_answered_alike(
    client: TestClient, key: str
) -> None:
    (entry,) = send(client, key, BROKEN)

    answers = [retry(client, key, entry, MENDED, **{"Idempotency-Key": "k-1"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"record": null}', b'{"record": {}, "x": 1}', b'"x"']
)
def test_a_body_of_another_shape_is_refused(client: TestClient, key: str, body: bytes) -> None:
    (entry,) = send(client, key, BROKEN)

    answer = client.post(
        f"/v1/quarantine/{entry}/retry",
        content=body,
        headers=as_key(key, **{"Content-Type": "application/json"}),
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "quarantine.mended_shape")


def test_the_list_is_filtered_by_reason_and_paged_without_loss(
    client: TestClient, key: str, clock: HandClock
) -> None:
    sent = []
    for number in range(7):
        clock.advance(timedelta(seconds=1))
        fault = {"received_at": "x"} if number % 2 else {"status": "x"}
        sent += send(client, key, a_record(code=f"HS-{number}", **fault))

    whole, address = [], "/v1/quarantine?limit=3"
    while True:
        answer = client.get(address, headers=as_key(key))
        whole += [one["id"] for one in answer.json()["quarantine"]]
        if answer.json()["next_cursor"] is None:
            break
        address = answer.links["next"]["url"]

    assert whole == sent
    by_reason = waiting(client, key, fault="record.not_instant")
    assert [one["code"] for one in by_reason] == ["HS-1", "HS-3", "HS-5"]


def test_each_sees_the_quarantine_of_its_own_units(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    (entry,) = send(client, key, BROKEN)
    parent, sibling = make_key(unit="H44"), make_key(unit="H44.101")

    assert [one["id"] for one in waiting(client, parent)] == [entry]
    assert waiting(client, sibling) == []
    assert client.get(f"/v1/quarantine/{entry}", headers=as_key(sibling)).status_code == 404
    assert retry(client, sibling, entry, MENDED).status_code == 404
    assert retry(client, key, str(uuid4()), MENDED).status_code == 404


def test_only_a_superior_mends_the_record_of_another_source(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    (entry,) = send(client, key, BROKEN)
    other = make_key(["dossiers:write"], unit="H44", source="khac")
    superior = make_key(["dossiers:write", "dossiers:correct"], unit="H44", source="khac")

    refused = retry(client, other, entry, MENDED)
    accepted = retry(client, superior, entry, MENDED)

    assert (refused.status_code, refused.json()["code"]) == (403, "access.scope_missing")
    assert accepted.json()["verdict"] == "accepted"
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    assert found["source"] == "mot-cua"
