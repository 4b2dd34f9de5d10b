"""Figures that were closed: what is kept of them, one spelling, and its digest.

A closing is a record of its own. Its digest is taken over one line for what was closed and one
for each row of counts, in order, so that whoever holds the rows can take it again.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Final

SCHEMA: Final = "dunghan-period/1"


@dataclass(frozen=True, slots=True)
class FrozenUnit:
    """A unit as the tree stood when a period was closed; ``parent`` None for the closed one."""

    code: str
    name: str
    level: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Sources of a unit that had fallen silent (dữ liệu chưa đủ), and since when."""

    since: date
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What was closed (chốt số liệu): the days, the moments, the definitions, the tree, by whom.

    ``counts`` are the names of the numbers of each row, in order; ``as_of`` is T, exclusive.
    """

    unit: str
    first: date
    last: date
    kind: str | None
    label: str | None
    as_of: datetime
    known_at: datetime
    closed_at: datetime
    closed_by: str
    document: str | None
    readings: tuple[str, ...]
    counts: tuple[str, ...]
    definitions: tuple[str, ...]
    default_definition: str
    units: tuple[FrozenUnit, ...]
    gaps: Mapping[str, Gap]


@dataclass(frozen=True, slots=True)
class FrozenRow:
    """The counts of one unit, field and procedure under one reading, same-day limits apart."""

    reading: str
    unit: str
    field: str | None
    procedure: str | None
    is_same_day: bool
    counts: tuple[int, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Return the place among the rows of a closing."""
        return (
            self.reading,
            self.unit,
            self.field or "",
            self.procedure or "",
            str(self.is_same_day),
        )


def plain_gaps(gaps: Mapping[str, Gap]) -> dict[str, dict[str, object]]:
    """Return the silent sources by unit as plain JSON values."""
    return {
        unit: {"since": gap.since.isoformat(), "sources": list(gap.sources)}
        for unit, gap in sorted(gaps.items())
    }


def digest(closing: Closing, rows: Iterable[FrozenRow]) -> str:
    """Return the SHA-256 over the canonical lines of a closing, in lower-case hex."""
    found = sha256(_line(_header(closing)))
    for row in sorted(rows, key=lambda row: row.order):
        counts = dict(zip(closing.counts, row.counts, strict=True))
        found.update(
            _line(
                {
                    "reading": row.reading,
                    "unit": row.unit,
                    "field": row.field,
                    "procedure": row.procedure,
                    "same_day": row.is_same_day,
                    "counts": {name: number for name, number in counts.items() if number},
                }
            )
        )
    return found.hexdigest()


def _header(closing: Closing) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "unit": closing.unit,
        "from": closing.first.isoformat(),
        "to": closing.last.isoformat(),
        "kind": closing.kind,
        "label": closing.label,
        "as_of": _instant(closing.as_of),
        "known_at": _instant(closing.known_at),
        "closed_at": _instant(closing.closed_at),
        "closed_by": closing.closed_by,
        "document": closing.document,
        "readings": list(closing.readings),
        "definitions": list(closing.definitions),
        "default_definition": closing.default_definition,
        "units": [[one.code, one.name, one.level, one.parent] for one in closing.units],
        "gaps": plain_gaps(closing.gaps),
    }


def _line(value: Mapping[str, object]) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
