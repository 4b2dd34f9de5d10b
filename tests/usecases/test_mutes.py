"""Muting: of one thing, for a reason, until an instant; nothing else changes."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain.mute import MuteEndsWrongly, NoteReason
from app.domain.timeliness import Reading
from app.store import alerts as store
from app.store import units
from app.store.session import WriteSession
from app.usecases import mutes, outbox, overdue
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown
from app.usecases.mutes import MuteUnclear, Wanted
from tests.factories import add_dossier, local, make_source, make_unit
from tests.store.test_alerts import alert_of
from tests.store.test_webhooks import add as add_webhook
from tests.usecases.test_subtree import holder_of

NOW = local("2026-08-10", 8)
TOMORROW = NOW + timedelta(days=1)


def wanted(**more: str) -> Wanted:
    return Wanted(NoteReason.IN_HAND, TOMORROW, **more)


def test_exactly_one_thing_is_muted(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    add_dossier(session, unit, source_id, "A")
    add_dossier(session, unit, make_source(session, "other"), "A")
    who = holder_of(unit)

    for told in (wanted(), wanted(code="A", unit="H44")):
        with pytest.raises(MuteUnclear):
            mutes.mute(session, told, who=who, now=NOW)
    with pytest.raises(DossierAmbiguous):
        mutes.mute(session, wanted(code="A"), who=who, now=NOW)
    with pytest.raises(DossierUnknown):
        mutes.mute(session, wanted(code="B"), who=who, now=NOW)
    with pytest.raises(MuteEndsWrongly):
        mutes.mute(session, wanted(unit="H44"), who=who, now=TOMORROW)
    made = mutes.mute(session, wanted(code="A", source="other"), who=who, now=NOW)
    assert (made.code, made.source, made.unit) == ("A", "other", "H44")


def test_what_is_muted_is_not_sent_and_the_list_is_as_before(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    who = holder_of(unit)
    for code in "AB":
        add_dossier(session, unit, source_id, code, due_on="2026-08-06")
    made = [alert_of(unit, source_id, code) for code in "AB"]
    store.add(session, made, run="n", now=NOW)
    add_webhook(session, unit)
    mute = mutes.mute(session, wanted(code="A"), who=who, now=NOW)

    queued = outbox.queue_alerts(session, made, now=NOW)
    mutes.unmute(session, mute.id, who=who, now=NOW)
    after = outbox.queue_alerts(session, made, now=NOW)

    assert (queued, after) == (1, 1)
    listed = overdue.list_overdue(
        session,
        lft=unit.lft,
        rgt=unit.rgt,
        reading=Reading.PROMISED,
        now=NOW,
        as_of=None,
        after=None,
        limit=9,
    )
    assert listed.total == 2


def test_webhooks_are_sent_nothing_of_a_muted_unit_or_of_its_muted_stage(
    session: WriteSession,
) -> None:
    province, source_id = make_unit(session), make_source(session)
    unit = make_unit(session, "H44.1", parent=province)
    other = make_unit(session, "H44.2", parent=province)
    province, unit, other = (units.get(session, one.code) for one in (province, unit, other))
    who = holder_of(province)
    made = [alert_of(unit, source_id, "A"), alert_of(other, source_id, "B")]
    add_webhook(session, province)

    for told, sent in (
        (wanted(unit="H44.1"), 1),
        (wanted(unit="H44", stage="overdue+1"), 0),
        (wanted(unit="H44", stage="overdue+5"), 2),
    ):
        mute = mutes.mute(session, told, who=who, now=NOW)
        again = [replace(one, alert=replace(one.alert, id=uuid4())) for one in made]
        assert outbox.queue_alerts(session, again, now=NOW) == sent
        assert outbox.queue_alerts(session, again, now=TOMORROW) == 2 - sent  # it has ended
        mutes.unmute(session, mute.id, who=who, now=NOW)
