"""Calendars from files over HTTP: shown first, then saved; years arrive and dates with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import HandClock, MakeKey, as_key
from tests.api.procedures import put

CSV = "text/csv"
HOUR = timedelta(hours=1)
STORM = "date,kind,title_vi,document\n2026-08-06,off,Nghỉ do bão,12/CĐ-UBND\n"


@pytest.fixture
def operator(make_key: MakeKey) -> dict[str, str]:
    """Give a key of the whole installation."""
    return as_key(make_key())


def take(
    client: TestClient,
    key: dict[str, str],
    text: str | bytes,
    *,
    media: str = CSV,
    calendar: str = "vn",
    status: int = 200,
    **query: Any,
) -> dict[str, Any]:
    answer = client.post(
        f"/v1/calendars/{calendar}/import",
        content=text,
        params=query,
        headers={**key, "Content-Type": media},
    )
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def due_on(client: TestClient, key: dict[str, str], reading: str = "promised") -> str | None:
    found: dict[str, Any] = client.get("/v1/dossiers/HS-1", headers=key).json()
    on: str | None = found["readings"][reading]["due_on"]
    return on


def test_a_file_is_shown_and_nothing_is_saved(
    client: TestClient, sender: dict[str, str], operator: dict[str, str], clock: HandClock
) -> None:
    put(client, sender)
    clock.advance(HOUR)

    found = take(client, operator, STORM)

    assert (found["saved"], found["version"], found["moves"]) == (False, None, 1)
    assert found["dossiers"][0]["code"] == "HS-1"
    assert found["dossiers"][0]["due_on"] == "2026-08-11"
    change = found["changes"][0]
    assert (change["date"], change["before"]) == ("2026-08-06", None)
    assert change["after"]["title"] == "Nghỉ do bão"
    assert due_on(client, sender) == "2026-08-10"
    assert client.get("/v1/calendars/vn", headers=operator).json()["revision"] == 0


def test_a_file_that_is_saved_moves_whom_the_preview_named(
    client: TestClient, sender: dict[str, str], operator: dict[str, str], clock: HandClock
) -> None:
    put(client, sender)
    clock.advance(HOUR)

    found = take(client, operator, STORM, dry_run="false")

    assert (found["saved"], found["version"], found["moves"]) == (True, 1, 1)
    assert due_on(client, sender) == "2026-08-11"
    told = client.get("/v1/dossiers/HS-1/timeline", headers=sender).json()
    assert [one["reason"] for one in told["revisions"]] == ["initial", "calendar_change"]


def test_icalendar_goes_round_without_a_change(
    client: TestClient, sender: dict[str, str], operator: dict[str, str]
) -> None:
    take(client, operator, STORM, dry_run="false")
    text = client.get("/v1/calendars/vn.ics", headers=operator).content

    found = take(client, operator, text, media="text/calendar; charset=utf-8")

    assert found["changes"] == []


def test_a_unit_takes_only_what_differs_from_what_it_inherits(
    client: TestClient, sender: dict[str, str], operator: dict[str, str]
) -> None:
    own = {"unit": "H44.1", "exceptions": [{"date": "2026-08-07", "kind": "off"}]}
    client.put("/v1/calendars/C", json=own, headers=operator)
    text = client.get("/v1/calendars/vn.ics", headers=operator).text
    event = "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260810\r\nSUMMARY:Lễ\r\nEND:VEVENT\r\n"

    found = take(
        client,
        operator,
        text.replace("END:VCALENDAR", event + "END:VCALENDAR"),
        media="text/calendar",
        calendar="C",
        dry_run="false",
    )

    assert [(one["date"], one["after"] is None) for one in found["changes"]] == [
        ("2026-08-07", True),
        ("2026-08-10", False),
    ]
    held = client.get("/v1/calendars/C", headers=operator).json()
    assert [day["date"] for day in held["told"]["exceptions"]] == ["2026-08-10"]


def test_dates_that_miss_a_year_are_computed_when_the_year_arrives(
    client: TestClient, sender: dict[str, str], operator: dict[str, str], clock: HandClock
) -> None:
    clock.now = datetime(2027, 12, 30, 1, 0, tzinfo=UTC)
    at = "2027-12-29T09:10:00+07:00"
    put(client, sender, received_at=at, source_updated_at=at)
    assert due_on(client, sender) is None
    clock.advance(HOUR)
    file = "date,kind,title_vi\n2028-01-03,off,Nghỉ bù Tết Dương lịch\n"

    found = take(client, operator, file, year=2028, dry_run="false")

    assert (found["looked_at"], found["moves"]) == (1, 1)
    assert found["dossiers"][0]["old_state"] == "open_no_due"
    whole = client.get("/v1/dossiers/HS-1", headers=sender).json()
    assert whole["readings"]["promised"]["due_on"] == "2028-01-06"
    assert (whole["state"], whole["flags"]) == ("open_in_time", [])
    years = client.get("/v1/calendars/vn", headers=operator).json()["years"]
    assert years["2028"] == "official"


def test_a_told_promise_learns_its_statutory_date_when_the_year_arrives(
    client: TestClient, sender: dict[str, str], operator: dict[str, str], clock: HandClock
) -> None:
    clock.now = datetime(2027, 12, 30, 1, 0, tzinfo=UTC)
    at = "2027-12-29T09:10:00+07:00"
    due_at = "2028-01-07T17:00:00+07:00"
    put(client, sender, received_at=at, source_updated_at=at, due_at=due_at)
    assert due_on(client, sender, "statutory") is None
    clock.advance(HOUR)

    found = take(client, operator, "date,kind\n2028-01-03,off\n", year=2028, dry_run="false")

    assert found["moves"] == 0
    assert due_on(client, sender, "statutory") == "2028-01-06"
    assert due_on(client, sender) == "2028-01-07"
    whole = client.get("/v1/dossiers/HS-1", headers=sender).json()
    assert whole["flags"] == ["due_not_reproducible"]
    assert whole["due_difference_working_days"] == 1


def test_a_year_told_whole_replaces_what_was_estimated(
    client: TestClient, operator: dict[str, str]
) -> None:
    found = take(client, operator, "date,kind\n2027-09-02,off\n", year=2027, dry_run="false")

    held = client.get("/v1/calendars/vn", params={"year": 2027}, headers=operator).json()
    assert [day["date"] for day in held["exceptions"]] == ["2027-09-02"]
    assert held["years"]["2027"] == "official"
    assert sum(one["after"] is None for one in found["changes"]) > 5


def test_a_year_may_also_be_told_with_the_calendar(
    client: TestClient, operator: dict[str, str]
) -> None:
    body = {"years": [2028], "exceptions": [{"date": "2028-01-03", "kind": "off"}]}

    held = client.put("/v1/calendars/vn", json=body, headers=operator).json()

    assert held["years"]["2028"] == "official"
    assert held["told"]["years"] == [2028]


@pytest.mark.parametrize(
    ("text", "media", "code", "status"),
    [
        ("date,kind\n2026-02-30,off\n", CSV, "calendar_file.unreadable", 422),
        ("ngày;loại\n", CSV, "calendar_file.unreadable", 422),
        ("date,kind\n2026-05-02,work\n", CSV, "calendar.exception_sessions", 422),
        ("date,kind\n2026-05-04,off\n2026-05-04,off\n", CSV, "calendar.exception_twice", 422),
        ("date,kind,sessions\n2026-05-04,hours,11:00-10:00\n", CSV, None, 422),
        ("nothing", "text/calendar", "calendar_file.unreadable", 422),
        ("date,kind\n".encode("utf-16"), CSV, "body.encoding", 422),
        ("{}", "application/json", "body.media_type", 415),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_line(
    client: TestClient,
    operator: dict[str, str],
    text: str | bytes,
    media: str,
    code: str | None,
    status: int,
) -> None:
    found = take(client, operator, text, media=media, status=status)

    assert found["code"] == (code or "calendar_file.unreadable")
    assert found["detail"]


def test_a_key_of_a_part_does_not_change_the_calendar_of_all(
    client: TestClient, sender: dict[str, str], make_key: MakeKey
) -> None:
    commune = as_key(make_key(unit="H44.1"))

    assert take(client, commune, STORM, status=403)["code"] == "catalogue.shared"
    assert take(client, commune, STORM, calendar="X", status=404)["code"] == "calendar.unknown"
