"""Sources that fall silent: told once, resolved when heard again."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa

from app.store import freshness, webhooks
from app.store.session import WriteSession
from app.store.tables import outbox
from app.usecases import silences
from app.usecases.outbox import SOURCE_SILENT
from app.usecases.subtree import Subtree
from tests.factories import make_source, make_unit

MONDAY = datetime(2026, 8, 3, 2, 0, tzinfo=UTC)


def test_a_silence_is_told_once_to_those_whose_units_it_concerns(session: WriteSession) -> None:
    province = make_unit(session)
    mine, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    source_id = make_source(session)
    receivers = {}
    for unit in (province, mine, other):
        receivers[unit.code] = uuid4()
        webhooks.add(
            session,
            webhook_id=receivers[unit.code],
            unit_id=unit.id,
            url="https://x.vn/",
            events=[SOURCE_SILENT],
            secret=b"x",
            now=MONDAY,
        )
    for day in range(3):
        at = (MONDAY + timedelta(days=day)).date()
        freshness.hear(session, source_id, [mine.id], on=at)

    looks = [
        silences.notice(session, now=MONDAY + timedelta(days=day, hours=hour))
        for day in range(2, 12)
        for hour in (0, 5)
    ]

    assert [look for look in looks if look != (0, 0)] == [(1, 0)]
    queued = session.execute(sa.select(outbox.c.webhook_id, outbox.c.payload)).all()
    assert {row.webhook_id for row in queued} == {receivers["H44"], receivers["H44.1"]}
    assert queued[0].payload["data"]["source"] == "mot-cua"
    assert queued[0].payload["data"]["last_heard_on"] == "2026-08-05"
    later = MONDAY + timedelta(days=12)
    freshness.hear(session, source_id, [mine.id], on=later.date())
    assert silences.notice(session, now=later) == (0, 1)
    (row,) = silences.list_silences(session, within=Subtree(mine.lft, mine.rgt))
    assert row.resolved_at == later
