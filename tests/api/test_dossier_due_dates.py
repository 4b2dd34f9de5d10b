"""Why a dossier is due then, over HTTP: each reading accounted for, as data and as a page."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.api.procedures import put


def why(
    client: TestClient, sender: dict[str, str], status: int = 200, **query: str
) -> dict[str, Any]:
    answer = client.get("/v1/dossiers/HS-1/due-date", params=query, headers=sender)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stored(client: TestClient, sender: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/dossiers/HS-1", headers=sender).json()
    return found


def test_a_computed_due_date_is_accounted_for_day_by_day(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender)

    found = why(client, sender)

    assert (
        found["due_on"] == stored(client, sender)["readings"]["promised"]["due_on"] == "2026-08-10"
    )
    assert (found["total"], found["ledger_unit"], found["promised"]) == (5, "days", None)
    assert sum(row["counted"] for row in found["ledger"]) == 5
    assert [row["skipped_because"] for row in found["ledger"]] == [
        "start_day",
        *[None] * 4,
        "weekend",
        "weekend",
        None,
    ]
    assert found["calendar"]["id"] == "vn"
    assert found["calendar"]["version"].startswith("2017-2027.")
    assert found["due_at"] == "2026-08-10T17:00:00+07:00"


def test_the_limit_names_its_version_its_basis_and_that_nobody_compared_it(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender)

    limit = why(client, sender)["limit"]

    assert (limit["procedure"], limit["revision"], limit["valid_from"]) == ("DAYS", 1, "2020-01-01")
    assert limit["legal_basis"] == "NĐ 61/2018, Điều 19"
    assert (limit["is_verified"], limit["note"]) == (False, "chưa đối chiếu văn bản")
    assert limit["pauses"]["supplement"] == "restart"


def test_a_verified_limit_carries_no_warning(client: TestClient, sender: dict[str, str]) -> None:
    put(client, sender, procedure="SAME_DAY")

    limit = why(client, sender)["limit"]

    assert (limit["is_verified"], limit["note"], limit["cutoff"]) == (True, None, "15:00")


@pytest.mark.parametrize(
    ("procedure", "due_at", "total", "unit"),
    [
        ("DAYS", "2026-08-10T17:00:00+07:00", 5, "days"),
        ("HALF", "2026-08-06T11:30:00+07:00", 2.5, "days"),
        ("CALENDAR", "2026-08-13T17:00:00+07:00", 10, "days"),
        ("HOURS", "2026-08-04T09:40:00+07:00", 28800, "seconds"),
        ("SAME_DAY", "2026-08-03T17:00:00+07:00", 1, "days"),
    ],
)
def test_every_kind_of_limit_sums_up(
    client: TestClient, sender: dict[str, str], procedure: str, due_at: str, total: float, unit: str
) -> None:
    put(client, sender, procedure=procedure)

    found = why(client, sender)

    assert (found["due_at"], found["total"], found["ledger_unit"]) == (due_at, total, unit)
    assert sum(row["counted"] for row in found["ledger"]) == total


def test_a_promise_that_was_told_keeps_its_days_under_a_pause(
    client: TestClient, sender: dict[str, str]
) -> None:
    pause = {
        "kind": "payment",
        "started_at": "2026-08-04T10:00:00+07:00",
        "ended_at": "2026-08-06T08:00:00+07:00",
    }
    put(client, sender, due_at="2026-08-07T17:00:00+07:00", pauses=[pause])

    promised, law = why(client, sender), why(client, sender, reading="statutory")
    sent = why(client, sender, reading="as_sent")

    assert (promised["promised"]["due_on"], promised["due_on"]) == ("2026-08-07", "2026-08-11")
    assert (promised["total"], law["total"]) == (4, 5)
    assert law["due_on"] == "2026-08-12"
    assert (sent["due_on"], sent["pauses"]) == ("2026-08-07", [])
    assert promised["pauses"][0]["due_after"]["due_on"] == "2026-08-11"
    skipped = [row["date"] for row in promised["ledger"] if row["skipped_because"] == "paused"]
    assert skipped == ["2026-08-04", "2026-08-05"]
    readings = stored(client, sender)["readings"]
    for reading, found in (("promised", promised), ("statutory", law), ("as_sent", sent)):
        assert found["due_on"] == readings[reading]["due_on"]


def test_the_difference_to_the_law_has_a_size(client: TestClient, sender: dict[str, str]) -> None:
    put(client, sender, due_at="2026-08-06T17:00:00+07:00")

    whole = stored(client, sender)

    assert "due_not_reproducible" in whole["flags"]
    assert whole["due_difference_working_days"] == -2
    assert why(client, sender)["due_difference_working_days"] == -2


def test_an_extension_with_apology_has_an_account_of_its_own(
    client: TestClient, sender: dict[str, str]
) -> None:
    letter = {"issued_at": "2026-08-06T09:00:00+07:00", "new_due_at": "2026-08-14T17:00:00+07:00"}
    put(client, sender, due_at="2026-08-10T17:00:00+07:00", extension=letter)

    assert why(client, sender, reading="promised")["due_on"] == "2026-08-10"
    extended = why(client, sender, reading="extended")
    assert (extended["due_on"], extended["total"]) == ("2026-08-14", 9)


def test_while_paused_there_is_no_due_date_but_what_is_left(
    client: TestClient, sender: dict[str, str], clock: HandClock
) -> None:
    clock.now = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
    pause = {"kind": "supplement", "started_at": "2026-08-05T10:00:00+07:00"}
    put(client, sender, procedure="SHIFT", pauses=[pause])

    found = why(client, sender)

    assert found["due_at"] is None
    left = found["suspended"]
    assert (left["days_left"], left["kinds"]) == (4, ["supplement"])
    assert left["due_before"]["due_on"] == "2026-08-10"
    assert left["due_if_ended"]["due_on"] == "2026-08-13"
    assert stored(client, sender)["readings"]["promised"]["due_on"] == "2026-08-10"


def test_as_of_forgets_what_had_not_happened(client: TestClient, sender: dict[str, str]) -> None:
    pause = {
        "kind": "payment",
        "started_at": "2026-08-04T10:00:00+07:00",
        "ended_at": "2026-08-06T08:00:00+07:00",
    }
    put(client, sender, pauses=[pause])

    before = why(client, sender, as_of="2026-08-04T09:00:00+07:00")
    during = why(client, sender, as_of="2026-08-05T09:00:00+07:00")
    after = why(client, sender, as_of="2026-08-06T09:00:00+07:00")

    assert (before["due_on"], before["suspended"]) == ("2026-08-10", None)
    assert (during["due_on"], during["suspended"]["days_left"]) == (None, 5)
    assert after["due_on"] == "2026-08-12"


def test_a_place_independent_dossier_starts_at_the_competent_unit(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender, place_independent=True, clock_start_at="2026-08-05T14:00:00+07:00")

    found = why(client, sender)

    assert found["due_on"] == "2026-08-12"
    assert found["clock_start_at"] == "2026-08-05T14:00:00+07:00"
    assert "đơn vị có thẩm quyền" in found["clock_start_reason"]


def test_a_pause_is_inferred_from_statuses_and_restarts_per_procedure(
    client: TestClient, sender: dict[str, str]
) -> None:
    def step(status: str, at: str) -> None:
        body = {"kind": "step", "status": status, "at": at, "source_updated_at": at}
        answer = client.post("/v1/dossiers/HS-1/events", json=body, headers=sender)
        assert answer.status_code == 200, answer.text

    for procedure, due_on in (("DAYS", "2026-08-14"), ("SHIFT", "2026-08-12")):
        put(client, sender, procedure=procedure, source_updated_at="2026-08-03T09:20:00+07:00")
        if procedure == "DAYS":
            step("awaiting_supplement", "2026-08-05T10:00:00+07:00")
            step("processing", "2026-08-07T08:00:00+07:00")
        found = why(client, sender)
        assert (found["due_on"], found["pauses"][0]["kinds"]) == (due_on, ["supplement"])


def test_sentences_follow_the_language_and_data_does_not(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender)

    vi = why(client, sender)
    en = client.get(
        "/v1/dossiers/HS-1/due-date", headers={**sender, "Accept-Language": "en"}
    ).json()

    assert vi["ledger"][0]["sentence"] == "Ngày tiếp nhận, chưa tính"
    assert en["ledger"][0]["sentence"] == "Day of receipt, not counted"
    assert vi["due_at"] == en["due_at"]


def test_a_dossier_without_a_due_date_has_nothing_to_account_for(
    client: TestClient, sender: dict[str, str]
) -> None:
    put(client, sender, procedure="NONE")

    assert why(client, sender, status=404)["code"] == "dossier.due_date_missing"
    assert client.get("/v1/dossiers/HS-2/due-date", headers=sender).status_code == 404


def test_an_erased_due_date_is_no_date_as_sent(client: TestClient, sender: dict[str, str]) -> None:
    put(client, sender)

    assert why(client, sender, 404, reading="as_sent")["code"] == "dossier.due_date_missing"


def test_a_missing_year_is_named(
    client: TestClient, sender: dict[str, str], clock: HandClock
) -> None:
    clock.now = datetime(2027, 12, 30, 1, 0, tzinfo=UTC)
    at = "2027-12-29T09:10:00+07:00"
    put(client, sender, received_at=at, source_updated_at=at)

    found = why(client, sender, status=422)

    assert (found["code"], found["params"]["year"]) == ("calendar.year_missing", "2028")
    whole = stored(client, sender)
    assert whole["state"] == "open_no_due"
    assert "due_not_computable" in whole["flags"]


def test_another_province_does_not_see_it(
    client: TestClient, sender: dict[str, str], make_key: MakeKey
) -> None:
    put(client, sender)
    client.put("/v1/units/H56", json={"name": "Q", "level": "province"}, headers=as_key(make_key()))

    assert why(client, as_key(make_key(unit="H56")), status=404)["code"] == "dossier.unknown"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"as_of": "2026-08-05T09:00:00"}, "/as_of"),
        ({"reading": "kindest"}, "/reading"),
        ({"format": "pdf"}, "/format"),
    ],
)
def test_what_cannot_be_asked_is_named(
    client: TestClient, sender: dict[str, str], query: dict[str, str], pointer: str
) -> None:
    put(client, sender)

    assert why(client, sender, 422, **query)["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        ("2026-08-10T23:59:00+07:00", "open_in_time"),
        ("2026-08-11T00:00:00+07:00", "open_in_time"),
        ("2026-08-11T00:01:00+07:00", "open_overdue"),
    ],
)
def test_due_today_is_in_time_until_midnight_and_overdue_a_minute_later(
    client: TestClient, sender: dict[str, str], as_of: str, state: str
) -> None:
    put(client, sender)

    found = client.get("/v1/dossiers/HS-1", params={"as_of": as_of}, headers=sender).json()

    assert (found["readings"]["promised"]["due_on"], found["state"]) == ("2026-08-10", state)


@pytest.mark.parametrize(
    ("finished_at", "state"),
    [
        ("2026-08-09T23:59:00+07:00", "finished_early"),
        ("2026-08-10T00:00:00+07:00", "finished_on_time"),
        ("2026-08-10T23:59:00+07:00", "finished_on_time"),
        ("2026-08-11T00:01:00+07:00", "finished_late"),
    ],
)
def test_a_finish_is_judged_by_the_local_day(
    client: TestClient, sender: dict[str, str], clock: HandClock, finished_at: str, state: str
) -> None:
    clock.now = datetime(2026, 8, 12, tzinfo=UTC)
    put(client, sender, finished_at=finished_at, status="finished")

    assert stored(client, sender)["state"] == state


@pytest.mark.parametrize(
    ("finished_at", "state"),
    [
        ("2026-08-04T07:29:00+07:00", "finished_early"),
        ("2026-08-04T09:40:00+07:00", "finished_on_time"),
        ("2026-08-04T09:40:01+07:00", "finished_late"),
    ],
)
def test_a_finish_under_an_hour_limit_is_judged_by_the_instant(
    client: TestClient, sender: dict[str, str], finished_at: str, state: str
) -> None:
    put(client, sender, procedure="HOURS", finished_at=finished_at, status="finished")

    assert stored(client, sender)["state"] == state


def test_a_pause_begun_after_the_due_date_leaves_it_late(
    client: TestClient, sender: dict[str, str], clock: HandClock
) -> None:
    clock.now = datetime(2026, 8, 20, tzinfo=UTC)
    pause = {
        "kind": "supplement",
        "started_at": "2026-08-11T08:00:00+07:00",
        "ended_at": "2026-08-13T08:00:00+07:00",
    }
    put(client, sender, pauses=[pause])

    assert stored(client, sender)["state"] == "open_overdue"
    assert why(client, sender)["pauses"][0]["effective"] is False
