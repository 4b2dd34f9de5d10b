"""Run one batch of migrations: one transaction, behind a lock, with limits on waiting.

`app.store.schema` calls this with a connection; `alembic upgrade head` makes its own from
DUNGHAN_DATABASE_URL. New files are numbered here.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from app.store.tables import metadata

LOCK = 4_862_006  # any number, the same for ever
WAIT_FOR_OTHERS = "300s"
WAIT_FOR_TABLES = "5s"  # better to fail than to queue every writer behind us
LONGEST_STATEMENT = "900s"


def number(
    migration: MigrationContext,
    revision: str | Iterable[str | None],
    directives: list[MigrationScript],
) -> None:
    """Give a new migration the next number, so that two new ones collide visibly."""
    scripts = ScriptDirectory.from_config(context.config)
    taken = [int(script.revision) for script in scripts.walk_revisions()]
    for directive in directives:
        directive.rev_id = f"{max(taken, default=0) + 1:04d}"


def run(connection: Connection) -> None:
    """Migrate on a connection, in one transaction that holds the lock."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
        process_revision_directives=number,
    )
    with context.begin_transaction():
        limits = "SELECT set_config('lock_timeout', :wait, true), set_config('statement_timeout', "
        connection.execute(text(limits + ":longest, true)"), _limits(WAIT_FOR_OTHERS))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(limits + ":longest, true)"), _limits(WAIT_FOR_TABLES))
        context.run_migrations()


def _limits(wait: str) -> dict[str, str]:
    return {"wait": wait, "longest": LONGEST_STATEMENT}


def _url() -> str:
    secret = os.environ.get("DUNGHAN_DATABASE_URL_FILE")
    url = Path(secret).read_text().strip() if secret else os.environ.get("DUNGHAN_DATABASE_URL")
    if not url:
        raise SystemExit("Set DUNGHAN_DATABASE_URL, or use: python3 run.py migrate")
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(_url()).connect() as own:
        run(own)
