"""Causes of lateness as values."""

from app.domain.late_cause import local_id


def test_the_same_code_of_two_units_is_two_causes() -> None:
    assert local_id("H44.1", "x") == "H44.1:x"
    assert local_id("H44.2", "x") != local_id("H44.1", "x")
