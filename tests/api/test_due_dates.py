"""Due dates over HTTP: every given case, and what the cases leave out."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "domain" / "cases" / "clock-examples.json").read_text("utf-8")
)
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(client: TestClient, make_key: MakeKey) -> Ask:
    key = make_key(["dossiers:read"])

    def post(body: dict[str, Any], *, path: str = "calculate", status: int = 200) -> dict[str, Any]:
        answer = client.post(f"/v1/due-dates/{path}", json=body, headers=as_key(key))
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return post


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "calendar": {"id": "vn"},
        "limit": {"kind": "working_days", "value": 5},
        "start": "2026-08-03T09:10:00+07:00",
        "pauses": [],
        "at": None,
    } | changes


def test_all_given_cases_hold(client: TestClient, make_key: MakeKey) -> None:
    key = as_key(make_key())
    wrong = []

    for case in CASES:
        answer = client.post(case["path"], json=case["request"], headers=key)
        got = answer.json()
        for name, expected in case["expect"].items():
            if name.endswith("_at"):
                same = datetime.fromisoformat(got[name]) == datetime.fromisoformat(expected)
            else:
                same = got.get(name) == expected
            if answer.status_code != 200 or not same:
                wrong.append((case["id"], expected, got.get(name), answer.status_code))

    assert len(CASES) == 45
    assert wrong == []


def test_the_ledger_accounts_for_every_day_and_sums_to_the_limit(ask: Ask) -> None:
    found = ask(asked(start="2026-04-28T09:10:00+07:00"))

    assert found["due_on"] == "2026-05-07"
    assert found["due_at"] == "2026-05-07T17:00:00+07:00"
    assert sum(row["counted"] for row in found["ledger"]) == 5
    assert found["ledger"][-1]["running_total"] == 5
    skipped = {row["date"]: row["skipped_because"] for row in found["ledger"] if not row["counted"]}
    assert skipped["2026-04-30"] == "day_off"
    assert skipped["2026-05-02"] == "weekend"


def test_the_sentences_come_in_the_language_of_the_caller(
    client: TestClient, make_key: MakeKey
) -> None:
    key = make_key()
    body = asked()

    vi = client.post("/v1/due-dates/calculate", json=body, headers=as_key(key)).json()
    en = client.post(
        "/v1/due-dates/calculate", json=body, headers=as_key(key, **{"Accept-Language": "en"})
    ).json()

    assert vi["ledger"][1]["sentence"] == "Ngày làm việc"
    assert en["ledger"][1]["sentence"] == "Working day"
    assert vi["due_at"] == en["due_at"]


def test_instants_are_answered_in_the_offset_of_the_start(ask: Ask) -> None:
    utc = ask(asked(start="2026-08-03T02:10:00Z"))

    assert utc["due_at"] == "2026-08-10T10:00:00+00:00"


def test_while_a_pause_is_open_there_is_no_due_date_but_what_is_left(ask: Ask) -> None:
    pause = {"kind": "supplement", "policy": "shift", "started_at": "2026-08-05T10:00:00+07:00"}

    paused = ask(asked(pauses=[pause]))
    ended = ask(asked(pauses=[pause], at="2026-08-12T08:00:00+07:00"))

    assert paused["due_at"] is None
    assert paused["suspended"]["due_before"]["due_on"] == "2026-08-10"
    assert paused["suspended"]["days_left"] == 4
    assert paused["suspended"]["due_if_ended"] is None
    assert ended["due_on"] == ended["suspended"]["due_if_ended"]["due_on"] == "2026-08-17"


def test_a_pause_that_begins_after_the_due_moment_changes_nothing(ask: Ask) -> None:
    pause = {"kind": "payment", "started_at": "2026-08-11T10:00:00+07:00"}

    found = ask(asked(pauses=[pause]))

    assert found["due_on"] == "2026-08-10"
    assert found["suspended"] is None
    assert found["pauses"][0]["effective"] is False


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"limit": {"kind": "working_days", "value": 0}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "working_days", "value": 0.3}}, "/limit", "limit.not_divisible"),
        ({"limit": {"kind": "working_days"}}, "/limit", "limit.value_missing"),
        ({"limit": {"kind": "working_days", "value": True}}, "/limit/value", "field.not_number"),
        ({"limit": {"kind": "working_days", "value": "5"}}, "/limit/value", "field.not_number"),
        ({"limit": {"kind": "working_days", "value": 1e6}}, "/limit/value", "field.too_great"),
        ({"limit": {"kind": "minutes"}}, "/limit/kind", "field.not_allowed"),
        (
            {"limit": {"kind": "working_hours", "duration": "P1D"}},
            "/limit/duration",
            "field.not_duration",
        ),
        ({"start": "2026-08-03T09:10:00"}, "/start", "field.no_offset"),
        ({"start": 1785723000}, "/start", "field.not_instant"),
        ({"start": "0001-01-01T00:00:00Z"}, "/start", "field.year_out_of_range"),
        ({"start": "9999-12-31T23:59:59Z"}, "/start", "field.year_out_of_range"),
        ({"calendar": {}}, "/calendar", "calendar.reference"),
        ({"calendar": {"id": "vn", "week": {}}}, "/calendar", "calendar.reference"),
        (
            {"calendar": {"week": {"mon": [["09:00", "08:00"]]}}},
            "/calendar/week/mon/0",
            "calendar.session_invalid",
        ),
        (
            {"calendar": {"week": {"mon": [["08:00", "12:00"], ["11:00", "13:00"]]}}},
            "/calendar/week",
            "calendar.sessions_overlap",
        ),
        ({"calendar": {"week": {"mon": []}}}, "/calendar", "calendar.no_sessions"),
        (
            {"calendar": {"timezone": "Mars/Olympus", "week": {"mon": [["08:00", "12:00"]]}}},
            "/calendar",
            "calendar.zone_unknown",
        ),
        (
            {
                "pauses": [
                    {
                        "kind": "other",
                        "started_at": "2026-08-05T10:00:00Z",
                        "ended_at": "2026-08-04T10:00:00Z",
                    }
                ]
            },
            "/pauses/0",
            "pause.ends_before_start",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_place(
    ask: Ask, changes: dict[str, Any], pointer: str, code: str
) -> None:
    found = ask(asked(**changes), status=422)

    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [(pointer, code)]


def test_a_year_not_loaded_is_named_and_not_guessed(ask: Ask) -> None:
    found = ask(asked(start="2031-08-03T09:10:00+07:00"), status=422)

    assert found["code"] == "calendar.year_missing"
    assert found["params"]["year"] == "2031"
    assert "2031" in found["detail"]


def test_a_calendar_nobody_told_does_not_exist(ask: Ask) -> None:
    assert ask(asked(calendar={"id": "x"}), status=404)["code"] == "calendar.unknown"
    assert ask(asked(calendar={"unit": "H9"}), status=404)["code"] == "unit.unknown"


def test_an_end_before_the_start_is_refused_at_its_place(ask: Ask) -> None:
    body = {
        "calendar": {"id": "vn"},
        "start": "2026-08-04T09:10:00+07:00",
        "end": "2026-08-03T09:10:00+07:00",
    }

    found = ask(body, path="elapsed", status=422)

    assert found["errors"][0]["pointer"] == "/end"
    assert found["code"] == "span.end_before_start"


def test_the_longest_limits_end_in_an_answer_or_a_refusal(ask: Ask) -> None:
    week = {"mon": [["08:00", "12:00"]]}
    body = asked(
        calendar={"week": week},
        limit={"kind": "working_days", "value": 10_000},
        start="2199-08-03T09:10:00+07:00",
    )

    assert ask(body, status=422)["status"] == 422


def test_the_calendar_of_a_unit_is_its_own_over_those_above(
    client: TestClient, make_key: MakeKey, ask: Ask
) -> None:
    key = as_key(make_key())
    client.put("/v1/units/H44", json={"name": "P", "level": "province"}, headers=key)
    client.put(
        "/v1/units/H44.1", json={"name": "C", "level": "commune", "parent": "H44"}, headers=key
    )
    storm = {"date": "2026-08-04", "kind": "off", "title": "Nghỉ do bão"}
    made = client.put("/v1/calendars/H44", json={"unit": "H44", "exceptions": [storm]}, headers=key)
    assert made.status_code == 201, made.text

    found = ask(asked(calendar={"unit": "H44.1"}))

    assert found["due_on"] == "2026-08-11"
    sentences = {row["date"]: row["sentence"] for row in found["ledger"]}
    assert sentences["2026-08-04"] == "Ngày nghỉ: Nghỉ do bão"
