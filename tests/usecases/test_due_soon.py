"""What falls due soon: counted in each unit's own working days, soonest first."""

from datetime import date, datetime

import pytest

from app.domain.timeliness import Flow, State
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import calendars, due_soon
from app.usecases.calendars import CalendarSpec
from app.usecases.due_soon import DueSoonPage
from app.usecases.subtree import Subtree
from tests.factories import Course, add_dossier, local, make_source, make_unit

WEDNESDAY = local("2026-08-05", 8)


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    return make_unit(session)


def listed(
    session: WriteSession, within: UnitRow, days: int, now: datetime = WEDNESDAY, limit: int = 99
) -> DueSoonPage:
    return due_soon.list_due_soon(
        session,
        within=Subtree(within.lft, within.rgt),
        days=days,
        now=now,
        after=None,
        limit=limit,
    )


def codes(page: DueSoonPage) -> list[tuple[str, int | None]]:
    return [(due.row.key.code, due.working_days_left) for due in page.dossiers]


def test_the_soonest_come_first_with_the_working_days_that_are_left(
    session: WriteSession, province: UnitRow
) -> None:
    source_id = make_source(session)
    for code, due_on in (
        ("LATE", "2026-08-04"),
        ("TODAY", "2026-08-05"),
        ("FRI", "2026-08-07"),
        ("SUN", "2026-08-09"),
        ("MON", "2026-08-10"),
    ):
        add_dossier(session, province, source_id, code, due_on=due_on)

    assert codes(listed(session, province, 0)) == [("TODAY", 0)]
    assert codes(listed(session, province, 2)) == [("TODAY", 0), ("FRI", 2), ("SUN", 2)]
    assert codes(listed(session, province, 3)) == [("TODAY", 0), ("FRI", 2), ("SUN", 2), ("MON", 3)]
    short = listed(session, province, 3, limit=1)
    assert (len(short.dossiers), short.total, short.after is not None) == (1, 4, True)


def test_paused_finished_and_uncounted_dossiers_are_not_due(
    session: WriteSession, province: UnitRow
) -> None:
    source_id, due = make_source(session), date(2026, 8, 6)
    begins = (local("2026-08-03", 9), State.OPEN_IN_TIME, Flow.RECEIVED, due)
    for code, state in (("P", State.PAUSED), ("F", State.FINISHED_ON_TIME)):
        course = Course((begins, (local("2026-08-04", 9), state, Flow.NONE, due)))
        add_dossier(session, province, source_id, code, course=course)
    add_dossier(session, province, source_id, "LEG", is_leg=True)

    assert codes(listed(session, province, 5)) == []


def test_each_unit_counts_by_its_own_calendar(session: WriteSession, province: UnitRow) -> None:
    source_id = make_source(session)
    open_always, closed = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    for unit in (open_always, closed):
        add_dossier(session, unit, source_id, unit.code, due_on="2026-08-10")
    spec = CalendarSpec.from_plain(
        {
            "unit": "H44.2",
            "exceptions": [{"date": f"2026-08-0{n}", "kind": "off"} for n in (6, 7)],
        }
    )
    calendars.put_calendar(session, "H44.2", spec, actor="test", now=WEDNESDAY)

    found = codes(listed(session, province, 1))

    assert found == [("H44.2", 1)]
