"""The description of the doors, and its examples sent as they stand."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.openapi import description
from tests.api.conftest import MakeKey, as_key

UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.100", "name": "UBND phường Việt Trì", "level": "commune", "parent": "H44"},
]
OURS = {"/v1/units", "/v1/procedures", "/v1/calendars", "/v1/due-dates"}
PATH_VALUES = {"/v1/units": "H44.100", "/v1/procedures": "1.001193", "/v1/calendars": "H44.100"}


@pytest.fixture
def key(client: TestClient, make_key: MakeKey) -> dict[str, str]:
    headers = as_key(make_key())
    assert client.post("/v1/units/batch", json={"units": UNITS}, headers=headers).is_success
    made = client.put("/v1/calendars/H44.100", json={"unit": "H44.100"}, headers=headers)
    assert made.is_success
    return headers


def examples_of(operation: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {})
    found: list[Any] = []
    for media in content.values():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        schema = document["components"]["schemas"].get(name, media.get("schema", {}))
        found += schema.get("examples", [])
    return found


def test_every_example_of_the_catalogue_and_the_clock_is_accepted_as_it_stands(
    app: FastAPI, client: TestClient, key: dict[str, str]
) -> None:
    document = description(app)
    sent, wrong = 0, []

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            base = "/".join(path.split("/")[:3])
            if base not in OURS or "/succession" in path:  # these need a unit that ceases
                continue
            url = path.replace("{code}", PATH_VALUES.get(base, "")).replace(
                "{id}", PATH_VALUES.get(base, "")
            )
            for example in examples_of(operation, document):
                answer = client.request(method, url, json=example, headers=key)
                sent += 1
                if not answer.is_success:
                    wrong.append((method, url, answer.status_code, answer.text[:300]))

    assert sent >= 9
    assert wrong == []


def test_an_operation_names_its_scope_and_its_key(app: FastAPI) -> None:
    document = description(app)
    write = document["paths"]["/v1/units/{code}"]["put"]
    health = document["paths"]["/healthz"]["get"]

    assert write["security"] == [{"key": []}]
    assert write["x-scope"] == "catalogue:write"
    assert health["security"] == []
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_tag_in_use_is_described_or_its_own_word(app: FastAPI) -> None:
    document = description(app)
    described = {tag["name"] for tag in document["tags"]}
    used = {
        tag
        for operations in document["paths"].values()
        for operation in operations.values()
        for tag in operation["tags"]
    }

    assert used - described == set()
