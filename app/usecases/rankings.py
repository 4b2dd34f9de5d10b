"""Rank units by one definition over one period, and against another period.

A unit counts with everything below it. Its figures come from ``app.usecases.reporting``, or from
a closed period; the tree of a closed period is the one that was closed with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from app.domain.frozen import Gap
from app.domain.period import Period
from app.domain.ranking import LEAST_VOLUME, Delta, Standing, delta, standings
from app.domain.rate import Rate, RateDefinition
from app.domain.tally import Count, Tally
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
    tally: Tally
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
    """What one side gives: its tree, the counts of each unit alone, and who fell silent."""

    tree: Mapping[str, Place]
    own: Mapping[str, Tally]
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
    here = _figures(session, asked, side, metrics, now)
    there = None if against is None else _figures(session, asked, against, metrics, now)
    places = _standings(here, asked)
    before = {} if there is None else {one.unit: one for one in _standings(there, asked)}
    sums = _rolled(here, asked)
    rows = [
        Ranked(
            name=here.tree[one.unit].name,
            parent=here.tree[one.unit].parent,
            standing=one,
            tally=sums[one.unit],
            reasons=_reasons(here.definition, sums[one.unit]),
            gap=here.marks.below(one.unit, until=here.last_day),
            delta=None if there is None else _delta(one, before.get(one.unit), here, there),
            before=before.get(one.unit),
        )
        for one in places
    ]
    return Ranking(
        question=replace(
            asked.question,
            period=side.period,
            as_of=here.as_of,
            known_at=here.known_at,
            units_on=here.units_on,
        ),
        definition=here.definition,
        as_of=here.as_of,
        known_at=here.known_at,
        rows=tuple(one for one in rows if one.standing.place is not None),
        hidden=tuple(one for one in rows if one.standing.place is None),
    )


def _delta(one: Standing, before: Standing | None, here: _Figures, there: _Figures) -> Delta:
    if before is None and here.definition.name != there.definition.name:
        other = Rate(there.definition.name, 0, 0)
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
    as_of, own = reporting.by_unit(session, question, now=now)
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
    return _Figures(
        tree={one.code: Place(one.code, one.name, one.level, one.parent) for one in closing.units},
        own={str(row.keys["unit"]): row.tally for row in found.rows},
        units_on=None,
        marks=periods.marks(frozen),
        last_day=closing.last,
        definition=definition,
        as_of=closing.as_of,
        known_at=closing.known_at,
    )


def _candidates(figures: _Figures, asked: Asked) -> list[Place]:
    """Return the units that are ranked: real ones below the root, of the level or its children."""
    root = asked.question.unit.code
    return [
        one
        for one in figures.tree.values()
        if one.code != root
        and not one.code.endswith(BUCKET_SUFFIX)
        and root in _lineage(figures.tree, one.code)
        and (one.parent == root if asked.level is None else one.level == asked.level)
    ]


def _lineage(tree: Mapping[str, Place], code: str) -> list[str]:
    """Return a unit and those above it, as far as the tree goes."""
    found = [code]
    while (parent := tree[found[-1]].parent) is not None and parent in tree:
        found.append(parent)
    return found


def _rolled(figures: _Figures, asked: Asked) -> dict[str, Tally]:
    """Return the counts of each ranked unit with everything below it."""
    found = {one.code: Tally() for one in _candidates(figures, asked)}
    for code, tally in figures.own.items():
        for above in _lineage(figures.tree, code) if code in figures.tree else ():
            if above in found:
                found[above] += tally
    return found


def _standings(figures: _Figures, asked: Asked) -> list[Standing]:
    sums = _rolled(figures, asked)
    rates = {code: figures.definition.of(tally) for code, tally in sums.items()}
    groups: dict[str | None, list[tuple[str, Rate]]] = {}
    for one in _candidates(figures, asked):
        group = one.parent if asked.within is Within.PARENT else None
        groups.setdefault(group, []).append((one.code, rates[one.code]))
    found: list[Standing] = []
    for group in sorted(groups, key=lambda code: code or ""):
        found += standings(groups[group], better=figures.definition.better, minimum=asked.minimum)
    return found


def _reasons(definition: RateDefinition, tally: Tally) -> tuple[tuple[Count, int], ...]:
    """Return what keeps a rate from the best, where the definition tells it apart."""
    above, below = set(definition.numerator), set(definition.denominator)
    if not above <= below:
        return ()
    told: Iterable[Count] = definition.denominator
    pulls = (one for one in told if (one in above) is not definition.better.is_higher)
    return tuple((one, tally[one]) for one in pulls if tally[one])
