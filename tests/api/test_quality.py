"""Data quality over HTTP: named issues in both languages, each with its list and its trend."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.domain.dossier import Issue
from tests.api.conftest import HandClock, MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Phường Việt Trì", "level": "commune", "parent": "H44"},
]
BOARD = "/v1/data-quality?unit=H44&from=2026-07-01&to=2026-08-31"


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> str:
    """Give a key, with units, and two dossiers: one back-dated, one from two systems."""
    key = make_key()
    client.post("/v1/units/batch", json={"units": UNITS}, headers=as_key(key))
    open_then_backdated = [
        record("H44.100-260706-0001", "2026-07-15T09:00:00+07:00", status="processing"),
        record(
            "H44.100-260706-0001",
            "2026-07-16T09:00:00+07:00",
            status="finished",
            finished_at="2026-07-10T16:00:00+07:00",
        ),
    ]
    send(client, key, *open_then_backdated, record("D-2", "2026-08-03T09:00:00+07:00"))
    send(client, make_key(source="bo"), record("D-2", "2026-08-03T09:30:00+07:00"))
    return key


def record(code: str, stamp: str, **facts: object) -> dict[str, object]:
    return {
        "code": code,
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": "in_person",
        "received_at": "2026-07-06T09:00:00+07:00",
        "due_at": "2026-07-10T17:00:00+07:00",
        "source_updated_at": stamp,
        **facts,
    }


def send(client: TestClient, key: str, *records: dict[str, object]) -> None:
    for one in records:
        answer = client.post("/v1/dossiers/batch", json={"dossiers": [one]}, headers=as_key(key))
        assert answer.json()["accepted"] == 1, answer.text


def board(client: TestClient, key: str, more: str = "", **headers: str) -> dict[str, Any]:
    answer = client.get(BOARD + more, headers=as_key(key, **headers))
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["issues"]}


def test_an_issue_tells_its_weight_its_rule_its_times_and_its_list(
    client: TestClient, key: str, clock: HandClock
) -> None:
    line = board(client, key)["finish_backdated"]

    listed = client.get(line["dossiers"], headers=as_key(key)).json()["dossiers"]
    assert (line["severity"], line["count"]) == ("serious", 1)
    assert line["title"] == "Ngày giải quyết xong sớm hơn lần cuối còn thấy hồ sơ đang xử lý"
    assert line["first_seen"] == line["last_seen"] is not None
    assert [one["code"] for one in listed] == ["H44.100-260706-0001"]


def test_every_count_of_the_board_and_of_its_trend_opens_a_list_of_that_length(
    client: TestClient, key: str
) -> None:
    lines = board(client, key)

    counts = [line for line in lines.values() if line["count"]]
    for line in counts:
        for cell in (line, *line["trend"]):
            listed = client.get(cell["dossiers"], headers=as_key(key)).json()["dossiers"]
            assert len(listed) == cell["count"], (line["code"], cell)
    assert set(lines) == set(Issue)
    assert {"finish_backdated", "same_from_two_sources", "unknown_procedure"} <= {
        line["code"] for line in counts
    }


def test_one_issue_may_be_asked_for_alone_and_in_english(client: TestClient, key: str) -> None:
    lines = board(client, key, "&issue=closed_in_bulk", **{"Accept-Language": "en"})

    assert list(lines) == ["closed_in_bulk"]
    assert lines["closed_in_bulk"]["rule"].startswith("10 dossiers or more of one unit ended")


def test_an_issue_across_dossiers_is_not_asked_of_the_past(client: TestClient, key: str) -> None:
    path = "/v1/dossiers?unit=H44&from=2026-07-01&to=2026-08-31&flag=closed_in_bulk"

    answer = client.get(f"{path}&known_at=2026-08-01T00:00:00%2B07:00", headers=as_key(key))

    assert answer.status_code == 422
    assert answer.json()["code"] == "quality.flag_of_present_only"


def test_an_unknown_issue_is_refused(client: TestClient, key: str) -> None:
    answer = client.get(BOARD + "&issue=fraud", headers=as_key(key))

    assert answer.status_code == 422


def test_a_unit_outside_is_not_shown(client: TestClient, key: str, make_key: MakeKey) -> None:
    answer = client.get(BOARD, headers=as_key(make_key(unit="H44.100")))

    assert answer.status_code == 404
