"""The limits for petitions: a strict loader of ``petitions.toml`` and look-up by day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import ClassVar

from app.domain.errors import NotFound
from app.domain.lint import Finding
from app.domain.petition import PetitionLimits
from app.rulebook.entry import refuse, toml
from app.rulebook.metrics import Source

PETITIONS_FILE = Path(__file__).with_name("petitions.toml")


@dataclass(eq=False, kw_only=True)
class PetitionLimitsMissing(NotFound):
    """No limits for petitions are in force on the day."""

    code: ClassVar[str] = "petition.limits_missing"
    day: date


@dataclass(frozen=True, slots=True)
class DatedLimits:
    """Limits with their validity, where they stand, and how sure that is."""

    limits: PetitionLimits
    valid_from: date
    valid_to: date | None
    basis: str
    provenance: Source

    def holds(self, day: date) -> bool:
        """Tell whether they are in force on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class PetitionRules:
    """All limits for petitions, in the order of the file."""

    entries: tuple[DatedLimits, ...]

    def on(self, day: date) -> DatedLimits:
        """Return the limits in force on a day.

        :raises PetitionLimitsMissing: none are.
        """
        for entry in self.entries:
            if entry.holds(day):
                return entry
        raise PetitionLimitsMissing(day=day)


@cache
def load_petition_rules(path: Path = PETITIONS_FILE) -> PetitionRules:
    """Return the limits of a file, read strictly and once.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    return parse_petition_rules(path.read_text(encoding="utf-8"), file=path.name)


def parse_petition_rules(text: str, *, file: str) -> PetitionRules:
    """Return the limits written in a text.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    root = toml(text)
    entries = []
    for entry in root.entries("limits"):
        entries.append(
            DatedLimits(
                PetitionLimits(
                    refuse=entry.whole("refuse"),
                    ask=entry.whole("ask"),
                    answer=entry.whole("answer"),
                    publish=entry.whole("publish"),
                ),
                entry.day("valid_from"),
                entry.day_or_none("valid_to"),
                entry.text("basis"),
                entry.choice("provenance", Source),
            )
        )
        entry.done()
    root.done()
    if not root.findings:
        root.findings.extend(_overlaps(entries))
    refuse(file, root.findings)
    return PetitionRules(tuple(entries))


def _overlaps(entries: Sequence[DatedLimits]) -> Iterator[Finding]:
    if not entries:
        yield Finding("limits", "rulebook.missing_key", {"key": "limits"})
    for place, entry in enumerate(entries):
        where = f"limits/{place}"
        if entry.valid_to is not None and entry.valid_to < entry.valid_from:
            yield Finding(where, "metric.ends_before_it_begins")
        if any(other.holds(entry.valid_from) for other in entries[:place]):
            day = entry.valid_from.isoformat()
            yield Finding(where, "metric.versions_overlap", {"day": day})
