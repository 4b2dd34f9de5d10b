"""The application as put together from settings."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.deps import Installation
from app.main import create_app, create_from
from app.settings import Environment, Settings
from app.store.session import Database


def test_the_settings_decide_the_limits_and_the_environment(tmp_path: Path) -> None:
    settings = Settings(
        environment=Environment.DEMO,
        data_dir=tmp_path,
        max_body_bytes=2000,
        max_batch_records=7,
        requests_per_minute=9,
    )

    app = create_from(settings, Database("postgresql+psycopg://"))

    installation = app.state.installation
    assert isinstance(installation, Installation)
    assert installation.environment == "demo"
    assert installation.limits.max_body_bytes == 2000
    assert installation.limits.max_batch_records == 7
    assert installation.quota.limit == 9
    assert installation.keyring.mint().startswith("dh_demo_")


def test_keys_of_one_purpose_tell_nothing_of_another() -> None:
    app = create_app(Database("postgresql+psycopg://"), secret=b"x", environment="test")
    installation: Installation = app.state.installation

    assert installation.derived_key("a") != installation.derived_key("b")
    assert installation.derived_key("a") != b"x"


def test_without_a_database_the_process_lives_and_a_caller_is_told_to_wait() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    app = create_app(away, secret=b"x", environment="test")
    installation: Installation = app.state.installation
    client = TestClient(app, raise_server_exceptions=False)

    alive = client.get("/healthz")
    ready = client.get("/readyz")
    asked = client.get(
        "/v1/units", headers={"Authorization": f"Bearer {installation.keyring.mint()}"}
    )

    assert [alive.status_code, ready.status_code, asked.status_code] == [200, 503, 503]
    assert asked.headers["retry-after"] == "2"


@pytest.mark.parametrize("path", ["/docs/", "/v1/units/"])
def test_a_path_is_not_guessed(path: str) -> None:
    app: FastAPI = create_app(Database("postgresql+psycopg://"), secret=b"x", environment="test")

    assert TestClient(app).get(path).status_code in {401, 404}
