"""Rankings: every place can be worked out again from the figures."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.period import Period
from app.domain.ranking import Hidden, Incomparable
from app.domain.record import Message, Status
from app.domain.tally import Count
from app.domain.timeliness import Reading
from app.rulebook.metrics import Metrics, UnknownDefinition, load_metrics
from app.store.session import WriteSession
from app.store.trees import Units
from app.usecases import catalogue, rankings, reporting
from app.usecases.catalogue import UnitLevel, UnitSpec
from app.usecases.rankings import Asked, Ranking, Side, Within
from app.usecases.reporting import Question
from app.usecases.successions import SuccessionKind
from tests.factories import local
from tests.strategies import FIRST, histories
from tests.usecases.test_periods import MARCH, at, close, record, world_of
from tests.usecases.test_reporting import FEW, LATER, World
from tests.usecases.test_successions import World as Reform

DAY = timedelta(days=1)
METRICS = load_metrics()
APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))


def rank(
    session: WriteSession, world: World, *, against: Side | None = None, **more: object
) -> Ranking:
    fields = {name: more.pop(name) for name in ("reading", "known_at") if name in more}
    side = more.pop("side", Side(MARCH))
    metrics = more.pop("metrics", METRICS)
    question = Question(unit=world.root, period=MARCH, **fields)  # type: ignore[arg-type]  # its fields
    return rankings.ranking(
        session,
        Asked(question, **more),  # type: ignore[arg-type]  # by keyword
        side,  # type: ignore[arg-type]  # a side
        against=against,
        metrics=metrics,  # type: ignore[arg-type]  # metrics
        now=LATER,
    )


def unit(world: World, name: str) -> str:
    return f"{world.root.code}.{name}"


@FEW
@given(
    told=st.lists(histories(("A", "B")), min_size=1, max_size=4),
    reading=st.sampled_from(Reading),
    name=st.sampled_from(["on_time_of_finished", "on_time_of_received", "late_share"]),
)
def test_places_follow_from_the_figures_of_the_children(
    session: WriteSession, told: list[list[Message]], reading: Reading, name: str
) -> None:
    world = world_of(session, *told)

    found = rank(session, world, reading=reading, definition=name, minimum=2)

    definition = METRICS.in_force(name, MARCH.last)
    question = Question(unit=world.root, period=MARCH, reading=reading)
    live = reporting.figures(
        session, question, group_by=["child"], definitions=[definition], now=LATER
    )
    rates = {row.keys["child"]: row.rates[0] for row in live.rows}
    shown = {one.standing.unit: one for one in (*found.rows, *found.hidden)}
    assert shown.keys() == {unit(world, "A"), unit(world, "B")}
    for code, one in shown.items():
        expected = rates.get(code)
        assert one.standing.rate.numerator == (expected.numerator if expected else 0)
        assert one.standing.rate.denominator == (expected.denominator if expected else 0)
    values = {one.standing.unit: one.standing.rate.value for one in found.rows}
    for one in found.rows:
        ahead = [
            code
            for code, value in values.items()
            if value is not None
            and (
                value < values[one.standing.unit]  # type: ignore[operator]  # ranked ones have a value
                if name == "late_share"
                else value > values[one.standing.unit]  # type: ignore[operator]  # as above
            )
        ]
        assert one.standing.place == len(ahead) + 1
    assert all(one.standing.rate.denominator < 2 for one in found.hidden)


def finished(name: str, day: int, **more: object) -> Message:
    facts = {"unit": name, "finished_at": at(day), "status": Status.FINISHED, **more}
    return record(31, **facts)


def test_what_keeps_a_unit_from_the_best_is_named(session: WriteSession) -> None:
    world = world_of(session, [finished("A", 6)], [finished("A", 12)], [finished("B", 5)])

    found = rank(session, world)

    best, other = found.rows
    assert (best.standing.unit, best.standing.place, best.reasons) == (unit(world, "B"), 1, ())
    assert (other.standing.place, other.reasons) == (2, ((Count.FINISHED_LATE, 1),))
    late = rank(session, world, definition="late_share")
    assert [one.standing.unit for one in late.rows] == [unit(world, "B"), unit(world, "A")]
    assert late.rows[1].reasons == ((Count.FINISHED_LATE, 1),)


def test_units_below_a_minimum_are_listed_apart(session: WriteSession) -> None:
    world = world_of(session, [finished("A", 6)], [finished("A", 5)], [finished("B", 5)])

    found = rank(session, world, minimum=2)

    assert [one.standing.unit for one in found.rows] == [unit(world, "A")]
    assert [(one.standing.unit, one.standing.hidden) for one in found.hidden] == [
        (unit(world, "B"), Hidden.BELOW_MINIMUM)
    ]


def test_a_unit_rises_against_another_period_open_or_closed(session: WriteSession) -> None:
    world = world_of(
        session,
        [finished("A", 12)],
        [finished("B", 5)],
        [finished("A", 6, received_at=at(3))],
    )
    one = close(session, world)
    april = Side(APRIL)

    open_side = rank(session, world, side=april, against=Side(MARCH))
    closed_side = rank(session, world, against=Side(MARCH, one))

    assert {row.delta.incomparable for row in open_side.hidden if row.delta} == {
        Incomparable.NOT_RANKED
    }
    assert [(row.delta.points, row.delta.places) for row in closed_side.rows if row.delta] == [
        (Fraction(), 0),
        (Fraction(), 0),
    ]
    frozen = rank(session, world, side=Side(MARCH, one))
    assert [row.standing for row in frozen.rows] == [row.standing for row in closed_side.rows]
    assert (frozen.as_of, frozen.known_at) == (MARCH.ends, LATER)


def test_versions_of_a_definition_are_not_compared(session: WriteSession) -> None:
    world = world_of(session, [finished("A", 6)])
    first = METRICS.default
    second = replace(first, version=2, valid_from=APRIL.first)
    metrics = Metrics((replace(first, valid_to=MARCH.last), second), first)
    name = first.id

    found = rank(
        session,
        world,
        definition=name,
        side=Side(APRIL),
        against=Side(MARCH),
        metrics=metrics,
    )

    deltas = [one.delta for one in (*found.rows, *found.hidden)]
    assert found.definition.name == f"{name}@2"
    assert {one.incomparable for one in deltas if one} == {Incomparable.DEFINITION}
    with pytest.raises(UnknownDefinition):
        rank(session, world, definition="luck")


def test_units_are_ranked_by_level_and_within_their_parent(session: WriteSession) -> None:
    world = world_of(session, [finished("A", 6)], [finished("B", 12)])

    by_level = rank(session, world, level="commune")
    within = rank(session, world, level="commune", within=Within.PARENT)
    none = rank(session, world, level="ministry")

    assert [one.standing.place for one in by_level.rows] == [1, 2]
    assert [one.parent for one in within.rows] == [world.root.code] * 2
    assert none.rows == none.hidden == ()


def test_units_are_ranked_in_the_tree_of_today_or_of_the_time(session: WriteSession) -> None:
    reform = Reform.of(session)
    code = reform.root.code
    district = UnitSpec(code=f"{code}.H", name="Huyện", level=UnitLevel.DISTRICT, parent=code)
    below = UnitSpec(code=f"{code}.A", name="Xã A", level=UnitLevel.COMMUNE, parent=f"{code}.H")
    catalogue.put_units(session, [district, below], actor="test", now=FIRST - 800 * DAY)
    reform.codes = {**reform.codes, "H": f"{code}.H"}
    for number, name in enumerate(("A", "B", "H", "H")):
        received_at = local("2026-03-20", 9)
        reform.dossier(
            str(number),
            reform.codes[name],
            received_at,
            received_at=received_at,
            due_at=local("2026-03-27", 17),
            finished_at=local("2026-03-2" + str(5 + number), 9),
            status=Status.FINISHED,
        )
    reform.succeed("H", "B", kind=SuccessionKind.ABOLITION)

    def ranked(**options: object) -> dict[str, tuple[int | None, int, int, str | None]]:
        question = Question(unit=reform.root, period=MARCH, **options)  # type: ignore[arg-type]  # its fields
        found = rankings.ranking(
            session, Asked(question), Side(MARCH), metrics=METRICS, now=local("2026-07-01")
        )
        return {
            one.standing.unit.removeprefix(code + "."): (
                one.standing.place,
                one.standing.rate.numerator,
                one.standing.rate.denominator,
                one.parent,
            )
            for one in found.rows
        }

    # the district with its commune, as it was; its own two dossiers are B's today
    assert ranked(units=Units.AS_WAS) == {"B": (1, 1, 1, code), "H": (2, 2, 3, code)}
    assert ranked() == {"A": (1, 1, 1, code), "B": (2, 2, 3, code)}
    assert ranked(known_at=local("2026-03-31")) == {"B": (1, 1, 1, code), "H": (2, 2, 3, code)}
