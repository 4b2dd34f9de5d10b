"""What a flag (an issue of data quality) is as SQL, for a list and for its count alike.

Most issues are kept with the dossier. An open pause outlasts its limit by the mere passing of time,
so the instant is kept and compared with T. The issues across dossiers are relations of their own:
``relations`` names them before the statement that uses ``condition``, and behind ``shown``
(``store.trees``), the units whose dossiers are looked at.
"""

from typing import Any, Final

from app.domain.dossier import ZONE, Issue
from app.domain.quality import ACROSS, MANY
from app.domain.record import Status
from app.domain.timeliness import Flow, State

ENDS: Final = ", ".join(
    f"{flow:d}"
    for flow in (
        *(Flow.FINISHED_EARLY, Flow.FINISHED_ON_TIME, Flow.FINISHED_LATE, Flow.FINISHED_NO_DUE),
        *(Flow.WITHDRAWN, Flow.WITHDRAWN_LATE, Flow.STOPPED),
    )
)
"""The flows by which a dossier leaves the hands of a unit for good."""

LASTING: Final = ", ".join(
    f"{state:d}"
    for state in State
    if state.in_hand
    or state
    in {
        State.AWAITING_INTAKE_IN_TIME,
        State.AWAITING_INTAKE_OVERDUE,
        State.RECEIPT_UNKNOWN,
    }
)
"""The states in which a dossier waits for somebody."""

WITHIN: Final = f"state <> {State.TRANSFERRED_OUT:d} AND (upto > since OR state IN ({LASTING}))"
"""A dossier of a period: held at T, with an edge in the period or still waiting at its end."""

ALIVE: Final = (
    "d.edge_at[1] < :ends AND (d.edge_at[cardinality(d.edge_at)] >= :begins"
    f" OR d.edge_state[cardinality(d.edge_at)] IN ({LASTING}))"
)
"""What every dossier of a period fulfils, and most dossiers of long ago do not."""

_STEPS = ", ".join(
    f"'{status}'"
    for status in (Status.PROCESSING, Status.AWAITING_SUPPLEMENT, Status.AWAITING_PAYMENT)
)

# an end at local midnight is a day without a time of day
_CLOSED = f"""
    ended AS MATERIALIZED (
        SELECT d.unit_id, d.source_id, d.code, d.home_unit_id, d.recorded_at, e.at
          FROM dossier d, unnest(d.edge_at, d.edge_flow) AS e(at, flow)
         WHERE d.unit_id IN (SELECT unit_id FROM shown) AND e.at >= :begins AND e.at < :ends
           AND e.flow IN ({ENDS}) AND e.at <> date_trunc('day', e.at, :zone)),
    minute AS (
        SELECT unit_id, date_trunc('minute', at) AS begins FROM ended
         GROUP BY unit_id, date_trunc('minute', at) HAVING count(*) >= :many),
    closed_in_same_minute AS MATERIALIZED (
        SELECT t.unit_id, t.source_id, t.code, t.at, t.home_unit_id,
               coalesce((SELECT min(p.recorded_at) FROM dossier_past p
                          WHERE p.unit_id = t.unit_id AND p.source_id = t.source_id
                            AND p.code = t.code AND p.edge_at @> ARRAY[t.at]),
                        t.recorded_at) AS seen_at
          FROM ended t JOIN minute m
            ON m.unit_id = t.unit_id AND m.begins = date_trunc('minute', t.at)),
    closed_in_bulk AS (
        SELECT b.* FROM (
            SELECT c.*, count(*) OVER (
                       PARTITION BY c.unit_id, c.source_id, date_trunc('second', c.at)) AS alike
              FROM closed_in_same_minute c
             WHERE NOT EXISTS (
                   SELECT FROM dossier_record r
                    WHERE r.unit_id = c.home_unit_id AND r.source_id = c.source_id
                      AND r.code = c.code AND r.told ->> 'status' IN ({_STEPS}))) AS b
         WHERE b.alike >= :many)"""  # noqa: S608  # built from constants

PARAMETERS: Final[dict[str, Any]] = {"many": MANY, "zone": str(ZONE)}
"""What the relations ask for beside ``shown``, ``begins`` and ``ends``."""

EVERY_RELATION: Final = f"{_CLOSED},"


def relations(issue: Issue | None) -> str:
    """Return the relations that the condition of an issue reads, each with a comma behind it."""
    match issue:
        case Issue.CLOSED_IN_SAME_MINUTE | Issue.CLOSED_IN_BULK:
            return f"{_CLOSED},"
        case _:
            return ""


def condition(issue: Issue) -> str:
    """Return when a dossier ``k`` shows an issue; ``before_end`` is the last instant before T."""
    match issue:
        case Issue.CLOSED_IN_SAME_MINUTE | Issue.CLOSED_IN_BULK:
            columns = "unit_id, source_id, code"
            return f"(k.unit_id, k.source_id, k.code) IN (SELECT {columns} FROM {issue})"  # noqa: S608  # built from constants
        case Issue.PAUSE_LONGER_THAN_LIMIT:
            state = "k.edge_state[width_bucket(CAST(:before_end AS timestamptz), k.edge_at)]"
            still = f"k.overlong_at < :ends AND {state} = {State.PAUSED:d}"
            return f"('{issue}' = ANY(k.issues) OR ({still}))"
        case _:
            return f"'{issue}' = ANY(k.issues)"


def is_across(issue: Issue | None) -> bool:
    """Tell whether an issue compares dossiers and so can be asked of the present only."""
    return issue in ACROSS
