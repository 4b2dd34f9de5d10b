"""The causes of lateness that ship with the service."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from app.domain.late_cause import SEPARATOR, UNCLASSIFIED, CauseGroup, LateCause

_KEYS = {"code", "group", "vi", "en"}


class LateCausesBroken(ValueError):
    """The file of causes does not hold what it must; the message names the place."""


@cache
def load_late_causes() -> Mapping[str, LateCause]:
    """Read the shipped causes, by id, in the order of the file.

    :raises LateCausesBroken: a key is unknown or missing, a code is used twice or reserved.
    """
    return read_causes(files("app.rulebook").joinpath("late_causes.toml").read_text("utf-8"))


def read_causes(text: str) -> Mapping[str, LateCause]:
    """Read causes from TOML text.

    :raises LateCausesBroken: as for ``load_late_causes``.
    """
    found: dict[str, LateCause] = {}
    for number, entry in enumerate(tomllib.loads(text).get("cause", []), start=1):
        if wrong := entry.keys() ^ _KEYS:
            raise LateCausesBroken(f"late_causes.toml, cause {number}: {sorted(wrong)}")
        code = entry["code"]
        if code in found or code == UNCLASSIFIED or SEPARATOR in code:
            raise LateCausesBroken(f"late_causes.toml, cause {number}: {code} cannot be used")
        if entry["group"] not in tuple(CauseGroup):
            raise LateCausesBroken(f"late_causes.toml, cause {number}: {entry['group']}")
        found[code] = LateCause(code, CauseGroup(entry["group"]), entry["vi"], entry["en"])
    if not found:
        raise LateCausesBroken("late_causes.toml: no cause")
    return found
