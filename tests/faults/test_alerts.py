"""Alerts under kills, missed nights and late imports: each once, in order, without a storm."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.store.session import Database, WriteSession
from app.store.tables import alert, dossier, job_slot, outbox, webhook
from app.store.units import UnitRow
from app.usecases import runs
from app.usecases.outbox import DUE_SOON, OVERDUE, SUMMARY
from app.usecases.runs import Duty
from tests.factories import add_dossiers, dossier_row, local, make_source, make_unit
from tests.faults.conftest import Scale
from tests.faults.harness import pause
from tests.faults.nursery import Nursery

FIRST, LAST = date(2026, 7, 30), date(2026, 8, 19)
DUE_DAYS: Final = tuple(date(2026, 8, day) for day in range(3, 6))
"""Monday to Wednesday; from FIRST to LAST every Monday to Friday is worked."""
STAGES: Final = {"due-2": -2, "due": 0, "overdue+1": 1, "overdue+5": 5, "overdue+10": 10}


def weekdays_from(day: date, number: int) -> date:
    """Count Mondays to Fridays by hand; nothing of the calendar under test is used."""
    step = timedelta(days=1 if number > 0 else -1)
    while number:
        day += step
        if day.weekday() < 5:
            number -= 1 if number > 0 else -1
    return day


OF_ALERTS = (DUE_SOON, OVERDUE, SUMMARY)


def add_receiver(session: WriteSession, unit: UnitRow, *events: str) -> None:
    session.execute(
        sa.insert(webhook).values(
            id=uuid4(),
            unit_id=unit.id,
            url="https://receiver.example/",
            events=list(events or OF_ALERTS),
            secret=b"",
        )
    )


def count_of(database: Database, *where: sa.ColumnElement[bool], of: sa.Table = alert) -> int:
    with database.read() as session:
        counted = sa.select(sa.func.count()).select_from(of).where(*where)
        return int(session.execute(counted).scalar_one())


class Hunt:
    """Finds who works on a night and kills it in the middle of that."""

    def __init__(self, database: Database, nursery: Nursery, told: dict[str, object]) -> None:
        self.database = database
        self.nursery = nursery
        self.told = told
        self.kills = 0

    def holder(self, session: WriteSession, slot: str, *, grip: bool) -> int | None:
        """Return the process that holds a night, None when nobody does.

        With a grip on its row the night cannot end, nor be taken by another.
        """
        wanted = sa.select(job_slot.c.owner).where(
            job_slot.c.job == "nightly",
            job_slot.c.slot == slot,
            job_slot.c.state == "running",
        )
        if grip:
            wanted = wanted.with_for_update()
        owner = session.execute(wanted).scalar_one_or_none()
        pid = None if owner is None else int(owner.rpartition(":")[2])
        return pid if pid in self.nursery.alive else None

    def is_done(self, slot: str) -> bool:
        return bool(
            count_of(
                self.database,
                job_slot.c.job == "nightly",
                job_slot.c.slot == slot,
                job_slot.c.state == "done",
                of=job_slot,
            )
        )

    def kill(self, slot: str, after: float, *, grip: bool) -> bool:
        """Kill whoever works on a night, let its lease lapse and put another in its place.

        Without a grip the moment is any, and it may come too late: on a fast machine the night
        is over. With one the victim dies in the middle of what it writes.
        """
        if not grip:
            pause(after)
        with self.database.begin() as session:
            pid = self.holder(session, slot, grip=grip)
            if pid is None:
                return False
            if grip:
                pause(after)
            self.nursery.kill(pid)
            session.execute(
                sa.update(job_slot)
                .where(job_slot.c.state == "running", job_slot.c.owner == f"test:{pid}")
                .values(lease_until=sa.func.now() - timedelta(seconds=1))
            )
        self.kills += 1
        self.nursery.start("nights", **self.told)
        return True


@pytest.mark.fault
def test_each_stage_of_each_episode_is_told_once_whatever_is_killed(
    fresh_database: Database,
    migrated_url: str,
    folder: Path,
    scale: Scale,
    seed: int,
    tell: Callable[..., None],
) -> None:
    """P6: workers with clocks minutes apart, killed at work; nights done again by hand."""
    chance = random.Random(seed)
    workers = 16 if scale.is_soak else 4
    kills, dossiers = scale(60, 2_000), scale(4_000, 100_000)
    with fresh_database.begin() as session:
        province = make_unit(session)
        communes = [make_unit(session, f"H44.{n}", parent=province) for n in range(4)]
        source_id = make_source(session)
        add_receiver(session, province)
        for begin in range(0, dossiers, 5_000):
            add_dossiers(
                session,
                (
                    dossier_row(
                        communes[n % 4],
                        source_id,
                        f"D{n:06}",
                        due_on=DUE_DAYS[n % 3],
                        received_at=local(date(2026, 7, 1), 9),
                    )
                    for n in range(begin, min(begin + 5_000, dossiers))
                ),
            )
        add_dossiers(
            session,
            (
                dossier_row(communes[0], source_id, f"LEG{n:04}", due_on=DUE_DAYS[0], is_leg=True)
                for n in range(dossiers // 20)
            ),
        )
    moment = folder / "moment"
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    told = {"url": migrated_url, "moment": str(moment), "batch": 250}
    moment.write_text(local(FIRST, 1, 10).isoformat())

    with Nursery() as nursery:
        hunt = Hunt(fresh_database, nursery, {**told, "skew": 0})
        for _ in range(workers):
            nursery.start("nights", **told, skew=chance.choice([-300, -120, 0, 120, 300]))
        for number, day in enumerate(days):
            moment.write_text(local(day, 1, 10).isoformat())
            share = kills * (number + 1) // len(days)
            while not hunt.is_done(day.isoformat()):
                behind = share - hunt.kills
                if behind > 0:
                    grip = behind > 2 or chance.random() < 0.5
                    hunt.kill(day.isoformat(), chance.random() * 0.08, grip=grip)
                else:
                    pause(0.01)
            if chance.random() < 0.2:
                at = local(day, 2)
                runs.run_named_night(
                    fresh_database,
                    day,
                    Duty(clock=lambda at=at: at, owner="by hand"),  # type: ignore[misc]  # the moment of this turn
                )

    with fresh_database.read() as session:
        rows = session.execute(
            sa.select(alert.c.code, alert.c.stage, alert.c.occurred_at, alert.c.is_digest_only)
        ).all()
    expected = {
        (f"D{n:06}", stage, local(weekdays_from(DUE_DAYS[n % 3], offset)))
        for n in range(dossiers)
        for stage, offset in STAGES.items()
        if weekdays_from(DUE_DAYS[n % 3], offset) <= LAST
    }
    found = {(row.code, row.stage, row.occurred_at) for row in rows}
    queued = count_of(fresh_database, of=outbox)
    per_stage = Counter(row.stage for row in rows)
    tell(
        workers=workers,
        kills=hunt.kills,
        dossiers=dossiers,
        alerts=len(rows),
        distinct=len(found),
        expected=len(expected),
        queued=queued,
        **{f"of_{stage}": number for stage, number in sorted(per_stage.items())},
    )
    assert hunt.kills >= kills * 9 // 10, "the nights ended before they could be killed"
    assert found == expected
    assert len(rows) == len(expected) == queued
    assert not any(row.is_digest_only for row in rows)


@pytest.mark.fault
def test_missed_nights_are_made_up_for_in_order_and_a_late_import_storms_nobody(
    fresh_database: Database, scale: Scale, tell: Callable[..., None]
) -> None:
    """P8: three midnights missed, and meanwhile an import of dossiers that are long late."""
    late = scale(100_000, 1_000_000)
    with fresh_database.begin() as session:
        province = make_unit(session)
        communes = [make_unit(session, f"H44.{n}", parent=province) for n in range(3)]
        source_id = make_source(session)
        for unit in (province, *communes):
            add_receiver(session, unit)
        due_days = (date(2026, 8, 4), date(2026, 8, 5), date(2026, 8, 6))
        add_dossiers(
            session,
            (
                dossier_row(communes[n % 3], source_id, f"D{n:03}", due_on=due_days[n // 10])
                for n in range(30)
            ),
        )
        first, *_ = add_dossiers(
            session,
            [
                dossier_row(
                    unit,
                    source_id,
                    f"OLD{n}",
                    due_on="2026-08-03",
                    first_recorded_at=local("2026-08-06", 15),
                )
                for n, unit in enumerate(communes)
            ],
        )
        columns = ", ".join(f'"{each.name}"' for each in dossier.c if each.name != "code")
        session.execute(
            sa.text(
                f"INSERT INTO dossier (code, {columns}) SELECT code || '-' || n, {columns}"
                " FROM dossier, generate_series(1, :number) n WHERE code LIKE 'OLD%'"
            ),
            {"number": late // 3 - 1},
        )
    imported = late // 3 * 3

    def duty(day: str, hour: int) -> Duty:
        return Duty(clock=lambda: local(day, hour), owner="test")

    runs.run_due_nights(fresh_database, duty("2026-08-04", 2))
    done = runs.run_due_nights(fresh_database, duty("2026-08-07", 8))

    with fresh_database.read() as reader:
        own = reader.execute(
            sa.select(alert.c.code, alert.c.run, alert.c.occurred_at, alert.c.is_digest_only)
            .where(alert.c.code.like("D%"), alert.c.stage == "overdue+1")
            .order_by(alert.c.code)
        ).all()
        kinds = Counter(reader.execute(sa.select(outbox.c.event_type)).scalars())
        per_receiver = reader.execute(
            sa.select(sa.func.count())
            .where(outbox.c.event_type == SUMMARY)
            .group_by(outbox.c.webhook_id)
        ).scalars()
        summaries = list(per_receiver)
        in_sum = reader.execute(
            sa.select(outbox.c.payload["data"]["total"].as_integer()).where(
                outbox.c.event_type == SUMMARY, outbox.c.unit_id == province.id
            )
        ).scalar_one()
    digest = count_of(fresh_database, alert.c.is_digest_only)
    tell(
        nights_missed=len(done),
        imported_late=imported,
        in_the_digest=digest,
        sent_one_by_one=kinds[OVERDUE] + kinds[DUE_SOON],
        summaries=sum(summaries),
    )
    assert first.unit_id == communes[0].id
    assert [run.slot for run in done] == ["2026-08-05", "2026-08-06", "2026-08-07"]
    assert [(row.code, row.run) for row in own] == [
        (f"D{n:03}", (due_days[n // 10] + timedelta(days=1)).isoformat()) for n in range(30)
    ]
    assert all(row.occurred_at == local(date.fromisoformat(row.run)) for row in own)
    assert not any(row.is_digest_only for row in own)
    assert digest == in_sum == imported
    assert kinds[OVERDUE] == 2 * len(own)  # the commune's receiver and the province's
    assert summaries == [1, 1, 1, 1]
