"""Entries of score sheets: appended in order, read for whole subtrees, never changed."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import Entry, EntryKind
from app.store import sheets
from app.store.session import WriteSession
from app.store.tables import score_entry
from tests.factories import make_unit

NOW = datetime(2026, 8, 10, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


def said(value: str, at: datetime = NOW) -> Entry:
    body = {"x": {"value": value, "source": "declared"}}
    return Entry(EntryKind.INPUTS, body, "key:a", at, author="An")


def test_entries_come_back_in_order_by_unit_as_known(session: WriteSession) -> None:
    province = make_unit(session, "H44")
    commune = make_unit(session, "H44.1", parent=province)
    sheets.lock(session, commune.id, "a")
    sheets.append(session, commune.id, "a", YEAR, [said("1"), said("2", NOW + timedelta(days=1))])
    sheets.append(
        session,
        province.id,
        "a",
        YEAR,
        [Entry(EntryKind.OPENED, {}, "key:a", NOW, Round.SELF)],
    )

    whole = sheets.entries(session, "a", YEAR, lft=province.lft, rgt=province.rgt)
    then = sheets.entries(session, "a", YEAR, lft=commune.lft, rgt=commune.rgt, known_at=NOW)
    above = sheets.entries(
        session, "a", YEAR, lft=commune.lft, rgt=commune.rgt, above=[province.id]
    )

    assert [one.body["x"] for one in whole["H44.1"]] == [said("1").body["x"], said("2").body["x"]]
    assert whole["H44"][0].round is Round.SELF
    assert [len(then.get(code, ())) for code in ("H44", "H44.1")] == [0, 1]
    assert set(above) == {"H44", "H44.1"}
    assert sheets.entries(session, "b", YEAR, lft=0, rgt=2**62) == {}


def test_an_entry_is_never_changed(session: WriteSession) -> None:
    sheets.append(session, make_unit(session, "H44").id, "a", YEAR, [said("1")])

    with pytest.raises(sa.exc.DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.delete(score_entry))
