"""The meaning of every figure, over HTTP."""

from fastapi.testclient import TestClient

from app.domain.tally import COUNTS
from app.rulebook.metrics import load_metrics
from tests.api.conftest import MakeKey, as_key


def test_every_definition_and_every_count_is_explained(
    client: TestClient, make_key: MakeKey
) -> None:
    body = client.get("/v1/definitions", headers=as_key(make_key())).json()

    names = [one["name"] for one in body["definitions"]]
    assert names == [definition.name for definition in load_metrics().definitions]
    assert [one["name"] for one in body["definitions"] if one["is_default"]] == [
        "on_time_of_finished@1"
    ]
    assert [one["id"] for one in body["counts"]] == [count.value for count in COUNTS]
    assert all(one["title"]["vi"] and one["title"]["en"] for one in body["counts"])
    known = {one["id"] for one in body["counts"]}
    assert all(set(one["numerator"] + one["denominator"]) <= known for one in body["definitions"])


def test_only_those_in_force_on_a_day_are_listed_when_one_is_named(
    client: TestClient, make_key: MakeKey
) -> None:
    key = as_key(make_key())
    before = client.get("/v1/definitions", params={"day": "2018-06-20"}, headers=key).json()
    after = client.get("/v1/definitions", params={"day": "2018-06-21"}, headers=key).json()

    gained = {one["id"] for one in after["definitions"]} - {
        one["id"] for one in before["definitions"]
    }
    assert gained == {"on_time_of_received"}


def test_a_caller_that_has_the_definitions_is_told_so(
    client: TestClient, make_key: MakeKey
) -> None:
    key = make_key()
    tag = client.get("/v1/definitions", headers=as_key(key)).headers["etag"]

    again = client.get("/v1/definitions", headers=as_key(key, **{"If-None-Match": tag}))

    assert again.status_code == 304


def test_without_a_key_nothing_is_told(client: TestClient) -> None:
    assert client.get("/v1/definitions").status_code == 401
