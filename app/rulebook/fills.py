"""Which counts of the registers can stand for which inputs: a strict loader of ``fills.toml``."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.domain.petition import PetitionCount
from app.domain.publication import PublicationCount
from app.rulebook.entry import Entry, refuse, toml

FILLS_FILE: Final = Path(__file__).with_name("fills.toml")

RegisterCount = PetitionCount | PublicationCount
Fills = Mapping[str, Mapping[str, RegisterCount]]
"""By id of a rule set: for an input, the count that can stand for it."""

_COUNTS: Final[Mapping[str, RegisterCount]] = MappingProxyType(
    {count.value: count for kind in (PetitionCount, PublicationCount) for count in kind}
)


@cache
def load_fills(path: Path = FILLS_FILE) -> Fills:
    """Return the counts of a file, read strictly and once.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    return parse_fills(path.read_text(encoding="utf-8"), file=path.name)


def parse_fills(text: str, *, file: str) -> Fills:
    """Return the counts written in a text.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    root = toml(text)
    found: dict[str, Mapping[str, RegisterCount]] = {}
    for rule_set in root.names():
        entry = root.entry(rule_set)
        found[rule_set] = MappingProxyType({name: _count(entry, name) for name in entry.names()})
    refuse(file, root.findings)
    return MappingProxyType(found)


def _count(entry: Entry, name: str) -> RegisterCount:
    word = entry.text(name)
    if word not in _COUNTS:
        entry.fault("not_a_choice", name, choices=", ".join(_COUNTS))
        return PetitionCount.RECEIVED
    return _COUNTS[word]
