"""What a sender's own words mean: below its root, and the last word holds."""

from datetime import UTC, datetime

from app.store import mappings
from app.store.session import WriteSession

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_the_last_word_of_a_root_holds(session: WriteSession) -> None:
    for target in ("H44.100", "H44.101"):
        mappings.add(session, "unit", "P. Việt Trì", target, root=1, actor="test", now=NOW)
    mappings.add(session, "unit", "P. Việt Trì", "H56.1", root=2, actor="test", now=NOW)

    found = mappings.targets(session, "unit", ["P. Việt Trì", "khác"], root=1)

    assert found == {"P. Việt Trì": "H44.101"}
    assert [one.target for one in mappings.listed(session, "unit", root=1)] == ["H44.101"]


def test_words_for_units_and_procedures_are_kept_apart(session: WriteSession) -> None:
    mappings.add(session, "procedure", "1.1", "1.001193", root=1, actor="test", now=NOW)

    assert mappings.targets(session, "unit", ["1.1"], root=1) == {}
    assert mappings.targets(session, "procedure", [], root=1) == {}
