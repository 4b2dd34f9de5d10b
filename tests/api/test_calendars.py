"""Working calendars through the door."""

from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

STORM = {"date": "2026-08-04", "kind": "off", "title": "Nghỉ do bão", "document": "12/TB"}


def seed(client: TestClient, make_key: MakeKey) -> dict[str, str]:
    key = as_key(make_key())
    client.put("/v1/units/H44", json={"name": "P", "level": "province"}, headers=key)
    return key


def test_the_calendar_of_the_state_is_read_with_its_years(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key(["dossiers:read"]))

    answer = client.get("/v1/calendars/vn?year=2026", headers=key)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["week"]["mon"] == [["07:30", "11:30"], ["13:30", "17:00"]]
    assert body["years"]["2027"] == "estimated"
    assert {day["date"][:4] for day in body["exceptions"]} == {"2026"}
    assert (body["revision"], body["told"]) == (0, None)
    again = client.get(
        "/v1/calendars/vn?year=2026", headers={**key, "If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def test_a_unit_has_a_layer_of_its_own(client: TestClient, make_key: MakeKey) -> None:
    key = seed(client, make_key)

    made = client.put("/v1/calendars/H44", json={"unit": "H44", "exceptions": [STORM]}, headers=key)
    again = client.put(
        "/v1/calendars/H44", json={"unit": "H44", "exceptions": [STORM]}, headers=key
    )

    assert [made.status_code, again.status_code] == [201, 200], made.text
    assert again.json()["revision"] == 1
    assert made.json()["told"]["week"] is None
    assert made.json()["told"]["exceptions"][0]["title"] == "Nghỉ do bão"


def test_exceptions_are_set_and_taken_back_and_the_rest_stays(
    client: TestClient, make_key: MakeKey
) -> None:
    key = seed(client, make_key)
    client.put("/v1/calendars/H44", json={"unit": "H44", "yearly_off": ["03-10"]}, headers=key)
    url = "/v1/calendars/H44/exceptions"

    set_ = client.put(url, json={"exceptions": [STORM]}, headers=key)
    back = client.put(url, json={"removed": ["2026-08-04"]}, headers=key)

    assert set_.status_code == 200, set_.text
    assert [day["date"] for day in set_.json()["told"]["exceptions"]] == ["2026-08-04"]
    assert back.json()["told"]["exceptions"] == []
    assert back.json()["told"]["yearly_off"] == ["03-10"]


def test_the_file_of_a_calendar_names_its_days(client: TestClient, make_key: MakeKey) -> None:
    answer = client.get("/v1/calendars/vn.ics", headers=as_key(make_key()))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "BEGIN:VCALENDAR" in answer.text


def test_what_cannot_be_is_named_with_its_place(client: TestClient, make_key: MakeKey) -> None:
    key = seed(client, make_key)
    twice = {"unit": "H44", "exceptions": [STORM, STORM]}
    backwards = {"unit": "H44", "week": {"mon": [["11:30", "07:30"]]}}
    yearly = {"unit": "H44", "yearly_off": ["01-01", "13-40"]}
    odd = {"unit": "H44", "exceptions": [{**STORM, "sessions": [["07:30", "11:30"]]}]}

    found = [
        client.put("/v1/calendars/H44", json=body, headers=key).json()
        for body in (twice, backwards, yearly, odd)
    ]

    assert [problem["errors"][0]["code"] for problem in found] == [
        "calendar.exception_twice",
        "calendar.session_invalid",
        "calendar.yearly_off_invalid",
        "calendar.exception_sessions",
    ]
    assert [problem["errors"][0]["pointer"] for problem in found] == [
        "",
        "/week/mon/0",
        "/yearly_off/1",
        "/exceptions/0",
    ]


def test_if_match_protects_a_calendar(client: TestClient, make_key: MakeKey) -> None:
    key = seed(client, make_key)
    body = {"unit": "H44"}

    missing = client.put("/v1/calendars/H44", json=body, headers={**key, "If-Match": '"x"'})
    made = client.put("/v1/calendars/H44", json=body, headers={**key, "If-None-Match": "*"})
    there = client.put("/v1/calendars/H44", json=body, headers={**key, "If-None-Match": "*"})

    assert [missing.status_code, made.status_code, there.status_code] == [412, 201, 412]
