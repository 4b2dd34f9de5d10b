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
    assert body["degraded"]["nightly"] == {"last": None, "expected": "2026-08-10"}


def test_measures_carry_route_templates_and_no_paths(client: TestClient) -> None:
    client.get("/v1/units/H44.100")
    client.get("/somewhere/H44.100")

    text = client.get("/metrics").text

    assert "dunghan_build_info" in text
    assert "H44.100" not in text
    assert 'route="none"' in text
