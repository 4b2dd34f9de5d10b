"""How many dossiers show each issue, in a period and in each of its parts, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.domain.dossier import Issue
from app.domain.timeliness import State
from app.store import flags
from app.store.session import ReadSession
from app.store.trees import Tree

_EPSILON = "interval '1 microsecond'"
_OPEN_PAUSE = Issue.PAUSE_LONGER_THAN_LIMIT


@dataclass(frozen=True, slots=True)
class Shown:
    """The dossiers that show one issue: their number in the whole and in each part.

    ``first_seen`` is when we first knew it of any of them, ``last_seen`` when we last did. A
    dossier that left the unit is in the parts in which the unit held it, and not in the whole.
    """

    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    parts: Mapping[int, int]


# what `store.flags` says of one dossier, said of all issues and parts in one look
_MARKED = f"""
    {flags.EVERY_RELATION}
    known AS NOT MATERIALIZED (
        SELECT d.unit_id, d.source_id, d.code, d.recorded_at, d.issues, d.overlong_at,
               d.edge_at, d.edge_state
          FROM dossier d WHERE d.unit_id IN (SELECT unit_id FROM shown) AND {flags.ALIVE}),
    across AS (
        SELECT unit_id, source_id, code, '{Issue.CLOSED_IN_SAME_MINUTE}' AS issue,
               array_agg(at) AS ends_at, min(seen_at) AS seen_at
          FROM closed_in_same_minute GROUP BY unit_id, source_id, code
        UNION ALL
        SELECT unit_id, source_id, code, '{Issue.CLOSED_IN_BULK}', array_agg(at), min(seen_at)
          FROM closed_in_bulk GROUP BY unit_id, source_id, code),
    marked AS (
        SELECT k.*, i.issue, CAST(NULL AS timestamptz[]) AS ends_at,
               CAST(NULL AS timestamptz) AS seen_at
          FROM known k, unnest(k.issues) AS i(issue)
        UNION ALL
        SELECT k.*, '{_OPEN_PAUSE}', NULL, k.overlong_at FROM known k
         WHERE k.overlong_at < :ends AND NOT '{_OPEN_PAUSE}' = ANY(k.issues)
        UNION ALL
        SELECT k.*, a.issue, a.ends_at, a.seen_at FROM known k
          JOIN across a ON a.source_id = k.source_id AND a.code = k.code
           AND (a.unit_id IS NULL OR a.unit_id = k.unit_id)),
    part AS (
        SELECT * FROM unnest(CAST(:numbers AS int[]), CAST(:from AS timestamptz[]),
                             CAST(:until AS timestamptz[])) AS p(number, begins, ends)),
    placed AS (
        SELECT m.*, p.number, p.begins, p.ends,
               width_bucket(p.ends - {_EPSILON}, m.edge_at) AS upto,
               width_bucket(p.begins - {_EPSILON}, m.edge_at) AS since
          FROM marked m JOIN part p ON m.edge_at[1] < p.ends),
    held AS (SELECT placed.*, edge_state[upto] AS state FROM placed)
SELECT number, issue, count(*) AS dossiers,
       min(coalesce(seen_at, least(recorded_at, (
           SELECT min(p.recorded_at) FROM dossier_past p
            WHERE p.unit_id = held.unit_id AND p.source_id = held.source_id
              AND p.code = held.code AND held.issue = ANY(p.issues)))))
           FILTER (WHERE number = 0) AS first_seen,
       max(greatest(recorded_at, seen_at)) FILTER (WHERE number = 0) AS last_seen
  FROM held
 WHERE {flags.WITHIN}
   AND (ends_at IS NULL OR EXISTS (
            SELECT FROM unnest(ends_at) AS x(at) WHERE x.at >= begins AND x.at < ends))
   AND (issue <> '{_OPEN_PAUSE}' OR seen_at IS NULL
        OR (seen_at < ends AND state = {State.PAUSED:d}))
 GROUP BY number, issue"""  # noqa: S608  # built from constants


def counts(
    session: ReadSession,
    *,
    tree: Tree,
    begins: datetime,
    ends: datetime,
    parts: Sequence[tuple[datetime, datetime]] = (),
) -> dict[Issue, Shown]:
    """Count the dossiers of [begins, ends) that show each issue, also in each part, from 1 on.

    Each count is that of the list with the same flag over the same days. Legs of joint dossiers
    are among them: a record is looked at whoever counts it.
    """
    spans = [(begins, ends), *parts]
    rows = session.execute(
        text(f"WITH shown AS ({tree.relation}), {_MARKED}"),
        {
            **tree.parameters,
            "begins": begins,
            "ends": ends,
            "numbers": list(range(len(spans))),
            "from": [span[0] for span in spans],
            "until": [span[1] for span in spans],
            **flags.PARAMETERS,
        },
    ).all()
    found: dict[Issue, dict[int, int]] = {}
    seen: dict[Issue, tuple[datetime, datetime]] = {}
    for row in rows:
        issue = Issue(row.issue)
        found.setdefault(issue, {})[row.number] = row.dossiers
        if row.number == 0:
            seen[issue] = (row.first_seen, row.last_seen)
    shown = {}
    for issue, counted in found.items():
        first_seen, last_seen = seen.get(issue, (None, None))
        shown[issue] = Shown(counted.pop(0, 0), first_seen, last_seen, counted)
    return shown
