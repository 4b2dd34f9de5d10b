"""Files that prove what sheets say, in pieces of the database."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

import sqlalchemy as sa

from app.domain.errors import NotFound
from app.store.session import ReadSession, WriteSession
from app.store.tables import evidence, evidence_piece, unit

PIECE: Final = 256 * 1024


@dataclass(eq=False, kw_only=True)
class EvidenceUnknown(NotFound):
    """No file of this hash was stored, or none within the caller's units."""

    code: ClassVar[str] = "evidence.unknown"
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """A file as it was stored."""

    unit_id: int
    unit_code: str
    unit_lft: int
    hash: str
    name: str
    media_type: str
    size: int
    actor: str
    recorded_at: datetime


def _select() -> sa.Select[*tuple[object, ...]]:
    return sa.select(
        evidence.c.unit_id,
        unit.c.code.label("unit_code"),
        unit.c.lft.label("unit_lft"),
        evidence.c.hash,
        evidence.c.name,
        evidence.c.media_type,
        evidence.c.size,
        evidence.c.actor,
        evidence.c.recorded_at,
    ).join(unit, unit.c.id == evidence.c.unit_id)


def _rows(session: ReadSession, statement: sa.Select[*tuple[object, ...]]) -> list[EvidenceRow]:
    return [EvidenceRow(**row) for row in session.execute(statement).mappings()]


def find(session: ReadSession, unit_id: int, digest: str) -> EvidenceRow | None:
    """Return the file of a hash that a unit holds, None when it holds none."""
    wanted = _select().where(evidence.c.unit_id == unit_id, evidence.c.hash == digest)
    found = _rows(session, wanted)
    return found[0] if found else None


def within(session: ReadSession, digest: str, *, lft: int, rgt: int) -> EvidenceRow:
    """Return a file of a hash that some unit of a subtree holds.

    :raises EvidenceUnknown: none does.
    """
    wanted = _select().where(evidence.c.hash == digest, unit.c.lft.between(lft, rgt))
    found = _rows(session, wanted.order_by(unit.c.lft).limit(1))
    if not found:
        raise EvidenceUnknown(hash=digest)
    return found[0]


def held(session: ReadSession, units: Iterable[int], hashes: Iterable[str]) -> set[str]:
    """Return which of some hashes any of some units holds."""
    rows = session.scalars(
        sa.select(evidence.c.hash).where(
            evidence.c.unit_id.in_(list(units)), evidence.c.hash.in_(list(hashes))
        )
    )
    return set(rows)


def listed(
    session: ReadSession, *, lft: int, rgt: int, after: tuple[str, str] | None, limit: int
) -> list[EvidenceRow]:
    """List the files of a subtree by unit and hash, beginning after a position."""
    order = (unit.c.code.collate("C"), evidence.c.hash)
    wanted = _select().where(unit.c.lft.between(lft, rgt)).order_by(*order).limit(limit)
    if after is not None:
        wanted = wanted.where(sa.tuple_(*order) > sa.tuple_(*(sa.literal(one) for one in after)))
    return _rows(session, wanted)


def add(
    session: WriteSession,
    unit_id: int,
    *,
    digest: str,
    name: str,
    media_type: str,
    data: bytes,
    actor: str,
    now: datetime,
) -> None:
    """Store a file; one that the unit holds already is left as it is."""
    session.execute(
        sa.insert(evidence).values(
            unit_id=unit_id,
            hash=digest,
            name=name,
            media_type=media_type,
            size=len(data),
            actor=actor,
            recorded_at=now,
        )
    )
    session.execute(
        sa.insert(evidence_piece),
        [
            {
                "unit_id": unit_id,
                "hash": digest,
                "seq": number,
                "data": data[begin : begin + PIECE],
            }
            for number, begin in enumerate(range(0, len(data), PIECE))
        ],
    )


def pieces(session: ReadSession, row: EvidenceRow) -> Iterator[bytes]:
    """Yield the bytes of a file, piece by piece."""
    last = (row.size - 1) // PIECE
    for number in range(last + 1):
        yield session.execute(
            sa.select(evidence_piece.c.data).where(
                evidence_piece.c.unit_id == row.unit_id,
                evidence_piece.c.hash == row.hash,
                evidence_piece.c.seq == number,
            )
        ).scalar_one()


def lock(session: WriteSession, unit_id: int) -> None:
    """Let no other transaction store files of a unit until this one ends."""
    name = sa.func.hashtextextended(f"evidence {unit_id}", 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))
