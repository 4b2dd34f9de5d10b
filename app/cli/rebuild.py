"""``rebuild``: fold every dossier again from its record and compare with what is stored.

What is mended here was counted as it stood by hand, so the facts are recounted with it.
"""

from typing import Annotated

import orjson
import typer

from app import cli
from app.cli.recount import DIFFERS, build_all, progress_of
from app.clock import system_clock
from app.settings import Settings
from app.usecases import rebuild, recount

commands = typer.Typer()


@commands.command("rebuild")
def rebuild_projection(
    repair: Annotated[
        bool, typer.Option("--repair", help="Lưu lại theo bản ghi gốc. / Store what differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Cho máy đọc. / For machines.")] = False,
) -> None:
    """So mọi hồ sơ với bản ghi gốc. / Compare every dossier with what its record gives."""
    with (
        cli.database_of(Settings()) as database,
        progress_of("rebuild", is_shown=not as_json) as told,
    ):
        with database.read() as session:
            found = rebuild.compare(session, progress=told)
        mended = 0
        while repair and found.named:
            with database.begin() as session:
                mended += rebuild.repair(session, found.named, now=system_clock())
            with database.read() as session:
                found = rebuild.compare(session)
        if mended:
            with database.read() as session:
                wrong = recount.compare(session).batches
            build_all(database, wrong)
    numbers = {"looked_at": found.looked_at, "differ": found.differ, "mended": mended}
    if as_json:
        typer.echo(orjson.dumps(numbers).decode())
    else:
        cli.tell("rebuild.done", **{name: str(value) for name, value in numbers.items()})
    raise typer.Exit(DIFFERS if found.differ else 0)
