"""``recount``: count every dossier anew and compare with the facts that answer figures."""

from typing import Annotated

import orjson
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app import cli
from app.settings import Settings
from app.usecases import recount

commands = typer.Typer()

DIFFERS = 1
"""The exit code when a number differs and was not mended."""


@commands.command("recount")
def recount_facts(
    repair: Annotated[
        bool, typer.Option("--repair", help="Đếm lại và lưu. / Store what was counted anew.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Cho máy đọc. / For machines.")] = False,
) -> None:
    """Đếm lại mọi hồ sơ, so với số liệu. / Count all dossiers anew, compare with the figures."""
    columns = (SpinnerColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with (
        cli.database_of(Settings()) as database,
        Progress(*columns, transient=True, disable=as_json) as progress,
    ):
        task = progress.add_task("recount", total=None)
        with database.read() as session:
            found = recount.compare(
                session, progress=lambda done: progress.update(task, completed=done)
            )
        mended = 0
        if repair and found.differ:
            for units in found.batches:
                with database.begin() as session:
                    recount.build(session, units)
            mended = found.differ
            with database.read() as session:
                found = recount.compare(session)
    told = {
        "units": found.units,
        "waiting": found.waiting,
        "differ": found.differ,
        "mended": mended,
    }
    if as_json:
        named = [
            {
                "table": one.table,
                "unit": one.unit,
                "counter": one.counter,
                "day": one.day,
                "stored": one.stored,
                "expected": one.expected,
            }
            for one in found.named
        ]
        typer.echo(orjson.dumps({**told, "named": named}).decode())
    else:
        for one in found.named:
            cli.tell(
                "recount.differs",
                unit=one.unit,
                counter=one.counter,
                day=one.day.isoformat(),
                stored=str(one.stored),
                expected=str(one.expected),
            )
        cli.tell("recount.done", **{name: str(value) for name, value in told.items()})
    raise typer.Exit(DIFFERS if found.differ else 0)
