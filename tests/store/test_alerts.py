"""Alerts: one row each, whoever raises them."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from app.domain.alert import Alert, DossierKey, InHand, Level, Stage, alert_id
from app.store import alerts
from app.store.alerts import Addressed, Kept
from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_source, make_unit

NOW = local("2026-08-07", 1)


def alert_of(
    unit: UnitRow, source_id: int, code: str, *, episode: int = 1, digest: bool = False
) -> Addressed:
    late = InHand(
        key=DossierKey(unit.id, source_id, code),
        unit=unit.code,
        source="mot-cua",
        unit_lft=unit.lft,
        due_on=local("2026-08-06", 12).date(),
        due_at=local("2026-08-06", 17) + timedelta(days=episode),
        late_since=local("2026-08-07"),
        running_since=local("2026-08-03"),
        received_at=local("2026-08-03"),
        first_recorded_at=local("2026-08-03"),
    )
    made = alert_id(unit=unit.code, source="mot-cua", code=code, episode=episode, stage="overdue+1")
    stage = Stage(1, Level.HEAD)
    alert = Alert(made, late, episode, stage, local("2026-08-07"), is_digest_only=digest)
    return Addressed(alert, unit.id)


def test_an_alert_is_written_once_and_the_first_writer_learns_it(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    one, two = (alert_of(unit, source_id, code) for code in "AB")

    first = alerts.add(session, [one], run="n1", now=NOW)
    second = alerts.add(session, [one, two], run="n2", now=NOW)

    assert first == {one.alert.id}
    assert second == {two.alert.id}
    assert alerts.add(session, [], run="n3", now=NOW) == frozenset()


def test_one_due_moment_has_one_alert_of_a_stage_whatever_number_its_episode_got(
    session: WriteSession,
) -> None:
    """Two runs that number episodes at the same time cannot tell one due moment twice."""
    unit, source_id = make_unit(session), make_source(session)
    one = alert_of(unit, source_id, "A")
    renumbered = replace(one, alert=replace(one.alert, id=uuid4(), episode=2))
    alerts.add(session, [one], run="n1", now=NOW)

    assert alerts.add(session, [renumbered], run="n2", now=NOW) == frozenset()


def test_what_a_run_kept_for_the_digest_is_counted_by_unit_and_stage(
    session: WriteSession,
) -> None:
    unit, source_id = make_unit(session), make_source(session)
    made = [alert_of(unit, source_id, code, digest=code != "C") for code in "ABC"]
    alerts.add(session, made, run="n1", now=NOW)

    assert alerts.kept_for_digest(session, "n1") == [
        Kept(unit.id, unit.code, unit.lft, "overdue+1", 2)
    ]
    assert alerts.kept_for_digest(session, "n2") == []


def test_pages_are_newest_first_filtered_and_within_the_subtree(session: WriteSession) -> None:
    province = make_unit(session)
    near, far = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    source_id = make_source(session)
    for n in range(5):
        made = alert_of(near, source_id, f"D{n}")
        alerts.add(session, [made], run="n", now=NOW + timedelta(minutes=n))
    alerts.add(session, [alert_of(far, source_id, "F")], run="n", now=NOW)

    def codes(**asked: object) -> list[str]:
        return [
            row.code
            for row in alerts.page(
                session,
                lft=near.lft,
                rgt=near.rgt,
                **{"stage": None, "since": None, "after": None, "limit": 9, **asked},  # type: ignore[arg-type] # filters of any kind
            )
        ]

    everything = alerts.page(
        session, lft=near.lft, rgt=near.rgt, stage=None, since=None, after=None, limit=2
    )
    last = everything[-1]
    assert codes() == ["D4", "D3", "D2", "D1", "D0"]
    assert codes(after=(last.raised_at, last.id)) == ["D2", "D1", "D0"]
    assert codes(since=NOW + timedelta(minutes=3)) == ["D4", "D3"]
    assert codes(stage="due") == []


def test_only_the_first_acknowledgement_counts(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    made = alert_of(unit, source_id, "A")
    alerts.add(session, [made], run="n", now=NOW)

    first = alerts.acknowledge(session, made.alert.id, by="key:a", now=NOW)
    second = alerts.acknowledge(session, made.alert.id, by="key:b", now=NOW)

    found = alerts.find(session, made.alert.id, lft=unit.lft, rgt=unit.rgt)
    assert (first, second) == (True, False)
    assert found is not None
    assert (found.level, found.recipient) == ("head", unit.code)
    assert (found.acknowledged_by, found.acknowledged_at) == ("key:a", NOW)
    assert alerts.find(session, uuid4(), lft=unit.lft, rgt=unit.rgt) is None
    assert alerts.find(session, made.alert.id, lft=unit.rgt + 1, rgt=unit.rgt + 2) is None
