"""``recount``: count every dossier anew and compare with the facts that answer figures."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final

import orjson
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app import cli
from app.settings import Settings
from app.store.session import Database
from app.usecases import recount

commands = typer.Typer()

DIFFERS = 1
"""The exit code when something differs and was not mended."""

BUILDERS: Final = min(4, os.cpu_count() or 1)
"""How many batches of units are built at once: the work is that of the database."""


def build_all(
    database: Database,
    batches: Iterable[Sequence[int]],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Build the facts of units anew, some batches at a time, while nobody folds."""

    def build(units: Sequence[int]) -> int:
        with database.begin() as session:
            recount.build(session, units)
        return len(units)

    with database.begin() as guard, ThreadPoolExecutor(BUILDERS) as threads:
        recount.alone(guard)
        with database.begin() as session:
            recount.unroll(session)
        done = 0
        for units in threads.map(build, batches):
            done += units
            progress(done)
        with database.begin() as session:
            recount.roll_up(session)


@contextlib.contextmanager
def progress_of(name: str, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a command has come; give what is to be told how many are done."""
    columns = (SpinnerColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, transient=True, disable=not is_shown) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done: progress.update(task, completed=done)


@commands.command("recount")
def recount_facts(
    repair: Annotated[
        bool, typer.Option("--repair", help="Đếm lại và lưu. / Store what was counted anew.")
    ] = False,
    build: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Tính lại tất cả từ hồ sơ, rồi so. / Make all figures anew, then compare.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Cho máy đọc. / For machines.")] = False,
) -> None:
    """Đếm lại mọi hồ sơ, so với số liệu. / Count all dossiers anew, compare with the figures."""
    with (
        cli.database_of(Settings()) as database,
        progress_of("recount", is_shown=not as_json) as told,
    ):
        if build:
            with database.read() as session:
                batches = list(recount.batches(session, size=recount.BUILT_AT_ONCE))
            build_all(database, batches, progress=told)
        with database.read() as session:
            found = recount.compare(session, progress=told)
        mended = 0
        if repair and found.differ:  # sums of units with all below them are made anew as well
            build_all(database, found.batches)
            mended = found.differ
            with database.read() as session:
                found = recount.compare(session)
    numbers = {
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
        typer.echo(orjson.dumps({**numbers, "named": named}).decode())
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
        cli.tell("recount.done", **{name: str(value) for name, value in numbers.items()})
    raise typer.Exit(DIFFERS if found.differ else 0)
