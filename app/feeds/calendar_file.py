"""Working calendars as files of other programs: iCalendar out, exceptions in from iCalendar or CSV.

Pure text in and text out. What an import would change is shown before it is saved.
"""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import ClassVar, Final

from app.domain.calendar import (
    WEEKDAYS,
    DayException,
    ExceptionKind,
    ExceptionTwice,
    Session,
    WorkCalendar,
)
from app.domain.errors import AppError, Invalid
from app.feeds.body import BodyEncoding

LINE_OCTETS: Final = 75
_COLUMNS: Final = ("date", "kind", "sessions", "like", "title_vi", "title_en", "document")
_SESSION_SEPARATORS: Final = ("–", "-")


@dataclass(eq=False, kw_only=True)
class CalendarFileUnreadable(Invalid):
    """A line of a calendar file says nothing that a calendar can hold."""

    code: ClassVar[str] = "calendar_file.unreadable"
    line: str
    problem: str


@dataclass(frozen=True, slots=True)
class ExceptionChange:
    """What an import changes on one date; ``before`` or ``after`` is None when it adds or drops."""

    on: date
    before: DayException | None
    after: DayException | None


def to_icalendar(calendar: WorkCalendar, *, stamped_at: datetime, language: str = "vi") -> str:
    """Write the exceptions of a calendar as an iCalendar text (RFC 5545).

    Days off are all-day events that keep the day busy; make-up days and changed hours carry
    their sessions in the description and in ``X-DUNGHAN-`` properties, so that they come back
    unchanged.
    """
    stamp = stamped_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Dung Han//Working calendar//VI",
        f"X-WR-CALNAME:{_escaped(calendar.id)}",
        f"X-WR-TIMEZONE:{_escaped(calendar.zone)}",
    ]
    for exception in calendar.exceptions:
        lines += _event(calendar, exception, stamp, language)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(calendar: WorkCalendar, exception: DayException, stamp: str, language: str) -> list[str]:
    title = exception.title_vi if language == "vi" else exception.title_en
    sessions = ", ".join(str(session) for session in exception.sessions_in(calendar.week))
    notes = [note for note in (sessions, exception.document) if note]
    lines = [
        "BEGIN:VEVENT",
        f"UID:{exception.on.isoformat()}.{_escaped(calendar.id)}@dunghan",
        f"DTSTAMP:{stamp}",
        f"DTSTART;VALUE=DATE:{exception.on:%Y%m%d}",
        f"DTEND;VALUE=DATE:{exception.on + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(title or exception.kind.value)}",
        f"STATUS:{'TENTATIVE' if exception.estimated else 'CONFIRMED'}",
        f"X-DUNGHAN-KIND:{exception.kind.value}",
        f"X-DUNGHAN-TITLE-VI:{_escaped(exception.title_vi)}",
        f"X-DUNGHAN-TITLE-EN:{_escaped(exception.title_en)}",
    ]
    if exception.sessions:
        own = ";".join(f"{session}" for session in exception.sessions)
        lines.append(f"X-DUNGHAN-SESSIONS:{_escaped(own)}")
    if exception.like is not None:
        lines.append(f"X-DUNGHAN-LIKE:{WEEKDAYS[exception.like]}")
    if exception.document:
        lines.append(f"X-DUNGHAN-DOCUMENT:{_escaped(exception.document)}")
    if notes:
        lines.append(f"DESCRIPTION:{_escaped(' · '.join(notes))}")
    lines.append("END:VEVENT")
    return lines


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _unescaped(text: str) -> str:
    out, escaping = list[str](), False
    for character in text:
        if escaping:
            out.append("\n" if character in "nN" else character)
            escaping = False
        elif character == "\\":
            escaping = True
        else:
            out.append(character)
    return "".join(out)


def _folded(line: str) -> Iterable[str]:
    """Cut a line into pieces of at most 75 octets, never inside a character."""
    piece, room = "", LINE_OCTETS
    for character in line:
        size = len(character.encode())
        if size > room:
            yield piece
            piece, room = " ", LINE_OCTETS - 1
        piece += character
        room -= size
    yield piece


def text_of(raw: bytes) -> str:
    """Return the text of a file.

    :raises BodyEncoding: it is not UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyEncoding from error


def read_icalendar(text: str) -> tuple[DayException, ...]:
    """Read the exceptions of an iCalendar text.

    An all-day event without our own properties is a day off, one for each day that it spans; an
    event that is cancelled or has a time of day is left out.

    :raises CalendarFileUnreadable: naming the line at which the event begins.
    """
    if "BEGIN:VCALENDAR" not in text.upper():
        raise CalendarFileUnreadable(line="1", problem="BEGIN:VCALENDAR")
    found = list[DayException]()
    event: dict[str, str] | None = None
    begun = 0
    for number, line in _unfolded(text):
        name, _, value = line.partition(":")
        name, _, parameters = name.partition(";")
        key = name.upper()
        if (key, value.upper()) == ("BEGIN", "VEVENT"):
            event, begun = {}, number
        elif event is None:
            continue
        elif (key, value.upper()) == ("END", "VEVENT"):
            found += _exceptions_of(event, begun)
            event = None
        else:
            event[key] = value
            if key == "DTSTART" and ("T" in value.upper() or "TZID" in parameters.upper()):
                event["TIMED"] = value
    return tuple(found)


def _unfolded(text: str) -> Iterable[tuple[int, str]]:
    whole, begun = "", 0
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if line[:1] in {" ", "\t"} and whole:
            whole += line[1:]
            continue
        if whole:
            yield begun, whole
        whole, begun = line, number
    if whole:
        yield begun, whole


def _exceptions_of(event: Mapping[str, str], line: int) -> list[DayException]:
    if "TIMED" in event or event.get("STATUS", "").upper() == "CANCELLED":
        return []
    first = _ical_day(event.get("DTSTART", ""), line)
    end = _ical_day(event["DTEND"], line) if "DTEND" in event else first + timedelta(days=1)
    if not first < end <= first + timedelta(days=366):
        raise CalendarFileUnreadable(line=str(line), problem=f"DTEND {event.get('DTEND', '')}")
    title = _unescaped(event.get("SUMMARY", ""))
    own = {
        "kind": event.get("X-DUNGHAN-KIND", ExceptionKind.OFF.value),
        "sessions": _unescaped(event.get("X-DUNGHAN-SESSIONS", "")),
        "like": event.get("X-DUNGHAN-LIKE", ""),
        "title_vi": _unescaped(event.get("X-DUNGHAN-TITLE-VI", title)),
        "title_en": _unescaped(event.get("X-DUNGHAN-TITLE-EN", title)),
        "document": _unescaped(event.get("X-DUNGHAN-DOCUMENT", "")),
    }
    estimated = event.get("STATUS", "").upper() == "TENTATIVE"
    return [
        _exception(first + timedelta(days=number), own, line, estimated=estimated)
        for number in range((end - first).days)
    ]


def _ical_day(text: str, line: int) -> date:
    try:
        return datetime.strptime(text.strip(), "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise CalendarFileUnreadable(line=str(line), problem=text or "DTSTART") from error


def read_csv(text: str) -> tuple[DayException, ...]:
    """Read exceptions from CSV with the columns ``date`` and ``kind`` and what else there is.

    Other columns: ``sessions`` (``07:30-11:30; 13:30-17:00``), ``like`` (``mon``), ``title_vi``,
    ``title_en``, ``document``. Dates are ``2026-08-31`` or ``31/08/2026``; commas or semicolons
    separate, as spreadsheets in Viet Nam write them.

    :raises CalendarFileUnreadable: naming the line and what cannot be read in it.
    """
    text = text.removeprefix("\ufeff")
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        unknown = [name for name in names if name not in _COLUMNS]
        if unknown or not {"date", "kind"} <= set(names):
            problem = ", ".join(unknown) or "date, kind"
            raise CalendarFileUnreadable(line="1", problem=problem)
        reader.fieldnames = names
        return tuple(
            _csv_exception(row, reader.line_num) for row in reader if any(_cells(row).values())
        )
    except csv.Error as error:
        line = str(reader.line_num + 1)
        raise CalendarFileUnreadable(line=line, problem=str(error)) from error


def _cells(row: Mapping[str | None, object]) -> dict[str, str]:
    return {
        name: value.strip()
        for name, value in row.items()
        if name is not None and isinstance(value, str)
    }


def _csv_exception(row: Mapping[str | None, object], line: int) -> DayException:
    cells = _cells(row)
    if None in row:
        raise CalendarFileUnreadable(line=str(line), problem=str(row[None]))
    return _exception(_csv_day(cells.get("date", ""), line), cells, line, estimated=False)


def _csv_day(text: str, line: int) -> date:
    pattern = "%d/%m/%Y" if "/" in text else "%Y-%m-%d"
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC).date()
    except ValueError as error:
        raise CalendarFileUnreadable(line=str(line), problem=text or "date") from error


def _exception(on: date, cells: Mapping[str, str], line: int, *, estimated: bool) -> DayException:
    like = cells.get("like", "").lower()
    if like and like not in WEEKDAYS:
        raise CalendarFileUnreadable(line=str(line), problem=like)
    try:
        return DayException(
            on=on,
            kind=ExceptionKind(cells.get("kind", "").lower()),
            sessions=_sessions(cells.get("sessions", "")),
            like=WEEKDAYS.index(like) if like else None,
            title_vi=cells.get("title_vi", ""),
            title_en=cells.get("title_en", ""),
            document=cells.get("document") or None,
            estimated=estimated,
        )
    except (ValueError, AppError) as error:
        raise CalendarFileUnreadable(line=str(line), problem=str(error)) from error


def _sessions(text: str) -> tuple[Session, ...]:
    return tuple(_session(part.strip()) for part in text.split(";") if part.strip())


def _session(text: str) -> Session:
    for separator in _SESSION_SEPARATORS:
        opens, found, closes = text.partition(separator)
        if found:
            return Session.parse(opens.strip(), closes.strip())
    return Session.parse(text, "")


def preview(
    current: Iterable[DayException],
    incoming: Sequence[DayException],
    *,
    years: Collection[int] = (),
) -> tuple[ExceptionChange, ...]:
    """List what changes if the incoming exceptions replace those of the years that they name.

    ``years`` are replaced besides, whether the incoming ones name them or not; dates of other
    years stay as they are.

    :raises ExceptionTwice: if the incoming exceptions name one date twice.
    """
    after: dict[date, DayException] = {}
    for exception in incoming:
        if after.setdefault(exception.on, exception) is not exception:
            raise ExceptionTwice(day=exception.on.isoformat())
    replaced = {day.year for day in after} | set(years)
    before = {exception.on: exception for exception in current if exception.on.year in replaced}
    return tuple(
        ExceptionChange(day, before.get(day), after.get(day))
        for day in sorted(before.keys() | after.keys())
        if before.get(day) != after.get(day)
    )
