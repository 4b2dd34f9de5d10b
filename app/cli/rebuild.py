"""``rebuild``: fold every dossier again from its record and compare with what is stored.

What is mended here was counted as it stood by hand, so the facts are recounted with it.
"""

from typing import Annotated

import orjson
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app import cli
from app.cli.recount import build_all
from app.clock import system_clock
from app.settings import Settings
from app.usecases import rebuild, recount

commands = typer.Typer()

DIFFERS = 1
"""The exit code when something differs and was not mended."""


@commands.command("rebuild")
def rebuild_projection(
    repair: Annotated[
        bool, typer.Option("--repair", help="Lưu lại theo bản ghi gốc. / Store what differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Cho máy đọc. / For machines.")] = False,
) -> None:
    """So mọi hồ sơ với bản ghi gốc. / Compare every dossier with what its record gives."""
    columns = (SpinnerColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with (
        cli.database_of(Settings()) as database,
        Progress(*columns, transient=True, disable=as_json) as progress,
    ):
        task = progress.add_task("rebuild", total=None)
        with database.read() as session:
            found = rebuild.compare(
                session, progress=lambda done: progress.update(task, completed=done)
            )
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
    told = {"looked_at": found.looked_at, "differ": found.differ, "mended": mended}
    if as_json:
        typer.echo(orjson.dumps(told).decode())
    else:
        cli.tell("rebuild.done", **{name: str(value) for name, value in told.items()})
    raise typer.Exit(DIFFERS if found.differ else 0)
