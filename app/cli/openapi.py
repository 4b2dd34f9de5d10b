"""The committed description of the API: write it, or tell whether it has drifted."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.api.openapi import description
from app.cli import tell
from app.main import create_app
from app.store.session import Database

commands = typer.Typer()
FILE = Path(__file__).resolve().parents[2] / "openapi.json"


@commands.command()
def openapi(
    write: Annotated[bool, typer.Option("--write", help="Ghi openapi.json. / Write it.")] = False,
    check: Annotated[bool, typer.Option("--check", help="So với tệp. / Compare it.")] = False,
) -> None:
    """In mô tả API (OpenAPI 3.1). / Print the description of the API."""
    text = rendered()
    if write:
        FILE.write_text(text, encoding="utf-8")
    elif check:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
            tell("openapi.drift")
            raise typer.Exit(1)
    else:
        sys.stdout.write(text)


def rendered() -> str:
    """Return the description of the API as it is committed."""
    database = Database("postgresql+psycopg://")  # nothing is opened to describe the doors
    app = create_app(database, secret=b"", environment="test")
    return json.dumps(description(app), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
