"""Bring the schema up to date, safely while other replicas try the same.

Each migration is one transaction that first takes a lock, then looks which migration is next;
a replica that had to wait finds the work done.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.store.session import Database, storage_errors

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"
BASE: Final = "base"
ONE_AT_A_TIME: Final = threading.Lock()
"""Alembic keeps its context in a global: two threads of one process would mix theirs."""


def head() -> str:
    """Return the newest migration that this code knows.

    :raises LookupError: there is none.
    """
    newest = _scripts().get_current_head()
    if newest is None:
        raise LookupError("no migrations")
    return newest


def revisions() -> list[str]:
    """Return the ids of all migrations, oldest first."""
    return [script.revision for script in reversed(list(_scripts().walk_revisions()))]


def current(database: Database) -> str | None:
    """Return the migration that the database stands at, None when it is empty.

    :raises StorageUnavailable: the database cannot serve.
    """
    with storage_errors(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database) -> list[str]:
    """Apply every migration that is missing and return their ids.

    A database that is ahead of this code (a newer version runs beside us) is left alone.

    :raises StorageUnavailable: the database cannot serve, or a lock was not to be had in time.
    """
    known = revisions()
    at = current(database)
    if at is not None and at not in known:
        return []
    missing = known if at is None else known[known.index(at) + 1 :]
    for revision in missing:
        with _connected(database) as config:
            command.upgrade(config, revision)
    return missing


def downgrade(database: Database, revision: str = BASE) -> None:
    """Take migrations back, down to one that stays; only while they are unreleased.

    :raises StorageUnavailable: the database cannot serve, or a lock was not to be had in time.
    """
    with _connected(database) as config:
        command.downgrade(config, revision)


@contextlib.contextmanager
def _connected(database: Database) -> Iterator[Config]:
    with ONE_AT_A_TIME, storage_errors(), database.engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        yield config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
