"""What closed figures would be today, and why: unit by unit, count by count, with the dossiers.

Only dossiers of which something was learned since the closing can have moved a figure. They are
counted twice, as they were known then and as they are known now; the differences of all of them
add up to the difference of the figure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.domain.period import Period
from app.domain.restatement import Cause, causes
from app.domain.tally import COUNTS, IN_HAND, Count, Tally
from app.domain.timeliness import Reading
from app.store import calendars, dossiers, periods
from app.store.periods import PeriodRow
from app.store.session import ReadSession
from app.store.tallies import Dimension
from app.store.units import UnitRow
from app.usecases import reporting
from app.usecases.calendars import STATE
from app.usecases.periods import figures as frozen_figures
from app.usecases.reporting import Question

Key = tuple[int, str]
"""A dossier: (source, code)."""
MOST_NAMED: Final = 100
"""How many dossiers are named behind one difference at most."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A dossier that moved a count of a unit, by how much, and why."""

    source: str
    code: str
    difference: int
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Restatement:
    """One count of one unit as it was closed, as it would be now, and why it differs.

    ``by_cause`` counts dossiers, each under every cause it has; ``dossiers`` names the first of
    ``dossiers_total``. What no dossier explains is ``unexplained``: the unit stands elsewhere in
    the tree, or dossiers were being written at the moment of the closing.
    """

    unit: str
    count: Count
    frozen: int
    now: int
    by_cause: Mapping[Cause, int]
    dossiers: tuple[Moved, ...]
    dossiers_total: int
    unexplained: int

    @property
    def difference(self) -> int:
        """Return by how much the count is greater now."""
        return self.now - self.frozen


@dataclass(frozen=True, slots=True)
class Restated:
    """The restatement of a closed period for one unit and all below it.

    ``in_hand`` are the dossiers in hand at its end, as closed and as they would be now: the next
    period carries over the second number, and the gap is its restatement (identity I3).
    """

    unit: str
    known_at: datetime
    rows: tuple[Restatement, ...]
    in_hand: tuple[int, int]


def restated(
    session: ReadSession,
    one: PeriodRow,
    unit: UnitRow,
    *,
    reading: Reading,
    only: Count | None = None,
    named: int = 20,
    now: datetime,
) -> Restated:
    """Compare what was closed with what is known now; a count that did not move has no row.

    :param named: how many dossiers to name behind each difference, at most ``MOST_NAMED``.
    :raises UnitNotFrozen: the unit was not below the one that was closed.
    :raises NotFrozen: the period was not closed under this reading.
    """
    closing = one.closing
    by = (Dimension.UNIT.value,)
    question = Question(unit=unit, period=Period(closing.first, closing.last), reading=reading)
    then = frozen_figures(session, one, question, group_by=by, definitions=())
    live = reporting.figures(
        session,
        replace(question, as_of=closing.as_of),
        group_by=by,
        definitions=(),
        now=now,
    )
    frozen = {str(row.keys["unit"]): row.tally for row in then.rows}
    present = {str(row.keys["unit"]): row.tally for row in live.rows}
    moved = _Moved(session, one, unit, reading, named=min(named, MOST_NAMED))
    rows = [
        moved.row(code, count, before[count], after[count])
        for code in sorted(frozen.keys() | present.keys())
        for before in (frozen.get(code, Tally()),)
        for after in (present.get(code, Tally()),)
        for count in COUNTS
        if before[count] != after[count] and only in (None, count)
    ]
    return Restated(
        unit=unit.code,
        known_at=now,
        rows=tuple(rows),
        in_hand=(then.total.tally.sum(IN_HAND), live.total.tally.sum(IN_HAND)),
    )


class _Moved:
    """The dossiers of which something was learned since, counted then and now."""

    def __init__(
        self, session: ReadSession, one: PeriodRow, unit: UnitRow, reading: Reading, *, named: int
    ) -> None:
        self._named = named
        closing = one.closing
        question = Question(
            unit=unit,
            period=Period(closing.first, closing.last),
            reading=reading,
            as_of=closing.as_of,
        )
        changed = reporting.changed_since(session, question, known_at=closing.known_at)
        then, now = changed.then, changed.now
        self._moved, self._shown = changed.moved, changed.shown
        self._of: dict[str, dict[Key, tuple[int, ...]]] = {}
        for code, source_id, number in sorted(now.keys() | then.keys()):
            key = (code, source_id, number)
            before, after = then.get(key, Tally()), now.get(key, Tally())
            difference = tuple(
                new - old for new, old in zip(after.values, before.values, strict=True)
            )
            if any(difference):
                self._of.setdefault(code, {})[source_id, number] = difference
        concerned = {key for found in self._of.values() for key in found}
        self._causes = _causes(session, concerned, closing.known_at)
        self._sources = periods.source_codes(session)

    def row(self, unit: str, count: Count, frozen: int, now: int) -> Restatement:
        """Return the restatement of one count of one unit."""
        seat = COUNTS.index(count)
        found = {
            key: difference[seat]
            for key, difference in self._of.get(unit, {}).items()
            if difference[seat]
        }
        by_cause = Counter(cause for key in found for cause in self._causes[key])
        unexplained = now - frozen - sum(found.values())
        if unexplained:
            is_elsewhere = unit in self._moved or unit not in self._shown
            by_cause[Cause.TREE if is_elsewhere else Cause.IN_FLIGHT] += abs(unexplained)
        listed = sorted(found, key=lambda key: (-abs(found[key]), key))[: self._named]
        return Restatement(
            unit=unit,
            count=count,
            frozen=frozen,
            now=now,
            by_cause={cause: by_cause[cause] for cause in Cause if by_cause[cause]},
            dossiers=tuple(
                Moved(self._sources[key[0]], key[1], found[key], self._causes[key])
                for key in listed
            ),
            dossiers_total=len(found),
            unexplained=unexplained,
        )


def _causes(
    session: ReadSession, keys: Iterable[Key], known_at: datetime
) -> dict[Key, tuple[Cause, ...]]:
    wanted = list(keys)
    if not wanted:
        return {}
    kept = dossiers.records(session, dossiers.locate(session, wanted))
    before = periods.seen(session, wanted, known_at=known_at)
    now = periods.seen(session, wanted, known_at=None)
    known = {STATE, *(row.id for row in calendars.every(session))}
    return {
        key: causes(
            [
                message
                for message in (kept[key].messages if key in kept else ())
                if message.recorded_at > known_at
            ],
            before=before.get(key),
            now=now.get(key),
            calendars=known,
        )
        for key in wanted
    }
