"""Settings of alerts as rows: the newest state of each unit."""

from app.store import alert_settings
from app.store.session import WriteSession
from tests.factories import local, make_unit

NOW = local("2026-08-03", 9)


def test_the_newest_state_of_each_unit_is_read(session: WriteSession) -> None:
    one, two = make_unit(session), make_unit(session, "H15")
    for unit, seq, spec in ((one, 1, {"a": 1}), (one, 2, None), (two, 1, {"b": 2})):
        alert_settings.append(session, unit.id, seq=seq, spec=spec, actor="test", now=NOW)

    found = alert_settings.every(session)

    assert {each.unit: (each.seq, each.spec) for each in found.values()} == {
        "H44": (2, None),
        "H15": (1, {"b": 2}),
    }
