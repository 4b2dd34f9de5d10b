"""Commands about the database as such."""

import typer

from app.cli import database_of, tell
from app.settings import load
from app.store import schema

commands = typer.Typer()


@commands.command()
def migrate() -> None:
    """Bring the schema of the database up to date."""
    with database_of(load(), is_empty_allowed=True) as database:
        applied = schema.migrate(database)
        at = schema.current(database) or "-"
    tell("database.migrated", number=str(len(applied)), at=at)
