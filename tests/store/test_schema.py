"""Migrations as the service applies them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.store import schema
from app.store.session import Database


def test_an_empty_database_is_brought_to_the_head_step_by_step(empty_url: str) -> None:
    database = Database(empty_url)

    assert schema.current(database) is None
    assert schema.migrate(database) == schema.revisions()
    assert schema.current(database) == schema.head()
    assert schema.migrate(database) == []
    database.dispose()


REPLICA = """
import sys
from app.store import schema
from app.store.session import Database
schema.migrate(Database(sys.argv[1]))
"""


def test_replicas_that_migrate_at_once_all_succeed(empty_url: str) -> None:
    replicas = [
        subprocess.Popen(
            [sys.executable, "-c", REPLICA, empty_url], cwd=Path(schema.__file__).parents[2]
        )
        for _ in range(3)
    ]

    assert [replica.wait(180) for replica in replicas] == [0, 0, 0]
    database = Database(empty_url)
    assert schema.current(database) == schema.head()
    database.dispose()


def test_threads_that_migrate_at_once_all_succeed(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(schema.migrate, databases))

    assert {schema.current(database) for database in databases} == {schema.head()}
    for database in databases:
        database.dispose()


def test_a_database_that_is_ahead_of_this_code_is_left_alone(empty_url: str) -> None:
    database = Database(empty_url)
    schema.migrate(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert schema.migrate(database) == []
    assert schema.current(database) == "9999"
    database.dispose()


def test_migrations_can_be_taken_back(empty_url: str) -> None:
    database = Database(empty_url)
    schema.migrate(database)

    schema.downgrade(database)

    assert schema.current(database) is None
    database.dispose()
