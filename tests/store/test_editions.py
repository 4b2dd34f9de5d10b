"""Editions are numbered in their series and never change."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.period import Period
from app.store import editions
from app.store.editions import Edition, Series
from app.store.session import WriteSession
from tests.factories import make_unit

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


def an_edition(series: Series, number: int) -> Edition:
    return Edition(series, number, NOW, NOW, f"sha256:{number}", None, NOW)


def test_the_newest_of_a_series_is_found_and_the_others_in_turn(session: WriteSession) -> None:
    series = Series(make_unit(session, "H44").id, "a-1", 2026)
    for number in (1, 2, 3):
        editions.add(session, an_edition(series, number), b"%d" % number)
    editions.add(session, an_edition(replace(series, rule_set="b-1"), 1), b"other")

    assert editions.newest(session, series) == an_edition(series, 3)
    assert [one.number for one in editions.page(session, series, below=3, limit=5)] == [2, 1]
    assert editions.find_body(session, series, 2) == b"2"
    assert editions.find_body(session, series, 4) is None
    assert editions.newest(session, replace(series, year=2025)) is None
    assert editions.rule_sets_begun(session, series.unit_id, 2026) == {"a-1", "b-1"}
    assert editions.rule_sets_used(session, YEAR, lft=0, rgt=2**62) == set()


def test_a_final_edition_names_its_closed_period(session: WriteSession) -> None:
    series = Series(make_unit(session, "H44").id, "a-1", 2026)
    final = replace(an_edition(series, 1), period_id=uuid4())
    editions.add(session, final, b"x")

    found = editions.newest(session, series)

    assert found == final
    assert found is not None
    assert found.is_final


def test_an_edition_is_never_changed(session: WriteSession) -> None:
    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(text("UPDATE feed_edition SET hash = 'x'"))
