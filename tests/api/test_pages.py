"""Where a page ends, places in cursors, and the Link header to the next page."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from app.api.pages import attempt_of, entry_of, link_next, paged, spelled
from app.deps import PageAsked

ENTRY = UUID("01990000-0000-7000-8000-000000000001")
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=70_000)).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since
)


def request() -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("h", 80),
            "path": "/v1/units",
            "query_string": b"limit=2&cursor=old&unit=H44",
            "headers": [],
        }
    )


def test_the_next_page_keeps_the_filters_and_replaces_the_cursor() -> None:
    response = Response()

    link_next(request(), response, "new==")

    link = response.headers["link"]
    assert link.startswith("</v1/units?")
    assert link.endswith('>; rel="next"')
    assert "limit=2" in link
    assert "unit=H44" in link
    assert "old" not in link
    assert "cursor=new" in link


def test_the_last_page_names_none() -> None:
    response = Response()

    link_next(request(), response, None)

    assert "link" not in response.headers


def asked(limit: int) -> PageAsked:
    return PageAsked(limit, None, b"key", "/v1/units")


def test_a_page_ends_at_its_limit_and_its_cursor_holds_the_last_entry() -> None:
    response = Response()

    shown, cursor = paged(request(), response, asked(2), ["a", "b", "c"], str.upper, unit="H44")

    assert shown == ["a", "b"]
    assert PageAsked(2, cursor, b"key", "/v1/units").position(unit="H44") == "B"
    assert 'rel="next"' in response.headers["link"]


@pytest.mark.parametrize("found", [[], ["a"], ["a", "b"]])
def test_a_page_that_takes_all_in_is_the_last_one(found: list[str]) -> None:
    response = Response()

    shown, cursor = paged(request(), response, asked(2), found, str.upper)

    assert (shown, cursor) == (found, None)
    assert "link" not in response.headers


@given(INSTANTS, st.uuids(), st.integers(1, 10))
def test_a_place_is_read_from_a_cursor_as_it_was_written(
    at: datetime, entry: UUID, attempt: int
) -> None:
    written = orjson.loads(orjson.dumps(spelled(at, entry)))
    tried = orjson.loads(orjson.dumps(spelled(at, entry, attempt)))

    assert entry_of(written) == (at, entry)
    assert attempt_of(tried) == (at, entry, attempt)


def test_a_place_is_written_in_local_time_with_its_offset() -> None:
    at = datetime(2026, 8, 3, 2, 10, 6, tzinfo=UTC)

    assert spelled(at, ENTRY, 2) == ["2026-08-03T09:10:06+07:00", str(ENTRY), 2]


def test_the_beginning_is_no_place() -> None:
    assert entry_of(None) is None
    assert attempt_of(None) is None
