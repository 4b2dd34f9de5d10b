"""Every operation of the published description is attacked with generated requests.

None ends in a server error, and every answer is one that the description promises. The number
of examples for each operation and kind is FUZZ_EXAMPLES (3 by default, 200 in a soak).
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from app.clock import system_clock
from app.main import create_app
from app.store.session import Database
from app.usecases import access
from app.usecases.access import Scope

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def app(fresh_database: Database) -> FastAPI:
    return create_app(fresh_database, secret=b"x" * 32, environment="test")


@pytest.fixture
def key(app: FastAPI, fresh_database: Database) -> str:
    with fresh_database.begin() as session:
        return access.issue_key(
            session,
            app.state.installation.keyring,
            name="t",
            source="t",
            unit=None,
            scopes=tuple(Scope),
            actor="t",
            now=system_clock(),
        ).key


def failures(app: FastAPI, key: str) -> Iterator[str]:
    """Attack every operation, well formed and not, and tell what broke a promise."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        for mode in schemathesis.GenerationMode:
            yield from attack(result.ok().as_strategy(generation_mode=mode), key)


def attack(cases: SearchStrategy[Any], key: str) -> list[str]:
    """Send cases of one operation and return what broke a promise."""
    found: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(cases)
    def send(case: Any) -> None:
        try:
            case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)
        except BaseExceptionGroup as group:
            found.append(f"{case.operation.label}: {group}: {group.exceptions}")

    with contextlib.suppress(Unsatisfiable):  # nothing of this kind can be made
        send()
    return found


def test_no_generated_request_breaks_the_description(app: FastAPI, key: str) -> None:
    assert list(failures(app, key)) == []
