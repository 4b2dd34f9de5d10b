"""Signs of life, readiness, measures."""

from fastapi.testclient import TestClient


def test_the_process_lives_without_a_key(client: TestClient) -> None:
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_readiness_names_the_checks_and_what_is_degraded(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["checks"] == {"database": "ok", "schema": "ok", "durability": "ok"}
    assert body["degraded"]["nightly"]["expected"] == "2026-08-10"
    assert body["last_nightly"] is None


def test_measures_carry_route_templates_and_no_paths(client: TestClient) -> None:
    client.get("/v1/units/H44.100")
    client.get("/somewhere/H44.100")

    text = client.get("/metrics").text

    assert "dunghan_build_info" in text
    assert "H44.100" not in text
    assert 'route="none"' in text


def test_measures_tell_of_the_night_and_of_the_post(client: TestClient) -> None:
    lines = client.get("/metrics").text.splitlines()

    assert "dunghan_nightly_last_as_of_seconds 0.0" in lines
    assert "dunghan_nightly_lag_seconds 25200.0" in lines  # 08:00 local: seven hours
    assert "dunghan_outbox_pending 0.0" in lines
    assert "dunghan_outbox_lag_seconds 0.0" in lines
