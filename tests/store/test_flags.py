"""Issues across dossiers: many ended at once, ended without a step, and one from two systems."""

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.domain.dossier import Issue
from app.domain.quality import ACROSS, MANY
from app.domain.timeliness import Reading, State
from app.store import flags, tallies
from app.store.session import WriteSession
from app.store.tables import dossier_record
from app.store.tallies import Scope, Span
from app.store.units import UnitRow
from tests.factories import add_dossier, finished_course, local, make_source, make_unit

CLOSED_AT = local("2026-08-06", 16, 58) + timedelta(seconds=12)
RECEIVED_AT = local("2026-08-03", 9)
SPAN = Span(local("2026-08-01"), local("2026-09-01"), date(2026, 8, 1), date(2026, 8, 31))


@pytest.fixture
def unit(session: WriteSession) -> UnitRow:
    return make_unit(session, "H44")


def close(
    session: WriteSession, unit: UnitRow, code: str, at: datetime, *, status: str = "finished"
) -> None:
    """Write a dossier that ended at an instant, and what was told of it."""
    source = make_source(session)
    course = finished_course(RECEIVED_AT, date(2026, 8, 6), at)
    add_dossier(session, unit, source, code, course=course, received_at=RECEIVED_AT)
    session.execute(
        sa.insert(dossier_record).values(
            unit_id=unit.id,
            source_id=source,
            code=code,
            seq=1,
            kind="record",
            at=at,
            source_updated_at=at,
            stamped=True,
            digest="",
            stale=False,
            told={"status": status},
            root_unit_id=0,
        )
    )


def flagged(session: WriteSession, unit: UnitRow, issue: Issue, span: Span = SPAN) -> list[str]:
    scope = Scope(unit.lft, unit.rgt, Reading.PROMISED, flag=issue, with_uncounted=True)
    return [one.code for one in tallies.listed(session, scope, span, limit=100)]


def test_many_that_ended_in_one_minute_are_noted_and_one_fewer_are_not(
    session: WriteSession, unit: UnitRow
) -> None:
    for number in range(MANY - 1):
        close(session, unit, f"D{number:02}", CLOSED_AT + timedelta(seconds=number))
    before = flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE)

    close(session, unit, "D99", CLOSED_AT + timedelta(seconds=40))

    assert before == []
    assert len(flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE)) == MANY
    assert flagged(session, unit, Issue.CLOSED_IN_BULK) == []


def test_what_ended_in_one_second_without_a_step_was_ended_in_bulk(
    session: WriteSession, unit: UnitRow
) -> None:
    for number in range(MANY):
        close(session, unit, f"D{number:02}", CLOSED_AT)
    close(session, unit, "E", CLOSED_AT, status="processing")

    assert flagged(session, unit, Issue.CLOSED_IN_BULK) == [f"D{n:02}" for n in range(MANY)]
    assert len(flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE)) == MANY + 1


def test_a_day_without_a_time_of_day_is_no_minute(session: WriteSession, unit: UnitRow) -> None:
    for number in range(MANY):
        close(session, unit, f"D{number:02}", local("2026-08-06"))

    assert flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE) == []


def test_an_end_belongs_to_its_own_period(session: WriteSession, unit: UnitRow) -> None:
    for number in range(MANY):
        close(session, unit, f"D{number:02}", CLOSED_AT)
    july = Span(local("2026-07-01"), local("2026-08-01"), date(2026, 7, 1), date(2026, 7, 31))

    assert flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE, july) == []


def test_units_are_not_counted_together(session: WriteSession, unit: UnitRow) -> None:
    other = make_unit(session, "H44.1", parent=unit)
    for number in range(MANY):
        close(session, (unit, other)[number % 2], f"D{number:02}", CLOSED_AT)

    assert flagged(session, unit, Issue.CLOSED_IN_SAME_MINUTE) == []


def test_an_open_pause_outlasts_its_limit_by_the_passing_of_time(
    session: WriteSession, unit: UnitRow
) -> None:
    edges = (local("2026-08-04"), local("2026-08-20"))
    add_dossier(
        session,
        unit,
        make_source(session),
        "D-1",
        overlong_at=edges[1],
        edge_at=[edges[0]],
        edge_state=[int(State.PAUSED)],
        edge_flow=[1],
        edge_due=[None],
    )
    early = Span(SPAN.begins, local("2026-08-19"), SPAN.first, date(2026, 8, 18))

    assert flagged(session, unit, Issue.PAUSE_LONGER_THAN_LIMIT) == ["D-1"]
    assert flagged(session, unit, Issue.PAUSE_LONGER_THAN_LIMIT, early) == []


def test_legs_are_looked_at_too(session: WriteSession, unit: UnitRow) -> None:
    add_dossier(session, unit, make_source(session), "L-1", is_leg=True, issues=["no_due"])

    assert flagged(session, unit, Issue.NO_DUE) == ["L-1"]


@pytest.mark.parametrize("issue", Issue)
def test_only_issues_across_dossiers_need_relations(issue: Issue) -> None:
    assert bool(flags.relations(issue)) is flags.is_across(issue) is (issue in ACROSS)
