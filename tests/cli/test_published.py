"""The command that tries a service with printed reports."""

from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import published
from app.cli.published import Refused, over_http
from app.rulebook.published import get_report
from app.usecases.published import scaled


def test_the_reports_are_listed() -> None:
    shown = CliRunner().invoke(published.commands, ["published", "list"])

    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == [
        "lam-dong-2020-q1",
        "phu-tho-2026-08",
        "quan-1-2018",
        "thach-ha-2019",
        "vinh-phuc-2021-09",
    ]


def _client(answers: Iterator[httpx.Response]) -> httpx.Client:
    transport = httpx.MockTransport(lambda _: next(answers))
    return httpx.Client(base_url="http://service", transport=transport)


def test_a_service_that_asks_to_wait_is_asked_again() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"})
    client = _client(iter([busy, busy, httpx.Response(200, json={"ok": True})]))

    assert over_http(client, "GET", "/", None) == {"ok": True}


def test_a_refusal_ends_the_command_with_its_answer() -> None:
    client = _client(iter([httpx.Response(403, json={"code": "access.scope_missing"})]))

    with pytest.raises(Refused, match=r"access\.scope_missing"):
        over_http(client, "PUT", "/", {})


def test_a_dossier_that_is_not_accepted_stops_the_sending() -> None:
    report = scaled(get_report("quan-1-2018"), 100_000)

    def call(method: str, path: str, body: object) -> object:
        del method, body
        if path.startswith("/v1/dossiers"):
            return {"stale": 0, "quarantined": 1, "results": [{"index": 0}]}
        return {}

    with pytest.raises(Refused):
        published.run(report, call)
