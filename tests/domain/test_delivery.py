"""When an event is tried again, and what an answer means."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery import (
    LONGEST_REST,
    WAITS,
    Answer,
    Failure,
    answered,
    next_try_at,
    rest_until,
    wait_after,
)

NOW = datetime(2026, 8, 10, tzinfo=UTC)
EVENT = UUID(int=7)
FAILED = answered(503, milliseconds=5)


@pytest.mark.parametrize(
    ("status", "good"),
    [(199, False), (200, True), (204, True), (299, True), (301, False), (304, False), (404, False)],
)
def test_only_2xx_is_an_acknowledgement(status: int, good: bool) -> None:
    assert answered(status, milliseconds=1).is_acknowledged is good


def test_no_answer_is_no_acknowledgement() -> None:
    assert not Answer(None, Failure.TIMEOUT, 15_000).is_acknowledged


def test_ten_tries_take_seventy_five_hours_and_a_half() -> None:
    assert len(WAITS) == 9
    assert sum(WAITS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert all(before < after for before, after in pairwise(WAITS))


@given(st.integers(1, 9), st.uuids())
def test_the_wait_has_a_tenth_of_play_and_is_always_the_same(tries: int, event: UUID) -> None:
    wait = wait_after(tries, event)

    assert wait is not None
    assert WAITS[tries - 1] <= wait <= WAITS[tries - 1] * 1.1
    assert wait == wait_after(tries, event)


@pytest.mark.parametrize("tries", [0, 10, 11])
def test_after_the_last_try_there_is_no_other(tries: int) -> None:
    assert wait_after(tries, EVENT) is None
    assert next_try_at(tries=tries, event_id=EVENT, answer=FAILED, now=NOW) is None


def test_gone_is_not_tried_again() -> None:
    gone = answered(410, milliseconds=1)

    assert next_try_at(tries=1, event_id=EVENT, answer=gone, now=NOW) is None


@pytest.mark.parametrize(
    ("asked", "at_least", "at_most"),
    [
        (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=5.5)),
        (timedelta(minutes=10), timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(days=400), timedelta(days=1), timedelta(days=1)),
    ],
)
def test_retry_after_lengthens_the_wait_within_a_day(
    asked: timedelta, at_least: timedelta, at_most: timedelta
) -> None:
    answer = answered(429, milliseconds=1, retry_after=asked)

    at = next_try_at(tries=1, event_id=EVENT, answer=answer, now=NOW)

    assert at is not None
    assert at_least <= at - NOW <= at_most


def test_a_failing_receiver_rests_longer_and_longer_but_not_long() -> None:
    rests = [rest_until(failures=n, answer=FAILED, now=NOW) - NOW for n in range(1, 100)]

    assert rests[:6] == [timedelta(seconds=s) for s in (1, 1, 5, 10, 20, 30)]
    assert max(rests) == LONGEST_REST
    assert rest_until(failures=121, answer=FAILED, now=NOW) - NOW == timedelta(minutes=5)


def test_a_receiver_that_names_its_rest_gets_it() -> None:
    answer = answered(503, milliseconds=1, retry_after=timedelta(minutes=3))

    assert rest_until(failures=1, answer=answer, now=NOW) == NOW + timedelta(minutes=3)
