"""Settings of alerts: inherited, changed without loss, and without a storm."""

from dataclasses import replace
from datetime import datetime, time

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.domain.alert import STAGES, Level, Stage
from app.store.session import WriteSession
from app.store.tables import alert_setting
from app.usecases import alert_settings
from app.usecases.access import Principal, Scope
from app.usecases.alert_settings import AS_SHIPPED, HeldSetting, Setting, StageTwice
from tests.factories import local, make_unit

MONDAY, TUESDAY = local("2026-08-03", 9), local("2026-08-04", 9)


def principal() -> Principal:
    return Principal(
        key_id=1,
        prefix="p",
        name="test",
        source_id=1,
        source_code="mot-cua",
        unit_id=None,
        unit_code=None,
        lft=0,
        rgt=2**62,
        scopes=frozenset(Scope),
    )


def put(
    session: WriteSession,
    unit: str,
    *stages: Stage,
    at: tuple[time, ...] = (),
    now: datetime = MONDAY,
) -> HeldSetting:
    return alert_settings.put_setting(
        session, unit, stages=stages, digest_at=at, who=principal(), now=now
    )


def test_the_nearest_setting_on_the_way_up_holds(session: WriteSession) -> None:
    province = make_unit(session)
    commune = make_unit(session, "H44.1", parent=province)
    village = make_unit(session, "H44.1.1", parent=commune)
    other = make_unit(session, "H44.2", parent=province)
    put(session, "H44.1", Stage(3, Level.HEAD))

    found = alert_settings.settings_of(session, [each.id for each in (province, village, other)])

    assert [stage.offset for stage in found[village.id].stages] == [3]
    assert found[province.id] == found[other.id] == AS_SHIPPED


def test_a_new_stage_begins_today_and_a_kept_one_goes_on(session: WriteSession) -> None:
    make_unit(session)

    first = put(session, "H44", Stage(1, Level.UNIT), Stage(3, Level.HEAD))
    second = put(session, "H44", Stage(3, Level.PARENT), Stage(7, Level.HEAD), now=TUESDAY)

    assert [(each.offset, each.since) for each in first.setting.stages] == [(1, None), (3, MONDAY)]
    assert [(each.offset, each.level, each.since) for each in second.setting.stages] == [
        (3, Level.PARENT, MONDAY),
        (7, Level.HEAD, TUESDAY),
    ]


def test_every_state_stays_on_record_and_the_same_again_is_no_new_one(
    session: WriteSession,
) -> None:
    make_unit(session)
    put(session, "H44", Stage(3), at=(time(7, 30),))
    put(session, "H44", Stage(3), at=(time(7, 30), time(7, 30)), now=TUESDAY)
    alert_settings.inherit_setting(session, "H44", who=principal(), now=TUESDAY)
    alert_settings.inherit_setting(session, "H44", who=principal(), now=TUESDAY)
    again = put(session, "H44", *STAGES, now=TUESDAY)

    seqs = session.execute(sa.select(alert_setting.c.seq, alert_setting.c.spec.is_(None))).all()
    assert sorted(tuple(row) for row in seqs) == [(1, False), (2, True), (3, False)]
    assert again.told is not None
    assert again.told.seq == 3
    assert again.setting == Setting(tuple(replace(stage, since=None) for stage in STAGES))


def test_a_state_is_never_rewritten(session: WriteSession) -> None:
    make_unit(session)
    put(session, "H44", Stage(3))

    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.update(alert_setting).values(seq=9))


def test_two_stages_on_one_day_are_refused(session: WriteSession) -> None:
    make_unit(session)

    with pytest.raises(StageTwice) as refused:
        put(session, "H44", Stage(3, Level.UNIT), Stage(3, Level.HEAD))

    assert refused.value.stage == "overdue+3"


def test_every_stage_in_use_is_known_to_the_run(session: WriteSession) -> None:
    make_unit(session)
    put(session, "H44", Stage(-9), Stage(3))

    offsets = [stage.offset for stage in alert_settings.every_stage(session)]

    assert offsets == [-9, -2, 0, 1, 3, 5, 10]
