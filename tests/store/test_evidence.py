"""Evidence in pieces: the same bytes come back, and never others."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.store import evidence
from app.store.evidence import PIECE, EvidenceUnknown
from app.store.session import WriteSession
from app.store.tables import evidence_piece
from app.store.units import UnitRow
from tests.factories import make_unit

NOW = datetime(2026, 8, 10, tzinfo=UTC)
DATA = bytes(range(256)) * 2048 + b"end"


def add(session: WriteSession, unit: UnitRow, digest: str = "sha256:a") -> None:
    evidence.lock(session, unit.id)
    evidence.add(
        session,
        unit.id,
        digest=digest,
        name="a.txt",
        media_type="text/plain",
        data=DATA,
        actor="key:a",
        now=NOW,
    )


def test_a_file_larger_than_a_piece_comes_back_whole(session: WriteSession) -> None:
    unit = make_unit(session, "H44")
    add(session, unit)

    row = evidence.within(session, "sha256:a", lft=unit.lft, rgt=unit.rgt)
    found = list(evidence.pieces(session, row))

    assert b"".join(found) == DATA
    assert [len(one) for one in found] == [PIECE, PIECE, 3]
    assert (row.unit_code, row.size) == ("H44", len(DATA))


def test_a_file_is_found_within_a_subtree_and_by_its_unit(session: WriteSession) -> None:
    unit, other = make_unit(session, "H44"), make_unit(session, "H15")
    add(session, unit)

    assert evidence.find(session, unit.id, "sha256:a") is not None
    assert evidence.find(session, other.id, "sha256:a") is None
    assert evidence.held(session, [unit.id, other.id], ["sha256:a", "sha256:b"]) == {"sha256:a"}
    with pytest.raises(EvidenceUnknown):
        evidence.within(session, "sha256:a", lft=other.lft, rgt=other.rgt)


def test_files_are_listed_in_pages_by_unit_and_hash(session: WriteSession) -> None:
    unit = make_unit(session, "H44")
    for digest in ("sha256:b", "sha256:a"):
        add(session, unit, digest)
    span = {"lft": unit.lft, "rgt": unit.rgt}

    first = evidence.listed(session, **span, after=None, limit=1)
    rest = evidence.listed(session, **span, after=("H44", first[0].hash), limit=5)

    assert [row.hash for row in (*first, *rest)] == ["sha256:a", "sha256:b"]


def test_a_piece_is_never_changed(session: WriteSession) -> None:
    add(session, make_unit(session, "H44"))

    with pytest.raises(sa.exc.DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.update(evidence_piece).values(data=b"x"))
