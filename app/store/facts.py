"""Figures from the facts: the common questions, answered fast and to the last dossier.

A period is cut into whole years, whole months and days, and what stood before it likewise, so an
answer reads a few rows of each unit however many dossiers there are. The facts and the log of
versions that they do not hold yet are read under one snapshot, so the answer is that of a look at
every dossier (``store.tallies``) at each moment; what cannot be told from the facts is left to it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import add, itemgetter
from typing import Any, Final

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
from app.store.folding import is_rolled
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
_Line = tuple[Any, ...]
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
    found = _found(session, _asked(session, scope, spans, by, of))
    return None if found is None else _rows(*found)


def sums(
    session: ReadSession, scope: Scope, span: Span, *, wanted: Sequence[Count]
) -> dict[str, tuple[int, ...]] | None:
    """Count a few things of each unit that holds any of them, by its code, in the order asked.

    They are those of ``counts`` by unit; only what they are made of is read. None when the facts
    cannot tell.
    """
    by = (Dimension.UNIT,)
    if not can_answer(scope, [span], by):
        return None
    asked = replace(_asked(session, scope, [span], by, None), wanted=tuple(wanted))
    found = _found(session, asked)
    if found is None:
        return None
    lines = ((str(line[0]), line[2 : 2 + len(wanted)]) for line in found[1])
    return {unit: values for unit, values in lines if any(values)}


def _asked(
    session: ReadSession,
    scope: Scope,
    spans: Sequence[Span],
    by: Sequence[Dimension],
    of: int | None,
) -> "_Asked":
    tree = tree_of(session, scope, of if Dimension.CHILD in by else None)
    return _Asked(scope, tuple(spans), tuple(by), tree, None)


def _found(session: ReadSession, asked: "_Asked") -> tuple["_Asked", list[_Line]] | None:
    """Return the sums of each key and part, None where they cannot be told.

    What is known beforehand only says how to ask: the statement itself tells whether it was right.
    """
    above, has_log = _hints(session, asked)
    is_wide = above is not None
    asked = replace(asked, above=above)
    while True:
        (*lines, told) = _ask(session, asked, with_tail=has_log, is_wide=is_wide)
        is_tail, is_early, is_rolled = told[len(asked.by) + 1 :][:3]
        if not is_rolled:
            asked = replace(asked, above=None)
        elif is_early:
            return None
        elif is_tail and not has_log:
            has_log = True
        else:
            return asked, lines


_HINTS: Final = b"""
    SELECT (SELECT a.id FROM unit a
             WHERE a.lft = $1::bigint AND a.rgt = $2::bigint AND a.heir_id IS NULL
               AND EXISTS (SELECT FROM unit c WHERE c.parent_id = a.id)),
           EXISTS (SELECT FROM dossier_change c JOIN unit u ON u.id = c.unit_id
                    WHERE u.lft BETWEEN $1::bigint AND $2::bigint)"""


def _hints(session: ReadSession, asked: "_Asked") -> tuple[int | None, bool]:
    """Return the unit whose sums with all below it may be read, and whether the log holds more."""
    scope = asked.scope
    ((above, has_log),) = session.ask(_HINTS, scope.lft, scope.rgt)
    is_whole = scope.units is Units.AS_NOW and scope.level is None
    return above if is_whole and set(asked.by) <= _NOT_BY_UNIT else None, has_log


# ---------------------------------------------------------------- what is asked


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
    wanted: tuple[Count, ...] = COUNTS
    """What is counted of a single period; of several, everything is."""

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
        if not any(NUMBER[name] >= STANDING for name in _made_of(self.wanted)):
            return []
        if self.with_procedures:
            return [_Range("fact_procedure_month", date.min, self.first)]
        year, month = self.first.replace(month=1, day=1), self.first.replace(day=1)
        found = [
            _Range("fact_year", date.min, year),
            _Range("fact_month", year, month),
            _Range("fact_day", month, self.first),
        ]
        return [one for one in found if one.since < one.until]

    def shape(self, *, with_tail: bool) -> "_Shape":
        """Return what the statement is written from."""
        scope = self.scope
        return _Shape(
            by=self.by,
            relation=self.tree.relation,
            units=scope.units,
            has_level=scope.level is not None,
            procedure=None if scope.procedure is None else scope.procedure == UNKNOWN,
            field=None if scope.field is None else scope.field == UNKNOWN,
            before=tuple(one.table for one in self.before()),
            inside=tuple(one.table for one in self.inside()),
            is_above=self.above is not None,
            is_cut=self.is_cut,
            is_single=len(self.spans) == 1,
            with_tail=with_tail,
            wanted=self.wanted,
        )


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


# ---------------------------------------------------------------- what a count is made of

_CAME: Final = tuple(f"received_{name}" for name in ("online", "in_person", "by_post"))
_MADE_OF: Final[Mapping[Count, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Count.CARRIED_OVER: ((), ()),
    Count.RECEIVED: ((*_CAME, "received_unknown_channel"), ()),
    **{
        count: ((what,), (f"{what}_with_apology", f"{what}_apology_exempt"))
        for count, what in (
            (Count.FINISHED_LATE_WITHOUT_APOLOGY, "finished_late"),
            (Count.OPEN_OVERDUE_WITHOUT_APOLOGY, "open_overdue"),
        )
    },
    Count.PROGRESS_766_RECEIVED: (("left_766", "open_in_time", "open_overdue", "paused"), ()),
    Count.PROGRESS_766_ON_TIME: (("left_766_on_time", "held_766_on_time"), ()),
}
"""Counts that are not one counter: which are added, and which taken off. What was carried over is
what stood before the period."""
_BY_SUCCESSION: Final = {
    Count.TRANSFERRED_IN: "succeeded_in",
    Count.TRANSFERRED_OUT: "succeeded_out",
}
"""What passed to a successor is a transfer by the units of the time, and none by those of today."""


def _terms(count: Count, units: Units) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the counters that a count adds, and those that it takes off."""
    if count in _MADE_OF:
        return _MADE_OF[count]
    if count.value not in NUMBER:  # procedures are not counted here
        return (), ()
    also = (_BY_SUCCESSION[count],) if units is Units.AS_WAS and count in _BY_SUCCESSION else ()
    return (count.value, *also), ()


@lru_cache(maxsize=64)
def _made_of(wanted: tuple[Count, ...]) -> tuple[str, ...]:
    """Return every counter that some counts are made of, in the order of the counters."""
    names = {name for one in wanted for told in _terms(one, Units.AS_WAS) for name in told}
    if Count.CARRIED_OVER in wanted:
        names |= {COUNTERS[place] for place in _IN_HAND}
    return tuple(name for name in COUNTERS if name in names)


def _counted(count: Count, units: Units) -> str:
    """Return a count of a single period as SQL, from the sums of ``summed``."""
    if count is Count.CARRIED_OVER:
        held = " + ".join(f"coalesce({COUNTERS[place]}, 0)" for place in _IN_HAND)
        return f"coalesce(sum({held}) FILTER (WHERE part = 0), 0)"
    more, less = _terms(count, units)
    told = [f" + coalesce(sum({name}), 0)" for name in more]
    told += [f" - coalesce(sum({name}), 0)" for name in less]
    return "".join(told).removeprefix(" + ") or "0"


# ---------------------------------------------------------------- the statement


@dataclass(frozen=True, slots=True)
class _Shape:
    """All that a statement is written from; the rest are its parameters.

    ``procedure`` and ``field`` tell whether what is not known is asked for, None is no filter.
    """

    by: tuple[Dimension, ...]
    relation: str
    units: Units
    has_level: bool
    procedure: bool | None
    field: bool | None
    before: tuple[str, ...]
    inside: tuple[str, ...]
    is_above: bool
    is_cut: bool
    is_single: bool
    with_tail: bool
    wanted: tuple[Count, ...]

    @property
    def counters(self) -> tuple[str, ...]:
        """Return the counters that are summed, one at the least."""
        return _made_of(self.wanted) or COUNTERS[:1]

    @property
    def standing(self) -> list[str]:
        """Return those of them that are summed from the beginning of time."""
        return [name for name in self.counters if NUMBER[name] >= STANDING]

    @property
    def keys(self) -> list[str]:
        """Return the names of the keys of a row."""
        return [f"key_{at}" for at in range(len(self.by))]

    @property
    def is_narrow(self) -> bool:
        """Tell whether few rows are looked up by their keys, whatever is asked for."""
        asks_more = self.has_level, self.procedure is not None, self.field is not None
        return not (self.by or any(asks_more)) and self.units is Units.AS_NOW


def _place(shape: _Shape) -> str:
    """Return the units that are counted, each with the names that it is shown under."""
    level = " WHERE w.level = :level" if shape.has_level else ""
    return f"SELECT w.unit_id, w.unit, w.level, w.child FROM ({shape.relation}) w{level}"


def _procedure(shape: _Shape) -> tuple[str, str]:
    """Return the join with the catalogue, and what narrows it."""
    narrowed = (("procedure", "q.code", shape.procedure), ("field", "q.field", shape.field))
    if not (_BY_PROCEDURE & set(shape.by) or any(told is not None for *_, told in narrowed)):
        return "", ""
    where = ""
    for name, column, is_unknown in narrowed:
        if is_unknown is not None:
            where += f" AND {column} IS NULL" if is_unknown else f" AND {column} = :{name}"
    return " LEFT JOIN procedure q ON q.id = f.procedure_id", where


def _key_list(shape: _Shape) -> str:
    return "".join(f"{_KEYS[dimension]} AS key_{at}, " for at, dimension in enumerate(shape.by))


_PART = "width_bucket(f.day, CAST(:starts AS date[]))"


def _all(shape: _Shape) -> str:
    return "".join(f", f.{name}" for name in shape.counters)


def _standing_only(shape: _Shape) -> str:
    return "".join(
        f", f.{name}" if NUMBER[name] >= STANDING else f", NULL::integer AS {name}"
        for name in shape.counters
    )


def _branch(shape: _Shape, table: str, name: str, counted: str) -> str:
    wanted = "fine" if table == "fact_day" else "coarse"
    join, where = _procedure(shape)
    return (
        f"SELECT {_key_list(shape)}{counted} FROM {table} f{_of_place(shape)}{join}"
        f" WHERE f.day >= :{name}_since AND f.day < :{name}_until"
        f" AND f.slice = ANY(:{wanted}) AND f.reading <= :reading{_at_place(shape)}{where}"
    )


def _before(shape: _Shape) -> str:
    """Return what stood before the first period, one row for each combination of keys."""
    counted = ", ".join(f"f.{name}" for name in shape.standing)
    branches = " UNION ALL ".join(
        _branch(shape, table, f"before_{at}", counted) for at, table in enumerate(shape.before)
    )
    keys = "".join(f"{name}, " for name in shape.keys)
    sums = "".join(
        f", CAST(sum({name}) AS integer)" if NUMBER[name] >= STANDING else ", NULL::integer"
        for name in shape.counters
    )
    group = f" GROUP BY {', '.join(shape.keys)}" if shape.keys else ""
    return f"SELECT {keys}0 AS part{sums} FROM ({branches}) AS b{group}"


def _of_place(shape: _Shape) -> str:
    """Return the join with the units that are counted, where their names are asked for."""
    return "" if shape.is_above or shape.is_narrow else " JOIN place p ON p.unit_id = f.unit_id"


def _at_place(shape: _Shape) -> str:
    """Return what takes the place of that join: a plan for all can only look units up by key."""
    if shape.is_above:
        return " AND f.unit_id = :above"
    return " AND f.unit_id = ANY(ARRAY(SELECT unit_id FROM place))" if shape.is_narrow else ""


def _extra(shape: _Shape) -> list[str]:
    """Return corners that no row of the periods holds, and what is still to come today."""
    held = "".join(
        f" AND NOT (f.day >= :in_{at}_since AND f.day < :in_{at}_until AND"
        f" date_trunc('{grain}', f.day) = date_trunc('{grain}', f.seen_on))"
        for at, table in enumerate(shape.inside)
        for grain in (table.rpartition("_")[2],)
        if grain != "day"
    )
    join, where = _procedure(shape)
    # not of the key: a plan for any parameters would think it cheaper to look for days alone
    slice_ = "f.slice + 0" if shape.is_narrow else "f.slice"
    where = f" AND {slice_} = ANY(:fine) AND f.reading <= :reading{_at_place(shape)}{where}"
    if shape.wanted != COUNTS:
        where += f" AND f.counter IN ({', '.join(str(NUMBER[name]) for name in shape.counters)})"
    join = f"{_of_place(shape)}{join}"
    counted = "".join(
        f", CASE WHEN f.counter = {NUMBER[name]} THEN f.n END" for name in shape.counters
    )
    corners = (
        f"SELECT {_key_list(shape)}{_PART}{counted} FROM fact_corner f{join}"
        " WHERE f.day >= :first AND f.day < :after"
        f" AND f.seen_on < (CAST(:follows AS date[]))[{_PART}]{held}{where}"
    )
    found = [corners]
    if shape.is_cut:
        counted = counted.replace("THEN f.n", "THEN -f.n")
        found.append(
            f"SELECT {_key_list(shape)}:parts{counted} FROM fact_ahead f{join}"
            f" WHERE f.at >= :ends AND f.at < :midnight AND f.day >= :last_start{where}"
        )
    return found


def _tail(shape: _Shape) -> list[str]:
    """Return what the log adds to the periods, and to what stood before them."""
    join, where = _procedure(shape)
    still = " AND (f.ahead_at IS NULL OR f.ahead_at < :ends)" if shape.is_cut else ""
    source = (
        f" FROM delta f JOIN place p ON p.unit_id = f.unit_id{join}"
        f" WHERE f.slice = ANY(:told) AND f.reading <= :reading{where}"
    )
    during = (
        f"f.day >= :first AND f.day < :after AND f.seen_on < (CAST(:follows AS date[]))[{_PART}]"
    )
    before = "f.day < :first AND f.day = f.seen_on"
    return [
        f"SELECT {_key_list(shape)}{_PART} AS part{_all(shape)}{source} AND {during}{still}",
        f"SELECT {_key_list(shape)}0{_standing_only(shape)}{source} AND {before}",
    ]


def _statement(shape: _Shape) -> str:
    """Return rows of (keys, part, sums), then one of part -1 that tells how far they hold.

    The sums of a single period are the counts that are wanted; of several, all counters.
    """
    branches = [_before(shape)] if shape.before else []
    branches += [
        _branch(shape, table, f"in_{at}", f"{_PART} AS part{_all(shape)}")
        for at, table in enumerate(shape.inside)
    ]
    branches += _extra(shape)
    if shape.with_tail:
        branches += _tail(shape)
    keys = "".join(f"{name}, " for name in shape.keys)
    group = [str(place + 1) for place in range(len(shape.by) + (not shape.is_single))]
    if shape.is_single:
        told = [f"{_counted(count, shape.units)} AS c{at}" for at, count in enumerate(shape.wanted)]
    else:
        told = [f"coalesce(sum({name}), 0) AS {name}" for name in shape.counters]
    part = "1 AS part" if shape.is_single else "part"
    whole = f"SELECT {keys}{part}, {', '.join(told)} FROM summed"
    if group:
        whole += f" GROUP BY {', '.join(group)}"
    nothing = "NULL, " * len(shape.by)
    rest = ", NULL" * max(0, len(told) - 3)
    spare = "".join(f", NULL AS spare_{at}" for at in range(3 - len(told)))
    rolled = is_rolled(":above", "place") if shape.is_above else "TRUE"
    early = (
        f"(SELECT greatest((SELECT latest FROM fact_state),"
        f" (SELECT max(recorded_at) FROM dossier_change)) - {MARGIN} > :ends)"
        if shape.is_cut
        else "FALSE"
    )
    tail = ""
    if shape.with_tail:
        tail = f"""
    tail AS MATERIALIZED (
        SELECT c.unit_id, source_id, code, version, CAST(sum(sign) AS integer) AS sign
          FROM dossier_change c JOIN place p ON p.unit_id = c.unit_id
         GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0
    ),
    {relations(of_changes("tail", before=":ends"))},"""
    return f"""
    WITH place AS MATERIALIZED ({_place(shape)}),{tail}
    summed({keys}part, {", ".join(shape.counters)}) AS ({" UNION ALL ".join(branches)})
    SELECT w.*{spare} FROM ({whole}) AS w
    UNION ALL
    SELECT {nothing}-1,
           CAST(EXISTS (SELECT 1 FROM dossier_change c JOIN place p ON p.unit_id = c.unit_id)
                AS integer),
           CAST(coalesce({early}, FALSE) AS integer), CAST({rolled} AS integer){rest}"""


_SLOTS: Final = re.compile(r"(?<![:\w]):(?!:)([a-z_][a-z_0-9]*)")
_TYPES: Final = {
    **dict.fromkeys(("lft", "rgt"), "bigint"),
    **dict.fromkeys(("of", "above", "parts"), "integer"),
    **dict.fromkeys(("told", "fine", "coarse"), "smallint[]"),
    **dict.fromkeys(("starts", "follows"), "date[]"),
    **dict.fromkeys(("ends", "midnight"), "timestamptz"),
    **dict.fromkeys(("tree_units", "tree_shown"), "integer[]"),
    **dict.fromkeys(("tree_codes", "tree_levels", "tree_children"), "text[]"),
    **dict.fromkeys(("level", "procedure", "field"), "text"),
    "reading": "smallint",
}


@lru_cache(maxsize=256)
def _written(shape: _Shape) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement as the driver takes it, and the names of its parameters in order."""
    names: list[str] = []

    def slot(found: re.Match[str]) -> str:
        name = found[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}::{_TYPES.get(name, 'date')}"

    return _SLOTS.sub(slot, _statement(shape)).encode(), tuple(names)


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


def _spelled(value: object) -> str | int | None:
    """Return a parameter as the server reads it."""
    match value:
        case None | str() | int():
            return value
        case date() | datetime():
            return value.isoformat()
        case list():
            return f"{{{','.join(map(_item, value))}}}"
        case _:
            raise TypeError(f"a parameter of a kind that was not foreseen: {type(value)}")


def _item(value: object) -> str:
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return "NULL" if value is None else str(_spelled(value))


_GENERIC: Final = b"SET LOCAL plan_cache_mode = force_generic_plan"
_AUTO: Final = b"SET LOCAL plan_cache_mode = auto"


def _ask(session: ReadSession, asked: _Asked, *, with_tail: bool, is_wide: bool) -> list[_Line]:
    """Ask; a question about few rows is planned once for each connection, others each time.

    With a log that holds more, only a unit without others below it has few rows: a plan for any
    unit read the log of a nation version by version, twenty seconds for twenty thousand.
    """
    shape = asked.shape(with_tail=with_tail)
    statement, names = _written(shape)
    values = _parameters(asked)
    told = [_spelled(values[name]) for name in names]
    if not shape.is_narrow or (with_tail and is_wide):
        return session.ask_once(statement, *told)
    session.send(_GENERIC)
    answer = session.send(statement, *told)
    session.send(_AUTO)
    session.flush()
    return answer.rows or []


# ---------------------------------------------------------------- the answer

_Key = tuple[str | None, ...]
_NOTHING: Final = (0,) * len(COUNTERS)


def _rows(asked: _Asked, lines: Sequence[_Line]) -> list[list[Row]]:
    wide = len(asked.by)
    if len(asked.spans) == 1:
        found = [Row(line[:wide], Tally(line[wide + 1 :])) for line in lines]
        if wide:
            found = [row for row in found if any(row.tally.values)]
            found.sort(key=lambda row: tuple(key or "" for key in row.keys))
        return [found]
    cells: dict[_Key, dict[int, _Line]] = {}
    for line in lines:
        cells.setdefault(line[:wide], {})[line[wide]] = line[wide + 1 :]
    if not wide:
        cells.setdefault((), {})
    parts: list[list[Row]] = [[] for _ in asked.spans]
    for keys in sorted(cells, key=lambda keys: tuple(key or "" for key in keys)):
        for at, tally in enumerate(_several(asked, cells[keys])):
            if not wide or any(tally.values):
                parts[at].append(Row(keys, tally))
    return parts


def _several(asked: _Asked, line: Mapping[int, _Line]) -> list[Tally]:
    """Return the counts of each period: one hands over to the next what it holds."""
    found = []
    held = list(line.get(0, _NOTHING)[STANDING:])
    for at in range(len(asked.spans)):
        sums = list(line.get(at + 1, _NOTHING))
        carried = sum(held[place - STANDING] for place in _IN_HAND)
        held = list(map(add, held, sums[STANDING:]))
        sums[STANDING:] = held
        found.append(_tally(carried, sums, asked.scope.units))
    return found


_NO_COUNTER: Final = len(COUNTERS)
_SEATS: Final = itemgetter(*(NUMBER.get(count.value, _NO_COUNTER) for count in COUNTS))
_ODD: Final = [
    (seat, [NUMBER[name] for name in more], [NUMBER[name] for name in less])
    for seat, count in enumerate(COUNTS)
    if count in _MADE_OF
    for more, less in (_MADE_OF[count],)
]
_SEAT: Final = {count: seat for seat, count in enumerate(COUNTS)}
_CARRIED: Final = _SEAT[Count.CARRIED_OVER]


def _tally(carried: int, whole: list[int], units: Units) -> Tally:
    """Return the counts of a period from what passed in it and what stands at its end."""
    whole.append(0)
    values = list(_SEATS(whole))
    for seat, more, less in _ODD:
        values[seat] = sum(whole[one] for one in more) - sum(whole[one] for one in less)
    values[_CARRIED] = carried
    if units is Units.AS_WAS:
        for count, name in _BY_SUCCESSION.items():
            values[_SEAT[count]] += whole[NUMBER[name]]
    return Tally(tuple(values))
