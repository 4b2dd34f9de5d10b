"""The scorecard that a rule set makes of what is known about a unit.

``score`` is a pure function; every leaf says what it read, which way it went and what would bring
the rest. Totals, labels and ranks follow from the leaves.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import TypeGuard, TypeVar

from app.domain.expression import (
    DividedByZero,
    Environment,
    InputMissing,
    InputNotApplicable,
    InputOfWrongKind,
    Scalar,
    Unanswerable,
)
from app.domain.method import (
    Branch,
    CaseRows,
    Earned,
    Facts,
    Method,
    NoBranch,
    NothingToScore,
    OutOfRange,
    Recovery,
    Survey,
    earn,
    names,
    recover,
)
from app.domain.rounding import Stage
from app.domain.rule_set import (
    Absent,
    ByLevel,
    Classify,
    Combine,
    Derived,
    LabelBand,
    Leaf,
    Level,
    NaPolicy,
    Node,
    NodeSum,
    Pool,
    RescaleWhen,
    RuleSet,
    ZeroDen,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known about one unit: its level, its inputs, and those of the levels above it.

    ``env`` holds what is bound as measure, declared, survey, external or peer; an absent name is
    not known yet, None is not applicable. Numbers that the rule fixes by level need not be in it.
    ``given`` holds points that people gave to lines, by id of leaf; they stand as they are.
    """

    level: Level
    env: Environment
    rows: CaseRows = field(default_factory=dict)
    above: Mapping[Level, Environment] = field(default_factory=dict)
    given: Mapping[str, Fraction] = field(default_factory=dict)


class State(StrEnum):
    """How a leaf came out."""

    SCORED = "scored"
    PENDING = "pending"
    EXCLUDED = "excluded"
    REDISTRIBUTED = "redistributed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LeafScore:
    """The points of one leaf and their explanation.

    ``exact`` is unrounded and ``points`` rounded; both are 0 while the leaf has no score. ``max``
    is what it could have earned, 0 when it was left out.
    """

    leaf: Leaf
    state: State
    exact: Fraction
    points: Fraction
    max: Fraction
    branch: Branch
    method: Method
    facts: Facts
    warnings: tuple[str, ...] = ()
    missing: str | None = None

    @property
    def inputs(self) -> tuple[tuple[str, Scalar | None], ...]:
        """Return the inputs that the line reads, as far as they are known."""
        env = self.facts.env
        return tuple((name, env[name]) for name in names(self.method) if name in env)

    @property
    def recovery(self) -> tuple[Recovery, ...]:
        """Return what would bring more points, for a line that was judged by its method."""
        judged = self.branch.code.startswith("branch.") and self.points < self.max
        return recover(self.method, self.leaf.max, self.facts) if judged else ()

    @property
    def lost(self) -> Fraction:
        """Return the points that were there to earn and were not."""
        return self.max - self.points if self.state is State.SCORED else Fraction(0)


@dataclass(frozen=True, slots=True)
class NodeScore:
    """The points of a group: the sum of what is below, and the maximum of what was present."""

    node: Node
    points: Fraction
    max: Fraction
    children: tuple["NodeScore | LeafScore", ...]


@dataclass(frozen=True, slots=True)
class PoolScore:
    """Bonus or penalty points, after combination and cap."""

    points: Fraction
    items: tuple[LeafScore, ...]


@dataclass(frozen=True, slots=True)
class DerivedScore:
    """A derived sum with its label."""

    derived: Derived
    points: Fraction
    label: str | None


class Standing(StrEnum):
    """Whether a sheet is whole, waits for inputs, or cannot be computed."""

    COMPLETE = "complete"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A rule set laid over one unit.

    ``total`` is None when nothing of the tree applies; while the sheet is pending it is the sum of
    what is known. ``max`` is the scale of the total. ``label`` is None while it cannot be decided.
    """

    rule_set: RuleSet
    standing: Standing
    total: Fraction | None
    max: Fraction
    root: NodeScore
    bonus: PoolScore
    penalty: PoolScore
    label: str | None
    derived: tuple[DerivedScore, ...]
    missing: tuple[str, ...]

    @property
    def printed(self) -> str | None:
        """Return the total as it is published."""
        return None if self.total is None else self.rule_set.numbers.printed.text(self.total)

    @property
    def leaves(self) -> tuple[LeafScore, ...]:
        """Return the scores of the leaves in the order of the sheet."""
        return tuple(_leaf_scores(self.root))


def _leaf_scores(node: NodeScore) -> Iterator[LeafScore]:
    for child in node.children:
        match child:
            case LeafScore():
                yield child
            case NodeScore():
                yield from _leaf_scores(child)


def score(rule_set: RuleSet, subject: Subject) -> Scorecard:
    """Return the scorecard of one unit: the same inputs give the same card, for ever."""
    scorer = _Scorer(rule_set, subject)
    root = scorer.node(rule_set.root)
    bonus, penalty = scorer.pool(rule_set.bonus), scorer.pool(rule_set.penalty)
    total, most = _total(rule_set, root)
    scores = [*_leaf_scores(root), *bonus.items, *penalty.items]
    standing = _standing(scores)
    missing = tuple(dict.fromkeys(leaf.missing for leaf in scores if leaf.missing))
    label = None
    if standing is Standing.COMPLETE and total is not None and rule_set.classify is not None:
        env = _verdict_env(rule_set, scorer.env, root, (bonus, penalty), total)
        label = classify(rule_set.classify, env)
    return Scorecard(
        rule_set=rule_set,
        standing=standing,
        total=total,
        max=most,
        root=root,
        bonus=bonus,
        penalty=penalty,
        label=label,
        derived=tuple(_derived(derived, root) for derived in rule_set.derived),
        missing=missing,
    )


def _standing(scores: Iterable[LeafScore]) -> Standing:
    states = {leaf.state for leaf in scores}
    if State.FAILED in states:
        return Standing.FAILED
    return Standing.PENDING if State.PENDING in states else Standing.COMPLETE


_NONE = Fraction(0)

FAULTS: Mapping[type[Exception], str] = {
    NoBranch: "failed.no_branch",
    OutOfRange: "failed.out_of_range",
    InputOfWrongKind: "failed.wrong_kind",
}
"""Why a leaf has no score although its inputs are there."""


class _Scorer:
    """Walks one rule set over one unit."""

    def __init__(self, rule_set: RuleSet, subject: Subject) -> None:
        self._numbers = rule_set.numbers
        self._subject = subject
        self._fixed = {
            name: binding.values[subject.level]
            for name, binding in rule_set.inputs.items()
            if isinstance(binding, ByLevel) and subject.level in binding.values
        }
        self.env: Environment = {**subject.env, **self._fixed}
        self._own = Facts(self.env, subject.rows)

    def node(self, node: Node) -> NodeScore:
        children = tuple(
            self.node(child) if isinstance(child, Node) else self.leaf(child)
            for child in node.children
        )
        if any(_redistributed(child) for child in children):
            children = self._shared_out(children)
        points = sum((self._worth(child) for child in children), _NONE)
        if self._numbers.nodes is not None:
            points = self._numbers.nodes.of(points)
        return NodeScore(node, points, _present(node, children), children)

    def _worth(self, child: NodeScore | LeafScore) -> Fraction:
        if isinstance(child, LeafScore) and self._numbers.node is NodeSum.EXACT_SUM:
            return child.exact
        return child.points

    def _shared_out(
        self, children: tuple[NodeScore | LeafScore, ...]
    ) -> tuple[NodeScore | LeafScore, ...]:
        """Give the maximum of leaves without a denominator to their sisters, in proportion."""
        left = sum((child.max for child in children), _NONE)
        if not left:
            return children
        gone = [child.leaf.max for child in children if _redistributed(child)]
        factor = (left + sum(gone, _NONE)) / left
        return tuple(self._scaled(child, factor) for child in children)

    def _scaled(self, child: NodeScore | LeafScore, factor: Fraction) -> NodeScore | LeafScore:
        match child:
            case LeafScore():
                exact = child.exact * factor
                points = self._stage(child.leaf).of(exact)
                return replace(child, exact=exact, points=points, max=child.max * factor)
            case NodeScore():
                parts = tuple(self._scaled(part, factor) for part in child.children)
                points = sum((self._worth(part) for part in parts), _NONE)
                return NodeScore(child.node, points, child.max * factor, parts)

    def pool(self, pool: Pool | None) -> PoolScore:
        if pool is None:
            return PoolScore(_NONE, ())
        items = tuple(self.leaf(item) for item in pool.items)
        worth = [self._worth(item) for item in items]
        points = max(worth, default=_NONE) if pool.combine is Combine.MAX_OF else sum(worth, _NONE)
        return PoolScore(points if pool.cap is None else min(points, pool.cap), items)

    def leaf(self, leaf: Leaf) -> LeafScore:
        facts = self._own
        if leaf.inherit is not None and leaf.inherit is not self._subject.level:
            above = self._subject.above.get(leaf.inherit, {})
            facts = Facts({**above, **self._fixed}, self._subject.rows)
        line = _Line(leaf, leaf.method, facts, self._stage(leaf))
        if leaf.id in self._subject.given:
            return line.given(self._subject.given[leaf.id])
        if self._subject.level in leaf.na_by_level:
            return line.not_applicable(self._subject.level)
        try:
            line.method = self._method(leaf)
            return line.scored(earn(line.method, leaf.max, facts, self._numbers.case))
        except InputMissing as gap:
            return line.missing(gap.name)
        except (InputNotApplicable, NothingToScore):
            return line.not_applicable(self._subject.level)
        except DividedByZero:
            return line.nothing_to_divide_by(self._subject.level)
        except (NoBranch, OutOfRange, InputOfWrongKind) as fault:
            return line.failed(FAULTS[type(fault)])

    def _stage(self, leaf: Leaf) -> Stage:
        return self._numbers.leaf if leaf.stage is None else leaf.stage

    def _method(self, leaf: Leaf) -> Method:
        for variant in leaf.variants:
            if variant.when.truth(self.env):
                return variant.method
        return leaf.method


@dataclass(slots=True)
class _Line:
    """One leaf being scored, and the ways in which it can come out."""

    leaf: Leaf
    method: Method
    facts: Facts
    stage: Stage

    def scored(self, earned: Earned) -> LeafScore:
        return LeafScore(
            self.leaf,
            State.SCORED,
            earned.points,
            self.stage.of(earned.points),
            self.leaf.max,
            earned.branch,
            self.method,
            self.facts,
            earned.warnings,
        )

    def given(self, points: Fraction) -> LeafScore:
        earned = Earned(points, Branch("given.points", {"points": points}))
        return replace(self.scored(earned), points=points)

    def missing(self, name: str) -> LeafScore:
        absent = self.leaf.absent if isinstance(self.method, Survey) else Absent.PENDING
        match absent:
            case Absent.EXCLUDE_AND_RESCALE:
                return self._out(State.EXCLUDED, "excluded.survey_absent")
            case Absent.ZERO:
                return self.scored(Earned(_NONE, Branch("zero.survey_absent")))
            case Absent.PENDING:
                branch = Branch("pending.input_missing", {"name": name})
                return replace(self._without(State.PENDING, branch, self.leaf.max), missing=name)

    def not_applicable(self, level: Level) -> LeafScore:
        match self.leaf.na_by_level.get(level, self.leaf.na):
            case NaPolicy.AWARD_MAX:
                return self.scored(Earned(self.leaf.max, Branch("na.award_max")))
            case NaPolicy.ZERO:
                return self.scored(Earned(_NONE, Branch("na.zero")))
            case NaPolicy.EXCLUDE_AND_RESCALE:
                return self._out(State.EXCLUDED, "na.excluded")
            case None:
                return self.failed("failed.na_without_policy")

    def nothing_to_divide_by(self, level: Level) -> LeafScore:
        match self.leaf.zero_den:
            case ZeroDen.ZERO:
                return self.scored(Earned(_NONE, Branch("zero_den.zero")))
            case ZeroDen.FULL:
                return self.scored(Earned(self.leaf.max, Branch("zero_den.full")))
            case ZeroDen.NA:
                return self.not_applicable(level)
            case ZeroDen.REDISTRIBUTE:
                return self._out(State.REDISTRIBUTED, "zero_den.redistributed")
            case ZeroDen.ERROR | None:
                return self.failed("failed.zero_den")

    def failed(self, code: str) -> LeafScore:
        return self._without(State.FAILED, Branch(code), self.leaf.max)

    def _out(self, state: State, code: str) -> LeafScore:
        return self._without(state, Branch(code), _NONE)

    def _without(self, state: State, branch: Branch, most: Fraction) -> LeafScore:
        return LeafScore(self.leaf, state, _NONE, _NONE, most, branch, self.method, self.facts)


def _present(node: Node, children: Iterable[NodeScore | LeafScore]) -> Fraction:
    """Return the maximum of what was there to earn; the node's own unless something was left out.

    The maxima of the children add up to that of the node in every set that passed lint.
    """
    whole = all(child.max is _max_of(child) for child in children)
    return node.max if whole else sum((child.max for child in children), _NONE)


def _max_of(child: NodeScore | LeafScore) -> Fraction:
    return child.leaf.max if isinstance(child, LeafScore) else child.node.max


def _redistributed(child: NodeScore | LeafScore) -> TypeGuard[LeafScore]:
    return isinstance(child, LeafScore) and child.state is State.REDISTRIBUTED


# ---------------------------------------------------------------- total, label, derived sums


def _total(rule_set: RuleSet, root: NodeScore) -> tuple[Fraction | None, Fraction]:
    """Return the total and its scale; None when nothing of the tree was there to earn."""
    full = rule_set.root.max
    if not root.max:
        return None, full
    points = root.points
    if rule_set.rescale is not None and _rescales(rule_set.rescale.when, root):
        full = rule_set.rescale.to
    if full != root.max:
        points = points * full / root.max
    stage = rule_set.numbers.total
    return (points if stage is None else stage.of(points)), full


def _rescales(when: RescaleWhen, root: NodeScore) -> bool:
    excluded = [leaf.leaf for leaf in _leaf_scores(root) if leaf.state is State.EXCLUDED]
    match when:
        case RescaleWhen.ALWAYS:
            return True
        case RescaleWhen.ANY_EXCLUDED:
            return bool(excluded)
        case RescaleWhen.SURVEY_ABSENT:
            return any(isinstance(leaf.method, Survey) for leaf in excluded)


def ranked_value(card: "Scorecard", env: Environment) -> Fraction | None:
    """Return the number by which a sheet is ranked, None while there is none.

    Without an expression of its own that is the total; either is taken as it is published, so
    that two units that print the same share a place.
    """
    ranking, total = card.rule_set.ranking, card.total
    if ranking is None or total is None:
        return None
    whole = {**env, "total": total, "bonus": card.bonus.points, "penalty": card.penalty.points}
    try:
        return card.rule_set.numbers.printed.of(Fraction(ranking.by.number(whole)))
    except Unanswerable:
        return None


VERDICT_NAMES = ("total", "bonus", "penalty", "min_criterion_share", "zero_scored_criteria")
"""Names that classification knows beside the inputs; criteria are the children of the root."""


def _verdict_env(
    rule_set: RuleSet,
    env: Environment,
    root: NodeScore,
    pools: tuple[PoolScore, PoolScore],
    total: Fraction,
) -> Environment:
    """Return what classification may read; a name that the set binds itself is not computed."""
    criteria = [child for child in root.children if child.max]
    computed: dict[str, Scalar | None] = {
        "min_criterion_share": min((c.points / c.max for c in criteria), default=_NONE),
        "zero_scored_criteria": sum(1 for c in criteria if c.points <= 0),
    }
    known = {name: value for name, value in computed.items() if name not in rule_set.inputs}
    bonus, penalty = pools
    return {**known, **env, "total": total, "bonus": bonus.points, "penalty": penalty.points}


def classify(rule: Classify, env: Environment) -> str | None:
    """Return the label for these values, or None while an input that decides it is missing.

    A veto comes first; a band whose requirement fails leaves the next band to be tried; a ceiling
    lowers the label last.
    """
    try:
        for veto in rule.veto:
            if veto.when.truth(env):
                return veto.label
        label = _label(rule.bands, Fraction(rule.of.number(env)), env)
        for ceiling in rule.ceiling:
            if label is not None and ceiling.when.truth(env):
                label = _lower(rule.bands, label, ceiling.label)
    except (InputMissing, InputNotApplicable):
        return None
    return label


def _label(bands: tuple[LabelBand, ...], value: Fraction, env: Environment) -> str | None:
    for band in bands:
        if value >= band.ge and (band.require is None or band.require.truth(env)):
            return band.label
    return None


def _lower(bands: tuple[LabelBand, ...], one: str, other: str) -> str:
    order = [band.label for band in bands]
    return max(one, other, key=order.index)


def _derived(derived: Derived, root: NodeScore) -> DerivedScore:
    wanted = set(derived.sum)
    leaves = [leaf for leaf in _leaf_scores(root) if leaf.leaf.id in wanted]
    points = sum((leaf.points for leaf in leaves), _NONE)
    known = all(leaf.state not in {State.PENDING, State.FAILED} for leaf in leaves)
    return DerivedScore(derived, points, _label(derived.bands, points, {}) if known else None)


# ---------------------------------------------------------------- ranking, lost points, distance

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Place:
    """A place among those ranked together."""

    place: int
    of: int
    tied: bool


def competition_ranks(scores: Mapping[Key, Fraction]) -> dict[Key, Place]:
    """Rank by score, the greatest first; equal scores share a place and the next is skipped."""
    ordered = sorted(scores.values(), reverse=True)
    first: dict[Fraction, int] = {}
    for index, value in enumerate(ordered, start=1):
        first.setdefault(value, index)
    held: dict[Fraction, int] = {}
    for value in ordered:
        held[value] = held.get(value, 0) + 1
    return {
        key: Place(first[value], len(ordered), held[value] > 1) for key, value in scores.items()
    }


def lost_points(card: Scorecard) -> tuple[LeafScore, ...]:
    """Return the leaves that lost points, the greatest loss first, then in the sheet's order."""
    losing = [leaf for leaf in card.leaves if leaf.lost > 0]
    return tuple(sorted(losing, key=lambda leaf: -leaf.lost))


@dataclass(frozen=True, slots=True)
class NextLabel:
    """The label above, and the points that are wanting to its threshold."""

    label: str
    points: Fraction


def next_label(card: Scorecard) -> NextLabel | None:
    """Return what is wanting to the next label, None at the top or while there is no total."""
    rule = card.rule_set.classify
    if rule is None or card.total is None or card.standing is not Standing.COMPLETE:
        return None
    env = {"total": card.total, "bonus": card.bonus.points, "penalty": card.penalty.points}
    try:
        value = Fraction(rule.of.number(env))
    except Unanswerable:
        return None
    above = [band for band in rule.bands if value < band.ge]
    return NextLabel(above[-1].label, above[-1].ge - value) if above else None


def what_if(rule_set: RuleSet, subject: Subject, changes: Environment) -> Scorecard:
    """Return the card with some inputs replaced; it is an answer, and never kept as a score."""
    return score(rule_set, replace(subject, env={**subject.env, **changes}))
