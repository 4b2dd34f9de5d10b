"""Errors: a permanent code with typed fields, which Python can raise with a traceback."""

from datetime import date

import pytest

from app.domain.errors import AppError, Invalid
from app.domain.period import Period, PeriodReversed

FIRST, LAST = date(2026, 7, 2), date(2026, 7, 1)


def test_the_fields_are_the_placeholders_of_the_sentence() -> None:
    error = PeriodReversed(first=FIRST, last=LAST)

    assert error.params == {"first": "2026-07-02", "last": "2026-07-01"}
    assert str(error) == "period.reversed {'first': '2026-07-02', 'last': '2026-07-01'}"


def test_an_error_is_raised_and_caught_by_its_kind() -> None:
    with pytest.raises(AppError) as caught:
        Period(FIRST, LAST)

    assert isinstance(caught.value, Invalid)
    assert caught.value.__traceback__ is not None
