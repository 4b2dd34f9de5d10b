"""Letters as read from what was told: the same that the fold of a dossier sees."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import gather
from app.domain.letter import Timing, letters_of, timing_of
from app.domain.record import ExtensionTold, Message, MessageKind, Told
from tests.factories import local, on_time_until
from tests.strategies import histories, message

UNITS = {(0, "A"): 1}
AT = local("2026-08-04", 10)
NEW = local("2026-08-12", 17)


@given(told=histories())
def test_letters_say_what_the_dossier_says(told: list[Message]) -> None:
    history = gather(told, UNITS, nowhere=1)

    letters = letters_of(told)

    apologies = [one for one in letters if not one.is_exemption]
    assert history.apology_at == min((one.issued_at for one in apologies), default=None)
    assert history.apology_exempt == any(one.is_exemption for one in letters)
    dated = [(one.issued_at, one.new_due_at) for one in letters if one.new_due_at is not None]
    assert dated == [(one.issued_at, one.new_due_at) for one in history.extensions]
    numbers = [one.sequence for one in letters if one.sequence is not None]
    assert numbers == list(range(1, len(dated) + 1))


@given(told=histories(), data=st.data())
def test_the_order_of_arrival_and_repetition_change_nothing(
    told: list[Message], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*told, *told[:2]]))

    assert letters_of(shuffled) == letters_of(told)


def test_a_letter_told_by_a_record_and_by_an_event_is_one() -> None:
    record = message(Told(extension=ExtensionTold(AT, NEW), unit="A"), at=AT)
    event = message(Told(due_at=NEW, document="15/TXL"), at=AT, kind=MessageKind.EXTENSION)

    (letter,) = letters_of([record, event])

    assert (letter.document, letter.sequence, letter.is_second_extension) == ("15/TXL", 1, False)


@pytest.mark.parametrize(
    ("hours", "timing"),
    [
        (-30, Timing.BEFORE_DUE_DAY),
        (8, Timing.ON_DUE_DAY),
        (23, Timing.ON_DUE_DAY),
        (24, Timing.AFTER_DUE),
    ],
)
def test_a_letter_is_told_from_one_that_comes_too_late(hours: int, timing: Timing) -> None:
    due = local("2026-08-06")

    found = timing_of(
        due + timedelta(hours=hours),
        due_on=(due + timedelta(hours=9)).date(),
        on_time_until=on_time_until((due + timedelta(hours=9)).date()),
    )

    assert found is timing
