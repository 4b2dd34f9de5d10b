"""What the alerts of a level have come to: each judged again at the moment of telling."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from app.domain.digest import Dropped
from app.domain.mail import Topic
from app.domain.timeliness import JUST, State
from app.store.session import ReadSession
from app.store.tables import alert

MOST_LINES: Final = 50
TRUE: Final = "true"
_TABLE: Final = alert.name


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose alerts, of which kinds, raised when, judged when; ``until`` is exclusive."""

    unit_id: int
    level: str
    topics: frozenset[Topic]
    since: datetime
    until: datetime
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A dossier of the digest."""

    unit_id: int
    unit: str
    source: str
    code: str
    procedure: str | None
    stage: str
    due_on: date


@dataclass(frozen=True, slots=True)
class Judged:
    """The alerts by (unit, stage) that are still true, how many are not, and the oldest lines."""

    numbers: Mapping[tuple[str, str], int]
    dropped: Mapping[Dropped, int]
    lines: tuple[Line, ...]


_STATE = "edge_state[width_bucket($8::timestamptz, {table}.edge_at)]"
_MUTED = """
    EXISTS (SELECT 1 FROM mute m JOIN unit mu ON mu.id = m.unit_id
             WHERE m.lifted_at IS NULL AND m.until > $7::timestamptz
               AND m.created_at <= $7::timestamptz
               AND (m.stage IS NULL OR m.stage = r.stage)
               AND CASE WHEN m.code IS NULL THEN r.unit_lft BETWEEN mu.lft AND mu.rgt
                        ELSE m.code = r.code AND m.source_id = r.source_id END)"""

# One dossier counts once, with its latest stage: a mail that is sent late does not repeat itself.
_STATEMENT: Final = f"""
WITH raised AS (
  SELECT DISTINCT ON (a.unit_id, a.source_id, a.code)
         a.unit_id, a.source_id, a.code, a.stage, a.unit_lft, a.due_on, a.due_at,
         a.acknowledged_at
    FROM {_TABLE} a
   WHERE a.recipient_unit_id = $1::int AND a.level = $2::text
     AND a.raised_at >= $3::timestamptz AND a.raised_at < $4::timestamptz
     AND CASE WHEN a.stage LIKE 'overdue%' THEN $5::boolean
              ELSE $6::boolean END
   ORDER BY a.unit_id, a.source_id, a.code, a.occurred_at DESC, a.stage
), placed AS (
  SELECT r.*, d.on_time_until, d.is_current, d.is_counted, d.due_at AS due_now,
         d.procedure_id, d.procedure_told,
         d.{_STATE.format(table="d")} AS state,
         x.{_STATE.format(table="x")} AS state_extended
    FROM raised r
    LEFT JOIN dossier d ON d.unit_id = r.unit_id AND d.source_id = r.source_id AND d.code = r.code
    LEFT JOIN dossier_reading x ON x.unit_id = r.unit_id AND x.source_id = r.source_id
          AND x.code = r.code AND x.reading = 'extended'
), judged AS MATERIALIZED (
  SELECT r.*, CASE
           WHEN r.is_current IS NOT TRUE OR r.is_counted IS NOT TRUE THEN '{Dropped.MOVED}'
           WHEN r.state = {State.PAUSED:d} THEN '{Dropped.PAUSED}'
           WHEN r.state IS NULL
             OR r.state NOT IN ({State.OPEN_IN_TIME:d}, {State.OPEN_OVERDUE:d})
                THEN '{Dropped.CLOSED}'
           WHEN r.due_now IS DISTINCT FROM r.due_at THEN '{Dropped.DUE_CHANGED}'
           WHEN r.stage NOT LIKE 'overdue%' AND r.state = {State.OPEN_OVERDUE:d}
                THEN '{Dropped.PASSED}'
           WHEN r.stage LIKE 'overdue%' AND r.state_extended = {State.OPEN_IN_TIME:d}
                THEN '{Dropped.EXTENDED}'
           WHEN r.acknowledged_at IS NOT NULL THEN '{Dropped.ACKNOWLEDGED}'
           WHEN {_MUTED} THEN '{Dropped.MUTED}'
           ELSE '{TRUE}' END AS verdict
    FROM placed r
), counted AS (
  SELECT u.code AS unit, j.stage, j.verdict, count(*) AS number
    FROM judged j JOIN unit u ON u.id = j.unit_id GROUP BY 1, 2, 3
), listed AS (
  SELECT j.unit_id, u.code AS unit, s.code AS source, j.code, j.stage, j.due_on, j.on_time_until,
         coalesce(p.code, j.procedure_told) AS procedure
    FROM judged j JOIN unit u ON u.id = j.unit_id JOIN source s ON s.id = j.source_id
    LEFT JOIN procedure p ON p.id = j.procedure_id
   WHERE j.verdict = '{TRUE}'
   ORDER BY j.on_time_until, j.unit_id, j.source_id, j.code LIMIT $9::int
)
SELECT (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM counted c) AS counted,
       (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.on_time_until, l.unit_id, l.source,
               l.code), '[]') FROM listed l) AS listed""".encode()  # noqa: S608 -- of constants


def judged(session: ReadSession, asked: Asked, *, most: int = MOST_LINES) -> Judged:
    """Judge every alert of a level and window at once, in one look."""
    ((counted, listed),) = session.ask(
        _STATEMENT,
        asked.unit_id,
        asked.level,
        asked.since.isoformat(),
        asked.until.isoformat(),
        str(Topic.OVERDUE in asked.topics),
        str(Topic.DUE_SOON in asked.topics),
        asked.as_of.isoformat(),
        (asked.as_of - JUST).isoformat(),
        most,
    )
    numbers: dict[tuple[str, str], int] = {}
    dropped: dict[Dropped, int] = {}
    for each in counted:
        if each["verdict"] == TRUE:
            numbers[each["unit"], each["stage"]] = each["number"]
        else:
            reason = Dropped(each["verdict"])
            dropped[reason] = dropped.get(reason, 0) + each["number"]
    in_order = {reason: dropped[reason] for reason in Dropped if reason in dropped}
    return Judged(numbers, in_order, tuple(_line(each) for each in listed))


def _line(told: Mapping[str, Any]) -> Line:
    return Line(
        unit_id=told["unit_id"],
        unit=told["unit"],
        source=told["source"],
        code=told["code"],
        procedure=told["procedure"],
        stage=told["stage"],
        due_on=date.fromisoformat(told["due_on"]),
    )
