"""The nightly flagging and the overdue list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pytest
import sqlalchemy as sa

from app.domain.night import night_of
from app.domain.timeliness import JUST, Flow, Reading, State
from app.store import runs as slots
from app.store.overdue import Place
from app.store.session import Database, WriteSession
from app.store.tables import alert, dossier, dossier_reading, job_slot, outbox, webhook
from app.store.units import UnitRow
from app.usecases import overdue, runs
from app.usecases.overdue import Apology, MomentToCome, OverduePage
from app.usecases.runs import Duty
from tests.factories import (
    Course,
    add_dossier,
    add_dossiers,
    dossier_row,
    finished_course,
    local,
    make_source,
    make_unit,
    on_time_until,
)

FRIDAY = date(2026, 8, 7)  # 2026-08-06 is a Thursday


@dataclass(frozen=True, slots=True)
class World:
    """A province with two communes."""

    database: Database
    province: UnitRow
    commune: UnitRow
    other: UnitRow
    source_id: int


@pytest.fixture
def world(database: Database) -> World:
    with database.begin() as session:
        province = make_unit(session, "H44")
        commune = make_unit(session, "H44.100", parent=province)
        other = make_unit(session, "H44.200", parent=province)
        return World(database, province, commune, other, make_source(session))


def duty(at: datetime | None = None, *, batch: int = 500) -> Duty:
    now = at or local("2026-08-20", 2)
    return Duty(clock=lambda: now, owner="test", batch=batch)


def night(
    world: World, day: date, *, batch: int = 500, at: datetime | None = None
) -> dict[str, object]:
    return dict(runs.run_named_night(world.database, day, duty(at, batch=batch)).found)


def raised(world: World) -> list[tuple[str, int, str, str]]:
    with world.database.read() as session:
        columns = (alert.c.code, alert.c.episode, alert.c.stage, alert.c.run)
        return [tuple(row) for row in session.execute(sa.select(*columns).order_by(*columns))]


def add_webhook(session: WriteSession, unit: UnitRow, number: int, **columns: object) -> None:
    session.execute(
        sa.insert(webhook).values(
            id=sa.cast(f"00000000-0000-0000-0000-{number:012d}", sa.UUID),
            unit_id=unit.id,
            url="https://receiver.example/",
            events=["dossier.overdue"],
            secret=b"",
            **columns,
        )
    )


class TestFlagging:
    def test_a_dossier_is_flagged_in_the_night_after_its_due_day_and_not_before(
        self, world: World
    ) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="2026-08-06")

        assert night(world, date(2026, 8, 6))["raised"] == 0
        assert night(world, FRIDAY)["raised"] == 1
        assert raised(world) == [("A", 1, "overdue+1", "2026-08-07")]

    def test_a_night_done_twice_raises_nothing_twice(self, world: World) -> None:
        with world.database.begin() as session:
            add_webhook(session, world.province, 1)
            add_dossier(session, world.commune, world.source_id, "A")

        first, second = night(world, FRIDAY), night(world, FRIDAY)

        assert (first["raised"], first["queued"]) == (1, 1)
        assert (second["raised"], second["queued"]) == (1, 1)  # what the slot found in all
        assert len(raised(world)) == 1
        with world.database.read() as session:
            assert len(session.execute(sa.select(outbox)).all()) == 1

    def test_a_dossier_due_on_friday_is_told_on_the_next_working_day(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="2026-08-07")

        found = [night(world, date(2026, 8, day))["raised"] for day in (8, 9, 10)]

        assert found == [0, 0, 1]
        with world.database.read() as session:
            row = session.execute(sa.select(alert)).mappings().one()
        assert row["occurred_at"] == local("2026-08-10")
        assert row["late_since"] == local("2026-08-08")

    @pytest.mark.parametrize(
        ("course", "flags"),
        [
            (((State.PAUSED, "2026-08-06", 8),), False),
            (((State.OPEN_OVERDUE, "2026-08-07", 0), (State.PAUSED, "2026-08-07", 0)), False),
            (((State.FINISHED_LATE, "2026-08-07", 0),), False),
            (((State.OPEN_OVERDUE, "2026-08-07", 0),), True),
        ],
    )
    def test_only_what_is_open_and_overdue_is_flagged(
        self, world: World, course: Sequence[tuple[State, str, int]], flags: bool
    ) -> None:
        due_on = date(2026, 8, 6)
        edges = tuple((local(day, hour), state, Flow.NONE, due_on) for state, day, hour in course)
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", course=Course(edges))

        assert night(world, date(2026, 8, 10))["raised"] == int(flags)

    def test_legs_and_dossiers_that_left_are_not_flagged(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", is_leg=True)
            add_dossier(session, world.commune, world.source_id, "B", is_current=False)

        assert night(world, FRIDAY)["raised"] == 0

    def test_batches_walk_over_everything(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossiers(
                session,
                (
                    dossier_row(
                        world.commune, world.source_id, f"D{n:03}", due_on=f"2026-08-0{1 + n % 6}"
                    )
                    for n in range(47)
                ),
            )

        found = night(world, FRIDAY, batch=10)

        assert found["looked_at"] == 47
        assert {code for code, *_ in raised(world)} == {f"D{n:03}" for n in range(47)}

    def test_another_due_date_that_passes_is_another_episode(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="2026-08-04")
        night(world, FRIDAY)
        with world.database.begin() as session:
            session.execute(sa.delete(dossier))
            add_dossier(session, world.commune, world.source_id, "A", due_on="2026-08-11")

        night(world, date(2026, 8, 11))
        night(world, date(2026, 8, 12))
        night(world, date(2026, 8, 13))

        assert raised(world) == [
            ("A", 1, "overdue+1", "2026-08-07"),
            ("A", 2, "overdue+1", "2026-08-12"),
        ]

    def test_every_stage_is_raised_when_it_comes_for_the_level_that_it_is_for(
        self, world: World
    ) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A")

        for day in range(1, 22):
            night(world, date(2026, 8, day), at=local(date(2026, 8, day), 2))

        with world.database.read() as session:
            columns = (alert.c.stage, alert.c.run, alert.c.level, alert.c.recipient_unit_id)
            found = session.execute(sa.select(*columns).order_by(alert.c.run)).all()
        commune, province = world.commune.id, world.province.id
        assert [tuple(row) for row in found] == [
            ("due-2", "2026-08-04", "unit", commune),
            ("due", "2026-08-06", "unit", commune),
            ("overdue+1", "2026-08-07", "head", commune),
            ("overdue+5", "2026-08-13", "parent", province),
            ("overdue+10", "2026-08-20", "province", province),
        ]

    def test_receivers_of_the_unit_and_above_are_told_others_and_disabled_ones_not(
        self, world: World
    ) -> None:
        with world.database.begin() as session:
            add_webhook(session, world.province, 1)
            add_webhook(session, world.commune, 2)
            add_webhook(session, world.other, 3)
            add_webhook(session, world.commune, 4, disabled_at=local("2026-08-01"))
            add_dossier(session, world.commune, world.source_id, "A/1", due_on="2026-08-06")

        night(world, FRIDAY)

        with world.database.read() as session:
            rows = session.execute(sa.select(outbox).order_by(outbox.c.webhook_id)).mappings().all()
        assert [row["webhook_id"].int for row in rows] == [1, 2]
        assert rows[0]["payload"] == {
            "type": "dossier.overdue",
            "timestamp": "2026-08-07T00:00:00+07:00",
            "data": {
                "alert": str(rows[0]["event_id"]),
                "code": "A/1",
                "source": "mot-cua",
                "unit": "H44.100",
                "stage": "overdue+1",
                "level": "head",
                "recipient": "H44.100",
                "episode": 1,
                "due_on": "2026-08-06",
                "due_at": "2026-08-06T17:00:00+07:00",
                "late_since": "2026-08-07T00:00:00+07:00",
                "links": {
                    "dossier": "/v1/dossiers/A%2F1?source=mot-cua",
                    "due_date": "/v1/dossiers/A%2F1/due-date?source=mot-cua",
                },
            },
        }

    def test_history_that_arrives_late_is_kept_for_the_digest(self, world: World) -> None:
        with world.database.begin() as session:
            add_webhook(session, world.province, 1)
            add_dossier(
                session,
                world.commune,
                world.source_id,
                "A",
                due_on="2026-08-03",
                first_recorded_at=local("2026-08-06", 9),
            )

        found = night(world, FRIDAY)

        assert (found["raised"], found["digest_only"], found["queued"]) == (1, 1, 0)

    def test_a_dossier_that_no_calendar_can_judge_is_counted_and_stops_nothing(
        self, world: World
    ) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="1999-03-02")
            add_dossier(session, world.commune, world.source_id, "B")

        found = night(world, FRIDAY)

        assert (found["not_computable"], found["raised"]) == (1, 1)

    def test_one_who_was_overtaken_undoes_the_batch_and_stops(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A")
            first = slots.claim_named(session, night_of(FRIDAY), owner="first")
            session.execute(sa.update(job_slot).values(lease_until=local("2020-01-01")))
        with world.database.begin() as session:
            second = slots.claim_named(session, night_of(FRIDAY), owner="second")

        with pytest.raises(slots.RunLost):
            runs.work(world.database, first, duty())
        before = raised(world)
        runs.work(world.database, second, duty())

        assert before == []
        assert len(raised(world)) == 1


class TestMissedNights:
    def test_three_missed_nights_are_caught_up_in_order(self, world: World) -> None:
        with world.database.begin() as session:
            for n, due in enumerate(("2026-08-05", "2026-08-06", "2026-08-10")):
                add_dossier(session, world.commune, world.source_id, f"D{n}", due_on=due)
        runs.run_due_nights(world.database, duty(local("2026-08-05", 1, 30)))

        done = runs.run_due_nights(world.database, duty(local("2026-08-11", 8)))

        assert [run.slot for run in done] == [f"2026-08-{day:02}" for day in range(6, 12)]
        assert [run.state for run in done] == ["done"] * 6
        assert raised(world) == [
            ("D0", 1, "due", "2026-08-05"),
            ("D0", 1, "overdue+1", "2026-08-06"),
            ("D1", 1, "due-2", "2026-08-05"),
            ("D1", 1, "overdue+1", "2026-08-07"),  # its other warning was overtaken
            ("D2", 1, "overdue+1", "2026-08-11"),
        ]

    def test_the_first_night_ever_is_only_the_newest(self, world: World) -> None:
        before_one = runs.run_due_nights(world.database, duty(local("2026-08-07", 0, 30)))

        assert [run.slot for run in before_one] == ["2026-08-06"]
        assert runs.run_due_nights(world.database, duty(local("2026-08-07", 0, 40))) == []

    def test_a_dossier_finished_meanwhile_is_not_told(self, world: World) -> None:
        received, due = local("2026-08-03", 9), date(2026, 8, 6)
        with world.database.begin() as session:
            add_dossier(
                session,
                world.commune,
                world.source_id,
                "A",
                course=finished_course(received, due, local("2026-08-09", 10)),
            )

        assert night(world, FRIDAY)["raised"] == 0

    def test_a_night_to_come_is_refused(self, world: World) -> None:
        from app.domain.night import NightToCome

        with pytest.raises(NightToCome):
            runs.run_named_night(world.database, date(2026, 8, 8), duty(local("2026-08-07", 23)))


class TestList:
    def listed(
        self,
        world: World,
        *,
        unit: UnitRow | None = None,
        as_of: datetime | None = None,
        now: datetime | None = None,
        reading: Reading = Reading.PROMISED,
        limit: int = 100,
        after: Place | None = None,
    ) -> OverduePage:
        within = unit or world.province
        with world.database.read() as session:
            return overdue.list_overdue(
                session,
                lft=within.lft,
                rgt=within.rgt,
                reading=reading,
                now=now or local("2026-08-10", 1),
                as_of=as_of,
                after=after,
                limit=limit,
            )

    def codes(self, page: OverduePage) -> list[str]:
        return [late.row.key.code for late in page.dossiers]

    def test_the_worst_come_first_with_their_working_days(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="2026-08-06")
            add_dossier(session, world.other, world.source_id, "B", due_on="2026-07-31")
            add_dossier(session, world.commune, world.source_id, "C", due_on="2026-08-10")

        page = self.listed(world)

        assert [(late.row.key.code, late.late_working_days) for late in page.dossiers] == [
            ("B", 6),
            ("A", 2),
        ]
        assert page.total == 2

    def test_a_unit_sees_its_subtree_only(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A")
            add_dossier(session, world.other, world.source_id, "B")

        assert self.codes(self.listed(world, unit=world.other)) == ["B"]

    def test_pages_follow_each_other_without_loss(self, world: World) -> None:
        with world.database.begin() as session:
            for n in range(7):
                add_dossier(session, world.commune, world.source_id, f"D{n}")

        seen: list[str] = []
        after = None
        while True:
            page = self.listed(world, limit=3, after=after)
            seen += self.codes(page)
            after = page.after
            if after is None:
                break

        assert seen == [f"D{n}" for n in range(7)]

    def test_the_past_is_listed_as_it_stood(self, world: World) -> None:
        received, due = local("2026-08-03", 9), date(2026, 8, 6)
        with world.database.begin() as session:
            add_dossier(
                session,
                world.commune,
                world.source_id,
                "A",
                course=finished_course(received, due, local("2026-08-09", 10)),
            )

        assert self.codes(self.listed(world)) == []
        assert self.codes(self.listed(world, as_of=local("2026-08-08"))) == ["A"]
        assert self.codes(self.listed(world, as_of=local("2026-08-07"))) == []
        assert self.codes(self.listed(world, as_of=local("2026-08-07") + 2 * JUST)) == ["A"]

    def test_the_future_is_not_guessed(self, world: World) -> None:
        with pytest.raises(MomentToCome):
            self.listed(world, as_of=local("2027-01-01"))

    def test_another_reading_has_its_own_list(self, world: World) -> None:
        due = date(2026, 8, 12)
        with world.database.begin() as session:
            key = add_dossier(session, world.commune, world.source_id, "A")
            add_dossier(session, world.commune, world.source_id, "B")
            session.execute(
                sa.insert(dossier_reading).values(
                    unit_id=key.unit_id,
                    source_id=key.source_id,
                    code=key.code,
                    reading="extended",
                    due_on=due,
                    due_at=local(due, 17),
                    early_before=local(due),
                    on_time_until=on_time_until(due),
                    edge_at=[local("2026-08-03", 9)],
                    edge_state=[int(State.OPEN_IN_TIME)],
                    edge_flow=[int(Flow.RECEIVED)],
                    edge_due=[due],
                )
            )

        assert self.codes(self.listed(world, reading=Reading.EXTENDED)) == ["B"]
        assert self.codes(self.listed(world)) == ["A", "B"]

    def test_apology_and_holder_are_named(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(
                session, world.commune, world.source_id, "A", apology_at=local("2026-08-07")
            )
            add_dossier(session, world.commune, world.source_id, "B", apology_exempt=True)
            add_dossier(
                session, world.commune, world.source_id, "C", apology_at=local("2026-08-11")
            )
            add_dossier(
                session,
                world.other,
                world.source_id,
                "A.1",
                is_leg=True,
                parent="A",
                leg="thuế",
                due_on="2026-08-20",
            )

        page = self.listed(world)

        assert [late.apology for late in page.dossiers] == [
            Apology.ISSUED,
            Apology.EXEMPT,
            Apology.NONE,
        ]
        assert [(late.holder.unit, late.holder.leg) for late in page.dossiers] == [
            ("H44.200", "thuế"),
            ("H44.100", None),
            ("H44.100", None),
        ]

    def test_a_missing_calendar_year_is_shown_as_unknown(self, world: World) -> None:
        with world.database.begin() as session:
            add_dossier(session, world.commune, world.source_id, "A", due_on="1999-03-02")

        assert [late.late_working_days for late in self.listed(world).dossiers] == [None]
