"""Stages, ladders, episodes, levels and ids of alerts."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alert import (
    STAGES,
    DossierKey,
    InHand,
    Ladder,
    Level,
    Rung,
    Stage,
    alert_id,
    alerts_of,
    episode_of,
    last_due_day,
    overdue_since,
    recipient_of,
    running_since,
    stage_begins_at,
    working_days_late,
    working_days_left,
)
from app.domain.calendar import CalendarYearMissing
from app.domain.timeliness import JUST, State
from app.rulebook.calendars import load_state_calendar
from tests.factories import local

CALENDAR = load_state_calendar()
LADDER = Ladder(CALENDAR)
ONE, FIVE = Stage(1), Stage(5)
THURSDAY = date(2026, 8, 6)


def dossier(
    due_on: date = THURSDAY,
    *,
    late: bool = True,
    recorded_at: datetime | None = None,
    received_at: datetime | None = None,
    running: datetime | None = None,
) -> InHand:
    received = received_at or local(due_on - timedelta(days=10), 9)
    return InHand(
        key=DossierKey(1, 1, "A"),
        unit="H44.100",
        source="mot-cua",
        unit_lft=1,
        due_on=due_on,
        due_at=local(due_on, 17),
        late_since=local(due_on + timedelta(days=1)) if late else None,
        running_since=running or received,
        received_at=received,
        first_recorded_at=recorded_at or received,
    )


def names(found: InHand, as_of: datetime, ladder: Ladder = LADDER) -> list[tuple[str, datetime]]:
    return [(stage.name, at) for stage, at in ladder.reached(found, as_of=as_of)]


def deserved(found: InHand, as_of: datetime, **other: object) -> list[str]:
    told: dict[str, object] = {"now": as_of, "former": {}, **other}
    return [each.stage.name for each in alerts_of(LADDER, found, as_of=as_of, **told)]  # type: ignore[arg-type]  # any of its parameters


@pytest.mark.parametrize(
    ("offset", "name", "begins"),
    [
        (-2, "due-2", "2026-08-04"),
        (-4, "due-4", "2026-07-31"),
        (0, "due", "2026-08-06"),
        (1, "overdue+1", "2026-08-07"),
        (2, "overdue+2", "2026-08-10"),
        (5, "overdue+5", "2026-08-13"),
    ],
)
def test_a_stage_begins_at_the_midnight_that_opens_its_working_day(
    offset: int, name: str, begins: str
) -> None:
    assert Stage(offset).name == name
    assert stage_begins_at(CALENDAR, THURSDAY, Stage(offset)) == local(begins)


def test_a_swapped_day_counts_as_the_working_day_that_it_is() -> None:
    # 2026-01-02 was off and 2026-01-10, a Saturday, was worked instead
    assert stage_begins_at(CALENDAR, date(2025, 12, 31), ONE) == local("2026-01-05")
    assert stage_begins_at(CALENDAR, date(2026, 1, 9), ONE) == local("2026-01-10")
    assert stage_begins_at(CALENDAR, date(2026, 1, 12), Stage(-1)) == local("2026-01-10")


def test_a_stage_is_reached_just_after_its_midnight() -> None:
    midnight = local("2026-08-07")

    assert names(dossier(), midnight) == []
    assert names(dossier(), midnight + JUST) == [("overdue+1", midnight)]


def test_a_dossier_that_is_late_reaches_every_stage_after_the_due_day() -> None:
    assert names(dossier(), local("2026-08-20", 1)) == [
        ("overdue+1", local("2026-08-07")),
        ("overdue+5", local("2026-08-13")),
        ("overdue+10", local("2026-08-20")),
    ]


def test_a_dossier_in_time_is_at_its_newest_warning_alone() -> None:
    found = dossier(late=False)

    assert names(found, local("2026-08-04")) == []
    assert names(found, local("2026-08-04", 1)) == [("due-2", local("2026-08-04"))]
    assert names(found, local("2026-08-05", 1)) == [("due-2", local("2026-08-04"))]
    assert names(found, local("2026-08-06", 1)) == [("due", local("2026-08-06"))]


def test_a_limit_shorter_than_the_warning_gives_no_warning() -> None:
    received = dossier(late=False, received_at=local("2026-08-04", 8))
    same_day = dossier(late=False, received_at=local("2026-08-06", 8))

    assert names(received, local("2026-08-05", 1)) == []
    assert names(received, local("2026-08-06", 1)) == [("due", local("2026-08-06"))]
    assert names(same_day, local("2026-08-06", 9)) == []


def test_a_warning_that_came_while_the_clock_stood_still_comes_when_it_runs_again() -> None:
    resumed = dossier(late=False, running=local("2026-08-05", 10))

    assert names(resumed, local("2026-08-05", 11)) == [("due-2", local("2026-08-05", 10))]


def test_a_stage_set_up_today_does_not_tell_what_came_before() -> None:
    ladder = Ladder(CALENDAR, (Stage(1, since=local("2026-08-08")), Stage(5, since=None)))

    found = names(dossier(), local("2026-08-20"), ladder)

    assert [name for name, _ in found] == ["overdue+5"]


def test_what_was_told_of_this_due_moment_is_not_told_again() -> None:
    assert deserved(dossier(), local("2026-08-13", 1)) == ["overdue+1", "overdue+5"]
    assert deserved(dossier(), local("2026-08-13", 1), told=["overdue+1"]) == ["overdue+5"]


def test_a_warning_overtaken_before_it_could_be_told_is_dropped() -> None:
    found, missed = dossier(late=False), local("2026-08-04", 1)

    assert deserved(found, missed, now=local("2026-08-05", 8)) == ["due-2"]
    assert deserved(found, missed, now=local("2026-08-06", 8)) == []


def test_days_are_those_of_the_last_instant_before_the_moment() -> None:
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-07")) == 0
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-07") + JUST) == 1
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-10", 1)) == 2
    assert working_days_late(CALENDAR, THURSDAY, local("2026-08-03")) == 0
    assert working_days_left(CALENDAR, THURSDAY, local("2026-08-06", 9)) == 0
    assert working_days_left(CALENDAR, THURSDAY, local("2026-07-31", 9)) == 4


def test_a_year_not_loaded_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(CalendarYearMissing):
        deserved(dossier(date(1999, 3, 1)), local("2026-08-10"))


@pytest.mark.parametrize("by", ["first told", "looked"])
def test_history_that_reached_us_within_two_days_is_sent_and_later_is_for_the_digest(
    by: str,
) -> None:
    came, verdicts = local("2026-08-07"), []
    for heard_at in (came + timedelta(days=2), came + timedelta(days=2) + JUST):
        recorded_at = heard_at if by == "first told" else None
        as_of = local("2026-08-07", 1) if by == "first told" else heard_at
        (alert,) = alerts_of(
            LADDER, dossier(recorded_at=recorded_at), as_of=as_of, now=as_of, former={}
        )
        verdicts.append(alert.is_digest_only)

    assert verdicts == [False, True]


def test_what_was_long_late_when_it_reached_us_stays_in_the_digest_at_every_stage() -> None:
    as_of = local("2026-08-13", 1)
    imported = dossier(recorded_at=local("2026-08-10", 9))

    alerts = alerts_of(LADDER, imported, as_of=as_of, now=as_of, former={}, told=["overdue+1"])

    assert [(each.stage.name, each.is_digest_only) for each in alerts] == [("overdue+5", True)]


def test_the_same_due_moment_is_the_same_episode_and_another_is_the_next() -> None:
    first, second = local("2026-08-06", 17), local("2026-08-13", 17)

    assert episode_of(first, {}) == 1
    assert episode_of(first, {first: 1}) == 1
    assert episode_of(second, {first: 1}) == 2
    assert episode_of(first, {first: 1, second: 2}) == 1


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


def test_a_stretch_begins_where_the_present_one_does() -> None:
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

    late = [overdue_since(edge_at, edge_state, moment + JUST) for moment in day]
    running = [running_since(edge_at, edge_state, moment + JUST) for moment in day]

    assert late == [None, day[1], None, day[3], day[3], None, None]
    assert running == [day[0], day[0], None, day[3], day[3], None, None]
    assert overdue_since(edge_at, edge_state, day[1]) is None


@given(st.dates(date(2026, 2, 5), date(2026, 12, 1)), st.integers(-6, 12), st.integers(-40, 40))
def test_every_due_day_for_which_a_stage_has_come_is_in_sight(
    day: date, offset: int, ahead: int
) -> None:
    due_on = day + timedelta(days=ahead)

    has_come = stage_begins_at(CALENDAR, due_on, Stage(offset)) <= local(day)

    is_in_sight = due_on <= last_due_day(CALENDAR, day, Stage(offset))
    assert is_in_sight or not has_come
    if offset > 0 or CALENDAR.is_working_day(due_on):
        assert is_in_sight == has_come


@given(st.dates(date(2026, 2, 1), date(2026, 11, 1)), st.integers(0, 60))
def test_looking_every_night_tells_each_stage_once_and_in_order(
    due_on: date, finished_after: int
) -> None:
    told: list[str] = []
    received = local(due_on - timedelta(days=30))
    for n in range(finished_after):
        as_of = local(due_on - timedelta(days=20) + timedelta(days=n), 1)
        late = as_of > local(due_on + timedelta(days=1))
        found = dossier(due_on, late=late, received_at=received)
        told += deserved(found, as_of, told=told)

    expected = [stage.name for stage in STAGES]
    if CALENDAR.is_working_day(due_on):
        assert told == expected[: len(told)]
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("level", "unit_id"),
    [(Level.UNIT, 3), (Level.HEAD, 3), (Level.PARENT, 2), (Level.PROVINCE, 1)],
)
def test_an_alert_climbs_from_the_unit_to_the_province(level: Level, unit_id: int) -> None:
    way_up = (Rung(3, is_province=False), Rung(2, is_province=False), Rung(1, is_province=True))

    assert recipient_of(level, way_up) == unit_id


def test_where_nobody_is_above_the_top_is_told() -> None:
    alone = (Rung(7, is_province=False),)
    ministry = (Rung(3, is_province=False), Rung(9, is_province=False))

    assert {recipient_of(level, alone) for level in Level} == {7}
    assert recipient_of(Level.PROVINCE, ministry) == 9
    with pytest.raises(ValueError, match="has a unit"):
        recipient_of(Level.UNIT, ())
