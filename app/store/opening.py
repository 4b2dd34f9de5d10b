"""Open the database of an installation: the one it names, or the embedded one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from app.store.embedded import EmbeddedPostgres
from app.store.session import Database


@contextlib.contextmanager
def opened(
    *,
    url: str | None,
    data_dir: Path,
    pool_size: int = 8,
    statement_timeout_ms: int = 30_000,
    behind_pooler: bool = False,
    supervised: bool = False,
) -> Iterator[Database]:
    """Give the database for the time of the block, starting the embedded server when none is named.

    The embedded server stops with the last process that uses it.

    :param supervised: start the embedded server again whenever it dies meanwhile.
    :raises EmbeddedUnsupported: no database is named and this system cannot run the embedded one.
    :raises EmbeddedInUse: the data folder is held by a process that this one cannot join.
    :raises EmbeddedFailed: the embedded server did not start.
    """
    with contextlib.ExitStack() as stack:
        if url is None:
            server = stack.enter_context(EmbeddedPostgres(data_dir))
            url = server.url
            if supervised:
                stack.enter_context(server.supervised())
        database = Database(
            url,
            pool_size=pool_size,
            statement_timeout_ms=statement_timeout_ms,
            behind_pooler=behind_pooler,
        )
        stack.callback(database.dispose)
        yield database
