"""The tree of units as figures see it: on a day, as known at a moment, rolled up or not.

Every count and list asks for one relation, ``shown``: each unit whose dossiers are counted, with
the unit under which they are shown. A statement puts ``Tree.relation`` first and joins it::

    WITH shown AS ({tree.relation})
    SELECT shown.unit, … FROM shown JOIN dossier d ON d.unit_id = shown.unit_id …

with ``Tree.parameters`` among its own. The columns are ``unit_id`` (whose rows are counted),
``shown_id``, ``unit`` (code), ``level`` and ``child``: the unit below ``of`` to which the shown
one belongs, NULL for what ``of`` holds itself. No ``unit_id`` occurs twice. The counters join it
in the same way.

The tree of today is read from ``unit``; another one is put together from the revisions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import text

from app.store import access, successions
from app.store.session import ReadSession
from app.store.tables import succession, unit, unit_revision


class Units(StrEnum):
    """By whose tree figures are counted: the units of the time, or their successors of today."""

    AS_WAS = "as_was"
    AS_NOW = "as_now"


@dataclass(frozen=True, slots=True)
class Tree:
    """The relation ``shown`` as SQL, and what it asks for."""

    relation: str
    parameters: Mapping[str, Any]


_PRESENT: Final = """
    SELECT u.id AS unit_id, u.id AS shown_id, u.code AS unit, u.level, c.code AS child
      FROM unit u LEFT JOIN unit c ON c.parent_id = :of AND u.lft BETWEEN c.lft AND c.rgt
     WHERE u.lft BETWEEN :lft AND :rgt"""

_ROLLED: Final = """
    SELECT h.id AS unit_id, h.id AS shown_id, h.code AS unit, h.level, c.code AS child
      FROM unit h LEFT JOIN unit c ON c.parent_id = :of AND h.lft BETWEEN c.lft AND c.rgt
     WHERE h.lft BETWEEN :lft AND :rgt AND h.heir_id IS NULL
    UNION ALL
    SELECT u.id, h.id, h.code, h.level, c.code
      FROM unit h JOIN unit u ON u.heir_id = h.id
      LEFT JOIN unit c ON c.parent_id = :of AND h.lft BETWEEN c.lft AND c.rgt
     WHERE h.lft BETWEEN :lft AND :rgt"""

_PAST: Final = """
    SELECT * FROM unnest(CAST(:tree_units AS int[]), CAST(:tree_shown AS int[]),
                         CAST(:tree_codes AS text[]), CAST(:tree_levels AS text[]),
                         CAST(:tree_children AS text[]))
        AS t(unit_id, shown_id, unit, level, child)"""


def of(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    units: Units = Units.AS_NOW,
    day: date | None = None,
    known_at: datetime | None = None,
    above: int | None = None,
) -> Tree:
    """Return the units of a span of today's tree, as figures are to see them.

    A span of one place is one unit alone; otherwise it is the unit that begins there with all that
    was below it on the day. ``day`` is the day of the tree for the units of the time, None is
    today; the units of today are those of the moment of knowledge. ``above`` is the unit whose
    children are told as ``child``.
    """
    rolled = units is Units.AS_NOW
    if not _differs(session, None if rolled else day, known_at):
        return Tree(_ROLLED if rolled else _PRESENT, {"lft": lft, "rgt": rgt, "of": above})
    past = _Past.read(session, None if rolled else day, known_at)
    heirs = successions.finals(session, known_at=known_at) if rolled else {}
    rows = list(past.shown(lft, rgt, heirs, above))
    return Tree(
        _PAST,
        {
            "tree_units": [row[0] for row in rows],
            "tree_shown": [row[1] for row in rows],
            "tree_codes": [past.codes[row[1]] for row in rows],
            "tree_levels": [past.levels[row[1]] for row in rows],
            "tree_children": [row[2] for row in rows],
        },
    )


def _differs(session: ReadSession, day: date | None, known_at: datetime | None) -> bool:
    """Tell whether the tree of a day, or of a moment of knowledge, may be another than today's."""
    asked = []
    if day is not None:
        asked.append(sa.exists().where(unit.c.parent_since > day))
    if known_at is not None:
        asked.append(sa.exists().where(unit_revision.c.recorded_at > known_at))
        asked.append(sa.exists().where(succession.c.recorded_at > known_at))
    return bool(asked) and bool(session.scalar(sa.select(sa.or_(*asked))))


@dataclass(frozen=True, slots=True)
class Place:
    """A unit in a tree: where it hangs, and what it was called."""

    code: str
    name: str
    level: str
    parent: str | None


def places(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    units: Units = Units.AS_NOW,
    day: date | None = None,
    known_at: datetime | None = None,
) -> list[Place]:
    """Return the units under which figures of a span are shown, by the same tree as ``of``.

    Among the units of today those that have a successor are not shown.
    """
    rolled = units is Units.AS_NOW
    if _differs(session, None if rolled else day, known_at):
        past = _Past.read(session, None if rolled else day, known_at)
        heirs = successions.finals(session, known_at=known_at) if rolled else {}
        shown = sorted({row[1] for row in past.shown(lft, rgt, heirs, None)})
        return [past.place(number) for number in shown]
    rows = session.ask(_SHOWN_TODAY if rolled else _ALL_TODAY, lft, rgt)
    return [Place(*row) for row in rows]


_ALL_TODAY: Final = b"""
    SELECT u.code, u.name, u.level, p.code FROM unit u LEFT JOIN unit p ON p.id = u.parent_id
     WHERE u.lft BETWEEN $1::bigint AND $2::bigint ORDER BY u.lft"""
_SHOWN_TODAY: Final = b"""
    SELECT u.code, u.name, u.level, p.code FROM unit u LEFT JOIN unit p ON p.id = u.parent_id
     WHERE u.lft BETWEEN $1::bigint AND $2::bigint AND u.heir_id IS NULL ORDER BY u.lft"""

Timeline = Sequence[tuple[date | None, str | None]]
"""The parents of a unit, each from a day on; the first has no beginning."""


def timeline(told: Sequence[tuple[str | None, date | None]]) -> Timeline:
    """Return the parents of a unit from what was told of it, one revision after another.

    A parent without a day is a correction of the one held last; a day that is told again for the
    same parent corrects that day.
    """
    found: list[tuple[date | None, str | None]] = []
    for parent, since in told:
        if not found or since is None:
            found = [(None, parent)]
        else:
            if found[-1][1] == parent and len(found) > 1:
                found.pop()
            found = [one for one in found if one[0] is None or one[0] < since]
            if found[-1][1] != parent:
                found.append((since, parent))
    return found


@dataclass(frozen=True, slots=True)
class _Past:
    """A tree that was, or as it was known."""

    codes: Mapping[int, str]
    names: Mapping[int, str]
    levels: Mapping[int, str]
    parents: Mapping[int, int | None]
    places: Mapping[int, int]

    @classmethod
    def read(cls, session: ReadSession, day: date | None, known_at: datetime | None) -> "_Past":
        """Put a tree together from what had been told of each unit."""
        told: dict[int, list[tuple[str | None, date | None]]] = {}
        codes: dict[int, str] = {}
        names: dict[int, str] = {}
        levels: dict[int, str] = {}
        places: dict[int, int] = {}
        for row in session.execute(_TOLD, {"known_at": known_at}):
            places[row.lft] = row.id
            codes[row.id] = row.code
            names[row.id] = row.name
            levels[row.id] = row.level
            told.setdefault(row.id, []).append((row.parent, row.parent_since))
        ids = {code: number for number, code in codes.items()}
        parents = {
            number: ids.get(_at(timeline(lines), day) or "") for number, lines in told.items()
        }
        return cls(codes, names, levels, parents, places)

    def shown(
        self, lft: int, rgt: int, heirs: Mapping[int, int], above: int | None
    ) -> Iterator[tuple[int, int, str | None]]:
        """Yield each unit of a span with the unit that shows it, and the child that this is of."""
        is_whole = (lft, rgt) == access.WHOLE
        root = self.places.get(lft)
        for number in sorted(self.codes):
            shown = heirs.get(number, number)
            if shown not in self.codes:
                shown = number
            line = list(self._line(shown))
            within = root is not None and root in (line[:1] if lft == rgt else line)
            if is_whole or within:
                at = line.index(above) if above in line else 0
                yield number, shown, self.codes[line[at - 1]] if at else None

    def place(self, number: int) -> Place:
        """Return a unit as it hung in the tree."""
        above = self.parents.get(number)
        return Place(
            self.codes[number],
            self.names[number],
            self.levels[number],
            None if above is None else self.codes[above],
        )

    def _line(self, number: int) -> Iterator[int]:
        """Yield a unit and all above it, nearest first."""
        here: int | None = number
        seen: set[int] = set()
        while here is not None and here not in seen:  # a corrected past may close a ring
            yield here
            seen.add(here)
            here = self.parents.get(here)


def _at(parents: Timeline, day: date | None) -> str | None:
    held = parents[0][1]
    for since, parent in parents:
        if since is None or day is None or since <= day:
            held = parent
    return held


_TOLD: Final = text(
    """
    SELECT u.id, r.seq, u.lft, r.spec ->> 'code' AS code, r.spec ->> 'name' AS name,
           r.spec ->> 'level' AS level, r.spec ->> 'parent' AS parent,
           CAST(r.spec ->> 'parent_since' AS date) AS parent_since
      FROM unit_revision r JOIN unit u ON u.id = r.unit_id
     WHERE CAST(:known_at AS timestamptz) IS NULL OR r.recorded_at <= :known_at
    UNION ALL
    SELECT u.id, 0, u.lft, u.code, u.name, u.level, p.code, u.parent_since
      FROM unit u LEFT JOIN unit p ON p.id = u.parent_id
     WHERE (CAST(:known_at AS timestamptz) IS NULL OR u.recorded_at <= :known_at)
       AND NOT EXISTS (SELECT FROM unit_revision r WHERE r.unit_id = u.id)
     ORDER BY id, seq
    """
)
"""What was told of each unit; places of unknown units have no revisions."""
