"""Garbage is looked for rarely, and not in what the program is made of."""

import gc
from collections.abc import Iterator

import pytest

from app.garbage import collect_rarely


@pytest.fixture
def former() -> Iterator[None]:
    """Leave the collector as it was."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("former")
def test_what_the_program_is_made_of_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()

    collect_rarely()

    assert gc.get_freeze_count() > before
    assert gc.get_threshold()[0] >= 50_000
