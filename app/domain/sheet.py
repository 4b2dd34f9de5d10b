"""What people put on the sheet of a unit for a period, folded from entries that are only appended.

Inputs, evidence and roles are told by name, the last word holds. Rounds follow one another as the
rule set lists them: one is opened, filled and closed before the next; a closed round is frozen
with its scores.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Final, NamedTuple

from app.domain.errors import Conflict, Invalid
from app.domain.rule_set import Level, Round


class EntryKind(StrEnum):
    """What an entry of a sheet tells."""

    INPUTS = "inputs"
    EVIDENCE = "evidence"
    RESPONSIBLE = "responsible"
    PEERS = "peers"
    OPENED = "opened"
    FILLED = "filled"
    CLOSED = "closed"


@dataclass(eq=False, kw_only=True)
class RoundUnknown(Invalid):
    """The rule set has no such round."""

    code: ClassVar[str] = "round.unknown"
    round: str
    known: str


@dataclass(eq=False, kw_only=True)
class RoundOutOfOrder(Conflict):
    """Another round comes first, or is still open."""

    code: ClassVar[str] = "round.out_of_order"
    round: str
    first: str


@dataclass(eq=False, kw_only=True)
class RoundClosed(Conflict):
    """The round is closed; what it says is frozen."""

    code: ClassVar[str] = "round.closed"
    round: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was put on a sheet; ``body`` is plain JSON as its kind wants it."""

    kind: EntryKind
    body: Mapping[str, object]
    actor: str
    recorded_at: datetime
    round: Round | None = None
    author: str | None = None


class Told(NamedTuple):
    """One input as it was told: its value as plain JSON, who said so, when and why.

    A tuple, for a country's board makes a hundred thousand of them.
    """

    value: object
    source: str
    actor: str
    recorded_at: datetime
    note: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a round says of one leaf: points given, inputs replaced, a note, evidence."""

    score: Fraction | None
    inputs: Mapping[str, object]
    note: str | None
    evidence: tuple[str, ...]
    author: str | None
    actor: str
    recorded_at: datetime


@dataclass(slots=True)
class RoundState:
    """One round of a sheet as it stands."""

    round: Round
    opened_at: datetime
    opened_by: str
    author: str | None
    due_on: date | None
    note: str | None
    leaves: dict[str, Verdict] = field(default_factory=dict)
    closed_at: datetime | None = None
    closed_by: str | None = None
    card: Mapping[str, object] | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether it can still be filled."""
        return self.closed_at is None


@dataclass(slots=True)
class Sheet:
    """Everything that people put on one sheet, as it stands."""

    inputs: dict[str, Told] = field(default_factory=dict)
    evidence: dict[str, tuple[str, ...]] = field(default_factory=dict)
    responsible: dict[str, str] = field(default_factory=dict)
    peers: dict[Level, Mapping[str, object]] = field(default_factory=dict)
    rounds: dict[Round, RoundState] = field(default_factory=dict)

    @property
    def open_round(self) -> RoundState | None:
        """Return the round that is being filled, None between rounds."""
        return next((state for state in self.rounds.values() if state.is_open), None)

    @property
    def last_closed(self) -> RoundState | None:
        """Return the round that was closed last, None before the first."""
        closed = [state for state in self.rounds.values() if not state.is_open]
        return closed[-1] if closed else None


NOTHING: Final = Sheet()


def fold(entries: Iterable[Entry]) -> Sheet:
    """Return the sheet that entries make, in the order in which they were appended."""
    sheet = Sheet()
    for entry in entries:
        _apply(sheet, entry)
    return sheet


def _apply(sheet: Sheet, entry: Entry) -> None:
    match entry.kind:
        case EntryKind.INPUTS:
            _apply_inputs(sheet, entry)
        case EntryKind.EVIDENCE:
            sheet.evidence |= {leaf: _texts(hashes) for leaf, hashes in entry.body.items()}
        case EntryKind.RESPONSIBLE:
            for leaf, role in entry.body.items():
                sheet.responsible.pop(leaf, None)
                if role is not None:
                    sheet.responsible[leaf] = str(role)
        case EntryKind.PEERS:
            sheet.peers[Level(str(entry.body["level"]))] = entry.body
        case EntryKind.OPENED | EntryKind.FILLED | EntryKind.CLOSED:
            _apply_round(sheet, entry)


def _apply_inputs(sheet: Sheet, entry: Entry) -> None:
    for name, told in entry.body.items():
        sheet.inputs.pop(name, None)
        if isinstance(told, dict):
            sheet.inputs[name] = Told(
                value=told.get("value"),
                source=str(told["source"]),
                actor=entry.actor,
                recorded_at=entry.recorded_at,
                note=told.get("note"),
                author=entry.author,
            )


def _apply_round(sheet: Sheet, entry: Entry) -> None:
    if entry.round is None:
        raise ValueError("an entry of a round names the round")
    body = entry.body
    if entry.kind is EntryKind.OPENED:
        due = body.get("due_on")
        sheet.rounds[entry.round] = RoundState(
            round=entry.round,
            opened_at=entry.recorded_at,
            opened_by=entry.actor,
            author=entry.author,
            due_on=None if due is None else date.fromisoformat(str(due)),
            note=_text(body.get("note")),
        )
        return
    state = sheet.rounds[entry.round]
    if entry.kind is EntryKind.FILLED:
        state.leaves |= {leaf: _verdict(entry, said) for leaf, said in body.items()}
    else:
        state.closed_at, state.closed_by = entry.recorded_at, entry.actor
        card = body["card"]
        state.card = card if isinstance(card, dict) else None


def _verdict(entry: Entry, said: object) -> Verdict:
    told = said if isinstance(said, dict) else {}
    score, inputs = told.get("score"), told.get("inputs")
    return Verdict(
        score=None if score is None else Fraction(str(score)),
        inputs=inputs if isinstance(inputs, dict) else {},
        note=_text(told.get("note")),
        evidence=_texts(told.get("evidence")),
        author=entry.author,
        actor=entry.actor,
        recorded_at=entry.recorded_at,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


# ---------------------------------------------------------------- the order of rounds


def may_open(sheet: Sheet, wanted: Round, listed: Sequence[Round]) -> None:
    """Pass if a round may be opened now.

    :raises RoundUnknown: the rule set does not list it.
    :raises RoundClosed: it was opened and closed before.
    :raises RoundOutOfOrder: another round is open, or comes first.
    """
    if wanted not in listed:
        known = ", ".join(one.value for one in listed) or "–"
        raise RoundUnknown(round=wanted.value, known=known)
    state = sheet.rounds.get(wanted)
    if state is not None and not state.is_open:
        raise RoundClosed(round=wanted.value)
    for earlier in listed[: listed.index(wanted)]:
        before = sheet.rounds.get(earlier)
        if before is None or before.is_open:
            raise RoundOutOfOrder(round=wanted.value, first=earlier.value)


def chain(sheet: Sheet, last: Round, listed: Sequence[Round]) -> list[RoundState]:
    """Return the rounds whose words count in the score of a round, in their order.

    An explanation proposes and does not decide: its words count in its own score alone.
    """
    upto = listed[: listed.index(last) + 1] if last in listed else ()
    return [
        sheet.rounds[one]
        for one in upto
        if one in sheet.rounds and (one is last or one is not Round.EXPLAIN)
    ]


def replaced_inputs(rounds: Iterable[RoundState]) -> dict[str, object]:
    """Return the inputs that rounds replaced, as plain JSON; the last round's word holds."""
    found: dict[str, object] = {}
    for state in rounds:
        for verdict in state.leaves.values():
            found |= verdict.inputs
    return found


def given_points(rounds: Iterable[RoundState]) -> dict[str, Fraction]:
    """Return the points that rounds gave to leaves.

    A later word on a leaf that gives no points but replaces inputs lets it be computed again.
    """
    found: dict[str, Fraction] = {}
    for state in rounds:
        for leaf, verdict in state.leaves.items():
            if verdict.score is not None:
                found[leaf] = verdict.score
            elif verdict.inputs:
                found.pop(leaf, None)
    return found


def of_record(sheet: Sheet, wanted: Round | None) -> RoundState | None:
    """Return the round whose score is the score of record: the one named once it is closed.

    Before that, and where none is named, it is the round closed last, explanations left aside.
    """
    if wanted is not None and wanted in sheet.rounds and not sheet.rounds[wanted].is_open:
        return sheet.rounds[wanted]
    closed = [
        state
        for state in sheet.rounds.values()
        if not state.is_open and state.round is not Round.EXPLAIN
    ]
    return closed[-1] if closed else None
