"""Petitions are judged by days: each step against its own limit on the unit's calendar."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import WorkCalendar
from app.domain.petition import (
    Petition,
    PetitionCount,
    PetitionEndsTwice,
    PetitionLimits,
    PetitionOutOfOrder,
    PetitionState,
    counts,
    due_of,
    standing,
)
from app.rulebook.calendars import load_state_calendar

CALENDAR: WorkCalendar = load_state_calendar()
LIMITS = PetitionLimits(refuse=2, ask=5, answer=15, publish=2)
MONDAY = date(2026, 7, 6)


def day(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def test_each_step_has_its_last_day_in_working_days_after_the_day_it_runs_from() -> None:
    petition = Petition(received_on=MONDAY, answered_on=date(2026, 7, 17))

    due = due_of(petition, LIMITS, CALENDAR)

    assert due.refuse_by == date(2026, 7, 8)
    assert due.request_by == date(2026, 7, 13)
    assert due.answer_by == date(2026, 7, 27)
    assert due.publish_by == date(2026, 7, 21)  # a Friday's answer; the week-end does not count


def test_a_holiday_is_no_working_day_of_a_limit() -> None:
    petition = Petition(received_on=date(2026, 8, 31))

    assert due_of(petition, LIMITS, CALENDAR).refuse_by == date(2026, 9, 4)  # 1 and 2 Sept are off


@pytest.mark.parametrize(
    ("petition", "on", "expected"),
    [
        (Petition(MONDAY), date(2026, 7, 27), PetitionState.IN_TIME),
        (Petition(MONDAY), date(2026, 7, 28), PetitionState.OVERDUE),
        (Petition(MONDAY, answered_on=day(21)), day(30), PetitionState.ANSWERED_ON_TIME),
        (Petition(MONDAY, answered_on=day(22)), day(30), PetitionState.ANSWERED_LATE),
        (Petition(MONDAY, answered_on=day(22)), day(21), PetitionState.IN_TIME),
        (Petition(MONDAY, refused_on=day(2)), day(30), PetitionState.REFUSED_ON_TIME),
        (Petition(MONDAY, refused_on=day(3)), day(30), PetitionState.REFUSED_LATE),
        (Petition(MONDAY, asked_on=day(3)), day(60), PetitionState.WAITING),
        (
            Petition(MONDAY, asked_on=day(3), completed_on=day(14)),
            day(35),
            PetitionState.IN_TIME,
        ),
        (
            Petition(MONDAY, asked_on=day(3), completed_on=day(14)),
            day(36),
            PetitionState.OVERDUE,
        ),
        (
            Petition(MONDAY, asked_on=day(3), answered_on=day(22)),
            day(30),
            PetitionState.ANSWERED_LATE,
        ),
    ],
    ids=[
        "open on its last day",
        "open the day after",
        "answered on the last day",
        "answered a day late",
        "seen before its answer",
        "refused within two days",
        "refused on the third",
        "waiting for its author",
        "the limit runs anew from what came",
        "and lapses",
        "answered without what was asked for, from the receipt",
    ],
)
def test_a_petition_is_judged_as_it_stands_at_the_end_of_a_day(
    petition: Petition, on: date, expected: PetitionState
) -> None:
    assert standing(petition, LIMITS, CALENDAR, on=on) is expected


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ({"answered_on": day(-1)}, PetitionOutOfOrder),
        ({"completed_on": day(3)}, PetitionOutOfOrder),
        ({"published_on": day(3)}, PetitionOutOfOrder),
        ({"asked_on": day(2), "completed_on": day(1)}, PetitionOutOfOrder),
        (
            {"asked_on": day(2), "completed_on": day(9), "answered_on": day(8)},
            PetitionOutOfOrder,
        ),
        ({"refused_on": day(1), "answered_on": day(1)}, PetitionEndsTwice),
    ],
)
def test_steps_that_cannot_follow_each_other_are_refused(
    steps: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Petition(MONDAY, **steps)


steps = st.integers(0, 60).map(day)


@st.composite
def petitions(draw: st.DrawFn) -> Petition:
    received_on = draw(steps)
    after = st.integers(0, 60).map(lambda n: received_on + timedelta(days=n))
    if draw(st.booleans()):
        return Petition(received_on, refused_on=draw(st.none() | after))
    asked_on = draw(st.none() | after)
    completed_on = asked_on and draw(st.none() | st.integers(0, 40).map(_later(asked_on)))
    begins = completed_on or received_on
    answered_on = draw(st.none() | st.integers(0, 40).map(_later(begins)))
    published_on = answered_on and draw(st.none() | st.integers(0, 9).map(_later(answered_on)))
    satisfied = draw(st.none() | st.booleans())
    return Petition(received_on, None, asked_on, completed_on, answered_on, published_on, satisfied)


def _later(begins: date):  # type: ignore[no-untyped-def]  # a shift for map()
    return lambda days: begins + timedelta(days=days)


@given(st.lists(petitions(), max_size=12), steps, st.integers(0, 40))
def test_counts_agree_with_each_other_and_with_the_states(
    told: list[Petition], first: date, length: int
) -> None:
    last = first + timedelta(days=length)

    found = counts(told, LIMITS, CALENDAR, first=first, last=last)

    seen = [one for one in told if one.received_on <= last]
    states = [standing(one, LIMITS, CALENDAR, on=last) for one in seen]
    assert found[PetitionCount.OPEN] == sum(not state.is_ended for state in states)
    overdue = states.count(PetitionState.OVERDUE)
    assert found[PetitionCount.JUDGED] >= found[PetitionCount.ON_TIME] + overdue
    assert found[PetitionCount.RATED] >= found[PetitionCount.SATISFIED]
    assert found[PetitionCount.ANSWERED] >= found[PetitionCount.RATED]
    assert found[PetitionCount.ANSWERED] >= found[PetitionCount.PUBLISHED_ON_TIME]


@given(st.lists(petitions(), max_size=12), steps)
def test_every_petition_is_counted_as_received_in_one_of_two_adjoining_periods(
    told: list[Petition], middle: date
) -> None:
    first, last = day(-1), day(200)

    before = counts(told, LIMITS, CALENDAR, first=first, last=middle)
    after = counts(told, LIMITS, CALENDAR, first=middle + timedelta(days=1), last=last)

    received = before[PetitionCount.RECEIVED] + after[PetitionCount.RECEIVED]
    assert received == len(told)
