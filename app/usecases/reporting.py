"""Figures: counts from the store, rates by definition, and the list behind each of them.

The only door to a percentage: API, pages, reports and the index ask here, and every figure leaves
with its counts, its definitions, the moment it was observed at and the moment of knowledge.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from app.domain.dossier import Issue
from app.domain.errors import Invalid
from app.domain.period import Period, Step
from app.domain.quality import ACROSS
from app.domain.rate import Rate, RateDefinition
from app.domain.tally import ADDING_OVER_TIME, COUNTS, IN_HAND, Count, Tally, identities
from app.domain.timeliness import JUST, Reading, State
from app.rulebook.metrics import Metrics
from app.store import tallies, units
from app.store.session import ReadSession
from app.store.tallies import Dimension, LateGroup, Listed, Span
from app.store.trees import Units
from app.store.units import UnitRow
from app.usecases import counting

MOST_PARTS = 400
"""How many parts of a period one answer may hold."""


@dataclass(eq=False, kw_only=True)
class TooManyParts(Invalid):
    """The period is cut into more parts than one answer may hold."""

    code: ClassVar[str] = "period.too_many_parts"
    most: int


@dataclass(eq=False, kw_only=True)
class GroupingUnknown(Invalid):
    """A table cannot be broken down by this word."""

    code: ClassVar[str] = "statistics.grouping_unknown"
    group_by: str
    known: str


@dataclass(eq=False, kw_only=True)
class GroupingTwice(Invalid):
    """A table is broken down by one word, or by time, only once."""

    code: ClassVar[str] = "statistics.grouping_twice"
    group_by: str


@dataclass(eq=False, kw_only=True)
class KnownInFuture(Invalid):
    """The moment of knowledge has not come yet."""

    code: ClassVar[str] = "statistics.known_in_future"
    known_at: datetime


@dataclass(eq=False, kw_only=True)
class FlagOfPresentOnly(Invalid):
    """The issue compares dossiers as they are known now, not as they were known before."""

    code: ClassVar[str] = "quality.flag_of_present_only"
    flag: str


class Extent(StrEnum):
    """Whether a unit is counted alone or with everything below it."""

    OWN = "own"
    SUBTREE = "subtree"


@dataclass(frozen=True, slots=True)
class Question:
    """Which dossiers, over which days, judged how, seen when and known when."""

    unit: UnitRow
    period: Period
    extent: Extent = Extent.SUBTREE
    reading: Reading = Reading.PROMISED
    as_of: datetime | None = None
    known_at: datetime | None = None
    exclude_same_day: bool = False
    procedure: str | None = None
    field: str | None = None
    channel: str | None = None
    applicant_type: str | None = None
    level: str | None = None
    online_level: str | None = None
    flag: Issue | None = None
    legs: bool = False
    units: Units = Units.AS_NOW
    units_on: date | None = None

    def tree_on(self, as_of: datetime) -> date | None:
        """Return the day of the tree for the units of the time: the last one before T if not told.

        One question has one tree, so that its parts and rows add up.
        """
        if self.units is Units.AS_NOW:
            return None
        return self.units_on or _last_day(self.period, as_of)

    def scope(self, as_of: datetime) -> tallies.Scope:
        """Return the dossiers asked about, as the store finds them."""
        own = self.extent is Extent.OWN
        return tallies.Scope(
            lft=self.unit.lft,
            rgt=self.unit.lft if own else self.unit.rgt,
            reading=self.reading,
            known_at=self.known_at,
            exclude_same_day=self.exclude_same_day,
            procedure=self.procedure,
            field=self.field,
            channel=self.channel,
            applicant_type=self.applicant_type,
            level=self.level,
            online_level=self.online_level,
            flag=self.flag,
            legs=self.legs,
            units=self.units,
            day=self.tree_on(as_of),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table: its keys by dimension, its counts, rates and checks."""

    keys: Mapping[str, str | None]
    period: Period
    tally: Tally
    rates: tuple[Rate, ...]
    identities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """A table of figures with everything needed to compute it again.

    ``as_of`` is T, exclusive; ``known_at`` is the moment of knowledge; ``units_on`` is the day of
    the tree for the units of the time, None for those of today.
    """

    question: Question
    as_of: datetime
    known_at: datetime
    rows: tuple[Cell, ...]
    total: Cell
    units_on: date | None = None

    @property
    def last_day(self) -> date:
        """Return the local day of the last instant before T."""
        return _last_day(self.question.period, self.as_of)


def figures(
    session: ReadSession,
    question: Question,
    *,
    group_by: Sequence[str] = (),
    definitions: Sequence[RateDefinition],
    now: datetime,
) -> Figures:
    """Count a period, broken down as asked, with rates and checked identities.

    The total also carries what only several rows can show: with a breakdown by time ``I3``, what
    was in hand at the end of a part against what the next one carried over; ``I4``, the sum of the
    rows against the whole.

    :raises GroupingUnknown: a word of ``group_by`` is no dimension and no part of time.
    :raises GroupingTwice: a word occurs twice, or two words cut the time.
    :raises ObservedAfterEnd: ``as_of`` lies after the period.
    :raises KnownInFuture: ``known_at`` has not come.
    :raises TooManyParts: the period is cut too finely.
    """
    if question.known_at is not None and question.known_at > now:
        raise KnownInFuture(known_at=question.known_at)
    by, step = _dimensions(group_by)
    parts = _parts(question.period, step)
    as_of = question.period.observed_at(question.as_of, now=now)
    scope = question.scope(as_of)
    rows: list[Cell] = []
    seen = [one for one in parts if one[1].begins < as_of or len(parts) == 1]
    spans = [_span(part, min(part.ends, as_of)) for _, part in seen]
    found = counting.counts(session, scope, spans, by=by, of=question.unit.id)
    for (label, part), counted in zip(seen, found, strict=True):
        for row in counted:
            keys: dict[str, str | None] = dict(zip((d.value for d in by), row.keys, strict=True))
            if step is not None:
                keys[step.value] = label
            rows.append(_cell(keys, part, row.tally, definitions))
    whole = found[0]
    if group_by:
        (whole,) = counting.counts(session, scope, [_span(question.period, as_of)])
    total = Tally.total(row.tally for row in whole)
    return Figures(
        question=question,
        as_of=as_of,
        known_at=question.known_at or now,
        rows=tuple(rows),
        units_on=question.tree_on(as_of),
        total=replace(
            _cell({}, question.period, total, definitions),
            identities=identities(total) | (_between(rows, total, step) if group_by else {}),
        ),
    )


def with_rows(
    figures: Figures,
    wanted: Iterable[tuple[tuple[str, str | None], ...]],
    *,
    group_by: Sequence[str],
    definitions: Sequence[RateDefinition],
) -> Figures:
    """Return a table with a row of nothing for each keys that it has no row of, in their place."""
    _, step = _dimensions(group_by)
    parts = _parts(figures.question.period, step)
    order = {part: place for place, (_, part) in enumerate(parts)}
    rows = {tuple(row.keys.items()): row for row in figures.rows}
    labels = dict(parts)
    for keys in wanted:
        named = dict(keys)
        part = labels["" if step is None else str(named[step.value])]
        rows.setdefault(keys, _cell(named, part, Tally(), definitions))
    placed = sorted(
        rows.values(),
        key=lambda row: (order[row.period], [value or "" for value in row.keys.values()]),
    )
    return replace(figures, rows=tuple(placed))


def _between(rows: Sequence[Cell], total: Tally, step: Step | None) -> dict[str, int]:
    """Return what is left over of the sums between rows, 0 where they hold."""
    whole = Tally.total(row.tally for row in rows)
    adding = COUNTS if step is None else ADDING_OVER_TIME
    found = {"I4": max(abs(whole[count] - total[count]) for count in adding)}
    if step is not None:
        found["I3"] = _handed_over(rows, step)
    return found


def _handed_over(rows: Sequence[Cell], step: Step) -> int:
    """Return the greatest gap between one part's stock at its end and the next one's at its start.

    A line of the table that is missing in a part held nothing in it.
    """
    periods = sorted({row.period for row in rows}, key=lambda period: period.first)
    lines: dict[tuple[str | None, ...], dict[Period, Tally]] = {}
    for row in rows:
        keys = tuple(value for name, value in row.keys.items() if name != step.value)
        lines.setdefault(keys, {})[row.period] = row.tally
    nothing = Tally()
    return max(
        (
            abs(line.get(after, nothing)[Count.CARRIED_OVER] - held.sum(IN_HAND))
            for line in lines.values()
            for before, after in pairwise(periods)
            for held in (line.get(before, nothing),)
        ),
        default=0,
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """How a question is cut into rows: by dimensions, and by parts of time with their labels."""

    by: tuple[Dimension, ...]
    step: Step | None
    parts: tuple[tuple[str, Span], ...]
    whole: Span

    def named(self, keys: Sequence[str | None], label: str) -> tuple[tuple[str, str | None], ...]:
        """Return the keys of a row with their names, as ``Cell.keys`` has them."""
        found = tuple(zip((one.value for one in self.by), keys, strict=True))
        return found if self.step is None else (*found, (self.step.value, label))


def cut(question: Question, group_by: Sequence[str], *, now: datetime) -> Cut:
    """Return how ``figures`` cuts a question, with T as the end of the last part.

    :raises Invalid: as ``figures`` does.
    """
    by, step = _dimensions(group_by)
    parts = _parts(question.period, step)
    as_of = question.period.observed_at(question.as_of, now=now)
    return Cut(
        tuple(by),
        step,
        tuple(
            (label, _span(part, min(part.ends, as_of)))
            for label, part in parts
            if part.begins < as_of or len(parts) == 1
        ),
        _span(question.period, as_of),
    )


def by_unit(
    session: ReadSession, question: Question, *, now: datetime
) -> tuple[datetime, dict[str, Tally]]:
    """Return the counts of each unit of a subtree that holds dossiers, and T."""
    as_of, span = observed(question, now=now)
    (found,) = counting.counts(session, question.scope(as_of), [span], by=[Dimension.UNIT])
    return as_of, {row.keys[0] or "": row.tally for row in found}


def some_by_unit(
    session: ReadSession, question: Question, *, wanted: Sequence[Count], now: datetime
) -> tuple[datetime, dict[str, tuple[int, ...]]]:
    """Return a few counts of each unit of a subtree that holds any of them, and T."""
    as_of, span = observed(question, now=now)
    return as_of, counting.by_unit(session, question.scope(as_of), span, wanted=wanted)


def observed(question: Question, *, now: datetime) -> tuple[datetime, Span]:
    """Return T and the period up to it, for a count that is no figure of the statistics.

    :raises ObservedAfterEnd: ``as_of`` lies after the period.
    :raises ObservedBeforeBegin: it lies before.
    :raises KnownInFuture: ``known_at`` has not come.
    """
    if question.known_at is not None and question.known_at > now:
        raise KnownInFuture(known_at=question.known_at)
    as_of = question.period.observed_at(question.as_of, now=now)
    return as_of, _span(question.period, as_of)


@dataclass(frozen=True, slots=True)
class Changed:
    """The dossiers that count otherwise now than at a moment of knowledge.

    Their counts are by (unit, source, code), ``then`` and ``now``. ``shown`` are the units that
    are shown now; ``moved`` are those that stand elsewhere since, or stand for other ones.
    """

    then: Mapping[tuple[str, int, str], Tally]
    now: Mapping[tuple[str, int, str], Tally]
    shown: frozenset[str]
    moved: frozenset[str]


def changed_since(session: ReadSession, question: Question, *, known_at: datetime) -> Changed:
    """Count the dossiers of which something was learned after a moment, as known then and now.

    The question is asked as of its own ``as_of``, or of the end of its period.
    """
    as_of = question.as_of or question.period.ends
    span = _span(question.period, as_of)
    scope = question.scope(as_of)
    past = replace(scope, known_at=known_at)
    among = tuple(
        sorted(
            {
                key
                for one in (scope, past)
                for key in tallies.changed_since(session, one, since=known_at, before=as_of)
            }
        )
    )
    shown, were = tallies.units_shown(session, scope), tallies.units_shown(session, past)
    return Changed(
        then=tallies.by_dossier(session, replace(past, among=among), span),
        now=tallies.by_dossier(session, replace(scope, among=among), span),
        shown=frozenset(shown),
        moved=frozenset(
            unit for unit in shown.keys() | were.keys() if shown.get(unit) != were.get(unit)
        ),
    )


FINISHES = (Count.FINISHED_EARLY, Count.FINISHED_ON_TIME, Count.FINISHED_LATE)


def finishes_by_part(
    session: ReadSession, question: Question, *, parts: Sequence[Period], now: datetime
) -> list[Tally]:
    """Return what was finished early, on time and late in each part of a period, for a trend.

    The parts follow one another without a gap and make up the period; each tally holds the three
    counts of finishes and nothing else.
    """
    as_of = question.period.observed_at(question.as_of, now=now)
    spans = [_span(part, min(part.ends, as_of)) for part in parts if part.begins < as_of]
    scope = question.scope(as_of)
    found = counting.passing(session, scope, spans, wanted=FINISHES) if spans else []
    return found + [Tally()] * (len(parts) - len(spans))


def dossiers_behind(
    session: ReadSession,
    question: Question,
    *,
    count: Count | None = None,
    state: State | None = None,
    late: Sequence[LateGroup] | None = None,
    after: tuple[int, int, str, int] | None = None,
    limit: int,
    now: datetime,
) -> list[Listed]:
    """List exactly the dossiers that a count counted, or that stand in a state at T.

    :raises FlagOfPresentOnly: an issue across dossiers is asked of an earlier knowledge.
    """
    if question.known_at is not None and question.flag in ACROSS:
        raise FlagOfPresentOnly(flag=question.flag)
    as_of = question.period.observed_at(question.as_of, now=now)
    by_itself = question.flag is not None and count is None
    return tallies.listed(
        session,
        replace(question.scope(as_of), with_uncounted=by_itself),
        _span(question.period, as_of),
        count=count,
        state=state,
        late=late,
        after=after,
        limit=limit,
    )


def definitions_of(metrics: Metrics, names: Sequence[str], day: date) -> list[RateDefinition]:
    """Return the definitions asked for as in force on a day, the default one when none is named.

    :raises UnknownDefinition: there is none of this name.
    """
    return [metrics.named(name, day) for name in names] or [metrics.default]


def unit_of(session: ReadSession, code: str) -> UnitRow:
    """Return a unit by its code.

    :raises UnitUnknown: there is none.
    """
    return units.get(session, code)


def _dimensions(group_by: Sequence[str]) -> tuple[list[Dimension], Step | None]:
    by: list[Dimension] = []
    step: Step | None = None
    for place, word in enumerate(group_by):
        is_step = word in {one.value for one in Step}
        if word in group_by[:place] or (is_step and step is not None):
            raise GroupingTwice(group_by=word)
        if is_step:
            step = Step(word)
        elif word in {one.value for one in Dimension}:
            by.append(Dimension(word))
        else:
            known = ", ".join([*Dimension, *Step])
            raise GroupingUnknown(group_by=word, known=known)
    return by, step


def _parts(period: Period, step: Step | None) -> list[tuple[str, Period]]:
    if step is None:
        return [("", period)]
    parts = []
    for part in period.parts(step):
        parts.append(part)
        if len(parts) > MOST_PARTS:
            raise TooManyParts(most=MOST_PARTS)
    return parts


def _span(period: Period, ends: datetime) -> Span:
    """Return the period up to T; its last day is that of the last instant before T."""
    return Span(period.begins, ends, period.first, _last_day(period, ends))


def _last_day(period: Period, ends: datetime) -> date:
    return min(period.last, (ends - JUST).astimezone(period.begins.tzinfo).date())


def _cell(
    keys: Mapping[str, str | None],
    period: Period,
    tally: Tally,
    definitions: Sequence[RateDefinition],
) -> Cell:
    rates = tuple(definition.of(tally) for definition in definitions)
    return Cell(keys, period, tally, rates, identities(tally))
