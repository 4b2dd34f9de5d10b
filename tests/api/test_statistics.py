"""Figures over HTTP: the shape of the answer, its checks, and the list behind every count."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.statistics import StatisticsOut
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, FINISHED, IN_HAND, Count
from app.rulebook.metrics import load_metrics
from tests.api.conftest import HandClock, MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "Phường Việt Trì", "level": "commune", "parent": "H44"},
    {"code": "H44.101", "name": "Xã Hy Cương", "level": "commune", "parent": "H44"},
    {"code": "H44.01", "name": "Sở Nội vụ", "level": "department", "parent": "H44"},
    {"code": "H44.100.1", "name": "Điểm tiếp nhận", "level": "service_point", "parent": "H44.100"},
    {"code": "H15", "name": "Tỉnh Đắk Lắk", "level": "province"},
]
LIMIT = {"valid_from": "2025-01-01", "legal_basis": "Quyết định công bố"}
PROCEDURES = [
    {
        "code": "1.001193",
        "name": "Đăng ký khai sinh",
        "field": "G15-TP01",
        "online_level": "full",
        "limits": [{**LIMIT, "kind": "working_days", "value": 3}],
    },
    {
        "code": "2.000815",
        "name": "Chứng thực bản sao",
        "field": "G15-TP02",
        "online_level": "partial",
        "limits": [{**LIMIT, "kind": "same_day"}],
    },
    {"code": "1.000001", "name": "Tra cứu", "field": "G01-A", "online_level": "information"},
]


def at(day: int, hour: int = 9, month: int = 7) -> str:
    return f"2026-{month:02}-{day:02}T{hour:02}:00:00+07:00"


def dossier(number: int, **facts: object) -> dict[str, object]:
    told: dict[str, object] = {
        "code": f"H44-{number:04}",
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": "online",
        "applicant_type": "citizen",
        "received_at": at(6),
        "due_at": at(10, 17),
        "status": "processing",
        "source_updated_at": at(6),
    }
    return told | facts


def finished(day: int, hour: int = 9, **facts: object) -> dict[str, object]:
    return {
        "status": "finished",
        "finished_at": at(day, hour),
        "source_updated_at": at(day, hour),
        **facts,
    }


DOSSIERS = [
    # carried over from June
    dossier(1, received_at=at(25, month=6), **finished(8)),
    dossier(2, received_at=at(25, month=6), channel="in_person"),
    # ends of every kind
    dossier(3, **finished(9), returned_at=at(9, 15), return_method="counter"),
    dossier(4, **finished(10, 16), returned_at=at(13), return_method="post"),
    dossier(5, **finished(13), returned_at=at(13), return_method="online"),
    dossier(6, **finished(14), channel="post", extension={
        "issued_at": at(9), "new_due_at": at(15, 17)}),
    dossier(7, unit="H44.101", channel="unknown", procedure="KHÔNG-CÓ", due_at=None, **finished(8)),
    dossier(8, status="withdrawn", ended_at=at(8), source_updated_at=at(8)),
    dossier(9, status="withdrawn", ended_at=at(15), source_updated_at=at(15)),
    dossier(10, status="stopped", ended_at=at(9), outcome="refused", source_updated_at=at(9)),
    # in hand at the end of July
    dossier(11, unit="H44.101", due_at=at(5, 17, month=8)),
    dossier(12, unit="H44.101", procedure="1.000001", applicant_type="business"),
    dossier(13, unit="H44.101", procedure="KHÔNG-CÓ", due_at=None),
    dossier(14, status="awaiting_supplement", pauses=[
        {"kind": "supplement", "started_at": at(7), "ended_at": None}]),
    dossier(15, extension={"issued_at": at(9), "new_due_at": at(15, 17)}),
    # one and two requests for a supplement
    dossier(16, **finished(10, 16), pauses=[
        {"kind": "supplement", "started_at": at(7), "ended_at": at(8)}]),
    dossier(17, **finished(10, 16), pauses=[
        {"kind": "supplement", "started_at": at(7), "ended_at": at(8)},
        {"kind": "supplement", "started_at": at(9), "ended_at": at(9, 11)}]),
    # before receipt
    dossier(18, status="submitted", received_at=None, due_at=None, submitted_at=at(31, 16)),
    dossier(19, status="submitted", received_at=None, due_at=None, submitted_at=at(20)),
    dossier(20, status="processing", received_at=None, due_at=None),
    dossier(21, status="refused_at_intake", received_at=None, due_at=None, submitted_at=at(20),
            ended_at=at(20, 11), source_updated_at=at(20, 11)),
    dossier(22, submitted_at=at(2), received_at=at(6), due_at=at(31, 17)),
    # same day, unknown unit, another year's due date
    dossier(23, procedure="2.000815", due_at=None, **finished(6, 11)),
    dossier(24, unit="Văn phòng X", **finished(8)),
    dossier(25, unit="H44.01", channel="in_person", **finished(7)),
    dossier(26, unit="H44", channel="in_person", **finished(7)),
    dossier(27, unit="H44.100.1", **finished(8)),
    # late without a letter, and late where none is owed
    dossier(28, **finished(13)),
    dossier(29, **finished(13)),
]  # fmt: skip
EVENTS = [
    {"code": "H44-0004", "kind": "reopening", "at": at(14), "reason": "sai sót"},
    {"code": "H44-0012", "kind": "transfer", "at": at(8), "unit": "H44.100"},
    {"code": "H44-0005", "kind": "apology", "at": at(13), "document": "1/XL"},
    {"code": "H44-0002", "kind": "apology", "at": at(13), "exempt": True},
    {"code": "H44-0029", "kind": "apology", "at": at(13), "exempt": True},
    {"code": "H44-0026", "kind": "reopening", "at": at(9), "reason": "sai sót"},
]
VOID = {"kind": "void", "at": at(20), "reason": "gửi nhầm"}
"""Of dossier 26, by a superior."""
JULY = {"unit": "H44", "from": "2026-07-01", "to": "2026-07-31"}


@pytest.fixture
def province(client: TestClient, make_key: MakeKey) -> str:
    """Give a key of a province of which no dossier has been told."""
    whole = as_key(make_key())
    for path, name, told in (
        ("/v1/units/batch", "units", UNITS),
        ("/v1/procedures/batch", "procedures", PROCEDURES),
    ):
        answer = client.post(path, json={name: told}, headers=whole)
        assert answer.status_code == 200, answer.text
    return make_key(unit="H44")


@pytest.fixture
def key(client: TestClient, province: str, make_key: MakeKey, clock: HandClock) -> str:
    """Give the key of that province after it was told a dossier of every kind."""
    tell_every_kind(client, province, make_key())
    clock.advance(timedelta(minutes=1))
    return province


def tell_every_kind(client: TestClient, province: str, superior: str) -> None:
    """Tell a dossier of every kind, and what only a superior may tell."""
    for path, name, entries in (
        ("/v1/dossiers/batch", "dossiers", DOSSIERS),
        ("/v1/events/batch", "events", EVENTS),
    ):
        answer = client.post(path, json={name: entries}, headers=as_key(province))
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(entries), answer.text
    told = client.post(
        "/v1/dossiers/H44-0026/events?source=test", json=VOID, headers=as_key(superior)
    )
    assert told.is_success, told.text


def ask(client: TestClient, key: str, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/statistics", params=JULY | query, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refusal(client: TestClient, key: str, **query: str) -> tuple[int, str]:
    answer = client.get("/v1/statistics", params=JULY | query, headers=as_key(key))
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def listed(client: TestClient, key: str, address: str) -> Iterator[dict[str, Any]]:
    """Read a list page by page."""
    while True:
        answer = client.get(address + "&limit=5", headers=as_key(key))
        assert answer.status_code == 200, answer.text
        yield from answer.json()["dossiers"]
        if answer.json()["next_cursor"] is None:
            return
        address = answer.links["next"]["url"].removesuffix("&limit=5")


def test_the_answer_has_every_count_and_the_rates_asked_for(client: TestClient, key: str) -> None:
    body = ask(client, key, definitions="on_time_of_finished,on_time_of_received@1")

    counts = body["total"]["counts"]
    assert list(counts) == [count.value for count in COUNTS]
    assert (body["reading"], body["units"], body["rows"]) == ("promised", "as_now", [])
    assert body["as_of"] == "2026-07-31T17:00:00Z"
    assert body["known_at"] == "2026-08-10T01:01:00Z"
    early_and_on_time = counts["finished_early"] + counts["finished_on_time"]
    first, second = body["total"]["rates"]
    assert first == {
        "definition": "on_time_of_finished@1",
        "numerator": early_and_on_time,
        "denominator": early_and_on_time + counts["finished_late"],
        "percent": first["percent"],
        "small_sample": False,
    }
    assert second["definition"] == "on_time_of_received@1"


@pytest.mark.parametrize("group_by", ["", "child,month", "procedure"])
def test_the_answer_is_what_its_model_says(client: TestClient, key: str, group_by: str) -> None:
    include = "lateness,durations,oldest,legs"
    body = ask(client, key, group_by=group_by, include=include, links="true")

    model = StatisticsOut.model_validate(body, strict=False, extra="forbid")

    assert model.model_dump(mode="json", exclude_unset=True) == body


def test_the_dossiers_of_the_test_reach_every_count(client: TestClient, key: str) -> None:
    total = ask(client, key)["total"]["counts"]
    empty = {name for name, number in total.items() if number == 0}

    assert empty == {count.value for count in CATALOGUE_COUNTS}


@pytest.mark.parametrize(
    ("reading", "exclude_same_day"),
    [
        *((reading, "false") for reading in ("promised", "extended", "as_sent", "statutory")),
        ("promised", "true"),
    ],
)
def test_the_list_behind_every_count_has_as_many_rows_as_the_figure(
    client: TestClient, key: str, reading: str, exclude_same_day: str
) -> None:
    total = ask(client, key, reading=reading, exclude_same_day=exclude_same_day)["total"]

    assert set(total["links"]) == {count.value for count in COUNTS} - {
        count.value for count in CATALOGUE_COUNTS
    }
    found = {
        name: sum(1 for _ in listed(client, key, link)) for name, link in total["links"].items()
    }
    assert found == {name: total["counts"][name] for name in total["links"]}


@pytest.mark.parametrize("reading", ["promised", "extended", "as_sent", "statutory"])
@pytest.mark.parametrize("same_day", ["true", "false"])
def test_days_late_add_up_to_the_figure_and_open_lists_of_as_many(
    client: TestClient, key: str, reading: str, same_day: str
) -> None:
    total = ask(client, key, reading=reading, include="lateness", exclude_same_day=same_day)[
        "total"
    ]

    for count in ("finished_late", "open_overdue"):
        classes = total["lateness"][count]
        assert sum(classes.values()) == total["counts"][count] > 0
        for late, number in classes.items():
            link = f"{total['links'][count]}&late={late}"
            assert sum(1 for _ in listed(client, key, link)) == number


def test_days_taken_and_the_oldest_dossier_stand_beside_the_rows_that_ask(
    client: TestClient, key: str
) -> None:
    body = ask(client, key, include="durations, oldest", group_by="child")

    assert "lateness" not in body["total"]
    taken = body["total"]["durations"]
    counts = body["total"]["counts"]
    assert taken["finishes"] == sum(counts[count.value] for count in FINISHED) > 0
    assert taken["not_computable"] == 0
    assert taken["median_days"] <= taken["p90_days"]
    assert body["total"]["oldest_open"]["code"] == "H44-0002"
    assert body["total"]["oldest_open"]["started_on"] == "2026-06-25"
    own = next(row for row in body["rows"] if row["child"] == "H44.01")
    assert own["durations"] == {
        "finishes": 1,
        "not_computable": 0,
        "median_days": 1,
        "p90_days": 1,
        "small_sample": True,
    }
    assert own["oldest_open"] is None
    assert sum(row["durations"]["finishes"] for row in body["rows"]) == taken["finishes"]


def test_only_lists_of_late_dossiers_are_narrowed_by_days_late(
    client: TestClient, key: str
) -> None:
    asked = {**JULY, "count": "received", "late": "1-3"}

    answer = client.get("/v1/dossiers", params=asked, headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (422, "dossier.lateness_of_late_only")


@pytest.mark.parametrize(
    "group_by",
    [
        *("unit", "child", "level", "field", "procedure", "channel", "applicant_type"),
        *("online_level", "day", "month", "quarter", "year", "unit,field,month", "child,level"),
    ],
)
def test_rows_add_up_to_the_whole_and_open_their_dossiers(
    client: TestClient, key: str, group_by: str
) -> None:
    body = ask(client, key, group_by=group_by, links="true")
    words = group_by.split(",")

    assert body["rows"]
    for row in body["rows"]:
        assert [name for name in words if name not in row] == []
        assert {row["identities"]["I1"], row["identities"]["I2"]} == {0}
    assert set(body["total"]["identities"].values()) == {0}
    for row in body["rows"][:: max(1, len(body["rows"]) // 6)]:
        for name in ("received", "open_overdue", "finished_on_time", "due", "carried_over"):
            behind = list(listed(client, key, row["links"][name]))
            assert len(behind) == row["counts"][name], (row, name)


def test_what_one_month_hands_over_is_what_the_next_one_carries_over(
    client: TestClient, key: str
) -> None:
    body = ask(client, key, **{"from": "2026-06-01"}, to="2026-08-10", group_by="month")
    rows = [row["counts"] for row in body["rows"]]

    assert [row["month"] for row in body["rows"]] == ["2026-06", "2026-07", "2026-08"]
    assert body["total"]["identities"] == {"I1": 0, "I2": 0, "I3": 0, "I4": 0}
    for before, after in pairwise(rows):
        assert after["carried_over"] == sum(before[count.value] for count in IN_HAND)
    finishes = [sum(row[count.value] for count in FINISHED) for row in rows]
    assert sum(finishes) == sum(body["total"]["counts"][count.value] for count in FINISHED)


def test_a_unit_alone_is_counted_without_what_is_below_it(client: TestClient, key: str) -> None:
    whole = ask(client, key, unit="H44.100")["total"]["counts"]["received"]
    alone = ask(client, key, unit="H44.100", scope="own")["total"]["counts"]["received"]
    below = ask(client, key, unit="H44.100.1")["total"]["counts"]["received"]

    assert (below, whole) == (1, alone + 1)


def test_filters_narrow_the_figures_and_unknown_is_a_bucket_of_its_own(
    client: TestClient, key: str
) -> None:
    rows = ask(client, key, group_by="procedure")["rows"]
    by_procedure = {row["procedure"]: row["counts"]["received"] for row in rows}

    for code, number in by_procedure.items():
        narrowed = ask(client, key, procedure=code or "~unknown")["total"]["counts"]["received"]
        assert narrowed == number
    assert by_procedure[None] == 2


def test_same_day_procedures_can_be_left_out(client: TestClient, key: str) -> None:
    whole = ask(client, key)["total"]["counts"]["received"]

    assert ask(client, key, exclude_same_day="true")["total"]["counts"]["received"] == whole - 1


def test_figures_are_those_known_at_the_moment_asked_for(
    client: TestClient, key: str, clock: HandClock
) -> None:
    before = ask(client, key)
    known_at = before["known_at"]
    clock.advance(timedelta(days=1))
    late = dossier(40, **finished(9))
    answer = client.post("/v1/dossiers/batch", json={"dossiers": [late]}, headers=as_key(key))
    assert answer.json()["accepted"] == 1

    then = ask(client, key, known_at=known_at)
    now = ask(client, key)

    assert then["total"]["counts"] == before["total"]["counts"]
    received = Count.RECEIVED.value
    assert now["total"]["counts"][received] == before["total"]["counts"][received] + 1
    link = before["total"]["links"]["received"]
    assert len(list(listed(client, key, link))) == before["total"]["counts"][received]


def test_the_tag_stays_while_the_figures_do(client: TestClient, key: str, clock: HandClock) -> None:
    first = client.get("/v1/statistics", params=JULY, headers=as_key(key))
    tag = first.headers["etag"]
    clock.advance(timedelta(hours=1))

    again = client.get("/v1/statistics", params=JULY, headers=as_key(key, **{"If-None-Match": tag}))
    client.put("/v1/dossiers/H44-0041", json=_told(dossier(41)), headers=as_key(key))
    after = client.get("/v1/statistics", params=JULY, headers=as_key(key, **{"If-None-Match": tag}))

    assert tag.startswith('W/"')
    assert (again.status_code, again.content) == (304, b"")
    assert after.status_code == 200
    assert after.headers["etag"] != tag


def _told(record: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in record.items() if name != "code"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"as_of": "2026-08-01T00:00:01+07:00"}, 422, "period.observed_after_end"),
        ({"as_of": "2026-06-30T23:59:59+07:00"}, 422, "period.observed_before_begin"),
        ({"to": "2026-06-30"}, 422, "period.reversed"),
        ({"known_at": "2026-09-01T00:00:00+07:00"}, 422, "statistics.known_in_future"),
        ({"group_by": "colour"}, 422, "statistics.grouping_unknown"),
        ({"group_by": "unit,unit"}, 422, "statistics.grouping_twice"),
        ({"group_by": "month,day"}, 422, "statistics.grouping_twice"),
        ({"group_by": "day", "from": "2024-01-01"}, 422, "period.too_many_parts"),
        ({"include": "luck"}, 422, "statistics.include_unknown"),
        ({"units": "as_told"}, 422, "field.not_allowed"),
        ({"definitions": "luck"}, 404, "definition.unknown"),
        ({"unit": "H15"}, 404, "unit.unknown"),
        ({"unit": "H99"}, 404, "unit.unknown"),
        ({"reading": "hopeful"}, 422, "field.not_allowed"),
        ({"from": "31/07/2026"}, 422, "field.not_day"),
        ({"as_of": "2026-07-10T00:00:00"}, 422, "field.no_offset"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    client: TestClient, province: str, query: dict[str, str], status: int, code: str
) -> None:
    assert refusal(client, province, **query) == (status, code)


def test_a_key_for_something_else_may_not_read_figures(
    client: TestClient, province: str, make_key: MakeKey
) -> None:
    other = make_key(["dossiers:read"], unit="H44")

    assert refusal(client, other) == (403, "access.scope_missing")


def test_the_state_just_before_as_of_is_what_counts(client: TestClient, key: str) -> None:
    """Dossier 11 falls due at the end of 5 August."""
    august = {"from": "2026-08-01", "to": "2026-08-31", "unit": "H44.101"}
    edge = "2026-08-06T00:00:00+07:00"
    after = "2026-08-06T00:00:00.000002+07:00"

    in_time = ask(client, key, **august, as_of=edge)["total"]["counts"]["open_in_time"]
    overdue = ask(client, key, **august, as_of=after)["total"]["counts"]["open_in_time"]

    assert (in_time, overdue) == (1, 0)


def test_a_rate_of_nothing_is_null(client: TestClient, province: str) -> None:
    body = ask(client, province, unit="H44.01", **{"from": "2026-08-01"}, to="2026-08-05")

    assert body["total"]["rates"][0] == {
        "definition": "on_time_of_finished@1",
        "numerator": 0,
        "denominator": 0,
        "percent": None,
        "small_sample": True,
    }


def test_every_definition_can_be_asked_for(client: TestClient, province: str) -> None:
    names = [definition.name for definition in load_metrics().definitions]

    rates = ask(client, province, definitions=",".join(names))["total"]["rates"]

    assert [rate["definition"] for rate in rates] == names


def test_legs_are_counted_beside_the_figures_and_open_lists_of_as_many(
    client: TestClient, key: str, clock: HandClock
) -> None:
    pinned = {"group_by": "unit", "known_at": clock.now.isoformat(), "links": "true"}
    before = ask(client, key, **pinned)
    leg = {"parent": "H44-0003", "unit": "H44.101"}
    legs = [
        dossier(41, **leg),
        dossier(42, **leg, **finished(9)),
        dossier(43, **leg, **finished(14)),
        dossier(44, **leg, received_at=at(20), due_at=at(5, 17, month=8)),
    ]
    told = client.post("/v1/dossiers/batch", json={"dossiers": legs}, headers=as_key(key))
    assert told.json()["accepted"] == len(legs), told.text
    clock.advance(timedelta(minutes=1))

    body = ask(client, key, group_by="unit", include="legs", links="true")

    plain = ask(client, key, group_by="unit")
    assert ask(client, key, **pinned) == before
    assert [row["counts"] for row in plain["rows"]] == [row["counts"] for row in before["rows"]]
    assert "legs" not in plain["total"]
    total = body["total"]
    assert {name: number for name, number in total["legs"]["counts"].items() if number} == {
        "legs_received": 4,
        "legs_finished_early": 1,
        "legs_finished_late": 1,
        "legs_open_in_time": 1,
        "legs_open_overdue": 1,
    }
    for cell in (*body["rows"], total):
        assert cell["legs"]["identities"] == {"I1": 0}
        for name, number in cell["legs"]["counts"].items():
            assert sum(1 for _ in listed(client, key, cell["links"][name])) == number
