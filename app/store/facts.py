"""Figures from the facts: the common questions, answered fast and to the last dossier.

A period is cut into whole years, whole months and days, and what stood before it likewise, so an
answer reads a few rows of each unit however many dossiers there are. The facts and the log of
versions that they do not hold yet are read under one snapshot, so the answer is that of a look at
every dossier (``store.tallies``) at each moment; what cannot be told from the facts is left to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from operator import add, itemgetter
from typing import Any, Final

from sqlalchemy import text

from app.domain.period import midnight
from app.domain.tally import COUNTS, Count, Tally
from app.domain.timeliness import Reading
from app.store.contributions import (
    BELOW,
    EXTENDED,
    MARGIN,
    NUMBER,
    PROMISED,
    channel_of,
    of_changes,
    parts,
    relations,
    slices,
)
from app.store.folding import IS_ROLLED
from app.store.session import ReadSession
from app.store.tables import COUNTERS
from app.store.tallies import UNKNOWN, Dimension, Row, Scope, Span, tree_of
from app.store.trees import Tree, Units

ONE_DAY: Final = timedelta(days=1)

STANDING: Final = NUMBER["open_in_time"]
"""The first of the counters that are summed from the beginning of time."""

_IN_HAND: Final = [
    NUMBER[name] for name in ("open_in_time", "open_overdue", "open_no_due", "paused")
]

_READINGS: Final = {Reading.PROMISED: PROMISED, Reading.EXTENDED: EXTENDED}
_BY_PROCEDURE: Final = frozenset({Dimension.FIELD, Dimension.PROCEDURE})
_NOT_BY_UNIT: Final = frozenset({Dimension.CHANNEL, *_BY_PROCEDURE})
_KEYS: Final = {
    Dimension.UNIT: "p.unit",
    Dimension.CHILD: "p.child",
    Dimension.LEVEL: "p.level",
    Dimension.CHANNEL: channel_of("f.slice"),
    Dimension.FIELD: "q.field",
    Dimension.PROCEDURE: "q.code",
}


def can_answer(scope: Scope, spans: Sequence[Span], by: Sequence[Dimension]) -> bool:
    """Tell whether the facts hold what is asked for; the moment T is looked at by ``counts``."""
    plain = replace(
        Scope(scope.lft, scope.rgt),
        reading=scope.reading,
        exclude_same_day=scope.exclude_same_day,
        channel=scope.channel,
        level=scope.level,
        procedure=scope.procedure,
        field=scope.field,
        units=scope.units,
        day=scope.day,
    )
    if scope != plain or scope.reading not in _READINGS or not set(by) <= set(_KEYS):
        return False
    if any(span.ends <= span.begins or span.begins != midnight(span.first) for span in spans):
        return False
    if any(before.ends != after.begins for before, after in pairwise(spans)):
        return False
    if not _needs_procedures(scope, by):
        return True
    whole = spans[-1].ends == midnight(spans[-1].last + ONE_DAY)
    return whole and all(span.first.day == 1 and (span.last + ONE_DAY).day == 1 for span in spans)


def _needs_procedures(scope: Scope, by: Sequence[Dimension]) -> bool:
    return bool(scope.procedure or scope.field or _BY_PROCEDURE & set(by))


def counts(
    session: ReadSession,
    scope: Scope,
    spans: Sequence[Span],
    *,
    by: Sequence[Dimension] = (),
    of: int | None = None,
) -> list[list[Row]] | None:
    """Count everything of periods that follow one another, as ``tallies.counts`` counts each.

    None when the facts cannot tell: see ``can_answer``, and a T within a day that lies before
    what has been recorded since.
    """
    if not can_answer(scope, spans, by):
        return None
    tree = tree_of(session, scope, of if Dimension.CHILD in by else None)
    asked = _Asked(scope, tuple(spans), tuple(by), tree, _above(session, scope, by))
    found = _cells(session, asked, with_tail=False)
    if not found.is_rolled:
        asked = replace(asked, above=None)
        found = _cells(session, asked, with_tail=False)
    if found.is_early:
        return None
    if found.has_tail:
        found = _cells(session, asked, with_tail=True)
    return _rows(asked, found.cells)


_ABOVE: Final = text(
    "SELECT a.id FROM unit a WHERE a.lft = :lft AND a.rgt = :rgt AND a.heir_id IS NULL"
    f" AND EXISTS (SELECT FROM unit c WHERE c.parent_id = a.id) AND {IS_ROLLED}"
)


def _above(session: ReadSession, scope: Scope, by: Sequence[Dimension]) -> int | None:
    """Return the unit whose sums with all below it hold what is asked for, if there is one."""
    if scope.units is Units.AS_WAS or scope.level is not None or not set(by) <= _NOT_BY_UNIT:
        return None
    found = session.scalar(_ABOVE, {"lft": scope.lft, "rgt": scope.rgt})
    return None if found is None else int(found)


# ---------------------------------------------------------------- the statement


@dataclass(frozen=True, slots=True)
class _Range:
    """Days [since, until) of which whole rows of one table are read."""

    table: str
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class _Asked:
    scope: Scope
    spans: tuple[Span, ...]
    by: tuple[Dimension, ...]
    tree: Tree
    above: int | None
    """A unit of which the sums with all below it are read instead of those units."""

    @property
    def with_procedures(self) -> bool:
        return _needs_procedures(self.scope, self.by)

    @property
    def first(self) -> date:
        return self.spans[0].first

    @property
    def starts(self) -> list[date]:
        return [span.first for span in self.spans]

    @property
    def follows(self) -> list[date]:
        """Return the day after each part."""
        return [span.last + ONE_DAY for span in self.spans]

    @property
    def is_cut(self) -> bool:
        """Tell whether T lies within a day."""
        return self.spans[-1].ends != midnight(self.spans[-1].last + ONE_DAY)

    @property
    def fine(self) -> list[int]:
        """Return the slices of which each dossier is in one."""
        return parts(self.scope.channel, without_same_day=self.scope.exclude_same_day)

    @property
    def coarse(self) -> list[int]:
        """Return the slices to read of months and years: the whole, where that says all."""
        if Dimension.CHANNEL in self.by or self.with_procedures:
            return self.fine
        return slices(self.scope.channel, without_same_day=self.scope.exclude_same_day)

    def stored(self, slices: Sequence[int]) -> list[int]:
        """Return the slices as the rows have them."""
        return [one if self.above is None else one + BELOW for one in slices]

    def inside(self) -> list[_Range]:
        """Return what to read of the periods themselves."""
        if self.with_procedures:
            return [_Range("fact_procedure_month", self.first, self.follows[-1])]
        found: list[_Range] = []
        for span in self.spans:
            for one in _cut(span.first, span.last + ONE_DAY):
                last = found[-1] if found else None
                if last is not None and (last.table, last.until) == (one.table, one.since):
                    found[-1] = replace(last, until=one.until)
                else:
                    found.append(one)
        return found

    def before(self) -> list[_Range]:
        """Return what to read of the time before the first period."""
        if self.with_procedures:
            return [_Range("fact_procedure_month", date.min, self.first)]
        year, month = self.first.replace(month=1, day=1), self.first.replace(day=1)
        found = [
            _Range("fact_year", date.min, year),
            _Range("fact_month", year, month),
            _Range("fact_day", month, self.first),
        ]
        return [one for one in found if one.since < one.until]


def _cut(since: date, until: date) -> Iterator[_Range]:
    """Cut days [since, until) into whole years, whole months and days, in order."""
    years = _Range("fact_year", _on_or_after(since, years=True), until.replace(month=1, day=1))
    months = _Range("fact_month", _on_or_after(since, years=False), until.replace(day=1))
    if months.since >= months.until:
        yield _Range("fact_day", since, until)
        return
    if years.since >= years.until:
        middle = [months]
    else:
        middle = [replace(months, until=years.since), years, replace(months, since=years.until)]
    found = [_Range("fact_day", since, months.since), *middle]
    found.append(_Range("fact_day", months.until, until))
    yield from (one for one in found if one.since < one.until)


def _on_or_after(day: date, *, years: bool) -> date:
    begin = day.replace(month=1, day=1) if years else day.replace(day=1)
    if begin == day:
        return day
    if years:
        return date(day.year + 1, 1, 1)
    return (begin + timedelta(days=32)).replace(day=1)


def _place(asked: _Asked) -> str:
    """Return the units that are counted, each with the names that it is shown under."""
    level = "" if asked.scope.level is None else " WHERE w.level = :level"
    return f"SELECT w.unit_id, w.unit, w.level, w.child FROM ({asked.tree.relation}) w{level}"


def _procedure(asked: _Asked) -> tuple[str, str]:
    """Return the join with the catalogue, and what narrows it."""
    if not asked.with_procedures:
        return "", ""
    where = ""
    for name, column in (("procedure", "q.code"), ("field", "q.field")):
        value = getattr(asked.scope, name)
        if value is not None:
            where += f" AND {column} IS NULL" if value == UNKNOWN else f" AND {column} = :{name}"
    return " LEFT JOIN procedure q ON q.id = f.procedure_id", where


def _key_list(asked: _Asked) -> str:
    return "".join(f"{_KEYS[dimension]} AS key_{at}, " for at, dimension in enumerate(asked.by))


def _group(asked: _Asked, *, without_part: bool = False) -> str:
    return ", ".join(str(place + 1) for place in range(len(asked.by) + (not without_part)))


_PART = "width_bucket(f.day, CAST(:starts AS date[]))"
_ALL = ", ".join(f"f.{name}" for name in COUNTERS)
_STANDING_ONLY = ", ".join(
    f"f.{name}" if place >= STANDING else f"NULL::integer AS {name}"
    for place, name in enumerate(COUNTERS)
)


def _branch(asked: _Asked, one: _Range, name: str, counted: str) -> str:
    wanted = "fine" if one.table == "fact_day" else "coarse"
    join, where = _procedure(asked)
    return (
        f"SELECT {_key_list(asked)}{counted} FROM {one.table} f{_of_place(asked)}{join}"
        f" WHERE f.day >= :{name}_since AND f.day < :{name}_until"
        f" AND f.slice = ANY(:{wanted}) AND f.reading <= :reading{_at_place(asked)}{where}"
    )


def _before(asked: _Asked) -> str:
    """Return what stood before the first period, one row for each combination of keys."""
    names = [f"key_{at}" for at in range(len(asked.by))]
    counted = ", ".join(f"f.{name}" for name in COUNTERS[STANDING:])
    branches = " UNION ALL ".join(
        _branch(asked, one, f"before_{at}", counted) for at, one in enumerate(asked.before())
    )
    keys = "".join(f"{name}, " for name in names)
    nothing = "NULL::integer, " * STANDING
    sums = ", ".join(f"CAST(sum({name}) AS integer)" for name in COUNTERS[STANDING:])
    group = f" GROUP BY {', '.join(names)}" if names else ""
    return f"SELECT {keys}0 AS part, {nothing}{sums} FROM ({branches}) AS b{group}"


def _of_place(asked: _Asked) -> str:
    return "" if asked.above is not None else " JOIN place p ON p.unit_id = f.unit_id"


def _at_place(asked: _Asked) -> str:
    return "" if asked.above is None else " AND f.unit_id = :above"


def _extra(asked: _Asked) -> list[str]:
    """Return corners that no row of the periods holds, and what is still to come today."""
    held = "".join(
        f" AND NOT (f.day >= :in_{at}_since AND f.day < :in_{at}_until AND"
        f" date_trunc('{grain}', f.day) = date_trunc('{grain}', f.seen_on))"
        for at, one in enumerate(asked.inside())
        for grain in (one.table.rpartition("_")[2],)
        if grain != "day"
    )
    join, where = _procedure(asked)
    where = f" AND f.slice = ANY(:fine) AND f.reading <= :reading{_at_place(asked)}{where}"
    join = f"{_of_place(asked)}{join}"
    counted = ", ".join(
        f"CASE WHEN f.counter = {number} THEN f.n END" for number in range(len(COUNTERS))
    )
    corners = (
        f"SELECT {_key_list(asked)}{_PART}, {counted} FROM fact_corner f{join}"
        " WHERE f.day >= :first AND f.day < :after"
        f" AND f.seen_on < (CAST(:follows AS date[]))[{_PART}]{held}{where}"
    )
    found = [corners]
    if asked.is_cut:
        counted = counted.replace("THEN f.n", "THEN -f.n")
        found.append(
            f"SELECT {_key_list(asked)}:parts, {counted} FROM fact_ahead f{join}"
            f" WHERE f.at >= :ends AND f.at < :midnight AND f.day >= :last_start{where}"
        )
    return found


def _tail(asked: _Asked) -> list[str]:
    """Return what the log adds to the periods, and to what stood before them."""
    join, where = _procedure(asked)
    still = " AND (f.ahead_at IS NULL OR f.ahead_at < :ends)" if asked.is_cut else ""
    source = (
        f" FROM delta f JOIN place p ON p.unit_id = f.unit_id{join}"
        f" WHERE f.slice = ANY(:told) AND f.reading <= :reading{where}"
    )
    during = (
        f"f.day >= :first AND f.day < :after AND f.seen_on < (CAST(:follows AS date[]))[{_PART}]"
    )
    before = "f.day < :first AND f.day = f.seen_on"
    return [
        f"SELECT {_key_list(asked)}{_PART} AS part, {_ALL}{source} AND {during}{still}",
        f"SELECT {_key_list(asked)}0, {_STANDING_ONLY}{source} AND {before}",
    ]


def _statement(asked: _Asked, *, with_tail: bool) -> str:
    branches = [_before(asked)] if asked.before() else []
    branches += [
        _branch(asked, one, f"in_{at}", f"{_PART} AS part, {_ALL}")
        for at, one in enumerate(asked.inside())
    ]
    branches += _extra(asked)
    if with_tail:
        branches += _tail(asked)
    keys = "".join(f"key_{at}, " for at in range(len(asked.by)))
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTERS)
    nothing = "NULL, " * len(asked.by)
    rest = ", NULL" * (len(COUNTERS) - 2)
    rolled = "TRUE" if asked.above is None else IS_ROLLED
    early = (
        f"(SELECT greatest((SELECT latest FROM fact_state),"
        f" (SELECT max(recorded_at) FROM dossier_change)) - {MARGIN} > :ends)"
        if asked.is_cut
        else "FALSE"
    )
    tail = ""
    if with_tail:
        tail = f"""
    tail AS MATERIALIZED (
        SELECT c.unit_id, source_id, code, version, CAST(sum(sign) AS integer) AS sign
          FROM dossier_change c JOIN place p ON p.unit_id = c.unit_id
         GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0
    ),
    {relations(of_changes("tail"))},"""
    if len(asked.spans) == 1:
        held = " + ".join(f"coalesce({COUNTERS[place]}, 0)" for place in _IN_HAND)
        group = f" GROUP BY {_group(asked, without_part=True)}" if asked.by else ""
        whole = (
            f"SELECT {keys}1 AS part, {sums}, sum({held}) FILTER (WHERE part = 0) AS carried"
            f" FROM summed{group}"
        )
    else:
        whole = f"SELECT {keys}part, {sums}, NULL AS carried FROM summed GROUP BY {_group(asked)}"
    return f"""
    WITH place AS MATERIALIZED ({_place(asked)}),{tail}
    summed({keys}part, {", ".join(COUNTERS)}) AS ({" UNION ALL ".join(branches)})
    {whole}
    UNION ALL
    SELECT {nothing}-1,
           CAST(EXISTS (SELECT 1 FROM dossier_change c JOIN place p ON p.unit_id = c.unit_id)
                AS integer),
           CAST(coalesce({early}, FALSE) AS integer), CAST({rolled} AS integer){rest}"""


def _parameters(asked: _Asked) -> dict[str, Any]:
    scope, last = asked.scope, asked.spans[-1]
    found: dict[str, Any] = {
        **asked.tree.parameters,
        "level": scope.level,
        "procedure": scope.procedure,
        "field": scope.field,
        "reading": _READINGS[scope.reading],
        "above": asked.above,
        "told": asked.fine,
        "fine": asked.stored(asked.fine),
        "coarse": asked.stored(asked.coarse),
        "starts": asked.starts,
        "follows": asked.follows,
        "first": asked.first,
        "after": asked.follows[-1],
        "parts": len(asked.spans),
        "last_start": last.first,
        "ends": last.ends,
        "midnight": midnight(last.last + ONE_DAY),
    }
    for prefix, ranges in (("before", asked.before()), ("in", asked.inside())):
        for at, one in enumerate(ranges):
            found[f"{prefix}_{at}_since"] = one.since
            found[f"{prefix}_{at}_until"] = one.until
    return found


# ---------------------------------------------------------------- the answer

_Key = tuple[str | None, ...]
_Cell = Sequence[int | None]


@dataclass(frozen=True, slots=True)
class _Found:
    """The sums of each key and part, with what is to be known of them.

    The log may hold more; T may lie too early; sums of units with all below them may be stale.
    """

    cells: Mapping[_Key, Mapping[int, _Cell]]
    has_tail: bool
    is_early: bool
    is_rolled: bool


def _cells(session: ReadSession, asked: _Asked, *, with_tail: bool) -> _Found:
    statement = text(_statement(asked, with_tail=with_tail))
    wide = len(asked.by)
    cells: dict[_Key, dict[int, _Cell]] = {}
    has_tail = is_early = is_rolled = False
    for row in session.execute(statement, _parameters(asked)):
        values = tuple(row)
        part, sums = values[wide], values[wide + 1 :]
        if part < 0:
            has_tail, is_early, is_rolled = map(bool, sums[:3])
        else:
            cells.setdefault(values[:wide], {})[part] = sums
    return _Found(cells, has_tail, is_early, is_rolled)


_NOTHING: Final[_Cell] = (0,) * len(COUNTERS)


def _rows(asked: _Asked, cells: Mapping[_Key, Mapping[int, _Cell]]) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in asked.spans]
    lines = sorted(cells.items(), key=lambda item: tuple(key or "" for key in item[0]))
    for keys, line in lines or ([((), {})] if not asked.by else []):
        tallies = _one(asked, line) if len(asked.spans) == 1 else _several(asked, line)
        for at, tally in enumerate(tallies):
            if not asked.by or any(tally.values):
                found[at].append(Row(keys, tally))
    return found


def _one(asked: _Asked, line: Mapping[int, _Cell]) -> list[Tally]:
    """Return the counts of a single period, whose stock the statement has summed already."""
    *sums, carried = [number or 0 for number in line.get(1, (*_NOTHING, 0))]
    return [_tally(carried, sums, asked.scope.units)]


def _several(asked: _Asked, line: Mapping[int, _Cell]) -> list[Tally]:
    """Return the counts of each period: one hands over to the next what it holds."""
    found = []
    held = [number or 0 for number in line.get(0, _NOTHING)[STANDING : len(COUNTERS)]]
    for at in range(len(asked.spans)):
        sums = [number or 0 for number in line.get(at + 1, _NOTHING)[: len(COUNTERS)]]
        carried = sum(held[place - STANDING] for place in _IN_HAND)
        held = list(map(add, held, sums[STANDING:]))
        sums[STANDING:] = held
        found.append(_tally(carried, sums, asked.scope.units))
    return found


_CAME: Final = slice(NUMBER["received_online"], NUMBER["received_unknown_channel"] + 1)
_NO_COUNTER: Final = len(COUNTERS)
_SEATS: Final = itemgetter(*(NUMBER.get(count.value, _NO_COUNTER) for count in COUNTS))
_SEAT: Final = {count: seat for seat, count in enumerate(COUNTS)}
(_CARRIED, _RECEIVED, _LATE_WITHOUT, _OVERDUE_WITHOUT, _TAKEN, _ON_TIME, _IN, _OUT) = (
    _SEAT[count]
    for count in (
        *(Count.CARRIED_OVER, Count.RECEIVED, Count.FINISHED_LATE_WITHOUT_APOLOGY),
        *(Count.OPEN_OVERDUE_WITHOUT_APOLOGY, Count.PROGRESS_766_RECEIVED),
        *(Count.PROGRESS_766_ON_TIME, Count.TRANSFERRED_IN, Count.TRANSFERRED_OUT),
    )
)


def _tally(carried: int, whole: list[int], units: Units) -> Tally:
    """Return the counts of a period from what passed in it and what stands at its end.

    What passed to a successor is a transfer by the units of the time, and none by those of today.
    """
    whole.append(0)
    values = list(_SEATS(whole))
    values[_CARRIED] = carried
    values[_RECEIVED] = sum(whole[_CAME])
    values[_LATE_WITHOUT] = _without(whole, "finished_late")
    values[_OVERDUE_WITHOUT] = _without(whole, "open_overdue")
    values[_TAKEN] = _taken_766(whole)
    values[_ON_TIME] = whole[NUMBER["left_766_on_time"]] + whole[NUMBER["held_766_on_time"]]
    if units is Units.AS_WAS:
        values[_IN] += whole[NUMBER["succeeded_in"]]
        values[_OUT] += whole[NUMBER["succeeded_out"]]
    return Tally(tuple(values))


def _without(whole: Sequence[int], what: str) -> int:
    told = whole[NUMBER[f"{what}_with_apology"]] + whole[NUMBER[f"{what}_apology_exempt"]]
    return whole[NUMBER[what]] - told


def _taken_766(whole: Sequence[int]) -> int:
    held = ("open_in_time", "open_overdue", "paused")
    return whole[NUMBER["left_766"]] + sum(whole[NUMBER[name]] for name in held)
