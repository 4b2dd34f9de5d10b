"""Whose time a dossier took: from its record, its pauses and its legs."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.attribution import Party
from app.domain.record import MessageKind, Status, Told
from app.domain.timeliness import Reading
from app.store.session import WriteSession
from app.usecases import delays, dossiers, ingest
from app.usecases.dossiers import DueDateMissing
from app.usecases.ingest import Incoming
from app.usecases.subtree import Subtree
from tests.usecases.test_ingest import settled

MONDAY = datetime(2026, 8, 3, 1, tzinfo=UTC)


def tell(session: WriteSession, code: str, **told: object) -> None:
    sender = settled(session)
    record = Told(unit="A", procedure="x", **told)  # type: ignore[typeddict-item]  # any of them
    at = MONDAY + timedelta(days=4)
    one = Incoming(0, code, MessageKind.RECORD, at, at, stamped=True, told=record)
    ingest.accept(session, [one], by=sender, door="test", now=at)


def test_a_finished_dossier_ends_with_its_finish(session: WriteSession) -> None:
    tell(
        session,
        "A-1",
        status=Status.FINISHED,
        received_at=MONDAY,
        due_at=MONDAY + timedelta(days=1),
        finished_at=MONDAY + timedelta(days=3),
    )
    whole = dossiers.get_dossier(
        session,
        "A-1",
        within=Subtree(0, 2**62),
        source=None,
        as_of=MONDAY + timedelta(days=9),
    )

    found = delays.delay_of(session, whole, reading=Reading.PROMISED)

    assert (found.begins, found.ends, found.now) == (MONDAY, MONDAY + timedelta(days=3), None)
    assert [one.party for one in found.stretches] == [Party.UNIT]
    assert found.at_due is not None
    assert found.working is not None
    assert sum(found.working.values(), timedelta()) > timedelta(hours=20)


def test_before_its_receipt_a_dossier_has_taken_nobodys_time(session: WriteSession) -> None:
    tell(session, "A-1", status=Status.PROCESSING, received_at=MONDAY)
    whole = dossiers.get_dossier(
        session, "A-1", within=Subtree(0, 2**62), source=None, as_of=MONDAY
    )

    with pytest.raises(DueDateMissing):
        delays.delay_of(session, whole, reading=Reading.PROMISED)
