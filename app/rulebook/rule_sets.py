"""The rule sets of the index: a strict loader of YAML, and choice by identifier and day.

YAML is read as texts only (no tags, anchors or guessed types), and the schema decides what is a
number, exactly; keys given twice and keys unknown stop the file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import ClassVar

import yaml

from app.domain.errors import NotFound
from app.domain.expression import Kind
from app.domain.lint import Finding, lint, overlapping
from app.domain.method import Method
from app.domain.rounding import Rounding, Stage
from app.domain.rule_set import (
    Absent,
    Aggregate,
    Basis,
    Binding,
    ByLevel,
    CaseList,
    Classify,
    Combine,
    Derived,
    Given,
    LabelBand,
    LabelRule,
    Leaf,
    Level,
    Measure,
    NaPolicy,
    Node,
    NodeSum,
    Numbers,
    Part,
    Peers,
    PeriodKind,
    Pool,
    Provenance,
    Ranking,
    RankMethod,
    Rescale,
    RescaleWhen,
    Round,
    RuleSet,
    Title,
    Validity,
    Variant,
    ZeroDen,
)
from app.domain.tally import Count
from app.rulebook.entry import Entry, refuse
from app.rulebook.leaf_methods import METHODS, read_method
from app.rulebook.metrics import Metrics, UnknownDefinition, load_metrics

INDEX_FOLDER = Path(__file__).with_name("index")
SCHEMA = "dunghan-score/1"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_EVENTS = 40_000


@dataclass(eq=False, kw_only=True)
class UnknownRuleSet(NotFound):
    """No rule set of this identifier is known."""

    code: ClassVar[str] = "rule_set.unknown"
    rule_set: str


@dataclass(eq=False, kw_only=True)
class RuleSetNotInForce(NotFound):
    """The rule set exists, but no version of it is in force on the last day of the period."""

    code: ClassVar[str] = "rule_set.not_in_force"
    rule_set: str
    day: str


@dataclass(frozen=True, slots=True)
class RuleSets:
    """Every version of every rule set."""

    all: tuple[RuleSet, ...]

    def get(self, identifier: str, day: date) -> RuleSet:
        """Return the version of a rule set for a period that ends on ``day``.

        A template without dates is given for any day: its sheets say that nobody confirmed it.

        :raises UnknownRuleSet: no set of this identifier.
        :raises RuleSetNotInForce: no version of it is in force on the day.
        """
        versions = [item for item in self.all if item.id == identifier]
        if not versions:
            raise UnknownRuleSet(rule_set=identifier)
        for version in versions:
            undated = version.valid.first is None and not version.provenance.confirmed
            if undated or version.valid.holds(day):
                return version
        raise RuleSetNotInForce(rule_set=identifier, day=day.isoformat())


@cache
def load_rule_sets(folder: Path = INDEX_FOLDER) -> RuleSets:
    """Return the rule sets of a folder, read strictly and once.

    :raises RulebookRefused: naming the file, the node and the fault.
    """
    metrics = load_metrics()
    paths = sorted(folder.glob("*.yaml"))
    rule_sets = tuple(
        parse_rule_set(path.read_text(encoding="utf-8"), file=path.name, metrics=metrics)
        for path in paths
    )
    refuse(folder.name, overlapping(rule_sets))
    return RuleSets(rule_sets)


def parse_rule_set(text: str, *, file: str, metrics: Metrics) -> RuleSet:
    """Return the rule set written in a text.

    :raises RulebookRefused: naming the file, the node and every fault.
    """
    rule_set, findings = examine(text, metrics=metrics)
    refuse(file, findings)
    if rule_set is None:
        raise ValueError("a text without faults is a rule set")
    return rule_set


def examine(text: str, *, metrics: Metrics) -> tuple[RuleSet | None, tuple[Finding, ...]]:
    """Return what a text says, None when it cannot be read, and everything wrong with it.

    A rule set that comes with errors of lint is given back to be shown, and must not be used.
    """
    findings: list[Finding] = []
    parsed = _read(text, findings)
    if parsed is None:
        return None, tuple(findings)
    digest = hashlib.sha256(text.encode()).hexdigest()
    rule_set = _RuleSetReader(Entry(parsed, "", findings), metrics, digest).read()
    if findings:
        return None, tuple(findings)
    return rule_set, lint(rule_set)


# ---------------------------------------------------------------- YAML as texts


def read_yaml(text: str) -> object:
    """Return the mappings, lists and texts of a text, None when it cannot be read safely."""
    return _read(text, [])


def _read(text: str, findings: list[Finding]) -> object:
    """Return mappings, lists and texts, or None with the fault noted."""
    fault = _dangerous(text)
    if fault is not None:
        findings.append(fault)
        return None
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        findings.append(_unreadable(error))
        return None
    return _plain(node, "", findings)


def _dangerous(text: str) -> Finding | None:
    """Refuse, before anything is built, what has no place in a rule set."""
    if len(text.encode()) > MAX_BYTES:
        return Finding("", "yaml.too_large", {"limit": str(MAX_BYTES)})
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
            depth += _step(event)
            if depth > MAX_DEPTH or number > MAX_EVENTS:
                return Finding("", "yaml.too_deep", {"limit": str(MAX_DEPTH)})
            for forbidden in ("anchor", "tag"):
                if getattr(event, forbidden, None):
                    return Finding("", f"yaml.{forbidden}", {"line": _line(event)})
    except yaml.YAMLError as error:
        return _unreadable(error)
    return None


def _line(event: yaml.Event) -> str:
    return "?" if event.start_mark is None else str(event.start_mark.line + 1)


def _step(event: yaml.Event) -> int:
    if isinstance(event, yaml.CollectionStartEvent):
        return 1
    return -1 if isinstance(event, yaml.CollectionEndEvent) else 0


def _unreadable(error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    return Finding("", "yaml.unreadable", {"line": str(mark.line + 1) if mark else "?"})


def _plain(node: yaml.Node | None, where: str, findings: list[Finding]) -> object:
    match node:
        case yaml.ScalarNode():
            return node.value
        case yaml.SequenceNode():
            return [_plain(item, f"{where}/{i}", findings) for i, item in enumerate(node.value)]
        case yaml.MappingNode():
            found: dict[str, object] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
                at = f"{where}/{key}".lstrip("/")
                if key in found or not isinstance(key_node, yaml.ScalarNode):
                    line = str(key_node.start_mark.line + 1)
                    findings.append(Finding(at, "yaml.key_twice", {"line": line}))
                found[key] = _plain(value_node, at, findings)
            return found
        case _:
            return {}


# ---------------------------------------------------------------- the rule set


class _Base(StrEnum):
    """What a rescaled total is measured against."""

    MAX_OF_PRESENT = "max_of_present"


class _Missing(StrEnum):
    """What a missing input does: the leaf waits; it is never 0."""

    PENDING = "pending"


class _Scores(StrEnum):
    """Which of a computed and a declared value scores, when both are there."""

    COMPUTED = "computed"
    DECLARED = "declared"


class _RuleSetReader:
    """Reads one rule set from its root mapping."""

    def __init__(self, root: Entry, metrics: Metrics, digest: str) -> None:
        self._root = root
        self._metrics = metrics
        self._digest = digest
        self._variants: dict[str, list[tuple[str, Entry, Mapping[str, object]]]] = {}

    def read(self) -> RuleSet:
        root = self._root
        if root.text("schema") != SCHEMA:
            root.fault("schema", "schema", wanted=SCHEMA)
        self._read_variants()
        subject = root.entry("subject")
        rule_set = RuleSet(
            id=root.text("id"),
            title=_title(root, "title"),
            provenance=root.choice("provenance", Provenance),
            basis=tuple(_basis(entry) for entry in root.entries("basis")),
            valid=self._valid(),
            inputs=self._inputs(),
            levels=frozenset(subject.choices("level", Level)),
            periods=frozenset(subject.choices("period", PeriodKind)),
            numbers=_numbers(root.entry("numbers")),
            root=self._node(root.entry("root"), "root", None),
            digest=self._digest,
            note=_title(root, "note") if root.has("note") else None,
            rescale=self._rescale(),
            bonus=self._pool("bonus"),
            penalty=self._pool("penalty"),
            classify=self._classify(),
            derived=tuple(_derived(entry) for entry in root.entries("derived")),
            ranking=self._ranking(),
            rounds=root.choices("rounds", Round),
            score_of_record=root.choice_or_none("score_of_record", Round),
        )
        self._whole(rule_set)
        subject.done()
        root.done()
        return rule_set

    def _whole(self, rule_set: RuleSet) -> None:
        if not rule_set.basis:
            self._root.fault("missing_key", key="basis")
        if not rule_set.levels or not rule_set.periods:
            self._root.fault("empty", "subject")
        record = rule_set.score_of_record
        if record is not None and record not in rule_set.rounds:
            self._root.fault("unknown_round", "score_of_record", round=record.value)
        for leaf_id, variants in self._variants.items():
            for name, _, _ in variants:
                self._root.fault("unknown_leaf", f"variants/{name}", name=leaf_id)

    def _valid(self) -> Validity:
        if not self._root.has("valid"):
            if self._root.take("provenance") != Provenance.TEMPLATE.value:
                self._root.fault("missing_key", key="valid")
            return Validity(None, None)
        valid = self._root.entry("valid")
        validity = Validity(valid.day("from"), valid.day_or_none("to"))
        valid.done()
        return validity

    # ------------------------------------------------------------ inputs

    def _inputs(self) -> dict[str, Binding]:
        inputs = self._root.entry("inputs")
        bound: dict[str, Binding] = {}
        for name in inputs.names():
            binding = self._binding(inputs, name)
            if binding is not None:
                bound[name] = binding
        return bound

    def _binding(self, inputs: Entry, name: str) -> Binding | None:
        raw = inputs.take(name)
        if isinstance(raw, dict):
            return self._described(inputs.entry(name))
        if isinstance(raw, str) and raw.startswith("measure:"):
            return self._measure(inputs, name, raw.removeprefix("measure:"))
        return inputs.choice(name, Given)

    def _described(self, entry: Entry) -> Binding | None:
        """Return a binding that is written as a mapping."""
        if entry.has("peer"):
            return _peers(entry)
        if not entry.has("measure"):
            return _fixed_or_listed(entry)
        found = self._measure(entry, "measure", entry.text("measure").removeprefix("measure:"))
        scores = entry.choice("scores", _Scores)
        entry.done()
        return None if found is None else replace(found, yields=scores is _Scores.DECLARED)

    def _measure(self, inputs: Entry, name: str, written: str) -> Measure | None:
        definition, _, part = written.partition(".")
        if not part:
            identifier, _, version = definition.partition("@")
            if version == "1" and identifier in set(Count):
                return Measure(definition, Part.COUNT)
        elif part in {Part.NUMERATOR, Part.DENOMINATOR}:
            try:
                self._metrics.get(definition)
            except UnknownDefinition:
                pass
            else:
                return Measure(definition, Part(part))
        inputs.fault("unknown_measure", name, measure=written)
        return None

    # ------------------------------------------------------------ the tree

    def _node(self, entry: Entry, where: str, responsible: str | None) -> Node:
        entry.where = where
        responsible = entry.text_or_none("responsible") or responsible
        children: list[Node | Leaf] = []
        for child in entry.entries("children"):
            path = f"{where}/{child.take('id') or '?'}"
            is_node = child.has("children")
            read = self._node if is_node else self._leaf
            children.append(read(child, path, responsible))
        if not children:
            entry.fault("empty", "children")
        node = Node(
            id=entry.text("id"),
            title=_title_or_id(entry),
            max=_positive(entry, "max"),
            children=tuple(children),
        )
        entry.done()
        return node

    def _leaf(self, entry: Entry, where: str, responsible: str | None = None) -> Leaf:
        entry.where = where
        identifier = entry.text("id")
        methods = [key for key in METHODS if entry.has(key)]
        method = read_method(entry, methods)
        na, na_by_level = _na(entry)
        inherit = entry.entry("inherit") if entry.has("inherit") else None
        leaf = Leaf(
            id=identifier,
            title=_title_or_id(entry),
            max=_positive(entry, "max"),
            method=method,
            zero_den=entry.choice_or_none("zero_den", ZeroDen),
            na=na,
            na_by_level=na_by_level,
            absent=entry.choice_or_none("absent", Absent) or Absent.PENDING,
            inherit=inherit.choice("from", Level) if inherit else None,
            stage=_stage(entry, "round"),
            evidence=entry.texts("evidence"),
            note=entry.text_or_none("note"),
            variants=self._leaf_variants(identifier, entry, methods),
            responsible=entry.text_or_none("responsible") or responsible,
        )
        entry.choice_or_none("missing", _Missing)
        if inherit is not None:
            inherit.done()
        entry.done()
        return leaf

    def _read_variants(self) -> None:
        if not self._root.has("variants"):
            return
        variants = self._root.entry("variants")
        for name in variants.names():
            variant = variants.entry(name)
            leaves = variant.entry("leaves")
            for leaf_id in leaves.names():
                changes = leaves.take(leaf_id)
                if isinstance(changes, dict):
                    self._variants.setdefault(leaf_id, []).append((name, variant, changes))
                else:
                    leaves.fault("not_a_mapping", leaf_id)
            variant.expression("when", Kind.TRUTH)
            variant.done()

    def _leaf_variants(
        self, identifier: str, entry: Entry, methods: list[str]
    ) -> tuple[Variant, ...]:
        found: list[Variant] = []
        for name, variant, changes in self._variants.pop(identifier, []):
            changed = Entry(
                _merged({key: entry.take(key) for key in (*methods, "compare")}, changes),
                f"{entry.where}/variants/{name}",
                entry.findings,
            )
            method: Method = read_method(changed, [key for key in METHODS if changed.has(key)])
            changed.done()
            found.append(Variant(name, variant.expression("when", Kind.TRUTH), method))
        return tuple(found)

    # ------------------------------------------------------------ beside the tree

    def _pool(self, key: str) -> Pool | None:
        if not self._root.has(key):
            return None
        entry = self._root.entry(key)
        pool = Pool(
            combine=entry.choice("combine", Combine),
            cap=entry.number_or_none("cap"),
            items=tuple(
                self._leaf(item, f"{key}/{item.take('id') or '?'}")
                for item in entry.entries("items")
            ),
        )
        entry.done()
        return pool

    def _rescale(self) -> Rescale | None:
        if not self._root.has("rescale"):
            return None
        entry = self._root.entry("rescale")
        rescale = Rescale(entry.choice("when", RescaleWhen), _positive(entry, "to"))
        entry.choice("base", _Base)
        entry.done()
        return rescale

    def _classify(self) -> Classify | None:
        if not self._root.has("classify"):
            return None
        entry = self._root.entry("classify")
        rule = Classify(
            of=entry.expression("of", Kind.NUMBER),
            bands=_label_bands(entry),
            veto=_label_rules(entry, "veto"),
            ceiling=_label_rules(entry, "ceiling"),
        )
        entry.done()
        return rule

    def _ranking(self) -> Ranking | None:
        if not self._root.has("rank"):
            return None
        entry = self._root.entry("rank")
        hidden = entry.entry("hide_below") if entry.has("hide_below") else None
        ranking = Ranking(
            by=entry.expression("by", Kind.NUMBER),
            within=entry.texts("within"),
            method=entry.choice("method", RankMethod),
            hide_below={name: hidden.number(name) for name in hidden.names()} if hidden else {},
        )
        entry.done()
        return ranking


# ---------------------------------------------------------------- small parts


def _title(entry: Entry, key: str) -> Title:
    raw = entry.need(key)
    if isinstance(raw, dict):
        both = entry.entry(key)
        title = Title(both.text("vi"), both.text("en"))
        both.done()
        return title
    text = entry.text(key) if raw is not None else ""
    return Title(text, text)


def _title_or_id(entry: Entry) -> Title:
    if entry.has("title"):
        return _title(entry, "title")
    identifier = str(entry.take("id") or "")
    return Title(identifier, identifier)


def _positive(entry: Entry, key: str) -> Fraction:
    entry.need(key)
    value = entry.number_or_none(key)
    if value is not None and value <= 0:
        entry.fault("not_positive", key)
    return Fraction(1) if value is None else value


def _stage(entry: Entry, key: str) -> Stage | None:
    if not entry.has(key):
        return None
    stage = entry.entry(key)
    decimals = stage.whole("dp")
    if decimals > 6:
        stage.fault("too_many_decimals", "dp", limit="6")
    found = Stage(min(decimals, 6), stage.choice("round", Rounding))
    stage.done()
    return found


def _numbers(entry: Entry) -> Numbers:
    entry.need("leaf")
    numbers = Numbers(
        leaf=_stage(entry, "leaf") or Stage(2),
        node=entry.choice("node", NodeSum),
        case=_stage(entry, "case"),
        nodes=_stage(entry, "nodes"),
        total=_stage(entry, "total"),
        publish=_stage(entry, "publish"),
    )
    entry.done()
    return numbers


def _basis(entry: Entry) -> Basis:
    basis = Basis(
        doc=entry.text("doc"),
        articles=entry.texts("articles"),
        issued_on=entry.day_or_none("date"),
        note=entry.text_or_none("note"),
    )
    entry.done()
    return basis


def _fixed_or_listed(entry: Entry) -> ByLevel | CaseList:
    if entry.has("cases"):
        listed = CaseList(entry.texts("cases"))
        entry.done()
        return listed
    values = {level: entry.number(level.value) for level in Level if entry.has(level.value)}
    entry.done()
    return ByLevel(values)


def _peers(entry: Entry) -> Peers:
    aggregate = entry.choice("peer", Aggregate)
    is_pooled = aggregate is Aggregate.POOLED
    if is_pooled is not entry.has("over"):
        entry.fault("pooled_over", "over")
    over = entry.parsed("over", entry.take("over"), Kind.NUMBER) if entry.has("over") else None
    peers = Peers(aggregate, entry.expression("of", Kind.NUMBER), over)
    entry.done()
    return peers


def _na(entry: Entry) -> tuple[NaPolicy | None, dict[Level, NaPolicy]]:
    if not isinstance(entry.take("na"), dict):
        return entry.choice_or_none("na", NaPolicy), {}
    levels = entry.entry("na")
    by_level = {level: levels.choice(level, NaPolicy) for level in Level if levels.has(level)}
    otherwise = levels.choice_or_none("else", NaPolicy)
    levels.done()
    return otherwise, by_level


def _merged(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Lay the changes of a variant over a leaf, method by method."""
    merged = {key: value for key, value in base.items() if value is not None}
    for key, change in changes.items():
        before = merged.get(key)
        both = isinstance(before, dict) and isinstance(change, dict)
        merged[key] = {**_mapping(before), **_mapping(change)} if both else change
    return merged


def _mapping(raw: object) -> dict[object, object]:
    return raw if isinstance(raw, dict) else {}


def _label_bands(entry: Entry) -> tuple[LabelBand, ...]:
    bands: list[LabelBand] = []
    for band in entry.entries("bands"):
        require = band.expression("require", Kind.TRUTH) if band.has("require") else None
        bands.append(LabelBand(band.number("ge"), band.text("label"), require))
        band.done()
    if not bands:
        entry.fault("empty", "bands")
    return tuple(bands) or (LabelBand(Fraction(0), ""),)


def _label_rules(entry: Entry, key: str) -> tuple[LabelRule, ...]:
    rules: list[LabelRule] = []
    for rule in entry.entries(key):
        rules.append(LabelRule(rule.expression("when", Kind.TRUTH), rule.text("label")))
        rule.done()
    return tuple(rules)


def _derived(entry: Entry) -> Derived:
    derived = Derived(
        id=entry.text("id"),
        title=_title_or_id(entry),
        sum=entry.texts("sum"),
        max=_positive(entry, "max"),
        bands=_label_bands(entry),
    )
    entry.done()
    return derived
