"""Stages, episodes and ids of alerts."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alert import (
    DossierKey,
    Overdue,
    Stage,
    alert_id,
    alerts_of,
    episode_of,
    overdue_since,
    stage_begins_at,
    stages_reached,
    working_days_late,
)
from app.domain.calendar import CalendarYearMissing
from app.domain.timeliness import JUST, State
from app.rulebook.calendars import load_state_calendar
from tests.factories import local

CALENDAR = load_state_calendar()
ONE, FIVE = Stage("overdue+1", 1), Stage("overdue+5", 5)
THURSDAY = date(2026, 8, 6)


def late(due_on: date = THURSDAY, *, recorded_at: datetime | None = None) -> Overdue:
    return Overdue(
        key=DossierKey(1, 1, "A"),
        unit="H44.100",
        source="mot-cua",
        unit_lft=1,
        due_on=due_on,
        due_at=local(due_on, 17),
        late_since=local(due_on + timedelta(days=1)),
        first_recorded_at=recorded_at or local(due_on, 9),
    )


def test_a_stage_begins_at_the_midnight_that_opens_its_working_day() -> None:
    assert stage_begins_at(CALENDAR, THURSDAY, ONE) == local("2026-08-07")
    assert stage_begins_at(CALENDAR, THURSDAY, FIVE) == local("2026-08-13")
    assert stage_begins_at(CALENDAR, date(2026, 8, 7), ONE) == local("2026-08-10")


def test_a_stage_is_reached_just_after_its_midnight() -> None:
    midnight = local("2026-08-07")

    assert stages_reached(CALENDAR, late(), as_of=midnight) == []
    assert stages_reached(CALENDAR, late(), as_of=midnight + JUST) == [(ONE, midnight)]


def test_a_swapped_day_counts_as_the_working_day_that_it_is() -> None:
    # 2026-01-02 was off and 2026-01-10, a Saturday, was worked instead
    assert stage_begins_at(CALENDAR, date(2025, 12, 31), ONE) == local("2026-01-05")
    assert stage_begins_at(CALENDAR, date(2026, 1, 9), ONE) == local("2026-01-10")


def test_a_stage_on_or_before_the_due_day_is_no_overdue_stage() -> None:
    with pytest.raises(ValueError, match="after the due day"):
        Stage("due", 0)


def test_days_late_are_those_of_the_last_instant_before_the_moment() -> None:
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-07")) == 0
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-07") + JUST) == 1
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-10", 1)) == 2
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-03")) == 0


def test_a_year_not_loaded_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(CalendarYearMissing):
        alerts_of(CALENDAR, late(date(1999, 3, 1)), as_of=local("2026-08-10"), former={})


def test_history_that_reached_us_within_two_days_is_sent_and_later_is_for_the_digest() -> None:
    came = local("2026-08-07")
    verdicts = [
        alerts_of(CALENDAR, late(recorded_at=at), as_of=local("2026-08-20"), former={})
        for at in (came + timedelta(days=2), came + timedelta(days=2) + JUST)
    ]

    assert [alert.is_digest_only for (alert,) in verdicts] == [False, True]


def test_the_same_due_moment_is_the_same_episode_and_another_is_the_next() -> None:
    first, second = local("2026-08-06", 17), local("2026-08-13", 17)

    assert episode_of(first, {}) == 1
    assert episode_of(first, {1: first}) == 1
    assert episode_of(second, {1: first}) == 2
    assert episode_of(first, {1: first, 2: second}) == 1


def test_the_id_of_an_alert_never_changes() -> None:
    made = alert_id(unit="H44.100", source="mot-cua", code="A", episode=1, stage="overdue+1")

    assert made == UUID("7932c2ee-e5b6-5104-b39d-383e71fa69c4")


@given(
    st.lists(st.tuples(*(st.text("ab\x1f/", max_size=3),) * 3), min_size=2, max_size=2, unique=True)
)
def test_different_dossiers_have_different_ids(keys: list[tuple[str, str, str]]) -> None:
    plain = [key for key in keys if not any("\x1f" in part for part in key)]
    ids = {alert_id(unit=u, source=s, code=c, episode=1, stage="x") for u, s, c in plain}

    assert len(ids) == len(plain)


def test_lateness_begins_where_the_present_stretch_of_it_does() -> None:
    day = [datetime(2026, 8, n, tzinfo=UTC) for n in range(1, 8)]
    states = [
        State.OPEN_IN_TIME,
        State.OPEN_OVERDUE,
        State.FINISHED_LATE,
        State.OPEN_OVERDUE,
        State.OPEN_OVERDUE,
        State.PAUSED,
    ]
    edge_at, edge_state = day[:6], [int(state) for state in states]

    found = [overdue_since(edge_at, edge_state, moment + JUST) for moment in day]

    assert found == [None, day[1], None, day[3], day[3], None, None]
    assert overdue_since(edge_at, edge_state, day[1]) is None
