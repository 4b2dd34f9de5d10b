"""Every version of every calendar that holds for some units, by the moment of knowledge.

A dossier is judged by the calendars that were known when its receipt was told (or when a change
was applied to it); saving a new version, or moving a unit in the tree, moves nothing by itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from app.domain.calendar import WorkCalendar
from app.store import calendars, units
from app.store.calendars import CalendarRow
from app.store.session import ReadSession
from app.usecases.calendars import STATE, composed

Layers = tuple[tuple[CalendarRow, ...], ...]
"""Calendars that are laid over each other, the state's first, each with its versions in order."""

MOST_ASKED: Final = 20_000
"""So many answers are kept; then all are forgotten and found again."""


_EVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CalendarBook:
    """The calendars of units, as known at any moment.

    ``layers`` gives for each unit what is laid over each other, with the moment since which it
    was known to stand below those units; the first of a unit has no such moment.
    """

    layers: Mapping[int, tuple[tuple[datetime | None, Layers], ...]]
    made: dict[tuple[tuple[str, int], ...], WorkCalendar] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Calendars laid over each other already, by their names and versions."""
    asked: dict[tuple[int, datetime], WorkCalendar] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Answers given lately about moments that lie before the newest calendar of a unit."""
    newest: dict[int, tuple[datetime, WorkCalendar]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """The newest calendar of each unit asked for, and since when it is the one that is known."""

    def at(self, unit: int, known_at: datetime) -> WorkCalendar:
        """Return the calendar of a unit as it was known at a moment."""
        newest = self.newest.get(unit)
        if newest is not None and newest[0] <= known_at:
            return newest[1]
        answer = self.asked.get((unit, known_at))
        if answer is not None:
            return answer
        answer, since = self._at(unit, known_at), self._since(unit)
        if since <= known_at:
            self.newest[unit] = (since, answer)
            return answer
        if len(self.asked) >= MOST_ASKED:
            self.asked.clear()
        self.asked[unit, known_at] = answer
        return answer

    def _since(self, unit: int) -> datetime:
        """Return the moment from which on nothing more was learned of a unit's calendar."""
        told = self.layers[unit]
        moments = [since for since, _ in told if since is not None]
        rows = [row for _, layers in told for versions in layers for row in versions]
        return max([*moments, *[row.recorded_at for row in rows]], default=_EVER)

    def _at(self, unit: int, known_at: datetime) -> WorkCalendar:
        rows = []
        told = self.layers[unit]
        held = told[0][1]
        for since, layers in told[1:]:
            if since is not None and since <= known_at:
                held = layers
        for versions in held:
            known = [row for row in versions if row.recorded_at <= known_at]
            if known:
                rows.append(known[-1])
        key = tuple([(row.id, row.version) for row in rows])
        found = self.made.get(key)
        if found is None:
            found = self.made[key] = composed(rows)
        return found

    def joined(self, other: "CalendarBook") -> "CalendarBook":
        """Return the calendars of the units of both."""
        return CalendarBook({**self.layers, **other.layers}, {**self.made, **other.made})


def of_units(session: ReadSession, unit_ids: Iterable[int]) -> CalendarBook:
    """Return the book of some units."""
    asked = set(unit_ids)
    stored: dict[str, list[CalendarRow]] = {}
    for row in calendars.every_version(session):
        stored.setdefault(row.id, []).append(row)
    state = [tuple(stored[STATE])] if STATE in stored else []
    own = {rows[0].unit_id: tuple(rows) for rows in stored.values() if rows[0].unit_id is not None}
    if not own:
        return CalendarBook(dict.fromkeys(asked, ((None, tuple(state)),)))

    def layers(line: Sequence[int]) -> Layers:
        return tuple(state + [own[each] for each in line if each in own])

    moves = units.moves(session)
    if not moves:
        lines = units.lineages(session, asked)
        return CalendarBook({unit: ((None, layers(lines[unit])),) for unit in asked})
    ancestry = _Ancestry(units.parents(session), moves)
    return CalendarBook(
        {
            unit: tuple(
                (since, layers(ancestry.line(unit, since))) for since in ancestry.turns(unit)
            )
            for unit in asked
        }
    )


@dataclass(frozen=True, slots=True)
class _Ancestry:
    """The tree as it was known at any moment."""

    parents: Mapping[int, int | None]
    moves: Mapping[int, Sequence[tuple[datetime, int | None]]]

    def line(self, unit: int, known_at: datetime | None) -> list[int]:
        """Return a unit and those above it, topmost first, as known then; None is the first."""
        found: list[int] = []
        here: int | None = unit
        while here is not None and here not in found:
            found.append(here)
            here = self._parent(here, known_at)
        return found[::-1]

    def turns(self, unit: int) -> Iterator[datetime | None]:
        """Yield since when the line above a unit was another one, beginning with the first."""
        seen: set[int] = set()
        left = {unit}
        while left:
            seen |= left
            left = {up for one in left for up in self._every_parent(one)} - seen
        yield None
        yield from sorted({since for one in seen for since, _ in self.moves.get(one, ())[1:]})

    def _parent(self, unit: int, known_at: datetime | None) -> int | None:
        told = self.moves.get(unit)
        if told is None:
            return self.parents.get(unit)
        known = [above for since, above in told if known_at is not None and since <= known_at]
        return known[-1] if known else told[0][1]

    def _every_parent(self, unit: int) -> set[int]:
        told = self.moves.get(unit)
        above = [self.parents.get(unit)] if told is None else [each for _, each in told]
        return {each for each in above if each is not None}
