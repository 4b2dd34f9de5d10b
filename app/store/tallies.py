"""The one place that counts dossiers, and the lists of exactly those that it counted.

Each count is one condition, kept in ``CONDITIONS``; a figure sums it and a list filters by it, so
that a figure always opens as many rows as it says. A stock is a condition on the dossier as it
stands at T; a flow is a condition on an edge that lies in the period. States and flows are those
of ``domain.timeliness``, computed by ``domain.edges`` and stored with the dossier: SQL never
decides, it only finds the last edge before an instant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text

from app.domain.dossier import ZONE, Issue
from app.domain.tally import Count, Tally
from app.domain.timeliness import Flow, Reading, State
from app.store import flags, trees
from app.store.dossiers import RENUMBERED_SINCE
from app.store.session import ReadSession
from app.store.trees import Tree, Units

UNKNOWN = "~unknown"
"""The value of a filter by procedure, field or online level for dossiers that have none."""


class Dimension(StrEnum):
    """What a table of figures may be broken down by; time is broken down by the caller."""

    UNIT = "unit"
    CHILD = "child"
    LEVEL = "level"
    FIELD = "field"
    PROCEDURE = "procedure"
    CHANNEL = "channel"
    APPLICANT_TYPE = "applicant_type"
    ONLINE_LEVEL = "online_level"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which dossiers are counted: those held in a span of the unit tree, with filters.

    ``lft`` and ``rgt`` are a span of today's tree, one place for a unit alone; ``units`` and
    ``day`` say by which tree it is filled (``trees.of``).
    ``known_at`` None is what is known now; otherwise what was known then. A filter that is
    ``UNKNOWN`` asks for what the catalogue does not know. ``flag`` asks for dossiers that show an
    issue; one that compares dossiers is asked of the present only. ``with_uncounted``
    takes in what is listed and in no figure, such as the legs of joint dossiers. ``legs`` takes
    legs alone, each once whatever numbers it had. ``among`` narrows to some dossiers, by source
    and code.
    """

    lft: int
    rgt: int
    reading: Reading = Reading.PROMISED
    known_at: datetime | None = None
    exclude_same_day: bool = False
    procedure: str | None = None
    field: str | None = None
    channel: str | None = None
    applicant_type: str | None = None
    level: str | None = None
    online_level: str | None = None
    flag: Issue | None = None
    with_uncounted: bool = False
    legs: bool = False
    units: Units = Units.AS_NOW
    day: date | None = None
    among: tuple[tuple[int, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The period as instants: [begins, ends), with the local days it covers, inclusive."""

    begins: datetime
    ends: datetime
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of one cell of a table; ``keys`` are the values of its dimensions."""

    keys: tuple[str | None, ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class Listed:
    """One dossier, or one edge of a dossier, behind a figure."""

    unit: str
    source: str
    code: str
    procedure: str | None
    state: State
    at: datetime | None
    due_on: date | None
    place: tuple[int, int, str, int]


LateGroup = tuple[int, date, date | None]
"""A unit, a due day, and the day of the edge; None for what is counted at T."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """A count as SQL: on the dossier at T (``held``) or on an edge of the period (``passed``)."""

    relation: str
    where: str


_IN_HAND = f"BETWEEN {State.OPEN_IN_TIME:d} AND {State.PAUSED:d}"
_APOLOGY = {
    "with_apology": "NOT apology_exempt AND apology_at < :ends",
    "without_apology": "NOT apology_exempt AND (apology_at IS NULL OR apology_at >= :ends)",
    "apology_exempt": "apology_exempt",
}
_RETURNED = (
    f"returned_at >= :begins AND returned_at < :ends AND state <> {State.TRANSFERRED_OUT:d}"
    f" AND state <> {State.VOIDED:d} AND return_method = "
)
_DUE = "due_on BETWEEN :first AND :last AND state IN ({})"
_FINISHED_IN_TIME = f"{State.FINISHED_EARLY:d}, {State.FINISHED_ON_TIME:d}"
_ENTERED = ", ".join(f"{flow:d}" for flow in Flow if flow.enters)


def _stock(where: str) -> _Condition:
    return _Condition("held", where)


def _flow(where: str) -> _Condition:
    return _Condition("passed", where)


def _is(state: State) -> _Condition:
    return _stock(f"state = {state:d}")


def _passes(*flows: Flow) -> _Condition:
    return _flow("flow IN ({})".format(", ".join(f"{flow:d}" for flow in flows)))


def _reaches(state: State) -> _Condition:
    return _flow(f"edge = {state:d} AND flow <> {Flow.MOVED:d}")


def _came_by(channel: str) -> _Condition:
    return _flow(f"flow = {Flow.RECEIVED:d} AND channel = '{channel}'")


def _online(level: str) -> _Condition:
    return _flow(
        f"flow = {Flow.RECEIVED:d} AND channel = 'online'"
        f" AND coalesce(online_level, 'unknown') = '{level}'"
    )


def _conditions() -> dict[Count, _Condition]:
    """Return the meaning of each count of dossiers as SQL.

    Source: measures.md, "Counts for a period"; II.06a/VPCP columns 3 to 13.
    """
    # the portal takes the first request for a supplement as the end, a second one as overdue
    in_time_766 = (
        "CASE WHEN supplements > 1 THEN FALSE"
        " WHEN supplements = 1 THEN asked_in_time"
        f" WHEN state IN ({State.WITHDRAWN:d}, {State.STOPPED:d}) THEN NOT ended_late"
        f" ELSE state IN ({_FINISHED_IN_TIME}, {State.OPEN_IN_TIME:d}, {State.PAUSED:d}) END"
    )
    judged_766 = (
        f"(state_before {_IN_HAND} OR entered) AND NOT no_due"
        f" AND state NOT IN ({State.TRANSFERRED_OUT:d}, {State.VOIDED:d})"
    )
    found = {
        Count.CARRIED_OVER: _stock(f"state_before {_IN_HAND}"),
        Count.RECEIVED: _passes(Flow.RECEIVED),
        Count.RECEIVED_ONLINE: _came_by("online"),
        Count.RECEIVED_IN_PERSON: _came_by("in_person"),
        Count.RECEIVED_BY_POST: _came_by("post"),
        Count.RECEIVED_UNKNOWN_CHANNEL: _came_by("unknown"),
        Count.REOPENED: _passes(Flow.REOPENED),
        Count.TRANSFERRED_IN: _passes(Flow.TRANSFERRED_IN, Flow.SUCCEEDED_IN),
        Count.FINISHED_EARLY: _passes(Flow.FINISHED_EARLY),
        Count.FINISHED_ON_TIME: _passes(Flow.FINISHED_ON_TIME),
        Count.FINISHED_LATE: _passes(Flow.FINISHED_LATE),
        Count.FINISHED_NO_DUE: _passes(Flow.FINISHED_NO_DUE),
        Count.WITHDRAWN: _passes(Flow.WITHDRAWN, Flow.WITHDRAWN_LATE),
        Count.WITHDRAWN_LATE: _passes(Flow.WITHDRAWN_LATE),
        Count.STOPPED: _passes(Flow.STOPPED),
        Count.VOIDED: _passes(Flow.VOIDED),
        Count.TRANSFERRED_OUT: _passes(Flow.TRANSFERRED_OUT, Flow.SUCCEEDED_OUT),
        Count.OPEN_IN_TIME: _is(State.OPEN_IN_TIME),
        Count.OPEN_OVERDUE: _is(State.OPEN_OVERDUE),
        Count.OPEN_NO_DUE: _is(State.OPEN_NO_DUE),
        Count.PAUSED: _is(State.PAUSED),
        Count.AWAITING_INTAKE_IN_TIME: _is(State.AWAITING_INTAKE_IN_TIME),
        Count.AWAITING_INTAKE_OVERDUE: _is(State.AWAITING_INTAKE_OVERDUE),
        Count.RECEIPT_UNKNOWN: _is(State.RECEIPT_UNKNOWN),
        Count.REFUSED_AT_INTAKE: _reaches(State.REFUSED_AT_INTAKE),
        Count.INTAKE_LATE: _reaches(State.AWAITING_INTAKE_OVERDUE),
        Count.DUE: _stock(
            _DUE.format(
                f"{State.OPEN_IN_TIME:d}, {State.OPEN_OVERDUE:d}, {_FINISHED_IN_TIME},"
                f" {State.FINISHED_LATE:d}"
            )
        ),
        Count.DUE_MET: _stock(_DUE.format(_FINISHED_IN_TIME)),
        Count.RETURNED_BY_POST: _stock(f"{_RETURNED} 'post'"),
        Count.RETURNED_AT_COUNTER: _stock(f"{_RETURNED} 'counter'"),
        Count.RETURNED_ONLINE: _stock(f"{_RETURNED} 'online'"),
        Count.SUBMITTED_ONLINE_FULL: _online("full"),
        Count.SUBMITTED_ONLINE_PARTIAL: _online("partial"),
        Count.SUBMITTED_ONLINE_INFORMATION: _online("information"),
        Count.SUBMITTED_ONLINE_UNKNOWN: _online("unknown"),
        Count.PROGRESS_766_RECEIVED: _stock(judged_766),
        Count.PROGRESS_766_ON_TIME: _stock(f"{judged_766} AND {in_time_766}"),
    }
    for name, where in _APOLOGY.items():
        late = f"flow = {Flow.FINISHED_LATE:d} AND {where}"
        found[Count(f"finished_late_{name}")] = _flow(late)
        overdue = f"state = {State.OPEN_OVERDUE:d} AND {where}"
        found[Count(f"open_overdue_{name}")] = _stock(overdue)
    return found


CONDITIONS: Mapping[Count, _Condition] = _conditions()
"""What each count means; counts of procedures are not among them."""

_READ_OTHER = """
    LEFT JOIN dossier_reading r
      ON r.unit_id = d.unit_id AND r.source_id = d.source_id AND r.code = d.code
     AND r.reading = :reading"""

_NOW = """
    SELECT w.unit_id, w.unit, w.level, w.child, d.source_id, d.code, d.procedure_id, d.channel,
           d.applicant_type, d.limit_kind, d.online_level, d.return_method, d.returned_at,
           d.apology_at, d.apology_exempt, d.supplement_at, d.issues, d.overlong_at,
           d.clock_start_at,
           {edges}
      FROM shown w JOIN dossier d ON d.unit_id = w.unit_id{join}
     WHERE {wanted}"""

_THEN = """
    SELECT w.unit_id, w.unit, w.level, w.child, d.source_id, d.code, d.procedure_id, d.channel,
           d.applicant_type, d.limit_kind, d.online_level, d.return_method, d.returned_at,
           d.apology_at, d.apology_exempt, d.supplement_at, d.issues, d.overlong_at,
           d.clock_start_at,
           {edges}
      FROM shown w JOIN dossier_past d ON d.unit_id = w.unit_id
     WHERE {wanted} AND d.recorded_at <= :known_at AND d.superseded_at > :known_at"""

_EDGE_COLUMNS = ("edge_at", "edge_state", "edge_flow", "edge_due", "edge_days")
_EDGE_TYPES = {
    "edge_at": "timestamptz[]",
    "edge_state": "smallint[]",
    "edge_flow": "smallint[]",
    "edge_due": "date[]",
    "edge_days": "smallint[]",
}


def _edge_columns(reading: Reading) -> str:
    if reading is Reading.PROMISED:
        return ", ".join(f"d.{name}" for name in _EDGE_COLUMNS)
    return ", ".join(f"coalesce(r.{name}, d.{name}) AS {name}" for name in _EDGE_COLUMNS)


def _past_columns(reading: Reading) -> str:
    if reading is Reading.PROMISED:
        return ", ".join(f"d.{name}" for name in _EDGE_COLUMNS)
    return ", ".join(
        f"CASE WHEN d.readings ? :reading THEN ARRAY(SELECT jsonb_array_elements_text("
        f"d.readings -> :reading -> '{name}'))::{kind} ELSE d.{name} END AS {name}"
        for name, kind in _EDGE_TYPES.items()
    )


_LEG = f"d.is_leg AND NOT {RENUMBERED_SINCE}"
"""A leg of a joint dossier under its newest number."""


def _known(scope: Scope) -> str:
    """Return the dossiers as they were known, each once at each unit where it stayed."""
    join = "" if scope.reading is Reading.PROMISED else _READ_OTHER
    wanted = "TRUE" if scope.with_uncounted else "d.is_counted"
    if scope.legs:
        wanted = _LEG
    now = _NOW.format(edges=_edge_columns(scope.reading), join=join, wanted=wanted)
    if scope.known_at is None:
        return now
    if scope.legs:
        wanted = "d.is_leg"  # kept of the newest number alone
    then = _THEN.format(edges=_past_columns(scope.reading), wanted=wanted)
    return f"{now} AND d.recorded_at <= :known_at\n    UNION ALL{then}"


_FILTERS = {
    "procedure": "p.code",
    "field": "p.field",
    "online_level": "k.online_level",
    "level": "k.level",
    "channel": "k.channel",
    "applicant_type": "k.applicant_type",
}


def _filters(scope: Scope) -> list[str]:
    found = []
    for name, column in _FILTERS.items():
        value = getattr(scope, name)
        if value is not None:
            found.append(f"{column} IS NULL" if value == UNKNOWN else f"{column} = :{name}")
    return found


_PROCEDURES = "procedure"
_PROCEDURES_THEN = """(
        SELECT DISTINCT ON (procedure_id) procedure_id AS id, spec ->> 'code' AS code,
               spec ->> 'field' AS field
          FROM procedure_revision WHERE recorded_at <= :known_at
         ORDER BY procedure_id, seq DESC)"""


def _placed(scope: Scope) -> str:
    """Return the known dossiers with the positions of the period among their edges."""
    wanted = ["k.edge_at[1] < :ends"]
    wanted += _filters(scope)
    if scope.exclude_same_day:
        wanted.append("k.limit_kind IS DISTINCT FROM 'same_day'")
    if scope.flag is not None:
        wanted.append(flags.condition(scope.flag))
    if scope.among is not None:
        wanted.append(
            "(k.source_id, k.code) IN (SELECT * FROM"
            " unnest(CAST(:among_sources AS int[]), CAST(:among_codes AS text[])))"
        )
    return f"""
    SELECT k.*, p.code AS procedure, p.field,
           width_bucket(CAST(:before_end AS timestamptz), k.edge_at) AS upto,
           width_bucket(CAST(:before_begin AS timestamptz), k.edge_at) AS since
      FROM known k
      LEFT JOIN {_PROCEDURES if scope.known_at is None else _PROCEDURES_THEN} p
        ON p.id = k.procedure_id
     WHERE {" AND ".join(wanted)}"""


ASKED_IN_TIME: Final = f"""coalesce(
    edge_state[width_bucket(supplement_at[1] - interval '1 microsecond', edge_at)]
        <> {State.OPEN_OVERDUE:d},
    (supplement_at[1] AT TIME ZONE '{ZONE.key}')::date <= edge_due[1],
    TRUE)"""
"""Tells whether the first request for a supplement came in time.

Of a request before the dossier came to the unit, the day and the due day that it brought tell.
"""

_HELD = """
    SELECT placed.*, edge_state[upto] AS state, edge_due[upto] AS due_on, edge_at[upto] AS at,
           coalesce(edge_state[since], 0) AS state_before, 0 AS edge_index,
           edge_flow[upto] = {withdrawn_late} AS ended_late,
           edge_state[upto] IN ({no_due}) AS no_due,
           edge_flow[since + 1 : upto] && CAST(ARRAY[{entered}] AS smallint[]) AS entered,
           {asked_in_time} AS asked_in_time,
           (SELECT count(*) FROM unnest(supplement_at) s WHERE s < :ends) AS supplements
      FROM placed""".format(
    asked_in_time=ASKED_IN_TIME,
    withdrawn_late=f"{Flow.WITHDRAWN_LATE:d}",
    no_due=f"{State.OPEN_NO_DUE:d}, {State.FINISHED_NO_DUE:d}",
    entered=_ENTERED,
)

_PASSED = """
    SELECT placed.*, edge_state[upto] AS state, edge_due[i] AS due_on, edge_at[i] AS at,
           edge_flow[i] AS flow, edge_state[i] AS edge, i AS edge_index
      FROM placed, generate_series(since + 1, upto) AS i"""

_ROLLED_UP = f"{Flow.SUCCEEDED_IN:d}, {Flow.SUCCEEDED_OUT:d}"
"""Between units that are shown as one, nothing was transferred."""

_RELATIONS = {"held": _HELD, "passed": _PASSED}


def _relation(scope: Scope, name: str) -> str:
    if name == "passed" and scope.units is Units.AS_NOW:
        return f"{_PASSED} WHERE edge_flow[i] NOT IN ({_ROLLED_UP})"
    return _RELATIONS[name]


_KEYS = {
    Dimension.UNIT: "unit",
    Dimension.LEVEL: "level",
    Dimension.FIELD: "field",
    Dimension.PROCEDURE: "procedure",
    Dimension.CHANNEL: "channel",
    Dimension.APPLICANT_TYPE: "applicant_type",
    Dimension.ONLINE_LEVEL: "online_level",
    Dimension.CHILD: "child",
}


def counts(
    session: ReadSession,
    scope: Scope,
    span: Span,
    *,
    by: Sequence[Dimension] = (),
    of: int | None = None,
) -> list[Row]:
    """Count everything of a period, one row per combination of the dimensions that occurs.

    ``of`` is the unit whose children make the rows of ``Dimension.CHILD``; what the unit itself
    holds has the key None. Rows add up to the whole: each dossier is in one of them.
    """
    found: dict[tuple[str | None, ...], dict[str, int]] = {}
    tree = tree_of(session, scope, of)
    parameters = _parameters(scope, span, tree)
    for relation in _RELATIONS:
        for row in session.execute(text(_count_statement(scope, tree, relation, by)), parameters):
            keys = tuple(row[: len(by)])
            cell = found.setdefault(keys, {})
            cell.update(zip(_names(relation), row[len(by) :], strict=True))
    return [
        Row(keys, Tally.from_mapping(cell))
        for keys, cell in sorted(found.items(), key=lambda item: _sortable(item[0]))
    ]


def by_dossier(session: ReadSession, scope: Scope, span: Span) -> dict[tuple[str, int, str], Tally]:
    """Count what each dossier counts at each unit: (unit, source, code)."""
    found: dict[tuple[str, int, str], dict[str, int]] = {}
    tree = tree_of(session, scope)
    for relation in _RELATIONS:
        sums = [
            f"count(*) FILTER (WHERE {condition.where})"
            for condition in CONDITIONS.values()
            if condition.relation == relation
        ]
        statement = (
            f"{_with(scope, tree, relation)} SELECT unit, source_id, code, {', '.join(sums)}"
            f" FROM {relation} GROUP BY unit, source_id, code"
        )
        for row in session.execute(text(statement), _parameters(scope, span, tree)):
            cell = found.setdefault((row[0], row[1], row[2]), {})
            cell.update(zip(_names(relation), row[3:], strict=True))
    return {key: Tally.from_mapping(cell) for key, cell in found.items()}


def units_shown(session: ReadSession, scope: Scope) -> dict[str, frozenset[int]]:
    """Return the codes under which units are shown, with the units behind each."""
    tree = tree_of(session, scope)
    rows = session.execute(
        text(f"SELECT unit, array_agg(unit_id) FROM ({tree.relation}) AS shown GROUP BY unit"),
        tree.parameters,
    )
    return {unit: frozenset(units) for unit, units in rows}


def changed_since(
    session: ReadSession, scope: Scope, *, since: datetime, before: datetime
) -> list[tuple[int, str]]:
    """Name the dossiers of a scope of which something was learned after a moment.

    Those that begin at or after ``before`` touch no figure until then and are left out.
    """
    tree = tree_of(session, scope)
    rows = session.execute(
        text(
            f"WITH shown AS ({tree.relation})"
            " SELECT d.source_id, d.code FROM shown w JOIN dossier d ON d.unit_id = w.unit_id"
            " WHERE d.recorded_at > :since AND d.edge_at[1] < :before"
            " UNION SELECT d.source_id, d.code"
            " FROM shown w JOIN dossier_past d ON d.unit_id = w.unit_id"
            " WHERE d.superseded_at > :since AND d.recorded_at <= :since"
            " AND d.edge_at[1] < :before ORDER BY 1, 2"
        ),
        {**tree.parameters, "since": since, "before": before},
    )
    return [(row.source_id, row.code) for row in rows]


def passed_by_part(
    session: ReadSession,
    scope: Scope,
    span: Span,
    *,
    starts: Sequence[datetime],
    wanted: Sequence[Count],
) -> list[Tally]:
    """Count flows of each part of a period with one look at the dossiers.

    A part reaches from its start to the next one, the last to the end of the span. Only counts of
    what passed at an instant can be told so; one that looks at T belongs to the whole period.
    """
    sums = ", ".join(
        f"count(*) FILTER (WHERE {CONDITIONS[count].where}) AS {count.value}" for count in wanted
    )
    tree = tree_of(session, scope)
    statement = (
        f"{_with(scope, tree, 'passed')}"
        " SELECT width_bucket(at, CAST(:starts AS timestamptz[])) AS part,"
        f" {sums} FROM passed GROUP BY part"
    )
    rows = session.execute(
        text(statement), _parameters(scope, span, tree) | {"starts": list(starts)}
    )
    found = {row[0]: dict(zip(wanted, row[1:], strict=True)) for row in rows}
    return [Tally.from_mapping(found.get(part, {})) for part in range(1, len(starts) + 1)]


def listed(
    session: ReadSession,
    scope: Scope,
    span: Span,
    *,
    count: Count | None = None,
    state: State | None = None,
    late: Sequence[LateGroup] | None = None,
    after: tuple[int, int, str, int] | None = None,
    limit: int,
) -> list[Listed]:
    """List what a count counted, or what stands in a state at T, or all that is known at T.

    ``late`` narrows a count to some units, due days and (for a flow) days of the edge.

    With a flag and without a count these are the dossiers of the period alone: those that wait at
    its end, and those of which an edge lies in it.

    Rows are ordered by ``Listed.place``; ``after`` continues behind one. A dossier that was
    finished twice in the period is listed twice, as it was counted.

    A page looks at as many units as it takes to fill it, not at all of a province.
    """
    held = _stock("TRUE" if scope.flag is None else flags.WITHIN)
    condition = CONDITIONS[count] if count is not None else held
    where = [f"({condition.where})"]
    if state is not None:
        where.append("state = :state")
    if late is not None:
        day = GROUPABLE["day"] if condition.relation == "passed" else "CAST(NULL AS date)"
        where.append(_OF_LATE_GROUPS.format(day=day))
    if after is not None:
        where.append(_BEHIND)
    if count is None and scope.units is Units.AS_NOW:
        where.append(f"edge_flow[upto] <> {Flow.SUCCEEDED_OUT:d}")  # listed at the successor
    tree = tree_of(session, scope)
    within = f"SELECT * FROM ({tree.relation}) AS every WHERE unit_id = ANY(:looked_at)"
    statement = f"""
    {_with(scope, replace(tree, relation=within), condition.relation)}
    SELECT x.unit, s.code AS source, x.code, x.procedure, x.state, x.at, x.due_on,
           x.unit_id, x.source_id, x.edge_index
      FROM {condition.relation} x JOIN source s ON s.id = x.source_id
     WHERE {" AND ".join(where)}
     ORDER BY x.unit_id, x.source_id, x.code, x.edge_index
     LIMIT :limit"""
    parameters = _parameters(scope, span, tree) | _narrowed(state, late, after)
    found: list[Listed] = []
    for units in _units_in_turn(session, tree, since=None if after is None else after[0]):
        parameters |= {"looked_at": units, "limit": limit - len(found)}
        found += map(_listed, session.execute(text(statement), parameters))
        if len(found) == limit:
            break
    return found


_OF_LATE_GROUPS: Final = (
    "EXISTS (SELECT FROM unnest(CAST(:late_units AS int[]), CAST(:late_due AS date[]),"
    " CAST(:late_days AS date[])) AS l(unit_id, due_on, day) WHERE l.unit_id = x.unit_id"
    " AND l.due_on = x.due_on AND l.day IS NOT DISTINCT FROM {day})"
)
_BEHIND: Final = (
    "(unit_id, source_id, x.code, edge_index)"
    " > (:after_unit, :after_source, :after_code, :after_edge)"
)


def _narrowed(
    state: State | None,
    late: Sequence[LateGroup] | None,
    after: tuple[int, int, str, int] | None,
) -> dict[str, object]:
    """Return what a list is narrowed to, by the names that its statement uses."""
    found: dict[str, object] = {"state": None if state is None else int(state)}
    if late is not None:
        columns = list(zip(*late, strict=True)) or [(), (), ()]
        names = ("late_units", "late_due", "late_days")
        found |= dict(zip(names, map(list, columns), strict=True))
    if after is not None:
        names_after = ("after_unit", "after_source", "after_code", "after_edge")
        found |= dict(zip(names_after, after, strict=True))
    return found


LOOKED_AT_FIRST: Final = 4
"""Units that a page looks at first; each further look takes four times as many."""


def _units_in_turn(session: ReadSession, tree: Tree, *, since: int | None) -> Iterator[list[int]]:
    """Give the units whose rows are listed in the order of a list, a few first, then more."""
    units = session.scalars(
        text(
            f"SELECT unit_id FROM ({tree.relation}) AS every"
            " WHERE unit_id >= coalesce(:since, unit_id) ORDER BY unit_id"
        ),
        {**tree.parameters, "since": since},
    ).all()
    first, size = 0, LOOKED_AT_FIRST
    while first < len(units):
        yield list(units[first : first + size])
        first, size = first + size, size * 4


def _listed(row: Any) -> Listed:
    return Listed(
        unit=row.unit,
        source=row.source,
        code=row.code,
        procedure=row.procedure,
        state=State(row.state),
        at=row.at,
        due_on=row.due_on,
        place=(row.unit_id, row.source_id, row.code, row.edge_index),
    )


LATE: Mapping[str, Count] = {"passed": Count.FINISHED_LATE, "held": Count.OPEN_OVERDUE}
"""What makes a dossier late, by the relation that counts it."""


def late_by_cause(
    session: ReadSession, scope: Scope, span: Span
) -> dict[Count, dict[str | None, int]]:
    """Count the late dossiers by the cause that was named last, None where none was.

    The sums are those of the counts themselves: the same condition on the same dossiers.
    """
    known = "" if scope.known_at is None else " AND c.recorded_at <= :known_at"
    found: dict[Count, dict[str | None, int]] = {}
    tree = tree_of(session, scope)
    for relation, count in LATE.items():
        condition = CONDITIONS[count]
        statement = f"""
        {_with(scope, tree, relation)}
        SELECT (SELECT c.cause FROM late_cause c
                 WHERE c.source_id = x.source_id AND c.code = x.code{known}
                 ORDER BY c.seq DESC LIMIT 1) AS cause, count(*) AS number
          FROM {relation} x WHERE {condition.where} GROUP BY 1"""
        rows = session.execute(text(statement), _parameters(scope, span, tree))
        found[count] = {row.cause: row.number for row in rows}
    return found


@dataclass(frozen=True, slots=True)
class Grouped:
    """A number of dossiers with the keys of their row and what they are grouped by."""

    keys: tuple[str | None, ...]
    values: tuple[Any, ...]
    number: int


def grouped(
    session: ReadSession,
    scope: Scope,
    span: Span,
    *,
    count: Count,
    values: Sequence[str],
    by: Sequence[Dimension] = (),
    of: int | None = None,
) -> list[Grouped]:
    """Count what a count counts, row by row, by columns of ``GROUPABLE``."""
    condition = CONDITIONS[count]
    tree = tree_of(session, scope, of)
    keys = [f"{_KEYS[dimension]} AS key_{at}" for at, dimension in enumerate(by)]
    asked = [f"{GROUPABLE[name]} AS value_{at}" for at, name in enumerate(values)]
    names = [f"key_{at}" for at in range(len(by))] + [f"value_{at}" for at in range(len(values))]
    statement = (
        f"{_with(scope, tree, condition.relation)} SELECT {', '.join(keys + asked)}, count(*)"
        f" FROM {condition.relation} WHERE {condition.where} GROUP BY {', '.join(names)}"
    )
    rows = session.execute(text(statement), _parameters(scope, span, tree))
    return [Grouped(tuple(row[: len(by)]), tuple(row[len(by) : -1]), row[-1]) for row in rows]


GROUPABLE: Mapping[str, str] = {
    "unit_id": "unit_id",
    "due_on": "due_on",
    "day": f"(at AT TIME ZONE '{ZONE.key}')::date",
    "days": "edge_days[edge_index]",
}
"""What dossiers of one count may be grouped by; ``days`` are those that a finish took."""


@dataclass(frozen=True, slots=True)
class Oldest:
    """The dossier of a row that has been in hand longest."""

    keys: tuple[str | None, ...]
    unit_id: int
    unit: str
    source: str
    code: str
    started_at: datetime


def oldest_in_hand(
    session: ReadSession,
    scope: Scope,
    span: Span,
    *,
    by: Sequence[Dimension] = (),
    of: int | None = None,
) -> list[Oldest]:
    """Return for each row the dossier in hand at T whose clock started first."""
    tree = tree_of(session, scope, of)
    keys = [f"{_KEYS[dimension]} AS key_{at}" for at, dimension in enumerate(by)]
    names = [f"key_{at}" for at in range(len(by))]
    chosen = "".join(f"{one}, " for one in keys)
    distinct = f"DISTINCT ON ({', '.join(names)})" if names else ""
    order = ", ".join([*names, "clock_start_at", "unit_id", "source_id", "code"])
    statement = (
        f"{_with(scope, tree, 'held')}, kept AS (SELECT {chosen}unit_id, unit, source_id, code,"
        f" clock_start_at FROM held WHERE state {_IN_HAND} AND clock_start_at IS NOT NULL),"
        f" first AS (SELECT {distinct} * FROM kept ORDER BY {order}"
        f"{'' if names else ' LIMIT 1'})"
        " SELECT f.*, s.code AS source FROM first f JOIN source s ON s.id = f.source_id"
    )
    rows = session.execute(text(statement), _parameters(scope, span, tree))
    return [
        Oldest(
            tuple(row[: len(by)]), row.unit_id, row.unit, row.source, row.code, row.clock_start_at
        )
        for row in rows
    ]


def tree_of(session: ReadSession, scope: Scope, of: int | None = None) -> Tree:
    """Return the units whose dossiers are counted; ``of`` is the one whose children make rows."""
    return trees.of(
        session,
        lft=scope.lft,
        rgt=scope.rgt,
        units=scope.units,
        day=scope.day,
        known_at=scope.known_at,
        above=of,
    )


def _with(scope: Scope, tree: Tree, relation: str) -> str:
    """Name the relations; those with found positions and states are worked out once a row."""
    return (
        f"WITH shown AS ({tree.relation}), {flags.relations(scope.flag)}"
        f" known AS ({_known(scope)}),"
        f" placed AS MATERIALIZED ({_placed(scope)}),"
        f" {relation} AS MATERIALIZED ({_relation(scope, relation)})"
    )


def _count_statement(scope: Scope, tree: Tree, relation: str, by: Sequence[Dimension]) -> str:
    keys = [f"{_KEYS[dimension]} AS key_{at}" for at, dimension in enumerate(by)]
    sums = [
        f"count(*) FILTER (WHERE {condition.where}) AS {count.value}"
        for count, condition in CONDITIONS.items()
        if condition.relation == relation
    ]
    group = ", ".join(f"key_{at}" for at in range(len(by)))
    chosen = ", ".join(keys + sums)
    statement = f"{_with(scope, tree, relation)} SELECT {chosen} FROM {relation}"
    return f"{statement} GROUP BY {group}" if by else statement


def _names(relation: str) -> list[str]:
    return [count.value for count, found in CONDITIONS.items() if found.relation == relation]


def _sortable(keys: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(key or "" for key in keys)


_STEP = timedelta(microseconds=1)


def _parameters(scope: Scope, span: Span, tree: Tree) -> dict[str, Any]:
    return {
        **tree.parameters,
        "reading": scope.reading.value,
        "known_at": scope.known_at,
        "procedure": scope.procedure,
        "field": scope.field,
        "channel": scope.channel,
        "applicant_type": scope.applicant_type,
        "level": scope.level,
        "online_level": scope.online_level,
        "begins": span.begins,
        "ends": span.ends,
        "before_begin": span.begins - _STEP,
        "before_end": span.ends - _STEP,
        "first": span.first,
        "last": span.last,
        "among_sources": [source for source, _ in scope.among or ()],
        "among_codes": [code for _, code in scope.among or ()],
        **flags.PARAMETERS,
    }
