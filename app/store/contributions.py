"""What one dossier adds to the facts: one relation, for folding, reading, rebuilding, recounting.

Every count of a period [first, last] seen at T is a sum of *corners*: something that passed on a
local day and counts from an instant on, if its day is not before the period and the instant is
before T. A flow counts from when it passed; a finish with an apology from the letter on; what fell
due from its due day on, until the dossier is withdrawn or paused, which takes the corner back from
that instant on. What is held at T is the sum of all changes before T. So facts only add, each
version of a dossier can be taken out again, and day, month and year hold the same numbers summed:
a corner whose two days lie in one month is one number of that month.

The relation ``delta`` has rows of (unit, reading, slice, procedure, day, seen_on, ahead_at) with a
column for each counter, to be added. ``slice`` tells channel and same-day limit; reading
``EXTENDED`` holds only what differs from the promised one. The conditions are those of
``store.tallies``, which counts the same by looking at every dossier.

An edge makes one row of all that it changes at once on its own day; what counts on another day,
or from later on, makes a row of its own (``_LATER``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

BELOW: Final = 100
"""What is added to a slice in the rows that sum a unit with all below it."""

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
    return f"(ARRAY[{words}])[({column} % {BELOW} + 1) / 2]"


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


def of_changes(relation: str, *, before: str | None = None) -> str:
    """Return the versions that a relation of (unit_id, source_id, code, version, sign) names.

    With ``before``, an instant as SQL, those that add nothing before it are left out: nothing that
    a dossier adds counts from before its first edge on.
    """
    now = past = ""
    if before is not None:
        now = f" AND least(d.edge_at[1], r.edge_at[1]) < {before}"
        past = f" AND (d.edge_at[1] < {before} OR d.readings ? 'extended')"
    key = (
        "d.unit_id = c.unit_id AND d.source_id = c.source_id AND d.code = c.code"
        " AND d.version = c.version"
    )
    return f"""
    SELECT c.sign, {_PLAIN}, {_OF_READING}
      FROM {relation} c JOIN dossier d ON {key} {_JOIN_READING} WHERE {_COUNTED}{now}
    UNION ALL
    SELECT c.sign, {_PLAIN}, {_OF_PAST}
      FROM {relation} c JOIN dossier_past d ON {key} WHERE {_COUNTED}{past}"""


def of_units() -> str:
    """Return the versions that hold now at the units ``:units``."""
    return f"""
    SELECT 1 AS sign, {_PLAIN}, {_OF_READING}
      FROM dossier d {_JOIN_READING} WHERE d.unit_id = ANY(:units) AND {_COUNTED}"""


_IN_HAND = f"BETWEEN {State.OPEN_IN_TIME:d} AND {State.PAUSED:d}"
_HELD: Final[Mapping[str, int]] = {
    "open_in_time": State.OPEN_IN_TIME,
    "open_overdue": State.OPEN_OVERDUE,
    "open_no_due": State.OPEN_NO_DUE,
    "paused": State.PAUSED,
    "awaiting_intake_in_time": State.AWAITING_INTAKE_IN_TIME,
    "awaiting_intake_overdue": State.AWAITING_INTAKE_OVERDUE,
    "receipt_unknown": State.RECEIPT_UNKNOWN,
}
_JUDGED = (
    f"{State.OPEN_IN_TIME:d}, {State.OPEN_OVERDUE:d}, {State.FINISHED_EARLY:d},"
    f" {State.FINISHED_ON_TIME:d}, {State.FINISHED_LATE:d}"
)
_MET = f"{State.FINISHED_EARLY:d}, {State.FINISHED_ON_TIME:d}"
_GONE = f"{State.TRANSFERRED_OUT:d}, {State.VOIDED:d}"
_NO_DUE = f"{State.OPEN_NO_DUE:d}, {State.FINISHED_NO_DUE:d}"
_LEFT_ON_TIME = (
    "CASE WHEN m.asked > 1 THEN FALSE"
    " WHEN m.asked = 1 THEN m.asked_in_time"
    f" WHEN m.state IN ({State.WITHDRAWN:d}, {State.STOPPED:d})"
    f" THEN m.flow <> {Flow.WITHDRAWN_LATE:d} ELSE m.state IN ({_MET}) END"
)
_FROM_DUE_DAY = f"m.due_on::timestamp AT TIME ZONE '{ZONE.key}'"


def _holds_766(state: str, asked: str) -> str:
    """Return whether a dossier in such a state is held on time as the portal counts, as SQL."""
    return (
        f"CASE WHEN {state} NOT {_IN_HAND} OR {state} = {State.OPEN_NO_DUE:d} THEN FALSE"
        f" WHEN {asked} = 0 THEN {state} <> {State.OPEN_OVERDUE:d}"
        f" WHEN {asked} = 1 THEN m.asked_in_time"
        " ELSE FALSE END"
    )


_LEFT_AT = f"""
    CASE WHEN c.state {_IN_HAND} OR c.state IN ({_GONE}, {_NO_DUE}) OR c.i = 1 THEN NULL
         WHEN c.edge_state[c.i - 1] {_IN_HAND} THEN c.edge_at[c.i] ELSE
    (SELECT max(c.edge_at[j]) FROM generate_series(2, c.i) AS j
      WHERE c.edge_state[j - 1] {_IN_HAND} AND NOT c.edge_state[j] {_IN_HAND}) END"""


def _turns(state: int, *, where: str = "") -> str:
    """Return by how much the number of those in a state changes, as SQL."""
    return (
        f"CASE WHEN m.held = m.was{where} THEN NULL WHEN m.held = {state:d} THEN m.sign"
        f" WHEN m.was = {state:d} THEN -m.sign END"
    )


def _passes(*flows: Flow, where: str = "") -> str:
    """Return 1 for an edge that counts one of these flows, as SQL."""
    listed = ", ".join(f"{flow:d}" for flow in flows)
    return f"CASE WHEN m.passing IN ({listed}){where} THEN m.sign END"


def _reaches(state: State) -> str:
    return f"CASE WHEN m.state = {state:d} AND m.passing <> {Flow.MOVED:d} THEN m.sign END"


_ONLINE = " AND m.channel = 'online' AND coalesce(m.online_level, 'unknown') = '{}'"
_AT_ONCE: Final[Mapping[str, str]] = {
    "received_online": _passes(Flow.RECEIVED, where=" AND m.channel = 'online'"),
    "received_in_person": _passes(Flow.RECEIVED, where=" AND m.channel = 'in_person'"),
    "received_by_post": _passes(Flow.RECEIVED, where=" AND m.channel = 'post'"),
    "received_unknown_channel": _passes(
        Flow.RECEIVED, where=" AND m.channel NOT IN ('online', 'in_person', 'post')"
    ),
    "reopened": _passes(Flow.REOPENED),
    "transferred_in": _passes(Flow.TRANSFERRED_IN),
    "succeeded_in": _passes(Flow.SUCCEEDED_IN),
    "finished_early": _passes(Flow.FINISHED_EARLY),
    "finished_on_time": _passes(Flow.FINISHED_ON_TIME),
    "finished_late": _passes(Flow.FINISHED_LATE),
    "finished_no_due": _passes(Flow.FINISHED_NO_DUE),
    "withdrawn": _passes(Flow.WITHDRAWN, Flow.WITHDRAWN_LATE),
    "withdrawn_late": _passes(Flow.WITHDRAWN_LATE),
    "stopped": _passes(Flow.STOPPED),
    "voided": _passes(Flow.VOIDED),
    "transferred_out": _passes(Flow.TRANSFERRED_OUT),
    "succeeded_out": _passes(Flow.SUCCEEDED_OUT),
    "refused_at_intake": _reaches(State.REFUSED_AT_INTAKE),
    "intake_late": _reaches(State.AWAITING_INTAKE_OVERDUE),
    "submitted_online_full": _passes(Flow.RECEIVED, where=_ONLINE.format("full")),
    "submitted_online_partial": _passes(Flow.RECEIVED, where=_ONLINE.format("partial")),
    "submitted_online_information": _passes(Flow.RECEIVED, where=_ONLINE.format("information")),
    "submitted_online_unknown": _passes(Flow.RECEIVED, where=_ONLINE.format("unknown")),
    "finished_late_apology_exempt": _passes(Flow.FINISHED_LATE, where=" AND m.apology_exempt"),
    "left_766": "CASE WHEN m.left_at = m.at THEN m.sign END",
    "left_766_on_time": f"CASE WHEN m.left_at = m.at AND ({_LEFT_ON_TIME}) THEN m.sign END",
    **{name: _turns(state) for name, state in _HELD.items()},
    "open_overdue_apology_exempt": _turns(State.OPEN_OVERDUE, where=" OR NOT m.apology_exempt"),
    "held_766_on_time": "CASE WHEN m.holds = m.held_before THEN NULL"
    " WHEN m.holds THEN m.sign ELSE -m.sign END",
}
"""What an edge, or a request for a supplement, changes on its own day and at once."""


@dataclass(frozen=True, slots=True)
class _Later:
    """What counts on one day while a dossier stands somewhere: from an instant on, until it goes.

    ``day`` None is the day from which it counts: by how much what is held changes. ``counts`` are
    the counters with what each asks for besides.
    """

    where: str
    counts: Mapping[str, str]
    day: str | None = None
    least: str | None = None
    is_lasting: bool = True

    @property
    def since(self) -> str:
        """Return from when on it counts, as SQL."""
        return f"greatest(m.at, {self.least})" if self.least else "m.at"


_LATER: Final = (
    _Later(
        f"m.due_on IS NOT NULL AND m.held IN ({_JUDGED})",
        {"due": "TRUE", "due_met": f"m.held IN ({_MET})"},
        day="m.due_on",
        least=_FROM_DUE_DAY,
    ),
    _Later(
        f"m.returned_at IS NOT NULL AND m.held > 0 AND m.held NOT IN ({_GONE})",
        {
            "returned_by_post": "m.return_method = 'post'",
            "returned_at_counter": "m.return_method = 'counter'",
            "returned_online": "m.return_method = 'online'",
        },
        day=day_of("m.returned_at"),
        least="m.returned_at",
    ),
    _Later(
        "m.left_at IS NOT NULL",
        {"left_766": "TRUE", "left_766_on_time": _LEFT_ON_TIME},
        day=day_of("m.left_at"),
    ),
    _Later(
        f"m.held = {State.OPEN_OVERDUE:d} AND NOT m.apology_exempt AND m.apology_at IS NOT NULL",
        {"open_overdue_with_apology": "TRUE"},
        least="m.apology_at",
    ),
    _Later(
        f"m.passing = {Flow.FINISHED_LATE:d} AND NOT m.apology_exempt AND m.apology_at IS NOT NULL",
        {"finished_late_with_apology": "TRUE"},
        day="m.seen_on",
        least="m.apology_at",
        is_lasting=False,
    ),
)

_KEYS = "unit_id, reading, slice, procedure_id"
_CARRIED = (
    "channel, online_level, returned_at, return_method, apology_at, apology_exempt, supplement_at"
)


def _prefixed(columns: str, alias: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in columns.split(","))


def _ahead(at: str, recorded_at: str = "m.recorded_at") -> str:
    """Return the instant where it lies within a day that may be cut there, as SQL."""
    return (
        f"CASE WHEN {at} > {recorded_at} - {MARGIN}"
        f" AND CAST({_local(at)} AS time) <> '00:00' THEN {at} END"
    )


def _at_once(prefix: str) -> str:
    counters = ", ".join(_AT_ONCE.get(name, "NULL::integer") for name in COUNTERS)
    return (
        f"SELECT {_prefixed(_KEYS, 'm')}, m.seen_on AS day, m.seen_on, {_ahead('m.at')}, {counters}"
        f" FROM {prefix}moment m WHERE m.held <> m.was OR m.passing <> {Flow.NONE:d}"
        " OR m.holds <> m.held_before OR m.left_at = m.at"
        f" OR m.state IN ({State.REFUSED_AT_INTAKE:d}, {State.AWAITING_INTAKE_OVERDUE:d})"
    )


def _row(prefix: str, later: _Later, at: str, sign: str, where: str) -> str:
    counters = ", ".join(
        f"CASE WHEN {later.counts[name]} THEN {sign} END"
        if name in later.counts
        else "NULL::integer"
        for name in COUNTERS
    )
    seen_on = day_of(at)
    return (
        f"SELECT {_prefixed(_KEYS, 'm')}, {later.day or seen_on}, {seen_on}, {_ahead(at)},"
        f" {counters} FROM {prefix}moment m WHERE {later.where}{where}"
    )


def _later(prefix: str) -> Iterator[str]:
    """Yield what counts from later on, and what takes it back."""
    for one in _LATER:
        held = f" AND (m.until IS NULL OR m.until > {one.least})" if one.least else ""
        if one.least is None:
            yield _row(prefix, one, one.since, "m.sign", " AND m.left_at <> m.at")
        else:
            yield _row(prefix, one, one.since, "m.sign", held if one.is_lasting else "")
        if one.is_lasting:
            yield _row(prefix, one, "m.until", "-m.sign", f" AND m.until IS NOT NULL{held}")


_JUST_BEFORE = "- interval '1 microsecond'"


def relations(versions: str, prefix: str = "") -> str:
    """Return the relations, for a WITH, that end in ``delta``: what some versions add together.

    :param versions: a statement of ``of_changes`` or ``of_units``, or both.
    :param prefix: before the name of each relation, where a statement needs two of them.
    """
    edges = ", ".join(_EDGES)
    other = ", ".join(f"x_{name}" for name in _EDGES)
    rest = f"unit_id, procedure_id, slice, recorded_at, {_CARRIED}"
    asked = "CASE WHEN c.supplement_at = '{{}}' THEN 0 ELSE width_bucket({}, c.supplement_at) END"
    return f"""
    {prefix}version AS MATERIALIZED ({versions}),
    {prefix}course AS (
        SELECT sign, {PROMISED} AS reading, {rest}, {edges} FROM {prefix}version
        UNION ALL
        SELECT v.sign * x.sign, {EXTENDED}, {_prefixed(rest, "v")}, {_prefixed(edges, "x")}
          FROM {prefix}version v
         CROSS JOIN LATERAL (SELECT 1, {other} UNION ALL SELECT -1, {edges}) AS x(sign, {edges})
         WHERE v.x_edge_at IS NOT NULL
    ),
    {prefix}moment AS MATERIALIZED (
        SELECT {_prefixed(_KEYS, "m")}, m.sign, m.recorded_at, m.channel, m.online_level,
               m.returned_at, m.return_method, m.apology_at, m.apology_exempt,
               m.asked_in_time, m.at, m.state, m.flow, m.passing, m.due_on, m.asked, m.held,
               m.was, m.until, m.left_at, {day_of("m.at")} AS seen_on,
               {_holds_766("m.held", "m.asked")} AS holds,
               {_holds_766("m.was", "m.asked_before")} AS held_before
          FROM (
            SELECT {_prefixed(_KEYS, "c")}, c.sign, c.recorded_at, c.channel, c.online_level,
                   c.returned_at, c.return_method, c.apology_at, c.apology_exempt,
                   c.at, c.state, c.flow, c.passing, c.due_on,
                   CASE WHEN c.is_last THEN c.state ELSE 0 END AS held,
                   CASE WHEN NOT c.is_last THEN 0
                        WHEN c.passing IS NOT NULL AND (c.i = 1 OR c.edge_at[c.i - 1] < c.at)
                        THEN coalesce(c.edge_state[c.i - 1], 0)
                        ELSE coalesce(
                            c.edge_state[width_bucket(c.at {_JUST_BEFORE}, c.edge_at)], 0)
                    END AS was,
                   CASE WHEN c.supplement_at = '{{}}' THEN c.edge_at[c.i + 1] ELSE
                        least(c.edge_at[c.i + 1],
                              c.supplement_at[width_bucket(c.at, c.supplement_at) + 1])
                    END AS until,
                   CASE WHEN c.is_last THEN {_LEFT_AT} END AS left_at,
                   {asked.format("c.at")} AS asked,
                   {asked.format(f"c.at {_JUST_BEFORE}")} AS asked_before,
                   CASE WHEN c.supplement_at <> '{{}}' THEN {ASKED_IN_TIME} END AS asked_in_time
              FROM (
                SELECT c.*, c.edge_at[c.i] AS at, c.edge_state[c.i] AS state,
                       c.edge_flow[c.i] AS flow, c.edge_flow[c.i] AS passing,
                       c.edge_due[c.i] AS due_on,
                       coalesce(c.edge_at[c.i + 1] > c.edge_at[c.i], TRUE) AS is_last
                  FROM (SELECT c.*, generate_subscripts(c.edge_at, 1) AS i
                          FROM {prefix}course c) AS c
                 UNION ALL
                SELECT c.*, s.i, s.at, c.edge_state[s.i], c.edge_flow[s.i], NULL, c.edge_due[s.i],
                       TRUE
                  FROM {prefix}course c CROSS JOIN LATERAL (
                       SELECT DISTINCT a AS at, width_bucket(a, c.edge_at) AS i
                         FROM unnest(c.supplement_at) AS a) AS s
                 WHERE c.supplement_at <> '{{}}' AND s.i > 0 AND c.edge_at[s.i] < s.at
              ) AS c
          ) AS m
    ),
    {prefix}delta AS MATERIALIZED (
        SELECT * FROM ({" UNION ALL ".join([_at_once(prefix), *_later(prefix)])})
            AS d({_KEYS}, day, seen_on, ahead_at, {", ".join(COUNTERS)})
    )"""


def added() -> str:
    """Return the sums of rows of counters."""
    return ", ".join(f"CAST(nullif(sum({name}), 0) AS integer) AS {name}" for name in COUNTERS)


def unpivoted(rows: str, keys: str) -> str:
    """Return a row of (keys, counter, n) for each number of a relation of counters."""
    listed = ", ".join(f"({number}, w.{name})" for number, name in enumerate(COUNTERS))
    return (
        f"SELECT {keys}, v.counter, v.n FROM ({rows}) w"
        f" CROSS JOIN LATERAL (VALUES {listed}) AS v(counter, n) WHERE v.n IS NOT NULL"
    )
