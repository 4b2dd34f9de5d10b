"""How one leaf of a rule set earns its points: a closed set of methods, each exact and explained.

A method gets the inputs of a unit and the most it can give, and answers with the points, the branch
that was taken, and what would bring the rest. It never rounds (except a case among many, where the
rule says so) and never guesses: an input that is not known raises ``InputMissing``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import assert_never

from app.domain.expression import (
    Arithmetic,
    DividedByZero,
    Environment,
    Expression,
    InputMissing,
    InputNotApplicable,
    Number,
)
from app.domain.rate import percent
from app.domain.rounding import Stage, plain

CaseRows = Mapping[str, tuple[Environment, ...]]
"""Lists of cases by name, each case with its own facts."""


class Compare(StrEnum):
    """What a floor is compared with: the exact share, or the percentage as printed."""

    EXACT = "exact"
    PRINTED = "printed"


class NothingToScore(Exception):
    """No case has the facts that the rule asks for, so the leaf does not apply."""


class NoBranch(Exception):
    """The rule says nothing about this situation, and has no ``else``."""


class OutOfRange(Exception):
    """A score came from outside that is below 0 or above the maximum of its leaf."""


@dataclass(frozen=True, slots=True)
class Share:
    """A number that people read in percent."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class ExactShare:
    """A share that people read in percent, with every digit: a threshold of the rule."""

    value: Fraction


Told = Number | str | Share | ExactShare
"""A number of an explanation; it is written out only when somebody reads it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Which way a rule went: a code whose sentence is in the catalogues, with its numbers."""

    code: str
    told: Mapping[str, Told] = field(default_factory=dict)

    @property
    def params(self) -> dict[str, str]:
        """Return the placeholders of the sentence."""
        return {name: _written(value) for name, value in self.told.items()}


def _written(value: Told) -> str:
    match value:
        case str():
            return value
        case Share(share):
            return percent(max(Fraction(0), share)) or ""
        case ExactShare(share):
            return plain(share * 100)
        case _:
            return plain(Fraction(value))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What would bring points back: so many more of ``name``, all else being equal.

    ``more`` counts among those already in the denominator (late ones that had been on time);
    ``among_new`` counts further dossiers that must all be on time, when that can reach it at all.
    """

    name: str
    more: Number
    points: Fraction
    reaches: str
    among_new: int | None = None


@dataclass(frozen=True, slots=True)
class Earned:
    """The exact points of one leaf and why."""

    points: Fraction
    branch: Branch
    warnings: tuple[str, ...] = ()


# ---------------------------------------------------------------- the methods


@dataclass(frozen=True, slots=True)
class Fixed:
    """A number of points, whatever the inputs."""

    points: Fraction
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Linear:
    """Points in proportion to a share, all of them at ``target``, ``below`` under ``floor``."""

    num: Expression
    den: Expression
    target: Fraction = Fraction(1)
    times: Fraction | None = None
    floor: Fraction | None = None
    below: Fraction = Fraction(0)
    compare: Compare = Compare.EXACT


@dataclass(frozen=True, slots=True)
class Band:
    """From this value on: these points, or a line."""

    ge: Fraction
    then: Fixed | Linear


@dataclass(frozen=True, slots=True)
class Bands:
    """The first band, read from the top, that the value reaches."""

    of: Expression
    table: tuple[Band, ...]
    otherwise: Fixed | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One condition with its points."""

    when: Expression
    score: Fixed


@dataclass(frozen=True, slots=True)
class Cases:
    """The first case, read from the top, that holds; ``refuses`` is a written ``else: error``."""

    cases: tuple[Case, ...]
    otherwise: Fixed | None = None
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """A method that is taken when its condition holds, or always."""

    when: Expression | None
    method: "Method"


@dataclass(frozen=True, slots=True)
class First:
    """The first alternative that holds."""

    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Increments:
    """A base up to a threshold, then points for each step beyond it (below it when ``down``)."""

    of: Expression
    start: Expression
    base: Fraction
    step: Fraction
    points: Fraction
    partial: bool
    down: bool = False
    cap: Fraction | None = None


@dataclass(frozen=True, slots=True)
class PerCase:
    """The mean of the points of each case; cases with unknown facts are left out and counted."""

    over: str
    cases: Cases


@dataclass(frozen=True, slots=True)
class PerItem:
    """So many points for each item."""

    count: Expression
    each: Fraction


@dataclass(frozen=True, slots=True)
class Deduction:
    """So many points off for each item, up to a cap."""

    count: Expression
    each: Fraction
    cap: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Deduct:
    """A start from which deductions are taken, not below ``least`` (which may be negative)."""

    start: Fraction
    items: tuple[Deduction, ...]
    least: Fraction


@dataclass(frozen=True, slots=True)
class Tiers:
    """A share of the maximum by a named grade."""

    of: str
    options: tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True, slots=True)
class PeerRank:
    """Points by place among peers; the last group takes the rest when it has no ``top``."""

    of: Expression
    groups: tuple[tuple[int | None, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """A share of the maximum that a transform makes of the mean answer of a survey."""

    form: str
    lowest: Fraction
    highest: Fraction
    transform: Expression


@dataclass(frozen=True, slots=True)
class External:
    """A score that another system gives."""

    source: str
    of: str


@dataclass(frozen=True, slots=True)
class YesNo:
    """All points for yes, none for no."""

    of: str


Method = (
    Fixed
    | Linear
    | Bands
    | Cases
    | First
    | Increments
    | PerCase
    | PerItem
    | Deduct
    | Tiers
    | PeerRank
    | Survey
    | External
    | YesNo
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one unit: inputs by name, and lists of cases by name."""

    env: Environment
    rows: CaseRows = field(default_factory=dict)


def earn(method: Method, most: Fraction, facts: Facts, per_case: Stage | None = None) -> Earned:
    """Return what a method gives for these facts; ``most`` is the maximum of the leaf.

    :raises Unanswerable: an input is missing or not applicable, or a divisor is 0.
    :raises NothingToScore: there is no case to judge.
    :raises NoBranch: the rule has no answer for these facts.
    :raises OutOfRange: an external score lies outside 0 to ``most``.
    """
    match method:
        case Fixed(points, note):
            return Earned(points, Branch("branch.fixed", {"note": note or ""}))
        case Linear():
            return _linear(method, most, facts.env)
        case Bands():
            return _bands(method, most, facts.env)
        case Cases():
            return _cases(method, facts.env)
        case First():
            return _first(method, most, facts, per_case)
        case Increments():
            return _increments(method, most, facts.env)
        case _:
            return _earn_by_item(method, most, facts, per_case)


def _earn_by_item(
    method: PerCase | PerItem | Deduct | Tiers | PeerRank | Survey | External | YesNo,
    most: Fraction,
    facts: Facts,
    per_case: Stage | None,
) -> Earned:
    match method:
        case PerCase():
            return _per_case(method, facts, per_case)
        case PerItem():
            return _per_item(method, most, facts.env)
        case Deduct():
            return _deduct(method, facts.env)
        case Tiers():
            return _tiers(method, most, facts.env)
        case PeerRank():
            return _peer_rank(method, facts.env)
        case Survey():
            return _survey(method, most, facts.env)
        case External() | YesNo():
            return _given(method, most, facts.env)
        case _:
            assert_never(method)


def _linear(method: Linear, most: Fraction, env: Environment) -> Earned:
    num, den = method.num.number(env), method.den.number(env)
    if den == 0:
        raise DividedByZero
    if num < 0 or den < 0:
        raise OutOfRange
    share, full, target = Fraction(num, den), _full(method, most), method.target
    warnings: tuple[str, ...] = ()
    if method.floor is not None:
        exact, printed = _reaches(share, method.floor), _printed_reaches(share, method.floor)
        warnings = ("warning.printed_reaches_floor",) if printed and not exact else ()
        if not (printed if method.compare is Compare.PRINTED else exact):
            told = _against(share, method.floor)
            return Earned(method.below, Branch("branch.linear.below_floor", told), warnings)
    told = _against(share, target)
    if _reaches(share, target):
        return Earned(full, Branch("branch.linear.full", told), warnings)
    points = Fraction(
        full.numerator * target.denominator * share.numerator,
        full.denominator * target.numerator * share.denominator,
    )
    return Earned(points, Branch("branch.linear.share", told), warnings)


def _against(share: Fraction, threshold: Fraction) -> dict[str, Told]:
    return {"share": Share(share), "threshold": ExactShare(threshold)}


def _full(method: Linear, most: Fraction) -> Fraction:
    return most if method.times is None else method.times


def _reaches(share: Fraction, threshold: Fraction) -> bool:
    # as a comparison of fractions, without what it costs to be one
    return share.numerator * threshold.denominator >= threshold.numerator * share.denominator


def _printed_reaches(share: Fraction, floor: Fraction) -> bool:
    printed = percent(share)
    return printed is not None and Fraction(printed) >= floor * 100


def _bands(method: Bands, most: Fraction, env: Environment) -> Earned:
    value = method.of.number(env)
    for band in method.table:
        if value >= band.ge:
            earned = earn(band.then, most, Facts(env))
            told: dict[str, Told] = {"value": value, "threshold": band.ge}
            return Earned(earned.points, Branch("branch.bands.reached", told), earned.warnings)
    if method.otherwise is None:
        raise NoBranch
    told = {"value": value, "note": method.otherwise.note or ""}
    return Earned(method.otherwise.points, Branch("branch.bands.none", told))


def _cases(method: Cases, env: Environment) -> Earned:
    for case in method.cases:
        if case.when.truth(env):
            params = {"when": case.when.text, "note": case.score.note or ""}
            return Earned(case.score.points, Branch("branch.cases.holds", params))
    if method.otherwise is None:
        raise NoBranch
    return Earned(
        method.otherwise.points, Branch("branch.cases.else", {"note": method.otherwise.note or ""})
    )


def _first(method: First, most: Fraction, facts: Facts, per_case: Stage | None) -> Earned:
    for alternative in method.alternatives:
        if alternative.when is None or alternative.when.truth(facts.env):
            earned = earn(alternative.method, most, facts, per_case)
            if alternative.when is None or not isinstance(alternative.method, Fixed):
                return earned
            params = {"when": alternative.when.text, "note": alternative.method.note or ""}
            return Earned(earned.points, Branch("branch.cases.holds", params))
    raise NoBranch


def _increments(method: Increments, most: Fraction, env: Environment) -> Earned:
    value, start = method.of.number(env), method.start.number(env)
    beyond = start - value if method.down else value - start
    told: dict[str, Told] = {"value": value, "start": start}
    if beyond <= 0:
        return Earned(method.base, Branch("branch.increments.base", told))
    steps = Fraction(beyond, method.step)
    if not method.partial:
        steps = Fraction(steps.numerator // steps.denominator)
    points, cap = method.base + steps * method.points, _cap(method, most)
    if points >= cap:
        return Earned(cap, Branch("branch.increments.capped", told))
    return Earned(points, Branch("branch.increments.beyond", told))


def _cap(method: Increments, most: Fraction) -> Fraction:
    return most if method.cap is None else min(method.cap, most)


def _per_case(method: PerCase, facts: Facts, stage: Stage | None) -> Earned:
    try:
        rows = facts.rows[method.over]
    except KeyError:
        raise InputMissing(method.over) from None
    total, judged = Fraction(0), 0
    for row in rows:
        try:
            points = _cases(method.cases, {**facts.env, **row}).points
        except (InputMissing, InputNotApplicable):
            continue
        total += stage.of(points) if stage else points
        judged += 1
    if not judged:
        raise NothingToScore
    told: dict[str, Told] = {"judged": judged, "left_out": len(rows) - judged}
    return Earned(total / judged, Branch("branch.per_case", told))


def _per_item(method: PerItem, most: Fraction, env: Environment) -> Earned:
    count = method.count.number(env)
    told: dict[str, Told] = {"count": count, "each": method.each}
    return Earned(min(most, method.each * count), Branch("branch.per_item", told))


def _deduct(method: Deduct, env: Environment) -> Earned:
    taken = sum((_taken(item, env) for item in method.items), Fraction(0))
    points = max(method.least, method.start - taken)
    told: dict[str, Told] = {"start": method.start, "taken": taken}
    return Earned(points, Branch("branch.deduct", told))


def _taken(item: Deduction, env: Environment) -> Fraction:
    off = item.each * item.count.number(env)
    return off if item.cap is None else min(item.cap, off)


def _tiers(method: Tiers, most: Fraction, env: Environment) -> Earned:
    grade = _plain_input(method.of, env)
    for name, share in method.options:
        if name == grade:
            told: dict[str, Told] = {"grade": name, "share": share * 100}
            return Earned(most * share, Branch("branch.tiers", told))
    raise NoBranch


def _peer_rank(method: PeerRank, env: Environment) -> Earned:
    place = method.of.number(env)
    for top, points in method.groups:
        if top is None or place <= top:
            told: dict[str, Told] = {"place": place, "top": "" if top is None else top}
            return Earned(points, Branch("branch.peer_rank", told))
    raise NoBranch


def _survey(method: Survey, most: Fraction, env: Environment) -> Earned:
    mean = _plain_input(method.form, env)
    if isinstance(mean, str) or not method.lowest <= mean <= method.highest:
        raise OutOfRange
    share = Fraction(method.transform.number({"mean": mean}))
    told: dict[str, Told] = {"mean": mean, "share": Share(share)}
    return Earned(most * min(Fraction(1), max(Fraction(0), share)), Branch("branch.survey", told))


def _given(method: External | YesNo, most: Fraction, env: Environment) -> Earned:
    value = _plain_input(method.of, env)
    match method:
        case External(source):
            if isinstance(value, str) or not 0 <= value <= most:
                raise OutOfRange
            return Earned(Fraction(value), Branch("branch.external", {"source": source}))
        case YesNo():
            if value not in {0, 1}:
                raise OutOfRange
            return Earned(most * int(value), Branch("branch.yes" if value else "branch.no"))


def _plain_input(name: str, env: Environment) -> Number | str:
    try:
        value = env[name]
    except KeyError:
        raise InputMissing(name) from None
    if value is None:
        raise InputNotApplicable(name)
    return value


# ---------------------------------------------------------------- what would bring the rest


def recover(method: Method, most: Fraction, facts: Facts) -> tuple[Recovery, ...]:
    """Return what would bring more points, empty where a method cannot tell or all are earned.

    :raises Unanswerable: as ``earn``, for facts from which nothing is earned either.
    """
    match method:
        case Linear():
            return _recover_line(method, most, facts.env)
        case Bands():
            return _recover_band(method, most, facts.env)
        case First():
            return _recover_first(method, most, facts)
        case Increments():
            return _recover_steps(method, most, facts.env)
        case PerItem():
            return _recover_items(method, most, facts.env)
        case Deduct():
            return _recover_deductions(method, facts.env)
        case _:
            return ()


def _recover_line(method: Linear, most: Fraction, env: Environment) -> tuple[Recovery, ...]:
    num, den = method.num.number(env), method.den.number(env)
    share, full = Fraction(num, den), _full(method, most)
    threshold, reaches, points = method.target, "full", full
    if method.floor is not None and not _reaches(share, method.floor):
        threshold, reaches = method.floor, "floor"
        points = full * min(Fraction(1), method.floor / method.target)
    short = threshold * den - num
    if short <= 0:
        return ()
    among_new = ceil(short / (1 - threshold)) if threshold < 1 else None
    return (Recovery(method.num.text, ceil(short), points, reaches, among_new),)


def _recover_band(method: Bands, most: Fraction, env: Environment) -> tuple[Recovery, ...]:
    """Say what lifts the value into the next band: dossiers, if it is a share of two counts."""
    value = method.of.number(env)
    above = [band for band in method.table if value < band.ge]
    if not above:
        return ()
    band = above[-1]
    points = band.then.points if isinstance(band.then, Fixed) else _full(band.then, most) * band.ge
    match method.of.tree:
        case Arithmetic("/", left, right):
            more = ceil(band.ge * right.number(env) - left.number(env))
            return (Recovery(" ".join(left.names), more, points, "band"),)
        case _:
            return (Recovery(method.of.text, band.ge - value, points, "band"),)


def _recover_first(method: First, most: Fraction, facts: Facts) -> tuple[Recovery, ...]:
    for alternative in method.alternatives:
        if alternative.when is None or alternative.when.truth(facts.env):
            return recover(alternative.method, most, facts)
    return ()


def _recover_items(method: PerItem, most: Fraction, env: Environment) -> tuple[Recovery, ...]:
    short = most - method.each * method.count.number(env)
    if short <= 0:
        return ()
    return (Recovery(method.count.text, ceil(short / method.each), most, "full"),)


def _recover_steps(method: Increments, most: Fraction, env: Environment) -> tuple[Recovery, ...]:
    value, start = method.of.number(env), method.start.number(env)
    beyond, cap = (start - value if method.down else value - start), _cap(method, most)
    needed = (cap - method.base) / method.points
    if not method.partial:
        needed = Fraction(ceil(needed))
    more = needed * method.step - beyond
    if more <= 0:
        return ()
    return (Recovery(method.of.text, -more if method.down else more, cap, "full"),)


def _recover_deductions(method: Deduct, env: Environment) -> tuple[Recovery, ...]:
    taken = [(item, item.count.number(env), _taken(item, env)) for item in method.items]
    total = sum((off for _, _, off in taken), Fraction(0))
    return tuple(
        Recovery(
            item.count.text, -count, max(method.least, method.start - total + off), "deduction"
        )
        for item, count, off in taken
        if off > 0
    )


# ---------------------------------------------------------------- what a method reads and can give


def names(method: Method) -> tuple[str, ...]:
    """Return the inputs that a method may read, in the order in which it is written.

    Names that belong to the cases of a list, and not to the unit, are given back too by the
    expressions of ``PerCase``; the list itself stands under its own name.
    """
    found = [name for expression in expressions(method) for name in expression.names]
    match method:
        case Tiers(of) | External(of=of) | YesNo(of):
            found.append(of)
        case Survey(form):
            found = [form]
        case PerCase(over):
            found.insert(0, over)
        case First(alternatives):
            for alternative in alternatives:
                found.extend(names(alternative.method))
        case _:
            pass
    return tuple(dict.fromkeys(found))


def expressions(method: Method) -> tuple[Expression, ...]:
    """Return the expressions that a method evaluates itself."""
    match method:
        case Fixed() | Tiers() | External() | YesNo():
            return ()
        case Linear():
            return (method.num, method.den)
        case Bands():
            lines = [band.then for band in method.table if isinstance(band.then, Linear)]
            return (method.of, *(part for line in lines for part in (line.num, line.den)))
        case Cases():
            return tuple(case.when for case in method.cases)
        case First():
            return tuple(a.when for a in method.alternatives if a.when is not None)
        case Increments():
            return (method.of, method.start)
        case _:
            return _expressions_by_item(method)


def _expressions_by_item(
    method: PerCase | PerItem | Deduct | PeerRank | Survey,
) -> tuple[Expression, ...]:
    match method:
        case PerCase():
            return tuple(case.when for case in method.cases.cases)
        case PerItem():
            return (method.count,)
        case Deduct():
            return tuple(item.count for item in method.items)
        case PeerRank():
            return (method.of,)
        case Survey():
            return (method.transform,)
        case _:
            assert_never(method)


def best(method: Method, most: Fraction) -> Fraction:
    """Return the most points that a method can give in a leaf of this maximum."""
    match method:
        case Fixed(points):
            return points
        case Linear():
            return max(most if method.times is None else method.times, method.below)
        case Bands():
            options = [best(band.then, most) for band in method.table]
            return max([*options, *_otherwise(method.otherwise)])
        case Cases():
            options = [case.score.points for case in method.cases]
            return max([*options, *_otherwise(method.otherwise)])
        case First():
            return max(best(a.method, most) for a in method.alternatives)
        case Increments():
            return most if method.cap is None else method.cap
        case _:
            return _best_by_item(method, most)


def _best_by_item(
    method: PerCase | PerItem | Deduct | Tiers | PeerRank | Survey | External | YesNo,
    most: Fraction,
) -> Fraction:
    match method:
        case PerCase():
            return best(method.cases, most)
        case Deduct():
            return method.start
        case Tiers():
            return most * max(share for _, share in method.options)
        case PeerRank():
            return max(points for _, points in method.groups)
        case PerItem() | Survey() | External() | YesNo():
            return most
        case _:
            assert_never(method)


def _otherwise(otherwise: Fixed | None) -> tuple[Fraction, ...]:
    return () if otherwise is None else (otherwise.points,)
