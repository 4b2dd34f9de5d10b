"""Registers keep every state of every entry, and the last one known by a moment holds."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.store import registers
from app.store.registers import NewEntry, Register
from app.store.session import WriteSession
from tests import factories

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
EVERYTHING = (0, 2**62)


def specs(session: WriteSession, known_at: datetime | None = None) -> dict[str, object]:
    lft, rgt = EVERYTHING
    rows = registers.latest(session, Register.PETITION, lft=lft, rgt=rgt, known_at=known_at)
    return {row.code: row.spec["n"] for row in rows}


def test_the_last_state_known_by_a_moment_holds(session: WriteSession) -> None:
    unit = factories.make_unit(session, "H44").id
    for seq, (code, n) in enumerate([("a", 1), ("b", 2), ("a", 3)]):
        entry = NewEntry(unit, code, seq + 1, {"n": n})
        now = NOW + timedelta(hours=seq)
        registers.add(session, Register.PETITION, [entry], actor="t", now=now)

    assert specs(session) == {"a": 3, "b": 2}
    assert specs(session, NOW + timedelta(hours=1)) == {"a": 1, "b": 2}
    assert specs(session, NOW - timedelta(hours=1)) == {}


def test_registers_do_not_mix(session: WriteSession) -> None:
    unit = factories.make_unit(session, "H44").id
    entry = NewEntry(unit, "a", 1, {"n": 1})
    registers.add(session, Register.PUBLICATION, [entry], actor="t", now=NOW)

    assert specs(session) == {}
    assert registers.known(session, Register.PETITION, [(unit, "a")]) == {}
    assert registers.known(session, Register.PUBLICATION, [(unit, "a")])[unit, "a"].seq == 1


def test_what_was_told_is_never_changed(session: WriteSession) -> None:
    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(text("UPDATE register_entry SET actor = 'x'"))
