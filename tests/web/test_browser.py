"""The pages in a real browser that can reach nothing but this server: the air gap."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Request, sync_playwright

from app.api.wire import Wire
from tests.web.conftest import NOW

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PATIENCE_MS = 120_000
PAGES = (
    "/",
    "/?lang=en",
    "/?unit=H44.42",
    "/dossiers?count=finished_late&unit=H44&month=2026-07",
    "/dossiers?count=nonsense",
    "/demo/receiver",
    "/docs",
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.must_run_in_ci,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@dataclass
class Seen:
    """What a browser asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note everything that a page does from now on."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda line: self._note(line.type, line.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._note_failure)

    def _note_failure(self, request: Request) -> None:
        """Note what could not be loaded; what a page left behind when it was closed is no fault."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _note(self, kind: str, text: str) -> None:
        refusal = "Failed to load resource: the server responded with a status of 4"
        if kind in {"error", "warning"} and not text.startswith(refusal):
            self.complaints.append(text)

    @property
    def elsewhere(self) -> list[str]:
        """Return the requests that were not for this server."""
        return [
            url
            for url in self.requests
            if urlsplit(url).hostname != "127.0.0.1" and not url.startswith("data:")
        ]


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """Serve the demonstration on a free port for the time of a test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, http=Wire, ws="none", lifespan="off", log_config=None)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=60)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Give a browser with a fresh profile and no network."""
    with sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=CHROMIUM,
            timeout=PATIENCE_MS,
            args=FLAGS,
            env={**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        )
        yield opened
        opened.close()


def page_of(browser: Browser, **options: Any) -> Page:
    """Open a page that has as long for everything as the browser had to start."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE_MS)
    return page


def test_pages_ask_nobody_else_for_anything_and_nothing_complains(
    browser: Browser, address: str
) -> None:
    seen = Seen()
    page = page_of(browser, viewport={"width": 1280, "height": 900})
    seen.watch(page)

    for path in PAGES:
        page.goto(address + path, wait_until="load")

    assert len(seen.requests) > len(PAGES)
    assert seen.elsewhere == []
    assert seen.complaints == []


def test_pages_fit_a_telephone_without_sideways_scrolling(browser: Browser, address: str) -> None:
    page = page_of(browser, viewport={"width": 360, "height": 740})

    for path in PAGES[:-1]:
        page.goto(address + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path


def test_a_leader_goes_from_the_province_to_the_reason_of_one_date(
    browser: Browser, address: str
) -> None:
    page = page_of(browser)
    page.goto(f"{address}/?month={NOW:%Y-%m}")

    tile = page.locator("a.tile.bad").first
    number = tile.locator(".value").inner_text()
    with page.expect_navigation():
        tile.click()
    assert page.locator("#total").inner_text().startswith(number)
    with page.expect_navigation():
        page.locator("tbody a").first.click()

    assert page.locator("#account").is_visible()
    assert page.locator("table.ledger tbody tr").count() > 0


def test_the_keyboard_reaches_the_content_first(browser: Browser, address: str) -> None:
    page = page_of(browser)
    page.goto(address + "/")

    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.className")

    assert focused == "skip"
    assert page.evaluate("document.querySelectorAll('[id]').length") == page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    )
    assert page.locator("main").count() == page.locator("h1").count() == 1
