"""What is counted for a period, and the sums that must hold between the counts.

A tally adds: months to a quarter, communes to a province. Nothing here divides; a rate is a
definition laid over a tally, see ``app.domain.rate``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import add
from typing import Self


class Count(StrEnum):
    """One column of the figures of a period (số liệu của kỳ); the order is that of every tally."""

    # what came into the unit's hands
    CARRIED_OVER = "carried_over"
    RECEIVED = "received"
    RECEIVED_ONLINE = "received_online"
    RECEIVED_IN_PERSON = "received_in_person"
    RECEIVED_BY_POST = "received_by_post"
    RECEIVED_UNKNOWN_CHANNEL = "received_unknown_channel"
    REOPENED = "reopened"
    TRANSFERRED_IN = "transferred_in"
    # what left them
    FINISHED_EARLY = "finished_early"
    FINISHED_ON_TIME = "finished_on_time"
    FINISHED_LATE = "finished_late"
    FINISHED_NO_DUE = "finished_no_due"
    WITHDRAWN = "withdrawn"
    WITHDRAWN_LATE = "withdrawn_late"
    STOPPED = "stopped"
    VOIDED = "voided"
    TRANSFERRED_OUT = "transferred_out"
    # what they held at T
    OPEN_IN_TIME = "open_in_time"
    OPEN_OVERDUE = "open_overdue"
    OPEN_NO_DUE = "open_no_due"
    PAUSED = "paused"
    # what had not been received at T
    AWAITING_INTAKE_IN_TIME = "awaiting_intake_in_time"
    AWAITING_INTAKE_OVERDUE = "awaiting_intake_overdue"
    RECEIPT_UNKNOWN = "receipt_unknown"
    REFUSED_AT_INTAKE = "refused_at_intake"
    INTAKE_LATE = "intake_late"
    # what fell due
    DUE = "due"
    DUE_MET = "due_met"
    # how results were handed over
    RETURNED_BY_POST = "returned_by_post"
    RETURNED_AT_COUNTER = "returned_at_counter"
    RETURNED_ONLINE = "returned_online"
    # online submissions by the level of the procedure's online service
    SUBMITTED_ONLINE_FULL = "submitted_online_full"
    SUBMITTED_ONLINE_PARTIAL = "submitted_online_partial"
    SUBMITTED_ONLINE_INFORMATION = "submitted_online_information"
    SUBMITTED_ONLINE_UNKNOWN = "submitted_online_unknown"
    # letters of apology, issued before T
    FINISHED_LATE_WITH_APOLOGY = "finished_late_with_apology"
    FINISHED_LATE_WITHOUT_APOLOGY = "finished_late_without_apology"
    FINISHED_LATE_APOLOGY_EXEMPT = "finished_late_apology_exempt"
    OPEN_OVERDUE_WITH_APOLOGY = "open_overdue_with_apology"
    OPEN_OVERDUE_WITHOUT_APOLOGY = "open_overdue_without_apology"
    OPEN_OVERDUE_APOLOGY_EXEMPT = "open_overdue_apology_exempt"
    # as the national portal counts progress
    PROGRESS_766_ON_TIME = "progress_766_on_time"
    PROGRESS_766_RECEIVED = "progress_766_received"
    # procedures, not dossiers
    PROCEDURES_POSTED = "procedures_posted"
    PROCEDURES_APPLICABLE = "procedures_applicable"


COUNTS: tuple[Count, ...] = tuple(Count)
CATALOGUE_COUNTS = frozenset({Count.PROCEDURES_POSTED, Count.PROCEDURES_APPLICABLE})
"""Counts of procedures: they come from the register of publications and stand for a day, so they
add over units and not over months."""

_NAMES: tuple[str, ...] = tuple(count.value for count in COUNTS)
_SEAT: dict[str, int] = {count: seat for seat, count in enumerate(COUNTS)}
_NOTHING = (0,) * len(COUNTS)


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one set of dossiers for one period: whole numbers, none below zero."""

    values: tuple[int, ...] = _NOTHING

    def __post_init__(self) -> None:
        """Refuse a vector of the wrong length and numbers that cannot be counts."""
        if len(self.values) != len(COUNTS):
            raise ValueError(f"a tally has {len(COUNTS)} counts, not {len(self.values)}")
        if min(self.values) < 0:
            raise ValueError("a count is never negative")

    @classmethod
    def from_mapping(cls, counts: Mapping[str, int]) -> Self:
        """Return the tally of these counts; those not named are 0.

        :raises KeyError: a name that is no count.
        """
        values = list(_NOTHING)
        for name, value in counts.items():
            values[_SEAT[name]] = value
        return cls(tuple(values))

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        """Return the sum of all; of none, the empty tally."""
        sums = _NOTHING
        for tally in tallies:
            sums = tuple(map(add, sums, tally.values))
        return cls(sums)

    def __add__(self, other: "Tally") -> "Tally":
        """Add count by count, as the figures of two units or two months add."""
        return Tally(tuple(map(add, self.values, other.values)))

    def __getitem__(self, count: Count) -> int:
        """Return one count."""
        return self.values[_SEAT[count]]

    def sum(self, counts: Iterable[Count]) -> int:
        """Return the sum of several counts."""
        return sum(self.values[_SEAT[count]] for count in counts)

    def to_dict(self) -> dict[str, int]:
        """Return every count by its permanent name, zeros included, in the order of ``Count``."""
        return dict(zip(_NAMES, self.values, strict=True))


CAME = (Count.CARRIED_OVER, Count.RECEIVED, Count.REOPENED, Count.TRANSFERRED_IN)
FINISHED = (
    Count.FINISHED_EARLY,
    Count.FINISHED_ON_TIME,
    Count.FINISHED_LATE,
    Count.FINISHED_NO_DUE,
)
IN_HAND = (Count.OPEN_IN_TIME, Count.OPEN_OVERDUE, Count.OPEN_NO_DUE, Count.PAUSED)
LEFT = (*FINISHED, Count.WITHDRAWN, Count.STOPPED, Count.VOIDED, Count.TRANSFERRED_OUT)
CHANNELS = (
    Count.RECEIVED_ONLINE,
    Count.RECEIVED_IN_PERSON,
    Count.RECEIVED_BY_POST,
    Count.RECEIVED_UNKNOWN_CHANNEL,
)

LEG_COUNTS: dict[str, Count] = {f"legs_{count.value}": count for count in (*CAME, *LEFT, *IN_HAND)}
"""What is counted of legs of joint dossiers, at their units, on their own clocks, by its name."""

ADDING_OVER_TIME = (
    *CAME[1:],
    *CHANNELS,
    *LEFT,
    Count.WITHDRAWN_LATE,
    Count.REFUSED_AT_INTAKE,
    Count.INTAKE_LATE,
)
"""Counts of events, which add over the parts of a period; what is held at an instant does not."""


def identities(tally: Tally) -> dict[str, int]:
    """Return what is left over of each sum that must hold within one row; 0 means it holds.

    I1: carried over, received, reopened and transferred in = finished, withdrawn, stopped, voided,
    transferred out, open and paused. I2: received = its channels. I3 to I5 compare several rows
    and are checked where those rows meet.
    """
    return {
        "I1": tally.sum(CAME) - tally.sum(LEFT) - tally.sum(IN_HAND),
        "I2": tally[Count.RECEIVED] - tally.sum(CHANNELS),
    }
