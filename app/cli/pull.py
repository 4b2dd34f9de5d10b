"""Ask sources for their dossiers by hand."""

import json
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from app.cli import AsJson, database_of, language, tell
from app.domain.dossier import ZONE
from app.i18n import phrase
from app.jobs import igate_of, pull_terms
from app.settings import load
from app.usecases import pull as pulling

commands = typer.Typer()
pull = typer.Typer(no_args_is_help=True, help="Kéo hồ sơ từ nguồn. / Pull from sources.")
commands.add_typer(pull, name="pull")

COUNTS = ("pages", "accepted", "unchanged", "stale", "quarantined")


@pull.callback()
def sources() -> None:
    """Kéo hồ sơ từ nguồn. / Pull dossiers from sources that must be asked."""


@pull.command()
def igate(
    url: Annotated[
        str | None, typer.Option(help="Địa chỉ iGate; mặc định theo thiết lập. / Its address.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Mã phần mềm nguồn. / Code of the source system.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Đơn vị gốc. / Root of its units.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Đọc lại từ đầu, lùi đến ngày này. / Read again, back to this day.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Kéo hồ sơ từ iGate; bị ngắt thì lần sau đi tiếp. / Pull from iGate; goes on when cut off.

    The client and its secret are settings (DUNGHAN_IGATE_CLIENT_ID, …_CLIENT_SECRET).
    """
    settings = load()
    client = igate_of(settings, url=url)
    with database_of(settings) as database:
        with database.begin() as session:
            terms = pull_terms(session, settings, source=source, unit=unit)
        back_to = None if since is None else since.replace(tzinfo=ZONE)
        bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True)
        )
        state = None
        with nullcontext() if as_json else bar:
            task = bar.add_task(phrase(language(), "pull.reading"), total=None)
            for state in pulling.pull(database, client, terms, since=back_to):
                bar.update(task, description=f"{phrase(language(), 'pull.reading')} {state.counts}")
    counts = {name: 0 if state is None else state.counts.get(name, 0) for name in COUNTS}
    if as_json:
        cursor = None if state is None or state.cursor is None else state.cursor.isoformat()
        print(json.dumps({**counts, "cursor": cursor}))
    else:
        named = source or settings.igate_source or ""
        tell("pull.done", source=named, **{name: str(number) for name, number in counts.items()})
