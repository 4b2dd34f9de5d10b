"""Alerts judged again at the moment of telling."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from app.domain.alert import Alert, DossierKey, InHand, Level, Stage, alert_id
from app.domain.digest import Dropped
from app.domain.mail import Topic
from app.domain.timeliness import Flow, State
from app.store import alerts, digests
from app.store.alerts import Addressed
from app.store.digests import Asked
from app.store.session import WriteSession
from app.store.tables import dossier
from app.store.units import UnitRow
from tests.factories import (
    Course,
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
    open_course,
)

DUE = date(2026, 8, 6)
RAISED = local("2026-08-07", 1)
NOW = local("2026-08-10", 8)


def raise_alert(
    session: WriteSession,
    unit: UnitRow,
    source_id: int,
    code: str,
    *,
    offset: int = 1,
    to: UnitRow | None = None,
) -> None:
    key = DossierKey(unit.id, source_id, code)
    late = InHand(
        key=key,
        unit=unit.code,
        source="mot-cua",
        unit_lft=unit.lft,
        due_on=DUE,
        due_at=local(DUE, 17),
        late_since=local("2026-08-07") if offset > 0 else None,
        running_since=local("2026-08-03"),
        received_at=local("2026-08-03"),
        first_recorded_at=local("2026-08-03"),
    )
    stage = Stage(offset, Level.UNIT)
    made = alert_id(unit=unit.code, source="mot-cua", code=code, episode=1, stage=stage.name)
    alert = Alert(made, late, 1, stage, RAISED + timedelta(minutes=offset), is_digest_only=False)
    addressed = Addressed(alert, (to or unit).id)
    assert alerts.add(session, [addressed], run="n", now=RAISED)


def asked(unit: UnitRow) -> Asked:
    return Asked(unit.id, "unit", frozenset(Topic), RAISED, NOW, NOW)


def test_each_alert_that_is_no_longer_true_is_dropped_for_its_reason(
    session: WriteSession,
) -> None:
    unit, source_id = make_unit(session), make_source(session)
    begins = local("2026-08-01", 9)
    paused = Course(
        (*open_course(begins, DUE).edges, (local("2026-08-08"), State.PAUSED, Flow.NONE, DUE))
    )
    done = finished_course(begins, DUE, local("2026-08-08", 9))
    add_dossier(session, unit, source_id, "true", due_on=DUE)
    add_dossier(session, unit, source_id, "closed", due_on=DUE, course=done)
    add_dossier(session, unit, source_id, "paused", due_on=DUE, course=paused)
    add_dossier(session, unit, source_id, "changed", due_on=DUE, due_at=local(DUE, 15))
    add_dossier(session, unit, source_id, "moved", due_on=DUE, is_current=False)
    add_dossier(session, unit, source_id, "passed", due_on=DUE)
    for code in ("true", "closed", "paused", "changed", "moved", "vanished"):
        raise_alert(session, unit, source_id, code)
    raise_alert(session, unit, source_id, "passed", offset=0)

    found = digests.judged(session, asked(unit))

    assert found.numbers == {("H44", "overdue+1"): 1}
    assert found.dropped == {
        Dropped.CLOSED: 1,
        Dropped.PAUSED: 1,
        Dropped.DUE_CHANGED: 1,
        Dropped.MOVED: 2,
        Dropped.PASSED: 1,
    }
    assert [*found.dropped] == [reason for reason in Dropped if reason in found.dropped]
    (line,) = found.lines
    assert (line.code, line.procedure, line.due_on) == ("true", "1.001193", DUE)


def test_what_is_extended_acknowledged_or_muted_is_left_out(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    for code in ("extended", "known", "muted", "true"):
        add_dossier(session, unit, source_id, code, due_on=DUE)
        raise_alert(session, unit, source_id, code)
    session.execute(
        sa.text(
            "INSERT INTO dossier_reading (unit_id, source_id, code, reading, edge_at, edge_state,"
            " edge_flow, edge_due) SELECT unit_id, source_id, code, 'extended',"
            " edge_at[1 : 1], edge_state[1 : 1], edge_flow[1 : 1], edge_due[1 : 1] FROM dossier"
            " WHERE code = 'extended'"
        )
    )
    session.execute(sa.text("UPDATE alert SET acknowledged_at = now() WHERE code = 'known'"))
    session.execute(
        sa.text(
            "INSERT INTO mute (id, unit_id, source_id, code, reason, until, actor, created_at)"
            " VALUES (gen_random_uuid(), :unit, :source, 'muted', 'x', :until, 't', :at)"
        ),
        {"unit": unit.id, "source": source_id, "until": NOW + timedelta(days=1), "at": RAISED},
    )

    found = digests.judged(session, asked(unit))

    assert [line.code for line in found.lines] == ["true"]
    assert found.dropped == dict.fromkeys(
        (Dropped.EXTENDED, Dropped.ACKNOWLEDGED, Dropped.MUTED), 1
    )


def test_a_dossier_with_several_stages_counts_once_with_the_latest(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    add_dossier(session, unit, source_id, "A", due_on=DUE)
    for offset in (0, 5, 1):
        raise_alert(session, unit, source_id, "A", offset=offset)

    assert digests.judged(session, asked(unit)).numbers == {("H44", "overdue+5"): 1}


def test_a_digest_is_of_its_level_its_recipient_its_window_and_its_topics(
    session: WriteSession,
) -> None:
    province = make_unit(session)
    commune = make_unit(session, "H44.1", parent=province)
    source_id = make_source(session)
    add_dossier(session, commune, source_id, "A", due_on=DUE)
    raise_alert(session, commune, source_id, "A", to=province)
    mine = asked(province)

    numbers = [
        sum(digests.judged(session, each).numbers.values())
        for each in (
            mine,
            asked(commune),
            replace(mine, level="province"),
            replace(mine, since=RAISED + timedelta(seconds=1)),
            replace(mine, until=RAISED),
            replace(mine, topics=frozenset({Topic.DUE_SOON})),
        )
    ]

    assert numbers == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("number", [7])
def test_lines_are_bounded_and_the_oldest_come_first(session: WriteSession, number: int) -> None:
    unit, source_id = make_unit(session), make_source(session)
    for n in range(number):
        add_dossier(session, unit, source_id, f"D{n}", due_on=DUE)
        raise_alert(session, unit, source_id, f"D{n}")
    session.execute(
        sa.update(dossier).where(dossier.c.code == "D5").values(on_time_until=local("2026-08-01"))
    )

    found = digests.judged(session, asked(unit), most=3)

    assert [line.code for line in found.lines] == ["D5", "D0", "D1"]
    assert found.numbers == {("H44", "overdue+1"): number}
