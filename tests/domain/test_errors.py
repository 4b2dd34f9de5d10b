"""Errors: a permanent code with typed fields, which Python can raise with a traceback."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from app.domain.errors import AppError, NotFound


@dataclass(eq=False, kw_only=True)
class SourceUnknown(NotFound):
    """No source of this name."""

    code: ClassVar[str] = "source.unknown"
    source: str


def test_the_fields_are_the_placeholders_of_the_sentence() -> None:
    error = SourceUnknown(source="x")

    assert error.params == {"source": "x"}
    assert str(error) == "source.unknown {'source': 'x'}"


def test_an_error_is_raised_and_caught_by_its_kind() -> None:
    with pytest.raises(AppError) as caught:
        raise SourceUnknown(source="x")

    assert isinstance(caught.value, NotFound)
    assert caught.value.__traceback__ is not None
