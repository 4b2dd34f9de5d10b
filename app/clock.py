"""The only reader of the wall clock.

Everything below the doors takes ``now`` or ``as_of`` as an argument; a door asks a ``Clock``.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""What tells the present, as an aware instant in UTC."""


def system_clock() -> datetime:
    """Tell the present, as an aware instant in UTC."""
    return datetime.now(UTC)
