"""The pull command against a real server."""

import json
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.jobs import PullUnconfigured
from app.senders.igate import TokenRefused
from app.store.session import Database
from tests.fakes import FakeIgate, igate_item
from tests.usecases.test_imports import settle

Pull = Callable[..., Result]


@pytest.fixture
def fake() -> Iterator[FakeIgate]:
    """Give an installation with a few dossiers."""
    with FakeIgate([igate_item(n) for n in range(7)]).serve() as served:
        yield served


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, migrated_url: str, fresh_database: Database, fake: FakeIgate
) -> Pull:
    for name, value in {
        "DATABASE_URL": migrated_url,
        "HASH_KEY": "k" * 32,
        "IGATE_TOKEN_URL": fake.token_url,
        "IGATE_CLIENT_ID": "dung-han",
        "IGATE_CLIENT_SECRET": "right",
        "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        "IGATE_PER_MINUTE": "6000",
    }.items():
        monkeypatch.setenv(f"DUNGHAN_{name}", value)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    settle(fresh_database)
    return lambda *more: CliRunner().invoke(cli.build(), ["pull", "igate", *more])


def test_dossiers_are_pulled_and_the_second_time_are_known(run: Pull, fake: FakeIgate) -> None:
    asked = ("--url", fake.url, "--source", "igate", "--unit", "H44")

    first, second = run(*asked), run(*asked, "--json")

    assert first.exit_code == 0, first.output
    assert "Pulled from igate: 1 pages, accepted 7" in first.stderr
    assert json.loads(second.stdout)["unchanged"] == 7


def test_a_wrong_secret_is_told_without_it(
    run: Pull, fake: FakeIgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUNGHAN_IGATE_CLIENT_SECRET", "wrong-word")

    done = run("--url", fake.url, "--source", "igate", "--unit", "H44")

    assert isinstance(done.exception, TokenRefused)
    assert "wrong-word" not in done.output


def test_without_an_address_the_setting_that_is_missing_is_named(run: Pull) -> None:
    done = run("--source", "igate")

    assert isinstance(done.exception, PullUnconfigured)
    assert done.exception.missing == "DUNGHAN_IGATE_URL"
