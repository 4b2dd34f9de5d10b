"""How late and how long: the spread beside the figures of a period, row by row.

SQL groups what a figure counted by unit, due day and day; working days are counted here by the
calendar of each unit as it was known, so that one arithmetic of days serves figures and lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.calendar import WorkCalendar
from app.domain.errors import Invalid
from app.domain.lateness import Lateness, Spread, days_late, lateness_of
from app.domain.tally import FINISHED, Count, Tally
from app.store import tallies
from app.store.session import ReadSession
from app.store.tallies import Grouped, LateGroup
from app.usecases import calendar_book, reporting
from app.usecases.calendars import calendars_of
from app.usecases.reporting import Cut, Question

LATE_COUNTS: Final = (Count.FINISHED_LATE, Count.OPEN_OVERDUE)
Keys = tuple[tuple[str, str | None], ...]
"""The keys of a row of figures, in the order in which they were asked for."""


@dataclass(eq=False, kw_only=True)
class LatenessOfLateOnly(Invalid):
    """Only dossiers counted as late are listed by how late they are."""

    code: ClassVar[str] = "dossier.lateness_of_late_only"
    counts: str


class Include(StrEnum):
    """What may be asked for beside the counts and rates of a row."""

    LATENESS = "lateness"
    DURATIONS = "durations"
    OLDEST = "oldest"
    LEGS = "legs"


@dataclass(frozen=True, slots=True)
class OldestOpen:
    """The dossier in hand whose clock started first; ``working_days`` since then, pauses too."""

    unit: str
    source: str
    code: str
    started_on: date
    working_days: int | None


@dataclass(slots=True)
class RowSpread:
    """What was asked for beside one row."""

    include: frozenset[Include] = frozenset()
    spread: Spread = field(default_factory=Spread)
    oldest: OldestOpen | None = None
    legs: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Spreads:
    """What stands beside each row of a table, and beside its total."""

    include: frozenset[Include]
    total: RowSpread
    rows: dict[Keys, RowSpread]

    def of(self, keys: Mapping[str, str | None]) -> RowSpread:
        """Return what stands beside a row; a row without any of it has none."""
        return self.rows.get(tuple(keys.items()), RowSpread(self.include))


class Offices:
    """The calendars of units as they were known, looked up as they are needed."""

    def __init__(self, session: ReadSession, known_at: datetime | None) -> None:
        self._session = session
        self._known_at = known_at
        self._found: dict[int, WorkCalendar] = {}
        self._days: dict[tuple[int, date, date], int | None] = {}

    def load(self, units: Iterable[int]) -> None:
        """Look up the calendars of units at once."""
        missing = set(units) - self._found.keys()
        if not missing:
            return
        if self._known_at is None:
            self._found |= calendars_of(self._session, missing)
        else:
            book = calendar_book.of_units(self._session, missing)
            self._found |= {unit: book.at(unit, self._known_at) for unit in missing}

    def days_late(self, unit: int, due_on: date, until: date) -> int | None:
        """Count working days after a due day up to and including a day, at a unit."""
        calendar = self._found[unit]
        key = (id(calendar), due_on, until)
        if key not in self._days:
            self._days[key] = days_late(calendar, due_on, until)
        return self._days[key]


def spreads(
    session: ReadSession,
    question: Question,
    *,
    group_by: Sequence[str] = (),
    include: frozenset[Include],
    now: datetime,
) -> Spreads:
    """Return how late and how long the dossiers of each row of ``reporting.figures`` were.

    The classes of each row add up to its ``finished_late`` and ``open_overdue``, exactly.

    :raises Invalid: as ``reporting.figures`` does for the same question.
    """
    offices = Offices(session, question.known_at)
    cut = reporting.cut(question, group_by, now=now)
    scope = question.scope(cut.whole.ends)
    work = _Work(session, question, scope, offices, include)
    whole = work.rows(Cut((), None, (("", cut.whole),), cut.whole))
    rows = work.rows(cut) if group_by else {}
    return Spreads(include, whole.get((), RowSpread(include)), rows)


@dataclass(frozen=True, slots=True)
class _Work:
    """The work on one question."""

    session: ReadSession
    question: Question
    scope: tallies.Scope
    offices: Offices
    include: frozenset[Include]

    def rows(self, cut: Cut) -> dict[Keys, RowSpread]:
        found: dict[Keys, RowSpread] = {}
        for label, span in cut.parts:
            rows: dict[tuple[str | None, ...], RowSpread] = {}
            if Include.LATENESS in self.include:
                self._add_late(rows, cut, span)
            if Include.DURATIONS in self.include:
                self._add_taken(rows, cut, span)
            if Include.OLDEST in self.include:
                self._add_oldest(rows, cut, span)
            if Include.LEGS in self.include:
                self._add_legs(rows, cut, span)
            for keys, row in rows.items():
                found[cut.named(keys, label)] = row
        return found

    def _grouped(self, cut: Cut, span: tallies.Span, count: Count, *values: str) -> list[Grouped]:
        return tallies.grouped(
            self.session,
            self.scope,
            span,
            count=count,
            values=values,
            by=cut.by,
            of=self.question.unit.id,
        )

    def _add_late(
        self, rows: dict[tuple[str | None, ...], RowSpread], cut: Cut, span: tallies.Span
    ) -> None:
        finished = self._grouped(cut, span, Count.FINISHED_LATE, "unit_id", "due_on", "day")
        overdue = self._grouped(cut, span, Count.OPEN_OVERDUE, "unit_id", "due_on")
        self.offices.load(one.values[0] for one in (*finished, *overdue))
        for count, groups in (("finished_late", finished), ("open_overdue", overdue)):
            for one in groups:
                unit, due_on, *day = one.values
                days = self.offices.days_late(unit, due_on, day[0] if day else span.last)
                row = rows.setdefault(one.keys, RowSpread(self.include))
                row.spread.add_late(count, days, one.number)

    def _add_taken(
        self, rows: dict[tuple[str | None, ...], RowSpread], cut: Cut, span: tallies.Span
    ) -> None:
        for count in FINISHED:
            for one in self._grouped(cut, span, count, "days"):
                taken = rows.setdefault(one.keys, RowSpread(self.include)).spread.taken
                (days,) = one.values
                taken[days] = taken.get(days, 0) + one.number

    def _add_oldest(
        self, rows: dict[tuple[str | None, ...], RowSpread], cut: Cut, span: tallies.Span
    ) -> None:
        oldest = tallies.oldest_in_hand(
            self.session, self.scope, span, by=cut.by, of=self.question.unit.id
        )
        self.offices.load(one.unit_id for one in oldest)
        for one in oldest:
            started_on = one.started_at.astimezone(self.question.period.begins.tzinfo).date()
            days = self.offices.days_late(one.unit_id, started_on, span.last)
            rows.setdefault(one.keys, RowSpread(self.include)).oldest = OldestOpen(
                one.unit, one.source, one.code, started_on, days
            )

    def _add_legs(
        self, rows: dict[tuple[str | None, ...], RowSpread], cut: Cut, span: tallies.Span
    ) -> None:
        legs = replace(self.scope, legs=True)
        counted = tallies.counts(self.session, legs, span, by=cut.by, of=self.question.unit.id)
        for one in counted:
            rows.setdefault(one.keys, RowSpread(self.include)).legs = one.tally


def late_groups(
    session: ReadSession, question: Question, count: Count | None, late: Lateness, *, now: datetime
) -> list[LateGroup]:
    """Return which units, due days and days make up one class of a count of late dossiers.

    :raises LatenessOfLateOnly: the count is not one of late dossiers.
    """
    if count not in LATE_COUNTS:
        raise LatenessOfLateOnly(counts=", ".join(LATE_COUNTS))
    span = reporting.cut(question, (), now=now).whole
    is_flow = count is Count.FINISHED_LATE
    values = ("unit_id", "due_on", "day") if is_flow else ("unit_id", "due_on")
    scope = question.scope(span.ends)
    groups = tallies.grouped(session, scope, span, count=count, values=values)
    offices = Offices(session, question.known_at)
    offices.load(one.values[0] for one in groups)
    found: list[LateGroup] = []
    for one in groups:
        unit, due_on, *day = one.values
        days = offices.days_late(unit, due_on, day[0] if day else span.last)
        if lateness_of(days) is late:
            found.append((unit, due_on, day[0] if day else None))
    return found
