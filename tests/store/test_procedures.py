"""Procedures as rows."""

from datetime import UTC, datetime

import pytest

from app.store import procedures
from app.store.procedures import ProcedureUnknown
from app.store.session import WriteSession

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def put(session: WriteSession, code: str, revision: int = 1, **spec: str) -> None:
    told = {"code": code, "name": code, **spec}
    procedures.put(session, {code: told}, revisions={code: revision}, actor="t", now=NOW)


def test_a_new_state_replaces_the_last_one_in_its_row(session: WriteSession) -> None:
    put(session, "1", field="F")
    put(session, "1", 2, field="G")

    row = procedures.get(session, "1")

    assert (row.revision, row.field, row.spec["field"]) == (2, "G", "G")
    assert procedures.by_id(session, [row.id]) == {row.id: row}


def test_a_page_goes_on_after_a_code(session: WriteSession) -> None:
    for code in ("1", "2", "3"):
        put(session, code, field="F" if code != "2" else "G", level="commune")

    assert [row.code for row in procedures.page(session, after="1", limit=1)] == ["2"]
    fields = procedures.page(session, after=None, limit=9, field="F", level="commune")
    assert [row.code for row in fields] == ["1", "3"]


def test_a_procedure_nobody_told_is_unknown(session: WriteSession) -> None:
    with pytest.raises(ProcedureUnknown):
        procedures.get(session, "9")
