"""The Link header to the next page."""

from fastapi import Request, Response

from app.api.pages import link_next


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
