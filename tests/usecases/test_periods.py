"""Closed periods: written down once, answered alike for ever."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from app.domain.canonical import told_of
from app.domain.period import Period
from app.domain.record import Message, Status
from app.domain.tally import COUNTS
from app.domain.timeliness import Reading
from app.rulebook.metrics import UnknownDefinition, load_metrics
from app.store import periods as kept
from app.store.periods import PeriodRow
from app.store.session import WriteSession
from app.store.tables import period_row
from app.store.tallies import UNKNOWN
from app.usecases import ingest, periods, reporting
from app.usecases.ingest import Incoming, Sender
from app.usecases.periods import (
    NotFrozen,
    PeriodClosedAlready,
    PeriodNotOver,
    UnitNotFrozen,
    Wanted,
)
from app.usecases.reporting import Extent, GroupingTwice, Question
from tests.factories import make_source, make_unit
from tests.strategies import histories, message
from tests.usecases import test_reporting as twin
from tests.usecases.test_reporting import FEW, LATER, World

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
METRICS = load_metrics()


def close(session: WriteSession, world: World, span: Period = MARCH, **more: object) -> PeriodRow:
    """Close a period of a world as it is known at ``LATER``."""
    asked: dict[str, object] = {"metrics": METRICS, "actor": "test", "now": LATER, **more}
    return periods.close(session, world.root, Wanted(span), **asked)  # type: ignore[arg-type]  # by keyword


def world_of(session: WriteSession, *told: Sequence[Message]) -> World:
    return twin._world(session, told)  # the twin of the figures


def record(day: int = 31, **facts: object) -> Message:
    told = {
        "unit": "A",
        "procedure": "P",
        "received_at": at(2),
        "due_at": at(9, 10),
        "status": Status.PROCESSING,
        **facts,
    }
    return message(told_of(told), at=at(day))


def at(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def tell(session: WriteSession, world: World, number: int, told: Message, now: datetime) -> None:
    """Tell a record of a dossier of a world at a moment."""
    by = Sender(make_source(session), None, world.root.id, world.root.lft, world.root.rgt)
    news = Incoming(
        0,
        f"{world.root.code}-{number}",
        told.kind,
        told.at,
        told.source_updated_at,
        told.stamped,
        told.told,
    )
    ingest.accept(session, [news], by=by, door="native", now=now)


# ---------------------------------------------------------------- what is written down


@FEW
@given(
    told=st.lists(histories(("A", "B")), min_size=1, max_size=3),
    reading=st.sampled_from(Reading),
    group_by=st.sampled_from(
        [(), ("unit",), ("child",), ("level", "field"), ("procedure", "unit"), ("field", "child")]
    ),
    exclude_same_day=st.booleans(),
    extent=st.sampled_from(Extent),
)
def test_closed_figures_are_those_that_were_counted(
    session: WriteSession,
    told: list[list[Message]],
    reading: Reading,
    group_by: tuple[str, ...],
    exclude_same_day: bool,
    extent: Extent,
) -> None:
    world = world_of(session, *told)
    one = close(session, world, readings=[reading])
    question = Question(
        unit=world.root,
        period=MARCH,
        reading=reading,
        extent=extent,
        exclude_same_day=exclude_same_day,
    )

    rates = [METRICS.default]
    frozen = periods.figures(session, one, question, group_by=group_by, definitions=rates)

    live = reporting.figures(
        session, question, group_by=group_by, definitions=[METRICS.default], now=LATER
    )
    assert {tuple(row.keys.items()): row for row in frozen.rows} == {
        tuple(row.keys.items()): row for row in live.rows if group_by and any(row.tally.values)
    }
    assert frozen.total == live.total
    assert (frozen.as_of, frozen.known_at) == (live.as_of, live.known_at)
    assert periods.verify(session, one)


def test_later_news_change_nothing_that_was_closed(session: WriteSession) -> None:
    world = world_of(session, [record()], [record(finished_at=at(6))])
    one = close(session, world)
    question = Question(unit=world.root, period=MARCH)

    def answers() -> tuple[object, object]:
        return (
            periods.figures(session, one, question, group_by=["unit"], definitions=[]),
            list(kept.rows_of(session, one)),
        )

    before = answers()
    tell(session, world, 0, record(finished_at=at(5)), LATER + timedelta(days=1))
    tell(session, world, 7, record(), LATER + timedelta(days=1))

    assert answers() == before
    found = kept.find(session, one.id)
    assert found == one
    assert periods.verify(session, one)


def test_the_tree_and_the_definitions_are_those_of_the_closing(session: WriteSession) -> None:
    world = world_of(session, [record()])
    one = close(session, world, document="12/BC-UBND")

    closing = one.closing
    assert [unit.code for unit in closing.units][:1] == [world.root.code]
    assert closing.units[0].parent is None
    assert {unit.parent for unit in closing.units[1:]} == {world.root.code}
    assert closing.default_definition == METRICS.default.name
    assert closing.counts == tuple(count.value for count in COUNTS)
    assert (closing.document, closing.closed_by) == ("12/BC-UBND", "test")


def test_what_is_unknown_is_asked_for_in_closed_figures_too(session: WriteSession) -> None:
    world = world_of(session, [record(procedure="?")], [record()])
    one = close(session, world)
    question = Question(unit=world.root, period=MARCH, procedure=UNKNOWN)

    total = periods.figures(session, one, question, definitions=[]).total

    assert total.tally["received"] == 1  # type: ignore[index]  # by its name


# ---------------------------------------------------------------- refusals


def test_a_period_is_not_closed_before_it_is_over(session: WriteSession) -> None:
    world = world_of(session, [record()])

    with pytest.raises(PeriodNotOver):
        close(session, world, now=MARCH.ends - timedelta(microseconds=1))
    assert close(session, world, now=LATER).closing.as_of == MARCH.ends


def test_closing_twice_names_the_first_closing(session: WriteSession) -> None:
    world = world_of(session, [record()])
    first = close(session, world)

    with pytest.raises(PeriodClosedAlready) as refused:
        close(session, world, now=LATER + timedelta(days=1))

    assert refused.value.period == str(first.id)
    below = make_unit(session, f"{world.root.code}.Z", parent=world.root)
    other = periods.close(session, below, Wanted(MARCH), metrics=METRICS, actor="test", now=LATER)
    assert other.id != first.id


def test_rows_of_a_closed_period_cannot_be_changed_and_a_change_would_show(
    session: WriteSession,
) -> None:
    world = world_of(session, [record()])
    one = close(session, world)

    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.update(period_row).values(unit="X"))

    assert periods.verify(session, one)
    assert not periods.verify(session, replace(one, digest="0" * 64))
    forged = replace(one.closing, closed_by="somebody else")
    assert not periods.verify(session, replace(one, closing=forged))


@pytest.mark.parametrize("word", ["month", "channel", "colour"])
def test_what_was_not_kept_apart_is_not_guessed(session: WriteSession, word: str) -> None:
    world = world_of(session, [record()])
    one = close(session, world)
    question = Question(unit=world.root, period=MARCH)

    with pytest.raises(NotFrozen):
        periods.figures(session, one, question, group_by=[word], definitions=[])
    with pytest.raises(GroupingTwice):
        periods.figures(session, one, question, group_by=["unit", "unit"], definitions=[])
    with pytest.raises(NotFrozen):
        periods.figures(session, one, replace(question, channel="online"), definitions=[])
    with pytest.raises(NotFrozen):
        other = replace(question, reading=Reading.EXTENDED)
        periods.figures(session, one, other, definitions=[])
    with pytest.raises(UnitNotFrozen):
        stranger = make_unit(session, f"{world.root.code}-stranger")
        periods.figures(session, one, replace(question, unit=stranger), definitions=[])


def test_definitions_without_a_version_are_those_that_were_frozen(session: WriteSession) -> None:
    one = close(session, world_of(session, [record()]))
    name = "late_share@1"
    newer = replace(one, closing=replace(one.closing, definitions=(name,), default_definition=name))

    assert [found.name for found in periods.definitions_of(newer, METRICS, [])] == ["late_share@1"]
    assert periods.definitions_of(newer, METRICS, ["early_share@1"])[0].id == "early_share"
    with pytest.raises(UnknownDefinition):
        periods.definitions_of(newer, METRICS, ["early_share"])


def test_a_period_has_its_days_by_name() -> None:
    assert periods.named("quarter-15", "2026-Q1") == Wanted(
        Period(date(2025, 12, 15), date(2026, 3, 14)), "quarter-15", "2026-Q1"
    )
    assert isinstance(periods.NAMESPACE, uuid.UUID)
