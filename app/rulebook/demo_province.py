"""The demonstration province as data: its units and a catalogue of real procedures.

The units are those of a public list; the procedures carry names and codes of the national portal.
No dossier is data: they are made up anew, see ``usecases.demo``.
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.domain.limits import LimitKind, TimeLimit
from app.domain.procedure import LimitVersion, OnlineLevel

FOLDER: Final = Path(__file__).parent / "demo"
PROVINCE: Final = "H44"
_KEYS: Final = {
    *("code", "name", "field", "field_name", "level", "online_level", "kind", "value"),
    *("valid_from", "legal_basis", "verified", "weight", "at"),
}


class DemoDataBroken(ValueError):
    """A file of the demonstration is not what it must be: entry and fault."""


@dataclass(frozen=True, slots=True)
class DemoUnit:
    """One unit of the province."""

    code: str
    name: str
    level: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class DemoProcedure:
    """One procedure: how often it is handed in, and at which unit if not at every commune."""

    code: str
    name: str
    field: str
    field_name: str
    level: str
    online_level: OnlineLevel
    limit: LimitVersion
    is_verified: bool
    weight: int
    at: str | None


@cache
def load_demo_units() -> tuple[DemoUnit, ...]:
    """Return the units, the province first.

    :raises DemoDataBroken: there is none.
    """
    with (FOLDER / "units-phu-tho.csv").open(encoding="utf-8", newline="") as file:
        found = tuple(
            DemoUnit(row["code"], row["name"], row["level"], row["parent"] or None)
            for row in csv.DictReader(file)
        )
    if not found or found[0].code != PROVINCE:
        raise DemoDataBroken(f"units: the first must be {PROVINCE}")
    return found


@cache
def load_demo_procedures() -> tuple[DemoProcedure, ...]:
    """Return the procedures, in the order of the file.

    :raises DemoDataBroken: an entry has an unknown key, or a verified limit names no text.
    """
    table = tomllib.loads((FOLDER / "procedures.toml").read_text(encoding="utf-8"))
    return tuple(_procedure(entry) for entry in table["procedure"])


def _procedure(entry: Mapping[str, Any]) -> DemoProcedure:
    code = str(entry.get("code"))
    unknown = entry.keys() - _KEYS
    if unknown:
        raise DemoDataBroken(f"{code}: unknown key {', '.join(sorted(unknown))}")
    if entry["verified"] and not entry.get("legal_basis"):
        raise DemoDataBroken(f"{code}: a verified limit names its text")
    valid_from = entry["valid_from"]
    if type(valid_from) is not date:
        raise DemoDataBroken(f"{code}: valid_from must be a day")
    value = entry.get("value")
    limit = TimeLimit(
        LimitKind(entry["kind"]),
        None if value is None else Fraction(value),
        legal_basis=entry.get("legal_basis"),
    )
    return DemoProcedure(
        code=code,
        name=entry["name"],
        field=entry["field"],
        field_name=entry["field_name"],
        level=entry["level"],
        online_level=OnlineLevel(entry["online_level"]),
        limit=LimitVersion(limit, valid_from),
        is_verified=entry["verified"],
        weight=entry["weight"],
        at=entry.get("at"),
    )
