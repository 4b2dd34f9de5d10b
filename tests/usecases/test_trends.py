"""Trends: each part as its own figures give it, gaps empty, the year before beside it."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.period import Period, Step
from app.domain.record import Message, Status
from app.domain.tally import Count, Tally
from app.rulebook.metrics import Metrics, UnknownDefinition, load_metrics
from app.store.session import WriteSession
from app.usecases import reporting, trends
from app.usecases.reporting import Question
from app.usecases.trends import Lines, Trend
from tests.strategies import histories
from tests.usecases.test_periods import at, record, world_of
from tests.usecases.test_reporting import FEW, LATER, World

METRICS = load_metrics()
SPRING = Period(date(2026, 1, 1), date(2026, 6, 30))


def follow(session: WriteSession, world: World, period: Period = SPRING, **more: object) -> Trend:
    asked: dict[str, object] = {"step": Step.MONTH, "metrics": METRICS, "now": LATER, **more}
    question = Question(unit=world.root, period=period)
    return trends.trend(session, question, **asked)  # type: ignore[arg-type]  # by keyword


@FEW
@given(
    told=st.lists(histories(("A", "B")), min_size=1, max_size=3),
    step=st.sampled_from([Step.MONTH, Step.QUARTER, Step.YEAR]),
)
def test_each_part_is_what_its_own_figures_say(
    session: WriteSession, told: list[list[Message]], step: Step
) -> None:
    world = world_of(session, *told)

    found = follow(session, world, step=step, lines=Lines.CHILDREN)

    for line in found.lines:
        for point in line.points:
            question = Question(unit=world.root, period=point.period)
            live = reporting.figures(
                session, question, group_by=["child"], definitions=[METRICS.default], now=LATER
            )
            rows = {row.keys["child"]: row for row in live.rows}
            assert point.tally == (rows[line.unit].tally if line.unit in rows else Tally())


def finished(day: int, **more: object) -> Message:
    facts = {"finished_at": at(day), "status": Status.FINISHED, **more}
    return record(31, **facts)


def test_a_part_without_anything_to_divide_by_is_a_gap(session: WriteSession) -> None:
    world = world_of(session, [finished(6)])

    (line,) = follow(session, world).lines

    percents = [point.rate.percent if point.rate else "none" for point in line.points]
    assert [point.label for point in line.points] == [f"2026-0{month}" for month in range(1, 7)]
    assert percents == [None, None, "100.00", None, None, None]


def test_a_part_that_has_not_begun_has_no_numbers(session: WriteSession) -> None:
    world = world_of(session, [finished(6)])

    (line,) = follow(session, world, Period(date(2026, 6, 1), date(2026, 9, 30))).lines

    assert [(point.tally is None, point.is_over) for point in line.points] == [
        (False, True),
        (False, False),
        (True, False),
        (True, False),
    ]
    assert line.points[2].rate is None


def test_the_same_part_of_the_year_before_stands_beside_it(session: WriteSession) -> None:
    year = timedelta(days=365)
    before = finished(12, received_at=at(2) - year, due_at=at(9) - year)
    before.told["finished_at"] = at(12) - year
    world = world_of(session, [before], [finished(6)])

    (line,) = follow(session, world).lines

    march = line.points[2]
    assert march.before is not None
    assert march.before.period == Period(date(2025, 3, 1), date(2025, 3, 31))
    assert march.before.tally[Count.FINISHED_LATE] == 1
    assert (march.before.points, march.before.is_comparable) == (Fraction(100), True)
    (alone,) = follow(session, world, year_before=False).lines
    assert {point.before for point in alone.points} == {None}


def test_versions_of_a_definition_are_not_compared_with_each_other(session: WriteSession) -> None:
    world = world_of(session, [finished(6)])
    first = METRICS.default
    second = replace(first, version=2, valid_from=date(2026, 2, 1))
    metrics = Metrics((replace(first, valid_to=date(2026, 1, 31)), second), first)

    (line,) = follow(session, world, metrics=metrics, definition=first.id).lines

    names = [point.rate.definition for point in line.points if point.rate]
    assert names == [first.name, *[second.name] * 5]
    comparable = [point.before.is_comparable for point in line.points if point.before]
    assert comparable == [True, *[False] * 5]
    with pytest.raises(UnknownDefinition):
        follow(session, world, definition="luck")


def test_a_definition_not_yet_in_force_gives_no_rate(session: WriteSession) -> None:
    world = world_of(session, [finished(6)])
    later = replace(METRICS.default, valid_from=date(2026, 3, 1))

    (line,) = follow(session, world, metrics=Metrics((later,), later)).lines

    assert [point.rate is None for point in line.points] == [True, True] + [False] * 4


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2025-02-01", "2025-02-28", ("2024-02-01", "2024-02-29")),
        ("2024-02-01", "2024-02-29", ("2023-02-01", "2023-02-28")),
        ("2025-02-28", "2025-02-28", ("2024-02-28", "2024-02-28")),
        ("2024-02-29", "2024-02-29", None),
    ],
)
def test_the_year_before_of_february(
    session: WriteSession, first: str, last: str, before: tuple[str, str] | None
) -> None:
    world = world_of(session, [finished(6)])
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    step = Step.DAY if first == last else Step.MONTH

    (line,) = follow(session, world, period, step=step).lines

    found = line.points[0].before
    expected = None if before is None else Period(*map(date.fromisoformat, before))
    assert (found and found.period) == expected
