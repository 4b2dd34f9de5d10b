"""The board: places, moves since another period, closed rounds as they were frozen, losses."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import Entry, EntryKind
from app.store import sheets
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import inputs, rule_sets, scoreboard, scorecards
from app.usecases.inputs import Tell
from app.usecases.scoreboard import Board, Delta
from app.usecases.scorecards import UnitNotAssessed
from app.usecases.subtree import unit_of
from tests.factories import make_unit
from tests.principals import holder
from tests.rule_set_texts import annex

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
QUARTER = Period(date(2026, 1, 1), date(2026, 3, 31))


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    for number in range(3):
        make_unit(session, f"H44.{number}", parent=found)
    text = annex(more="rounds: [self, verify_1]\nscore_of_record: verify_1\n")
    rule_sets.put(session, "par.h44", text, who=holder(found), now=NOW)
    for period, values in ((YEAR, (1, 2, 2)), (QUARTER, (3, 2, 1))):
        for number, value in enumerate(values):
            inputs.put(
                session,
                "par.h44",
                period,
                f"H44.{number}",
                {"not_published": Tell(value)},
                who=holder(found),
                now=NOW,
            )
    return found


def board(
    session: WriteSession,
    province: UnitRow,
    round_: Round | None = None,
    compare: Period | None = None,
) -> Board:
    who = holder(province)
    asked = scorecards.ask(session, "par.h44", YEAR, who=who, now=NOW)
    earlier = (
        None if compare is None else scorecards.ask(session, "par.h44", compare, who=who, now=NOW)
    )
    return scoreboard.board(session, asked, root=province, who=who, round_=round_, earlier=earlier)


def test_units_come_in_the_order_of_their_places_within_level_and_parent(
    session: WriteSession, province: UnitRow
) -> None:
    found = board(session, province)

    places = [(line.unit, line.place.place if line.place else None) for line in found.lines]
    assert places == [("H44.0", 1), ("H44.1", 2), ("H44.2", 2), ("H44", None)]
    assert found.lines[-1].missing == 1


def test_moves_are_told_in_points_and_places_where_one_text_scores_both(
    session: WriteSession, province: UnitRow
) -> None:
    found = board(session, province, compare=QUARTER)

    assert found.is_comparable
    assert found.deltas["H44.0"] == Delta(Fraction("0.2"), 2)
    assert found.deltas["H44.2"] == Delta(Fraction("-0.1"), -1)
    assert found.deltas["H44"] == Delta(Fraction(0), None)


def test_a_closed_round_shows_what_was_frozen(session: WriteSession, province: UnitRow) -> None:
    row = unit_of(session, holder(province), "H44.2")
    card = {"total": "1.75", "class": "Tốt", "max": "2", "status": "complete", "missing": []}
    entries = [
        Entry(EntryKind.OPENED, {}, "key:a", NOW, Round.SELF),
        Entry(EntryKind.CLOSED, {"card": {**card, "ranked_by": "1.75"}}, "key:a", NOW, Round.SELF),
    ]
    sheets.append(session, row.id, "par.h44", YEAR, entries)

    lines = {line.unit: line for line in board(session, province, round_=Round.SELF).lines}

    assert (lines["H44.2"].total, lines["H44.2"].label) == ("1.75", "Tốt")
    assert lines["H44.2"].place is not None
    assert lines["H44.2"].place.place == 1
    assert lines["H44.2"].record is not None
    assert lines["H44.0"].record is None


def test_losses_are_summed_by_role_over_a_subtree(session: WriteSession, province: UnitRow) -> None:
    asked = scorecards.ask(session, "par.h44", YEAR, who=holder(province), now=NOW)

    deep = scoreboard.lost_points(session, asked, "H44", who=holder(province), is_deep=True)
    own = scoreboard.lost_points(session, asked, "H44.0", who=holder(province), is_deep=False)

    assert deep.total == Fraction("4.5")
    assert [(role.responsible, role.lost, role.lines) for role in deep.roles] == [
        (None, Fraction("4.5"), 7)
    ]
    assert [line["leaf"] for line in own.lines] == ["on_time", "published"]


def test_a_unit_without_a_sheet_has_no_losses_of_its_own(
    session: WriteSession, province: UnitRow
) -> None:
    make_unit(session, "H44.x", parent=province, level="department")
    asked = scorecards.ask(session, "par.h44", YEAR, who=holder(province), now=NOW)

    with pytest.raises(UnitNotAssessed):
        scoreboard.lost_points(session, asked, "H44.x", who=holder(province), is_deep=False)
