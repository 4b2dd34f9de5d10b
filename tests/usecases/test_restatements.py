"""Restatements: every difference from what was closed, explained dossier by dossier."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import DayException, ExceptionKind
from app.domain.canonical import told_of
from app.domain.record import Message, MessageKind, Status
from app.domain.restatement import Cause
from app.domain.tally import COUNTS, IN_HAND, Count
from app.domain.timeliness import Reading
from app.store.session import WriteSession
from app.usecases import calendars, reporting, restatements, rule_change, successions
from app.usecases.calendars import CalendarSpec
from app.usecases.reporting import Question
from app.usecases.restatements import Restated
from app.usecases.successions import SuccessionKind, SuccessionSpec
from tests.factories import make_unit
from tests.strategies import histories, message
from tests.usecases.test_periods import MARCH, at, close, record, tell, world_of
from tests.usecases.test_reporting import FEW, LATER, World

THEN = LATER + timedelta(days=1)
LATEST = LATER + timedelta(days=2)


def restated(session: WriteSession, world: World, one: object, **more: object) -> Restated:
    asked: dict[str, object] = {"reading": Reading.PROMISED, "now": LATEST, **more}
    return restatements.restated(session, one, world.root, **asked)  # type: ignore[arg-type]  # by keyword


@FEW
@given(
    told=st.lists(histories(("A", "B")), min_size=1, max_size=2),
    later=st.lists(histories(("A", "B")), min_size=1, max_size=3),
    reading=st.sampled_from(Reading),
)
def test_the_dossiers_behind_a_difference_add_up_to_it(
    session: WriteSession,
    told: list[list[Message]],
    later: list[list[Message]],
    reading: Reading,
) -> None:
    world = world_of(session, *told)
    one = close(session, world, readings=[reading])
    question = Question(unit=world.root, period=MARCH, reading=reading)
    before = reporting.figures(session, question, group_by=["unit"], definitions=[], now=LATER)
    for number, messages in enumerate(later):
        for step, one_told in enumerate(messages):
            tell(session, world, number, one_told, THEN + timedelta(minutes=step))

    found = restated(session, world, one, reading=reading, named=100)

    after = reporting.figures(session, question, group_by=["unit"], definitions=[], now=LATEST)
    units = {str(row.keys["unit"]) for row in (*before.rows, *after.rows)}
    tallies = [
        {str(row.keys["unit"]): row.tally for row in figures.rows} for figures in (before, after)
    ]
    expected = {
        (unit, count): (old, new)
        for unit in units
        for count in COUNTS
        for old, new in [
            tuple(side[unit][count] if unit in side else 0 for side in tallies),
        ]
        if old != new
    }
    assert {(row.unit, row.count): (row.frozen, row.now) for row in found.rows} == expected
    for row in found.rows:
        assert row.unexplained == 0
        assert sum(moved.difference for moved in row.dossiers) == row.difference
        assert row.dossiers_total == len(row.dossiers) > 0
        assert all(moved.causes for moved in row.dossiers)
    assert found.in_hand == (
        before.total.tally.sum(IN_HAND),
        after.total.tally.sum(IN_HAND),
    )


def only(found: Restated, count: Count) -> tuple[int, tuple[Cause, ...]]:
    """Return the difference of a count and the causes behind it."""
    (row,) = [row for row in found.rows if row.count is count]
    return row.difference, tuple(row.by_cause)


def test_a_dossier_that_arrives_late_is_told_so(session: WriteSession) -> None:
    world = world_of(session, [record()])
    one = close(session, world)
    tell(session, world, 9, record(finished_at=at(6)), THEN)

    found = restated(session, world, one)

    assert only(found, Count.RECEIVED) == (1, (Cause.LATE_ARRIVAL,))
    assert only(found, Count.FINISHED_EARLY) == (1, (Cause.LATE_ARRIVAL,))
    moved = next(row for row in found.rows if row.count is Count.RECEIVED).dossiers
    assert [(one.source, one.code, one.difference) for one in moved] == [
        ("mot-cua", f"{world.root.code}-9", 1)
    ]


def test_what_happens_after_the_period_restates_nothing(session: WriteSession) -> None:
    world = world_of(session, [record()])
    one = close(session, world)
    end = MARCH.ends + timedelta(days=3)
    told = {**record().told, "status": Status.FINISHED, "finished_at": end}
    tell(session, world, 0, message(told_of(told), at=end), THEN)
    tell(session, world, 5, record(received_at=end, due_at=None), THEN)

    found = restated(session, world, one)

    assert found.rows == ()
    assert found.in_hand == (1, 1)


def test_a_closed_figure_and_the_next_months_carried_over_differ_by_the_restatement(
    session: WriteSession,
) -> None:
    world = world_of(session, [record()], [record()])
    one = close(session, world)
    tell(session, world, 0, record(finished_at=at(6), status=Status.FINISHED), THEN)
    april = Question(
        unit=world.root,
        period=type(MARCH)(MARCH.last + timedelta(days=1), MARCH.last + timedelta(days=30)),
    )

    found = restated(session, world, one)

    carried = reporting.figures(session, april, definitions=[], now=LATEST).total.tally
    frozen, now = found.in_hand
    assert (frozen, now, carried[Count.CARRIED_OVER]) == (2, 1, 1)
    differences = {row.count: row.difference for row in found.rows}
    assert now - frozen == sum(differences.get(count, 0) for count in IN_HAND)


@pytest.mark.parametrize(
    ("kind", "facts", "count", "cause"),
    [
        (MessageKind.VOID, {"reason": "gửi nhầm"}, Count.VOIDED, Cause.VOID),
        (MessageKind.TRANSFER, {"unit": "B"}, Count.TRANSFERRED_OUT, Cause.TRANSFER),
        (MessageKind.APOLOGY, {}, Count.OPEN_OVERDUE_WITH_APOLOGY, Cause.APOLOGY),
    ],
)
def test_an_event_told_later_is_the_cause(
    session: WriteSession,
    kind: MessageKind,
    facts: dict[str, object],
    count: Count,
    cause: Cause,
) -> None:
    world = world_of(session, [record(4)])
    one = close(session, world)
    tell(session, world, 0, message(told_of(facts), at=at(20), kind=kind), THEN)

    assert only(restated(session, world, one), count) == (1, (cause,))


def test_a_calendar_that_moves_a_due_date_is_the_cause(session: WriteSession) -> None:
    open_now = record(4, received_at=at(20))
    del open_now.told["due_at"]
    world = world_of(session, [open_now])
    one = close(session, world)
    code = world.root.code
    closed = [day for day in range(23, 32) if day not in {28, 29}]
    spec = CalendarSpec(
        unit=code,
        exceptions=tuple(DayException(on=at(day).date(), kind=ExceptionKind.OFF) for day in closed),
    )
    rule_change.apply(
        session,
        rule_change.of_calendar(
            lambda session: calendars.put_calendar(session, code, spec, actor="t", now=THEN)
        ),
        now=THEN,
    )

    found = restated(session, world, one)

    assert only(found, Count.OPEN_OVERDUE) == (-1, (Cause.CALENDAR_CHANGE,))
    assert only(found, Count.OPEN_IN_TIME) == (1, (Cause.CALENDAR_CHANGE,))


def test_a_unit_that_left_the_tree_is_shown_as_that(session: WriteSession) -> None:
    world = world_of(session, [record()])
    one = close(session, world)
    elsewhere = make_unit(session, f"{world.root.code}-elsewhere")

    found = restatements.restated(
        session,
        one,
        type(world.root)(
            **{name: getattr(world.root, name) for name in world.root.__slots__}
            | {"lft": elsewhere.lft, "rgt": elsewhere.lft}
        ),
        reading=Reading.PROMISED,
        now=LATEST,
    )

    row = next(row for row in found.rows if row.count is Count.RECEIVED)
    assert (row.difference, row.unexplained, tuple(row.by_cause)) == (-1, -1, (Cause.TREE,))


def test_one_count_and_few_names_can_be_asked_for(session: WriteSession) -> None:
    world = world_of(session, [record()])
    one = close(session, world)
    for number in (5, 6, 7):
        tell(session, world, number, record(), THEN)

    found = restated(session, world, one, only=Count.RECEIVED, named=2)

    (row,) = found.rows
    assert (row.difference, len(row.dossiers), row.dossiers_total) == (3, 2, 3)


def test_a_succession_moves_figures_and_nothing_else_explains_them(session: WriteSession) -> None:
    world = world_of(session, [record()], [record(finished_at=at(6), status=Status.FINISHED)])
    one = close(session, world)
    old, new = f"{world.root.code}.A", f"{world.root.code}.B"
    spec = SuccessionSpec(
        kind=SuccessionKind.MERGER, effective_on=at(20).date(), successors=(new,), document="1/NQ"
    )
    successions.apply(session, old, spec, actor="test", now=THEN)

    found = restated(session, world, one)

    rows = {(row.unit, row.count): row for row in found.rows}
    assert rows[old, Count.RECEIVED].difference == -2
    assert rows[new, Count.RECEIVED].difference == 2
    assert {cause for row in found.rows for cause in row.by_cause} <= {
        Cause.SUCCESSION,
        Cause.TREE,
    }
    for row in found.rows:
        moved = sum(one.difference for one in row.dossiers)
        assert row.difference == moved + row.unexplained
    assert found.in_hand == (1, 1)
