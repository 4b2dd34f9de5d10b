"""Reports as they were printed: their totals, their rates, and where they were read.

They are real cases to try the service with, and no rules: nothing is judged by them.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

from app.domain.errors import NotFound
from app.domain.lint import Finding
from app.domain.procedure import OnlineLevel
from app.domain.record import Channel
from app.domain.tally import Count
from app.rulebook.entry import Entry, refuse

FOLDER: Final = Path(__file__).with_name("printed")


class Fate(StrEnum):
    """How a dossier stands at the end of the period of a report."""

    ON_TIME = "on_time"
    LATE = "late"
    OPEN_IN_TIME = "open_in_time"
    OPEN_OVERDUE = "open_overdue"


@dataclass(eq=False, kw_only=True)
class ReportUnknown(NotFound):
    """No report of this name is shipped."""

    code: ClassVar[str] = "published.unknown"
    report: str
    known: str


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Group:
    """So many dossiers of one fate."""

    size: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class Way:
    """So many of the new dossiers came this way; the others by an unknown channel."""

    size: int
    channel: Channel
    online_level: OnlineLevel | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed number, and the counts whose sum it is; none if we count no such thing."""

    title: Title
    printed: str
    counts: tuple[Count, ...]

    @property
    def value(self) -> int:
        """Return the number: dots part thousands as they are printed in Vietnamese."""
        return int(self.printed.replace(".", ""))


@dataclass(frozen=True, slots=True)
class PrintedRate:
    """One printed percentage, and the definitions that give it."""

    printed: str
    explained_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was printed, and what dossiers with its totals look like.

    ``below`` is among how many units below its own they are spread; 0 for none.
    """

    id: str
    title: Title
    unit_code: str
    unit_name: str
    unit_level: str
    first: date
    last: date
    source: str
    note: Title
    carried_over: int
    below: int
    groups: tuple[Group, ...]
    ways: tuple[Way, ...]
    figures: tuple[Figure, ...]
    rates: tuple[PrintedRate, ...]


@cache
def load_reports() -> dict[str, Report]:
    """Return the shipped reports by name.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    found = [
        parse_report(path.read_text(encoding="utf-8"), file=path.name)
        for path in sorted(FOLDER.glob("*.toml"))
    ]
    return {report.id: report for report in found}


def get_report(name: str) -> Report:
    """Return a report by its name.

    :raises ReportUnknown: there is none of this name.
    """
    reports = load_reports()
    if name not in reports:
        raise ReportUnknown(report=name, known=", ".join(reports))
    return reports[name]


def parse_report(text: str, *, file: str) -> Report:
    """Read a report from TOML text.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    findings: list[Finding] = []
    try:
        raw: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        refuse(file, [Finding("", "rulebook.unreadable", {"detail": str(error)})])
        raise
    root = Entry(raw, "", findings)
    unit = root.entry("unit")
    report = Report(
        id=root.text("id"),
        title=_title(root.entry("title")),
        unit_code=unit.text("code"),
        unit_name=unit.text("name"),
        unit_level=unit.text("level"),
        first=root.day("first"),
        last=root.day("last"),
        source=root.text("source"),
        note=_title(root.entry("note")),
        carried_over=root.whole("carried_over"),
        below=unit.whole("below") if unit.has("below") else 0,
        groups=tuple(_group(entry) for entry in root.entries("group")),
        ways=tuple(_way(entry) for entry in root.entries("way")),
        figures=tuple(_figure(entry) for entry in root.entries("figure")),
        rates=tuple(_rate(entry) for entry in root.entries("rate")),
    )
    unit.done()
    root.done()
    refuse(file, findings)
    return report


def _title(entry: Entry) -> Title:
    found = Title(entry.text("vi"), entry.text("en"))
    entry.done()
    return found


def _group(entry: Entry) -> Group:
    found = Group(entry.whole("size"), entry.choice("fate", Fate))
    entry.done()
    return found


def _way(entry: Entry) -> Way:
    found = Way(
        entry.whole("size"),
        entry.choice("channel", Channel),
        entry.choice_or_none("online_level", OnlineLevel),
    )
    entry.done()
    return found


def _figure(entry: Entry) -> Figure:
    found = Figure(
        _title(entry.entry("title")), entry.text("printed"), entry.choices("counts", Count)
    )
    if not found.printed.replace(".", "").isdecimal():
        entry.fault("not_a_number", "printed")
    entry.done()
    return found


def _rate(entry: Entry) -> PrintedRate:
    found = PrintedRate(entry.text("printed"), entry.texts("explained_by"))
    entry.done()
    return found
