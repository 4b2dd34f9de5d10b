"""Follow a rate and counts over time, part by part, beside the same parts of the year before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Final

from app.domain.frozen import Gap
from app.domain.period import ONE_DAY, Period, Step
from app.domain.ranking import points
from app.domain.rate import Rate, RateDefinition
from app.domain.tally import Tally
from app.rulebook.metrics import Metrics, UnknownDefinition
from app.store.session import ReadSession
from app.store.tallies import Dimension
from app.usecases import freshness, reporting
from app.usecases.freshness import Marks
from app.usecases.reporting import Extent, Question

LEAP_DAY: Final = 29


class Lines(StrEnum):
    """Whether a trend has one line, or one for each unit directly below."""

    WHOLE = "whole"
    CHILDREN = "children"


@dataclass(frozen=True, slots=True)
class Before:
    """The same part of the year before; ``points`` are percentage points gained since.

    ``points`` is None when either has nothing to divide by, and when the definitions are of
    different versions, which ``is_comparable`` tells.
    """

    period: Period
    tally: Tally
    rate: Rate | None
    points: Fraction | None
    is_comparable: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One part of a line.

    ``tally`` and ``rate`` are None for a part that has not begun; ``is_over`` says whether T is
    its end; ``gap`` marks data that do not reach to it.
    """

    label: str
    period: Period
    is_over: bool
    tally: Tally | None
    rate: Rate | None
    gap: Gap | None
    before: Before | None


@dataclass(frozen=True, slots=True)
class Line:
    """A unit followed over time; ``unit`` is None for what the unit asked for holds itself."""

    unit: str | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """Lines over one span, cut alike."""

    as_of: datetime
    known_at: datetime
    lines: tuple[Line, ...]


Cells = Mapping[tuple[str | None, date], Tally]
"""Counts by line and first day of the part."""


def trend(
    session: ReadSession,
    question: Question,
    *,
    step: Step,
    lines: Lines = Lines.WHOLE,
    definition: str | None = None,
    year_before: bool = True,
    metrics: Metrics,
    now: datetime,
) -> Trend:
    """Count each part of a span, with the version of the definition in force at its end.

    :raises UnknownDefinition: there is none of this name.
    :raises TooManyParts: the span is cut too finely.
    :raises Invalid: as ``reporting.figures`` does for the same question.
    """
    name = (definition or metrics.default.id).partition("@")[0]
    if not any(one.id == name for one in metrics.definitions):
        raise UnknownDefinition(definition=name)
    as_of = question.period.observed_at(question.as_of, now=now)
    cells = _cells(session, question, step, lines, now)
    past: Cells = {}
    if year_before:
        older = replace(question, period=_year_before(question.period), as_of=None)
        past = _cells(session, older, step, lines, now)
    marks = freshness.marks(session, question.unit, until=question.period.last, now=now)
    shown = sorted({unit for unit, _ in (*cells, *past)}, key=lambda code: code or "")
    parts = list(question.period.parts(step))
    ruler = _Ruler(metrics, definition or name, as_of, question, lines, marks)
    return Trend(
        as_of,
        question.known_at or now,
        tuple(
            Line(
                unit,
                tuple(
                    ruler.point(label, part, cells, past, unit, compare=year_before)
                    for label, part in parts
                ),
            )
            for unit in shown or [None]
        ),
    )


def _cells(
    session: ReadSession, question: Question, step: Step, lines: Lines, now: datetime
) -> Cells:
    by = [Dimension.CHILD.value] if lines is Lines.CHILDREN else []
    figures = reporting.figures(
        session, question, group_by=[*by, step.value], definitions=(), now=now
    )
    return {(row.keys.get("child"), row.period.first): row.tally for row in figures.rows}


@dataclass(frozen=True, slots=True)
class _Ruler:
    """What every part is measured by."""

    metrics: Metrics
    name: str
    as_of: datetime
    question: Question
    lines: Lines
    marks: Marks

    def point(
        self,
        label: str,
        part: Period,
        cells: Cells,
        past: Cells,
        unit: str | None,
        *,
        compare: bool,
    ) -> Point:
        """Measure one part of one line."""
        has_begun = part.begins < self.as_of
        tally = cells.get((unit, part.first), Tally()) if has_begun else None
        definition = self._definition(part.last)
        rate = None if tally is None or definition is None else definition.of(tally)
        return Point(
            label=label,
            period=part,
            is_over=part.ends <= self.as_of,
            tally=tally,
            rate=rate,
            gap=self._gap(unit, part.last) if has_begun else None,
            before=self._before(part, past, unit, rate) if compare else None,
        )

    def _before(
        self, part: Period, past: Cells, unit: str | None, rate: Rate | None
    ) -> Before | None:
        older = _year_before(part)
        if older.first.day != part.first.day:
            return None
        tally = past.get((unit, older.first), Tally())
        definition = self._definition(older.last)
        found = None if definition is None else definition.of(tally)
        alike = rate is not None and found is not None and rate.definition == found.definition
        gained = points(rate, found) if alike and rate is not None and found is not None else None
        return Before(older, tally, found, gained, alike)

    def _gap(self, unit: str | None, until: date) -> Gap | None:
        root = self.question.unit.code
        if unit is not None:
            return self.marks.below(unit, until=until)
        is_alone = self.lines is Lines.CHILDREN or self.question.extent is Extent.OWN
        return (self.marks.own if is_alone else self.marks.below)(root, until=until)

    def _definition(self, day: date) -> RateDefinition | None:
        """Return the version in force on a day, None before the first one."""
        try:
            return self.metrics.named(self.name, day)
        except UnknownDefinition:
            return None


def _year_before(period: Period) -> Period:
    """Return the same days a year earlier; a part that ends with its month keeps doing so."""
    first, last = _earlier(period.first), _earlier(period.last)
    is_month_end = (period.last + ONE_DAY).day == 1 and period.first != period.last
    if is_month_end and (last + ONE_DAY).day == LEAP_DAY:
        last += ONE_DAY
    return Period(first, last)


def _earlier(day: date) -> date:
    """Return the day a year earlier, the 28th of February for a 29th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=LEAP_DAY - 1)
