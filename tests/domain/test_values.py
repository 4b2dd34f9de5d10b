"""Values are equal and hashed by what they hold, and have no room for anything else."""

from dataclasses import replace

import pytest

from app.domain.values import immutable


@immutable
class Place:
    """A value of two parts."""

    unit: int
    since: int = 0


def test_values_are_equal_and_hashed_by_their_fields() -> None:
    assert Place(1) == Place(1, 0) != Place(2)
    assert {Place(1), Place(1, 0), Place(2)} == {Place(2), Place(1)}
    assert replace(Place(1), since=3) == Place(1, 3)


def test_a_value_has_no_room_for_what_is_no_field() -> None:
    one = Place(1)

    with pytest.raises(AttributeError):
        one.other = 2  # type: ignore[attr-defined]  # that is what is tried
