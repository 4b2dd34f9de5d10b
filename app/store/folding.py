"""The facts as they are kept: folded from the log of versions, built anew, compared.

Only one folder is at work at a time, and nobody else writes facts, so ingest never waits for a
counter. Each step is one statement under one snapshot: what it takes from the log is in the facts
when it commits, and a reader sees either both or neither.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text

from app.store.contributions import (
    BELOW,
    WHOLE,
    added,
    of_changes,
    of_units,
    relations,
    unpivoted,
)
from app.store.session import ReadSession, WriteSession
from app.store.tables import COUNTERS

_LOCK: Final = 0x64_68_66_63

_KEYS = "unit_id, day, reading, slice, procedure_id"
_LONG_KEYS = "unit_id, day, counter, reading, slice, procedure_id"
_WIDE: Final[Mapping[str, str]] = {
    "fact_day": "unit_id, day, reading, slice",
    "fact_month": "unit_id, slice, reading, day",
    "fact_year": "unit_id, slice, reading, day",
    "fact_procedure_month": "unit_id, day, procedure_id, reading, slice",
}
"""Each table of counters with the key of its rows."""


def _first_of(grain: str, column: str = "day") -> str:
    return f"CAST(date_trunc('{grain}', CAST({column} AS timestamp)) AS date)"


_IN_ONE_MONTH = f"{_first_of('month')} = {_first_of('month', 'seen_on')}"
_IN_ONE_YEAR = f"{_first_of('year')} = {_first_of('year', 'seen_on')}"


def _summed(grain: str, parts: str, corners: str) -> str:
    """Return the rows of a coarser step of time: of a finer one, and of corners within it."""
    return f"""
        SELECT unit_id, {_first_of(grain)} AS day, reading, slice, {added()}
          FROM (SELECT unit_id, day, reading, slice, {", ".join(COUNTERS)} FROM {parts}
                UNION ALL
                SELECT unit_id, day, reading, slice, {", ".join(COUNTERS)} FROM delta
                 WHERE day <> seen_on AND {corners}) AS parts
         GROUP BY 1, 2, 3, 4"""


_ROWS = f"""
    day_rows AS MATERIALIZED (
        SELECT unit_id, day, reading, slice, {added()} FROM delta WHERE day = seen_on
         GROUP BY unit_id, day, reading, slice
    ),
    month_rows AS MATERIALIZED (
        {_summed("month", "day_rows", _IN_ONE_MONTH)}
    ),
    year_rows AS MATERIALIZED (
        {_summed("year", "month_rows", f"NOT {_IN_ONE_MONTH} AND {_IN_ONE_YEAR}")}
    )"""
"""The rows of days, months and years that ``delta`` makes, each from the finer ones."""


def _wide_rows(table: str) -> str:
    """Return what ``delta`` makes of a table of counters; needs ``_ROWS``."""
    columns = ", ".join(COUNTERS)
    if table == "fact_procedure_month":
        return (
            f"SELECT unit_id, {_first_of('month')} AS day, procedure_id, reading, slice,"
            f" {added()} FROM delta WHERE day = seen_on OR {_IN_ONE_MONTH}"
            " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
        )
    rows = f"{table.removeprefix('fact_')}_rows"
    if table == "fact_day":
        return f"SELECT unit_id, day, reading, slice, {columns} FROM {rows} ORDER BY 1, 2, 3, 4"
    return (
        f"SELECT unit_id, slice, reading, day, {columns} FROM {rows} UNION ALL"
        f" SELECT unit_id, {WHOLE}, reading, day, {added()} FROM {rows} GROUP BY 1, 3, 4"
        " ORDER BY 1, 2, 3, 4"
    )


def _corner_rows() -> str:
    keys = f"{_KEYS}, seen_on"
    long = unpivoted(f"SELECT {keys}, {', '.join(COUNTERS)} FROM delta WHERE day <> seen_on", keys)
    return (
        f"SELECT {_LONG_KEYS}, seen_on, CAST(sum(n) AS integer) AS n FROM ({long}) l"
        f" GROUP BY {_LONG_KEYS}, seen_on HAVING sum(n) <> 0 ORDER BY {_LONG_KEYS}, seen_on"
    )


def _ahead_rows() -> str:
    keys = f"{_KEYS}, ahead_at"
    long = unpivoted(
        f"SELECT {keys}, {', '.join(COUNTERS)} FROM delta WHERE ahead_at > :forgotten", keys
    )
    return (
        f"SELECT {_LONG_KEYS}, ahead_at AS at, CAST(sum(n) AS integer) AS n FROM ({long}) l"
        f" GROUP BY {_LONG_KEYS}, ahead_at HAVING sum(n) <> 0 ORDER BY {_LONG_KEYS}, ahead_at"
    )


_LONG: Final = {"fact_corner": "seen_on", "fact_ahead": "at"}


IS_ROLLED: Final = (
    "EXISTS (SELECT FROM fact_state s JOIN catalogue_stamp c"
    " ON c.name = 'unit' AND c.stamp = s.tree)"
)
"""Tells whether the rows of units with all below them are sums by the tree of today, as SQL."""

_IS_KEPT: Final = "EXISTS (SELECT FROM fact_state WHERE tree IS NOT NULL)"
"""Tells whether they are sums by ``fact_lineage``, as SQL."""


def is_rolled(above: str, members: str) -> str:
    """Return whether the rows of one unit with all below it are sums of these units, as SQL.

    They are while the tree is the one that they were made by, and after any change of the tree
    that left this unit what it was.

    :param above: the number of the unit, as SQL.
    :param members: the name of a relation of ``unit_id``, no number twice.
    """
    held = f"SELECT unit_id FROM fact_lineage WHERE above_id = {above}"
    return (
        f"({IS_ROLLED} OR {_IS_KEPT}"
        f" AND NOT EXISTS (SELECT unit_id FROM {members} EXCEPT {held})"
        f" AND NOT EXISTS ({held} EXCEPT SELECT unit_id FROM {members}))"
    )


_TODAY: Final = """
        SELECT a.id AS above, h.unit_id
          FROM unit a JOIN (
            SELECT id AS unit_id, lft FROM unit WHERE heir_id IS NULL
             UNION ALL
            SELECT u.id, heir.lft FROM unit u JOIN unit heir ON heir.id = u.heir_id
          ) AS h ON h.lft BETWEEN a.lft AND a.rgt
         WHERE EXISTS (SELECT FROM unit c WHERE c.parent_id = a.id)"""
"""Each unit that has others below it, with those whose dossiers it shows (as in ``trees``)."""

_HELD: Final = "SELECT above_id AS above, unit_id FROM fact_lineage"
_KEPT: Final = f"lineage AS MATERIALIZED ({_HELD} WHERE {_IS_KEPT})"
"""The same as the sums were made: whatever the tree is by now, that is what they are kept by."""


def _lifted(table: str, rows: str) -> str:
    """Return rows of units as rows of those above them; needs ``lineage``."""
    names = [name.strip() for name in _keys_of(table).split(",")]
    shown = {"unit_id": "l.above AS unit_id", "slice": f"r.slice + {BELOW} AS slice"}
    keys = ", ".join(shown.get(name, f"r.{name}") for name in names)
    sums = added() if table in _WIDE else "CAST(sum(n) AS integer) AS n"
    group = ", ".join(str(place + 1) for place in range(len(names)))
    return (
        f"SELECT {keys}, {sums} FROM ({rows}) AS r JOIN lineage l ON l.unit_id = r.unit_id"
        f" GROUP BY {group}"
    )


def _keys_of(table: str) -> str:
    return _WIDE[table] if table in _WIDE else f"{_LONG_KEYS}, {_LONG[table]}"


def _columns_of(table: str) -> str:
    return f"{_keys_of(table)}, {', '.join(COUNTERS) if table in _WIDE else 'n'}"


def _rows_of(table: str) -> str:
    """Return what ``delta`` makes of a table, columns as ``_columns_of`` has them."""
    if table in _WIDE:
        return _wide_rows(table)
    rows = _corner_rows() if table == "fact_corner" else _ahead_rows()
    return f"SELECT {_columns_of(table)} FROM ({rows}) AS o"


def _on_conflict(table: str) -> str:
    """Return what adds a row to the one that is there."""
    sums = (
        ", ".join(
            f"{name} = nullif(coalesce(f.{name}, 0) + coalesce(EXCLUDED.{name}, 0), 0)"
            for name in COUNTERS
        )
        if table in _WIDE
        else "n = f.n + EXCLUDED.n"
    )
    return f" ON CONFLICT ({_keys_of(table)}) DO UPDATE SET {sums}"


def _adding(table: str) -> str:
    """Return the parts of a WITH that add ``delta`` to one table, to units and those above."""
    name, columns = f"to_{table}", _columns_of(table)
    order = ", ".join(str(place + 1) for place in range(len(_keys_of(table).split(","))))
    return (
        f"of_{table} AS MATERIALIZED (SELECT * FROM ({_rows_of(table)}) AS o({columns})),"
        f" {name} AS (INSERT INTO {table} AS f ({columns}) SELECT * FROM ("
        f"SELECT * FROM of_{table} UNION ALL {_lifted(table, f'SELECT * FROM of_{table}')}) AS b"
        f" ORDER BY {order}{_on_conflict(table)})"
    )


def _making(table: str) -> str:
    """Return the part of a WITH that makes rows of units of ``delta``."""
    return (
        f"to_{table} AS (INSERT INTO {table} ({_columns_of(table)})"
        f" SELECT * FROM ({_rows_of(table)}) AS o)"
    )


TABLES: Final = (*_WIDE, *_LONG)

_FOLD = text(
    f"""
    WITH taken AS (
        DELETE FROM dossier_change WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM dossier_change LIMIT :limit))
        RETURNING unit_id, source_id, code, version, sign, recorded_at
    ),
    change AS MATERIALIZED (
        SELECT unit_id, source_id, code, version, CAST(sum(sign) AS integer) AS sign
          FROM taken GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0
    ),
    {relations(of_changes("change"))},{_ROWS},{_KEPT},
    {", ".join(_adding(table) for table in TABLES)},
    told AS (
        INSERT INTO fact_state (latest) SELECT max(recorded_at) FROM taken
        HAVING max(recorded_at) IS NOT NULL
        ON CONFLICT (sole) DO UPDATE SET latest = greatest(fact_state.latest, EXCLUDED.latest)
    )
    SELECT count(*) FROM taken
    """
)

_FORGOTTEN: Final = "interval '1 day'"
"""How far behind the latest recording an instant within a day is of no use any more."""


def _forgotten(session: ReadSession) -> datetime | None:
    found = session.scalar(text(f"SELECT max(latest) - {_FORGOTTEN} FROM fact_state"))
    return found if isinstance(found, datetime) else None


_LONG_AGO = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


def is_alone(session: WriteSession) -> bool:
    """Tell whether nobody else folds or builds; if so, keep others away as ``alone`` does."""
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))


def fold(session: WriteSession, *, limit: int) -> int | None:
    """Add some of the log to the facts and take it from the log; return how much it was.

    None when another folder is at work: what it leaves is folded next time.
    """
    if not is_alone(session):
        return None
    forgotten = _forgotten(session) or _LONG_AGO
    folded = session.scalar(_FOLD, {"limit": limit, "forgotten": forgotten})
    session.execute(text("DELETE FROM fact_ahead WHERE at <= :at OR n = 0"), {"at": forgotten})
    return int(folded)


def waiting(session: ReadSession) -> int:
    """Count the versions in the log."""
    return int(session.scalar(text("SELECT count(*) FROM dossier_change")))


def flooded(session: ReadSession, *, least: int, versions: int) -> list[int]:
    """Return units of which the log holds the most, together about so many versions.

    None of them when the log holds less than ``least``: then it is cheap to tell.
    """
    if not session.scalar(_HOLDS, {"least": least}):
        return []
    return list(session.scalars(_FLOODED, {"versions": versions}).all())


def is_mostly_new(session: ReadSession, units: Sequence[int], *, times: int, most: int) -> bool:
    """Tell whether units have so few dossiers: ``times`` the versions in the log, and ``most``."""
    wanted = {"units": list(units), "times": times, "most": most}
    return bool(session.scalar(_MOSTLY_NEW, wanted))


_HOLDS: Final = text("SELECT EXISTS (SELECT FROM dossier_change OFFSET :least)")
_FLOODED: Final = text(
    """
    SELECT unit_id FROM (
        SELECT unit_id, n, sum(n) OVER (ORDER BY n DESC, unit_id) AS upto
          FROM (SELECT unit_id, count(*) AS n FROM dossier_change GROUP BY 1) AS held) AS most
     WHERE upto - n < :versions ORDER BY unit_id
    """
)
_MOSTLY_NEW: Final = text(
    """
    SELECT (SELECT count(*) FROM dossier WHERE unit_id = ANY(:units))
        <= least(:most,
                 :times * (SELECT count(*) FROM dossier_change WHERE unit_id = ANY(:units)))
    """
)

# ---------------------------------------------------------------- comparing and building anew


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of the facts that is not what the dossiers give."""

    table: str
    unit: str
    counter: str
    day: date
    stored: int
    expected: int


def unit_batches(session: ReadSession, *, dossiers: int) -> Iterator[list[int]]:
    """Return all units in batches that hold at most so many dossiers, or one unit each."""
    rows = session.execute(
        text(
            "SELECT u.id, coalesce(d.n, 0) AS n FROM unit u LEFT JOIN"
            " (SELECT unit_id, count(*) AS n FROM dossier GROUP BY 1) d ON d.unit_id = u.id"
            " ORDER BY u.id"
        )
    )
    batch: list[int] = []
    size = 0
    for unit, held in rows.all():
        if batch and size + held > dossiers:
            yield batch
            batch, size = [], 0
        batch.append(unit)
        size += held
    if batch:
        yield batch


_SHOULD = f"""
    tail AS MATERIALIZED (
        SELECT unit_id, source_id, code, version, CAST(-sum(sign) AS integer) AS sign
          FROM dossier_change WHERE unit_id = ANY(:units)
         GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0
    ),
    {relations(of_units() + " UNION ALL " + of_changes("tail"))},{_ROWS}"""
"""What the facts should hold: what holds now, without what is still in the log."""


_OF_UNITS = f"unit_id = ANY(:units) AND slice < {BELOW}"


def _compared(table: str) -> str:
    if table in _WIDE:
        stored = f"SELECT * FROM {table} WHERE {_OF_UNITS}"
    else:
        useful = " AND at > :forgotten" if table == "fact_ahead" else ""
        stored = f"SELECT * FROM {table} WHERE {_OF_UNITS}{useful}"
    return _differing(table, stored, _rows_of(table))


def _differing(table: str, stored: str, expected: str) -> str:
    """Return where two relations with the columns of a table hold different numbers."""
    keys = _keys_of(table)
    if table in _WIDE:
        stored, expected = unpivoted(stored, keys), unpivoted(expected, keys)
        keys = f"{keys}, counter"
    columns = f"{keys}, n"
    return f"""
    SELECT '{table}' AS fact, u.code AS unit, counter, day,
           CAST(sum(stored) AS integer) AS stored, CAST(sum(expected) AS integer) AS expected
      FROM (SELECT {keys}, n AS stored, 0 AS expected FROM (SELECT {columns} FROM ({stored}) t) s
            UNION ALL
            SELECT {keys}, 0, n FROM (SELECT {columns} FROM ({expected}) t) x) AS both_sides
      JOIN unit u ON u.id = unit_id
     GROUP BY {keys}, u.code HAVING sum(stored) <> sum(expected)"""


def _compared_above(table: str) -> str:
    stored = f"SELECT * FROM {table} WHERE slice >= {BELOW} AND {_IS_KEPT}"
    columns = _columns_of(table)
    return _differing(
        table, stored, _lifted(table, f"SELECT {columns} FROM {table} WHERE slice < {BELOW}")
    )


_COMPARE = text(
    f"WITH {_SHOULD} {' UNION ALL '.join(f'({_compared(table)})' for table in TABLES)}"
    " ORDER BY 1, 2, 4, 3"
)
_COMPARE_ABOVE = text(
    f"WITH lineage AS MATERIALIZED (({_HELD} WHERE {_IS_KEPT} AND NOT {IS_ROLLED})"
    f" UNION ALL ({_TODAY} AND {IS_ROLLED}))"
    f" {' UNION ALL '.join(f'({_compared_above(table)})' for table in TABLES)} ORDER BY 1, 2, 4, 3"
)
_CLEAR = tuple(text(f"DELETE FROM {table} WHERE {_OF_UNITS}") for table in TABLES)


def _moved(table: str, sign: str, *, where: str, lineage: str = _KEPT) -> str:
    """Return the statement that adds rows of units to those above, or takes them away."""
    names = COUNTERS if table in _WIDE else ("n",)
    signed = ", ".join(f"{sign}{name} AS {name}" for name in names)
    rows = f"SELECT {_keys_of(table)}, {signed} FROM {table} WHERE {where}"
    order = ", ".join(str(place + 1) for place in range(len(_keys_of(table).split(","))))
    return (
        f"WITH {lineage} INSERT INTO {table} AS f ({_columns_of(table)})"
        f" SELECT * FROM ({_lifted(table, rows)}) AS b ORDER BY {order}{_on_conflict(table)}"
    )


_TAKE_UP = tuple(text(_moved(table, "-", where=_OF_UNITS)) for table in TABLES)
_PUT_UP = tuple(text(_moved(table, "", where=_OF_UNITS)) for table in TABLES)
_FORGET_UP = tuple(text(f"DELETE FROM {table} WHERE slice >= {BELOW}") for table in TABLES)
_ALL_UP = tuple(
    text(_moved(table, "", where=f"slice < {BELOW}", lineage=f"lineage AS MATERIALIZED ({_HELD})"))
    for table in TABLES
)
_TOLD = "SELECT * FROM unnest(CAST(:above AS int[]), CAST(:units AS int[])) AS p(above, unit_id)"
_PAIRS = f"lineage AS MATERIALIZED ({_TOLD})"
_APART = tuple(text(_moved(table, "-", where=_OF_UNITS, lineage=_PAIRS)) for table in TABLES)
_TOGETHER = tuple(text(_moved(table, "", where=_OF_UNITS, lineage=_PAIRS)) for table in TABLES)
_FORGET_SOME = tuple(
    text(f"DELETE FROM {table} WHERE unit_id = ANY(:above) AND slice >= {BELOW}")
    for table in TABLES
)
_DIFFERENCE = text(
    f"""
    WITH today AS MATERIALIZED ({_TODAY}), held AS MATERIALIZED ({_HELD})
    SELECT above, unit_id, 1 AS sign, TRUE AS stays FROM
           (SELECT * FROM today EXCEPT SELECT * FROM held) AS new
    UNION ALL
    SELECT above, unit_id, -1, EXISTS (SELECT FROM today t WHERE t.above = gone.above)
      FROM (SELECT * FROM held EXCEPT SELECT * FROM today) AS gone
    """
)
_LINK = text(f"INSERT INTO fact_lineage (above_id, unit_id) {_TOLD}")
_UNLINK = text(f"DELETE FROM fact_lineage WHERE (above_id, unit_id) IN ({_TOLD})")
_NOW: Final = "(SELECT stamp FROM catalogue_stamp WHERE name = 'unit')"
_BUILD = text(
    f"""
    WITH taken AS (DELETE FROM dossier_change WHERE unit_id = ANY(:units)),
    {relations(of_units())},{_ROWS},
    {", ".join(_making(table) for table in TABLES)}
    SELECT max(recorded_at) FROM version
    """
)
_LATEST = text(
    """
    INSERT INTO fact_state (latest) VALUES (:latest)
    ON CONFLICT (sole) DO UPDATE SET latest = greatest(fact_state.latest, EXCLUDED.latest)
    """
)


def compare(session: ReadSession, units: Sequence[int]) -> list[Difference]:
    """Count the dossiers of some units anew and return where the facts say otherwise."""
    forgotten = _forgotten(session) or _LONG_AGO
    rows = session.execute(_COMPARE, {"units": list(units), "forgotten": forgotten})
    return [_difference(row) for row in rows]


def _difference(row: Any) -> Difference:
    return Difference(
        table=row.fact,
        unit=row.unit,
        counter=COUNTERS[row.counter],
        day=row.day,
        stored=row.stored,
        expected=row.expected,
    )


def alone(session: WriteSession) -> None:
    """Keep all folders and builders away until the transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def build(session: WriteSession, units: Iterable[int]) -> None:
    """Make the facts of some units anew from their dossiers and forget what the log has of them.

    Nobody else may fold or build meanwhile, see ``alone``; others may build other units after
    ``unroll``. The sums of those above are kept true where they were.
    """
    _take_time(session)
    wanted = {"units": list(units)}
    is_kept = session.scalar(text(f"SELECT {_IS_KEPT}"))
    for statement in (*(_TAKE_UP if is_kept else ()), *_CLEAR):
        session.execute(statement, wanted)
    latest = session.scalar(_BUILD, wanted | {"forgotten": _forgotten(session) or _LONG_AGO})
    for statement in _PUT_UP if is_kept else ():
        session.execute(statement, wanted)
    if latest is not None:
        session.execute(_LATEST, {"latest": latest})


def _take_time(session: WriteSession) -> None:
    session.execute(text("SET LOCAL work_mem = '256MB'"))
    session.execute(text("SET LOCAL statement_timeout = '10min'"))


def is_stale(session: ReadSession) -> bool:
    """Tell whether sums of those above are kept by another tree than today's."""
    wanted = text(f"SELECT EXISTS (SELECT FROM fact_state) AND NOT {IS_ROLLED}")
    return bool(session.scalar(wanted))


def unroll(session: WriteSession) -> None:
    """Say that the sums of those above are not true, so that nobody reads or keeps them."""
    session.execute(text("UPDATE fact_state SET tree = NULL"))


def roll_up(session: WriteSession) -> None:
    """Sum units to those above them anew, by the tree of today, while nobody folds."""
    _take_time(session)
    stamp = session.scalar(text(f"SELECT {_NOW}"))
    session.execute(text("DELETE FROM fact_lineage"))
    session.execute(text(f"INSERT INTO fact_lineage (above_id, unit_id) {_TODAY}"))
    for statement in (*_FORGET_UP, *_ALL_UP):
        session.execute(statement)
    session.execute(_RESTAMP, {"stamp": stamp})


_RESTAMP: Final = text("UPDATE fact_state SET tree = :stamp")


def is_kept(session: ReadSession) -> bool:
    """Tell whether there are sums of those above, by the tree of today or by an earlier one."""
    return bool(session.scalar(text(f"SELECT {_IS_KEPT}")))


def follow_tree(session: WriteSession) -> None:
    """Bring the sums of those above to the tree of today, while nobody folds.

    Only what moved is taken from where it was and added where it is now: a new name costs
    nothing, a commune that moves costs its own rows. The sums must be there, see ``is_kept``.
    """
    _take_time(session)
    stamp = session.scalar(text(f"SELECT {_NOW}"))  # first: a later change is followed later
    moved = session.execute(_DIFFERENCE).all()
    ceased = sorted({row.above for row in moved if not row.stays})
    if ceased:
        for statement in _FORGET_SOME:
            session.execute(statement, {"above": ceased})
    apart = _pairs(row for row in moved if row.sign < 0 and row.stays)
    together = _pairs(row for row in moved if row.sign > 0)
    for pairs, statements in ((apart, _APART), (together, _TOGETHER)):
        for statement in statements if pairs["units"] else ():
            session.execute(statement, pairs)
    session.execute(_UNLINK, _pairs(row for row in moved if row.sign < 0))
    session.execute(_LINK, together)
    session.execute(_RESTAMP, {"stamp": stamp})


def _pairs(rows: Iterable[Any]) -> dict[str, list[int]]:
    found = list(rows)
    return {"above": [row.above for row in found], "units": [row.unit_id for row in found]}


def compare_above(session: ReadSession) -> list[Difference]:
    """Sum units to those above them anew and return where the facts say otherwise."""
    rows = session.execute(_COMPARE_ABOVE)
    return [_difference(row) for row in rows]
