"""Events as described: nothing that is named is missing from the document."""

import re
from typing import Any

import orjson

from app.api.webhook_events import EVENT_MODELS, describe


def test_every_schema_that_an_event_names_is_in_the_document() -> None:
    document: dict[str, Any] = {"components": {"schemas": {}}}

    describe(document)

    named = set(re.findall(rb'"#/components/schemas/(\w+)"', orjson.dumps(document)))
    assert {name.decode() for name in named} <= set(document["components"]["schemas"])
    assert len(document["webhooks"]) == len(EVENT_MODELS)


def test_what_the_doors_describe_already_is_left_as_it_is() -> None:
    schemas: dict[str, Any] = {"IndexFeedOut": {"type": "object"}}

    describe({"components": {"schemas": schemas}})

    assert schemas["IndexFeedOut"] == {"type": "object"}
