"""What a sender's own words for units and procedures mean. Append-only: the last word holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import distinct_on

from app.store.session import ReadSession, WriteSession
from app.store.tables import mapping


@dataclass(frozen=True, slots=True)
class Mapping:
    """One word with the code that it means, who said so and when."""

    told: str
    target: str
    actor: str
    recorded_at: datetime


def _latest(kind: str, root: int) -> sa.Select[tuple[str, str, str, datetime]]:
    return (
        sa.select(mapping.c.told, mapping.c.target, mapping.c.actor, mapping.c.recorded_at)
        .ext(distinct_on(mapping.c.told))
        .where(mapping.c.kind == kind, mapping.c.unit_id == root)
        .order_by(mapping.c.told, mapping.c.seq.desc())
    )


def targets(session: ReadSession, kind: str, told: Iterable[str], *, root: int) -> dict[str, str]:
    """Return the code behind each of the words that were mapped below a root."""
    wanted = list(told)
    if not wanted:
        return {}
    rows = session.execute(_latest(kind, root).where(mapping.c.told.in_(wanted)))
    return {row.told: row.target for row in rows}


def listed(session: ReadSession, kind: str, *, root: int) -> list[Mapping]:
    """List all mappings of a kind below a root, by word."""
    rows = session.execute(_latest(kind, root))
    return [Mapping(row.told, row.target, row.actor, row.recorded_at) for row in rows]


def add(
    session: WriteSession,
    kind: str,
    told: str,
    target: str,
    *,
    root: int,
    actor: str,
    now: datetime,
) -> None:
    """Say what a word means from now on."""
    last = session.scalar(
        sa.select(sa.func.max(mapping.c.seq)).where(
            mapping.c.kind == kind, mapping.c.unit_id == root, mapping.c.told == told
        )
    )
    session.execute(
        sa.insert(mapping).values(
            kind=kind,
            unit_id=root,
            told=told,
            seq=(last or 0) + 1,
            target=target,
            actor=actor,
            recorded_at=now,
        )
    )


# ---------------------------------------------------------------- dossiers behind words


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A word that means nothing yet, and how many dossiers wait for its meaning."""

    told: str
    dossiers: int
    candidates: tuple[str, ...] = ()


def unknown_units(session: ReadSession, bucket: int, *, limit: int) -> list[UnknownWord]:
    """List the words behind which dossiers stand in a bucket now, most dossiers first."""
    rows = session.execute(
        text(
            "SELECT coalesce(unit_told, '') AS told, count(*) AS dossiers FROM dossier"
            " WHERE unit_id = :bucket AND is_current GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :limit"
        ),
        {"bucket": bucket, "limit": limit},
    )
    return [UnknownWord(row.told, row.dossiers) for row in rows]


def unknown_procedures(
    session: ReadSession, *, lft: int, rgt: int, limit: int
) -> list[UnknownWord]:
    """List the words for procedures that the catalogue does not know, most dossiers first."""
    rows = session.execute(
        text(
            "SELECT procedure_told AS told, count(*) AS dossiers FROM dossier"
            " WHERE unit_lft BETWEEN :lft AND :rgt AND is_current AND procedure_id IS NULL"
            " AND procedure_told IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :limit"
        ),
        {"lft": lft, "rgt": rgt, "limit": limit},
    )
    return [UnknownWord(row.told, row.dossiers) for row in rows]


_TOLD_UNDER = """
   AND EXISTS (SELECT FROM dossier_record r
                WHERE r.unit_id = d.home_unit_id AND r.source_id = d.source_id
                  AND r.code = d.code AND r.root_unit_id = :root AND r.told ->> '{0}' = :told)
"""

_AT_UNITS = text(
    "SELECT DISTINCT d.source_id, d.code FROM dossier d WHERE d.unit_id = ANY(:units)"  # noqa: S608  # built from constants
    + _TOLD_UNDER.format("unit")
)

_OF_PROCEDURE = text(
    "SELECT DISTINCT d.source_id, d.code FROM dossier d"  # noqa: S608  # built from constants
    " WHERE d.unit_lft BETWEEN :lft AND :rgt AND d.procedure_told = :told"
    + _TOLD_UNDER.format("procedure")
)


def dossiers_told_at(
    session: ReadSession, told: str, *, root: int, units: Iterable[int]
) -> set[tuple[int, str]]:
    """Return the dossiers that stayed at some units because their sender used a word."""
    rows = session.execute(_AT_UNITS, {"units": sorted(units), "root": root, "told": told})
    return {(row.source_id, row.code) for row in rows}


def dossiers_told_of(
    session: ReadSession, told: str, *, root: int, lft: int, rgt: int
) -> set[tuple[int, str]]:
    """Return the dossiers whose sender used a word for their procedure, within a span of units."""
    rows = session.execute(_OF_PROCEDURE, {"lft": lft, "rgt": rgt, "root": root, "told": told})
    return {(row.source_id, row.code) for row in rows}
