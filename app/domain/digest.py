"""What a digest tells: alerts that are still true when it goes out, and how many are not."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from app.domain.alert import Level


class Dropped(StrEnum):
    """Why an alert that was raised is left out of the digest (lý do bỏ khỏi bản tin)."""

    CLOSED = "closed"
    PAUSED = "paused"
    EXTENDED = "extended"
    DUE_CHANGED = "due_changed"
    PASSED = "passed"
    MOVED = "moved"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One dossier; ``late_working_days`` is None before the due day or without a calendar."""

    code: str
    source: str
    unit: str
    procedure: str | None
    stage: str
    due_on: date
    late_working_days: int | None


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that has fallen silent."""

    source: str
    last_heard_on: date


@dataclass(frozen=True, slots=True)
class Digest:
    """The content of one digest: counts of everything, lines of the worst, bounded.

    ``numbers`` counts dossiers by (unit, stage).
    """

    unit: str
    unit_name: str
    level: Level
    slot: str
    as_of: datetime
    numbers: Mapping[tuple[str, str], int]
    lines: tuple[DigestLine, ...]
    dropped: Mapping[Dropped, int]
    silent: tuple[Silent, ...] = ()

    @property
    def overdue(self) -> int:
        """Return how many dossiers of the digest are late."""
        return sum(n for (_, stage), n in self.numbers.items() if is_overdue(stage))

    @property
    def due_soon(self) -> int:
        """Return how many dossiers of the digest are about to fall due."""
        return sum(n for (_, stage), n in self.numbers.items() if not is_overdue(stage))

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to tell."""
        return not self.numbers and not self.silent

    def by_stage(self) -> dict[str, int]:
        """Return the numbers by stage, the latest stage first."""
        found: Counter[str] = Counter()
        for (_, stage), number in self.numbers.items():
            found[stage] += number
        return dict(sorted(found.items(), key=lambda item: (-offset_of(item[0]), item[0])))

    def by_unit(self) -> dict[str, int]:
        """Return the numbers by unit, the most first."""
        found: Counter[str] = Counter()
        for (unit, _), number in self.numbers.items():
            found[unit] += number
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def found(self) -> dict[str, object]:
        """Return what is kept of the digest: counts, no numbers of dossiers."""
        return {
            "overdue": self.overdue,
            "due_soon": self.due_soon,
            "stages": self.by_stage(),
            "dropped": {reason.value: n for reason, n in self.dropped.items()},
            "silent": len(self.silent),
        }


def is_overdue(stage: str) -> bool:
    """Tell whether a stage lies after the due day."""
    return stage.startswith("overdue")


def offset_of(stage: str) -> int:
    """Return the working days after the due day that a stage names, before it as a negative."""
    name, _, after = stage.partition("+")
    if name == "overdue":
        return int(after)
    return -int(stage.removeprefix("due-")) if stage.startswith("due-") else 0
