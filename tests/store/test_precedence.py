"""The last word for a unit holds, and earlier words stay readable."""

from datetime import UTC, datetime, timedelta

from app.store import precedence
from app.store.session import WriteSession
from tests.factories import make_source, make_unit

NOW = datetime(2026, 8, 10, tzinfo=UTC)


def test_the_last_word_of_each_unit_holds(session: WriteSession) -> None:
    unit, other = make_unit(session, "H44"), make_unit(session, "H15")
    source = make_source(session, "bo")
    precedence.add(session, unit.id, source, actor="a", now=NOW)
    precedence.add(session, unit.id, None, actor="b", now=NOW + timedelta(days=1))
    precedence.add(session, other.id, source, actor="a", now=NOW)

    found = {word.unit: (word.source, word.actor) for word in precedence.listed(session)}

    assert found == {"H44": (None, "b"), "H15": ("bo", "a")}
    assert [word.source for word in precedence.history(session, unit.id)] == [None, "bo"]
