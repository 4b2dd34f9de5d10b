"""Fill the inputs of many sheets at once: from the registers, or from a file of an office.

What is filled is written on each sheet as told by whoever asked, with a note that says where it
comes from; nothing is filled on its own. A number that somebody told by hand is left as it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from app.domain.errors import AppError
from app.domain.faults import Fault
from app.domain.period import Period
from app.domain.rule_set import RuleSet
from app.domain.sheet import Sheet
from app.feeds.sheet import Heading, find_columns, words
from app.feeds.table import Cell
from app.feeds.workbook import open_book
from app.i18n import ZONE
from app.rulebook.fills import RegisterCount, load_fills
from app.store import units
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import inputs, registers
from app.usecases.access import Principal
from app.usecases.inputs import InputsRefused, Tell
from app.usecases.subtree import Subtree

NOTE: Final = "register"
"""How the note of a filled number begins; the sentence after it names the count."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written: how many numbers on each sheet, and what could not be and why.

    A refusal names the unit, or the row of a file, and its reasons.
    """

    changed: Mapping[str, int]
    refused: tuple[tuple[str, tuple[Fault, ...]], ...] = ()


# ---------------------------------------------------------------- from the registers


def from_registers(
    session: WriteSession,
    rule_set: str,
    period: Period,
    *,
    root: UnitRow,
    who: Principal,
    now: datetime,
) -> Filled:
    """Write what the registers count of a period on the sheets of a unit and all below it.

    The figures of a unit are those of its whole subtree. A unit of which a register holds nothing
    gets nothing of it, for it is not known that there was nothing.

    :raises UnknownRuleSet: there is none within what the asker may see.
    :raises RuleSetNotInForce: none is in force on the last day.
    :raises PeriodAcrossChange: the set changes within the period.
    """
    fills = load_fills().get(rule_set, {})
    version = inputs.version_for(session, rule_set, period, root, who=who)
    within = units.subtree(session, root.lft, root.rgt)
    last = min(period.last, now.astimezone(ZONE).date())
    counted = _counted(session, within, root, period.first, last)
    changed: Counter[str] = Counter()
    refused: list[tuple[str, tuple[Fault, ...]]] = []
    for row in within:
        known = counted.get(row.code, {})
        told = {name: known[count] for name, count in fills.items() if count in known}
        if not told or not _has_sheet(row, version.rule_set, period):
            continue
        sheet = inputs.sheet_of(session, rule_set, period, row)
        tells = {
            name: Tell(value, None, f"{NOTE}:{fills[name].value}")
            for name, value in told.items()
            if _is_free(sheet, name)
        }
        try:
            done = inputs.put(session, rule_set, period, row.code, tells, who=who, now=now)
        except AppError as error:
            refused.append((row.code, _reasons(error)))
        else:
            changed[row.code] += len(done.changed)
    return Filled(dict(changed), tuple(refused))


def _has_sheet(row: UnitRow, rule_set: RuleSet, period: Period) -> bool:
    """Tell whether a unit is assessed: one that ceased is scored as its successor."""
    ceased = row.heir_id is not None or (row.valid_to is not None and row.valid_to < period.first)
    return not ceased and not row.is_bucket and row.level in rule_set.levels


def _is_free(sheet: Sheet, name: str) -> bool:
    """Tell whether nobody told a number by hand."""
    held = sheet.inputs.get(name)
    return held is None or (held.note or "").startswith(f"{NOTE}:")


def _counted(
    session: ReadSession, within: Sequence[UnitRow], root: UnitRow, first: date, last: date
) -> dict[str, dict[RegisterCount, int]]:
    """Return the counts of each unit with all below it; a register without entries has none."""
    inside = Subtree(root.lft, root.rgt)
    posted = registers.posting_counts(session, within=inside, first=first, last=last)
    filed = registers.petition_counts(session, within=inside, first=first, last=last)
    by_id = {row.id: row for row in within}
    found: dict[str, dict[RegisterCount, int]] = {}
    for row in within:
        own: dict[RegisterCount, int] = dict(posted.get(row.code, {}).items())
        own |= dict(filed.get(row.code, {}).items())
        above: UnitRow | None = row
        while own and above is not None:
            whole = found.setdefault(above.code, {})
            for count, number in own.items():
                whole[count] = whole.get(count, 0) + number
            above = by_id.get(above.parent_id) if above.parent_id is not None else None
    return found


# ---------------------------------------------------------------- from a file


def _value(cell: Cell) -> object:
    """Read a cell as a number exactly as written, or as a word."""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int):
        return cell
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else str(Decimal(repr(cell)))
    told = words(cell)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 16 else told


COLUMNS: Final = (
    Heading("unit", ("Mã đơn vị", "Đơn vị"), words, required=True),
    Heading("input", ("Mã số liệu", "Số liệu"), words, required=True),
    Heading("value", ("Giá trị",), _value, required=True),
    Heading("note", ("Ghi chú",), words),
)
"""The columns of a file of declared numbers: one number a row."""


def from_file(
    session: WriteSession,
    rule_set: str,
    period: Period,
    raw: bytes,
    *,
    who: Principal,
    now: datetime,
    author: str | None = None,
    sheet: str | None = None,
) -> Filled:
    """Write the declared numbers of a file, one a row, on the sheets of their units.

    A row that cannot be read is told; a unit of which one number cannot be taken takes none, and
    each place is named; the other units stand.

    :raises Invalid: the file is no table, or lacks a column that must be there.
    """
    book = open_book(raw, sheet=sheet)
    with book.rows() as rows:
        found = find_columns(rows, COLUMNS)
    by_unit: dict[str, dict[str, Tell]] = {}
    refused: list[tuple[str, tuple[Fault, ...]]] = []
    with book.rows() as rows:
        for row in found.rows(rows):
            faults = row.faults or _missing(row.values)
            if not faults and row.values["input"] in by_unit.get(str(row.values["unit"]), {}):
                faults = (Fault("/input", "input.twice"),)
            if faults:
                refused.append((str(row.number), faults))
                continue
            tell = Tell(row.values["value"], None, _note(row.values))
            by_unit.setdefault(str(row.values["unit"]), {})[str(row.values["input"])] = tell
    changed: Counter[str] = Counter()
    for unit, tells in by_unit.items():
        try:
            with session.savepoint():
                done = inputs.put(
                    session, rule_set, period, unit, tells, who=who, now=now, author=author
                )
        except AppError as error:
            refused.append((unit, _reasons(error)))
        else:
            changed[unit] += len(done.changed)
    return Filled(dict(changed), tuple(refused))


def _missing(values: Mapping[str, object]) -> tuple[Fault, ...]:
    names = (one.field for one in COLUMNS if one.required and one.field not in values)
    return tuple(Fault(f"/{name}", "field.missing") for name in names)


def _note(values: Mapping[str, Any]) -> str | None:
    note = values.get("note")
    return None if note is None else str(note)


def _reasons(error: AppError) -> tuple[Fault, ...]:
    if isinstance(error, InputsRefused):
        return error.faults
    return (Fault("", error.code, error.params),)
