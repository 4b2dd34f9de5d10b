"""Migrations: one line of numbers, there and back again, and the schema that the model says."""

import ast
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.store import schema
from app.store.session import Database
from app.store.tables import metadata

FILES = sorted((schema.MIGRATIONS / "versions").glob("*.py"))


def test_migrations_are_numbered_without_a_gap_and_have_one_head() -> None:
    expected = [f"{number:04d}" for number in range(1, len(FILES) + 1)]

    assert [path.name[:4] for path in FILES] == expected
    assert schema.revisions() == expected
    assert schema.head() == expected[-1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_migration_imports_nothing_that_may_change_after_it(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }

    forbidden = ("app.domain", "app.usecases", "app.rulebook", "app.api")
    assert not [name for name in imported if name.startswith(forbidden)]


def test_migrations_go_up_and_down_and_up_again(empty_url: str) -> None:
    database = Database(empty_url)

    schema.migrate(database)
    schema.downgrade(database)
    left = _tables(database)
    schema.migrate(database)

    assert left == {"alembic_version"}
    assert schema.current(database) == schema.head()
    database.dispose()


def test_the_migrated_schema_is_the_one_of_the_model(fresh_database: Database) -> None:
    with fresh_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})

        assert compare_metadata(context, metadata) == []


def _tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {str(row[0]) for row in rows}
