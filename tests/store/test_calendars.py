"""Calendars as rows: the newest holds, all stay."""

from datetime import UTC, datetime

import sqlalchemy as sa

from app.store import calendars
from app.store.session import WriteSession
from app.store.tables import calendar_version

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def append(session: WriteSession, version: int, title: str) -> None:
    calendars.append(
        session,
        "vn",
        unit_id=None,
        version=version,
        spec={"title": title},
        actor="t",
        document=None,
        now=NOW,
    )


def test_the_newest_version_holds_and_all_stay(session: WriteSession) -> None:
    append(session, 1, "a")
    append(session, 2, "b")

    row = calendars.find(session, "vn")

    assert row is not None
    assert (row.version, row.spec) == (2, {"title": "b"})
    assert session.scalar(sa.select(sa.func.count()).select_from(calendar_version)) == 2
    assert [each.id for each in calendars.every(session)] == ["vn"]
    assert calendars.find(session, "x") is None
    assert calendars.of_units(session, [1]) == {}
