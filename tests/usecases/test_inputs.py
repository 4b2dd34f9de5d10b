"""What is put on sheets by hand: appended, checked, closed with the unit's own round."""

from datetime import UTC, date, datetime

import pytest

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import Entry, EntryKind
from app.store import sheets
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import inputs, rule_sets
from app.usecases.access import Scope
from app.usecases.inputs import InputsClosed, InputsRefused, Tell
from app.usecases.scorecards import UnitNotAssessed
from app.usecases.subtree import unit_of
from tests.factories import make_unit
from tests.principals import holder
from tests.rule_set_texts import annex

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    make_unit(session, "H44.1", parent=found)
    text = annex(more="rounds: [self, verify_1, explain]\n")
    rule_sets.put(session, "par.h44", text, who=holder(found), now=NOW)
    return found


def put(session: WriteSession, unit: UnitRow, value: object, *scopes: Scope) -> inputs.Told:
    told = {"not_published": Tell(value)}
    return inputs.put(
        session, "par.h44", YEAR, "H44.1", told, who=holder(unit, *scopes), now=NOW, author="An"
    )


def rounds(session: WriteSession, commune: UnitRow, *kinds: tuple[EntryKind, Round]) -> None:
    entries = [Entry(kind, {"card": {}}, "key:a", NOW, round_) for kind, round_ in kinds]
    sheets.append(session, commune.id, "par.h44", YEAR, entries)


def test_what_is_told_is_kept_with_its_author_and_every_earlier_word(
    session: WriteSession, province: UnitRow
) -> None:
    put(session, province, 1)
    done = put(session, province, 2)

    kept = sheets.entries(session, "par.h44", YEAR, lft=province.lft, rgt=province.rgt)["H44.1"]

    assert [one.body["not_published"] for one in kept] == [
        {"value": "1", "source": "declared", "note": None},
        {"value": "2", "source": "declared", "note": None},
    ]
    assert (done.changed, done.sheet.inputs["not_published"].author) == (("not_published",), "An")


def test_the_same_again_writes_nothing(session: WriteSession, province: UnitRow) -> None:
    put(session, province, 1)

    assert put(session, province, 1).changed == ()


def test_everything_wrong_is_named_at_once_and_nothing_is_kept(
    session: WriteSession, province: UnitRow
) -> None:
    told = {"not_published": Tell(-1), "x": Tell(1), "resolved": Tell("nhiều")}

    with pytest.raises(InputsRefused) as refusal:
        inputs.put(
            session,
            "par.h44",
            YEAR,
            "H44.1",
            told,
            who=holder(province),
            now=NOW,
            responsible={"y": "z"},
        )

    assert [one.code for one in refusal.value.faults] == [
        "input.too_small",
        "input.unknown",
        "input.not_number",
        "input.unknown_leaf",
    ]
    assert sheets.entries(session, "par.h44", YEAR, lft=province.lft, rgt=province.rgt) == {}


def test_after_its_own_round_a_unit_waits_for_the_explanation(
    session: WriteSession, province: UnitRow
) -> None:
    commune = unit_of(session, holder(province), "H44.1")
    rounds(session, commune, (EntryKind.OPENED, Round.SELF), (EntryKind.CLOSED, Round.SELF))

    with pytest.raises(InputsClosed):
        put(session, commune, 5)
    with pytest.raises(InputsClosed):
        put(session, province, 5, Scope.INDEX_WRITE)
    assert put(session, province, 5).changed
    rounds(
        session,
        commune,
        (EntryKind.OPENED, Round.VERIFY_1),
        (EntryKind.CLOSED, Round.VERIFY_1),
        (EntryKind.OPENED, Round.EXPLAIN),
    )
    assert put(session, commune, 6).changed


def test_a_verifier_stands_strictly_above(session: WriteSession, province: UnitRow) -> None:
    commune = unit_of(session, holder(province), "H44.1")

    assert inputs.may_verify(holder(province), commune)
    assert inputs.may_verify(holder(None), commune)
    assert not inputs.may_verify(holder(commune), commune)
    assert not inputs.may_verify(holder(province, Scope.INDEX_WRITE), commune)


def test_a_set_of_another_office_is_not_told_anything(
    session: WriteSession, province: UnitRow
) -> None:
    make_unit(session, "H15")

    with pytest.raises(UnitNotAssessed):
        inputs.put(session, "par.h44", YEAR, "H15", {}, who=holder(None), now=NOW)


def test_values_to_be_supposed_are_read_like_told_ones(
    session: WriteSession, province: UnitRow
) -> None:
    rule_set = rule_sets.history(session, "par.h44")[0].rule_set

    assert inputs.read_replacements(rule_set, {"resolved": 5}) == {"resolved": "5"}
    with pytest.raises(InputsRefused):
        inputs.read_replacements(rule_set, {"resolved": "x", "y": 1})
