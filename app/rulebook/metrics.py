"""The definitions of rates: a strict loader of ``metrics.toml`` and look-up by name or by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import ClassVar

from app.domain.errors import NotFound
from app.domain.lint import Finding
from app.domain.rate import Better, Empty, RateDefinition
from app.domain.rounding import Rounding
from app.domain.tally import Count
from app.rulebook.entry import Entry, refuse, toml

METRICS_FILE = Path(__file__).with_name("metrics.toml")


class Source(StrEnum):
    """How far a definition can be trusted to be what others mean."""

    OFFICIAL = "official"
    OPERATIONAL = "operational"
    LOCAL = "local"


@dataclass(eq=False, kw_only=True)
class UnknownDefinition(NotFound):
    """No rate of this name and version is defined, or none is in force on the day asked for."""

    code: ClassVar[str] = "definition.unknown"
    definition: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every version of every definition, in the order of the file."""

    definitions: tuple[RateDefinition, ...]
    default: RateDefinition

    def get(self, name: str) -> RateDefinition:
        """Return the definition named ``id@version``.

        :raises UnknownDefinition: there is none.
        """
        for definition in self.definitions:
            if definition.name == name:
                return definition
        raise UnknownDefinition(definition=name)

    def in_force(self, identifier: str, day: date) -> RateDefinition:
        """Return the version of a definition for a period that ends on ``day``.

        :raises UnknownDefinition: no such definition, or no version in force on the day.
        """
        for definition in self.definitions:
            if definition.id == identifier and _holds(definition, day):
                return definition
        raise UnknownDefinition(definition=identifier)

    def on(self, day: date) -> tuple[RateDefinition, ...]:
        """Return the version of every definition that is in force on a day, in order."""
        return tuple(one for one in self.definitions if _holds(one, day))

    def named(self, name: str, day: date) -> RateDefinition:
        """Return what a reader asked for: ``id@version``, or ``id`` as in force on ``day``.

        :raises UnknownDefinition: there is none.
        """
        return self.get(name) if "@" in name else self.in_force(name, day)


def _holds(definition: RateDefinition, day: date) -> bool:
    last = definition.valid_to
    return definition.valid_from <= day and (last is None or day <= last)


@cache
def load_metrics(path: Path = METRICS_FILE) -> Metrics:
    """Return the definitions of a file, read strictly and once.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    return parse_metrics(path.read_text(encoding="utf-8"), file=path.name)


def parse_metrics(text: str, *, file: str) -> Metrics:
    """Return the definitions written in a text.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    root = toml(text, parse_float=Decimal)
    definitions: list[RateDefinition] = []
    defaults: list[RateDefinition] = []
    for entry in root.entries("metric"):
        definition = _definition(entry)
        definitions.append(definition)
        defaults.extend([definition] if entry.flag("default", default=False) else [])
        entry.done()
    root.done()
    if not root.findings:
        root.findings.extend(_versions(definitions))
        if len(defaults) != 1:
            told = {"found": str(len(defaults))}
            root.findings.append(Finding("metric", "metric.one_default", told))
    refuse(file, root.findings)
    return Metrics(tuple(definitions), defaults[0])


def _definition(entry: Entry) -> RateDefinition:
    identifier = entry.text("id")
    entry.where = f"metric/{identifier}"
    title, note = entry.entry("title"), entry.take("note")
    numerator, denominator = _counts(entry, "numerator"), _counts(entry, "denominator")
    notes = Entry(note, f"{entry.where}/note", entry.findings) if note is not None else None
    definition = RateDefinition(
        id=identifier,
        version=entry.whole("version"),
        numerator=numerator,
        denominator=denominator,
        title_vi=title.text("vi"),
        title_en=title.text("en"),
        used_by=entry.text("used_by"),
        legal_basis=entry.text("legal_basis"),
        provenance=entry.choice("provenance", Source).value,
        valid_from=entry.day("valid_from"),
        valid_to=entry.day_or_none("valid_to"),
        rounding=entry.choice_or_none("rounding", Rounding) or Rounding.HALF_UP,
        empty=entry.choice_or_none("empty", Empty) or Empty.NULL,
        note_vi=notes.text("vi") if notes else None,
        note_en=notes.text("en") if notes else None,
        better=entry.choice_or_none("better", Better) or Better.HIGHER,
    )
    for part in (title, notes):
        if part is not None:
            part.done()
    return definition


def _counts(entry: Entry, key: str) -> tuple[Count, ...]:
    entry.need(key)
    counts = entry.choices(key, Count)
    if not counts:
        entry.fault("empty", key)
    if len(set(counts)) != len(counts):
        entry.fault("twice", key)
    return counts


def _versions(definitions: list[RateDefinition]) -> Iterator[Finding]:
    seen: dict[str, RateDefinition] = {}
    for definition in definitions:
        where = f"metric/{definition.id}"
        before = seen.get(definition.id)
        if before is not None and before.version >= definition.version:
            yield Finding(where, "metric.version_not_rising", {"version": str(definition.version)})
        if before is not None and _holds(before, definition.valid_from):
            day = definition.valid_from.isoformat()
            yield Finding(where, "metric.versions_overlap", {"day": day})
        if definition.valid_to is not None and definition.valid_to < definition.valid_from:
            yield Finding(where, "metric.ends_before_it_begins")
        seen[definition.id] = definition
