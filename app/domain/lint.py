"""What is wrong, or looks wrong, with a rule set or a table of definitions.

An error stops the set from being used; a warning is shown beside it, because official texts have
real defects too and must be enterable as they stand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from app.domain.expression import Arithmetic, Comparison, Constant, Expression, Name, walk
from app.domain.method import (
    Bands,
    Cases,
    First,
    Linear,
    Method,
    PeerRank,
    PerCase,
    YesNo,
    best,
    expressions,
    names,
)
from app.domain.rounding import plain
from app.domain.rule_set import (
    Binding,
    CaseList,
    Classify,
    Derived,
    Given,
    LabelBand,
    Leaf,
    Node,
    Peers,
    Pool,
    RuleSet,
    ZeroDen,
)
from app.domain.scoring import VERDICT_NAMES


class Severity(StrEnum):
    """Whether a finding stops the rule set."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the node that it is about, a permanent code, and the numbers of its sentence."""

    where: str
    code: str
    params: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.ERROR


def lint(rule_set: RuleSet) -> tuple[Finding, ...]:
    """Return everything that is wrong with a rule set, in the order of the sheet."""
    return (
        *_node(rule_set.root, "root", rule_set),
        *_pool(rule_set.bonus, "bonus", rule_set),
        *_pool(rule_set.penalty, "penalty", rule_set),
        *_unique(rule_set),
        *_classify(rule_set),
        *_derived(rule_set),
        *_ranking(rule_set),
        *_peers(rule_set),
        *_unused(rule_set),
        *_percent_twice(rule_set),
        *_validity(rule_set),
    )


def _warning(where: str, code: str, **params: str) -> Finding:
    return Finding(where, code, params, Severity.WARNING)


# ---------------------------------------------------------------- the tree


def _node(node: Node, where: str, rule_set: RuleSet) -> Iterator[Finding]:
    total = sum((child.max for child in node.children), Fraction(0))
    if total != node.max:
        params = {"sum": plain(total), "max": plain(node.max)}
        yield Finding(where, "lint.max_sum", params)
    for child in node.children:
        path = f"{where}/{child.id}"
        match child:
            case Node():
                yield from _node(child, path, rule_set)
            case Leaf():
                yield from _leaf(child, path, rule_set)


def _pool(pool: Pool | None, where: str, rule_set: RuleSet) -> Iterator[Finding]:
    if pool is not None:
        for item in pool.items:
            yield from _leaf(item, f"{where}/{item.id}", rule_set)


def _leaf(leaf: Leaf, where: str, rule_set: RuleSet) -> Iterator[Finding]:
    methods = [(where, leaf.method)]
    for variant in leaf.variants:
        path = f"{where}/variants/{variant.id}"
        methods.append((path, variant.method))
        yield from _unknown(variant.when.names, path, rule_set.inputs)
    for path, method in methods:
        yield from _reach(method, leaf.max, path)
        yield from _method(method, path)
        yield from _unknown(_unit_names(method, rule_set), path, rule_set.inputs)
    yield from _policies(leaf, where)


def _reach(method: Method, most: Fraction, where: str) -> Iterator[Finding]:
    reached = best(method, most)
    params = {"best": plain(reached), "max": plain(most)}
    if reached > most:
        yield Finding(where, "lint.exceeds_max", params)
    elif reached < most:
        yield Finding(where, "lint.never_reaches_max", params, Severity.WARNING)


def _unit_names(method: Method, rule_set: RuleSet) -> tuple[str, ...]:
    """Return the names that a method reads of the unit, without the facts of listed cases."""
    match method:
        case PerCase(over):
            listed = rule_set.inputs.get(over)
            facts = listed.fields if isinstance(listed, CaseList) else ()
            return tuple(name for name in names(method) if name not in facts)
        case _:
            return names(method)


def _unknown(
    wanted: Sequence[str], where: str, inputs: Mapping[str, Binding], known: Sequence[str] = ()
) -> Iterator[Finding]:
    for name in wanted:
        if name not in inputs and name not in known:
            yield Finding(where, "lint.unknown_input", {"name": name})


# ---------------------------------------------------------------- methods


def _method(method: Method, where: str) -> Iterator[Finding]:
    match method:
        case Linear():
            yield from _linear(method, where)
        case Bands():
            yield from _bands(method, where)
        case Cases():
            yield from _cases(method, where)
        case PerCase(cases=cases):
            yield from _cases(cases, where)
        case First():
            yield from _first(method, where)
        case PeerRank():
            yield from _peer_rank(method, where)
        case _:
            pass


def _linear(method: Linear, where: str) -> Iterator[Finding]:
    for share in (method.floor, method.target):
        if share is not None and share > 1:
            yield Finding(where, "lint.percent_as_whole", {"value": plain(share)})
    if method.floor is not None and method.floor > method.target:
        yield Finding(where, "lint.floor_above_target")


def _bands(method: Bands, where: str) -> Iterator[Finding]:
    thresholds = [band.ge for band in method.table]
    yield from _descending(thresholds, where)
    if method.otherwise is None and thresholds[-1] > 0:
        yield Finding(where, "lint.gap_below", {"value": plain(thresholds[-1])})
    for band in method.table:
        if isinstance(band.then, Linear):
            yield from _linear(band.then, where)


def _descending(thresholds: Sequence[Fraction], where: str) -> Iterator[Finding]:
    for above, below in pairwise(thresholds):
        if below == above:
            yield Finding(where, "lint.overlap", {"value": plain(below)})
        elif below > above:
            params = {"value": plain(below), "above": plain(above)}
            yield Finding(where, "lint.unreachable_band", params)


def _cases(method: Cases, where: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for case in method.cases:
        written = " ".join(case.when.text.split())
        if written in seen:
            yield Finding(where, "lint.unreachable_case", {"when": written})
        seen.add(written)
    silent = method.otherwise is None and not method.refuses
    if silent and not _covers([case.when for case in method.cases]):
        yield _warning(where, "lint.missing_else")


_WHOLE = ({">", "==", "<"}, {">=", "<"}, {">", "<="}, {"==", "!="}, {">=", "<="})


def _covers(conditions: Sequence[Expression]) -> bool:
    """Tell whether the conditions surely leave nothing out: one pair compared in every way."""
    signs: dict[str, set[str]] = {}
    for condition in conditions:
        tree = condition.tree
        if isinstance(tree, Comparison):
            signs.setdefault(repr((tree.left.tree, tree.right.tree)), set()).add(tree.sign)
    return any(whole <= found for found in signs.values() for whole in _WHOLE)


def _first(method: First, where: str) -> Iterator[Finding]:
    for alternative in method.alternatives[:-1]:
        if alternative.when is None:
            yield Finding(where, "lint.unreachable_case", {"when": "…"})
    if method.alternatives[-1].when is not None:
        yield _warning(where, "lint.missing_else")
    for alternative in method.alternatives:
        yield from _method(alternative.method, where)


def _peer_rank(method: PeerRank, where: str) -> Iterator[Finding]:
    tops = [top for top, _ in method.groups if top is not None]
    if sorted(set(tops)) != tops:
        yield Finding(where, "lint.unreachable_band", {"value": str(tops), "above": ""})
    if method.groups[-1][0] is not None:
        yield _warning(where, "lint.missing_else")


# ---------------------------------------------------------------- policies


def _policies(leaf: Leaf, where: str) -> Iterator[Finding]:
    if leaf.zero_den is None and _divides(leaf.method):
        yield Finding(where, "lint.division_without_policy")
    if leaf.na is None and _may_not_apply(leaf):
        yield Finding(where, "lint.na_without_policy")


def _divides(method: Method) -> bool:
    if isinstance(method, First):
        inner = any(_divides(alternative.method) for alternative in method.alternatives)
        return inner or any(e.divides for e in expressions(method))
    line = isinstance(method, Linear) and bool(method.den.names)
    return line or any(expression.divides for expression in expressions(method))


def _may_not_apply(leaf: Leaf) -> bool:
    return leaf.zero_den is ZeroDen.NA or isinstance(leaf.method, PerCase | YesNo)


# ---------------------------------------------------------------- the whole


def _unique(rule_set: RuleSet) -> Iterator[Finding]:
    seen: set[str] = set()
    for identifier in _identifiers(rule_set):
        if identifier in seen:
            yield Finding(identifier, "lint.id_twice", {"name": identifier})
        seen.add(identifier)


def _identifiers(rule_set: RuleSet) -> Iterator[str]:
    waiting: list[Node | Leaf] = [rule_set.root]
    while waiting:
        item = waiting.pop()
        yield item.id
        if isinstance(item, Node):
            waiting.extend(reversed(item.children))
    for pool in (rule_set.bonus, rule_set.penalty):
        yield from (item.id for item in (pool.items if pool else ()))


def _classify(rule_set: RuleSet) -> Iterator[Finding]:
    rule = rule_set.classify
    if rule is None:
        return
    wanted = [*rule.of.names, *_label_names(rule)]
    yield from _unknown(tuple(dict.fromkeys(wanted)), "classify", rule_set.inputs, VERDICT_NAMES)
    yield from _label_bands(rule.bands, "classify")
    labels = {band.label for band in rule.bands}
    for limit in (*rule.veto, *rule.ceiling):
        if limit.label not in labels:
            yield Finding("classify", "lint.unknown_label", {"label": limit.label})


def _label_names(rule: Classify) -> Iterator[str]:
    for limit in (*rule.veto, *rule.ceiling):
        yield from limit.when.names
    for band in rule.bands:
        yield from band.require.names if band.require else ()


def _label_bands(bands: Sequence[LabelBand], where: str) -> Iterator[Finding]:
    yield from _descending([band.ge for band in bands], where)
    if bands[-1].ge > 0:
        yield Finding(where, "lint.gap_below", {"value": plain(bands[-1].ge)})
    if bands[-1].require is not None:
        yield Finding(where, "lint.last_band_requires", {"label": bands[-1].label})


def _derived(rule_set: RuleSet) -> Iterator[Finding]:
    leaves = {leaf.id: leaf for leaf in rule_set.leaves}
    for derived in rule_set.derived:
        where = f"derived/{derived.id}"
        for name in derived.sum:
            if name not in leaves:
                yield Finding(where, "lint.unknown_leaf", {"name": name})
        yield from _derived_max(derived, leaves, where)
        yield from _label_bands(derived.bands, where)


def _derived_max(derived: Derived, leaves: Mapping[str, Leaf], where: str) -> Iterator[Finding]:
    total = sum((leaves[name].max for name in derived.sum if name in leaves), Fraction(0))
    if total != derived.max:
        params = {"sum": plain(total), "max": plain(derived.max)}
        yield Finding(where, "lint.max_sum", params)


def _ranking(rule_set: RuleSet) -> Iterator[Finding]:
    if rule_set.ranking is not None:
        inputs = rule_set.inputs
        yield from _unknown(rule_set.ranking.by.names, "rank", inputs, VERDICT_NAMES)
        yield from _unknown(tuple(rule_set.ranking.hide_below), "rank/hide_below", inputs)


def _peers(rule_set: RuleSet) -> Iterator[Finding]:
    """Find figures of peers that read what is not bound, or other figures of peers: a cycle."""
    for name, binding in rule_set.inputs.items():
        if isinstance(binding, Peers):
            where = f"inputs/{name}"
            wanted = (*binding.of.names, *(binding.over.names if binding.over else ()))
            yield from _unknown(wanted, where, rule_set.inputs)
            for read in wanted:
                if rule_set.inputs.get(read) is Given.PEER or isinstance(
                    rule_set.inputs.get(read), Peers
                ):
                    yield Finding(where, "lint.peer_of_peer", {"name": read})


def _unused(rule_set: RuleSet) -> Iterator[Finding]:
    used = {name for leaf in _all_leaves(rule_set) for name in _names_of(leaf)}
    if rule_set.classify is not None:
        used.update(rule_set.classify.of.names, _label_names(rule_set.classify))
    if rule_set.ranking is not None:
        used.update(rule_set.ranking.by.names, rule_set.ranking.hide_below)
    for binding in rule_set.inputs.values():
        if isinstance(binding, Peers):
            used.update(binding.of.names, binding.over.names if binding.over else ())
    for name in rule_set.inputs:
        if name not in used:
            yield _warning(f"inputs/{name}", "lint.unused_input", name=name)


def _all_leaves(rule_set: RuleSet) -> Iterator[Leaf]:
    yield from rule_set.leaves
    for pool in (rule_set.bonus, rule_set.penalty):
        yield from pool.items if pool else ()


def _names_of(leaf: Leaf) -> Iterator[str]:
    yield from names(leaf.method)
    for variant in leaf.variants:
        yield from names(variant.method)
        yield from variant.when.names


def _percent_twice(rule_set: RuleSet) -> Iterator[Finding]:
    """Find an input that is compared with a share in one place and with a percentage in another."""
    compared: dict[str, set[Fraction]] = {}
    for leaf in _all_leaves(rule_set):
        for subject, value in _thresholds(leaf.method):
            compared.setdefault(subject, set()).add(value)
    for subject, values in compared.items():
        for value in sorted(values):
            if 0 < value <= 1 and value * 100 in values:
                params = {"name": subject, "share": plain(value), "percent": plain(value * 100)}
                yield Finding(f"inputs/{subject}", "lint.percent_twice", params)


def _thresholds(method: Method) -> Iterator[tuple[str, Fraction]]:
    match method:
        case Bands():
            yield from ((method.of.text, band.ge) for band in method.table)
        case Linear(floor=floor) if floor is not None:
            yield f"{method.num.text} / {method.den.text}", floor
        case First():
            for alternative in method.alternatives:
                yield from _thresholds(alternative.method)
        case _:
            pass
    for expression in expressions(method):
        yield from _compared(expression)


def _compared(expression: Expression) -> Iterator[tuple[str, Fraction]]:
    for tree in walk(expression):
        if isinstance(tree, Comparison) and isinstance(tree.right.tree, Constant):
            value = tree.right.tree.value
            if isinstance(value, Fraction):
                yield _written(tree.left), value


def _written(expression: Expression) -> str:
    match expression.tree:
        case Name(name):
            return name
        case Arithmetic(sign, left, right):
            return f"{_written(left)} {sign} {_written(right)}"
        case _:
            return expression.text


def _validity(rule_set: RuleSet) -> Iterator[Finding]:
    valid = rule_set.valid
    if valid.first is not None and valid.last is not None and valid.last < valid.first:
        yield Finding("valid", "lint.ends_before_it_begins")


def overlapping(rule_sets: Sequence[RuleSet]) -> Iterator[Finding]:
    """Find versions of one rule set that are in force on the same day."""
    dated = [item for item in rule_sets if item.valid.first is not None]
    for one, other in pairwise(sorted(dated, key=lambda item: (item.id, item.valid.first))):
        if (
            one.id == other.id
            and other.valid.first is not None
            and one.valid.holds(other.valid.first)
        ):
            params = {"name": one.id, "day": other.valid.first.isoformat()}
            yield Finding("valid", "lint.validity_overlaps", params)
