"""The description by command."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import build, openapi


def test_it_is_printed_written_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openapi, "FILE", tmp_path / "openapi.json")
    runner = CliRunner()

    printed = runner.invoke(build(), ["openapi"])
    stale = runner.invoke(build(), ["openapi", "--check"])
    written = runner.invoke(build(), ["openapi", "--write"])
    fresh = runner.invoke(build(), ["openapi", "--check"])

    assert json.loads(printed.stdout)["openapi"] == "3.1.0"
    codes = [one.exit_code for one in (printed, stale, written, fresh)]
    assert codes == [0, 1, 0, 0]
    assert (tmp_path / "openapi.json").read_text("utf-8") == printed.stdout
