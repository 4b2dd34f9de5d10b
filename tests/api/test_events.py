"""Events of many dossiers at once: each judged on its own, as JSON or a line each."""

import orjson
import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

PAUSE = {"kind": "pause", "at": "2026-08-04T10:00:00+07:00", "pause_kind": "payment"}


@pytest.fixture
def key(make_key: MakeKey) -> str:
    """Give a key of the whole installation."""
    return make_key()


def test_each_event_is_judged_on_its_own(client: TestClient, key: str) -> None:
    events = [{"code": "HS-1", **PAUSE}, {"code": "HS-2", **PAUSE, "at": "2026-08-04T10:00:00"}]

    answer = client.post("/v1/events/batch", json={"events": events}, headers=as_key(key)).json()

    assert (answer["accepted"], answer["quarantined"]) == (1, 1)
    assert answer["results"][0]["problem"]["errors"][0]["pointer"] == "/at"


def test_the_same_events_again_change_nothing(client: TestClient, key: str) -> None:
    body = orjson.dumps({"code": "HS-1", **PAUSE})
    headers = as_key(key) | {"Content-Type": "application/x-ndjson"}

    answers = [client.post("/v1/events/batch", content=body, headers=headers) for _ in range(2)]

    assert [answer.json()["unchanged"] for answer in answers] == [0, 1]


def test_a_batch_of_dossiers_is_no_batch_of_events(client: TestClient, key: str) -> None:
    answer = client.post("/v1/events/batch", json={"dossiers": [PAUSE]}, headers=as_key(key))

    assert (answer.status_code, answer.json()["code"]) == (422, "batch.shape")
