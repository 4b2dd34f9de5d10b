"""Sheets folded from their entries, and the order of rounds."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from app.domain.rule_set import Level, Round
from app.domain.sheet import (
    Entry,
    EntryKind,
    RoundClosed,
    RoundOutOfOrder,
    RoundUnknown,
    Sheet,
    chain,
    fold,
    given_points,
    may_open,
    of_record,
    replaced_inputs,
)

NOW = datetime(2026, 8, 10, tzinfo=UTC)
LISTED = (Round.SELF, Round.VERIFY_1, Round.EXPLAIN, Round.VERIFY_2)


def entry(kind: EntryKind, body: dict[str, object], round_: Round | None = None) -> Entry:
    return Entry(kind, body, "key:a", NOW, round_, "An")


def opened(round_: Round) -> Entry:
    return entry(EntryKind.OPENED, {"due_on": "2026-09-01", "note": "n"}, round_)


def filled(round_: Round, **leaves: object) -> Entry:
    return entry(EntryKind.FILLED, dict(leaves), round_)


def closed(round_: Round) -> Entry:
    return entry(EntryKind.CLOSED, {"card": {"total": "1"}}, round_)


def run(*rounds: Round, last_is_open: bool = False) -> Sheet:
    entries = [one for round_ in rounds for one in (opened(round_), closed(round_))]
    return fold(entries[:-1] if last_is_open else entries)


class TestInputs:
    def test_the_last_word_holds_and_null_takes_back(self) -> None:
        said = {"value": "1", "source": "declared", "note": "a"}

        sheet = fold(
            [
                entry(EntryKind.INPUTS, {"x": said, "y": said}),
                entry(EntryKind.INPUTS, {"x": {**said, "value": "2"}, "y": None}),
            ]
        )

        assert list(sheet.inputs) == ["x"]
        assert (sheet.inputs["x"].value, sheet.inputs["x"].author) == ("2", "An")

    def test_evidence_roles_and_peers_are_kept_by_name(self) -> None:
        sheet = fold(
            [
                entry(EntryKind.EVIDENCE, {"a": ["sha256:1"]}),
                entry(EntryKind.RESPONSIBLE, {"a": "Văn phòng", "b": "x"}),
                entry(EntryKind.RESPONSIBLE, {"b": None}),
                entry(EntryKind.PEERS, {"level": "commune", "values": {}}),
            ]
        )

        assert sheet.evidence == {"a": ("sha256:1",)}
        assert sheet.responsible == {"a": "Văn phòng"}
        assert list(sheet.peers) == [Level.COMMUNE]


class TestRounds:
    def test_a_round_is_opened_filled_and_closed(self) -> None:
        sheet = fold(
            [
                opened(Round.SELF),
                filled(Round.SELF, a={"score": "0.5", "note": "n", "evidence": ["sha256:1"]}),
                closed(Round.SELF),
            ]
        )

        state = sheet.rounds[Round.SELF]
        assert (state.due_on, state.is_open, state.card) == (
            date(2026, 9, 1),
            False,
            {"total": "1"},
        )
        assert state.leaves["a"].score == Fraction(1, 2)
        assert state.leaves["a"].evidence == ("sha256:1",)
        assert (sheet.open_round, sheet.last_closed) == (None, state)

    def test_an_entry_of_a_round_names_it(self) -> None:
        with pytest.raises(ValueError, match="names the round"):
            fold([entry(EntryKind.OPENED, {})])

    def test_the_next_opens_only_when_all_before_are_closed(self) -> None:
        may_open(Sheet(), Round.SELF, LISTED)
        may_open(run(Round.SELF), Round.VERIFY_1, LISTED)
        with pytest.raises(RoundOutOfOrder) as refusal:
            may_open(run(Round.SELF, last_is_open=True), Round.VERIFY_1, LISTED)
        assert refusal.value.first == "self"
        with pytest.raises(RoundOutOfOrder):
            may_open(run(Round.SELF), Round.VERIFY_2, LISTED)

    def test_a_closed_round_is_never_opened_again(self) -> None:
        with pytest.raises(RoundClosed):
            may_open(run(Round.SELF), Round.SELF, LISTED)

    def test_a_round_that_the_set_does_not_list_is_unknown(self) -> None:
        with pytest.raises(RoundUnknown):
            may_open(Sheet(), Round.EXPLAIN, (Round.SELF,))


class TestScores:
    def sheet(self) -> Sheet:
        return fold(
            [
                opened(Round.SELF),
                filled(Round.SELF, a={"score": "1"}, b={"score": "1", "inputs": {"x": "5"}}),
                closed(Round.SELF),
                opened(Round.VERIFY_1),
                filled(Round.VERIFY_1, a={"score": "0.5"}, b={"inputs": {"x": "4"}}),
                closed(Round.VERIFY_1),
                opened(Round.EXPLAIN),
                filled(Round.EXPLAIN, a={"score": "0.9"}),
                closed(Round.EXPLAIN),
                opened(Round.VERIFY_2),
            ]
        )

    def test_a_later_word_holds_and_new_inputs_let_a_line_be_computed_again(self) -> None:
        rounds = chain(self.sheet(), Round.VERIFY_1, LISTED)

        assert given_points(rounds) == {"a": Fraction(1, 2)}
        assert replaced_inputs(rounds) == {"x": "4"}

    def test_an_explanation_counts_in_its_own_score_alone(self) -> None:
        sheet = self.sheet()

        assert given_points(chain(sheet, Round.EXPLAIN, LISTED))["a"] == Fraction(9, 10)
        assert given_points(chain(sheet, Round.VERIFY_2, LISTED))["a"] == Fraction(1, 2)
        assert chain(sheet, Round.VERIFY_2, (Round.SELF,)) == []

    def test_the_score_of_record_is_the_named_round_or_the_last_closed(self) -> None:
        sheet = self.sheet()

        record = of_record(sheet, Round.VERIFY_2)
        named = of_record(sheet, Round.VERIFY_1)

        assert record is not None
        assert record.round is Round.VERIFY_1
        assert named is not None
        assert named.round is Round.VERIFY_1
        assert of_record(Sheet(), None) is None
        assert of_record(run(Round.SELF, last_is_open=True), None) is None


def test_time_is_that_of_the_entry() -> None:
    late = Entry(EntryKind.OPENED, {}, "key:a", NOW + timedelta(days=1), Round.SELF)

    assert fold([late]).rounds[Round.SELF].opened_at == NOW + timedelta(days=1)
