"""Editions of the index feed: the documents that were given out, byte for byte."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from app.domain.period import Period
from app.store.session import ReadSession, WriteSession
from app.store.tables import feed_edition, score_entry, unit


@dataclass(frozen=True, slots=True)
class Series:
    """What an edition is one of: the feeds of a root of units, a rule set and a year."""

    unit_id: int
    rule_set: str
    year: int


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition without its document; ``period_id`` names the closed period of a final one."""

    series: Series
    number: int
    known_at: datetime
    as_of: datetime
    hash: str
    period_id: UUID | None
    recorded_at: datetime

    @property
    def is_final(self) -> bool:
        """Tell whether the year was closed, so that no other edition follows."""
        return self.period_id is not None


_TOLD = (
    feed_edition.c.unit_id,
    feed_edition.c.rule_set,
    feed_edition.c.year,
    feed_edition.c.number,
    feed_edition.c.known_at,
    feed_edition.c.as_of,
    feed_edition.c.hash,
    feed_edition.c.period_id,
    feed_edition.c.recorded_at,
)


def _of(series: Series) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        feed_edition.c.unit_id == series.unit_id,
        feed_edition.c.rule_set == series.rule_set,
        feed_edition.c.year == series.year,
    )


def hold(session: WriteSession, series: Series) -> None:
    """Let one writer of a series work at a time, until the transaction ends."""
    name = f"feed {series.unit_id} {series.rule_set} {series.year}"
    lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))
    session.execute(sa.select(lock))


def newest(session: ReadSession, series: Series) -> Edition | None:
    """Return the last edition of a series, None before the first."""
    found = session.execute(
        sa.select(*_TOLD).where(*_of(series)).order_by(feed_edition.c.number.desc()).limit(1)
    )
    row = found.mappings().one_or_none()
    return None if row is None else _edition(row)


def rule_sets_begun(session: ReadSession, unit_id: int, year: int) -> set[str]:
    """Return the rule sets of which a root has editions of a year."""
    found = session.execute(
        sa.select(feed_edition.c.rule_set)
        .where(feed_edition.c.unit_id == unit_id, feed_edition.c.year == year)
        .distinct()
    )
    return set(found.scalars())


def rule_sets_used(session: ReadSession, period: Period, *, lft: int, rgt: int) -> set[str]:
    """Return the rule sets under which sheets of a period were written on in a subtree."""
    found = session.execute(
        sa.select(score_entry.c.rule_set)
        .join(unit, unit.c.id == score_entry.c.unit_id)
        .where(
            score_entry.c.first_on == period.first,
            score_entry.c.last_on == period.last,
            unit.c.lft.between(lft, rgt),
        )
        .distinct()
    )
    return set(found.scalars())


def page(session: ReadSession, series: Series, *, below: int | None, limit: int) -> list[Edition]:
    """Return editions of a series, newest first, with numbers below one."""
    wanted = sa.select(*_TOLD).where(*_of(series)).order_by(feed_edition.c.number.desc())
    if below is not None:
        wanted = wanted.where(feed_edition.c.number < below)
    return [_edition(row) for row in session.execute(wanted.limit(limit)).mappings()]


def find_body(session: ReadSession, series: Series, number: int) -> bytes | None:
    """Return the document of an edition, None when there is none of this number."""
    body: bytes | None = session.scalar(
        sa.select(feed_edition.c.body).where(*_of(series), feed_edition.c.number == number)
    )
    return body


def add(session: WriteSession, edition: Edition, body: bytes) -> None:
    """Keep a new edition with its document."""
    series = edition.series
    session.execute(
        sa.insert(feed_edition).values(
            unit_id=series.unit_id,
            rule_set=series.rule_set,
            year=series.year,
            number=edition.number,
            known_at=edition.known_at,
            as_of=edition.as_of,
            hash=edition.hash,
            is_final=edition.is_final,
            period_id=edition.period_id,
            body=body,
            recorded_at=edition.recorded_at,
        )
    )


def _edition(row: sa.RowMapping) -> Edition:
    return Edition(
        series=Series(row["unit_id"], row["rule_set"], row["year"]),
        number=row["number"],
        known_at=row["known_at"],
        as_of=row["as_of"],
        hash=row["hash"],
        period_id=row["period_id"],
        recorded_at=row["recorded_at"],
    )
