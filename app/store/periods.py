"""Closed periods as rows: written once, summed again, never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app.domain.frozen import Closing, FrozenRow, FrozenUnit, Gap, plain_gaps
from app.domain.restatement import Seen
from app.domain.timeliness import Flow
from app.store.session import ReadSession, WriteSession
from app.store.tables import period, period_row, source, unit

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """A closed period: what was closed, where it stands in the tree now, and its digest."""

    id: UUID
    unit_id: int
    unit_lft: int
    unit_rgt: int
    closing: Closing
    rows: int
    digest: str


def _select() -> sa.Select[Any]:
    return sa.select(period, unit.c.code, unit.c.lft, unit.c.rgt).join_from(
        period, unit, unit.c.id == period.c.unit_id
    )


def _row(row: sa.RowMapping) -> PeriodRow:
    closing = Closing(
        unit=row["code"],
        first=row["first"],
        last=row["last"],
        kind=row["kind"],
        label=row["label"],
        as_of=row["as_of"],
        known_at=row["known_at"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        document=row["document"],
        readings=tuple(row["readings"]),
        counts=tuple(row["counts"]),
        definitions=tuple(row["definitions"]),
        default_definition=row["default_definition"],
        units=tuple(FrozenUnit(*one) for one in row["units"]),
        gaps={
            code: Gap(date.fromisoformat(gap["since"]), tuple(gap["sources"]))
            for code, gap in row["gaps"].items()
        },
    )
    return PeriodRow(
        row["id"], row["unit_id"], row["lft"], row["rgt"], closing, row["rows"], row["digest"]
    )


def add(
    session: WriteSession,
    identifier: UUID,
    unit_id: int,
    closing: Closing,
    rows: Sequence[FrozenRow],
    *,
    digest: str,
) -> bool:
    """Write a closed period with its rows; tell whether these days were still open there."""
    header = {
        "unit_id": unit_id,
        "id": identifier,
        "first": closing.first,
        "last": closing.last,
        "kind": closing.kind,
        "label": closing.label,
        "as_of": closing.as_of,
        "known_at": closing.known_at,
        "closed_at": closing.closed_at,
        "closed_by": closing.closed_by,
        "document": closing.document,
        "readings": list(closing.readings),
        "counts": list(closing.counts),
        "definitions": list(closing.definitions),
        "default_definition": closing.default_definition,
        "units": [[one.code, one.name, one.level, one.parent] for one in closing.units],
        "gaps": plain_gaps(closing.gaps),
        "rows": len(rows),
        "digest": digest,
    }
    days = ["unit_id", "first", "last"]
    statement = insert(period).values(**header)
    once = statement.on_conflict_do_nothing(index_elements=days).returning(period.c.id)
    if session.scalar(once) is None:
        return False
    places = dict.fromkeys(closing.readings, 0)
    written = []
    for row in sorted(rows, key=lambda row: row.order):
        places[row.reading] += 1
        written.append(
            {
                "unit_id": unit_id,
                "period_id": identifier,
                "reading": row.reading,
                "place": places[row.reading],
                "unit": row.unit,
                "field": row.field,
                "procedure": row.procedure,
                "is_same_day": row.is_same_day,
                "counts": list(row.counts),
            }
        )
    for start in range(0, len(written), BATCH):
        session.execute(sa.insert(period_row), written[start : start + BATCH])
    return True


def find(session: ReadSession, identifier: UUID) -> PeriodRow | None:
    """Return a closed period, None when there is none of this id."""
    row = session.execute(_select().where(period.c.id == identifier)).mappings().one_or_none()
    return None if row is None else _row(row)


def find_closed(session: ReadSession, unit_id: int, first: date, last: date) -> PeriodRow | None:
    """Return the closed period of a unit and its days, None while they are open."""
    wanted = _select().where(
        period.c.unit_id == unit_id, period.c.first == first, period.c.last == last
    )
    row = session.execute(wanted).mappings().one_or_none()
    return None if row is None else _row(row)


def page(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[PeriodRow]:
    """Return the periods closed for a part of the tree, or for units above it, newest first."""
    is_within = unit.c.lft.between(lft, rgt)
    is_above = sa.and_(unit.c.lft <= lft, unit.c.rgt >= rgt)
    wanted = _select().where(is_within | is_above)
    place = (period.c.closed_at, period.c.id)
    if after is not None:
        wanted = wanted.where(sa.tuple_(*place) < sa.tuple_(*map(sa.literal, after)))
    wanted = wanted.order_by(period.c.closed_at.desc(), period.c.id.desc()).limit(limit)
    return [_row(row) for row in session.execute(wanted).mappings()]


def rows_of(session: ReadSession, one: PeriodRow) -> Iterable[FrozenRow]:
    """Return the rows of a closed period, as they are kept."""
    wanted = sa.select(period_row).where(
        period_row.c.unit_id == one.unit_id, period_row.c.period_id == one.id
    )
    for row in session.execute(wanted).mappings():
        yield FrozenRow(
            row["reading"],
            row["unit"],
            row["field"],
            row["procedure"],
            row["is_same_day"],
            tuple(row["counts"]),
        )


@dataclass(frozen=True, slots=True)
class Summed:
    """The counts of some rows of a closed period, added up; names are those of the closing."""

    unit: str
    field: str | None
    procedure: str | None
    counts: tuple[int, ...]


def sums(
    session: ReadSession,
    one: PeriodRow,
    *,
    reading: str,
    units: Sequence[str],
    by_field: bool,
    by_procedure: bool,
    exclude_same_day: bool,
    field: str | None = None,
    procedure: str | None = None,
    unknown: str,
) -> list[Summed]:
    """Add up the rows of some units, by unit and as asked by field and procedure.

    A filter that is ``unknown`` asks for rows without one.
    """
    added = ", ".join(f"sum(counts[{at}])" for at in range(1, len(one.closing.counts) + 1))
    asked_field = "field" if by_field else "CAST(NULL AS text)"
    asked_procedure = "procedure" if by_procedure else "CAST(NULL AS text)"
    where = ["unit_id = :unit_id", "period_id = :id", "reading = :reading", "unit = ANY(:units)"]
    if exclude_same_day:
        where.append("NOT is_same_day")
    for name, value in (("field", field), ("procedure", procedure)):
        if value is not None:
            where.append(f"{name} IS NULL" if value == unknown else f"{name} = :{name}")
    statement = (
        f"SELECT unit, {asked_field} AS f, {asked_procedure} AS p, {added} FROM period_row"  # noqa: S608  # built from constants
        f" WHERE {' AND '.join(where)} GROUP BY unit, f, p"
    )
    parameters = {
        "unit_id": one.unit_id,
        "id": one.id,
        "reading": reading,
        "units": list(units),
        "field": field,
        "procedure": procedure,
    }
    return [
        Summed(row[0], row[1], row[2], tuple(map(int, row[3:])))
        for row in session.execute(text(statement), parameters)
    ]


_SEEN = """
    SELECT source_id, code, array_agg(unit_id) AS units, max(procedure_id) AS procedure_id,
           bool_or(is_counted) AS is_counted,
           bool_or(edge_flow && CAST(:succeeded AS smallint[])) AS has_succeeded
      FROM ({rows}) AS d GROUP BY source_id, code"""
_SEEN_COLUMNS = "d.source_id, d.code, d.unit_id, d.procedure_id, d.is_counted, d.edge_flow"
_AMONG = (
    " JOIN unnest(CAST(:sources AS int[]), CAST(:codes AS text[])) AS k(source_id, code)"
    " ON k.source_id = d.source_id AND k.code = d.code"
)
_SEEN_NOW = _SEEN.format(
    rows=f"SELECT {_SEEN_COLUMNS} FROM dossier d{_AMONG}"  # noqa: S608  # built from constants
)
_SEEN_THEN = _SEEN.format(
    rows=f"SELECT {_SEEN_COLUMNS} FROM dossier d{_AMONG}"  # noqa: S608  # built from constants
    " WHERE d.recorded_at <= :known_at"
    f" UNION ALL SELECT {_SEEN_COLUMNS} FROM dossier_past d{_AMONG}"
    " WHERE d.recorded_at <= :known_at AND d.superseded_at > :known_at"
)


def seen(
    session: ReadSession, keys: Iterable[tuple[int, str]], *, known_at: datetime | None
) -> dict[tuple[int, str], Seen]:
    """Return what is believed of dossiers now, or was at a moment; those unknown are left out."""
    wanted = sorted(set(keys))
    rows = session.execute(
        text(_SEEN_NOW if known_at is None else _SEEN_THEN),
        {
            "sources": [source for source, _ in wanted],
            "codes": [code for _, code in wanted],
            "known_at": known_at,
            "succeeded": [int(Flow.SUCCEEDED_IN), int(Flow.SUCCEEDED_OUT)],
        },
    )
    return {
        (row.source_id, row.code): Seen(
            frozenset(row.units), row.procedure_id, row.is_counted, bool(row.has_succeeded)
        )
        for row in rows
    }


def source_codes(session: ReadSession) -> dict[int, str]:
    """Return the codes of all sources by their numbers."""
    return {row.id: row.code for row in session.execute(sa.select(source.c.id, source.c.code))}
