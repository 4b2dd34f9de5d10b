"""Made-up dossiers: the same everywhere, never in the future, never of a person."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.record import MessageKind, Status
from app.rulebook.calendars import load_state_calendar
from app.rulebook.demo_province import load_demo_procedures, load_demo_units
from app.usecases.stories import Dice, Telling, offices, tellings

FIRST = date(2026, 5, 11)
UNTIL = datetime(2026, 8, 20, 3, 30, tzinfo=UTC)


def told(dossiers: int = 400, until: datetime = UNTIL) -> list[Telling]:
    found: list[Telling] = []
    for office in offices(load_demo_units(), load_demo_procedures(), dossiers=dossiers):
        found += tellings(office, load_state_calendar(), first=FIRST, until=until)
    return found


def test_the_same_province_is_told_again_word_for_word() -> None:
    assert told() == told()


def test_nothing_is_told_before_it_happens() -> None:
    assert max(one.at for one in told()) <= UNTIL


def test_what_was_told_until_a_day_is_the_beginning_of_what_is_told_later() -> None:
    earlier = UNTIL - timedelta(days=9)

    assert [one for one in told() if one.at <= earlier] == told(until=earlier)


def test_every_way_of_a_dossier_occurs() -> None:
    whole = told(6_000)
    statuses = {one.told.get("status") for one in whole}
    kinds = {one.kind for one in whole}
    facts = {name for one in whole for name in one.told}

    assert set(Status) - {Status.STOPPED, Status.RECEIVED} <= statuses
    assert kinds == {MessageKind.RECORD, MessageKind.APOLOGY}
    assert {"pauses", "extension", "parent", "leg", "outcome", "return_method"} <= facts
    assert any(one.raw is not None for one in whole)


def test_no_telling_carries_an_applicant_or_an_official() -> None:
    for one in told():
        assert not {"applicant_hash", "official"} & one.told.keys()
        assert not {"applicant_key", "official"} & (one.raw or {}).keys()


def test_each_week_one_commune_forgets_a_dossier_for_more_than_a_month() -> None:
    finishes = {one.code: one.told.get("finished_at") for one in told(60)}
    open_since_june = [
        code for code, finish in finishes.items() if finish is None and "-2606" in code
    ]

    assert open_since_june


@pytest.mark.parametrize("dossiers", [200, 3_000])
def test_about_as_many_dossiers_are_told_as_were_wished(dossiers: int) -> None:
    codes = {one.code for one in told(dossiers)}

    assert 0.8 * dossiers < len(codes) * 64 / 72 < 1.25 * dossiers


@given(st.text(), st.lists(st.integers(1, 50), min_size=1, max_size=9))
def test_dice_fall_within_their_bounds_and_the_same_again(word: str, weights: list[int]) -> None:
    first, second = Dice(word), Dice(word)

    throws = [(first.share(), first.number(2, 5), first.pick(weights)) for _ in range(20)]

    assert throws == [
        (second.share(), second.number(2, 5), second.pick(weights)) for _ in range(20)
    ]
    for share, number, place in throws:
        assert 0 <= share < 1
        assert 2 <= number <= 5
        assert 0 <= place < len(weights)
