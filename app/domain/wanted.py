"""What a rule set wants to be told of a unit: each input with its kind, source and range."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

from app.domain.expression import Environment, Expression, Kind, Name, Scalar, walk
from app.domain.faults import Fault
from app.domain.method import (
    Deduct,
    External,
    First,
    Linear,
    Method,
    PerItem,
    Survey,
    Tiers,
    YesNo,
    expressions,
    names,
)
from app.domain.rounding import from_decimal, plain
from app.domain.rule_set import (
    Binding,
    ByLevel,
    CaseList,
    Given,
    Leaf,
    Measure,
    Peers,
    RuleSet,
)

MOST_CASES = 5_000
MOST_TEXT = 200


class Origin(StrEnum):
    """Where a value on a sheet comes from (nguồn số liệu)."""

    MEASURE = "measure"
    DECLARED = "declared"
    SURVEY = "survey"
    EXTERNAL = "external"
    PEER = "peer"
    FIXED = "fixed"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One input: what it may be. ``options`` is empty where any word will do."""

    name: str
    origin: Origin
    kind: Kind = Kind.NUMBER
    lowest: Fraction | None = None
    highest: Fraction | None = None
    options: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


Value = Scalar | tuple[Environment, ...] | None
"""A value on a sheet: a number, a word, a list of cases, or None for "does not apply"."""


def wanted(rule_set: RuleSet) -> dict[str, Wanted]:
    """Return every input of a rule set, in the order in which it binds them."""
    found = {
        name: Wanted(name, _origin(binding), fields=_fields(binding))
        for name, binding in rule_set.inputs.items()
    }
    for leaf in every_leaf(rule_set):
        for method in (leaf.method, *(variant.method for variant in leaf.variants)):
            for name in names(method):
                if name in found and leaf.id not in found[name].leaves:
                    one = found[name]
                    found[name] = replace(one, leaves=(*one.leaves, leaf.id))
            _narrow(found, method, leaf.max)
    for expression in _every_expression(rule_set):
        _narrow_words(found, expression)
    return found


def every_leaf(rule_set: RuleSet) -> Iterator[Leaf]:
    """Yield the leaves of the tree and of both pools."""
    yield from rule_set.leaves
    for pool in (rule_set.bonus, rule_set.penalty):
        yield from pool.items if pool else ()


def _origin(binding: Binding) -> Origin:
    match binding:
        case Measure():
            return Origin.MEASURE
        case Given():
            return Origin(binding.value)
        case Peers():
            return Origin.PEER
        case ByLevel():
            return Origin.FIXED
        case CaseList():
            return Origin.DECLARED


def _fields(binding: Binding) -> tuple[str, ...]:
    return binding.fields if isinstance(binding, CaseList) else ()


def _every_expression(rule_set: RuleSet) -> Iterator[Expression]:
    for leaf in every_leaf(rule_set):
        for variant in leaf.variants:
            yield variant.when
            yield from _deep(variant.method)
        yield from _deep(leaf.method)
    if rule_set.classify is not None:
        for rule in (*rule_set.classify.veto, *rule_set.classify.ceiling):
            yield rule.when
        for band in rule_set.classify.bands:
            if band.require is not None:
                yield band.require


def _deep(method: Method) -> Iterator[Expression]:
    yield from expressions(method)
    if isinstance(method, First):
        for alternative in method.alternatives:
            yield from _deep(alternative.method)


def _narrow_words(found: dict[str, Wanted], expression: Expression) -> None:
    for tree in walk(expression):
        if isinstance(tree, Name) and tree.kind is Kind.TEXT and tree.name in found:
            found[tree.name] = replace(found[tree.name], kind=Kind.TEXT)


def _narrow(found: dict[str, Wanted], method: Method, most: Fraction) -> None:
    """Note what a method refuses of the inputs that it reads by name."""
    for name, lowest, highest in _ranges(method, most):
        if name in found and (found[name].lowest is None or highest is not None):
            found[name] = replace(found[name], lowest=lowest, highest=highest)
    match method:
        case Tiers(of, options) if of in found:
            words = tuple(word for word, _ in options)
            found[of] = replace(found[of], kind=Kind.TEXT, options=words)
        case First(alternatives):
            for alternative in alternatives:
                _narrow(found, alternative.method, most)
        case _:
            pass


Range = tuple[str, Fraction, Fraction | None]


def _ranges(method: Method, most: Fraction) -> Iterator[Range]:
    match method:
        case YesNo(of):
            yield of, _NONE, Fraction(1)
        case External(of=of):
            yield of, _NONE, most
        case Survey(form, lowest, highest):
            yield form, lowest, highest
        case _:
            for expression in _counted(method):
                if isinstance(expression.tree, Name):
                    yield expression.tree.name, _NONE, None


_NONE: Final = Fraction(0)


def _counted(method: Method) -> Iterator[Expression]:
    match method:
        case Linear(num, den):
            yield from (num, den)
        case PerItem(count):
            yield count
        case Deduct(items=items):
            yield from (item.count for item in items)
        case _:
            pass


# ---------------------------------------------------------------- reading what was told


class ValueRefused(ValueError):
    """A told value cannot be this input; ``fault`` says why and where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def read_value(one: Wanted, told: object) -> Value:
    """Return a told value as the input that it is: whole numbers, decimals as texts, words.

    Numbers are read exactly. True and false are 1 and 0. None is "does not apply".

    :raises ValueRefused: the value cannot be this input.
    """
    if told is None:
        return None
    if one.fields:
        return _read_cases(one, told)
    if one.kind is Kind.TEXT:
        return _read_word(one, told)
    return _read_number(one, told)


def _read_word(one: Wanted, told: object) -> str:
    if not isinstance(told, str) or not told.strip() or len(told) > MOST_TEXT:
        raise ValueRefused(Fault("", "input.not_text"))
    if one.options and told not in one.options:
        raise ValueRefused(Fault("", "input.not_option", {"options": ", ".join(one.options)}))
    return told


def _read_number(one: Wanted, told: object) -> Fraction:
    value = _number(told)
    if one.lowest is not None and value < one.lowest:
        raise ValueRefused(Fault("", "input.too_small", {"limit": plain(one.lowest)}))
    if one.highest is not None and value > one.highest:
        raise ValueRefused(Fault("", "input.too_great", {"limit": plain(one.highest)}))
    return value


def _number(told: object, where: str = "") -> Fraction:
    if isinstance(told, bool | int):
        return Fraction(int(told))
    try:
        if isinstance(told, str):
            return from_decimal(told.strip())
    except ValueError:
        pass
    raise ValueRefused(Fault(where, "input.not_number"))


def _read_cases(one: Wanted, told: object) -> tuple[Environment, ...]:
    if not isinstance(told, list) or len(told) > MOST_CASES:
        raise ValueRefused(Fault("", "input.not_cases", {"limit": str(MOST_CASES)}))
    return tuple(_read_case(one, case, f"/{place}") for place, case in enumerate(told))


def _read_case(one: Wanted, case: object, where: str) -> Environment:
    if not isinstance(case, dict):
        raise ValueRefused(Fault(where, "input.not_case"))
    unknown = [str(name) for name in case if name not in one.fields]
    if unknown:
        fields = {"fields": ", ".join(one.fields)}
        raise ValueRefused(Fault(f"{where}/{unknown[0][:60]}", "input.unknown_fact", fields))
    return {
        name: None if value is None else _number(value, f"{where}/{name}")
        for name, value in case.items()
    }


# ---------------------------------------------------------------- as JSON


def to_plain(value: Value) -> object:
    """Return a value as JSON: exact numbers as texts, words as they are, cases as objects."""
    match value:
        case None | str():
            return value
        case tuple():
            return [{name: to_plain(fact) for name, fact in case.items()} for case in value]
        case _:
            return plain(Fraction(value))


def from_plain(stored: object, *, is_word: bool = False) -> Value:
    """Return what ``to_plain`` wrote.

    A text that is no number stays a word, for the sheet to say that it does not fit.
    """
    match stored:
        case str() if is_word:
            return stored
        case str():
            return _restored(stored)
        case list():
            return tuple(_restored_case(case) for case in stored if isinstance(case, dict))
        case _:
            return None


def _restored(stored: str) -> Scalar:
    if stored.isdecimal():
        return int(stored)
    try:
        return Fraction(stored)
    except (ValueError, ZeroDivisionError):
        return stored


def _restored_case(case: Mapping[str, object]) -> Environment:
    return {
        name: _restored(value) if isinstance(value, str) else None for name, value in case.items()
    }


def changed(before: Mapping[str, Value], after: Mapping[str, Value]) -> Sequence[str]:
    """Return the names whose value differs, those that are new or gone included."""
    every = dict.fromkeys((*before, *after))
    absent = object()
    return [name for name in every if before.get(name, absent) != after.get(name, absent)]
