"""Silences as rows."""

from datetime import date, timedelta
from uuid import uuid4

from app.store import freshness, silences
from app.store.session import WriteSession
from app.store.silences import Fallen
from tests.factories import local, make_source, make_unit

NOW = local("2026-08-10", 8)
HEARD = date(2026, 8, 3)


def test_a_silence_is_raised_once_and_ends_when_the_source_is_heard(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    freshness.hear(session, source_id, [unit.id], on=HEARD)
    fallen = [Fallen(uuid4(), "mot-cua", HEARD, 1)]

    first, second = (silences.add(session, fallen, now=NOW) for _ in range(2))

    assert (len(first), len(second)) == (1, 0)
    assert silences.resolve(session, now=NOW) == 0
    window = {"since": NOW, "until": NOW + timedelta(hours=1)}
    (raised,) = silences.raised(session, lft=unit.lft, rgt=unit.rgt, **window)
    assert (raised.source, raised.resolved_at) == ("mot-cua", None)
    freshness.hear(session, source_id, [unit.id], on=date(2026, 8, 10))
    assert [silences.resolve(session, now=NOW) for _ in range(2)] == [1, 0]
    assert silences.raised(session, lft=unit.lft, rgt=unit.rgt, **window) == []
    (kept,) = silences.newest(session, lft=unit.lft, rgt=unit.rgt, most=9)
    assert kept.resolved_at == NOW
    assert silences.add(session, [], now=NOW) == frozenset()


def test_a_silence_concerns_the_units_of_which_the_source_told(session: WriteSession) -> None:
    province = make_unit(session)
    mine, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    source_id = make_source(session)
    freshness.hear(session, source_id, [mine.id], on=HEARD)
    silences.add(session, [Fallen(uuid4(), "mot-cua", HEARD, 1)], now=NOW)

    seen = [
        len(silences.newest(session, lft=unit.lft, rgt=unit.rgt, most=9))
        for unit in (province, mine, other)
    ]

    assert seen == [1, 1, 0]
    assert silences.places(session, ["mot-cua"]) == {"mot-cua": [mine.lft]}
