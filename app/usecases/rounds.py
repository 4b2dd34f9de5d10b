"""Rounds of a sheet: self-score, appraisal, explanation, appraisal; opened, filled, closed in turn.

Who appraises stands strictly above the unit assessed. A round that is closed keeps its whole
sheet as it was scored then; nothing of it is ever written again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import ClassVar

from app.domain.errors import Conflict
from app.domain.faults import Fault
from app.domain.method import Deduct
from app.domain.rounding import plain
from app.domain.rule_set import Leaf, Round, RuleSet
from app.domain.sheet import Entry, EntryKind, RoundState, Sheet, may_open
from app.domain.wanted import (
    Origin,
    ValueRefused,
    Wanted,
    every_leaf,
    read_value,
    to_plain,
    wanted,
)
from app.i18n import ZONE
from app.store import audit, sheets
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import card, evidence, inputs, rule_sets, scorecards
from app.usecases.access import Principal, Scope
from app.usecases.card import Json
from app.usecases.inputs import UNITS_OWN, InputsRefused, VerifierBelow
from app.usecases.scorecards import Asked
from app.usecases.subtree import unit_of


@dataclass(eq=False, kw_only=True)
class DeadlineToCome(Conflict):
    """A unit's own round is closed by the unit, and by others only after its deadline."""

    code: ClassVar[str] = "round.deadline_to_come"
    round: str


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says of one leaf in a round."""

    score: object = None
    inputs: Mapping[str, object] = field(default_factory=dict)
    note: str | None = None
    evidence: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a round: to be opened with a deadline, filled, closed."""

    round: Round
    due_on: date | None = None
    note: str | None = None
    author: str | None = None
    leaves: Mapping[str, Word] = field(default_factory=dict)
    close: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A sheet after a round was written on."""

    row: UnitRow
    sheet: Sheet
    state: RoundState


def write(
    session: WriteSession, asked: Asked, code: str, wish: Wish, *, who: Principal, now: datetime
) -> Done:
    """Open a round if it is not open, write what is said of its leaves, close it if asked to.

    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises UnitNotAssessed: it has no sheet under this rule set.
    :raises ScopeMissing: the key has not the scope of this round.
    :raises VerifierBelow: an appraiser does not stand above the unit.
    :raises RoundUnknown: the rule set has no such round.
    :raises RoundOutOfOrder: another round comes first.
    :raises RoundClosed: the round is closed.
    :raises DeadlineToCome: somebody else closes the unit's round before its deadline.
    :raises InputsRefused: naming every place that cannot be taken.
    """
    row = unit_of(session, who, code)
    rule_set = asked.rule_set
    _check_rights(who, row, wish)
    sheets.lock(session, row.id, rule_set.id)
    sheet = inputs.sheet_of(session, rule_set.id, asked.period, row)
    may_open(sheet, wish.round, rule_set.rounds)
    found = sheet.rounds.get(wish.round)
    added: list[Entry] = []
    if found is None:
        due = None if wish.due_on is None else wish.due_on.isoformat()
        body: Json = {"due_on": due, "note": wish.note}
        added.append(_entry(EntryKind.OPENED, body, wish, who, now))
    if wish.leaves:
        said = _checked(session, rule_set, row, wish.leaves)
        added.append(_entry(EntryKind.FILLED, said, wish, who, now))
    _append(session, asked, row, added)
    if wish.close:
        _close(session, asked, row, wish, who=who, now=now)
    sheet = inputs.sheet_of(session, rule_set.id, asked.period, row)
    return Done(row, sheet, sheet.rounds[wish.round])


def _entry(kind: EntryKind, body: Json, wish: Wish, who: Principal, now: datetime) -> Entry:
    return Entry(kind, body, who.actor, now, wish.round, wish.author)


def _append(session: WriteSession, asked: Asked, row: UnitRow, added: Sequence[Entry]) -> None:
    if not added:
        return
    sheets.append(session, row.id, asked.rule_set.id, asked.period, added)
    for entry in added:
        period = f"{asked.period.first}..{asked.period.last}"
        audit.append(
            session,
            actor=entry.actor,
            action=f"round.{entry.kind.value}",
            subject=f"{asked.rule_set.id} {row.code} {period} {entry.round}",
            unit_id=row.id,
            after={"author": entry.author, "hash": _hash_of(entry)},
        )


def _hash_of(entry: Entry) -> object:
    body = entry.body.get("card")
    return body.get("hash") if isinstance(body, dict) else None


def _check_rights(who: Principal, row: UnitRow, wish: Wish) -> None:
    if wish.round not in UNITS_OWN:
        who.require(Scope.INDEX_VERIFY)
        if not inputs.stands_above(who, row):
            raise VerifierBelow(unit=row.code)
    elif wish.leaves or not inputs.may_verify(who, row):
        who.require(Scope.INDEX_WRITE)


def _close(
    session: WriteSession,
    asked: Asked,
    row: UnitRow,
    wish: Wish,
    *,
    who: Principal,
    now: datetime,
) -> None:
    found = scorecards.one(session, asked, row.code, who=who, round_=wish.round)
    state = found.loaded.sheet(row.code).rounds[wish.round]
    if wish.round in UNITS_OWN and Scope.INDEX_WRITE not in who.scopes:
        _check_deadline(state, now)
    rows = rule_sets.confirmations(session, asked.rule_set.id)
    frozen = card.document(
        found.assessed,
        found.loaded,
        row,
        is_confirmed=rule_sets.is_confirmed(asked.version, rows, row.lft),
        round_=wish.round.value,
    )
    _append(session, asked, row, [_entry(EntryKind.CLOSED, {"card": frozen}, wish, who, now)])


def _check_deadline(state: RoundState, now: datetime) -> None:
    if state.due_on is None or now.astimezone(ZONE).date() <= state.due_on:
        raise DeadlineToCome(round=state.round.value)


# ---------------------------------------------------------------- what is said of leaves


def _checked(
    session: ReadSession, rule_set: RuleSet, row: UnitRow, said: Mapping[str, Word]
) -> Json:
    leaves = {leaf.id: leaf for leaf in every_leaf(rule_set)}
    known = wanted(rule_set)
    proofs, faults = evidence.linked(
        session, row, {leaf: word.evidence for leaf, word in said.items() if leaf in leaves}, leaves
    )
    faults = [
        Fault(f"/leaves{_moved(fault.pointer)}", fault.code, fault.params) for fault in faults
    ]
    body: Json = {}
    for name, word in said.items():
        at = f"/leaves/{name[:100]}"
        if name not in leaves:
            faults.append(Fault(at, "input.unknown_leaf"))
            continue
        read = _Word(leaves[name], known, at)
        body[name] = {
            "score": read.score(word.score),
            "inputs": read.inputs(word.inputs),
            "note": word.note,
            "evidence": proofs.get(name, []),
        }
        faults += read.faults
    if faults:
        raise InputsRefused(faults=tuple(faults))
    return body


def _moved(pointer: str) -> str:
    """Turn ``/evidence/leaf/0`` into ``/leaf/evidence/0``, where a round tells it."""
    _, _, leaf, *rest = pointer.split("/")
    return "/".join(["", leaf, "evidence", *rest])


class _Word:
    """Reads what is said of one leaf, noting every fault."""

    def __init__(self, leaf: Leaf, known: Mapping[str, Wanted], at: str) -> None:
        self._leaf = leaf
        self._known = known
        self._at = at
        self.faults: list[Fault] = []

    def score(self, told: object) -> str | None:
        """Return the points given, exactly."""
        if told is None:
            return None
        method = self._leaf.method
        lowest = method.least if isinstance(method, Deduct) else Fraction(0)
        limits = Wanted(
            "score",
            Origin.VERIFIED,
            lowest=min(lowest, Fraction(0)),
            highest=self._leaf.max,
        )
        try:
            return str(to_plain(read_value(limits, told)))
        except ValueRefused as refused:
            self.faults.append(refused.fault.under(f"{self._at}/score"))
            return None

    def inputs(self, told: Mapping[str, object]) -> Json:
        """Return the inputs replaced."""
        found: Json = {}
        for name, value in told.items():
            at = f"{self._at}/inputs/{name[:100]}"
            one = self._known.get(name)
            if one is None or self._leaf.id not in one.leaves:
                self.faults.append(Fault(at, "input.unknown"))
                continue
            try:
                found[name] = to_plain(read_value(one, value))
            except ValueRefused as refused:
                self.faults.append(refused.fault.under(at))
        return found


# ---------------------------------------------------------------- side by side


@dataclass(frozen=True, slots=True)
class Column:
    """What one round says of one leaf: its points then, and who said what."""

    round: Round
    score: str | None
    note: str | None
    author: str | None
    evidence: tuple[str, ...]
    inputs: Mapping[str, object]
    is_said: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """One leaf with its points by computation and by round, and what appraisal took or gave."""

    leaf: str
    title: Json
    max: str
    computed: str | None
    columns: tuple[Column, ...]
    difference: str | None


def compare(
    session: ReadSession, asked: Asked, code: str, *, who: Principal
) -> tuple[UnitRow, Sheet, tuple[Compared, ...]]:
    """Return each leaf with what every round made of it, self-score against appraisal.

    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises UnitNotAssessed: it has no sheet under this rule set.
    """
    live = scorecards.one(session, asked, code, who=who)
    sheet = live.loaded.sheet(live.row.code)
    computed = _scores(card.document(live.assessed, live.loaded, live.row, is_confirmed=True))
    by_round = {
        state.round: _scores(state.card or _open_card(session, asked, live.row, state, who))
        for state in sheet.rounds.values()
    }
    lines = tuple(_compared(leaf, computed, sheet, by_round) for leaf in every_leaf(asked.rule_set))
    return live.row, sheet, lines


def _open_card(
    session: ReadSession, asked: Asked, row: UnitRow, state: RoundState, who: Principal
) -> Json:
    found = scorecards.one(session, asked, row.code, who=who, round_=state.round)
    return card.document(found.assessed, found.loaded, found.row, is_confirmed=True)


def _scores(body: Mapping[str, object]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    waiting: list[object] = [body.get("nodes"), body.get("bonus"), body.get("penalty")]
    while waiting:
        one = waiting.pop()
        match one:
            case list():
                waiting.extend(one)
            case dict() if "branch" in one:
                score = one["score"]
                found[str(one["id"])] = None if score is None else str(score)
            case dict():
                waiting.extend([one.get("children"), one.get("items")])
            case _:
                pass
    return found


def _compared(
    leaf: Leaf,
    computed: Mapping[str, str | None],
    sheet: Sheet,
    by_round: Mapping[Round, Mapping[str, str | None]],
) -> Compared:
    columns = tuple(
        _column(leaf, state, by_round[state.round].get(leaf.id)) for state in sheet.rounds.values()
    )
    own = next((one.score for one in columns if one.round is Round.SELF), None)
    appraised = [one.score for one in columns if one.round not in UNITS_OWN]
    difference = None
    if own is not None and appraised and appraised[-1] is not None:
        difference = plain(Fraction(appraised[-1]) - Fraction(own))
    title: Json = {"vi": leaf.title.vi, "en": leaf.title.en}
    return Compared(leaf.id, title, plain(leaf.max), computed.get(leaf.id), columns, difference)


def _column(leaf: Leaf, state: RoundState, score: str | None) -> Column:
    verdict = state.leaves.get(leaf.id)
    return Column(
        round=state.round,
        score=score,
        note=None if verdict is None else verdict.note,
        author=None if verdict is None else verdict.author,
        evidence=() if verdict is None else verdict.evidence,
        inputs={} if verdict is None else verdict.inputs,
        is_said=verdict is not None,
    )
