"""The states of a dossier, the flows between them, and the four readings of its due date.

The numbers are permanent: the store keeps them beside each dossier, and a state that changes its
meaning gets a new number.
"""

from datetime import timedelta
from enum import IntEnum, StrEnum

JUST = timedelta(microseconds=1)
"""The smallest step of time that is kept: an edge lies one step after the last instant in time."""


class Reading(StrEnum):
    """Which due date judges a dossier (cách đọc hạn trả), see ``domain.dossier``."""

    PROMISED = "promised"
    EXTENDED = "extended"
    AS_SENT = "as_sent"
    STATUTORY = "statutory"


class State(IntEnum):
    """Where a dossier stands at an instant, under one reading of its due date."""

    AWAITING_INTAKE_IN_TIME = 10
    AWAITING_INTAKE_OVERDUE = 11
    RECEIPT_UNKNOWN = 12
    REFUSED_AT_INTAKE = 20
    OPEN_IN_TIME = 30
    OPEN_OVERDUE = 31
    OPEN_NO_DUE = 32
    PAUSED = 33
    FINISHED_EARLY = 40
    FINISHED_ON_TIME = 41
    FINISHED_LATE = 42
    FINISHED_NO_DUE = 43
    WITHDRAWN = 50
    STOPPED = 51
    TRANSFERRED_OUT = 60
    VOIDED = 70

    @property
    def word(self) -> str:
        """Return the name used in the API and in the catalogues of sentences."""
        return self.name.lower()

    @property
    def in_hand(self) -> bool:
        """Tell whether the unit holds the dossier and owes a result."""
        return self in _IN_HAND

    @property
    def finished(self) -> bool:
        """Tell whether the dossier ended with a result."""
        return State.FINISHED_EARLY <= self <= State.FINISHED_NO_DUE


_IN_HAND = frozenset(
    {State.OPEN_IN_TIME, State.OPEN_OVERDUE, State.OPEN_NO_DUE, State.PAUSED},
)


class Flow(IntEnum):
    """What an edge counts in the period in which it lies; NONE only changes the state.

    MOVED brings a dossier that is not in hand from another unit: it counts nothing, and what led
    to its state was counted there. SUCCEEDED_IN and SUCCEEDED_OUT are a transfer from a unit to its
    successor: a transfer like any other by the units of the time, and none by those of today.
    """

    NONE = 0
    RECEIVED = 1
    REOPENED = 2
    TRANSFERRED_IN = 3
    MOVED = 4
    SUCCEEDED_IN = 5
    FINISHED_EARLY = 10
    FINISHED_ON_TIME = 11
    FINISHED_LATE = 12
    FINISHED_NO_DUE = 13
    WITHDRAWN = 20
    WITHDRAWN_LATE = 21
    STOPPED = 22
    TRANSFERRED_OUT = 30
    VOIDED = 31
    SUCCEEDED_OUT = 32

    @property
    def enters(self) -> bool:
        """Tell whether the flow brings a dossier into the unit's hands."""
        return self is Flow.SUCCEEDED_IN or Flow.RECEIVED <= self <= Flow.TRANSFERRED_IN


FINISHES = {
    State.FINISHED_EARLY: Flow.FINISHED_EARLY,
    State.FINISHED_ON_TIME: Flow.FINISHED_ON_TIME,
    State.FINISHED_LATE: Flow.FINISHED_LATE,
    State.FINISHED_NO_DUE: Flow.FINISHED_NO_DUE,
}
