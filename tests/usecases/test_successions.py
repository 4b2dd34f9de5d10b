"""Successions: nothing is lost or counted twice, whenever they are told and taken back."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from app.domain.dossier import ZONE
from app.domain.period import Period
from app.domain.record import Message, MessageKind, Status, Told
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, IN_HAND, Count, Tally
from app.domain.timeliness import Reading
from app.rulebook.metrics import load_metrics
from app.store import facts, tallies, units
from app.store import successions as register
from app.store.session import Database, WriteSession
from app.store.tallies import Dimension
from app.store.trees import Units
from app.store.units import UnitRow, UnitUnknown
from app.usecases import catalogue, ingest, rebuild, reporting, successions
from app.usecases.catalogue import UnitLevel, UnitSpec, ValidityReversed
from app.usecases.ingest import Incoming, Sender
from app.usecases.reporting import Figures, Question
from app.usecases.subtree import Subtree
from app.usecases.successions import (
    SuccessionBuiltOn,
    SuccessionInFuture,
    SuccessionKind,
    SuccessionKnown,
    SuccessionLoop,
    SuccessionSpec,
    SuccessionUnknown,
    SuccessorCeased,
    SuccessorsMismatch,
    SuccessorUnknown,
)
from tests.factories import local, make_source
from tests.strategies import FIRST, histories

LATER = datetime(2026, 7, 1, tzinfo=UTC)
DAY = date(2026, 4, 1)
PERIOD = Period(date(2026, 2, 20), date(2026, 6, 10))
DEFINITIONS = [load_metrics().default]
FEW = settings(max_examples=settings().max_examples // 8, suppress_health_check=list(HealthCheck))
NAMES = ("A", "B", "C", "D")
_roots = count(1)


@dataclass
class World:
    """A province with four communes, and one who sends for it."""

    session: WriteSession
    root: UnitRow
    codes: Mapping[str, str]
    by: Sender
    now: datetime = FIRST

    @classmethod
    def of(cls, session: WriteSession) -> "World":
        """Make a province of its own."""
        code = f"P{next(_roots)}"
        specs = [UnitSpec(code=code, name=code, level=UnitLevel.PROVINCE)]
        specs += [
            UnitSpec(code=f"{code}.{name}", name=name, level=UnitLevel.COMMUNE, parent=code)
            for name in NAMES
        ]
        catalogue.put_units(session, specs, actor="test", now=FIRST - timedelta(days=900))
        root = units.get(session, code)
        by = Sender(make_source(session), None, root.id, root.lft, root.rgt)
        return cls(session, root, {name: f"{code}.{name}" for name in NAMES}, by)

    def tell(self, code: str, message: Message) -> None:
        """Tell one message, a minute after what was told before or when it was learned."""
        self.now = max(self.now + timedelta(minutes=1), message.recorded_at)
        one = Incoming(
            index=0,
            code=f"{self.root.code}-{code}",
            kind=message.kind,
            at=message.at,
            source_updated_at=message.source_updated_at,
            stamped=message.stamped,
            told=message.told,
        )
        ingest.accept(self.session, [one], by=self.by, door="native", now=self.now)

    def dossier(self, code: str, unit: str, stamp: datetime, **told: object) -> None:
        """Tell one record of a dossier."""
        facts = Told(unit=unit, procedure="?", **told)  # type: ignore[typeddict-item]  # by name
        self.tell(code, Message(MessageKind.RECORD, stamp, stamp, code + str(stamp), stamp, facts))

    def succeed(
        self,
        old: str,
        *new: str,
        on: date = DAY,
        kind: SuccessionKind = SuccessionKind.MERGER,
        continuing: str | None = None,
    ) -> successions.Done:
        """Tell what became of a commune."""
        self.now = max(self.now + timedelta(minutes=1), register.begins(on) + timedelta(hours=8))
        spec = SuccessionSpec(
            kind=kind,
            effective_on=on,
            successors=tuple(self.codes[name] for name in new),
            continuing=None if continuing is None else self.codes[continuing],
            document="1/NQ",
        )
        return successions.apply(self.session, self.codes[old], spec, actor="test", now=self.now)

    def reverse(self, old: str) -> int:
        """Take a succession back."""
        self.now += timedelta(minutes=1)
        return successions.reverse(
            self.session, self.codes[old], document="2/NQ", actor="test", now=self.now
        )

    def ask(self, question: Question | None = None, *by: str, **other: object) -> Figures:
        """Count a period, by the units of today unless told otherwise."""
        asked = replace(question or Question(self.root, PERIOD), **other)  # type: ignore[arg-type]  # by name
        return reporting.figures(
            self.session, asked, group_by=by, definitions=DEFINITIONS, now=LATER
        )

    def by_unit(self, way: Units, **other: object) -> dict[str, Tally]:
        """Return the counts of each commune that has any."""
        found = self.ask(None, "unit", units=way, **other)
        names = {code: name for name, code in self.codes.items()}
        return {
            names.get(str(row.keys["unit"]), str(row.keys["unit"])): row.tally
            for row in found.rows
            if any(row.tally.values)
        }


@pytest.fixture
def world(session: WriteSession) -> World:
    """Give a province with four communes."""
    return World.of(session)


RECEIVED = local("2026-03-20", 9)
AFTER = local("2026-04-10", 9)


def received(world: World, code: str, unit: str = "A", **other: object) -> None:
    """Tell a dossier that was received before the day."""
    told = {"status": Status.PROCESSING, "received_at": RECEIVED} | other
    world.dossier(code, unit, RECEIVED, **told)


# ---------------------------------------------------------------- one merger


def test_what_is_open_passes_and_what_ended_stays(world: World) -> None:
    received(world, "1")
    received(world, "2", finished_at=local("2026-03-25"), status=Status.FINISHED)

    done = world.succeed("A", "B")

    assert (done.moved.open, done.moved.awaiting, done.moved.since) == (1, 0, 0)
    was, now = world.by_unit(Units.AS_WAS), world.by_unit(Units.AS_NOW)
    assert was["A"][Count.RECEIVED] == 2
    assert was["A"][Count.TRANSFERRED_OUT] == 1
    assert was["A"].sum(IN_HAND) == 0
    assert was["B"][Count.TRANSFERRED_IN] == 1
    assert was["B"].sum(IN_HAND) == 1
    assert now.keys() == {"B"}
    assert now["B"][Count.RECEIVED] == 2
    assert now["B"][Count.TRANSFERRED_IN] == now["B"][Count.TRANSFERRED_OUT] == 0
    assert now["B"][Count.FINISHED_NO_DUE] == 1


def test_a_record_that_arrives_late_belongs_to_the_old_unit_and_moves_on_the_day(
    world: World,
) -> None:
    world.succeed("A", "B")

    received(world, "1")
    received(world, "2", finished_at=local("2026-03-25"), status=Status.FINISHED)

    was = world.by_unit(Units.AS_WAS)
    assert (was["A"][Count.RECEIVED], was["A"][Count.FINISHED_NO_DUE]) == (2, 1)
    assert (was["B"][Count.TRANSFERRED_IN], was["B"].sum(IN_HAND)) == (1, 1)


def test_an_old_code_means_the_successor_from_the_day_on(world: World) -> None:
    world.dossier("0", "A", AFTER, status=Status.PROCESSING, received_at=AFTER)
    done = world.succeed("A", "B")
    world.dossier("1", "A", AFTER, status=Status.PROCESSING, received_at=AFTER)

    assert done.moved.since == 1
    was = world.by_unit(Units.AS_WAS)
    assert was.keys() == {"B"}
    assert (was["B"][Count.RECEIVED], was["B"][Count.TRANSFERRED_IN]) == (2, 0)


def test_a_sender_that_goes_over_to_the_new_code_moves_nothing_twice(world: World) -> None:
    received(world, "1")
    world.succeed("A", "B")
    world.dossier("1", "B", AFTER, status=Status.PROCESSING)

    was = world.by_unit(Units.AS_WAS)

    assert was["B"][Count.TRANSFERRED_IN] == 1
    assert was["A"][Count.TRANSFERRED_OUT] == 1
    assert was["B"].sum(IN_HAND) == 1


def test_a_dossier_taken_up_again_is_taken_up_by_the_successor(world: World) -> None:
    received(world, "1", finished_at=local("2026-03-25"), status=Status.FINISHED)
    world.succeed("A", "B")
    world.dossier("1", "A", AFTER, status=Status.PROCESSING, finished_at=None)

    was = world.by_unit(Units.AS_WAS)

    assert was["A"][Count.FINISHED_NO_DUE] == 1
    assert (was["B"][Count.REOPENED], was["B"].sum(IN_HAND)) == (1, 1)


def test_it_was_not_known_before_it_was_told(world: World) -> None:
    received(world, "1")
    known = world.now
    world.succeed("A", "B")

    for way in Units:
        before = world.by_unit(way, known_at=known)
        assert before.keys() == {"A"}
        assert before["A"].sum(IN_HAND) == 1


def test_the_same_again_changes_nothing(world: World) -> None:
    received(world, "1")
    world.succeed("A", "B")
    before = world.by_unit(Units.AS_WAS)

    done = world.succeed("A", "B")

    assert not done.is_new
    assert world.by_unit(Units.AS_WAS) == before


def test_a_preview_counts_and_writes_nothing(world: World) -> None:
    received(world, "1")
    world.dossier("2", "A", RECEIVED, status=Status.SUBMITTED, submitted_at=RECEIVED)
    spec = SuccessionSpec(
        kind=SuccessionKind.MERGER,
        effective_on=date(2026, 12, 1),
        successors=(world.codes["B"],),
        document="1/NQ",
    )

    done = successions.preview(world.session, world.codes["A"], spec)

    assert (done.moved.open, done.moved.awaiting) == (1, 1)
    assert world.by_unit(Units.AS_WAS).keys() == {"A"}
    assert units.get(world.session, world.codes["A"]).valid_to is None


def test_the_old_unit_ends_the_day_before(world: World) -> None:
    world.succeed("A", "B")

    row = units.get(world.session, world.codes["A"])
    ends = successions.ends_of(
        world.session, [row.id, units.get(world.session, world.codes["B"]).id]
    )

    assert row.valid_to == DAY - timedelta(days=1)
    assert ends[row.id].successors == (world.codes["B"],)
    assert [one.predecessors for one in ends.values()] == [(), (world.codes["A"],)]


def test_a_reversal_restates_everything_as_if_it_had_never_been(world: World) -> None:
    received(world, "1")
    world.dossier("2", "A", AFTER, status=Status.PROCESSING, received_at=AFTER)
    received(world, "3", "B")
    before = world.by_unit(Units.AS_WAS)
    world.succeed("A", "B")
    believed = world.now

    world.reverse("A")

    assert world.by_unit(Units.AS_WAS) == world.by_unit(Units.AS_NOW) == before
    assert world.by_unit(Units.AS_NOW, known_at=believed).keys() == {"B"}
    assert units.get(world.session, world.codes["A"]).valid_to is None
    with pytest.raises(SuccessionUnknown):
        world.reverse("A")


def test_dossiers_that_slipped_past_are_settled(world: World) -> None:
    received(world, "1")
    row, heir = (units.get(world.session, world.codes[name]) for name in "AB")
    register.add(
        world.session,
        unit_id=row.id,
        kind="merger",
        effective_on=DAY,
        successor_ids=[heir.id],
        heir_id=heir.id,
        children_to_id=None,
        former_valid_to=None,
        document="1/NQ",
        actor="test",
        now=AFTER,
    )

    assert successions.settle_stranded(world.session, now=AFTER) == 1
    assert successions.settle_stranded(world.session, now=AFTER) == 0
    assert world.by_unit(Units.AS_WAS)["B"].sum(IN_HAND) == 1


def test_a_successor_of_the_same_name_takes_nothing_from_the_time_before(world: World) -> None:
    code = f"{world.root.code}.N"
    named = UnitSpec(code=code, name="A", level=UnitLevel.COMMUNE, parent=world.root.code)
    received(world, "1")
    catalogue.put_unit(world.session, named, actor="test", now=world.now)
    received(world, "2")
    world.codes = {**world.codes, "N": code}

    world.succeed("A", "N")
    received(world, "3", finished_at=local("2026-03-25"), status=Status.FINISHED)
    world.dossier("4", "A", AFTER, status=Status.PROCESSING, received_at=AFTER)

    was, now = world.by_unit(Units.AS_WAS), world.by_unit(Units.AS_NOW)
    assert was.keys() == {"A", "N"}
    assert (was["A"][Count.RECEIVED], was["N"][Count.RECEIVED]) == (3, 1)
    assert (was["N"][Count.TRANSFERRED_IN], was["N"].sum(IN_HAND)) == (2, 3)
    assert now.keys() == {"N"}


# ---------------------------------------------------------------- chains, splits, abolition


def test_a_chain_passes_on_step_by_step(world: World) -> None:
    received(world, "1")
    world.succeed("B", "C", on=date(2026, 4, 20))
    world.succeed("A", "B", on=DAY)

    was = world.by_unit(Units.AS_WAS)

    assert was["B"][Count.TRANSFERRED_IN] == was["B"][Count.TRANSFERRED_OUT] == 1
    assert was["C"].sum(IN_HAND) == 1
    assert world.by_unit(Units.AS_NOW).keys() == {"C"}
    with pytest.raises(SuccessionBuiltOn):
        world.reverse("A")


def test_a_split_passes_what_is_open_to_the_one_that_continues_or_to_nobody(
    world: World,
) -> None:
    received(world, "1")
    received(world, "2", "B")
    world.succeed("A", "C", "D", kind=SuccessionKind.SPLIT, continuing="D")
    world.succeed("B", "C", "D", kind=SuccessionKind.SPLIT)

    was, now = world.by_unit(Units.AS_WAS), world.by_unit(Units.AS_NOW)

    assert was["D"].sum(IN_HAND) == was["B"].sum(IN_HAND) == 1
    assert now.keys() == {"D", "B"}


def test_a_unit_that_splits_may_go_on_itself(world: World) -> None:
    received(world, "1")

    world.succeed("A", "A", "B", kind=SuccessionKind.SPLIT, continuing="A")

    row = units.get(world.session, world.codes["A"])
    assert (row.valid_to, row.heir_id) == (None, None)
    assert world.by_unit(Units.AS_NOW)["A"].sum(IN_HAND) == 1
    assert successions.ends_of(world.session, [row.id])[row.id].continuing == row.code


def test_a_split_sends_nothing_to_another_when_the_unit_itself_goes_on(world: World) -> None:
    with pytest.raises(SuccessorsMismatch):
        world.succeed("A", "A", "B", kind=SuccessionKind.SPLIT, continuing="B")


def test_a_district_is_abolished_with_its_communes_under_the_province(
    session: WriteSession,
) -> None:
    world = World.of(session)
    code = world.root.code
    district = UnitSpec(code=f"{code}.H", name="H", level=UnitLevel.DISTRICT, parent=code)
    below = UnitSpec(code=f"{code}.A", name="A", level=UnitLevel.COMMUNE, parent=f"{code}.H")
    told_at = FIRST - timedelta(days=800)
    catalogue.put_units(session, [district, below], actor="test", now=told_at)
    world.codes = {**world.codes, "H": f"{code}.H"}
    received(world, "1")
    received(world, "2", "H")

    done = world.succeed("H", "B", kind=SuccessionKind.ABOLITION)

    assert done.children == (f"{code}.A",)
    row = units.get(session, f"{code}.H")
    march = Question(row, Period(date(2026, 3, 1), date(2026, 3, 31)), units=Units.AS_WAS)
    april = replace(march, period=Period(date(2026, 4, 1), date(2026, 4, 30)))
    assert world.ask(march).total.tally[Count.RECEIVED] == 2
    assert world.ask(april).total.tally[Count.CARRIED_OVER] == 1
    for way in Units:
        whole = world.ask(None, units=way).total
        assert whole.tally[Count.RECEIVED] == whole.tally.sum(IN_HAND) == 2
        assert set(whole.identities.values()) == {0}
    children = world.ask(None, "child", units=Units.AS_NOW).rows
    assert {str(one.keys["child"]) for one in children} == {f"{code}.A", f"{code}.B"}
    world.reverse("H")
    assert units.get(session, f"{code}.A").parent_code == f"{code}.H"


# ---------------------------------------------------------------- refusals


def test_what_cannot_be_is_refused(world: World) -> None:
    world.succeed("A", "B")

    with pytest.raises(SuccessionKnown):
        world.succeed("A", "C")
    with pytest.raises(SuccessionLoop):
        world.succeed("B", "A", on=date(2026, 4, 20))
    with pytest.raises(SuccessorCeased):
        world.succeed("C", "A", on=date(2026, 4, 20))
    with pytest.raises(SuccessorCeased):
        world.succeed("B", "C", on=date(2026, 3, 20))
    with pytest.raises(SuccessorsMismatch):
        world.succeed("C", "C")


def test_a_day_to_come_is_refused(world: World) -> None:
    spec = SuccessionSpec(
        kind=SuccessionKind.MERGER,
        effective_on=DAY,
        successors=(world.codes["B"],),
        document="1/NQ",
    )

    with pytest.raises(SuccessionInFuture):
        successions.apply(
            world.session,
            world.codes["A"],
            spec,
            actor="test",
            now=register.begins(DAY) - timedelta(seconds=1),
        )


def test_a_unit_cannot_cease_before_it_began(world: World) -> None:
    spec = replace(
        UnitSpec.of(units.get(world.session, world.codes["A"])), valid_from=date(2026, 4, 1)
    )
    catalogue.put_unit(world.session, spec, actor="test", now=world.now)

    with pytest.raises(ValidityReversed):
        world.succeed("A", "B")


def test_units_elsewhere_are_unknown(world: World) -> None:
    row = units.get(world.session, world.codes["A"])
    spec = SuccessionSpec(
        kind=SuccessionKind.MERGER,
        effective_on=DAY,
        successors=(world.codes["B"],),
        document="1/NQ",
    )

    with pytest.raises(SuccessorUnknown):
        successions.preview(world.session, row.code, spec, within=Subtree(row.lft, row.rgt))
    with pytest.raises(UnitUnknown):
        successions.preview(world.session, world.codes["B"], spec, within=Subtree(row.lft, row.rgt))


@pytest.mark.parametrize(
    ("kind", "successors", "continuing"),
    [
        (SuccessionKind.MERGER, (), None),
        (SuccessionKind.MERGER, ("X", "Y"), None),
        (SuccessionKind.SPLIT, ("X",), None),
        (SuccessionKind.SPLIT, ("X", "Y"), "Z"),
        (SuccessionKind.SPLIT, ("X", "X", "Y"), None),
        (SuccessionKind.ABOLITION, ("X", "Y"), None),
    ],
)
def test_successors_fit_the_kind(
    kind: SuccessionKind, successors: tuple[str, ...], continuing: str | None
) -> None:
    with pytest.raises(SuccessorsMismatch):
        SuccessionSpec(
            kind=kind,
            effective_on=DAY,
            successors=successors,
            continuing=continuing,
            document="1/NQ",
        )


# ---------------------------------------------------------------- while dossiers arrive


def test_what_arrives_while_a_succession_is_told_is_moved_by_the_next_night(
    fresh_database: Database,
) -> None:
    with fresh_database.begin() as session:
        world = World.of(session)
        old, new = world.codes["A"], world.codes["B"]

    def send(number: int) -> None:
        told = Told(unit="A", status=Status.PROCESSING, received_at=RECEIVED)
        one = Incoming(
            index=0,
            code=f"D-{number}",
            kind=MessageKind.RECORD,
            at=RECEIVED,
            source_updated_at=RECEIVED,
            stamped=True,
            told=told,
        )
        with fresh_database.begin() as session:
            ingest.accept(session, [one], by=world.by, door="native", now=AFTER)

    spec = SuccessionSpec(
        kind=SuccessionKind.MERGER, effective_on=DAY, successors=(new,), document="1/NQ"
    )
    with ThreadPoolExecutor(3) as pool:
        sending = [pool.submit(send, number) for number in range(60)]
        with fresh_database.begin() as session:
            successions.apply(session, old, spec, actor="test", now=AFTER)
        for one in sending:
            one.result()

    with fresh_database.begin() as session:
        successions.settle_stranded(session, now=AFTER)
        assert rebuild.compare(session).differ == 0
        root = units.get(session, world.root.code)
        asked = Question(root, PERIOD, units=Units.AS_WAS)
        _, counts = reporting.by_unit(session, asked, now=LATER)
        assert counts[old][Count.RECEIVED] == counts[new][Count.TRANSFERRED_IN] == 60
        assert counts[new].sum(IN_HAND) == 60


# ---------------------------------------------------------------- Thạch Hà: 15 communes, then 6


def test_fifteen_communes_become_six_and_no_dossier_is_lost(session: WriteSession) -> None:
    code = f"P{next(_roots)}"
    old = [f"{code}.{number:02}" for number in range(1, 16)]
    new = [f"{code}.{number}" for number in range(31, 37)]
    specs = [UnitSpec(code=code, name="Huyện Thạch Hà", level=UnitLevel.DISTRICT)]
    specs += [
        UnitSpec(code=one, name=f"Xã {one}", level=UnitLevel.COMMUNE, parent=code)
        for one in old + new
    ]
    catalogue.put_units(session, specs, actor="test", now=FIRST - timedelta(days=900))
    root = units.get(session, code)
    by = Sender(make_source(session), None, root.id, root.lft, root.rgt)
    world = World(session, root, {one: one for one in old + new}, by)
    for number, one in enumerate(old):
        for place in range(3):
            is_done = place < 2
            told = {"finished_at": local("2026-03-25"), "status": Status.FINISHED}
            received(world, f"{number}-{place}", one, **(told if is_done else {}))
    before = world.ask().total.tally

    for number, one in enumerate(old):
        world.succeed(one, new[number % 6])

    was, now = world.ask(None, units=Units.AS_WAS), world.ask(None, units=Units.AS_NOW)
    assert _without_moves(was.total.tally) == _without_moves(now.total.tally)
    assert now.total.tally == before
    assert was.total.tally[Count.TRANSFERRED_OUT] == 15
    rows = world.by_unit(Units.AS_NOW)
    assert rows.keys() == set(new)
    assert sorted(row[Count.RECEIVED] for row in rows.values()) == [6, 6, 6, 9, 9, 9]
    assert sum(row.sum(IN_HAND) for row in world.by_unit(Units.AS_WAS).values()) == 15


# ---------------------------------------------------------------- whatever happens


def _without_moves(tally: Tally) -> dict[Count, int]:
    moves = {Count.TRANSFERRED_IN, Count.TRANSFERRED_OUT}
    return {one: tally[one] for one in COUNTS if one not in moves and tally[one]}


@st.composite
def reforms(draw: st.DrawFn) -> list[tuple[str, str, date]]:
    """Draw successions that can be told one after another: (old, new, day)."""
    names = draw(st.permutations(NAMES))
    days = sorted(draw(st.lists(st.integers(0, 60), min_size=1, max_size=3)))
    first = FIRST.astimezone(ZONE).date()
    found = []
    left = list(names)
    for place, day in enumerate(days):
        old = left.pop(0)
        found.append((old, draw(st.sampled_from(left)), first + timedelta(days=day + place)))
    return found


def _told(world: World, told: Sequence[Sequence[Message]], draw: st.DataObject) -> None:
    """Tell dossiers and successions in a drawn order, each succession once its day has come."""
    reform = draw.draw(reforms(), "reform")
    arriving = sorted(
        (one.recorded_at, number, place)
        for number, messages in enumerate(told)
        for place, one in enumerate(messages)
    )
    moments = [draw.draw(st.integers(0, len(arriving)), "told after") for _ in reform]
    moments = [max(moments[: place + 1]) for place in range(len(moments))]
    for step in range(len(arriving) + 1):
        for (old, new, day), moment in zip(reform, moments, strict=True):
            if moment == step:
                world.succeed(old, new, on=day)
        if step < len(arriving):
            _, number, place = arriving[step]
            world.tell(str(number), told[number][place])


@FEW
@given(told=st.lists(histories(NAMES), min_size=1, max_size=3), data=st.data())
def test_no_dossier_is_lost_or_doubled_by_any_reform(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = World.of(session)
    _told(world, told, data)
    reading = data.draw(st.sampled_from(Reading), "reading")
    question = Question(world.root, PERIOD, reading=reading)

    was = world.ask(question, "unit", "month", units=Units.AS_WAS)
    now = world.ask(question, "unit", "month", units=Units.AS_NOW)

    for figures in (was, now):
        for cell in (*figures.rows, figures.total):
            assert set(cell.identities.values()) <= {0}
    assert _without_moves(was.total.tally) == _without_moves(now.total.tally)
    dropped = [
        was.total.tally[one] - now.total.tally[one]
        for one in (Count.TRANSFERRED_IN, Count.TRANSFERRED_OUT)
    ]
    assert dropped[0] == dropped[1] >= 0
    for way, figures in ((Units.AS_WAS, was), (Units.AS_NOW, now)):
        asked = replace(question, units=way)
        for one in COUNTS:
            if one not in CATALOGUE_COUNTS and figures.total.tally[one]:
                behind = reporting.dossiers_behind(session, asked, count=one, limit=500, now=LATER)
                assert len(behind) == figures.total.tally[one], one
    ceased = {row.code for row in units.children(session, world.root.id) if row.heir_id is not None}
    assert not ceased & {str(row.keys["unit"]) for row in now.rows}


def _same_from_facts(session: WriteSession, question: Question) -> None:
    """Pass if the counters tell what the look at every dossier tells, where they can."""
    span = reporting.cut(question, (), now=LATER).whole
    scope = question.scope(span.ends)
    by = [Dimension.UNIT]
    fast = facts.counts(session, scope, [span], by=by)
    if fast is not None:
        slow = tallies.counts(session, scope, span, by=by)
        assert fast[0] == [row for row in slow if any(row.tally.values)]


@FEW
@given(told=st.lists(histories(NAMES), min_size=1, max_size=3), data=st.data())
def test_what_is_stored_is_what_the_record_gives_under_the_successions_in_force(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = World.of(session)
    _told(world, told, data)
    note(str(world.codes))
    assert _differing(world) == set()

    for row in units.children(session, world.root.id):
        name = row.name
        if row.heir_id is not None and data.draw(st.booleans(), f"reverse {name}"):
            try:
                world.reverse(name)
            except SuccessionBuiltOn:
                continue

    assert _differing(world) == set()


def _differing(world: World) -> set[tuple[int, str]]:
    found = rebuild.compare(world.session).named
    return {key for key in found if key[1].startswith(f"{world.root.code}-")}
