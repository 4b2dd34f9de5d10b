"""Alerts as use cases; the doors are tested in tests/api/test_alerts.py."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.store import alerts as store
from app.store.session import WriteSession
from app.usecases import alerts
from app.usecases.alerts import AlertUnknown
from app.usecases.subtree import Subtree
from tests.factories import make_source, make_unit
from tests.store.test_alerts import NOW, alert_of
from tests.usecases.test_subtree import holder_of


def test_a_page_says_whether_there_are_more(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    made = [alert_of(unit, source_id, code) for code in "ABC"]
    store.add(session, made, run="n", now=NOW)
    within = Subtree(unit.lft, unit.rgt)

    shown = [
        alerts.list_alerts(session, within=within, stage=None, since=None, after=None, limit=limit)
        for limit in (2, 3)
    ]

    assert [(len(page), more) for page, more in shown] == [(2, True), (3, False)]


def test_who_acknowledged_first_is_kept(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    made = alert_of(unit, source_id, "A")
    store.add(session, [made], run="n", now=NOW)
    who = holder_of(unit)

    first = alerts.acknowledge(session, made.alert.id, who=who, now=NOW)
    second = alerts.acknowledge(session, made.alert.id, who=who, now=NOW + timedelta(hours=1))

    assert first == second
    assert first.acknowledged_at == NOW
    with pytest.raises(AlertUnknown):
        alerts.acknowledge(session, uuid4(), who=who, now=NOW)
