"""Words of senders: units below a root, mappings first, and a bucket for what is not certain."""

import contextlib
from datetime import UTC, date, datetime, timedelta

from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion
from app.domain.record import Told
from app.store import mappings, units
from app.store.session import WriteSession
from app.usecases import catalogue, terms
from app.usecases.catalogue import DatedLimit, ProcedureSpec
from tests.factories import make_unit

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def test_only_words_that_messages_use_are_looked_up() -> None:
    named = [(7, Told(unit="A", procedure="P")), (7, Told(status=None))]

    words = terms.words_in([named, [(8, Told(status=None))]])

    assert words.units == {(7, "A"), (8, terms.NOWHERE)}
    assert words.procedures == {(7, "P")}


def test_a_word_is_a_code_a_name_or_what_a_mapping_says(session: WriteSession) -> None:
    root = make_unit(session)
    unit = make_unit(session, "H44.100", parent=root, name="Việt Trì")
    mappings.add(session, "unit", "UBND cũ", "H44.100", root=root.id, actor="test", now=NOW)
    words = terms.words_in(
        [[(root.id, Told(unit=word))] for word in ("H44.100", "việt trì", "UBND cũ")]
    )

    found = terms.lexicon(session, words, now=NOW)

    assert set(found.unit_ids.values()) == {unit.id}
    assert units.find_bucket(session, root) is None


def test_an_unknown_word_is_the_visible_bucket_of_its_root(session: WriteSession) -> None:
    root = make_unit(session)
    words = terms.words_in([[(root.id, Told(unit="nơi nào"))]])

    found = terms.lexicon(session, words, now=NOW)

    bucket = found.by_id[found.unit_ids[root.id, "nơi nào"]]
    assert (bucket.code, bucket.is_bucket) == ("H44~unknown", True)


def test_a_unit_outside_the_root_of_the_key_is_not_known_to_it(session: WriteSession) -> None:
    root, other = make_unit(session), make_unit(session, "H56")
    words = terms.words_in([[(root.id, Told(unit="H56"))]])

    found = terms.lexicon(session, words, now=NOW)

    assert found.unit_ids[root.id, "H56"] != other.id


def test_a_procedure_is_as_it_was_known_at_a_moment_or_first(session: WriteSession) -> None:
    for days, when in ((5, NOW), (3, NOW + timedelta(days=9))):
        limit = DatedLimit(LimitVersion(TimeLimit.working_days(days), date(2020, 1, 1)))
        spec = ProcedureSpec(code="P", name="Thủ tục", limits=(limit,))
        catalogue.put_procedure(session, spec, actor="test", now=when)
    words = terms.words_in([[(0, Told(procedure="P", unit="x"))]])

    known = terms.lexicon(session, words, now=NOW).procedures[0, "P"]

    def days_at(moment: datetime) -> object:
        assert known is not None
        return known.at(moment).limits[0].limit.value

    assert days_at(NOW - timedelta(days=1)) == days_at(NOW) == 5
    assert days_at(NOW + timedelta(days=9)) == 3


def test_remembered_words_are_looked_up_again_once_the_catalogue_changed(
    session: WriteSession,
) -> None:
    root = make_unit(session)
    before, after = (make_unit(session, code, parent=root) for code in ("H44.1", "H44.2"))
    words = terms.words_in([[(root.id, Told(unit="UBND xã"))]])
    mappings.add(session, "unit", "UBND xã", "H44.1", root=root.id, actor="test", now=NOW)
    first, again = (terms.lexicon(session, words, now=NOW) for _ in range(2))

    mappings.add(session, "unit", "UBND xã", "H44.2", root=root.id, actor="test", now=NOW)
    then = terms.lexicon(session, words, now=NOW)

    assert again is first
    assert first.unit_ids == {(root.id, "UBND xã"): before.id}
    assert then.unit_ids == {(root.id, "UBND xã"): after.id}


def test_a_change_that_was_undone_leaves_no_word_behind(session: WriteSession) -> None:
    root = make_unit(session)
    words = terms.words_in([[(root.id, Told(unit="X"))]])
    seen: list[int] = []

    for code in ("H44.1", "H44.2"):
        with contextlib.suppress(RuntimeError), session.savepoint():
            unit = make_unit(session, code, parent=root)
            mappings.add(session, "unit", "X", code, root=root.id, actor="test", now=NOW)
            seen += [terms.lexicon(session, words, now=NOW).unit_ids[root.id, "X"] - unit.id]
            raise RuntimeError
    found = terms.lexicon(session, words, now=NOW)

    assert seen == [0, 0]
    assert found.by_id[found.unit_ids[root.id, "X"]].is_bucket
