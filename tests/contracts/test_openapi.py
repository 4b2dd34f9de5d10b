"""The committed description is that of the code, and its examples are true."""

from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient

from app.cli.openapi import FILE, rendered
from app.main import create_app
from app.store.session import Database


def test_the_committed_description_is_that_of_the_code() -> None:
    assert FILE.read_text("utf-8") == rendered(), "run `python3 run.py openapi --write`"


def test_every_example_fits_its_own_schema() -> None:
    document: dict[str, Any] = (
        TestClient(create_app(Database("postgresql+psycopg://"), secret=b"", environment="test"))
        .get("/openapi.json")
        .json()
    )
    wrong = []

    for name, schema in document["components"]["schemas"].items():
        whole = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": f"#/components/schemas/{name}",
            "components": document["components"],
        }
        check = jsonschema_rs.validator_for(whole)
        wrong += [
            (name, next(iter(check.iter_errors(example))).message)
            for example in schema.get("examples", [])
            if not check.is_valid(example)
        ]

    assert wrong == []


@pytest.mark.parametrize("word", ["sk_", "dh_prod_", "localhost", "fastapi.tiangolo"])
def test_the_description_names_no_secret_and_no_other_place(word: str) -> None:
    assert word not in FILE.read_text("utf-8")
