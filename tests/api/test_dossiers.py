"""Dossiers over HTTP: sent, resent, broken, listed and read back."""

import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.api.dossiers import SLICE
from app.deps import Installation
from app.domain.tally import COUNTS, Count
from app.store.tallies import CONDITIONS
from app.usecases import catalogue
from app.usecases.catalogue import UnitLevel, UnitSpec
from tests.api.conftest import HandClock, MakeKey, as_key

Put = Callable[..., Any]


def _unit(code: str, level: str, parent: str | None) -> UnitSpec:
    return UnitSpec(
        code=code,
        name=f"Đơn vị {code}",
        level=UnitLevel(level),
        parent=parent,
        valid_from=None,
        valid_to=None,
        legacy_codes=(),
    )


@pytest.fixture(autouse=True)
def province(installation: Installation, clock: HandClock) -> None:
    """Give a province with two communes, and another province."""
    with installation.database.begin() as session:
        catalogue.put_units(
            session,
            [
                _unit("H44", "province", None),
                _unit("H44.100", "commune", "H44"),
                _unit("H44.101", "commune", "H44"),
                _unit("H56", "province", None),
            ],
            actor="test",
            now=clock(),
        )


@pytest.fixture
def key(make_key: MakeKey) -> str:
    """Give a key of the province."""
    return make_key(unit="H44")


def record(**facts: object) -> dict[str, object]:
    """Return a record that is in hand, with other facts laid over."""
    return {
        "unit": "H44.100",
        "procedure": "1.001193",
        "channel": "online",
        "received_at": "2026-08-03T09:10:00+07:00",
        "due_at": "2026-08-05T17:00:00+07:00",
        "status": "processing",
        "source_updated_at": "2026-08-03T09:10:05+07:00",
        **facts,
    }


def _list(client: TestClient, key: str, **query: str) -> dict[str, Any]:
    asked = {"unit": "H44", "from": "2026-08-01", "to": "2026-08-31", **query}
    answer = client.get("/v1/dossiers", params=asked, headers=as_key(key))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_dossier_is_created_then_repeated_without_harm(client: TestClient, key: str) -> None:
    first = client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    again = client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))

    assert (first.status_code, first.json()["verdict"]) == (201, "accepted")
    assert (again.status_code, again.json()["verdict"]) == (200, "unchanged")


def test_older_news_is_kept_and_changes_nothing(client: TestClient, key: str) -> None:
    newer = record(finished_at="2026-08-05T10:00:00+07:00", status="finished")
    newer["source_updated_at"] = "2026-08-05T10:00:01+07:00"
    client.put("/v1/dossiers/HS-1", json=newer, headers=as_key(key))

    older = client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    told = client.get("/v1/dossiers/HS-1/timeline", headers=as_key(key)).json()

    assert older.json()["verdict"] == "stale"
    assert found["state"] == "finished_on_time"
    assert len(told["messages"]) == 2


def test_the_first_promise_judges_and_a_silent_change_is_shown(
    client: TestClient, key: str
) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    moved = record(
        due_at="2026-08-20T17:00:00+07:00", source_updated_at="2026-08-08T08:00:00+07:00"
    )

    client.put("/v1/dossiers/HS-1", json=moved, headers=as_key(key))
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    assert found["readings"]["promised"]["state"] == "open_overdue"
    assert found["readings"]["as_sent"]["state"] == "open_in_time"
    assert "due_changed_silently" in found["flags"]


def test_a_batch_keeps_the_good_beside_the_broken(client: TestClient, key: str) -> None:
    good = {"code": "HS-1", **record()}
    naive = {"code": "HS-2", **record(received_at="2026-08-03T09:10:00")}
    typo = {"code": "HS-3", **record(), "recieved_at": "2026-08-03T09:10:00+07:00"}
    backwards = {"code": "HS-4", **record(finished_at="2026-08-01T09:10:00+07:00")}
    batch = {"dossiers": [good, naive, typo, backwards, "not an object"]}

    answer = client.post("/v1/dossiers/batch", json=batch, headers=as_key(key)).json()

    assert (answer["accepted"], answer["quarantined"]) == (1, 4)
    pointers = {
        result["code"]: [error["pointer"] for error in result["problem"]["errors"]]
        for result in answer["results"]
    }
    assert pointers["HS-2"] == ["/received_at"]
    assert pointers["HS-3"] == ["/recieved_at"]
    assert "/finished_at" in pointers["HS-4"]
    assert answer["results"][0]["problem"]["detail"]


def test_batches_sent_side_by_side_are_each_answered_for_their_own_entries(
    client: TestClient, key: str, installation: Installation
) -> None:
    shared = [{"code": f"S-{n}", **record()} for n in range(20)]
    broken = {"code": "X", **record(received_at="hôm qua")}
    bodies = [
        {"dossiers": [*shared, *({"code": f"{b}-{n}", **record()} for n in range(30)), broken]}
        for b in range(8)
    ]

    def post(body: dict[str, object]) -> dict[str, Any]:
        answer = client.post("/v1/dossiers/batch?verbose=true", json=body, headers=as_key(key))
        found: dict[str, Any] = answer.json()
        return found

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, bodies))

    for answer, body in zip(answers, bodies, strict=True):
        assert [one["code"] for one in answer["results"]] == [
            one["code"] for one in body["dossiers"]
        ]
        assert answer["quarantined"] == 1
        assert {one["verdict"] for one in answer["results"][20:50]} == {"accepted"}
    told = [[one["verdict"] for one in answer["results"][:20]] for answer in answers]
    for words in zip(*told, strict=True):  # who comes first has the news
        assert sorted(words) == ["accepted"] + ["unchanged"] * 7
    with installation.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM dossier_record")) == 20 + 8 * 30


def test_a_batch_comes_as_lines_and_packed(client: TestClient, key: str) -> None:
    lines = [orjson.dumps({"code": f"HS-{n}", **record()}) for n in range(3)]
    body = gzip.compress(b"\n".join([*lines, b'{"code": "HS-9", "unit":']))
    headers = as_key(key) | {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}

    answer = client.post("/v1/dossiers/batch?verbose=true", content=body, headers=headers)

    words = [result["verdict"] for result in answer.json()["results"]]
    assert words == ["accepted", "accepted", "accepted", "quarantined"]


def test_many_lines_are_kept_slice_by_slice_and_a_broken_last_one_costs_only_itself(
    client: TestClient, key: str
) -> None:
    lines = [orjson.dumps({"code": f"HS-{n}", **record()}) for n in range(2 * SLICE + 3)]
    lines[SLICE + 5] = b'{"code": "HS-X"}'
    body = b"\n".join([*lines, b"", b'{"code": "HS-9", "unit":'])
    headers = as_key(key) | {"Content-Type": "application/x-ndjson"}

    first = client.post("/v1/dossiers/batch", content=body, headers=headers).json()
    again = client.post("/v1/dossiers/batch", content=body, headers=headers).json()

    assert (first["accepted"], first["quarantined"]) == (2 * SLICE + 2, 2)
    assert [one["index"] for one in first["results"]] == [SLICE + 5, 2 * SLICE + 3]
    assert (again["accepted"], again["unchanged"]) == (0, 2 * SLICE + 2)


def test_lines_under_an_idempotency_key_are_one_transaction_and_answered_once(
    client: TestClient, key: str
) -> None:
    body = b"\n".join(orjson.dumps({"code": f"HS-{n}", **record()}) for n in range(3))
    headers = as_key(key) | {"Content-Type": "application/x-ndjson", "Idempotency-Key": "k1"}

    first, again = (
        client.post("/v1/dossiers/batch", content=body, headers=headers) for _ in range(2)
    )

    assert first.json()["accepted"] == 3
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"dossiers": {}}', b'{"dossiers": []}', b'{"x": []}', b"", b"\xff\xfe{\x00"],
)
def test_a_body_that_is_no_batch_is_a_problem(client: TestClient, key: str, body: bytes) -> None:
    headers = as_key(key) | {"Content-Type": "application/json"}

    answer = client.post("/v1/dossiers/batch", content=body, headers=headers)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_single_broken_record_is_answered_with_its_reasons_and_kept(
    client: TestClient, key: str
) -> None:
    broken = record(received_at="hôm qua")

    answer = client.put("/v1/dossiers/HS-1", json=broken, headers=as_key(key))

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"][0]["pointer"] == "/received_at"
    assert "hôm qua" not in answer.text
    assert problem["quarantine_id"]


def test_the_applicant_leaves_only_a_keyed_hash(
    client: TestClient, key: str, installation: Installation
) -> None:
    told = record(applicant_key="025123456789")

    client.put("/v1/dossiers/HS-1", json=told, headers=as_key(key))
    found = client.get("/v1/dossiers/HS-1/timeline", headers=as_key(key))

    assert "025123456789" not in found.text
    with installation.database.read() as session:
        rows = session.execute(
            text(
                "SELECT told::text, applicant_hash FROM dossier_record"
                " JOIN dossier USING (source_id, code)"
            )
        ).all()
    assert all("025123456789" not in row[0] for row in rows)
    assert rows[0][1] is not None


def test_a_dossier_moves_to_another_unit_without_being_counted_twice(
    client: TestClient, key: str
) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    moved = record(unit="H44.101", source_updated_at="2026-08-04T08:00:00+07:00")

    client.put("/v1/dossiers/HS-1", json=moved, headers=as_key(key))

    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()["unit"] == "H44.101"
    assert len(_list(client, key, count="received")["dossiers"]) == 1
    out = _list(client, key, unit="H44.100", count="transferred_out")["dossiers"]
    into = _list(client, key, unit="H44.101", count="transferred_in")["dossiers"]
    assert [one["code"] for one in (*out, *into)] == ["HS-1", "HS-1"]


def test_another_province_sees_nothing(client: TestClient, key: str, make_key: MakeKey) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    other = make_key(unit="H56")

    one = client.get("/v1/dossiers/HS-1", headers=as_key(other))
    many = client.get(
        "/v1/dossiers",
        params={"unit": "H44", "from": "2026-08-01", "to": "2026-08-31"},
        headers=as_key(other),
    )

    assert (one.status_code, many.status_code) == (404, 404)


def test_one_code_from_two_sources_is_ambiguous_until_one_is_named(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    ministry = make_key(unit="H44", source="ministry")
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(ministry))

    vague = client.get("/v1/dossiers/HS-1", headers=as_key(key))
    exact = client.get("/v1/dossiers/HS-1?source=ministry", headers=as_key(key))

    assert (vague.status_code, vague.json()["code"]) == (409, "dossier.ambiguous")
    assert exact.json()["source"] == "ministry"


def test_events_pause_and_resume_the_clock(client: TestClient, key: str) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    pause = {"kind": "pause", "at": "2026-08-04T10:00:00+07:00", "pause_kind": "payment"}
    resume = {"kind": "resume", "at": "2026-08-06T10:00:00+07:00", "pause_kind": "payment"}

    client.post("/v1/dossiers/HS-1/events", json=pause, headers=as_key(key))
    held = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()
    client.post(
        "/v1/events/batch", json={"events": [{"code": "HS-1", **resume}]}, headers=as_key(key)
    )
    after = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    assert held["state"] == "paused"
    assert after["readings"]["promised"]["due_on"] == "2026-08-07"


def test_a_void_needs_a_superior(client: TestClient, key: str, make_key: MakeKey) -> None:
    sender = make_key(scopes=["dossiers:write", "dossiers:read"], unit="H44")
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(sender))
    void = {"kind": "void", "at": "2026-08-06T10:00:00+07:00", "reason": "test"}

    refused = client.post("/v1/dossiers/HS-1/events", json=void, headers=as_key(sender))
    allowed = client.post("/v1/dossiers/HS-1/events", json=void, headers=as_key(key))

    assert (refused.status_code, allowed.status_code) == (422, 200)
    assert client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()["state"] == "voided"


def test_a_superior_speaks_of_the_dossier_of_another_source_by_naming_it(
    client: TestClient, key: str, make_key: MakeKey
) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    superior = as_key(make_key(unit="H44", source="home-affairs"))
    plain = as_key(make_key(scopes=["dossiers:write"], unit="H44", source="other"))
    far = as_key(make_key(unit="H56", source="far"))
    void = {"kind": "void", "at": "2026-08-06T10:00:00+07:00", "reason": "test"}
    path = "/v1/dossiers/HS-1/events?source=test"

    refused = [client.post(path, json=void, headers=one).status_code for one in (plain, far)]
    done = client.post(path, json=void, headers=superior)
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    assert refused == [403, 404]
    assert done.status_code == 200, done.text
    assert (found["source"], found["state"]) == ("test", "voided")


def test_steps_may_come_before_their_dossier(client: TestClient, key: str) -> None:
    step = {"kind": "step", "at": "2026-08-03T10:00:00+07:00", "status": "processing"}

    early = client.post("/v1/dossiers/HS-1/events", json=step, headers=as_key(key))
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    found = client.get("/v1/dossiers/HS-1", headers=as_key(key)).json()

    assert early.status_code == 201
    assert (found["unit"], found["state"]) == ("H44.100", "open_overdue")
    assert _list(client, key, unit="H44~unknown")["dossiers"] == []


def test_a_leg_counts_by_itself_until_its_parent_is_known(client: TestClient, key: str) -> None:
    leg = record(parent="HS-1", leg="BHXH")
    client.put("/v1/dossiers/LEG-1", json=leg, headers=as_key(key))
    alone = _list(client, key, count="received")["dossiers"]

    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    together = _list(client, key, count="received")["dossiers"]

    assert [one["code"] for one in alone] == ["LEG-1"]
    assert [one["code"] for one in together] == ["HS-1"]


def test_every_count_of_dossiers_opens_a_list(client: TestClient, key: str) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))

    for count in COUNTS:
        if count in CONDITIONS:
            assert "dossiers" in _list(client, key, count=count.value)
    assert len(_list(client, key, count=Count.OPEN_OVERDUE.value)["dossiers"]) == 1


def test_a_list_is_paged_without_losing_or_repeating_any(client: TestClient, key: str) -> None:
    batch = {"dossiers": [{"code": f"HS-{n}", **record()} for n in range(7)]}
    client.post("/v1/dossiers/batch", json=batch, headers=as_key(key))
    seen: list[str] = []
    query = {"limit": "3", "count": "received"}

    while True:
        page = _list(client, key, **query)
        seen += [one["code"] for one in page["dossiers"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert seen == [f"HS-{n}" for n in range(7)]


def test_the_same_batch_under_one_idempotency_key_is_answered_alike(
    client: TestClient, key: str
) -> None:
    batch = {"dossiers": [{"code": "HS-1", **record()}]}
    headers = as_key(key) | {"Idempotency-Key": "a1"}

    first = client.post("/v1/dossiers/batch", json=batch, headers=headers)
    again = client.post("/v1/dossiers/batch", json=batch, headers=headers)

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


def test_what_was_known_last_week_is_listed_as_it_was_known(
    client: TestClient, key: str, clock: HandClock
) -> None:
    client.put("/v1/dossiers/HS-1", json=record(), headers=as_key(key))
    before = clock()
    clock.advance(timedelta(days=7))
    late = record(
        finished_at="2026-08-05T10:00:00+07:00",
        status="finished",
        source_updated_at="2026-08-17T08:00:00+07:00",
    )
    client.put("/v1/dossiers/HS-1", json=late, headers=as_key(key))

    now = _list(client, key, count="finished_on_time")["dossiers"]
    then = _list(
        client,
        key,
        count="open_overdue",
        known_at=before.isoformat().replace("+00:00", "Z"),
        as_of=datetime(2026, 8, 9, tzinfo=UTC).isoformat().replace("+00:00", "Z"),
    )["dossiers"]

    assert [one["code"] for one in now] == ["HS-1"]
    assert [one["code"] for one in then] == ["HS-1"]


def test_the_moment_asked_for_may_not_lie_behind_the_period(client: TestClient, key: str) -> None:
    asked = {
        "unit": "H44",
        "from": "2026-07-01",
        "to": "2026-07-31",
        "as_of": "2026-08-02T00:00:00Z",
    }

    answer = client.get("/v1/dossiers", params=asked, headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (422, "period.observed_after_end")
