"""The named kinds of reporting periods: a strict loader of ``periods.toml``."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from app.domain.errors import NotFound
from app.domain.period import LENGTHS, PeriodKind
from app.rulebook.entry import Entry, refuse, toml

PERIODS_FILE = Path(__file__).with_name("periods.toml")
LAST_BEGIN = 28


@dataclass(eq=False, kw_only=True)
class PeriodKindUnknown(NotFound):
    """No kind of period has this name."""

    code: ClassVar[str] = "period.kind_unknown"
    kind: str
    known: str


@cache
def load_period_kinds(path: Path = PERIODS_FILE) -> dict[str, PeriodKind]:
    """Return the kinds of a file by their ids, read strictly and once.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    return parse_period_kinds(path.read_text(encoding="utf-8"), file=path.name)


def parse_period_kinds(text: str, *, file: str) -> dict[str, PeriodKind]:
    """Return the kinds written in a text.

    :raises RulebookRefused: naming the file, the entry and the fault.
    """
    root = toml(text)
    found: dict[str, PeriodKind] = {}
    for entry in root.entries("kind"):
        kind = _kind(entry)
        entry.done()
        if kind.id in found:
            entry.fault("twice", "id")
        found[kind.id] = kind
    root.done()
    refuse(file, root.findings)
    return found


def _kind(entry: Entry) -> PeriodKind:
    identifier = entry.text("id")
    entry.where = f"kind/{identifier}"
    title = entry.entry("title")
    months, begins_on = entry.whole("months"), entry.whole("begins_on")
    if months not in LENGTHS:
        entry.fault("not_a_choice", "months", choices=", ".join(map(str, LENGTHS)))
        months = 1
    if not 1 <= begins_on <= LAST_BEGIN:
        entry.fault("not_a_choice", "begins_on", choices=f"1–{LAST_BEGIN}")
        begins_on = 1
    kind = PeriodKind(
        identifier, months, begins_on, title.text("vi"), title.text("en"), entry.text("used_by")
    )
    title.done()
    return kind


def period_kind(identifier: str) -> PeriodKind:
    """Return a kind by its name.

    :raises PeriodKindUnknown: there is none.
    """
    kinds = load_period_kinds()
    if identifier not in kinds:
        raise PeriodKindUnknown(kind=identifier, known=", ".join(kinds))
    return kinds[identifier]
