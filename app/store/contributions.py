"""What one dossier adds to the facts: one relation, for folding, reading, rebuilding, recounting.

Every count of a period [first, last] seen at T is a sum of *corners*: something that passed on a
local day and counts from an instant on, if its day is not before the period and the instant is
before T. A flow counts from when it passed; a finish with an apology from the letter on; what fell
due from its due day on, until the dossier is withdrawn or paused, which takes the corner back from
that instant on. What is held at T is the sum of all changes before T. So facts only add, each
version of a dossier can be taken out again, and day, month and year hold the same numbers summed:
a corner whose two days lie in one month is one number of that month.

The relation ``delta`` has rows of (unit, reading, slice, procedure, counter, day, seen_on,
ahead_at) whose numbers ``n`` are to be added. ``slice`` tells channel and same-day limit; reading
``EXTENDED`` holds only what differs from the promised one. The conditions are those of
``store.tallies``, which counts the same by looking at every dossier.
"""

from collections.abc import Mapping
from typing import Final

from app.domain.timeliness import Flow, State
from app.i18n import ZONE
from app.store.tables import COUNTERS
from app.store.tallies import ASKED_IN_TIME

PROMISED: Final = 0
EXTENDED: Final = 1

CHANNELS: Final = ("online", "in_person", "post", "unknown")
WHOLE: Final = 0
"""The slice of everything, kept for months and years."""

MARGIN: Final = "interval '10 minutes'"
"""How much earlier than its recording an instant is still kept in ``fact_ahead``: as far may the
moment of a reader lie behind that of a writer."""

NUMBER: Final[Mapping[str, int]] = {name: number for number, name in enumerate(COUNTERS)}


def slices(channel: str | None, *, without_same_day: bool) -> list[int]:
    """Return the slices that hold what is asked for, the whole alone when nothing is left out."""
    if channel is None and not without_same_day:
        return [WHOLE]
    return parts(channel, without_same_day=without_same_day)


def parts(channel: str | None = None, *, without_same_day: bool = False) -> list[int]:
    """Return the slices that hold what is asked for, each dossier in one of them."""
    return [
        1 + 2 * place + same_day
        for place, name in enumerate(CHANNELS)
        if channel in (None, name)
        for same_day in ((0,) if without_same_day else (0, 1))
    ]


def channel_of(column: str) -> str:
    """Return the channel of a slice, as SQL."""
    words = ", ".join(f"'{name}'" for name in CHANNELS)
    return f"(ARRAY[{words}])[({column} + 1) / 2]"


def _local(instant: str) -> str:
    return f"({instant} AT TIME ZONE '{ZONE.key}')"


def day_of(instant: str) -> str:
    """Return the local day of an instant, as SQL."""
    return f"CAST({_local(instant)} AS date)"


_WORDS = ", ".join(f"'{name}'" for name in CHANNELS)
_SLICE = (
    f"2 * array_position(ARRAY[{_WORDS}], d.channel) - 1"
    " + (CASE WHEN d.limit_kind = 'same_day' THEN 1 ELSE 0 END)"
)
_EDGES = ("edge_at", "edge_state", "edge_flow", "edge_due")
_TYPES = ("timestamptz[]", "smallint[]", "smallint[]", "date[]")
_PLAIN = (
    "d.unit_id, coalesce(d.procedure_id, 0) AS procedure_id, d.channel, d.online_level,"
    f" d.recorded_at, {_SLICE} AS slice, d.returned_at, d.return_method, d.apology_at,"
    " d.apology_exempt, d.supplement_at, d.edge_at, d.edge_state, d.edge_flow, d.edge_due"
)
_OF_READING = ", ".join(f"r.{name} AS x_{name}" for name in _EDGES)
_OF_PAST = ", ".join(
    "CASE WHEN d.readings ? 'extended' THEN ARRAY(SELECT jsonb_array_elements_text("
    f"d.readings -> 'extended' -> '{name}'))::{kind} END AS x_{name}"
    for name, kind in zip(_EDGES, _TYPES, strict=True)
)
_JOIN_READING = (
    "LEFT JOIN dossier_reading r ON r.unit_id = d.unit_id AND r.source_id = d.source_id"
    " AND r.code = d.code AND r.reading = 'extended'"
)
_COUNTED = "d.is_counted"


def of_changes(relation: str) -> str:
    """Return the versions that a relation of (unit_id, source_id, code, version, sign) names."""
    key = (
        "d.unit_id = c.unit_id AND d.source_id = c.source_id AND d.code = c.code"
        " AND d.version = c.version"
    )
    return f"""
    SELECT c.sign, {_PLAIN}, {_OF_READING}
      FROM {relation} c JOIN dossier d ON {key} {_JOIN_READING} WHERE {_COUNTED}
    UNION ALL
    SELECT c.sign, {_PLAIN}, {_OF_PAST}
      FROM {relation} c JOIN dossier_past d ON {key} WHERE {_COUNTED}"""


def of_units() -> str:
    """Return the versions that hold now at the units ``:units``."""
    return f"""
    SELECT 1 AS sign, {_PLAIN}, {_OF_READING}
      FROM dossier d {_JOIN_READING} WHERE d.unit_id = ANY(:units) AND {_COUNTED}"""


_IN_HAND = f"BETWEEN {State.OPEN_IN_TIME:d} AND {State.PAUSED:d}"
_HELD: Final[Mapping[int, str]] = {
    State.OPEN_IN_TIME: "open_in_time",
    State.OPEN_OVERDUE: "open_overdue",
    State.OPEN_NO_DUE: "open_no_due",
    State.PAUSED: "paused",
    State.AWAITING_INTAKE_IN_TIME: "awaiting_intake_in_time",
    State.AWAITING_INTAKE_OVERDUE: "awaiting_intake_overdue",
    State.RECEIPT_UNKNOWN: "receipt_unknown",
}
_JUDGED = (
    f"{State.OPEN_IN_TIME:d}, {State.OPEN_OVERDUE:d}, {State.FINISHED_EARLY:d},"
    f" {State.FINISHED_ON_TIME:d}, {State.FINISHED_LATE:d}"
)
_MET = f"{State.FINISHED_EARLY:d}, {State.FINISHED_ON_TIME:d}"
_GONE = f"{State.TRANSFERRED_OUT:d}, {State.VOIDED:d}"
_NO_DUE = f"{State.OPEN_NO_DUE:d}, {State.FINISHED_NO_DUE:d}"
_ON_TIME_766 = (
    "CASE WHEN m.asked > 1 THEN FALSE"
    " WHEN m.asked = 1 THEN m.asked_in_time"
    f" WHEN m.state IN ({State.WITHDRAWN:d}, {State.STOPPED:d})"
    f" THEN m.flow <> {Flow.WITHDRAWN_LATE:d}"
    f" ELSE m.state IN ({_MET}, {State.OPEN_IN_TIME:d}, {State.PAUSED:d}) END"
)
_LEFT_AT = f"""
    CASE WHEN g.state {_IN_HAND} OR g.state IN ({_GONE}, {_NO_DUE}) THEN NULL ELSE
    (SELECT max(edge_at[j]) FROM generate_series(2, g.i) AS j
      WHERE edge_state[j - 1] {_IN_HAND} AND NOT edge_state[j] {_IN_HAND}) END"""


def _case(of: str, numbers: Mapping[int, str]) -> str:
    whens = " ".join(f"WHEN {key:d} THEN {NUMBER[name]}" for key, name in numbers.items())
    return f"CASE {of} {whens} END"


_FROM_DUE_DAY = f"m.due_on::timestamp AT TIME ZONE '{ZONE.key}'"
_RETURNED = (
    f"CASE m.return_method WHEN 'post' THEN {NUMBER['returned_by_post']}"
    f" WHEN 'counter' THEN {NUMBER['returned_at_counter']}"
    f" WHEN 'online' THEN {NUMBER['returned_online']} END"
)
_STANDING: Final = (
    (_case("m.state", _HELD), None, None, "TRUE"),
    (
        f"{NUMBER['open_overdue_with_apology']}",
        None,
        "m.apology_at",
        f"m.state = {State.OPEN_OVERDUE:d} AND NOT m.apology_exempt AND m.apology_at IS NOT NULL",
    ),
    (
        f"{NUMBER['open_overdue_apology_exempt']}",
        None,
        None,
        f"m.state = {State.OPEN_OVERDUE:d} AND m.apology_exempt",
    ),
    (
        f"{NUMBER['held_766_on_time']}",
        None,
        None,
        f"m.state {_IN_HAND} AND m.state NOT IN ({_NO_DUE}) AND {_ON_TIME_766}",
    ),
    (
        f"{NUMBER['due']}",
        "m.due_on",
        _FROM_DUE_DAY,
        f"m.due_on IS NOT NULL AND m.state IN ({_JUDGED})",
    ),
    (
        f"{NUMBER['due_met']}",
        "m.due_on",
        _FROM_DUE_DAY,
        f"m.due_on IS NOT NULL AND m.state IN ({_MET})",
    ),
    (
        _RETURNED,
        day_of("m.returned_at"),
        "m.returned_at",
        f"m.returned_at IS NOT NULL AND m.state NOT IN ({_GONE})",
    ),
    (f"{NUMBER['left_766']}", day_of("m.left_at"), None, "m.left_at IS NOT NULL"),
    (
        f"{NUMBER['left_766_on_time']}",
        day_of("m.left_at"),
        None,
        f"m.left_at IS NOT NULL AND {_ON_TIME_766}",
    ),
)
"""(counter, day, from when at the earliest, whether it counts) of a dossier standing somewhere.

Without a day it is held: the number changes on the day of the edge.
"""

_PASSING: Final[Mapping[int, str]] = {
    Flow.REOPENED: "reopened",
    Flow.TRANSFERRED_IN: "transferred_in",
    Flow.SUCCEEDED_IN: "succeeded_in",
    Flow.FINISHED_EARLY: "finished_early",
    Flow.FINISHED_ON_TIME: "finished_on_time",
    Flow.FINISHED_LATE: "finished_late",
    Flow.FINISHED_NO_DUE: "finished_no_due",
    Flow.WITHDRAWN: "withdrawn",
    Flow.WITHDRAWN_LATE: "withdrawn",
    Flow.STOPPED: "stopped",
    Flow.TRANSFERRED_OUT: "transferred_out",
    Flow.VOIDED: "voided",
    Flow.SUCCEEDED_OUT: "succeeded_out",
}
_CAME = (
    "CASE e.channel"
    f" WHEN 'online' THEN {NUMBER['received_online']}"
    f" WHEN 'in_person' THEN {NUMBER['received_in_person']}"
    f" WHEN 'post' THEN {NUMBER['received_by_post']}"
    f" ELSE {NUMBER['received_unknown_channel']} END"
)
_LEVEL = (
    "CASE coalesce(e.online_level, 'unknown')"
    f" WHEN 'full' THEN {NUMBER['submitted_online_full']}"
    f" WHEN 'partial' THEN {NUMBER['submitted_online_partial']}"
    f" WHEN 'information' THEN {NUMBER['submitted_online_information']}"
    f" WHEN 'unknown' THEN {NUMBER['submitted_online_unknown']} END"
)
_PASSED: Final = (
    (_case("e.flow", _PASSING), None, "TRUE"),
    (_CAME, None, f"e.flow = {Flow.RECEIVED:d}"),
    (_LEVEL, None, f"e.flow = {Flow.RECEIVED:d} AND e.channel = 'online'"),
    (f"{NUMBER['withdrawn_late']}", None, f"e.flow = {Flow.WITHDRAWN_LATE:d}"),
    (
        f"{NUMBER['finished_late_with_apology']}",
        "e.apology_at",
        f"e.flow = {Flow.FINISHED_LATE:d} AND NOT e.apology_exempt AND e.apology_at IS NOT NULL",
    ),
    (
        f"{NUMBER['finished_late_apology_exempt']}",
        None,
        f"e.flow = {Flow.FINISHED_LATE:d} AND e.apology_exempt",
    ),
    (
        f"{NUMBER['refused_at_intake']}",
        None,
        f"e.state = {State.REFUSED_AT_INTAKE:d} AND e.flow <> {Flow.MOVED:d}",
    ),
    (
        f"{NUMBER['intake_late']}",
        None,
        f"e.state = {State.AWAITING_INTAKE_OVERDUE:d} AND e.flow <> {Flow.MOVED:d}",
    ),
)
"""(counter, from when at the earliest, whether it counts) of an edge."""

_COMMON = "sign, unit_id, procedure_id, slice, reading, recorded_at"
_CARRIED = (
    "channel, online_level, returned_at, return_method, apology_at, apology_exempt, supplement_at"
)


def _prefixed(columns: str, alias: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in columns.split(","))


def _standing(prefix: str) -> str:
    """Return what stands from when until when, each as (counter, day)."""
    common = _prefixed(_COMMON, "m")
    return " UNION ALL ".join(
        f"SELECT {common}, {counter} AS counter, {day or 'NULL::date'} AS day,"
        f" {f'greatest(m.since, {least})' if least else 'm.since'} AS since, m.until"
        f" FROM {prefix}moment m WHERE {counts}"
        f"{f' AND (m.until IS NULL OR m.until > {least})' if least else ''}"
        for counter, day, least, counts in _STANDING
    )


def _passed(prefix: str) -> str:
    """Return what passed, each as (counter, day, at, 1)."""
    common = _prefixed(_COMMON, "e")
    return " UNION ALL ".join(
        f"SELECT {common}, {counter}, {day_of('e.at')},"
        f" {f'greatest(e.at, {least})' if least else 'e.at'}, 1"
        f" FROM {prefix}edge e WHERE {counts}"
        for counter, least, counts in _PASSED
    )


def relations(versions: str, prefix: str = "") -> str:
    """Return the relations, for a WITH, that end in ``delta``: what some versions add together.

    :param versions: a statement of ``of_changes`` or ``of_units``, or both.
    :param prefix: before the name of each relation, where a statement needs two of them.
    """
    edges = ", ".join(_EDGES)
    other = ", ".join(f"x_{name}" for name in _EDGES)
    rest = f"unit_id, procedure_id, slice, recorded_at, {_CARRIED}"
    return f"""
    {prefix}version AS MATERIALIZED ({versions}),
    {prefix}course AS MATERIALIZED (
        SELECT sign, {PROMISED} AS reading, {rest}, {edges} FROM {prefix}version
        UNION ALL
        SELECT sign, {EXTENDED}, {rest}, {other} FROM {prefix}version WHERE x_edge_at IS NOT NULL
        UNION ALL
        SELECT -sign, {EXTENDED}, {rest}, {edges} FROM {prefix}version WHERE x_edge_at IS NOT NULL
    ),
    {prefix}moment AS MATERIALIZED (
        SELECT {_prefixed(_COMMON, "g")}, g.since, g.until, g.state, g.flow, g.due_on,
               g.apology_at, g.apology_exempt, g.returned_at, g.return_method,
               {_LEFT_AT} AS left_at,
               CASE WHEN g.supplement_at = '{{}}' THEN 0 ELSE
               (SELECT count(*) FROM unnest(g.supplement_at) s WHERE s <= g.since) END AS asked,
               {ASKED_IN_TIME} AS asked_in_time
          FROM (
            SELECT c.*, b.breaks[k] AS since, b.breaks[k + 1] AS until, at.i,
                   c.edge_state[at.i] AS state, c.edge_flow[at.i] AS flow,
                   c.edge_due[at.i] AS due_on
              FROM {prefix}course c
             CROSS JOIN LATERAL (
                SELECT CASE WHEN c.supplement_at = '{{}}' THEN c.edge_at ELSE
                       ARRAY(SELECT x FROM unnest(c.edge_at || c.supplement_at) x
                              WHERE x >= c.edge_at[1] ORDER BY x) END AS breaks
                OFFSET 0) AS b
             CROSS JOIN LATERAL generate_subscripts(b.breaks, 1) AS k
             CROSS JOIN LATERAL (
                SELECT width_bucket(b.breaks[k], c.edge_at) AS i OFFSET 0) AS at
             WHERE b.breaks[k + 1] IS NULL OR b.breaks[k + 1] > b.breaks[k]
          ) AS g
         WHERE g.edge_at <> '{{}}'
    ),
    {prefix}edge AS MATERIALIZED (
        SELECT {_prefixed(_COMMON, "c")}, c.channel, c.online_level, c.apology_at,
               c.apology_exempt, e.at, e.state, e.flow
          FROM {prefix}course c
         CROSS JOIN LATERAL unnest(c.edge_at, c.edge_state, c.edge_flow) AS e(at, state, flow)
    ),
    {prefix}standing AS MATERIALIZED ({_standing(prefix)}),
    {prefix}emitted AS (
        SELECT {_COMMON}, counter, day, since AS at, 1 AS n FROM {prefix}standing
        UNION ALL
        SELECT {_COMMON}, counter, day, until, -1 FROM {prefix}standing WHERE until IS NOT NULL
        UNION ALL
        {_passed(prefix)}
    ),
    {prefix}delta AS MATERIALIZED (
        SELECT unit_id, reading, slice, procedure_id, counter, coalesce(day, seen_on) AS day,
               seen_on, ahead_at, n
          FROM (SELECT unit_id, reading, slice, procedure_id, counter, n * sign AS n, day,
                       {day_of("at")} AS seen_on,
                       CASE WHEN at > recorded_at - {MARGIN}
                             AND CAST({_local("at")} AS time) <> '00:00' THEN at END AS ahead_at
                  FROM {prefix}emitted WHERE counter IS NOT NULL) AS dated
    )"""


def pivoted() -> str:
    """Return the sums of a relation of (counter, n) as one column for each counter."""
    return ", ".join(
        f"CAST(nullif(sum(n) FILTER (WHERE counter = {number}), 0) AS integer) AS {name}"
        for number, name in enumerate(COUNTERS)
    )


def spread() -> str:
    """Return a row of (counter, n) as a row of counters, without a sum."""
    return ", ".join(
        f"CASE WHEN counter = {number} THEN n END AS {name}" for number, name in enumerate(COUNTERS)
    )


def added() -> str:
    """Return the sums of rows of counters."""
    return ", ".join(f"CAST(nullif(sum({name}), 0) AS integer) AS {name}" for name in COUNTERS)
