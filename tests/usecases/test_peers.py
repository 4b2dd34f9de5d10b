"""Figures of peers are frozen, so that the same question gives the same answer."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.period import Period
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import inputs, peers, rule_sets, scorecards
from app.usecases.access import Scope
from app.usecases.inputs import Tell, VerifierBelow
from app.usecases.peers import Snapshot
from tests.factories import make_unit
from tests.principals import holder

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
TEXT = """
schema: dunghan-score/1
id: peers
title: {vi: "So với bình quân", en: "Against the mean"}
provenance: official
basis: [{doc: 1/QĐ}]
valid: {from: 2020-01-01}
inputs:
  online: declared
  all: declared
  peer.share: {peer: pooled, of: online, over: all}
  peer.mean: {peer: mean, of: online / all}
  peer.median: {peer: median, of: online}
  peer.low: {peer: lowest, of: online}
  peer.high: {peer: highest, of: online}
subject: {level: [commune], period: [year]}
numbers: {leaf: {dp: 2, round: half_up}, node: exact_sum}
root:
  id: r
  max: 2
  children:
    - id: above
      max: 1
      cases: {cases: [{when: online >= peer.share * all, score: 1}], else: 0}
    - id: high
      max: 1
      cases: {cases: [{when: online == peer.high, score: 1}], else: 0}
      note: peer.mean peer.median peer.low
rank: {by: total + peer.mean + peer.median + peer.low, within: [level], method: competition}
"""


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    found = make_unit(session, "H44")
    for number in range(4):
        make_unit(session, f"H44.{number}", parent=found)
    rule_sets.put(session, "peers", TEXT, who=holder(found), now=NOW)
    for number, (online, whole) in enumerate([(10, 100), (90, 100), (30, 300)]):
        told = {"online": Tell(online), "all": Tell(whole)}
        inputs.put(session, "peers", YEAR, f"H44.{number}", told, who=holder(found), now=NOW)
    return found


def freeze(session: WriteSession, province: UnitRow, now: datetime = NOW) -> tuple[Snapshot, ...]:
    asked = scorecards.ask(session, "peers", YEAR, who=holder(province), now=now)
    return peers.freeze(session, asked, "H44", who=holder(province), now=now)


def total(session: WriteSession, province: UnitRow, unit: str, now: datetime = NOW) -> str | None:
    asked = scorecards.ask(session, "peers", YEAR, who=holder(province), now=now, known_at=now)
    return scorecards.one(session, asked, unit, who=holder(province)).assessed.card.printed


def test_each_figure_is_made_of_those_that_told_it(
    session: WriteSession, province: UnitRow
) -> None:
    (communes,) = freeze(session, province)

    values = {name: one["value"] for name, one in communes.values.items()}
    assert values == {
        "peer.share": "0.26",
        "peer.mean": "11/30",
        "peer.median": "30",
        "peer.low": "10",
        "peer.high": "90",
    }
    assert communes.values["peer.share"]["units"] == 3
    assert communes.values["peer.share"]["left_out"] == 1


def test_a_sheet_waits_for_the_snapshot_and_never_moves_with_its_peers(
    session: WriteSession, province: UnitRow
) -> None:
    asked = scorecards.ask(session, "peers", YEAR, who=holder(province), now=NOW)
    waiting = scorecards.one(session, asked, "H44.1", who=holder(province))
    freeze(session, province)
    before = total(session, province, "H44.1")
    later = NOW + timedelta(hours=1)
    told = {"online": Tell(95)}

    inputs.put(session, "peers", YEAR, "H44.0", told, who=holder(province), now=later)

    assert waiting.assessed.card.missing == ("peer.share", "peer.high")
    assert before == total(session, province, "H44.1", later) == "2.00"
    freeze(session, province, later)
    assert total(session, province, "H44.1", later) == "1.00"
    assert total(session, province, "H44.1", NOW) == "2.00"


def test_the_units_judged_do_not_freeze_their_own_peers(
    session: WriteSession, province: UnitRow
) -> None:
    asked = scorecards.ask(session, "peers", YEAR, who=holder(province), now=NOW)

    with pytest.raises(VerifierBelow):
        peers.freeze(session, asked, "H44.1", who=holder(province, Scope.INDEX_WRITE), now=NOW)
