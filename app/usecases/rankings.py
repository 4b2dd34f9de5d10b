"""Rank units by one definition over one period, and against another period.

A unit counts with everything below it. Its figures come from ``app.usecases.reporting``, or from
a closed period; the tree of a closed period is the one that was closed with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from operator import add

from app.domain.frozen import Gap
from app.domain.period import Period
from app.domain.ranking import LEAST_VOLUME, Delta, Standing, delta, standings
from app.domain.rate import Rate, RateDefinition
from app.domain.tally import Count
from app.rulebook.metrics import Metrics
from app.store import trees
from app.store.periods import PeriodRow
from app.store.session import ReadSession
from app.store.tallies import Dimension
from app.store.trees import Place
from app.store.units import BUCKET_SUFFIX
from app.usecases import freshness, periods, reporting
from app.usecases.freshness import Marks
from app.usecases.reporting import Question


class Within(StrEnum):
    """Among whom a unit is ranked: all that are asked for, or those below the same unit."""

    ALL = "all"
    PARENT = "parent"


@dataclass(frozen=True, slots=True)
class Side:
    """A period to rank by: explicit days, or a closed one with its frozen rows."""

    period: Period
    frozen: PeriodRow | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which units are ranked, and how.

    ``level`` None ranks the children of the unit, otherwise all units of the level below it.
    """

    question: Question
    definition: str | None = None
    level: str | None = None
    within: Within = Within.ALL
    minimum: int = LEAST_VOLUME


@dataclass(frozen=True, slots=True)
class Ranked:
    """One unit in the table, with what stands beside its place.

    ``reasons`` are the counts that keep it from the best, with their numbers; ``gap`` marks data
    that are not complete.
    """

    name: str
    parent: str | None
    standing: Standing
    reasons: tuple[tuple[Count, int], ...]
    gap: Gap | None
    delta: Delta | None
    before: Standing | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Units in the order of their places; ``hidden`` are those that have none."""

    question: Question
    definition: RateDefinition
    as_of: datetime
    known_at: datetime
    rows: tuple[Ranked, ...]
    hidden: tuple[Ranked, ...]


@dataclass(frozen=True, slots=True)
class _Figures:
    """What one side gives: its tree, the wanted counts of each unit alone, and who fell silent."""

    tree: Mapping[str, Place]
    wanted: tuple[Count, ...]
    own: Mapping[str, Sequence[int]]
    units_on: date | None
    marks: Marks
    last_day: date
    definition: RateDefinition
    as_of: datetime
    known_at: datetime


def ranking(
    session: ReadSession,
    asked: Asked,
    side: Side,
    *,
    against: Side | None = None,
    metrics: Metrics,
    now: datetime,
) -> Ranking:
    """Rank units for a period; with another period, how each has risen or fallen since.

    :raises UnknownDefinition: there is none of this name in force.
    :raises Invalid: as ``reporting.figures`` or ``periods.figures`` do for the same question.
    """
    here = _ranked(session, asked, side, metrics, now)
    there = None if against is None else _ranked(session, asked, against, metrics, now)
    before = {} if there is None else {one.unit: one for one in there.standings}
    figures = here.figures
    reasons = _reasons(figures)
    rows = [
        Ranked(
            name=figures.tree[one.unit].name,
            parent=figures.tree[one.unit].parent,
            standing=one,
            reasons=tuple(
                (count, number) for count, seat in reasons if (number := here.sums[one.unit][seat])
            ),
            gap=figures.marks.below(one.unit, until=figures.last_day),
            delta=None if there is None else _delta(one, before.get(one.unit), here, there),
            before=before.get(one.unit),
        )
        for one in here.standings
    ]
    return Ranking(
        question=replace(
            asked.question,
            period=side.period,
            as_of=figures.as_of,
            known_at=figures.known_at,
            units_on=figures.units_on,
        ),
        definition=figures.definition,
        as_of=figures.as_of,
        known_at=figures.known_at,
        rows=tuple(one for one in rows if one.standing.place is not None),
        hidden=tuple(one for one in rows if one.standing.place is None),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """One side ranked; ``sums`` are the wanted counts of each ranked unit with all below it."""

    figures: _Figures
    sums: Mapping[str, Sequence[int]]
    standings: Sequence[Standing]


def _ranked(
    session: ReadSession, asked: Asked, side: Side, metrics: Metrics, now: datetime
) -> _Side:
    figures = _figures(session, asked, side, metrics, now)
    candidates = _candidates(figures.tree, asked)
    sums = _rolled(figures, candidates)
    return _Side(figures, sums, _standings(figures, asked, candidates, sums))


def _delta(one: Standing, before: Standing | None, here: _Side, there: _Side) -> Delta:
    other_name = there.figures.definition.name
    if before is None and here.figures.definition.name != other_name:
        other = Rate(other_name, 0, 0)
        before = Standing(one.unit, other, None, is_tied=False, hidden=None)
    return delta(one, before)


def _figures(
    session: ReadSession, asked: Asked, side: Side, metrics: Metrics, now: datetime
) -> _Figures:
    names = [] if asked.definition is None else [asked.definition]
    question = replace(asked.question, period=side.period)
    if side.frozen is None:
        (definition,) = reporting.definitions_of(metrics, names, side.period.last)
        return _live(session, question, definition, now)
    (definition,) = periods.definitions_of(side.frozen, metrics, names)
    return _frozen(session, question, side.frozen, definition)


def _live(
    session: ReadSession, question: Question, definition: RateDefinition, now: datetime
) -> _Figures:
    wanted = _wanted(definition)
    as_of, own = reporting.some_by_unit(session, question, wanted=wanted, now=now)
    scope = question.scope(as_of)
    tree = trees.places(
        session,
        lft=scope.lft,
        rgt=scope.rgt,
        units=scope.units,
        day=scope.day,
        known_at=scope.known_at,
    )
    last = reporting.cut(question, (), now=now).whole.last
    return _Figures(
        tree={one.code: one for one in tree},
        wanted=wanted,
        own=own,
        units_on=scope.day,
        marks=freshness.marks(session, question.unit, until=last, now=now),
        last_day=last,
        definition=definition,
        as_of=as_of,
        known_at=question.known_at or now,
    )


def _frozen(
    session: ReadSession, question: Question, frozen: PeriodRow, definition: RateDefinition
) -> _Figures:
    found = periods.figures(
        session, frozen, question, group_by=(Dimension.UNIT.value,), definitions=()
    )
    closing = frozen.closing
    wanted = _wanted(definition)
    return _Figures(
        tree={one.code: Place(one.code, one.name, one.level, one.parent) for one in closing.units},
        wanted=wanted,
        own={str(row.keys["unit"]): [row.tally[one] for one in wanted] for row in found.rows},
        units_on=None,
        marks=periods.marks(frozen),
        last_day=closing.last,
        definition=definition,
        as_of=closing.as_of,
        known_at=closing.known_at,
    )


def _wanted(definition: RateDefinition) -> tuple[Count, ...]:
    """Return every count that a definition names, once."""
    return tuple(dict.fromkeys((*definition.numerator, *definition.denominator)))


def _candidates(tree: Mapping[str, Place], asked: Asked) -> list[Place]:
    """Return the units that are ranked: real ones below the root, of the level or its children."""
    root = asked.question.unit.code
    below: dict[str | None, list[Place]] = {}
    for one in tree.values():
        below.setdefault(one.parent, []).append(one)
    open_ = [root] if root in tree else []
    under: set[str] = set()
    while open_:
        for one in below.pop(open_.pop(), ()):
            under.add(one.code)
            open_.append(one.code)
    return [
        one
        for one in tree.values()
        if one.code in under
        and not one.code.endswith(BUCKET_SUFFIX)
        and (one.parent == root if asked.level is None else one.level == asked.level)
    ]


def _rolled(figures: _Figures, candidates: Iterable[Place]) -> dict[str, Sequence[int]]:
    """Return the wanted counts of each ranked unit with everything below it."""
    nothing: Sequence[int] = (0,) * len(figures.wanted)
    found = {one.code: nothing for one in candidates}
    tree = figures.tree
    for code, values in figures.own.items():
        above: str | None = code
        while above is not None and (place := tree.get(above)) is not None:
            held = found.get(above)
            if held is not None:
                found[above] = values if held is nothing else [*map(add, held, values)]
            above = place.parent
    return found


def _standings(
    figures: _Figures,
    asked: Asked,
    candidates: Iterable[Place],
    sums: Mapping[str, Sequence[int]],
) -> list[Standing]:
    definition = figures.definition
    above = [figures.wanted.index(one) for one in definition.numerator]
    below = [figures.wanted.index(one) for one in definition.denominator]
    groups: dict[str | None, list[tuple[str, Rate]]] = {}
    for one in candidates:
        values = sums[one.code]
        rate = Rate(
            definition.name,
            sum(values[seat] for seat in above),
            sum(values[seat] for seat in below),
            definition.rounding,
            definition.empty,
        )
        group = one.parent if asked.within is Within.PARENT else None
        groups.setdefault(group, []).append((one.code, rate))
    found: list[Standing] = []
    for group in sorted(groups, key=lambda code: code or ""):
        found += standings(groups[group], better=definition.better, minimum=asked.minimum)
    return found


def _reasons(figures: _Figures) -> list[tuple[Count, int]]:
    """Return which counts keep a rate from the best, each with its seat among the wanted ones.

    None where the definition does not tell them apart.
    """
    definition = figures.definition
    above, below = set(definition.numerator), set(definition.denominator)
    if not above <= below:
        return []
    told: Iterable[Count] = definition.denominator
    pulls = (one for one in told if (one in above) is not definition.better.is_higher)
    return [(one, figures.wanted.index(one)) for one in pulls]
