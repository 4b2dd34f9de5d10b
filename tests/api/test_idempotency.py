"""The Idempotency-Key header, as senders write it."""

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

BODY = {"units": [{"code": "H44", "name": "P", "level": "province"}]}


def post(client: TestClient, key: str, told: str) -> tuple[int, str | None]:
    answer = client.post(
        "/v1/units/batch", json=BODY, headers=as_key(key, **{"Idempotency-Key": told})
    )
    return answer.status_code, answer.headers.get("idempotency-replayed")


def test_quotes_make_no_difference(client: TestClient, make_key: MakeKey) -> None:
    key = make_key()

    assert post(client, key, "abc") == (200, None)
    assert post(client, key, '"abc"') == (200, "true")


def test_senders_do_not_share_their_keys(client: TestClient, make_key: MakeKey) -> None:
    assert post(client, make_key(), "abc") == (200, None)
    assert post(client, make_key(), "abc") == (200, None)


@pytest.mark.parametrize("told", ["", "a b", "x" * 256, '"open', 'in"side'])
def test_what_is_no_key_is_refused(client: TestClient, make_key: MakeKey, told: str) -> None:
    assert post(client, make_key(), told)[0] == 422


def test_a_refusal_under_a_key_may_be_mended_and_sent_again(
    client: TestClient, make_key: MakeKey
) -> None:
    headers = as_key(make_key(), **{"Idempotency-Key": "abc"})
    orphan = {"units": [{"code": "H44.1", "name": "P", "level": "commune", "parent": "H44"}]}

    refused = client.post("/v1/units/batch", json=orphan, headers=headers)
    mended = client.post("/v1/units/batch", json=BODY, headers=headers)

    assert [refused.status_code, mended.status_code] == [422, 200]
