"""The pages through their doors: what they show, whom they let in, what they refuse."""

import html
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.deps import Installation
from app.main import create_app
from app.store.session import Database
from app.usecases import access
from app.web import routes, visitors
from app.web.rendering import CSP
from tests.web.conftest import NOW, SECRET, fixed_clock

TILE = re.compile(
    r'<a class="tile \w+" href="([^"]+)"><span class="label">([^<]+)</span>'
    r'<span class="value">([\d.,]+)</span>'
)
ROW = re.compile(r'<tr><th scope="row"><a href="(/dossiers/[^"]+)">')
NEXT = re.compile(r'<a rel="next" href="([^"]+)">')
CELL = re.compile(r'<td class="number"><a href="([^"]+)">([\d.,]+)</a></td>')


def page(client: TestClient, path: str, status: int = 200) -> str:
    """Return the text of a page, having looked at its headers."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-security-policy"] == CSP
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    return answer.text


def rows_of(client: TestClient, path: str) -> int:
    """Count the rows of a list over all its pages."""
    count = 0
    while True:
        text = page(client, path)
        count += len(ROW.findall(text))
        following = NEXT.search(text)
        if following is None:
            return count
        path = html.unescape(following[1])


def number(text: str) -> int:
    return int(re.sub(r"[.,]", "", text))


@pytest.mark.parametrize("month", ["2026-08", "2026-07", "2026-06"])
def test_every_tile_opens_exactly_the_dossiers_that_it_counts(
    client: TestClient, month: str
) -> None:
    tiles = TILE.findall(page(client, f"/?month={month}"))

    assert len(tiles) == 8
    assert sum(number(value) for _, _, value in tiles) > 50
    for href, label, value in tiles:
        assert rows_of(client, html.unescape(href)) == number(value), label


def test_every_number_of_the_table_opens_exactly_its_dossiers(client: TestClient) -> None:
    cells = CELL.findall(page(client, "/?month=2026-07"))

    assert len(cells) > 100
    for href, value in cells[::25]:
        assert rows_of(client, html.unescape(href)) == number(value), href


def test_a_commune_is_broken_down_by_procedure_and_its_numbers_open_lists(
    client: TestClient,
) -> None:
    cells = CELL.findall(page(client, "/?unit=H44.42&month=2026-07"))

    assert cells
    assert all("procedure=" in href for href, _ in cells)
    for href, value in cells:
        assert rows_of(client, html.unescape(href)) == number(value), href


def test_the_first_page_speaks_vietnamese_and_english(client: TestClient) -> None:
    vietnamese, english = page(client, "/"), page(client, "/?lang=en")

    assert '<html lang="vi">' in vietnamese
    assert "Tháng 08/2026" in vietnamese
    assert "Giải quyết quá hạn" in vietnamese
    assert '<html lang="en">' in english
    assert "Finished late" in english


def test_the_language_once_chosen_is_kept(client: TestClient) -> None:
    client.get("/?lang=en")

    assert '<html lang="en">' in page(client, "/")


def test_every_rate_comes_with_its_counts_and_its_definition(client: TestClient) -> None:
    text = page(client, "/")

    assert re.search(r'<p class="big">\d+,\d\d\s%</p>\s*<p class="counts">[\d.]+ / [\d.]+', text)
    assert "on_time_of_finished@1" in text
    assert "on_time_of_received@1" in text


def test_units_without_a_dossier_are_shown_without_a_rate(client: TestClient) -> None:
    text = page(client, "/")

    row = text[text.index("Thanh tra tỉnh") :]
    assert "<strong>–</strong><small>0 / 0" in row[: row.index("</tr>")]


def test_the_table_sorts_by_the_heading_chosen(client: TestClient) -> None:
    text = page(client, "/?sort=-received&month=2026-07")

    table = text[text.index("<tbody>") :]
    first_of_row = re.findall(r'</th>\s*<td class="number">(?:<a href="[^"]+">)?([\d.,]+)', table)
    received = [number(value) for value in first_of_row]
    assert len(received) > 150
    assert received == sorted(received, reverse=True)
    assert 'aria-sort="descending"' in text


@pytest.mark.parametrize("sort", ["rate", "-rate", "name", "-name", "nonsense", "-", ""])
def test_any_sort_is_answered(client: TestClient, sort: str) -> None:
    page(client, f"/?sort={sort}")


def test_a_dossier_shows_its_readings_its_story_and_why_its_date(client: TestClient) -> None:
    listed = page(client, "/dossiers?count=finished_late&unit=H44&month=2026-07")
    dossier = html.unescape(ROW.findall(listed)[0])

    text = page(client, dossier)

    for words in ("Bốn cách đọc hạn trả", "Vì sao hạn là ngày này", "Diễn biến", "Cộng dồn"):
        assert words in text
    for reading in ("promised", "extended", "as_sent", "statutory"):
        page(client, f"{dossier}&reading={reading}")


def test_a_limit_that_nobody_compared_with_its_text_says_so(client: TestClient) -> None:
    seen = set()
    listed = page(client, "/dossiers?count=received&unit=H44&month=2026-07")
    for href in ROW.findall(listed)[:30]:
        text = page(client, html.unescape(href))
        seen.add(("23/2015/NĐ-CP, Điều 7" in text, "chưa đối chiếu văn bản" in text))

    assert (True, False) in seen
    assert (False, True) in seen
    assert (True, True) not in seen


def test_the_pages_say_that_the_dossiers_are_made_up(client: TestClient) -> None:
    assert "DỮ LIỆU GIẢ LẬP" in page(client, "/")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?unit=H99", 404),
        ("/dossiers/H44.100-000000-0000", 404),
        ("/dossiers?count=nonsense&unit=H44", 422),
        ("/dossiers?unit=H44", 422),
        ("/dossiers?count=received&from=2026-07-01", 422),
        ("/dossiers?count=received&from=x&to=y", 422),
        ("/dossiers?count=received&from=2026-07-31&to=2026-07-01", 422),
        ("/dossiers?count=received&at=20260801T000000", 422),
        ("/dossiers?count=received&at=20990101T000000Z", 422),
        ("/dossiers?count=received&scope=all", 422),
        ("/dossiers?count=procedures_posted", 422),
        ("/static/secrets.txt", 404),
    ],
)
def test_what_cannot_be_shown_is_told_on_a_page(client: TestClient, path: str, status: int) -> None:
    text = page(client, path, status)

    assert 'role="alert"' in text


@pytest.mark.parametrize(
    "path", ["/?month=2026-13", "/?month=x", "/?month=9999-12", "/dossiers?count=due&after=~~~"]
)
def test_a_strange_address_is_answered_without_an_error(client: TestClient, path: str) -> None:
    page(client, path)


def test_the_files_of_the_pages_may_be_kept(client: TestClient) -> None:
    text = page(client, "/")

    style = re.search(r'href="(/static/style.css[^"]+)"', text)
    assert style is not None
    answer = client.get(style[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


def test_the_first_page_is_small_on_the_wire(client: TestClient) -> None:
    answer = client.get("/", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 100_000


# ---------------------------------------------------------------- with keys


@pytest.fixture
def closed_app(province: Database) -> FastAPI:
    """Give the pages as production has them."""
    return create_app(
        province,
        secret=SECRET,
        clock=fixed_clock,
        environment="test",
        pages=[routes.router_for(visitors.ByKey(), is_demo=False)],
    )


@pytest.fixture
def closed(closed_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(closed_app, follow_redirects=False) as made:
        yield made


def make_key(app: FastAPI, *scopes: str, unit: str | None = "H44.100") -> str:
    installation = app.state.installation
    assert isinstance(installation, Installation)
    with installation.database.begin() as session:
        return access.issue_key(
            session,
            installation.keyring,
            name="page test",
            source="page-test",
            unit=unit,
            scopes=scopes,
            actor="test",
            now=NOW,
        ).key


def sign_in(client: TestClient, key: str, **headers: str) -> int:
    answer = client.post("/sign-in", data={"key": key, "next": "/?month=2026-07"}, headers=headers)
    return answer.status_code


def test_a_stranger_is_sent_to_sign_in_and_back(closed: TestClient) -> None:
    answer = closed.get("/dossiers?count=received&unit=H44")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fdossiers%3Fcount%3Dreceived%26unit%3DH44"
    assert "/dossiers?count=received&amp;unit=H44" in page(closed, answer.headers["location"])


def test_a_key_opens_the_pages_of_its_own_units_alone(
    closed: TestClient, closed_app: FastAPI
) -> None:
    key = make_key(closed_app, "statistics:read", "dossiers:read")

    assert sign_in(closed, key) == 303
    assert "Việt Trì" in page(closed, "/")
    assert "DỮ LIỆU GIẢ LẬP" not in page(closed, "/")
    page(closed, "/?unit=H44", 404)
    page(closed, "/?unit=H44.101", 404)
    page(closed, "/dossiers?count=received&unit=H44", 404)


def test_the_browser_never_keeps_the_key(closed: TestClient, closed_app: FastAPI) -> None:
    key = make_key(closed_app, "statistics:read")
    answer = closed.post("/sign-in", data={"key": key})

    cookie = answer.headers["set-cookie"]
    assert key not in cookie
    assert key.rpartition("_")[2] not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.parametrize("scope", ["dossiers:write", "alerts:manage"])
def test_a_key_for_something_else_opens_no_page(
    closed: TestClient, closed_app: FastAPI, scope: str
) -> None:
    assert sign_in(closed, make_key(closed_app, scope)) == 403
    assert closed.get("/").status_code == 303


def test_figures_alone_do_not_open_dossiers(closed: TestClient, closed_app: FastAPI) -> None:
    sign_in(closed, make_key(closed_app, "statistics:read"))

    page(closed, "/")
    page(closed, "/dossiers?count=received&unit=H44.100", 403)


@pytest.mark.parametrize("key", ["", "wrong", "dh_test_00000000_" + "0" * 43, "x" * 5_000])
def test_a_wrong_key_is_refused_without_saying_why(closed: TestClient, key: str) -> None:
    assert sign_in(closed, key) in {401, 413}


def test_a_revoked_key_ends_its_visit(closed: TestClient, closed_app: FastAPI) -> None:
    key = make_key(closed_app, "statistics:read")
    sign_in(closed, key)
    installation = closed_app.state.installation
    with installation.database.begin() as session:
        prefix = key.rpartition("_")[0]
        access.revoke_key(session, installation.keyring, prefix, actor="test", now=NOW)

    assert closed.get("/").status_code == 303


def test_signing_out_ends_the_visit(closed: TestClient, closed_app: FastAPI) -> None:
    sign_in(closed, make_key(closed_app, "statistics:read"))

    closed.get("/sign-out")

    assert closed.get("/").status_code == 303


def test_a_form_of_another_site_is_refused(closed: TestClient, closed_app: FastAPI) -> None:
    key = make_key(closed_app, "statistics:read")

    assert sign_in(closed, key, Origin="https://elsewhere.example") == 403
    assert sign_in(closed, key, **{"Sec-Fetch-Site": "cross-site"}) == 403
