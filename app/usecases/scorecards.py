"""Score sheets: what a rule set makes of counted figures and of what people put on the sheets.

A sheet is a function of the rule set's version, the period and ``known_at``. Whole subtrees are
read at once: one count of the dossiers, one query for every entry of every sheet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import ClassVar, Final

from app.domain.assessment import kind_of
from app.domain.errors import Conflict, Invalid
from app.domain.expression import Environment, Kind, Scalar
from app.domain.method import names
from app.domain.period import Period
from app.domain.rule_set import Given, Level, Measure, Peers, Round, RuleSet
from app.domain.scoring import Place
from app.domain.sheet import NOTHING, Sheet, chain, fold, given_points, replaced_inputs
from app.domain.tally import Tally
from app.domain.wanted import Value, Wanted, from_plain, wanted
from app.rulebook.metrics import load_metrics
from app.store import sheets, units
from app.store.periods import PeriodRow
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import index, periods, reporting, rule_sets
from app.usecases.access import Principal
from app.usecases.index import Assessed, Figures, KnowledgeToCome
from app.usecases.reporting import Question
from app.usecases.rule_sets import Version
from app.usecases.subtree import unit_of

NO_CHANGES: Final[Mapping[str, Value]] = {}
_LEVELS: Final = frozenset(level.value for level in Level)


@dataclass(eq=False, kw_only=True)
class PeriodToCome(Invalid):
    """The period had not begun at the moment asked for; what will be is not guessed."""

    code: ClassVar[str] = "scorecard.period_to_come"
    first: str


@dataclass(eq=False, kw_only=True)
class PeriodNotAssessed(Invalid):
    """The rule set does not assess periods of this kind."""

    code: ClassVar[str] = "scorecard.period_not_assessed"
    rule_set: str
    kinds: str


@dataclass(eq=False, kw_only=True)
class UnitNotAssessed(Conflict):
    """The rule set has no sheet for this unit: its level, its end, or its office is another."""

    code: ClassVar[str] = "scorecard.unit_not_assessed"
    rule_set: str
    unit: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: a version of a rule set, a period, and what was known when.

    ``at`` is T where the asker names it.
    """

    version: Version
    period: Period
    known_at: datetime
    is_present: bool
    at: datetime | None = None

    @property
    def rule_set(self) -> RuleSet:
        """Return the rule set that scores."""
        return self.version.rule_set

    @property
    def as_of(self) -> datetime:
        """Return T: as named, else the end of the period or the moment of knowledge before it."""
        return min(self.period.ends, self.known_at) if self.at is None else self.at


def ask(
    session: ReadSession,
    identifier: str,
    period: Period,
    *,
    who: Principal,
    now: datetime,
    known_at: datetime | None = None,
) -> Asked:
    """Return the question with the version that holds on the last day of the period.

    :raises UnknownRuleSet: there is none within what the asker may see.
    :raises RuleSetNotInForce: none is in force on the last day.
    :raises PeriodAcrossChange: the set changes within the period.
    :raises PeriodNotAssessed: the set does not assess such periods.
    :raises PeriodToCome: the period had not begun.
    :raises KnowledgeToCome: ``known_at`` lies ahead.
    """
    known = now if known_at is None else known_at
    if known > now:
        raise KnowledgeToCome(known_at=known)
    versions = rule_sets.seen(session, identifier, who=who, known_at=known_at)
    version = rule_sets.for_period(versions, period)
    _check_kind(version.rule_set, period)
    if period.begins >= known:
        raise PeriodToCome(first=period.first.isoformat())
    return Asked(version, period, known, known_at is None)


def _check_kind(rule_set: RuleSet, period: Period) -> None:
    valid = rule_set.valid
    is_cut = period.first == valid.first or period.last == valid.last
    if kind_of(period) not in rule_set.periods and not is_cut:
        kinds = ", ".join(sorted(rule_set.periods))
        raise PeriodNotAssessed(rule_set=rule_set.id, kinds=kinds)


# ---------------------------------------------------------------- loading whole subtrees


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that is known of the units of a subtree for one question."""

    asked: Asked
    units: tuple[UnitRow, ...]
    above: tuple[UnitRow, ...]
    own: Mapping[str, Tally]
    sheets: Mapping[str, Sheet]
    wanted: Mapping[str, Wanted] = field(default_factory=dict)
    by_id: Mapping[int, UnitRow] = field(default_factory=dict)
    frozen: tuple[PeriodRow, ...] = ()

    def frozen_for(self, row: UnitRow) -> PeriodRow | None:
        """Return the closed period from which the figures of a unit were taken, if one was."""
        return next((one for one in self.frozen if one.unit_lft <= row.lft <= one.unit_rgt), None)

    def sheet(self, code: str) -> Sheet:
        """Return the sheet of a unit, empty while nobody wrote on it."""
        return self.sheets.get(code, NOTHING)

    def lineage(self, row: UnitRow) -> Sequence[UnitRow]:
        """Return the units above one, nearest first, as far as they are loaded."""
        found: list[UnitRow] = []
        above = row.parent_id
        while above is not None and above in self.by_id:
            found.append(self.by_id[above])
            above = self.by_id[above].parent_id
        return found


def load(session: ReadSession, asked: Asked, *, root: UnitRow | None, who: Principal) -> Loaded:
    """Read a subtree: its units, what each did by itself, and what is on every sheet.

    Units above are read too, for what is inherited from them.

    :param root: the unit at the top; None is everything that the asker may see.
    """
    lft, rgt = (who.lft, who.rgt) if root is None else (root.lft, root.rgt)
    within = units.subtree(session, lft, rgt)
    tops = _tops(within)
    above = {row.id: row for top in tops for row in units.ancestors(session, top)[1:]}
    own: dict[str, Tally] = {}
    known_at = None if asked.is_present else asked.known_at
    frozen: list[PeriodRow] = []
    for top in tops:
        closed = _closed(session, asked, top)
        if closed is None:
            question = Question(top, asked.period, as_of=asked.at, known_at=known_at)
            own |= reporting.by_unit(session, question, now=asked.known_at)[1]
        else:
            frozen.append(closed)
            own |= periods.by_unit(session, closed, top)
    entries = sheets.entries(
        session, asked.rule_set.id, asked.period, lft=lft, rgt=rgt, above=above, known_at=known_at
    )
    return Loaded(
        asked=asked,
        units=within,
        above=tuple(above.values()),
        own=own,
        sheets={code: fold(found) for code, found in entries.items()},
        wanted=wanted(asked.rule_set),
        by_id={row.id: row for row in (*above.values(), *within)},
        frozen=tuple(frozen),
    )


def _closed(session: ReadSession, asked: Asked, top: UnitRow) -> PeriodRow | None:
    """Return the closing of the days asked about that was known, of a unit or of one above it.

    What was closed is scored from its frozen figures, whatever was learned later.
    """
    if asked.as_of != asked.period.ends:
        return None
    return periods.closing_of(session, top, asked.period, known_at=asked.known_at)


def _tops(within: Sequence[UnitRow]) -> list[UnitRow]:
    seen = {row.id for row in within}
    return [row for row in within if row.parent_id not in seen]


def root_of(session: ReadSession, asked: Asked, row: UnitRow) -> UnitRow:
    """Return the unit whose subtree has to be read to score one with its place among its peers.

    That is its parent, or a unit higher up where a line inherits what is counted there.
    """
    lineage = units.ancestors(session, row)
    wanted_levels = _levels_counted_above(asked.rule_set)
    for one in reversed(lineage):
        if one.level in wanted_levels:
            return one
    return lineage[1] if len(lineage) > 1 else row


def _levels_counted_above(rule_set: RuleSet) -> set[str]:
    return {
        leaf.inherit.value
        for leaf in rule_set.leaves
        if leaf.inherit is not None
        and any(isinstance(rule_set.inputs.get(name), Measure) for name in names(leaf.method))
    }


# ---------------------------------------------------------------- what each unit is scored from


def figures_of(
    loaded: Loaded,
    *,
    round_: Round | None = None,
    changes: Mapping[str, Mapping[str, Value]] | None = None,
) -> Figures:
    """Return what units are scored from: in a round, with what rounds up to it replaced.

    :param changes: inputs replaced for the sake of a question, by unit.
    """
    builder = _Builder(loaded, round_, changes or {})
    for row in (*loaded.above, *loaded.units):
        builder.add(row)
    return Figures(
        units=loaded.units,
        own=loaded.own,
        first_day=loaded.asked.period.first,
        declared=builder.declared,
        replaced=builder.replaced,
        cases=builder.cases,
        given=builder.given,
        above=loaded.above,
        counted=builder.counted,
    )


class _Builder:
    """Lays the sheets of many units out as inputs."""

    def __init__(
        self, loaded: Loaded, round_: Round | None, changes: Mapping[str, Mapping[str, Value]]
    ) -> None:
        self._loaded = loaded
        self._round = round_
        self._changes = changes
        rule_set = loaded.asked.rule_set
        self._rounds = rule_set.rounds
        self._peers = [name for name, one in rule_set.inputs.items() if isinstance(one, Peers)]
        self._from_above = [name for name, one in rule_set.inputs.items() if one is Given.PEER]
        measures = {name: one for name, one in rule_set.inputs.items() if isinstance(one, Measure)}
        self.counted = frozenset(measures)
        self._yielding = frozenset(name for name, one in measures.items() if one.yields)
        self.declared: dict[str, Environment] = {}
        self.replaced: dict[str, Environment] = {}
        self.cases: dict[str, dict[str, tuple[Environment, ...]]] = {}
        self.given: dict[str, Mapping[str, Fraction]] = {}

    def add(self, row: UnitRow) -> None:
        sheet = self._loaded.sheets.get(row.code)
        if sheet is not None:
            self._own(row, sheet)
        if self._peers or self._from_above:
            self._peer_values(row)
        self._put(row.code, dict(self._changes.get(row.code, {})), self.replaced)

    def _own(self, row: UnitRow, sheet: Sheet) -> None:
        told = {name: self._value(name, one.value) for name, one in sheet.inputs.items()}
        self._put(row.code, told, self.declared)
        yielded = {name: told[name] for name in self._yielding if name in told}
        self._put(row.code, yielded, self.replaced)
        if self._round is not None and sheet.rounds:
            rounds = chain(sheet, self._round, self._rounds)
            said = replaced_inputs(rounds).items()
            self._put(row.code, {name: self._value(name, one) for name, one in said}, self.replaced)
            self.given[row.code] = given_points(rounds)

    def _value(self, name: str, stored: object) -> Value:
        one = self._loaded.wanted.get(name)
        return from_plain(stored, is_word=one is not None and one.kind is Kind.TEXT)

    def _put(self, code: str, values: Mapping[str, Value], into: dict[str, Environment]) -> None:
        if not values:
            return
        plain: dict[str, Scalar | None] = dict(into.get(code, {}))
        for name, value in values.items():
            if isinstance(value, tuple):
                self.cases.setdefault(code, {})[name] = value
            else:
                plain[name] = value
        into[code] = plain

    def _peer_values(self, row: UnitRow) -> None:
        own = self.declared.get(row.code, {})
        found: dict[str, Value] = {}
        for name in self._from_above:
            holder = None if name in own else teller_of(self._loaded, row, name)
            if holder is not None:
                found[name] = self._value(name, self._loaded.sheet(holder).inputs[name].value)
        for name in self._peers:
            frozen = snapshot_of(self._loaded, row, name)
            if frozen is not None:
                found[name] = from_plain(frozen.value)
        self._put(row.code, found, self.declared)


def teller_of(loaded: Loaded, row: UnitRow, name: str) -> str | None:
    """Return the nearest unit above whose sheet tells an input, None when none does."""
    for above in loaded.lineage(row):
        if name in loaded.sheet(above.code).inputs:
            return above.code
    return None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A figure of peers as it was frozen on the sheet of a unit above them."""

    unit: str
    value: object
    peers: int
    left_out: int


def snapshot_of(loaded: Loaded, row: UnitRow, name: str) -> Frozen | None:
    """Return the figure of a unit's peers from the nearest snapshot, None before there is one."""
    if row.level not in _LEVELS:
        return None
    for above in loaded.lineage(row):
        body = loaded.sheet(above.code).peers.get(Level(row.level))
        values = None if body is None else body.get("values")
        one = values.get(name) if isinstance(values, dict) else None
        if isinstance(one, dict):
            return Frozen(above.code, one["value"], int(one["units"]), int(one["left_out"]))
    return None


def assess(loaded: Loaded, figures: Figures) -> tuple[Assessed, ...]:
    """Score every unit of the subtree, with places among those in sight."""
    asked = loaded.asked
    scored = index.score_units(asked.rule_set, load_metrics(), figures)
    lfts = {row.code: row.lft for row in loaded.units}
    return tuple(one for one in scored if asked.version.holds_for(lfts[one.unit]))


def find(assessed: Iterable[Assessed], asked: Asked, code: str) -> Assessed:
    """Return one unit among those assessed.

    :raises UnitNotAssessed: it has no sheet under this rule set.
    """
    for one in assessed:
        if one.unit == code:
            return one
    raise UnitNotAssessed(rule_set=asked.rule_set.id, unit=code)


# ---------------------------------------------------------------- one unit, and what if


@dataclass(frozen=True, slots=True)
class One:
    """The sheet of one unit, with everything that it was read from."""

    loaded: Loaded
    row: UnitRow
    assessed: Assessed
    figures: Figures


def one(
    session: ReadSession,
    asked: Asked,
    code: str,
    *,
    who: Principal,
    round_: Round | None = None,
) -> One:
    """Score one unit, in a round if one is named, with its place among its peers.

    :raises UnitUnknown: it is not within what the asker may see.
    :raises UnitNotAssessed: it has no sheet under this rule set.
    """
    row = unit_of(session, who, code)
    loaded = load(session, asked, root=root_of(session, asked, row), who=who)
    figures = figures_of(loaded, round_=round_)
    return One(loaded, row, find(assess(loaded, figures), asked, row.code), figures)


@dataclass(frozen=True, slots=True)
class Supposed:
    """A sheet as it is, and as it would be with some inputs replaced. Nothing is stored."""

    now: Assessed
    then: Assessed


def what_if(found: One, changes: Mapping[str, Value]) -> Supposed:
    """Score a unit again with inputs replaced, its own and those that it inherits."""
    loaded, row = found.loaded, found.row
    above = {one.code: changes for one in loaded.lineage(row) if _inherits_from(loaded, one)}
    figures = figures_of(loaded, changes={row.code: changes, **above})
    # the peers stay as they are: only this unit's sheet is supposed
    then = next(one for one in assess(loaded, figures) if one.unit == row.code)
    values = {
        one.unit: (one.level, one.parent, one.value)
        for one in assess(loaded, found.figures)
        if one.value is not None and one.unit != row.code
    }
    place: Place | None = None
    if then.value is not None and found.assessed.place is not None:
        ranked = {**values, row.code: (then.level, then.parent, then.value)}
        place = index.places_within(ranked)[row.code]
    return Supposed(found.assessed, replace(then, place=place))


def _inherits_from(loaded: Loaded, row: UnitRow) -> bool:
    levels = {leaf.inherit for leaf in loaded.asked.rule_set.leaves if leaf.inherit}
    return row.level in {level.value for level in levels}
