"""Mutes as rows."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from app.domain.alert import DossierKey
from app.store import mutes
from app.store.mutes import Told
from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_source, make_unit

NOW = local("2026-08-10", 8)
LATER = NOW + timedelta(days=1)


def add(session: WriteSession, unit: UnitRow, **more: object) -> UUID:
    made = uuid4()
    values = {"id": made, "unit_id": unit.id, "reason": "other", "until": LATER, "actor": "t"}
    mutes.add(session, {**values, "created_at": NOW, **more})
    return made


def muted(session: WriteSession, *told: Told, now: datetime = NOW) -> set[int]:
    return set(mutes.muted_until(session, told, now=now))


def test_a_mute_holds_for_its_dossier_or_its_units_and_its_stage(session: WriteSession) -> None:
    province = make_unit(session)
    mine, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    source_id = make_source(session)
    told = [
        Told(DossierKey(unit.id, source_id, code), unit.lft, stage)
        for unit in (mine, other)
        for code in ("A", "B")
        for stage in ("due", "overdue+1")
    ]
    assert muted(session, *told) == set()
    assert mutes.muted_until(session, [], now=NOW) == {}

    one = add(session, mine, source_id=source_id, code="A", stage="due")
    assert muted(session, *told) == {0, 4}
    mutes.lift(session, one, by="t", now=NOW)
    assert muted(session, *told) == set()
    add(session, other, stage="overdue+1")
    assert muted(session, *told) == {5, 7}
    add(session, province)
    assert muted(session, *told) == set(range(8))
    assert muted(session, *told, now=LATER) == set()


def test_a_mute_is_lifted_once_and_stays_on_record(session: WriteSession) -> None:
    unit = make_unit(session)
    made = add(session, unit)

    lifted = [mutes.lift(session, made, by="x", now=NOW) for _ in range(2)]

    assert lifted == [True, False]
    found = mutes.find(session, made)
    assert found is not None
    assert (found.lifted_by, found.unit, found.source) == ("x", "H44", None)


def test_mutes_are_paged_newest_first(session: WriteSession) -> None:
    unit = make_unit(session)
    made = {add(session, unit) for _ in range(3)}
    add(session, unit, until=NOW)
    within = {"lft": unit.lft, "rgt": unit.rgt}

    first = mutes.page(session, **within, live_at=NOW, after=None, limit=2)
    place = (NOW, first[-1].id)
    rest = mutes.page(session, **within, live_at=NOW, after=place, limit=2)

    assert {row.id for row in first + rest} == made
    assert len(mutes.page(session, **within, live_at=None, after=None, limit=9)) == 4
