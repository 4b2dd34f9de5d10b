"""Alerts: one row each, whoever raises them."""

from datetime import timedelta
from uuid import uuid4

from app.domain.alert import Alert, DossierKey, Overdue, alert_id
from app.store import alerts
from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import local, make_source, make_unit

NOW = local("2026-08-07", 1)


def alert_of(unit: UnitRow, source_id: int, code: str, *, episode: int = 1) -> Alert:
    late = Overdue(
        key=DossierKey(unit.id, source_id, code),
        unit=unit.code,
        source="mot-cua",
        unit_lft=unit.lft,
        due_on=local("2026-08-06", 12).date(),
        due_at=local("2026-08-06", 17) + timedelta(days=episode),
        late_since=local("2026-08-07"),
        first_recorded_at=local("2026-08-03"),
    )
    made = alert_id(unit=unit.code, source="mot-cua", code=code, episode=episode, stage="overdue+1")
    return Alert(made, late, episode, "overdue+1", local("2026-08-07"), is_digest_only=False)


def test_an_alert_is_written_once_and_the_first_writer_learns_it(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    one, two = (alert_of(unit, source_id, code) for code in "AB")

    first = alerts.add(session, [one], run="n1", now=NOW)
    second = alerts.add(session, [one, two], run="n2", now=NOW)

    assert first == {one.id}
    assert second == {two.id}
    assert alerts.add(session, [], run="n3", now=NOW) == frozenset()


def test_former_episodes_are_known_by_their_due_moments(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    made = [alert_of(unit, source_id, "A", episode=n) for n in (1, 2)]
    alerts.add(session, made, run="n", now=NOW)
    key, other = made[0].overdue.key, DossierKey(unit.id, source_id, "B")

    found = alerts.former(session, [key, other])

    assert found[key] == {each.episode: each.overdue.due_at for each in made}
    assert other not in found
    assert alerts.former(session, []) == {}


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

    first = alerts.acknowledge(session, made.id, by="key:a", now=NOW)
    second = alerts.acknowledge(session, made.id, by="key:b", now=NOW)

    found = alerts.find(session, made.id, lft=unit.lft, rgt=unit.rgt)
    assert (first, second) == (True, False)
    assert found is not None
    assert (found.acknowledged_by, found.acknowledged_at) == ("key:a", NOW)
    assert alerts.find(session, uuid4(), lft=unit.lft, rgt=unit.rgt) is None
    assert alerts.find(session, made.id, lft=unit.rgt + 1, rgt=unit.rgt + 2) is None
