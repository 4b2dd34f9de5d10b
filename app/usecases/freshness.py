"""Which sources were heard when, and which have fallen silent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from app.domain.freshness import DAYS, Freshness, freshness
from app.domain.frozen import Gap
from app.i18n import ZONE
from app.store import freshness as heard
from app.store.freshness import HeardRow
from app.store.session import ReadSession
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

    A day that has not come counts as today: data of yesterday are all that there can be.
    """
    found: dict[str, Gap] = {}
    for source in sources(session, within=within, now=now):
        for one in source.units:
            last = one.freshness.last_heard_on
            if one.freshness.is_silent and last < until:
                former = found.get(one.unit)
                named = (source.source,) if former is None else (*former.sources, source.source)
                since = last if former is None else min(last, former.since)
                found[one.unit] = Gap(since, named)
    return found


def together(found: Iterable[Gap]) -> Gap | None:
    """Return the gaps of several units as one, None when there is none."""
    known = list(found)
    if not known:
        return None
    named = sorted({source for gap in known for source in gap.sources})
    return Gap(min(gap.since for gap in known), tuple(named))


def _newest(rows: Iterable[HeardRow]) -> list[date]:
    """Return the newest days of all units together; a newest day is one of its unit's newest."""
    return sorted({day for row in rows for day in row.days}, reverse=True)[:_MOST]


def _today(now: datetime) -> date:
    return now.astimezone(ZONE).date()
