"""Every version of every calendar that holds for some units, by the moment of knowledge.

A dossier is judged by the calendars that were known when its receipt was told (or when a change
was applied to it); saving a new version moves nothing by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.calendar import WorkCalendar
from app.store import calendars, units
from app.store.calendars import CalendarRow
from app.store.session import ReadSession
from app.usecases.calendars import STATE, composed


@dataclass(frozen=True, slots=True)
class CalendarBook:
    """The calendars of units, as known at any moment.

    ``chains`` gives for each unit the calendars that are laid over each other, the state's first,
    each with its versions, oldest first.
    """

    chains: Mapping[int, tuple[tuple[CalendarRow, ...], ...]]
    made: dict[tuple[tuple[str, int], ...], WorkCalendar] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Calendars laid over each other already, by their names and versions."""

    def at(self, unit: int, known_at: datetime) -> WorkCalendar:
        """Return the calendar of a unit as it was known at a moment."""
        rows = []
        for versions in self.chains[unit]:
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
        return CalendarBook({**self.chains, **other.chains}, {**self.made, **other.made})


def of_units(session: ReadSession, unit_ids: Iterable[int]) -> CalendarBook:
    """Return the book of some units."""
    asked = set(unit_ids)
    stored: dict[str, list[CalendarRow]] = {}
    for row in calendars.every_version(session):
        stored.setdefault(row.id, []).append(row)
    state = [tuple(stored[STATE])] if STATE in stored else []
    own = {rows[0].unit_id: tuple(rows) for rows in stored.values() if rows[0].unit_id is not None}
    if not own:
        return CalendarBook(dict.fromkeys(asked, tuple(state)))
    above = units.lineages(session, asked)
    return CalendarBook(
        {unit: tuple(state + [own[each] for each in above[unit] if each in own]) for unit in asked}
    )
