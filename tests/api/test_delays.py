"""Whose time a dossier took, through its door."""

from datetime import timedelta

from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key


def send(client: TestClient, key: dict[str, str], code: str, **told: object) -> None:
    body = {
        "unit": "H44.1",
        "procedure": "1.001193",
        "channel": "in_person",
        "status": "processing",
        "received_at": "2026-08-03T08:00:00+07:00",
        "due_at": "2026-08-06T17:00:00+07:00",
        "source_updated_at": "2026-08-05T08:00:00+07:00",
        **told,
    }
    answer = client.put(f"/v1/dossiers/{code}", json=body, headers=key)
    assert answer.is_success, answer.text


def test_a_joint_dossier_names_who_held_it_at_its_due_moment(
    client: TestClient, sender: dict[str, str], make_key: MakeKey
) -> None:
    whole = as_key(make_key())
    told = {"name": "T", "level": "department", "parent": "H44"}
    client.put("/v1/units/H44.T", json=told, headers=whole)
    send(
        client,
        sender,
        "J",
        pauses=[
            {
                "kind": "other_agency",
                "started_at": "2026-08-03T10:00:00+07:00",
                "ended_at": "2026-08-03T14:00:00+07:00",
            }
        ],
    )
    send(
        client,
        sender,
        "J-1",
        unit="H44.T",
        parent="J",
        leg="thuế",
        received_at="2026-08-05T08:00:00+07:00",
    )

    answer = client.get("/v1/dossiers/J/delay", headers=sender)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["held_at_due"]["unit"], body["held_at_due"]["leg"]) == ("H44.T", "thuế")
    assert body["held_now"]["party"] == "other_agency"
    assert [(one["party"], one["unit"]) for one in body["stretches"]] == [
        ("own_unit", "H44.1"),
        ("other_agency", None),
        ("own_unit", "H44.1"),
        ("other_agency", "H44.T"),
    ]
    whole_life = sum(one["seconds"] for one in body["stretches"])
    assert whole_life == sum(one["seconds"] for one in body["parties"])
    late = {one["party"]: one["late_seconds"] for one in body["parties"]}
    assert late["other_agency"] > 0
    assert late["own_unit"] == late["applicant"] == 0


def test_the_past_is_told_as_it_stood_and_a_dossier_without_receipt_has_no_life(
    client: TestClient, sender: dict[str, str], clock: HandClock
) -> None:
    send(client, sender, "A")
    send(client, sender, "B", received_at=None, status="submitted", due_at=None)

    then = client.get(
        "/v1/dossiers/A/delay", params={"as_of": "2026-08-03T10:00:00+07:00"}, headers=sender
    ).json()
    clock.advance(timedelta(days=1))
    missing = client.get("/v1/dossiers/B/delay", headers=sender)

    assert [one["seconds"] for one in then["stretches"]] == [7_200]
    assert then["held_at_due"] is None
    assert (missing.status_code, missing.json()["code"]) == (404, "dossier.due_date_missing")
