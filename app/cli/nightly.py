"""The nightly job by hand: what is owed, or the night of one day."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from app.cli import database_of, tell
from app.jobs import duty_of
from app.settings import load
from app.store.runs import Run
from app.usecases import runs

commands = typer.Typer()


@commands.command()
def nightly(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Ngày cần chạy, mặc định mọi đêm còn nợ. / The day; every night owed if absent.",
        ),
    ] = None,
) -> None:
    """Flag overdue dossiers and queue their alerts; repeating it raises none twice."""
    with database_of(load()) as database:
        if as_of is None:
            done = runs.run_due_nights(database, duty_of())
        else:
            done = [runs.run_named_night(database, as_of.date(), duty_of())]
    for run in done:
        report(run)
    if not done:
        tell("nightly.nothing")


def report(run: Run) -> None:
    """Say what a night found."""
    found = {name: str(number) for name, number in counts(run.found).items()}
    tell("nightly.done", slot=run.slot, **found)
    if found["not_computable"] != "0":
        tell("nightly.not_computable", slot=run.slot, count=found["not_computable"])


def counts(found: Mapping[str, object]) -> dict[str, object]:
    """Return the numbers of a report, 0 where a run found nothing."""
    names = ("looked_at", "overdue", "raised", "queued", "not_computable")
    return {name: found.get(name, 0) for name in names}
