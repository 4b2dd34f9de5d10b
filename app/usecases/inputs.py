"""What people put on a sheet by hand: numbers with their notes, and roles that answer for lines.

The last word on a name holds and every earlier one stays. Once the unit's own round is closed its
numbers are no longer its to change, until it is asked to explain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from app.domain.errors import Conflict, Forbidden, Invalid
from app.domain.faults import Fault
from app.domain.period import Period
from app.domain.rule_set import Peers, Round, RuleSet
from app.domain.sheet import Entry, EntryKind, Sheet, fold
from app.domain.wanted import Origin, ValueRefused, Wanted, every_leaf, read_value, to_plain, wanted
from app.store import audit, sheets
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import evidence, rule_sets
from app.usecases.access import Principal, Scope
from app.usecases.rule_sets import Version
from app.usecases.scorecards import UnitNotAssessed
from app.usecases.subtree import unit_of

UNITS_OWN: Final = frozenset({Round.SELF, Round.EXPLAIN})
"""The rounds in which the unit itself speaks."""
_TAKEN_BACK: Final = None


@dataclass(eq=False, kw_only=True)
class InputsRefused(Invalid):
    """Some of what was told cannot be taken; each place is listed."""

    code: ClassVar[str] = "input.refused"
    faults: tuple[Fault, ...]

    @property
    def params(self) -> dict[str, str]:
        """Return how many places there are."""
        return {"count": str(len(self.faults))}


@dataclass(eq=False, kw_only=True)
class InputsClosed(Conflict):
    """The unit's own round is closed: its numbers change only in its explanation."""

    code: ClassVar[str] = "scorecard.inputs_closed"
    unit: str


@dataclass(eq=False, kw_only=True)
class VerifierBelow(Forbidden):
    """Only a unit above the one assessed may appraise its sheet."""

    code: ClassVar[str] = "round.verifier_below"
    unit: str


@dataclass(frozen=True, slots=True)
class Tell:
    """One input as somebody tells it."""

    value: object
    source: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A sheet after something was told, and what changed."""

    row: UnitRow
    sheet: Sheet
    changed: tuple[str, ...]


def version_for(
    session: ReadSession, identifier: str, period: Period, row: UnitRow, *, who: Principal
) -> Version:
    """Return the version of a set that scores a unit over a period.

    :raises UnknownRuleSet: there is none within what the asker may see.
    :raises RuleSetNotInForce: none is in force on the last day.
    :raises PeriodAcrossChange: the set changes within the period.
    :raises UnitNotAssessed: the set is of another office.
    """
    version = rule_sets.for_period(rule_sets.seen(session, identifier, who=who), period)
    if not version.holds_for(row.lft):
        raise UnitNotAssessed(rule_set=identifier, unit=row.code)
    return version


def sheet_of(session: ReadSession, identifier: str, period: Period, row: UnitRow) -> Sheet:
    """Return the sheet of one unit as it stands."""
    found = sheets.entries(session, identifier, period, lft=row.lft, rgt=row.lft)
    return fold(found.get(row.code, ()))


def stands_above(who: Principal, row: UnitRow) -> bool:
    """Tell whether a key's unit stands strictly above another."""
    return who.is_whole or (who.covers(row.lft) and who.unit_id != row.id)


def may_verify(who: Principal, row: UnitRow) -> bool:
    """Tell whether a key may appraise the sheet of a unit."""
    return Scope.INDEX_VERIFY in who.scopes and stands_above(who, row)


def put(
    session: WriteSession,
    identifier: str,
    period: Period,
    code: str,
    told: Mapping[str, Tell | None],
    *,
    who: Principal,
    now: datetime,
    author: str | None = None,
    responsible: Mapping[str, str | None] | None = None,
    proofs: Mapping[str, Sequence[str]] | None = None,
) -> Told:
    """Write inputs of a unit; what stands already is not written again.

    :param told: inputs by name; None takes one back, so that it is not known.
    :param responsible: the role that answers for a line, by id of leaf; None takes it back.
    :param proofs: the hashes of all the evidence of a line, by id of leaf.
    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises InputsRefused: naming every place that cannot be taken.
    :raises InputsClosed: the unit's own round is over.
    """
    row = unit_of(session, who, code)
    rule_set = version_for(session, identifier, period, row, who=who).rule_set
    plain, faults = _checked(rule_set, told)
    roles = dict(responsible or {})
    leaves = {leaf.id for leaf in every_leaf(rule_set)}
    faults += [
        Fault(f"/responsible/{one}", "input.unknown_leaf") for one in roles if one not in leaves
    ]
    linked, wrong = evidence.linked(session, row, proofs or {}, leaves)
    faults += wrong
    if faults:
        raise InputsRefused(faults=tuple(faults))
    sheets.lock(session, row.id, identifier)
    sheet = sheet_of(session, identifier, period, row)
    _check_open(sheet, row, who)
    fresh = {name: body for name, body in plain.items() if not _stands(sheet, name, body)}
    new_roles = {leaf: role for leaf, role in roles.items() if sheet.responsible.get(leaf) != role}
    new_proofs = {
        leaf: hashes
        for leaf, hashes in linked.items()
        if list(sheet.evidence.get(leaf, ())) != hashes
    }
    bodies: tuple[tuple[EntryKind, Mapping[str, object]], ...] = (
        (EntryKind.INPUTS, fresh),
        (EntryKind.RESPONSIBLE, new_roles),
        (EntryKind.EVIDENCE, new_proofs),
    )
    added = [Entry(kind, body, who.actor, now, author=author) for kind, body in bodies if body]
    changed = (
        *fresh,
        *(f"responsible/{leaf}" for leaf in new_roles),
        *(f"evidence/{leaf}" for leaf in new_proofs),
    )
    if added:
        sheets.append(session, row.id, identifier, period, added)
        _note(session, row, identifier, period, who, changed)
    return Told(row, sheet_of(session, identifier, period, row), changed)


def _note(
    session: WriteSession,
    row: UnitRow,
    identifier: str,
    period: Period,
    who: Principal,
    names: Sequence[str],
) -> None:
    audit.append(
        session,
        actor=who.actor,
        action="scorecard.inputs",
        subject=f"{identifier} {row.code} {period.first}..{period.last}",
        unit_id=row.id,
        after={"names": list(names)},
    )


def _check_open(sheet: Sheet, row: UnitRow, who: Principal) -> None:
    if sheet.last_closed is None or may_verify(who, row):
        return
    state = sheet.open_round
    if state is None or state.round not in UNITS_OWN:
        raise InputsClosed(unit=row.code)


def _stands(sheet: Sheet, name: str, body: Mapping[str, object] | None) -> bool:
    held = sheet.inputs.get(name)
    if held is None or body is None:
        return held is None and body is None
    return (held.value, held.source, held.note) == (
        body["value"],
        body["source"],
        body.get("note"),
    )


def _checked(
    rule_set: RuleSet, told: Mapping[str, Tell | None]
) -> tuple[dict[str, dict[str, object] | None], list[Fault]]:
    known = wanted(rule_set)
    plain: dict[str, dict[str, object] | None] = {}
    faults: list[Fault] = []
    for name, tell in told.items():
        at = f"/inputs/{name[:100]}"
        one = known.get(name)
        if one is None:
            faults.append(Fault(at, "input.unknown"))
        elif one.origin is Origin.FIXED or isinstance(rule_set.inputs[name], Peers):
            faults.append(Fault(at, "input.not_told"))
        elif tell is None:
            plain[name] = _TAKEN_BACK
        else:
            body, fault = _read(one, tell)
            plain[name] = body
            faults.extend([] if fault is None else [fault.under(at)])
    return plain, faults


def _read(one: Wanted, tell: Tell) -> tuple[dict[str, object], Fault | None]:
    origin = Origin.DECLARED if one.origin is Origin.MEASURE else one.origin
    if tell.source is not None and tell.source != origin.value:
        return {}, Fault("/source", "input.source_differs", {"wanted": origin.value})
    if tell.value is None and not tell.note:
        return {}, Fault("/note", "input.na_without_note")
    try:
        value = to_plain(read_value(one, tell.value))
    except ValueRefused as refused:
        return {}, refused.fault.under("/value")
    return {"value": value, "source": origin.value, "note": tell.note}, None


def read_replacements(rule_set: RuleSet, told: Mapping[str, object]) -> dict[str, object]:
    """Return values that are to stand in the place of inputs, as plain JSON.

    :raises InputsRefused: naming every place that cannot be taken.
    """
    known = wanted(rule_set)
    plain: dict[str, object] = {}
    faults: list[Fault] = []
    for name, value in told.items():
        one = known.get(name)
        if one is None or one.origin is Origin.FIXED:
            faults.append(Fault(f"/inputs/{name[:100]}", "input.unknown"))
            continue
        try:
            plain[name] = to_plain(read_value(one, value))
        except ValueRefused as refused:
            faults.append(refused.fault.under(f"/inputs/{name}"))
    if faults:
        raise InputsRefused(faults=tuple(faults))
    return plain
