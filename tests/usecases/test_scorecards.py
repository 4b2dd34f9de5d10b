"""Sheets of whole subtrees: what is read for them, and what they are scored from."""

from datetime import UTC, date, datetime

import pytest

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import Entry, EntryKind
from app.store import sheets
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import inputs, rule_sets, scorecards
from app.usecases.inputs import Tell
from app.usecases.scorecards import Asked, PeriodNotAssessed, UnitNotAssessed
from app.usecases.subtree import unit_of
from tests.factories import make_source, make_unit
from tests.principals import holder
from tests.rule_set_texts import annex
from tests.score_sheets import handle

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    source = make_source(session)
    for number, late in ((1, 0), (2, 1)):
        commune = make_unit(session, f"H44.{number}", parent=found)
        handle(session, commune, source, on_time=20 - late, late=late)
    rule_sets.put(session, "par.h44", annex(), who=holder(found), now=NOW)
    return found


def asked(session: WriteSession, province: UnitRow, period: Period = YEAR) -> Asked:
    return scorecards.ask(session, "par.h44", period, who=holder(province), now=NOW)


def tell(session: WriteSession, province: UnitRow, code: str, value: object) -> None:
    inputs.put(
        session,
        "par.h44",
        YEAR,
        code,
        {"not_published": Tell(value)},
        who=holder(province),
        now=NOW,
    )


def test_a_unit_is_scored_from_its_subtree_with_its_place_among_its_peers(
    session: WriteSession, province: UnitRow
) -> None:
    for code in ("H44", "H44.1", "H44.2"):
        tell(session, province, code, 1)
    question = asked(session, province)

    one = scorecards.one(session, question, "H44.2", who=holder(province))
    top = scorecards.one(session, question, "H44", who=holder(province))

    assert one.assessed.card.printed == "1.85"
    assert one.assessed.place is not None
    assert (one.assessed.place.place, one.assessed.place.of) == (2, 2)
    assert top.assessed.tally.to_dict()["progress_766_received"] == 40
    assert top.assessed.place is None


def test_what_if_moves_one_unit_and_leaves_its_peers(
    session: WriteSession, province: UnitRow
) -> None:
    for code in ("H44.1", "H44.2"):
        tell(session, province, code, 1)
    found = scorecards.one(session, asked(session, province), "H44.2", who=holder(province))

    supposed = scorecards.what_if(found, {"resolved_in_time": 20, "not_published": 0})

    assert (supposed.then.card.printed, supposed.now.card.printed) == ("2.00", "1.85")
    assert supposed.then.place is not None
    assert supposed.then.place.place == 1


def test_a_rounds_words_replace_inputs_and_give_points_in_that_round_alone(
    session: WriteSession, province: UnitRow
) -> None:
    tell(session, province, "H44.1", 1)
    row = unit_of(session, holder(province), "H44.1")
    said: dict[str, object] = {
        "on_time": {"score": "0.5"},
        "published": {"inputs": {"not_published": "3"}},
    }
    text = annex(more="rounds: [self, verify_1]\n")
    rule_sets.put(session, "par.h44", text, who=holder(province), now=NOW, replaces=1)
    sheets.append(
        session,
        row.id,
        "par.h44",
        YEAR,
        [
            Entry(EntryKind.OPENED, {}, "key:a", NOW, Round.SELF),
            Entry(EntryKind.FILLED, said, "key:a", NOW, Round.SELF),
        ],
    )
    question = asked(session, province)

    live = scorecards.one(session, question, "H44.1", who=holder(province))
    own = scorecards.one(session, question, "H44.1", who=holder(province), round_=Round.SELF)

    assert (live.assessed.card.printed, own.assessed.card.printed) == ("1.90", "1.20")
    assert own.assessed.card.leaves[0].branch.code == "given.points"


def test_a_period_of_another_length_is_not_assessed(
    session: WriteSession, province: UnitRow
) -> None:
    with pytest.raises(PeriodNotAssessed):
        asked(session, province, Period(date(2026, 1, 5), date(2026, 2, 20)))
    text = annex(last="2026-02-20")
    rule_sets.put(session, "par.h44", text, who=holder(province), now=NOW, replaces=1)
    cut = Period(date(2026, 1, 1), date(2026, 2, 20))
    assert asked(session, province, cut).period == cut


def test_a_set_of_another_office_judges_nobody_here(
    session: WriteSession, province: UnitRow
) -> None:
    other = make_unit(session, "H15")
    question = scorecards.ask(session, "par.h44", YEAR, who=holder(None), now=NOW)

    with pytest.raises(UnitNotAssessed):
        scorecards.one(session, question, other.code, who=holder(None))


def test_lines_that_inherit_what_is_counted_above_read_the_whole_unit_above(
    session: WriteSession, province: UnitRow
) -> None:
    text = annex("copy").replace(
        "      zero_den: zero\n", "      zero_den: zero\n      inherit: {from: province}\n"
    )
    rule_sets.put(session, "copy", text, who=holder(province), now=NOW)
    question = scorecards.ask(session, "copy", YEAR, who=holder(province), now=NOW)

    found = scorecards.one(session, question, "H44.2", who=holder(province))

    assert dict(found.assessed.card.leaves[0].inputs) == {"resolved_in_time": 39, "resolved": 40}
