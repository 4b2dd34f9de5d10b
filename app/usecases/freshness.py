"""Which sources were heard when, and which have fallen silent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from app.domain.freshness import DAYS, Freshness, freshness
from app.domain.frozen import Gap
from app.i18n import ZONE
from app.store import freshness as heard
from app.store import units
from app.store.freshness import HeardRow
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import calendars
from app.usecases.subtree import Subtree

_MOST = DAYS + 1


@dataclass(frozen=True, slots=True)
class UnitHeard:
    """How fresh a source is for one unit."""

    unit: str
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class SourceHeard:
    """How fresh a source is over some units, and for each of them."""

    source: str
    name: str
    freshness: Freshness
    units: tuple[UnitHeard, ...]


def sources(session: ReadSession, *, within: Subtree, now: datetime) -> list[SourceHeard]:
    """Return the sources that told of dossiers of a part of the tree, by code.

    Each unit is judged by its own calendar, the source as a whole by that of the state.
    """
    today = _today(now)
    rows = heard.of_units(session, lft=within.lft, rgt=within.rgt, today=today, most=_MOST)
    own = calendars.calendars_of(session, {row.unit_id for row in rows if row.unit_id is not None})
    state = calendars.state_calendar(session)
    found = []
    for _, group in groupby(rows, key=lambda row: row.source):
        lines = list(group)
        found.append(
            SourceHeard(
                source=lines[0].source,
                name=lines[0].source_name,
                freshness=freshness(_newest(lines), state, today=today),
                units=tuple(
                    UnitHeard(row.unit, freshness(row.days, own[row.unit_id], today=today))
                    for row in lines
                    if row.unit is not None and row.unit_id is not None
                ),
            )
        )
    return found


def silent_sources(session: ReadSession, *, now: datetime) -> dict[str, date]:
    """Return the sources that have fallen silent for the whole installation, and since when."""
    silent = fallen_silent(session, now=now)
    return {one.source: one.freshness.last_heard_on for one in silent}


def fallen_silent(session: ReadSession, *, now: datetime) -> list[SourceHeard]:
    """Return the sources that have fallen silent for the whole installation, by code."""
    today = _today(now)
    state = calendars.state_calendar(session)
    judged = [
        SourceHeard(row.source, row.source_name, freshness(row.days, state, today=today), ())
        for row in heard.of_sources(session, today=today, most=_MOST)
    ]
    return [one for one in judged if one.freshness.is_silent]


def gaps(session: ReadSession, *, within: Subtree, until: date, now: datetime) -> dict[str, Gap]:
    """Return the units whose data do not reach to a day, because a sender fell silent before it.

    Only units that were quiet for more than a day are looked at, so that it costs little to ask.
    """
    today = _today(now)
    before = min(until, today)
    rows = heard.quiet_units(
        session, lft=within.lft, rgt=within.rgt, before=before, today=today, most=_MOST
    )
    own = calendars.calendars_of(session, {row.unit_id for row in rows if row.unit_id is not None})
    found: dict[str, Gap] = {}
    for row in rows:
        if row.unit is None or row.unit_id is None:
            continue
        judged = freshness(row.days, own[row.unit_id], today=today)
        if judged.is_silent:
            one = Gap(judged.last_heard_on, (row.source,))
            former = found.get(row.unit)
            found[row.unit] = one if former is None else _joined((former, one))
    return found


@dataclass(frozen=True, slots=True)
class Marks:
    """Where data are missing in a part of the tree: ``gaps`` by unit, ``parents`` of its units."""

    gaps: Mapping[str, Gap]
    parents: Mapping[str, str | None]

    def own(self, unit: str, *, until: date) -> Gap | None:
        """Return what is missing of a unit alone up to a day."""
        gap = self.gaps.get(unit)
        return gap if gap is not None and gap.since < until else None

    def below(self, unit: str, *, until: date) -> Gap | None:
        """Return what is missing of a unit and all below it up to a day."""
        return together(
            gap
            for code in self.gaps
            if unit in self._lineage(code) and (gap := self.own(code, until=until)) is not None
        )

    def _lineage(self, code: str) -> list[str]:
        found = [code]
        while (above := self.parents.get(found[-1])) is not None:
            found.append(above)
        return found


def marks(session: ReadSession, root: UnitRow, *, until: date, now: datetime) -> Marks:
    """Return where data are missing below a unit up to a day."""
    found = gaps(session, within=Subtree(root.lft, root.rgt), until=until, now=now)
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
