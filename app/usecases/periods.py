"""Close periods, and answer from what was closed: the same figures for ever.

Closing writes the counts of every unit, field and procedure down, with the definitions in force,
the moment of knowledge and a digest over all of it. Nothing learned later changes them; what they
would be today is a restatement (``app.usecases.restatements``).
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar, Final

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.frozen import Closing, FrozenRow, FrozenUnit, digest
from app.domain.period import Period
from app.domain.rate import RateDefinition
from app.domain.tally import COUNTS, Tally, identities
from app.domain.timeliness import Reading
from app.rulebook.metrics import Metrics, UnknownDefinition
from app.rulebook.periods import period_kind
from app.store import audit, periods, units
from app.store.periods import PeriodRow
from app.store.session import ReadSession, WriteSession
from app.store.tallies import UNKNOWN, Dimension
from app.store.trees import Units
from app.store.units import UnitRow
from app.usecases import freshness, reporting
from app.usecases.access import Principal
from app.usecases.freshness import Lapse, Marks
from app.usecases.reporting import Cell, Extent, Figures, Question
from app.usecases.subtree import Subtree

NAMESPACE: Final = uuid.UUID("6c1d4a7e-2f0b-4f0a-9d3a-7b1f5a0c9e21")
FROZEN_BY: Final = (
    Dimension.UNIT,
    Dimension.CHILD,
    Dimension.LEVEL,
    Dimension.FIELD,
    Dimension.PROCEDURE,
)
"""What closed figures can be broken down by."""


@dataclass(eq=False, kw_only=True)
class PeriodUnknown(NotFound):
    """No closed period has this id, or none that concerns the caller's units."""

    code: ClassVar[str] = "period.unknown"
    period: str


@dataclass(eq=False, kw_only=True)
class PeriodNotOver(Conflict):
    """A period is closed when it is over, not before."""

    code: ClassVar[str] = "period.not_over"
    last: date
    ends: datetime


@dataclass(eq=False, kw_only=True)
class PeriodClosedAlready(Conflict):
    """These days of this unit were closed before; that closing stands."""

    code: ClassVar[str] = "period.closed_already"
    unit: str
    period: str
    closed_at: datetime


@dataclass(eq=False, kw_only=True)
class PeriodInMotion(Conflict):
    """Dossiers were written while they were counted, and the sums did not hold; try again."""

    code: ClassVar[str] = "period.in_motion"
    unit: str


@dataclass(eq=False, kw_only=True)
class NotFrozen(Invalid):
    """Closed figures do not tell this apart."""

    code: ClassVar[str] = "period.not_frozen"
    word: str
    known: str


@dataclass(eq=False, kw_only=True)
class UnitNotFrozen(NotFound):
    """The unit did not belong to the closed part of the tree when the period was closed."""

    code: ClassVar[str] = "period.unit_not_frozen"
    unit: str
    period: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days are to be closed: explicit ones, or those of a named kind."""

    period: Period
    kind: str | None = None
    label: str | None = None


def named(kind: str, label: str) -> Wanted:
    """Return the days of a named period.

    :raises PeriodKindUnknown: there is no such kind.
    :raises PeriodLabelInvalid: a period of this kind is not named so.
    """
    return Wanted(period_kind(kind).period(label), kind, label)


# ---------------------------------------------------------------- closing


def close(
    session: WriteSession,
    unit: UnitRow,
    wanted: Wanted,
    *,
    metrics: Metrics,
    readings: Collection[Reading] = (Reading.PROMISED,),
    document: str | None = None,
    actor: str,
    now: datetime,
) -> PeriodRow:
    """Write down the figures of a period for a unit and everything below it.

    The row that this adds is what others read: index and feed follow ``app.store.periods.page``.

    :raises PeriodNotOver: the last day is not over.
    :raises PeriodClosedAlready: these days of the unit were closed before.
    :raises PeriodInMotion: the sums do not hold, because dossiers are being written.
    """
    span = wanted.period
    if now < span.ends:
        raise PeriodNotOver(last=span.last, ends=span.ends)
    before = periods.find_closed(session, unit.id, span.first, span.last)
    if before is not None:
        raise _closed_already(before)
    asked = tuple(reading for reading in Reading if reading in readings)
    rows = [row for reading in asked for row in _counted(session, unit, span, reading, now)]
    inside = Subtree(unit.lft, unit.rgt)
    closing = Closing(
        unit=unit.code,
        first=span.first,
        last=span.last,
        kind=wanted.kind,
        label=wanted.label,
        as_of=span.ends,
        known_at=now,
        closed_at=now,
        closed_by=actor,
        document=document,
        readings=tuple(reading.value for reading in asked),
        counts=tuple(count.value for count in COUNTS),
        definitions=tuple(one.name for one in metrics.on(span.last)),
        default_definition=metrics.default.name,
        units=_tree(session, unit),
        gaps=freshness.gaps(session, within=inside, until=span.last, now=now),
    )
    taken = digest(closing, rows)
    identifier = uuid.uuid5(NAMESPACE, f"{unit.code}|{span.first}|{span.last}|{taken}")
    if not periods.add(session, identifier, unit.id, closing, rows, digest=taken):
        found = periods.find_closed(session, unit.id, span.first, span.last)
        raise PeriodInMotion(unit=unit.code) if found is None else _closed_already(found)
    audit.append(
        session,
        actor=actor,
        action="period.close",
        subject=str(identifier),
        unit_id=unit.id,
        after={
            "unit": unit.code,
            "from": span.first.isoformat(),
            "to": span.last.isoformat(),
            "digest": taken,
        },
    )
    return PeriodRow(identifier, unit.id, unit.lft, unit.rgt, closing, len(rows), taken)


def _closed_already(before: PeriodRow) -> PeriodClosedAlready:
    closing = before.closing
    return PeriodClosedAlready(
        unit=closing.unit, period=str(before.id), closed_at=closing.closed_at
    )


def _counted(
    session: ReadSession, unit: UnitRow, span: Period, reading: Reading, now: datetime
) -> list[FrozenRow]:
    """Count by unit, field and procedure, and the same-day limits apart from the rest."""
    by = (Dimension.UNIT.value, Dimension.FIELD.value, Dimension.PROCEDURE.value)
    found: list[dict[tuple[str | None, ...], Tally]] = []
    for exclude in (False, True):
        question = Question(
            unit=unit, period=span, reading=reading, exclude_same_day=exclude, as_of=span.ends
        )
        figures = reporting.figures(session, question, group_by=by, definitions=(), now=now)
        if any(figures.total.identities.values()):
            raise PeriodInMotion(unit=unit.code)
        found.append({tuple(row.keys[name] for name in by): row.tally for row in figures.rows})
    whole, other = found
    rows = []
    for keys, tally in whole.items():
        rest = other.get(keys, Tally())
        same = [all_of - part for all_of, part in zip(tally.values, rest.values, strict=True)]
        if min(same) < 0:
            raise PeriodInMotion(unit=unit.code)
        for is_same_day, counts in ((False, rest.values), (True, tuple(same))):
            if any(counts):
                rows.append(
                    FrozenRow(reading, keys[0] or "", keys[1], keys[2], is_same_day, counts)
                )
    return rows


def _tree(session: ReadSession, unit: UnitRow) -> tuple[FrozenUnit, ...]:
    return tuple(
        FrozenUnit(one.code, one.name, one.level, None if one.id == unit.id else one.parent_code)
        for one in units.subtree(session, unit.lft, unit.rgt)
    )


# ---------------------------------------------------------------- finding


def get_period(session: ReadSession, identifier: uuid.UUID, *, who: Principal) -> PeriodRow:
    """Return a closed period that holds figures of the caller's units.

    That is one of a unit that the caller sees, or of a unit above the caller's own.

    :raises PeriodUnknown: there is none.
    """
    found = periods.find(session, identifier)
    if found is None or not concerns(found, lft=who.lft, rgt=who.rgt):
        raise PeriodUnknown(period=str(identifier))
    return found


def concerns(one: PeriodRow, *, lft: int, rgt: int) -> bool:
    """Tell whether a closed period is that of a part of the tree, or of a unit above it."""
    return lft <= one.unit_lft <= rgt or (one.unit_lft <= lft and rgt <= one.unit_rgt)


def verify(session: ReadSession, one: PeriodRow) -> bool:
    """Take the digest of the kept rows again and tell whether it is the one of the closing."""
    return digest(one.closing, periods.rows_of(session, one)) == one.digest


def marks(one: PeriodRow) -> Marks:
    """Return where data were missing when a period was closed."""
    lapses = {unit: (Lapse(gap),) for unit, gap in one.closing.gaps.items()}
    return Marks(lapses, {unit.code: unit.parent for unit in one.closing.units})


# ---------------------------------------------------------------- answering


def definitions_of(one: PeriodRow, metrics: Metrics, names: Sequence[str]) -> list[RateDefinition]:
    """Return the definitions asked for, those without a version as they were frozen.

    :raises UnknownDefinition: there is none of this name.
    """
    frozen = {name.partition("@")[0]: name for name in one.closing.definitions}
    wanted = list(names) or [one.closing.default_definition]
    missing = [name for name in wanted if "@" not in name and name not in frozen]
    if missing:
        raise UnknownDefinition(definition=missing[0])
    return [metrics.get(name if "@" in name else frozen[name]) for name in wanted]


def figures(
    session: ReadSession,
    one: PeriodRow,
    question: Question,
    *,
    group_by: Sequence[str] = (),
    definitions: Sequence[RateDefinition],
) -> Figures:
    """Answer from the rows of a closed period; the same question is answered alike for ever.

    The question names a unit, an extent, a reading and filters; its days are those that were
    closed, whatever it says.

    :raises UnitNotFrozen: the unit was not below the one that was closed.
    :raises NotFrozen: the reading, a dimension or a filter that closed figures do not have.
    """
    closing = one.closing
    dimensions = _dimensions(group_by)
    _check_filters(question)
    if question.reading.value not in closing.readings:
        raise NotFrozen(word=question.reading.value, known=", ".join(closing.readings))
    tree = Tree(closing.units)
    if question.unit.code not in tree:
        raise UnitNotFrozen(unit=question.unit.code, period=str(one.id))
    inside = tree.below(question.unit.code)
    if question.extent is Extent.OWN:
        inside = [question.unit.code]
    if question.level is not None:
        inside = [code for code in inside if tree.level(code) == question.level]
    summed = periods.sums(
        session,
        one,
        reading=question.reading.value,
        units=inside,
        by_field=Dimension.FIELD in dimensions,
        by_procedure=Dimension.PROCEDURE in dimensions,
        exclude_same_day=question.exclude_same_day,
        field=question.field,
        procedure=question.procedure,
        unknown=UNKNOWN,
    )
    cells: dict[tuple[str | None, ...], Tally] = {}
    total = Tally()
    for row in summed:
        values = {
            Dimension.UNIT: row.unit,
            Dimension.CHILD: tree.child_towards(question.unit.code, row.unit),
            Dimension.LEVEL: tree.level(row.unit),
            Dimension.FIELD: row.field,
            Dimension.PROCEDURE: row.procedure,
        }
        keys = tuple(values[one] for one in dimensions)
        tally = Tally.from_mapping(dict(zip(closing.counts, row.counts, strict=True)))
        cells[keys] = cells.get(keys, Tally()) + tally
        total += tally
    span = Period(closing.first, closing.last)
    rows = [
        _cell(dict(zip(group_by, keys, strict=True)), span, tally, definitions)
        for keys, tally in sorted(cells.items(), key=lambda item: _sortable(item[0]))
        if any(tally.values)
    ]
    whole = _cell({}, span, total, definitions)
    if group_by:
        added = Tally.total(row.tally for row in rows)
        left = max(abs(added[count] - total[count]) for count in COUNTS)
        whole = replace(whole, identities={**whole.identities, "I4": left})
    asked = Question(
        unit=question.unit,
        period=span,
        extent=question.extent,
        reading=question.reading,
        as_of=closing.as_of,
        known_at=closing.known_at,
        exclude_same_day=question.exclude_same_day,
        procedure=question.procedure,
        field=question.field,
        level=question.level,
    )
    return Figures(
        question=asked,
        as_of=closing.as_of,
        known_at=closing.known_at,
        rows=tuple(rows) if group_by else (),
        total=whole,
    )


def by_unit(session: ReadSession, one: PeriodRow, unit: UnitRow) -> dict[str, Tally]:
    """Return the frozen counts of each unit of a subtree by itself, as promised.

    :raises UnitNotFrozen: the unit was not below the one that was closed.
    :raises NotFrozen: the closing does not hold the promised reading.
    """
    question = Question(unit, Period(one.closing.first, one.closing.last))
    found = figures(session, one, question, group_by=[Dimension.UNIT.value], definitions=())
    return {row.keys[Dimension.UNIT.value] or "": row.tally for row in found.rows}


def closing_of(
    session: ReadSession, unit: UnitRow, span: Period, *, known_at: datetime
) -> PeriodRow | None:
    """Return the closing of some days for a unit, of its own or of the nearest unit above it.

    One that was made after ``known_at``, did not hold the unit, or did not count by the promised
    date is none.
    """
    for row in units.ancestors(session, unit):
        found = periods.find_closed(session, row.id, span.first, span.last)
        if found is None or found.closing.closed_at > known_at:
            continue
        holds = any(one.code == unit.code for one in found.closing.units)
        if holds and Reading.PROMISED.value in found.closing.readings:
            return found
    return None


def _cell(
    keys: Mapping[str, str | None],
    span: Period,
    tally: Tally,
    definitions: Iterable[RateDefinition],
) -> Cell:
    rates = tuple(definition.of(tally) for definition in definitions)
    return Cell(keys, span, tally, rates, identities(tally))


def _sortable(keys: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(key or "" for key in keys)


def _dimensions(group_by: Sequence[str]) -> list[Dimension]:
    for place, word in enumerate(group_by):
        if word not in set(FROZEN_BY):
            raise NotFrozen(word=word, known=", ".join(FROZEN_BY))
        if word in group_by[:place]:
            raise reporting.GroupingTwice(group_by=word)
    return [Dimension(word) for word in group_by]


def _check_filters(question: Question) -> None:
    if question.units is not Units.AS_NOW or question.units_on is not None:
        raise NotFrozen(word="units", known=Units.AS_NOW)
    for name in ("as_of", "known_at", "channel", "applicant_type", "online_level", "flag"):
        if getattr(question, name) is not None:
            raise NotFrozen(word=name, known="field, procedure, level, exclude_same_day")


class Tree:
    """The units of a closed period as they stood then."""

    def __init__(self, frozen: Iterable[FrozenUnit]) -> None:
        """Take the units, each after the one above it."""
        self._units = {one.code: one for one in frozen}

    def __contains__(self, code: object) -> bool:
        """Tell whether a unit was part of what was closed."""
        return code in self._units

    @property
    def codes(self) -> tuple[str, ...]:
        """Return every unit that was part of what was closed."""
        return tuple(self._units)

    def level(self, code: str) -> str:
        """Return the level of a unit."""
        return self._units[code].level

    def name(self, code: str) -> str:
        """Return the name of a unit."""
        return self._units[code].name

    def parent(self, code: str) -> str | None:
        """Return the unit above, None for the one that was closed."""
        return self._units[code].parent

    def lineage(self, code: str) -> list[str]:
        """Return a unit and those above it, up to the one that was closed."""
        found = [code]
        while (above := self._units[found[-1]].parent) is not None:
            found.append(above)
        return found

    def below(self, code: str) -> list[str]:
        """Return a unit and all below it."""
        return [one for one in self._units if code in self.lineage(one)]

    def child_towards(self, root: str, code: str) -> str | None:
        """Return the child of a unit under which another stands; None for the unit itself."""
        line = self.lineage(code)
        at = line.index(root) if root in line else 0
        return line[at - 1] if at else None
