"""Rounds: who may speak when, what is frozen, and self-score against appraisal."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import RoundClosed, RoundOutOfOrder, RoundUnknown
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import evidence, inputs, rounds, rule_sets, scorecards
from app.usecases.access import Principal, Scope, ScopeMissing
from app.usecases.inputs import InputsRefused, Tell, VerifierBelow
from app.usecases.rounds import DeadlineToCome, Done, Wish, Word
from app.usecases.subtree import unit_of
from tests.factories import make_unit
from tests.principals import holder
from tests.rule_set_texts import annex

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
ROUNDS = "rounds: [self, verify_1, explain, verify_2]\nscore_of_record: verify_2\n"


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    make_unit(session, "H44.1", parent=found)
    rule_sets.put(session, "par.h44", annex(more=ROUNDS), who=holder(found), now=NOW)
    told = {"not_published": Tell(1)}
    inputs.put(session, "par.h44", YEAR, "H44.1", told, who=holder(found), now=NOW)
    return found


@pytest.fixture
def commune(session: WriteSession, province: UnitRow) -> UnitRow:
    return unit_of(session, holder(province), "H44.1")


def write(
    session: WriteSession,
    who: Principal,
    round_: Round,
    now: datetime = NOW,
    **wish: Any,
) -> Done:
    asked = scorecards.ask(session, "par.h44", YEAR, who=who, now=now)
    return rounds.write(session, asked, "H44.1", Wish(round_, **wish), who=who, now=now)


def total(done: Done) -> object:
    assert done.state.card is not None
    return done.state.card["total"]


class TestOrder:
    def test_the_whole_way_from_self_score_to_the_score_of_record(
        self, session: WriteSession, province: UnitRow, commune: UnitRow
    ) -> None:
        unit, council = holder(commune, Scope.INDEX_WRITE), holder(province, Scope.INDEX_VERIFY)

        own = write(
            session, unit, Round.SELF, leaves={"on_time": Word("0.9", note="n")}, close=True
        )
        first = write(
            session,
            council,
            Round.VERIFY_1,
            leaves={"on_time": Word("0.5"), "published": Word(inputs={"not_published": 3})},
            close=True,
        )
        answer = write(session, unit, Round.EXPLAIN, leaves={"on_time": Word("0.8")}, close=True)
        last = write(session, council, Round.VERIFY_2, leaves={"on_time": Word("0.7")}, close=True)

        assert [total(one) for one in (own, first, answer, last)] == [
            "1.80",
            "1.20",
            "1.50",
            "1.40",
        ]

    def test_the_next_does_not_open_before_the_last_is_closed(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        who = holder(province)
        write(session, who, Round.SELF)

        with pytest.raises(RoundOutOfOrder):
            write(session, who, Round.VERIFY_1)

    def test_a_closed_round_is_never_written_on(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        write(session, holder(province), Round.SELF, close=True)

        with pytest.raises(RoundClosed):
            write(session, holder(province), Round.SELF, leaves={"on_time": Word("0.1")})

    def test_a_set_without_rounds_has_none(self, session: WriteSession, province: UnitRow) -> None:
        rule_sets.put(session, "none", annex("none"), who=holder(province), now=NOW)
        asked = scorecards.ask(session, "none", YEAR, who=holder(province), now=NOW)

        with pytest.raises(RoundUnknown):
            rounds.write(session, asked, "H44.1", Wish(Round.SELF), who=holder(province), now=NOW)


class TestRights:
    def test_appraisal_needs_its_scope_and_a_unit_strictly_above(
        self, session: WriteSession, province: UnitRow, commune: UnitRow
    ) -> None:
        write(session, holder(commune), Round.SELF, close=True)

        with pytest.raises(ScopeMissing):
            write(session, holder(province, Scope.INDEX_WRITE), Round.VERIFY_1)
        with pytest.raises(VerifierBelow):
            write(session, holder(commune), Round.VERIFY_1)
        assert write(session, holder(province, Scope.INDEX_VERIFY), Round.VERIFY_1).state.is_open

    def test_an_appraiser_opens_a_units_round_with_a_deadline_and_does_not_fill_it(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        council = holder(province, Scope.INDEX_VERIFY)
        write(session, council, Round.SELF, due_on=date(2026, 8, 11))

        with pytest.raises(ScopeMissing):
            write(session, council, Round.SELF, leaves={"on_time": Word("0.1")})
        with pytest.raises(DeadlineToCome):
            write(session, council, Round.SELF, close=True)
        late = NOW + timedelta(days=2)
        assert not write(session, council, Round.SELF, late, close=True).state.is_open


class TestWords:
    def test_everything_wrong_is_named_in_its_place(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        leaves = {
            "on_time": Word("1.5"),
            "published": Word(inputs={"resolved": 1, "not_published": -1}, evidence=["x"]),
            "nothing": Word(),
        }

        with pytest.raises(InputsRefused) as refusal:
            write(session, holder(province), Round.SELF, leaves=leaves)

        assert sorted((fault.pointer, fault.code) for fault in refusal.value.faults) == [
            ("/leaves/nothing", "input.unknown_leaf"),
            ("/leaves/on_time/score", "input.too_great"),
            ("/leaves/published/evidence/0", "evidence.not_held"),
            ("/leaves/published/inputs/not_published", "input.too_small"),
            ("/leaves/published/inputs/resolved", "input.unknown"),
        ]

    def test_a_closed_round_stays_as_it_was_whatever_is_told_later(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        who = holder(province)
        closed = write(session, who, Round.SELF, close=True)
        later = NOW + timedelta(hours=1)
        told = {"not_published": Tell(9)}

        inputs.put(session, "par.h44", YEAR, "H44.1", told, who=who, now=later)

        again = inputs.sheet_of(session, "par.h44", YEAR, closed.row).rounds[Round.SELF]
        assert again.card == closed.state.card
        assert total(closed) == "0.90"

    def test_self_score_and_appraisal_stand_side_by_side(
        self, session: WriteSession, province: UnitRow
    ) -> None:
        who = holder(province)
        proof = evidence.put(session, "H44.1", "a.pdf", b"%PDF-1", who=who, now=NOW).row.hash
        word = Word("0.9", note="đủ", evidence=[proof])
        write(session, who, Round.SELF, leaves={"on_time": word}, author="An", close=True)
        write(session, who, Round.VERIFY_1, leaves={"on_time": Word("0.4")}, author="Bình")
        asked = scorecards.ask(session, "par.h44", YEAR, who=who, now=NOW)

        _, _, lines = rounds.compare(session, asked, "H44.1", who=who)

        line = lines[0]
        assert (line.leaf, line.computed, line.difference) == ("on_time", "0.00", "-0.5")
        assert [(one.round, one.score, one.author) for one in line.columns] == [
            (Round.SELF, "0.90", "An"),
            (Round.VERIFY_1, "0.40", "Bình"),
        ]
        assert line.columns[0].evidence == (proof,)
        assert not lines[1].columns[0].is_said
