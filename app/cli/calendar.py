"""Working calendars by command: show a year, check what is ahead, take from a file, give a file."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.cli import AsJson, database_of, language, tell
from app.clock import system_clock
from app.domain.calendar import DayException, WorkCalendar, YearStatus, next_year_warning
from app.feeds.calendar_file import text_of, to_icalendar
from app.i18n import ZONE, Language, format_day, phrase
from app.settings import load
from app.usecases import calendar_import, calendars, rule_change
from app.usecases.calendar_import import CSV, ICALENDAR
from app.usecases.calendars import STATE, plain_exception

commands = typer.Typer()
calendar = typer.Typer(no_args_is_help=True, help="Lịch làm việc. / Working calendars.")
commands.add_typer(calendar, name="calendar")

ACTOR: Final = "operator"
WARNED: Final = 1
MOST_SHOWN: Final = 20
Id = Annotated[str, typer.Argument(help="Mã lịch; vn là lịch chung. / Id; vn is the state's.")]


@calendar.command()
def show(
    calendar_id: Id = STATE,
    year: Annotated[int | None, typer.Option(help="Năm. / Year, this one if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """In ngày nghỉ, làm bù, đổi giờ của một năm. / Print the exceptions of a year."""
    with database_of(load()) as database, database.read() as session:
        held = calendars.calendar_by_id(session, calendar_id)
    asked = system_clock().astimezone(ZONE).year if year is None else year
    days = [day for day in held.exceptions if day.on.year == asked]
    if as_json:
        told = {
            "id": held.id,
            "version": held.version,
            "year": asked,
            "status": held.year_status(asked).value,
            "exceptions": [plain_exception(day) for day in days],
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    status = phrase(language(), f"calendar.status.{held.year_status(asked).value}")
    tell("calendar.shown", calendar=held.id, version=held.version, year=str(asked), status=status)
    Console().print(_table(held, days))


@calendar.command()
def check(
    calendar_id: Id = STATE,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Ngày xét, mặc định hôm nay. / The day, today."),
    ] = None,
) -> None:
    """Báo khi năm tới chưa có lịch chính thức. / Warn while next year is not official.

    Ends with 1 in the last quarter of a year while the next one is missing or estimated.
    """
    with database_of(load()) as database, database.read() as session:
        held = calendars.calendar_by_id(session, calendar_id)
    at = system_clock() if as_of is None else as_of.replace(tzinfo=ZONE)
    warning = next_year_warning(held, at)
    if warning is not None:
        code = f"calendar.year_warning.{warning.status.value}"
        tell(code, calendar=warning.calendar, year=str(warning.year))
        raise typer.Exit(WARNED)
    tell("calendar.checked", calendar=held.id, years=_years(held))


@calendar.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Tệp .csv hoặc .ics. / A .csv or .ics file.")],
    calendar_id: Annotated[str, typer.Option("--calendar", help="Mã lịch. / Id.")] = STATE,
    year: Annotated[
        list[int] | None, typer.Option(help="Năm mà tệp khai trọn. / Years the file tells whole.")
    ] = None,
    document: Annotated[str | None, typer.Option(help="Văn bản. / Document behind it.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Lưu thật. / Save, not only show.")] = False,
) -> None:
    """Xem trước rồi nạp ngoại lệ từ tệp. / Show what a file changes; with --save, save it."""
    is_ical = path.suffix.lower() == ".ics"
    try:
        text = text_of(path.read_bytes())
    except OSError as error:
        tell("calendar.file_missing", path=str(path))
        raise typer.Exit(WARNED) from error
    incoming = calendar_import.read(text, ICALENDAR if is_ical else CSV)
    now = system_clock()
    with database_of(load()) as database, database.begin() as session:
        calendars.hold(session)
        found = calendar_import.plan(
            session, calendar_id, incoming, years=frozenset(year or ()), document=document
        )
        change = calendar_import.change(calendar_id, found, actor=ACTOR, now=now)
        if save:
            _, preview = rule_change.apply(session, change, now=now)
        else:
            preview = rule_change.preview(session, change, now=now)
    for one in found.changes:
        before, after = _short(one.before), _short(one.after)
        tell("calendar.change", day=_day(one.on), before=before, after=after)
    for moved in preview.moved[:MOST_SHOWN]:
        old = "" if moved.old_due_on is None else _day(moved.old_due_on)
        tell("calendar.moves", dossier=moved.code, old=old or "–", new=_day(moved.due_on))
    counts = {"moves": str(len(preview.moved)), "flips": str(preview.flips)}
    code = "calendar.imported" if save else "calendar.previewed"
    tell(code, changes=str(len(found.changes)), **counts)


@calendar.command()
def ics(
    calendar_id: Id = STATE,
    output: Annotated[
        Path | None, typer.Option(help="Tệp; in ra màn hình nếu bỏ trống. / File, else printed.")
    ] = None,
) -> None:
    """Ghi lịch thành tệp iCalendar. / Write the calendar as iCalendar."""
    with database_of(load()) as database, database.read() as session:
        held = calendars.calendar_by_id(session, calendar_id)
    text = to_icalendar(held, stamped_at=system_clock(), language=language().value)
    if output is None:
        print(text, end="")
    else:
        output.write_bytes(text.encode())


def _table(held: WorkCalendar, days: list[DayException]) -> Table:
    shown = Table()
    for column in ("day", "kind", "sessions", "title", "document"):
        shown.add_column(phrase(language(), f"calendar.column.{column}"))
    for day in days:
        mark = "*" if day.estimated else ""
        sessions = ", ".join(str(session) for session in day.sessions_in(held.week))
        title = day.title_vi if language() is Language.VI else day.title_en
        kind = phrase(language(), f"calendar.kind.{day.kind.value}")
        shown.add_row(_day(day.on) + mark, kind, sessions, title, day.document or "")
    return shown


def _years(held: WorkCalendar) -> str:
    years = sorted(held.loaded_years or ())
    official = [year for year in years if held.year_status(year) is YearStatus.OFFICIAL]
    return ", ".join(str(year) for year in official) or "–"


def _day(on: date) -> str:
    return format_day(language(), on)


def _short(day: DayException | None) -> str:
    if day is None:
        return "–"
    kind = phrase(language(), f"calendar.kind.{day.kind.value}")
    title = day.title_vi if language() is Language.VI else day.title_en
    return f"{kind} ({title})" if title else kind
