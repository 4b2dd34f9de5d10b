"""Import a file of records, with a preview, a progress bar and a workbook of refused rows."""

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.api.imports import FileImportOut, FilePreviewOut, preview_of, wanted_of
from app.cli import AsJson, database_of, language, tell
from app.clock import system_clock
from app.i18n import phrase
from app.settings import load
from app.store import imports as jobs
from app.store.imports import Job
from app.store.session import Database
from app.usecases import imports, intake, lanes
from app.usecases.imports import Hands, Order, OwnHands, Prepared
from app.usecases.ingest import Sender
from app.usecases.intake import Hash
from app.usecases.lanes import Crew, Post

commands = typer.Typer()

ACTOR = "operator"
USUAL_PROCESSES: Final = 4
LARGE: Final = 200_000
"""Bytes of a file for which processes are made ready before it is looked at."""


@commands.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, .xlsx, .xls.")],
    source: Annotated[str, typer.Option(help="Mã phần mềm nguồn. / Code of the source system.")],
    unit: Annotated[
        str | None,
        typer.Option(
            help="Đơn vị gốc của tệp; cũng là đơn vị của dòng nếu tệp không có cột đơn vị. / "
            "Root of the file's units; also the rows' unit when no column names it."
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help='Ghép cột: "Số HS=code". / Map a column; repeatable.'),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Trang tính. / Sheet.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Chỉ xem trước. / Preview only.")] = False,
    again: Annotated[bool, typer.Option(help="Nhập lại tệp đã xong. / Once more.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Ghi các dòng bị từ chối (.xlsx). / Write refused rows.")
    ] = None,
    as_json: AsJson = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=imports.MOST_LANES,
            help="Số tiến trình nhập; mặc định theo số nhân, nhiều nhất 4. / "
            "Processes that store rows; one for each core unless told, at most 4.",
        ),
    ] = None,
) -> None:
    """Nhập tệp hồ sơ; bị ngắt thì chạy lại đúng lệnh này để đi tiếp. / Import a file of records.

    When it breaks off, the same command goes on where it stopped.
    """
    settings = load()
    hashed = intake.hasher_of(settings.applicant_key())
    raw, wanted = file.read_bytes(), wanted_of(columns or ())
    size = processes or min(cores(), USUAL_PROCESSES)
    if size > 1 and not dry_run and len(raw) >= LARGE:
        lanes.ready()
    with database_of(settings) as database:
        with database.begin() as session:
            by = intake.sender_by_name(session, source=source, unit=unit)
        prepared = own_unit(imports.prepare(Order(raw, wanted, unit, sheet)))
        if dry_run:
            show_preview(database, prepared, by, hashed, as_json=as_json)
            return
        with database.begin() as session:
            job = imports.begin(
                session, prepared, by=by, actor=ACTOR, again=again, now=system_clock()
            )
        with ExitStack() as stack:
            task = prepared.task(job, by=by)
            hands: Hands = OwnHands(database, task, hash_applicant=hashed, clock=system_clock)
            if (crew := min(size, len(job.lanes))) > 1 and job.state != jobs.DONE:
                post = Post(database.address, task, settings.applicant_key(), system_clock)
                hands = stack.enter_context(Crew(crew, post))
            job = follow(hands, database, job, prepared, quiet=as_json)
        report(database, job, errors, as_json=as_json)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own_unit(prepared: Prepared) -> Prepared:
    """Let rows that name no unit have none where the file has a column for units."""
    if "unit" in prepared.layout.fields:
        return replace(prepared, order=replace(prepared.order, unit=None))
    return prepared


def follow(hands: Hands, database: Database, job: Job, prepared: Prepared, *, quiet: bool) -> Job:
    """Take the file in and show how far it is."""
    if not quiet and job.state == jobs.DONE:
        tell("import.was_done")
    elif not quiet and job.next_row > prepared.layout.header_row + 1:
        tell("import.resumed", row=str(job.next_row))
    bar = Progress(
        TextColumn(phrase(language(), "import.reading")),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    above = prepared.layout.header_row
    with nullcontext() if quiet else bar:
        task = bar.add_task("", total=job.total_rows, completed=above + job.taken)
        for done in imports.taken_by(hands, database, job, prepared, clock=system_clock):
            job = done
            bar.update(task, completed=min(above + job.taken, job.total_rows))
        bar.update(task, completed=job.total_rows)
    return job


def report(database: Database, job: Job, errors: Path | None, *, as_json: bool) -> None:
    """Say what became of the file, and write its refused rows if asked."""
    if as_json:
        print(FileImportOut.of(job).model_dump_json())
    else:
        tell("import.done", id=str(job.id), **{name: str(n) for name, n in counts(job).items()})
    if errors is not None:
        with database.read() as session:
            refused = imports.refusals(session, job)
        errors.write_bytes(imports.errors_workbook(job, refused, language=language()))
        if not as_json:
            tell("import.errors_written", path=str(errors))


def counts(job: Job) -> dict[str, int]:
    """Return the numbers of an import, 0 where a file had no rows."""
    names = ("accepted", "unchanged", "stale", "quarantined", imports.SET_ASIDE)
    return {name: job.counts.get(name, 0) for name in names}


def show_preview(
    database: Database, prepared: Prepared, by: Sender, hashed: Hash, *, as_json: bool
) -> None:
    """Show how the file would be read and what is wrong with its rows."""
    found = imports.preview(database, prepared, by=by, hash_applicant=hashed, now=system_clock())
    out = preview_of(found, language())
    if as_json:
        print(json.dumps(out.model_dump(mode="json"), ensure_ascii=False))
        return
    screen = Console()
    screen.print(columns_table(out))
    if out.refused:
        screen.print(refused_table(out))
    for one in out.ambiguous:
        tell("import.ambiguous", field=one.field, columns=", ".join(one.columns))
    if out.missing:
        tell("import.columns_missing", fields=", ".join(out.missing))
    if out.other_sheets:
        tell("import.other_sheets", names=", ".join(out.other_sheets))
    numbers = ("header_row", "readable", "unreadable", "set_aside")
    tell("import.preview", **{name: str(getattr(out, name)) for name in numbers})


def columns_table(out: FilePreviewOut) -> Table:
    """Return the columns of the file with their fields."""
    unused = phrase(language(), "import.column.unused")
    rows = [(one.column, one.header, one.field or unused) for one in out.columns]
    return _table(("letter", "header", "field"), rows)


def refused_table(out: FilePreviewOut) -> Table:
    """Return the first rows that cannot be read."""
    rows = [(str(one.row), one.code or "", "\n".join(one.reasons)) for one in out.refused]
    return _table(("row", "code", "reasons"), rows)


def _table(titles: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    shown = Table()
    for title in titles:
        shown.add_column(phrase(language(), f"import.column.{title}"))
    for row in rows:
        shown.add_row(*row)
    return shown
