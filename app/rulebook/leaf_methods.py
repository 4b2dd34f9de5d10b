"""How each leaf method is written in a rule set: one reader for each word of the closed set."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from app.domain.expression import Expression, Kind
from app.domain.method import (
    Alternative,
    Band,
    Bands,
    Case,
    Cases,
    Compare,
    Deduct,
    Deduction,
    External,
    First,
    Fixed,
    Increments,
    Linear,
    Method,
    PeerRank,
    PerCase,
    PerItem,
    Survey,
    Tiers,
    YesNo,
)
from app.rulebook.entry import Entry


def read_method(entry: Entry, written: Sequence[str]) -> Method:
    """Return the one method of a leaf; none or several is a fault.

    ``compare``, the policy for floors, stands beside the method and holds for all its lines.
    """
    compare = entry.choice_or_none("compare", Compare) or Compare.EXACT
    if len(written) != 1:
        for key in written:
            entry.take(key)
        entry.fault("one_method", found=", ".join(written) or "–", choices=", ".join(METHODS))
        return Fixed(Fraction(0))
    return _read(entry, written[0], compare)


def _read(entry: Entry, key: str, compare: Compare) -> Method:
    if key == "first":
        return _first(entry, compare)
    below = entry.entry(key)
    method = _LINES[key](below, compare) if key in _LINES else _OTHERS[key](below)
    if key == "external" and isinstance(method, External) and not method.of:
        method = External(method.source, entry.text("id"))
    below.done()
    return method


def _linear(entry: Entry, compare: Compare) -> Linear:
    target = entry.number_or_none("target")
    if target is not None and target <= 0:
        entry.fault("not_positive", "target")
        target = None
    floor = entry.number_or_none("floor")
    if entry.has("floor"):
        entry.need("below")
    elif entry.has("below"):
        entry.fault("below_without_floor", "below")
    return Linear(
        num=entry.expression("num", Kind.NUMBER),
        den=entry.expression("den", Kind.NUMBER),
        target=Fraction(1) if target is None else target,
        times=entry.number_or_none("times"),
        floor=floor,
        below=entry.number_or_none("below") or Fraction(0),
        compare=compare,
    )


def _bands(entry: Entry, compare: Compare) -> Bands:
    table: list[Band] = []
    for band in entry.entries("table"):
        ge = band.number("ge")
        if band.has("linear"):
            line = band.entry("linear")
            table.append(Band(ge, _linear(line, compare)))
            line.done()
        else:
            table.append(Band(ge, Fixed(band.number("score"))))
        band.done()
    if not table:
        entry.fault("empty", "table")
        table.append(Band(Fraction(0), Fixed(Fraction(0))))
    return Bands(entry.expression("of", Kind.NUMBER), tuple(table), _otherwise(entry))


def _otherwise(entry: Entry) -> Fixed | None:
    """Return what ``else`` gives; ``else: error`` says aloud that the rule has no answer."""
    raw = entry.take("else")
    if raw is None or raw == "error":
        return None
    if isinstance(raw, dict):
        below = entry.entry("else")
        found = Fixed(below.number("score"), below.text_or_none("note"))
        below.done()
        return found
    return Fixed(entry.number("else"))


def _case(entry: Entry) -> Case:
    case = Case(
        entry.expression("when", Kind.TRUTH),
        Fixed(entry.number("score"), entry.text_or_none("note")),
    )
    entry.done()
    return case


def _cases(entry: Entry) -> Cases:
    cases = tuple(_case(case) for case in entry.entries("cases"))
    if not cases:
        entry.fault("empty", "cases")
    return Cases(cases, _otherwise(entry), entry.take("else") == "error")


def _first(entry: Entry, compare: Compare) -> First:
    alternatives: list[Alternative] = []
    for option in entry.entries("first"):
        when = option.expression("when", Kind.TRUTH) if option.has("when") else None
        alternatives.append(Alternative(when, _option(option, compare)))
        option.done()
    if not alternatives:
        entry.fault("empty", "first")
        alternatives.append(Alternative(None, Fixed(Fraction(0))))
    return First(tuple(alternatives))


def _option(option: Entry, compare: Compare) -> Method:
    written = [key for key in METHODS if option.has(key) and key != "first"]
    if not written and option.has("score"):
        return Fixed(option.number("score"), option.text_or_none("note"))
    if len(written) != 1:
        option.fault("one_method", found=", ".join(written) or "–", choices=", ".join(METHODS))
        return Fixed(Fraction(0))
    return _read(option, written[0], compare)


_DIRECTIONS = {"up": False, "down": True}


def _increments(entry: Entry) -> Increments:
    direction = entry.take("direction")
    if direction is not None and direction not in _DIRECTIONS:
        entry.fault("not_a_choice", "direction", choices=", ".join(_DIRECTIONS))
    entry.need("partial")
    step, points = entry.number("step"), entry.number("points")
    if step <= 0 or points <= 0:
        entry.fault("not_positive", "step")
        step = points = Fraction(1)
    return Increments(
        of=entry.expression("of", Kind.NUMBER),
        start=entry.expression("from", Kind.NUMBER),
        base=entry.number("base"),
        step=step,
        points=points,
        partial=entry.flag("partial", default=True),
        down=_DIRECTIONS.get(str(direction), False),
        cap=entry.number_or_none("cap"),
    )


def _per_case(entry: Entry) -> PerCase:
    return PerCase(entry.text("over"), _cases(entry))


def _per_item(entry: Entry) -> PerItem:
    each = entry.number("each")
    if each <= 0:
        entry.fault("not_positive", "each")
        each = Fraction(1)
    return PerItem(entry.expression("count", Kind.NUMBER), each)


def _deduct(entry: Entry) -> Deduct:
    items: list[Deduction] = []
    for item in entry.entries("items"):
        count = item.expression("count", Kind.NUMBER)
        items.append(Deduction(count, item.number("each"), item.number_or_none("cap")))
        item.done()
    if not items:
        entry.fault("empty", "items")
    return Deduct(entry.number("start"), tuple(items), entry.number("min"))


def _tiers(entry: Entry) -> Tiers:
    options: list[tuple[str, Fraction]] = []
    for option in entry.entries("options"):
        options.append((option.text("is"), option.number("share")))
        option.done()
    if not options:
        entry.fault("empty", "options")
        options.append(("", Fraction(1)))
    return Tiers(entry.text("of"), tuple(options))


def _peer_rank(entry: Entry) -> PeerRank:
    groups: list[tuple[int | None, Fraction]] = []
    for group in entry.entries("groups"):
        groups.append((group.whole("top") if group.has("top") else None, group.number("score")))
        group.done()
    if not groups:
        entry.fault("empty", "groups")
        groups.append((None, Fraction(0)))
    return PeerRank(entry.expression("of", Kind.NUMBER), tuple(groups))


def _survey(entry: Entry) -> Survey:
    answers = entry.entry("answers")
    lowest, highest = answers.number("from"), answers.number("to")
    answers.done()
    transform: Expression = entry.expression("transform", Kind.NUMBER)
    if set(transform.names) - {"mean"}:
        entry.fault("only_mean", "transform")
    return Survey(entry.text("form"), lowest, highest, transform)


def _external(entry: Entry) -> External:
    return External(entry.text("source"), entry.text_or_none("of") or "")


def _yes_no(entry: Entry) -> YesNo:
    return YesNo(entry.text("of"))


_LINES: Mapping[str, Callable[[Entry, Compare], Method]] = {"linear": _linear, "bands": _bands}
_OTHERS: Mapping[str, Callable[[Entry], Method]] = {
    "cases": _cases,
    "increments": _increments,
    "per_case": _per_case,
    "per_item": _per_item,
    "deduct": _deduct,
    "tiers": _tiers,
    "peer_rank": _peer_rank,
    "survey": _survey,
    "external": _external,
    "yes_no": _yes_no,
}
METHODS = (*_LINES, "first", *_OTHERS)
"""The words that name a method in a leaf; exactly one of them stands in each."""
