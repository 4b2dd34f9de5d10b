"""Reading one dossier: found once within the units, with its standings and its account."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.record import Channel, Told
from app.domain.timeliness import Reading, State
from app.store.session import WriteSession
from app.usecases import dossiers, ingest
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown, DueDateMissing
from app.usecases.subtree import Subtree
from tests.usecases.test_ingest import NOW, a_record, settled

EVERYWHERE = Subtree(0, 2**63 - 1)
TOLD = Told(
    unit="A",
    procedure="P",
    channel=Channel.ONLINE,
    received_at=NOW,
    due_at=datetime(2026, 2, 5, 10, tzinfo=UTC),
    applicant_hash="0" * 64,
)


def test_a_dossier_stands_under_each_reading(session: WriteSession) -> None:
    by = settled(session)
    ingest.accept(session, [a_record(TOLD)], by=by, door="test", now=NOW)

    whole = dossiers.get_dossier(
        session, "HS-1", within=EVERYWHERE, source=None, as_of=NOW + timedelta(days=9)
    )

    assert whole.standings[Reading.PROMISED].state is State.OPEN_OVERDUE
    assert whole.standings[Reading.STATUTORY].state is State.OPEN_NO_DUE
    assert whole.unit_code(whole.row["unit_id"]) == "A"
    assert "applicant_hash" not in dossiers.plain(whole.messages[0])


def test_a_dossier_of_other_units_is_not_there(session: WriteSession) -> None:
    by = settled(session)
    ingest.accept(session, [a_record(TOLD)], by=by, door="test", now=NOW)

    with pytest.raises(DossierUnknown):
        dossiers.get_dossier(session, "HS-1", within=Subtree(0, 0), source=None, as_of=NOW)


def test_one_number_of_two_sources_needs_a_name(session: WriteSession) -> None:
    for source in ("s", "t"):
        by = settled(session, source)
        ingest.accept(session, [a_record(TOLD)], by=by, door="test", now=NOW)

    with pytest.raises(DossierAmbiguous, match="s, t"):
        dossiers.get_dossier(session, "HS-1", within=EVERYWHERE, source=None, as_of=NOW)
    found = dossiers.get_dossier(session, "HS-1", within=EVERYWHERE, source="t", as_of=NOW)
    assert found.found.source == "t"


def test_a_promise_is_accounted_for_and_what_has_none_is_not(session: WriteSession) -> None:
    by = settled(session)
    ingest.accept(session, [a_record(TOLD)], by=by, door="test", now=NOW)
    whole = dossiers.get_dossier(session, "HS-1", within=EVERYWHERE, source=None, as_of=NOW)

    ledger, calendar = dossiers.explain_due_date(whole, reading=Reading.PROMISED)

    assert ledger.due is not None
    assert ledger.due.due_on.isoformat() == "2026-02-05"
    assert calendar.id == "vn"
    with pytest.raises(DueDateMissing):
        dossiers.explain_due_date(whole, reading=Reading.STATUTORY)
