"""The published form of records and events is the one that is read."""

from app.api.messages import EVENT, EVENT_EXAMPLE, RECORD, RECORD_EXAMPLE, batch_of, body_of
from app.feeds.native import EVENT_FIELDS, RECORD_FIELDS


def test_every_field_that_is_read_is_published() -> None:
    assert set(RECORD["properties"]) == RECORD_FIELDS
    assert set(EVENT["properties"]) >= EVENT_FIELDS - {"pauses"}


def test_examples_use_only_published_fields() -> None:
    assert set(RECORD_EXAMPLE) <= set(RECORD["properties"])
    assert set(EVENT_EXAMPLE) <= set(EVENT["properties"])


def test_a_change_of_calendar_is_ours_to_tell() -> None:
    assert "calendar_change" not in EVENT["properties"]["kind"]["enum"]


def test_a_batch_is_one_list_in_json_or_a_line_each() -> None:
    content = batch_of("dossiers", RECORD, RECORD_EXAMPLE)["requestBody"]["content"]

    assert set(content) == {"application/json", "application/x-ndjson"}
    assert body_of(RECORD, RECORD_EXAMPLE)["requestBody"]["required"]
