"""The state calendar as data: one file for each year, read strictly.

An unknown key, a missing document, a date of another year or two entries for one date stop the
start, with the file, the entry and the fault named.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from app.domain.calendar import (
    WEEKDAYS,
    DayException,
    ExceptionKind,
    Session,
    WorkCalendar,
    YearStatus,
    week_of,
)
from app.domain.errors import AppError

FOLDER: Final = Path(__file__).parent / "calendar"
STATE_FILE: Final = "state.toml"
_DAY_KEYS: Final = {
    "date",
    "kind",
    "like",
    "sessions",
    "vi",
    "en",
    "document",
    "estimated",
    "source",
}
_YEAR_KEYS: Final = {"year", "estimated", "day"}
_STATE_KEYS: Final = {"id", "zone", "week"}


class CalendarDataBroken(ValueError):
    """A file of the state calendar is not what it must be: file, entry and fault."""


@cache
def load_state_calendar() -> WorkCalendar:
    """Return the calendar of the state (lịch làm việc chung), which every unit inherits.

    :raises CalendarDataBroken: if a file of it is malformed.
    """
    return read_state_calendar(FOLDER)


def year_status(year: int) -> YearStatus:
    """Say whether a year of the state calendar is official, estimated or missing."""
    return load_state_calendar().year_status(year)


def read_state_calendar(folder: Path) -> WorkCalendar:
    """Read a state calendar from a folder with ``state.toml`` and one file for each year.

    Its version is the range of its years and a digest of its files, so that every change of the
    data is a change of the version.

    :raises CalendarDataBroken: if a file of it is malformed.
    """
    paths = sorted(path for path in folder.glob("*.toml") if path.name != STATE_FILE)
    if not paths:
        raise CalendarDataBroken(f"{folder.name}: no year")
    state = _table(folder / STATE_FILE, _STATE_KEYS)
    digest = sha256((folder / STATE_FILE).read_bytes())
    days, estimated = list[DayException](), set[int]()
    for path in paths:
        digest.update(path.read_bytes())
        exceptions, whole_year = _year(path)
        days += exceptions
        if whole_year:
            estimated.add(int(path.stem))
    years = [int(path.stem) for path in paths]
    try:
        return WorkCalendar(
            id=_text(state, "id", STATE_FILE),
            version=f"{years[0]}-{years[-1]}.{digest.hexdigest()[:10]}",
            zone=_text(state, "zone", STATE_FILE),
            week=week_of(_week(state)),
            exceptions=tuple(days),
            loaded_years=frozenset(years),
            estimated_years=frozenset(estimated),
        )
    except AppError as error:
        raise CalendarDataBroken(f"{folder.name}: {error}") from error


def _table(path: Path, keys: set[str]) -> Mapping[str, object]:
    try:
        table: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CalendarDataBroken(f"{path.name}: {error}") from error
    _refuse_unknown(table, keys, path.name)
    return table


def _refuse_unknown(table: Mapping[str, object], keys: set[str], where: str) -> None:
    unknown = sorted(table.keys() - keys)
    if unknown:
        raise CalendarDataBroken(f"{where}: unknown key {', '.join(unknown)}")


def _text(table: Mapping[str, object], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise CalendarDataBroken(f"{where}: {key} must be a text")
    return value


def _flag(table: Mapping[str, object], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise CalendarDataBroken(f"{where}: {key} must be true or false")
    return value


def _week(state: Mapping[str, object]) -> dict[str, tuple[Session, ...]]:
    week = state.get("week")
    if not isinstance(week, dict):
        raise CalendarDataBroken(f"{STATE_FILE}: week must be a table")
    _refuse_unknown(week, set(WEEKDAYS), f"{STATE_FILE} week")
    return {name: _sessions(value, f"{STATE_FILE} {name}") for name, value in week.items()}


def _sessions(value: object, where: str) -> tuple[Session, ...]:
    if not isinstance(value, list):
        raise CalendarDataBroken(f"{where}: sessions must be a list of pairs")
    return tuple(_session(pair, where) for pair in value)


def _session(pair: object, where: str) -> Session:
    match pair:
        case [str() as opens, str() as closes]:
            try:
                return Session.parse(opens, closes)
            except AppError as error:
                raise CalendarDataBroken(f"{where}: {error}") from error
        case _:
            raise CalendarDataBroken(f"{where}: a session is a pair of wall times")


def _year(path: Path) -> tuple[list[DayException], bool]:
    table = _table(path, _YEAR_KEYS)
    year = table.get("year")
    if not isinstance(year, int) or str(year) != path.stem:
        raise CalendarDataBroken(f"{path.name}: year must be {path.stem}")
    entries = table.get("day")
    if not isinstance(entries, list):
        raise CalendarDataBroken(f"{path.name}: no day")
    whole_year = _flag(table, "estimated", path.name)
    days = [_day(entry, year, f"{path.name} day {number}") for number, entry in _numbered(entries)]
    if sorted(day.on for day in days) != [day.on for day in days]:
        raise CalendarDataBroken(f"{path.name}: days must be in order")
    if whole_year and not all(day.estimated for day in days):
        raise CalendarDataBroken(f"{path.name}: in an estimated year every day is estimated")
    return days, whole_year


def _numbered(entries: Iterable[object]) -> Iterable[tuple[int, object]]:
    return enumerate(entries, 1)


def _day(entry: object, year: int, where: str) -> DayException:
    if not isinstance(entry, dict):
        raise CalendarDataBroken(f"{where}: must be a table")
    _refuse_unknown(entry, _DAY_KEYS, where)
    on = entry.get("date")
    if type(on) is not date or on.year != year:
        raise CalendarDataBroken(f"{where}: date must be a day of {year}")
    where = f"{where} ({on.isoformat()})"
    try:
        return DayException(
            on=on,
            kind=_kind(entry, where),
            sessions=_sessions(entry.get("sessions", []), where),
            like=_like(entry, where),
            title_vi=_text(entry, "vi", where),
            title_en=_text(entry, "en", where),
            document=_document(entry, where),
            estimated=_flag(entry, "estimated", where),
        )
    except AppError as error:
        raise CalendarDataBroken(f"{where}: {error}") from error


def _kind(entry: Mapping[str, object], where: str) -> ExceptionKind:
    try:
        return ExceptionKind(_text(entry, "kind", where))
    except ValueError as error:
        raise CalendarDataBroken(f"{where}: kind must be off, work or hours") from error


def _like(entry: Mapping[str, object], where: str) -> int | None:
    if "like" not in entry:
        return None
    name = _text(entry, "like", where)
    if name not in WEEKDAYS:
        raise CalendarDataBroken(f"{where}: like must be one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(name)


def _document(entry: Mapping[str, object], where: str) -> str | None:
    """Return the document of a day; a day without one is estimated and its source unverified."""
    unverified = entry.get("source") == "unverified"
    if "source" in entry and not unverified:
        raise CalendarDataBroken(f"{where}: source can only be unverified")
    if "document" in entry:
        if unverified:
            raise CalendarDataBroken(f"{where}: a day with a document is not unverified")
        return _text(entry, "document", where)
    if not (unverified and _flag(entry, "estimated", where)):
        raise CalendarDataBroken(f"{where}: name the document, or mark estimated and unverified")
    return None
