"""The pages about the API in a real browser, with the internet switched off."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000


@pytest.mark.browser
@pytest.mark.must_run_in_ci
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_pages_open_without_internet_and_without_complaint(server: tuple[str, int]) -> None:
    host, port = server
    wrong: list[str] = []
    elsewhere: list[str] = []

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            timeout=PATIENCE_MS,
            args=["--no-sandbox", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}"],
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                elsewhere.append(asked.url)
                if not asked.url.startswith((f"http://{host}:{port}/", "data:", "blob:"))
                else None
            ),
        )
        for path in ("/redoc", "/docs/problems", "/docs"):
            page.goto(f"http://{host}:{port}{path}")
            page.wait_for_load_state("networkidle")
        page.wait_for_selector(".opblock")
        text = page.inner_text("body")
        browser.close()

    assert wrong == []
    assert elsewhere == []
    assert len(text) > 200
