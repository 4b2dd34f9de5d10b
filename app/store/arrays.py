"""Columns of values as PostgreSQL writes arrays, to hand over many rows of few columns.

The server reads an array in one pass and by position. JSON it reads three times: as a whole, member
by member with their names, and each value; that pays for rows of which most columns are left out.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from msgspec.json import Encoder

Value = str | int | date | None

NOTHING: Final = b"{}"
_json: Final = Encoder().encode


def array_of(values: Sequence[Value]) -> bytes:
    r"""Return values as the text of an array; instants are aware.

    It is the JSON of a list in braces, for quotes, numbers and null are the same in both. What
    follows a backslash is not (a line break is ``\\n`` in JSON alone), so texts with one are
    written by hand.
    """
    written = _json(values)
    if b"\\" in written:
        return b"{%b}" % b",".join(_written(one) for one in values)
    return b"{%b}" % written[1:-1]


def columns_of(rows: Iterable[tuple[Value, ...]], number: int) -> list[bytes]:
    """Return an array for each of so many columns of rows, of which there may be none."""
    return [array_of(column) for column in zip(*rows, strict=True)] or [NOTHING] * number


def _written(value: Value) -> bytes:
    if isinstance(value, str):
        told = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{told}"'.encode()
    return _json(value)
