"""What surrounds every request: ids, headers, the log line."""

import logging

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-Id": "abc-12345678"}, "abc-12345678"),
        ({"traceparent": TRACE}, "4bf92f3577b34da6a3ce929d0e0e4736"),
        ({"X-Request-Id": "short"}, None),
        ({"X-Request-Id": "Nguyen Van A 012345678"}, None),
        ({"X-Request-Id": "a" * 65}, None),
        ({"traceparent": "junk"}, None),
        ({}, None),
    ],
)
def test_a_request_keeps_its_callers_id_if_that_is_well_formed(
    client: TestClient, headers: dict[str, str], expected: str | None
) -> None:
    found = client.get("/healthz", headers=headers).headers["x-request-id"]

    if expected is None:
        assert found not in headers.values()
        assert len(found) == 32
    else:
        assert found == expected


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/units", "/docs"])
def test_every_answer_carries_the_headers_that_keep_browsers_safe(
    client: TestClient, path: str
) -> None:
    headers = client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script-src 'unsafe-inline'" not in headers["content-security-policy"]


def test_a_log_line_names_the_route_and_neither_path_nor_query(
    client: TestClient, make_key: MakeKey, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key()
    with caplog.at_level(logging.INFO, logger="app.access"):
        client.get("/v1/units/001099012345?secret=0912345678", headers=as_key(key))

    line = next(record for record in caplog.records if record.name == "app.access")
    told = line.__dict__
    assert told["route"] == "/v1/units/{code}"
    assert (told["method"], told["status"]) == ("GET", 422)
    assert told["key"] is not None
    assert told["key"] in key
    assert key.rpartition("_")[2] not in str(told)
    assert "001099012345" not in str(told)
    assert "0912345678" not in str(told)
