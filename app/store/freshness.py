"""The local days on which sources were heard, as rows.

A day is one row for each unit whose dossiers a source told of, and one for the source as a whole.
Writers only add the row of a day that nobody has written yet: a counter beside it would make all
writers of a unit wait for each other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson
from sqlalchemy import TextClause, text

from app.store.session import ReadSession, WriteSession

ANY_UNIT: Final = 0
"""The unit of the rows that say when a source was heard at all."""


@dataclass(frozen=True, slots=True)
class HeardRow:
    """The newest days on which a source told of a unit's dossiers, newest first.

    ``unit_id``, ``unit`` and its place ``lft`` are None for the source as a whole.
    """

    source: str
    source_name: str
    unit_id: int | None
    unit: str | None
    days: tuple[date, ...]
    lft: int | None = None


_HEAR = b"""
    INSERT INTO source_heard (source_id, unit_id, heard_on)
    SELECT $1::int, u.unit_id::int, $3::date FROM json_array_elements_text($2::json) AS u(unit_id)
     ORDER BY 2
    ON CONFLICT DO NOTHING
    """


def hear(session: WriteSession, source_id: int, units: Collection[int], *, on: date) -> None:
    """Note that a source told of dossiers of these home units on a day."""
    if units:
        asked = sorted({ANY_UNIT, *units})
        session.send(_HEAR, source_id, orjson.dumps(asked), on.isoformat())


_NEWEST = (
    "CROSS JOIN LATERAL (SELECT array_agg(newest.heard_on ORDER BY newest.heard_on DESC) AS days"
    " FROM (SELECT DISTINCT heard_on FROM source_heard WHERE source_id = s.id AND unit_id = {unit}"
    " AND heard_on <= :today ORDER BY heard_on DESC LIMIT :most) AS newest) AS h"
)
_WITH_FOREBEARS = "ANY(ARRAY(SELECT f.id FROM unit f WHERE f.id = u.id OR f.heir_id = u.id))"
"""What was told of a unit that ceased was told of its successor."""

_WHOLE = text(
    "SELECT s.code AS source, s.name, CAST(NULL AS int) AS unit_id, CAST(NULL AS text) AS unit,"  # noqa: S608  # built from constants
    " CAST(NULL AS bigint) AS lft,"
    f" h.days FROM source s {_NEWEST.format(unit=ANY_UNIT)}"
    " WHERE h.days IS NOT NULL ORDER BY s.code"
)
_BY_UNIT = text(
    "SELECT s.code AS source, s.name, u.id AS unit_id, u.code AS unit, u.lft, h.days"  # noqa: S608  # built from constants
    f" FROM source s CROSS JOIN unit u {_NEWEST.format(unit=_WITH_FOREBEARS)}"
    " WHERE u.lft BETWEEN :lft AND :rgt AND u.heir_id IS NULL AND h.days IS NOT NULL"
    " ORDER BY s.code, u.code"
)


def of_sources(session: ReadSession, *, today: date, most: int) -> list[HeardRow]:
    """Return for each source that was ever heard its newest days up to today."""
    return _rows(session, _WHOLE, {"today": today, "most": most})


def of_units(session: ReadSession, *, lft: int, rgt: int, today: date, most: int) -> list[HeardRow]:
    """Return the same for each source and unit of a part of the tree, by source and unit."""
    return _rows(session, _BY_UNIT, {"lft": lft, "rgt": rgt, "today": today, "most": most})


_QUIET = b"""
    WITH RECURSIVE heard AS (
        (SELECT u.id AS unit_id, first.source_id, first.heard_on
           FROM unit u CROSS JOIN LATERAL (
                SELECT source_id, heard_on FROM source_heard WHERE unit_id = u.id
                 ORDER BY source_id, heard_on DESC LIMIT 1) AS first
          WHERE u.lft BETWEEN $1::bigint AND $2::bigint AND u.heir_id IS NULL
            AND (u.valid_to IS NULL OR u.valid_to >= $4::date))
        UNION ALL
        SELECT heard.unit_id, next.source_id, next.heard_on
          FROM heard CROSS JOIN LATERAL (
               SELECT source_id, heard_on FROM source_heard
                WHERE unit_id = heard.unit_id AND source_id > heard.source_id
                ORDER BY source_id, heard_on DESC LIMIT 1) AS next
    )
    SELECT s.code AS source, s.name, u.id AS unit_id, u.code AS unit, u.lft, h.days
      FROM heard JOIN source s ON s.id = heard.source_id JOIN unit u ON u.id = heard.unit_id
     CROSS JOIN LATERAL (
           SELECT array_agg(newest.heard_on ORDER BY newest.heard_on DESC) AS days
             FROM (SELECT heard_on FROM source_heard
                    WHERE source_id = s.id AND unit_id = u.id AND heard_on <= $4::date
                    ORDER BY heard_on DESC LIMIT $5::int) AS newest) AS h
     WHERE heard.heard_on < $3::date AND h.days IS NOT NULL
     ORDER BY s.code, u.code
    """


def quiet_units(
    session: ReadSession, *, lft: int, rgt: int, before: date, today: date, most: int
) -> list[HeardRow]:
    """Return the units of a part of the tree of which a source has told nothing since a day.

    Units that have ceased are left out: nobody sends for them any more.
    """
    rows = session.ask(_QUIET, lft, rgt, before.isoformat(), today.isoformat(), most)
    return [
        HeardRow(source, name, unit_id, unit, tuple(days), place)
        for source, name, unit_id, unit, place, days in rows
    ]


def _rows(session: ReadSession, statement: TextClause, asked: dict[str, Any]) -> list[HeardRow]:
    return [
        HeardRow(row.source, row.name, row.unit_id, row.unit, tuple(row.days), row.lft)
        for row in session.execute(statement, asked)
    ]
