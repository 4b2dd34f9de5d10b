"""Lines of the trail."""

import sqlalchemy as sa

from app.store import audit
from app.store.session import WriteSession
from app.store.tables import audit as trail


def test_a_line_keeps_who_did_what_before_and_after(session: WriteSession) -> None:
    audit.append(session, actor="a", action="x.put", subject="s", before=None, after={"n": 1})

    row = session.execute(sa.select(trail)).one()

    assert (row.actor, row.action, row.subject, row.after) == ("a", "x.put", "s", {"n": 1})
    assert session.scalar(sa.select(trail.c.before.is_(sa.null()))) is True


def test_no_lines_are_no_statement(session: WriteSession) -> None:
    audit.append_many(session, [])

    assert session.scalar(sa.select(sa.func.count()).select_from(trail)) == 0
