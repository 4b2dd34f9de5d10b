"""Turns: so many large batches at once, small ones never wait, nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.usecases.turns import LARGE, Turns


def test_no_more_large_batches_than_places_are_under_way() -> None:
    turns = Turns(2, patience_seconds=600)
    together = threading.Barrier(2)
    guard = threading.Lock()
    here, most = 0, 0

    def batch(_number: int) -> None:
        nonlocal here, most
        with turns.of(LARGE):
            with guard:
                here += 1
                most = max(most, here)
            together.wait(timeout=120)
            with guard:
                here -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(batch, range(6)))

    assert (here, most) == (0, 2)


def test_a_small_batch_waits_for_nobody() -> None:
    turns = Turns(1, patience_seconds=600)

    with turns.of(LARGE) as large, turns.of(LARGE - 1) as small:
        assert (large, small) == (True, False)


def test_who_has_waited_for_long_goes_on_without_a_place() -> None:
    turns = Turns(1, patience_seconds=0.01)

    with turns.of(LARGE) as first, turns.of(LARGE) as second:
        assert (first, second) == (True, False)
    with turns.of(LARGE) as third:
        assert third


def test_a_batch_that_fails_gives_its_place_back() -> None:
    turns = Turns(1, patience_seconds=0.01)

    with pytest.raises(RuntimeError), turns.of(LARGE):
        raise RuntimeError
    with turns.of(LARGE) as next_one:
        assert next_one
