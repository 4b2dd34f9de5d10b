"""Opening the database of an installation."""

from pathlib import Path

from sqlalchemy import text

from app.store.opening import opened


def test_a_database_that_is_named_is_used_and_no_server_is_started(
    empty_url: str, tmp_path: Path
) -> None:
    with (
        opened(url=empty_url, data_dir=tmp_path, statement_timeout_ms=4321) as database,
        database.read() as session,
    ):
        limit = session.scalar(text("SHOW statement_timeout"))

    assert limit == "4321ms"
    assert list(tmp_path.iterdir()) == []


def test_without_a_name_the_embedded_server_runs_for_the_time_of_the_block(tmp_path: Path) -> None:
    with opened(url=None, data_dir=tmp_path) as database:
        database.ping()
        assert (tmp_path / "postgres" / "postmaster.pid").exists()

    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
