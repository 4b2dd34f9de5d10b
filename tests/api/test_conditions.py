"""ETags: the same document has the same tag, and tags decide."""

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from app.api import conditions
from app.api.problems import PreconditionFailed


class Sample(BaseModel):
    name: str


def request(method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {"type": "http", "method": method, "headers": raw, "path": "/", "query_string": b""}
    )


@given(st.text(), st.text())
def test_the_tag_tells_documents_apart(one: str, other: str) -> None:
    first = conditions.document(request(), Sample.model_construct(name=one.encode().hex()))
    second = conditions.document(request(), Sample.model_construct(name=other.encode().hex()))

    assert (first.headers["etag"] == second.headers["etag"]) == (one == other)


TAG = conditions.document(request(), Sample(name="a")).headers["etag"]


@pytest.mark.parametrize("told", [TAG, f'"x", {TAG}', f"W/{TAG}", "*"])
def test_a_document_that_the_caller_has_is_not_sent_again(told: str) -> None:
    assert conditions.document(request(if_none_match=told), Sample(name="a")).status_code == 304
    assert conditions.document(request(if_none_match='"x"'), Sample(name="a")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "present"),
    [
        ({"if_match": '"x"'}, Sample(name="a")),
        ({"if_match": "*"}, None),
        ({"if_match": TAG}, Sample(name="b")),
        ({"if_none_match": "*"}, Sample(name="a")),
    ],
)
def test_what_does_not_stand_as_supposed_is_refused(
    headers: dict[str, str], present: Sample | None
) -> None:
    with pytest.raises(PreconditionFailed):
        conditions.check(request("PUT", **headers), present)


@pytest.mark.parametrize(
    ("headers", "present"),
    [
        ({}, None),
        ({"if_match": TAG}, Sample(name="a")),
        ({"if_match": "*"}, Sample(name="b")),
        ({"if_none_match": "*"}, None),
    ],
)
def test_what_stands_as_supposed_passes(headers: dict[str, str], present: Sample | None) -> None:
    conditions.check(request("PUT", **headers), present)
