"""SQL and the domain agree on who is overdue, since when and in which order."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.alert import Alert, Stage, overdue_since
from app.domain.timeliness import Flow, Reading, State
from app.store import alerts, overdue
from app.store.alerts import Addressed
from app.store.overdue import Look
from app.store.session import Database
from app.store.tables import dossier
from tests.factories import (
    Course,
    add_dossier,
    add_dossiers,
    dossier_row,
    local,
    make_source,
    make_unit,
)

START = datetime(2026, 8, 3, tzinfo=UTC)
STATES = (State.OPEN_IN_TIME, State.OPEN_OVERDUE, State.PAUSED, State.FINISHED_LATE)


def look_at(as_of: datetime) -> Look:
    """Return a look for what is overdue, and for nothing ahead."""
    return Look(
        as_of=as_of,
        now=as_of,
        since=None,
        until=as_of,
        warnings={},
        overdue={"overdue+1": date(2026, 12, 31)},
    )


LEG = {"is_leg": True, "is_counted": False}

courses = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(STATES)), min_size=1, max_size=6
).map(
    lambda steps: Course(
        tuple(
            (START + timedelta(hours=hours), state, Flow.NONE, None)
            for hours, state in sorted(steps, key=lambda step: step[0])
        )
    )
)


@given(course=courses, hours=st.integers(-5, 405), step=st.sampled_from([-1, 0, 1]))
@settings(max_examples=60)
def test_sql_says_overdue_exactly_when_the_domain_does(
    database: Database, course: Course, hours: int, step: int
) -> None:
    as_of = START + timedelta(hours=hours, microseconds=step)
    since = overdue_since(
        [at for at, *_ in course.edges], [int(state) for _, state, _, _ in course.edges], as_of
    )

    with database.begin() as session, session.savepoint():
        session.execute(sa.delete(dossier))
        unit = make_unit(session, uuid4().hex)
        add_dossier(
            session,
            unit,
            make_source(session),
            "A",
            course=course,
            due_on="2026-08-02",
            on_time_until=START - timedelta(days=9),
            is_open=True,
        )
        found = overdue.candidates(session, look_at(as_of), after=None, limit=9, most=9).found
        listed = overdue.page(
            session,
            lft=unit.lft,
            rgt=unit.rgt,
            as_of=as_of,
            reading=Reading.PROMISED,
            open_now=False,
            after=None,
            limit=9,
        )

    assert [each.dossier.late_since for each in found] == ([] if since is None else [since])
    assert len(listed) == len(found)


@pytest.mark.parametrize(("limit", "most"), [(2, 9), (9, 1), (9, 2), (3, 2), (9, 4), (1, 1)])
def test_batches_follow_the_key_and_end(database: Database, limit: int, most: int) -> None:
    with database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        days = ["2026-08-04", "2026-08-03", "2026-08-04", "2026-08-05", "2026-08-20"]
        rows = [dossier_row(unit, source_id, f"D{n}", due_on=day) for n, day in enumerate(days)]
        rows.insert(3, dossier_row(unit, source_id, "D2 leg", due_on="2026-08-04") | LEG)
        add_dossiers(session, iter(rows))
        seen, looked_at, after = [], 0, None
        look = look_at(local("2026-08-10"))
        while True:
            batch = overdue.candidates(session, look, after=after, limit=limit, most=most)
            seen += [each.dossier.key.code for each in batch.found]
            looked_at += batch.looked_at
            assert len(batch.found) <= most
            after = batch.after
            if after is None:
                break

    assert seen == ["D1", "D0", "D2", "D3"]
    assert looked_at == 5


def test_what_was_raised_before_comes_with_a_candidate(database: Database) -> None:
    with database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        for code in "AB":
            add_dossier(session, unit, source_id, code, due_on="2026-08-03")
        dossiers = {
            each.dossier.key.code: each.dossier
            for each in overdue.candidates(
                session, look_at(local("2026-08-10")), after=None, limit=9, most=9
            ).found
        }
        now_due = dossiers["A"].due_at
        for episode, due_at, name in ((1, local("2026-07-01"), 1), (2, now_due, 5)):
            stage = Stage(name)
            dossier = replace(dossiers["A"], due_at=due_at)
            alert = Alert(uuid4(), dossier, episode, stage, local("2026-08-07"), False)
            alerts.add(session, [Addressed(alert, unit.id)], run="n", now=local("2026-08-07"))

        look = look_at(local("2026-08-10"))
        one, two = overdue.candidates(session, look, after=None, limit=9, most=9).found

    assert (one.told, two.told) == (("overdue+5",), ())
    assert one.former == {local("2026-07-01"): 1, now_due: 2}
    assert two.former == {}


def test_the_walk_uses_the_partial_index(fresh_database: Database) -> None:
    """A batch must not read the whole table, wherever it begins."""
    with fresh_database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        add_dossiers(
            session,
            (
                dossier_row(unit, source_id, f"D{n:05}", due_on="2026-08-04", is_open=n % 50 == 0)
                for n in range(2_000)
            ),
        )
        session.execute(sa.text("ANALYZE dossier"))
        plan = session.scalars(
            sa.text(
                "EXPLAIN SELECT code FROM dossier WHERE is_open AND on_time_until < now() AND "
                "(on_time_until, unit_id, source_id, code) > (timestamptz '2026-08-01', 0, 0, '') "
                "ORDER BY on_time_until, unit_id, source_id, code LIMIT 500"
            )
        ).all()

        assert any("ix_dossier_open_on_time_until" in line for line in plan), plan
