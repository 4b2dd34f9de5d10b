"""Commands about the database."""

import pytest
from typer.testing import CliRunner

from app import cli
from app.store import schema
from app.store.session import Database


def test_migrate_brings_a_named_database_to_the_head(
    monkeypatch: pytest.MonkeyPatch, empty_url: str
) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", empty_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)

    done = CliRunner().invoke(cli.build(), ["migrate"])

    assert done.exit_code == 0
    assert schema.head() in done.stderr
    database = Database(empty_url)
    assert schema.current(database) == schema.head()
    database.dispose()
