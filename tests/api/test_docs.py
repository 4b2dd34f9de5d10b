"""Pages about the API: complete, safe, and without internet."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.problems import every_error

PAGES = ["/docs", "/redoc", "/docs/problems", "/docs/problems/request.invalid"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_page_needs_nothing_from_elsewhere(client: TestClient, path: str, language: str) -> None:
    answer = client.get(path, headers={"Accept-Language": language})

    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", answer.text)
    assert not re.search(r"<script(?![^>]*src=)", answer.text)
    assert "script-src 'self';" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png", "start.js", "reference.css"]
)
def test_the_files_of_the_pages_are_served(client: TestClient, name: str) -> None:
    answer = client.get(f"/docs/assets/{name}")

    assert answer.status_code == 200
    assert answer.content


@pytest.mark.parametrize("name", ["..%2f..%2fdocs.py", "docs.py", "swagger.html"])
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/docs/assets/{name}").status_code == 404


def test_the_description_is_served_and_shows_every_operation(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert document["openapi"] == "3.1.0"
    reference = client.get("/redoc").text
    for path in document["paths"]:
        assert f"<code>{path}</code>" in reference


def test_every_refusal_has_a_page(app: FastAPI, client: TestClient) -> None:
    missing = [
        code for code in every_error() if client.get(f"/docs/problems/{code}").status_code != 200
    ]

    assert missing == []


def test_a_code_that_no_refusal_has_is_no_page(client: TestClient) -> None:
    assert client.get("/docs/problems/ledger.weekend").status_code == 404
    assert client.get("/docs/problems/no.such").status_code == 404
