"""Late dossiers by the state of their letter of apology: owed, issued, exempt."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import text

from app.domain.letter import LetterState
from app.domain.timeliness import JUST, State
from app.store.session import ReadSession

# the predicates of the partial indexes of the table, word for word
_FINISHED_LATE: Final = f"edge_state[cardinality(edge_state)] = {State.FINISHED_LATE:d}"
_UNSETTLED: Final = "apology_at IS NULL AND NOT apology_exempt"
_STATE: Final = "d.edge_state[width_bucket(CAST(:last AS timestamptz), d.edge_at)]"
_DAYS: Final = "d.due_on BETWEEN :first AND :final"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a list: by moment, oldest first."""

    moment: datetime
    unit_id: int
    source_id: int
    code: str


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A dossier of a list of letters."""

    place: Place
    unit: str
    source: str
    procedure: str | None
    state: State
    due_on: date
    due_at: datetime
    on_time_until: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dossiers: of a subtree, in which state, of which days, as they stand when.

    ``first`` and ``final`` are due days; of letters issued, the days of the first letter.
    """

    lft: int
    rgt: int
    state: LetterState
    first: date
    final: date
    begins: datetime
    ends: datetime
    as_of: datetime


_COLUMNS = (
    "{moment} AS moment, d.unit_id, d.source_id, d.code, d.procedure_id, d.procedure_told,"
    f" {_STATE} AS state, d.due_on, d.due_at, d.on_time_until"
)
_BASE = "FROM dossier d WHERE d.unit_lft BETWEEN :lft AND :rgt AND d.is_counted AND d.is_current"

_OWED = f"""
    SELECT {_COLUMNS.format(moment="d.on_time_until")} {_BASE}
       AND d.is_open AND d.on_time_until < :as_of AND {_UNSETTLED} AND {_DAYS}
       AND {_STATE} = {State.OPEN_OVERDUE:d}
    UNION ALL
    SELECT {_COLUMNS.format(moment="d.on_time_until")} {_BASE}
       AND {_FINISHED_LATE} AND {_UNSETTLED} AND {_DAYS}
       AND {_STATE} = {State.FINISHED_LATE:d}"""
_ISSUED = f"""
    SELECT {_COLUMNS.format(moment="d.apology_at")} {_BASE}
       AND d.apology_at >= :begins AND d.apology_at < :ends AND d.due_on IS NOT NULL"""
_EXEMPT = f"""
    SELECT {_COLUMNS.format(moment="d.on_time_until")} {_BASE}
       AND d.apology_exempt AND {_DAYS}"""

_RELATION: Final = {
    LetterState.OWED: _OWED,
    LetterState.ISSUED: _ISSUED,
    LetterState.EXEMPT: _EXEMPT,
}


def _parameters(wanted: Wanted) -> dict[str, object]:
    return {
        "lft": wanted.lft,
        "rgt": wanted.rgt,
        "first": wanted.first,
        "final": wanted.final,
        "begins": wanted.begins,
        "ends": wanted.ends,
        "as_of": wanted.as_of,
        "last": wanted.as_of - JUST,
    }


def page(
    session: ReadSession, wanted: Wanted, *, after: Place | None, limit: int
) -> list[LetterRow]:
    """Return dossiers of a list of letters, oldest first, after a place."""
    behind = (
        ""
        if after is None
        else "WHERE (x.moment, x.unit_id, x.source_id, x.code)"
        " > (:moment, :unit_id, :source_id, :code)"
    )
    statement = f"""
    SELECT x.moment, x.unit_id, x.source_id, x.code, u.code AS unit, s.code AS source,
           coalesce(p.code, x.procedure_told) AS procedure, x.state, x.due_on, x.due_at,
           x.on_time_until
      FROM ({_RELATION[wanted.state]}) x
      JOIN unit u ON u.id = x.unit_id JOIN source s ON s.id = x.source_id
      LEFT JOIN procedure p ON p.id = x.procedure_id
      {behind}
     ORDER BY x.moment, x.unit_id, x.source_id, x.code LIMIT :limit"""  # noqa: S608 -- of constants
    asked = _parameters(wanted) | {"limit": limit}
    if after is not None:
        asked |= {
            "moment": after.moment,
            "unit_id": after.unit_id,
            "source_id": after.source_id,
            "code": after.code,
        }
    return [
        LetterRow(
            Place(row.moment, row.unit_id, row.source_id, row.code),
            row.unit,
            row.source,
            row.procedure,
            State(row.state),
            row.due_on,
            row.due_at,
            row.on_time_until,
        )
        for row in session.execute(text(statement), asked)
    ]


def count(session: ReadSession, wanted: Wanted) -> int:
    """Count the dossiers that ``page`` lists."""
    statement = f"SELECT count(*) FROM ({_RELATION[wanted.state]}) x"  # noqa: S608 -- of constants
    return int(session.execute(text(statement), _parameters(wanted)).scalar_one())
