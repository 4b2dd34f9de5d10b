"""The last word of a source and a unit holds, and earlier words stay readable."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store import retirements
from app.store.session import WriteSession
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, tzinfo=UTC)
DAY = date(2026, 8, 1)


def test_the_last_word_of_each_source_and_unit_holds(session: WriteSession) -> None:
    unit, other = make_unit(session, "H44"), make_unit(session, "H15")
    source = make_source(session, "bo")
    said = [(unit, DAY, "a"), (unit, None, "b"), (other, DAY, "c")]
    for number, (where, day, reason) in enumerate(said):
        at = NOW + timedelta(days=number)
        retirements.add(session, where.id, source, from_on=day, reason=reason, actor="t", now=at)

    holding = {one.unit: (one.source, one.from_on) for one in retirements.holding(session)}
    history = retirements.history(session, unit.id, source)
    within = retirements.said(session, lft=unit.lft, rgt=unit.rgt, most=9)

    assert holding == {"H44": ("bo", None), "H15": ("bo", DAY)}
    assert [one.reason for one in history] == [one.reason for one in within] == ["b", "a"]


def test_what_was_said_cannot_be_changed(session: WriteSession) -> None:
    unit, source = make_unit(session), make_source(session)
    retirements.add(session, unit.id, source, from_on=DAY, reason="x", actor="t", now=NOW)

    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.text("DELETE FROM retirement"))
