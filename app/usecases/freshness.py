"""Which sources were heard when, and which have fallen silent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from app.domain.calendar import WorkCalendar
from app.domain.freshness import DAYS, Freshness, freshness
from app.domain.frozen import Gap
from app.i18n import ZONE
from app.store import freshness as heard
from app.store import units
from app.store.freshness import HeardRow
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import calendars, retirements
from app.usecases.subtree import Subtree

_MOST = DAYS + 1


@dataclass(frozen=True, slots=True)
class UnitHeard:
    """How fresh a source is for one unit."""

    unit: str
    freshness: Freshness
    retired_from: date | None


@dataclass(frozen=True, slots=True)
class SourceHeard:
    """How fresh a source is over some units, and for each of them.

    ``retired_from`` is the day from which on it owes nothing for any of them.
    """

    source: str
    name: str
    freshness: Freshness
    retired_from: date | None
    units: tuple[UnitHeard, ...]


def sources(session: ReadSession, *, within: Subtree, now: datetime) -> list[SourceHeard]:
    """Return the sources that told of dossiers of a part of the tree, by code.

    Each unit is judged by its own calendar, the source as a whole by that of the state.
    """
    today = _today(now)
    rows = heard.of_units(session, lft=within.lft, rgt=within.rgt, today=today, most=_MOST)
    own = calendars.calendars_of(session, {row.unit_id for row in rows if row.unit_id is not None})
    state = calendars.state_calendar(session)
    held = retirements.retired(session)
    found = []
    for _, group in groupby(rows, key=lambda row: row.source):
        lines = list(group)
        ended = held.wholly(lines[0].source, (row.lft for row in lines if row.lft is not None))
        found.append(
            SourceHeard(
                source=lines[0].source,
                name=lines[0].source_name,
                freshness=_judged(_newest(lines), state, ended, today=today),
                retired_from=ended,
                units=tuple(
                    UnitHeard(
                        row.unit,
                        _judged(row.days, own[row.unit_id], day, today=today),
                        day,
                    )
                    for row in lines
                    if row.unit is not None and row.unit_id is not None and row.lft is not None
                    for day in (held.from_on(row.source, row.lft),)
                ),
            )
        )
    return found


def _judged(
    days: Sequence[date], calendar: WorkCalendar, retired_from: date | None, *, today: date
) -> Freshness:
    """Judge a source as of today, or, when it was retired, as of the last day of its duty.

    What was heard of it afterwards is shown and breaks no silence, for nothing was owed.
    """
    if retired_from is None or retired_from > today:
        return freshness(days, calendar, today=today)
    last = retired_from - timedelta(days=1)
    owed = [day for day in days if day <= last]
    if not owed:
        return Freshness(days[0], None, None)
    return replace(freshness(owed, calendar, today=last), last_heard_on=days[0])


def silent_sources(session: ReadSession, *, now: datetime) -> dict[str, date]:
    """Return the sources that have fallen silent for the whole installation, and since when."""
    silent = fallen_silent(session, now=now)
    return {one.source: one.freshness.last_heard_on for one in silent}


def fallen_silent(session: ReadSession, *, now: datetime) -> list[SourceHeard]:
    """Return the sources that have fallen silent for the whole installation, by code."""
    today = _today(now)
    state = calendars.state_calendar(session)
    judged = [
        SourceHeard(row.source, row.source_name, freshness(row.days, state, today=today), None, ())
        for row in heard.of_sources(session, today=today, most=_MOST)
    ]
    silent = [one for one in judged if one.freshness.is_silent]
    gone = retirements.fully_retired(session, [one.source for one in silent], today=today)
    return [one for one in silent if one.source not in gone]


@dataclass(frozen=True, slots=True)
class Lapse:
    """A gap of a unit's data; ``retired_from`` is when the silent source ceased to owe any."""

    gap: Gap
    retired_from: date | None = None

    def concerns(self, until: date) -> bool:
        """Tell whether a period that ends with a day is incomplete for it."""
        is_owed = self.retired_from is None or until < self.retired_from
        return self.gap.since < until and is_owed


def gaps(session: ReadSession, *, within: Subtree, until: date, now: datetime) -> dict[str, Gap]:
    """Return the units whose data do not reach to a day, because a sender fell silent before it.

    Only units that were quiet for more than a day are looked at, so that it costs little to ask.
    """
    found = {}
    for unit, lapses in _lapses(session, within=within, until=until, now=now).items():
        gap = together(one.gap for one in lapses if one.concerns(until))
        if gap is not None:
            found[unit] = gap
    return found


def _lapses(
    session: ReadSession, *, within: Subtree, until: date, now: datetime
) -> dict[str, list[Lapse]]:
    """Return what may be missing of units in periods that end with a day or before it."""
    today = _today(now)
    before = min(until, today)
    rows = heard.quiet_units(
        session, lft=within.lft, rgt=within.rgt, before=before, today=today, most=_MOST
    )
    if not rows:
        return {}
    own = calendars.calendars_of(session, {row.unit_id for row in rows if row.unit_id is not None})
    held = retirements.retired(session)
    found: dict[str, list[Lapse]] = {}
    for row in rows:
        if row.unit is None or row.unit_id is None or row.lft is None:
            continue
        ended = held.from_on(row.source, row.lft)
        judged = _judged(row.days, own[row.unit_id], ended, today=today)
        if judged.is_silent:
            gap = Gap(judged.last_heard_on, (row.source,))
            found.setdefault(row.unit, []).append(Lapse(gap, ended))
    return found


@dataclass(frozen=True, slots=True)
class Marks:
    """Where data are missing in a part of the tree: ``gaps`` by unit, ``parents`` of its units."""

    gaps: Mapping[str, Sequence[Lapse]]
    parents: Mapping[str, str | None]
    _under: Mapping[str, Sequence[str]] = field(init=False)
    """The units with gaps at or below each unit that has any."""

    def __post_init__(self) -> None:
        """Look once for the units above each gap, so that a table of thousands asks at no cost."""
        under: dict[str, list[str]] = {}
        for code in self.gaps:
            for above in self._lineage(code):
                under.setdefault(above, []).append(code)
        object.__setattr__(self, "_under", under)

    def own(self, unit: str, *, until: date) -> Gap | None:
        """Return what is missing of a unit alone up to a day."""
        return together(one.gap for one in self.gaps.get(unit, ()) if one.concerns(until))

    def below(self, unit: str, *, until: date) -> Gap | None:
        """Return what is missing of a unit and all below it up to a day."""
        return together(
            gap
            for code in self._under.get(unit, ())
            if (gap := self.own(code, until=until)) is not None
        )

    def _lineage(self, code: str) -> list[str]:
        found = [code]
        while (above := self.parents.get(found[-1])) is not None:
            found.append(above)
        return found


def marks(session: ReadSession, root: UnitRow, *, until: date, now: datetime) -> Marks:
    """Return where data are missing below a unit up to a day."""
    found = _lapses(session, within=Subtree(root.lft, root.rgt), until=until, now=now)
    if not found:
        return Marks({}, {})
    tree = units.subtree(session, root.lft, root.rgt)
    return Marks(found, {one.code: one.parent_code for one in tree})


def together(found: Iterable[Gap]) -> Gap | None:
    """Return the gaps of several units as one, None when there is none."""
    known = tuple(found)
    return _joined(known) if known else None


def _joined(found: Sequence[Gap]) -> Gap:
    named = sorted({source for gap in found for source in gap.sources})
    return Gap(min(gap.since for gap in found), tuple(named))


def _newest(rows: Iterable[HeardRow]) -> list[date]:
    """Return the newest days of all units together; a newest day is one of its unit's newest."""
    return sorted({day for row in rows for day in row.days}, reverse=True)[:_MOST]


def _today(now: datetime) -> date:
    return now.astimezone(ZONE).date()
