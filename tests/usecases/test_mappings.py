"""Telling what words mean: what is refused, and which dossiers follow."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.domain.record import MessageKind, Status, Told
from app.store import units
from app.store.session import WriteSession
from app.store.tables import dossier, dossier_past
from app.store.units import UnitRow
from app.usecases import ingest, mappings
from app.usecases.access import Principal, Scope
from app.usecases.ingest import Incoming, Sender
from app.usecases.mappings import Kind, Meaning, Root, TargetIsBucket
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    """Give a province with one commune."""
    root = make_unit(session, "H44")
    make_unit(session, "H44.100", parent=root)
    return root


def _who(root: UnitRow, source_id: int) -> Principal:
    return Principal(
        key_id=1,
        prefix="dh_test_AbCdEfGh",
        name="test",
        source_id=source_id,
        source_code="mot-cua",
        unit_id=root.id,
        unit_code=root.code,
        lft=root.lft,
        rgt=root.rgt,
        scopes=frozenset({Scope.CATALOGUE_WRITE}),
    )


def _send(session: WriteSession, root: UnitRow, source_id: int, *codes: str) -> None:
    told = Told(unit="Một cửa", procedure="P", received_at=NOW, status=Status.RECEIVED)
    records = [
        Incoming(index, code, MessageKind.RECORD, NOW, NOW, stamped=True, told=told)
        for index, code in enumerate(codes)
    ]
    by = Sender(source_id, None, root.id, root.lft, root.rgt)
    ingest.accept(session, records, by=by, door="native", now=NOW)


def _put(session: WriteSession, root: UnitRow, source_id: int) -> mappings.Put:
    return mappings.put(
        session,
        Kind.UNIT,
        [Meaning("Một cửa", "H44.100")],
        root=Root(root),
        who=_who(root, source_id),
        now=NOW + timedelta(hours=1),
    )[0]


def test_a_place_of_unknown_units_is_no_meaning(session: WriteSession, province: UnitRow) -> None:
    source_id = make_source(session)
    bucket = units.bucket_of(session, province, now=NOW)

    with pytest.raises(TargetIsBucket):
        mappings.put(
            session,
            Kind.UNIT,
            [Meaning("Một cửa", bucket.code)],
            root=Root(province),
            who=_who(province, source_id),
            now=NOW,
        )


def test_many_dossiers_are_restated_in_parts(
    session: WriteSession, province: UnitRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "AT_ONCE", 2)
    source_id = make_source(session)
    _send(session, province, source_id, *(f"HS-{n}" for n in range(5)))

    put = _put(session, province, source_id)

    assert (put.is_new, put.dossiers) == (True, 5)
    rows = session.execute(sa.select(dossier.c.unit_id, dossier.c.version)).all()
    commune = units.get(session, "H44.100").id
    assert {tuple(row) for row in rows} == {(commune, 2)}
    past = session.execute(sa.select(sa.func.count()).select_from(dossier_past)).scalar_one()
    assert past == 5


def test_the_same_again_restates_a_dossier_that_slipped_past(
    session: WriteSession, province: UnitRow
) -> None:
    source_id = make_source(session)
    _send(session, province, source_id, "HS-1")
    _put(session, province, source_id)
    bucket = units.bucket_of(session, province, now=NOW)
    session.execute(  # as a writer leaves it that looked the word up before it was told
        sa.update(dossier).values(unit_id=bucket.id, unit_lft=bucket.lft)
    )

    put = _put(session, province, source_id)

    assert (put.is_new, put.dossiers) == (False, 1)
    row = session.execute(sa.select(dossier.c.unit_id)).scalar_one()
    assert row == units.get(session, "H44.100").id


def test_words_of_one_root_mean_nothing_for_another(
    session: WriteSession, province: UnitRow
) -> None:
    source_id = make_source(session)
    commune = units.get(session, "H44.100")
    _send(session, commune, source_id, "HS-1")

    put = _put(session, province, source_id)

    assert put.dossiers == 0
    told, unknown = mappings.listed(session, Kind.UNIT, root=Root(commune))
    assert told == []
    assert [(one.told, one.dossiers) for one in unknown] == [("Một cửa", 1)]
