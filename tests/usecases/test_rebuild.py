"""A rebuild: what is stored is what the record gives, and what is not is mended."""

from datetime import timedelta

from sqlalchemy import text

from app.domain.record import Channel, Told
from app.store.session import WriteSession
from app.usecases import ingest, rebuild
from tests.usecases.test_ingest import NOW, a_record, settled


def test_a_row_changed_by_hand_is_found_and_mended(session: WriteSession) -> None:
    by = settled(session)
    told = Told(unit="A", procedure="P", received_at=NOW, channel=Channel.ONLINE)
    ingest.accept(session, [a_record(told)], by=by, door="test", now=NOW)
    session.execute(text("UPDATE dossier SET edge_state = ARRAY[41]::smallint[]"))
    seen: list[int] = []

    found = rebuild.compare(session, progress=seen.append)
    rebuild.repair(session, found.named, now=NOW + timedelta(hours=1))

    assert (found.differ, seen) == (1, [1])
    assert rebuild.compare(session).differ == 0


def test_a_leg_is_rebuilt_as_it_stands_beside_its_parent(session: WriteSession) -> None:
    by = settled(session)
    leg = Told(unit="A", procedure="P", received_at=NOW, parent="HS-2")
    ingest.accept(session, [a_record(leg)], by=by, door="test", now=NOW)
    parent = Told(unit="A", procedure="P", received_at=NOW)
    ingest.accept(session, [a_record(parent, code="HS-2")], by=by, door="test", now=NOW)

    assert rebuild.compare(session).differ == 0
    assert session.scalar(text("SELECT is_leg FROM dossier WHERE code = 'HS-1'"))
