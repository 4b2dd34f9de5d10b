"""Petitions (phản ánh, kiến nghị) against their limits, and what a period counts of them.

A petition goes through at most four steps: it is refused, or more is asked for, or it is answered,
and the answer is published. Each step has a limit in working days after the day from which it
runs. What was said and by whom is not kept: days decide.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from app.domain.calendar import WorkCalendar
from app.domain.errors import Invalid


class PetitionKind(StrEnum):
    """What a petition is."""

    REFLECTION = "reflection"
    """Of how a procedure is handled (phản ánh)."""
    PROPOSAL = "proposal"
    """To change a rule (kiến nghị)."""


class PetitionState(StrEnum):
    """Where a petition stands at an instant."""

    IN_TIME = "in_time"
    OVERDUE = "overdue"
    WAITING = "waiting"
    """More was asked for and has not come: the office's clock stands still."""
    REFUSED_ON_TIME = "refused_on_time"
    REFUSED_LATE = "refused_late"
    ANSWERED_ON_TIME = "answered_on_time"
    ANSWERED_LATE = "answered_late"

    @property
    def is_ended(self) -> bool:
        """Tell whether the office has answered or refused."""
        return self not in {self.IN_TIME, self.OVERDUE, self.WAITING}

    @property
    def is_late(self) -> bool:
        """Tell whether the office ended late, or has not ended in time."""
        return self in {self.OVERDUE, self.REFUSED_LATE, self.ANSWERED_LATE}


@dataclass(eq=False, kw_only=True)
class PetitionOutOfOrder(Invalid):
    """A step of a petition is told without, or on a day before, the step that it follows."""

    code: ClassVar[str] = "petition.out_of_order"
    step: str
    after: str


@dataclass(eq=False, kw_only=True)
class PetitionEndsTwice(Invalid):
    """A petition cannot be both refused and answered."""

    code: ClassVar[str] = "petition.ends_twice"


@dataclass(frozen=True, slots=True)
class PetitionLimits:
    """The limits of the steps, in working days after the day from which each runs."""

    refuse: int
    ask: int
    answer: int
    publish: int


@dataclass(frozen=True, slots=True)
class Petition:
    """What is known of one petition: local days, and whether its author was satisfied.

    :raises PetitionOutOfOrder: a step comes before the one that it follows.
    :raises PetitionEndsTwice: it is both refused and answered.
    """

    received_on: date
    refused_on: date | None = None
    asked_on: date | None = None
    completed_on: date | None = None
    answered_on: date | None = None
    published_on: date | None = None
    satisfied: bool | None = None

    def __post_init__(self) -> None:
        """Refuse days that cannot follow each other."""
        if self.refused_on is not None and self.answered_on is not None:
            raise PetitionEndsTwice
        for step, after in _FOLLOWS:
            told, before = getattr(self, step), getattr(self, after)
            if told is not None and (before is None or told < before):
                raise PetitionOutOfOrder(step=step, after=after)
        if self.completed_on is not None:
            for step in ("refused_on", "answered_on"):
                told = getattr(self, step)
                if told is not None and told < self.completed_on:
                    raise PetitionOutOfOrder(step=step, after="completed_on")

    def known_on(self, day: date) -> "Petition":
        """Return the petition as it stood at the end of a day: later steps have not happened."""

        def told(step: date | None) -> date | None:
            return step if step is not None and step <= day else None

        answered_on = told(self.answered_on)
        return Petition(
            received_on=self.received_on,
            refused_on=told(self.refused_on),
            asked_on=told(self.asked_on),
            completed_on=told(self.completed_on),
            answered_on=answered_on,
            published_on=told(self.published_on),
            satisfied=None if answered_on is None else self.satisfied,
        )


_FOLLOWS = (
    ("refused_on", "received_on"),
    ("asked_on", "received_on"),
    ("completed_on", "asked_on"),
    ("answered_on", "received_on"),
    ("published_on", "answered_on"),
)


@dataclass(frozen=True, slots=True)
class PetitionDue:
    """The last days of the steps; None where the step does not run, or waits for the author.

    Asking for more and refusing run from the receipt; the answer from the receipt, or anew from
    the day on which what was asked for came; publishing from the answer.
    """

    refuse_by: date
    request_by: date
    answer_by: date | None
    publish_by: date | None


def due_of(petition: Petition, limits: PetitionLimits, calendar: WorkCalendar) -> PetitionDue:
    """Return the last day of each step.

    :raises CalendarYearMissing: a limit reaches into a year that is not loaded.
    """
    answer_from = petition.received_on if petition.asked_on is None else petition.completed_on
    answered_on = petition.answered_on
    return PetitionDue(
        refuse_by=_after(calendar, petition.received_on, limits.refuse),
        request_by=_after(calendar, petition.received_on, limits.ask),
        answer_by=None if answer_from is None else _after(calendar, answer_from, limits.answer),
        publish_by=None if answered_on is None else _after(calendar, answered_on, limits.publish),
    )


def _after(calendar: WorkCalendar, day: date, working_days: int) -> date:
    for _ in range(working_days):
        day = calendar.next_working_day(day)
    return day


def standing(
    petition: Petition, limits: PetitionLimits, calendar: WorkCalendar, *, on: date
) -> PetitionState:
    """Judge a petition as it stands at the end of a day.

    :raises CalendarYearMissing: a limit reaches into a year that is not loaded.
    """
    seen = petition.known_on(on)
    due = due_of(seen, limits, calendar)
    if seen.refused_on is not None:
        in_time = seen.refused_on <= due.refuse_by
        return PetitionState.REFUSED_ON_TIME if in_time else PetitionState.REFUSED_LATE
    if seen.answered_on is not None:
        # an answer without what was asked for is judged from the receipt
        answer_by = due.answer_by or _after(calendar, seen.received_on, limits.answer)
        in_time = seen.answered_on <= answer_by
        return PetitionState.ANSWERED_ON_TIME if in_time else PetitionState.ANSWERED_LATE
    if due.answer_by is None:
        return PetitionState.WAITING
    return PetitionState.IN_TIME if on <= due.answer_by else PetitionState.OVERDUE


class PetitionCount(StrEnum):
    """What a period counts of petitions."""

    RECEIVED = "petitions_received"
    JUDGED = "petitions_judged"
    """Ended in the period, or overdue at its end: those of which it is known how they went."""
    ON_TIME = "petitions_on_time"
    """Of those judged, the ones that ended within their limit."""
    OPEN = "petitions_open"
    RATED = "petitions_rated"
    SATISFIED = "petitions_satisfied"
    ANSWERED = "petitions_answered"
    PUBLISHED_ON_TIME = "petitions_published_on_time"


def counts(
    petitions: Iterable[Petition],
    limits: PetitionLimits,
    calendar: WorkCalendar,
    *,
    first: date,
    last: date,
) -> dict[PetitionCount, int]:
    """Count the petitions of one office in the local days ``first`` to ``last``, seen from its end.

    :raises CalendarYearMissing: a limit reaches into a year that is not loaded.
    """
    found = dict.fromkeys(PetitionCount, 0)
    for told in petitions:
        if told.received_on > last:
            continue
        petition = told.known_on(last)
        state = standing(petition, limits, calendar, on=last)
        for name in _counted(petition, state, limits, calendar, first):
            found[name] += 1
    return found


def _counted(
    petition: Petition,
    state: PetitionState,
    limits: PetitionLimits,
    calendar: WorkCalendar,
    first: date,
) -> Iterable[PetitionCount]:
    if petition.received_on >= first:
        yield PetitionCount.RECEIVED
    ended_on = petition.refused_on or petition.answered_on
    if ended_on is None:
        yield PetitionCount.OPEN
        if state is PetitionState.OVERDUE:
            yield PetitionCount.JUDGED
    elif ended_on >= first:
        yield PetitionCount.JUDGED
        if not state.is_late:
            yield PetitionCount.ON_TIME
        if petition.answered_on is not None:
            yield from _answered(petition, due_of(petition, limits, calendar))


def _answered(petition: Petition, due: PetitionDue) -> Iterable[PetitionCount]:
    yield PetitionCount.ANSWERED
    if petition.satisfied is not None:
        yield PetitionCount.RATED
    if petition.satisfied:
        yield PetitionCount.SATISFIED
    published_on, publish_by = petition.published_on, due.publish_by
    if published_on is not None and publish_by is not None and published_on <= publish_by:
        yield PetitionCount.PUBLISHED_ON_TIME
