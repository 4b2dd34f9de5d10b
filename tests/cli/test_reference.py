"""The generated reference."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import cli
from app.cli import reference
from app.settings import Settings, variable_of


def test_every_setting_is_described() -> None:
    page = reference.settings_page()

    assert [name for name in Settings.model_fields if variable_of(name) not in page] == []
    assert "| None |" not in page


def test_every_command_is_described() -> None:
    page = reference.commands_page()

    assert "## migrate\n\nBring the schema" in page
    assert "## keys\n" in page
    assert "## keys create\n" in page


def test_stale_pages_are_named_and_then_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    runner = CliRunner()

    stale = runner.invoke(cli.build(), ["reference", "--check"])
    written = runner.invoke(cli.build(), ["reference"])
    fresh = runner.invoke(cli.build(), ["reference", "--check"])

    assert (stale.exit_code, written.exit_code, fresh.exit_code) == (1, 0, 0)
    assert "settings.md" in stale.stderr
