"""What the one-door software of a made-up province would have told, and when.

Every dossier follows from its unit, its day and its number alone, so the same province is told
again on any machine; only the days depend on the present. No applicant is ever made up.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, Final

from app.domain.calendar import WorkCalendar
from app.domain.deadline import Due, clock_start, compute_due
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, Pause, PauseKind
from app.domain.record import (
    ApplicantType,
    Channel,
    ExtensionTold,
    MessageKind,
    Outcome,
    PauseTold,
    ReturnMethod,
    Status,
    Told,
)
from app.rulebook.demo_province import PROVINCE, DemoProcedure, DemoUnit

WORKING_DAYS_TOLD: Final = 64
"""Three months: over so many working days the wished number of dossiers is spread."""
LOOK_AHEAD: Final = timedelta(days=4)
"""Handed in online, a dossier may be known before the day on which it is received."""
UNKNOWN_PROCEDURE: Final = "THU-TUC-RIENG-01"
JOINT: Final = "1.001699"
JOINT_LEG_AT: Final = "H44.22"
JOINT_LEG: Final = "giam-dinh-y-khoa"
COMMUNES: Final = (100, 247)
"""The first and the last number among the codes of communes."""
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing that the software tells at a moment; ``raw`` is a record that cannot be true."""

    at: datetime
    code: str
    kind: MessageKind
    told: Told
    raw: Mapping[str, Any] | None = None


def _is_quick(procedure: DemoProcedure) -> bool:
    return procedure.limit.limit.kind is LimitKind.SAME_DAY


class Dice:
    """Chance that is the same for the same words, on every machine and version."""

    def __init__(self, *words: object) -> None:
        self._seed = "|".join(str(word) for word in words).encode()
        self._numbers = self._throw()

    def _throw(self) -> Iterator[int]:
        for turn in count():
            block = hashlib.sha256(self._seed + turn.to_bytes(4)).digest()
            for at in range(0, 32, 4):
                yield int.from_bytes(block[at : at + 4])

    def share(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        return next(self._numbers) / 2**32

    def chance(self, share: float) -> bool:
        """Tell whether something that happens in this share of cases happens."""
        return self.share() < share

    def number(self, low: int, high: int) -> int:
        """Return a whole number from low to high."""
        return low + int(self.share() * (high - low + 1))

    def pick(self, weights: Sequence[float]) -> int:
        """Return a place in a list by the weights of its places."""
        left = self.share() * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return len(weights) - 1


@dataclass(frozen=True, slots=True)
class Office:
    """A unit as it works: how many dossiers a day it receives, and how carefully it works."""

    unit: str
    daily: float
    lateness: float
    procedures: tuple[DemoProcedure, ...]


def offices(
    units: Sequence[DemoUnit], procedures: Sequence[DemoProcedure], *, dossiers: int
) -> tuple[Office, ...]:
    """Share a number of dossiers over the units that take any procedure in."""
    found = []
    for unit in units:
        taken = tuple(
            one
            for one in procedures
            if one.at == unit.code or (one.at is None and one.level == unit.level)
        )
        if not taken:
            continue
        dice = Dice("office", unit.code)
        size = 0.35 + 2.4 * dice.share() ** 2
        lateness = (0.008, 0.03, 0.075, 0.15)[dice.pick((50, 32, 13, 5))]
        found.append(Office(unit.code, size, lateness, taken))
    whole = sum(office.daily for office in found)
    scale = dossiers / WORKING_DAYS_TOLD / whole
    return tuple(replace(office, daily=office.daily * scale) for office in found)


def tellings(
    office: Office, calendar: WorkCalendar, *, first: date, until: datetime
) -> Iterator[Telling]:
    """Yield what is told of the dossiers received by an office from a day on, up to an instant.

    :raises CalendarYearMissing: a year that a due date needs is not loaded.
    """
    last = calendar.local_date(until + LOOK_AHEAD)
    day = calendar.working_day_on_or_after(first)
    while day <= last:
        dice = Dice("day", office.unit, day)
        is_forgetful = _forgetful(day) == office.unit
        number = max(int(office.daily + dice.share()), int(is_forgetful))
        for ordinal in range(1, number + 1):
            is_forgotten = is_forgetful and ordinal == 1
            story = _Story(office, calendar, day, ordinal, is_forgotten=is_forgotten)
            yield from (one for one in story.tellings() if one.at <= until)
        day = calendar.next_working_day(day)


def _forgetful(day: date) -> str:
    """Return the commune that forgets a dossier received on a day: one a week, on Mondays."""
    if day.weekday() != 0:
        return ""
    return f"{PROVINCE}.{Dice('forgotten', day).number(*COMMUNES)}"


class _Story:
    """One dossier from its receipt to its end."""

    def __init__(
        self, office: Office, calendar: WorkCalendar, day: date, number: int, *, is_forgotten: bool
    ) -> None:
        self.office = office
        self.calendar = calendar
        self.day = day
        self.dice = Dice("dossier", office.unit, day, number)
        self.code = f"{office.unit}-{day:%y%m%d}-{number:04d}"
        self.is_forgotten = is_forgotten
        procedures = [one for one in office.procedures if not is_forgotten or not _is_quick(one)]
        self.procedure = procedures[self.dice.pick([one.weight for one in procedures])]
        self.channel = (Channel.ONLINE, Channel.IN_PERSON, Channel.POST, Channel.UNKNOWN)[
            self.dice.pick((46, 46, 7, 1))
        ]
        self.received_at = self._moment_on(day)
        self.is_business = self.procedure.field in {"ho-kinh-doanh", "viec-lam", "van-hoa"}

    @property
    def limit(self) -> TimeLimit:
        """Return the limit of the procedure."""
        return self.procedure.limit.limit

    @property
    def is_quick(self) -> bool:
        """Tell whether the procedure is settled on the day."""
        return _is_quick(self.procedure)

    def tellings(self) -> Iterator[Telling]:
        """Yield everything that is told of it, in order."""
        if self.is_forgotten:
            yield from self._forgotten()
            return
        if self.channel is Channel.ONLINE:
            yield from self._handed_in()
            if self.dice.chance(0.02):
                yield self._refused_at_intake()
                return
        if self.dice.chance(0.002):
            yield self._broken()
            return
        yield from self._course()

    def _course(self) -> Iterator[Telling]:
        """Choose what happens to it; a quick procedure is never paused, extended or withdrawn."""
        courses: tuple[tuple[float, Callable[[], Iterator[Telling]]], ...] = (
            (0.6, self._unknown_procedure),
            (0.4, self._without_due),
            (0.4, self._reopened),
            (89.6, self._ordinary),
            (1.6, self._withdrawn),
            (5.0, self._paused),
            (2.4, self._extended),
        )
        place = self.dice.pick([weight for weight, _ in courses[: 4 if self.is_quick else 7]])
        return courses[place][1]()

    # ---------------------------------------------------------------- how it begins

    def _handed_in(self) -> Iterator[Telling]:
        dice = self.dice
        waited = timedelta(minutes=dice.number(10, 220))
        if dice.chance(0.12):
            waited = timedelta(hours=dice.number(14, 20))
        elif dice.chance(0.03):
            waited = timedelta(hours=dice.number(60, 96))
        at = self.received_at - waited
        yield self._told(at, Status.SUBMITTED, submitted_at=at)

    def _refused_at_intake(self) -> Telling:
        return self._told(self.received_at, Status.REFUSED_AT_INTAKE, ended_at=self.received_at)

    def _broken(self) -> Telling:
        """Tell a record with a mistake that one-door software has been seen to make."""
        raw: dict[str, Any] = {
            "code": self.code,
            "unit": self.office.unit,
            "procedure": self.procedure.code,
            "status": "finished",
            "received_at": self.received_at.isoformat(),
            "source_updated_at": self.received_at.isoformat(),
        }
        match self.dice.pick((1, 1, 1)):
            case 0:
                raw["finished_at"] = (self.received_at - 9 * ONE_DAY).isoformat()
            case 1:
                raw["received_at"] = "31/02/2026"
            case _:
                raw["status"] = "da_xu_ly"
        return Telling(self.received_at, self.code, MessageKind.RECORD, {}, raw)

    def _received(self, due_at: datetime | None, **more: Any) -> Telling:
        return self._told(
            self.received_at, Status.PROCESSING, received_at=self.received_at, due_at=due_at, **more
        )

    # ---------------------------------------------------------------- how it goes on

    def _ordinary(self) -> Iterator[Telling]:
        due = self._due()
        yield self._received(self._printed(due))
        if self.procedure.code == JOINT and self.dice.chance(0.5):
            yield from self._leg()
        finished_at = self._finish(due)
        if finished_at > due.on_time_until and self.dice.chance(0.45):
            yield self._apology(due)
        yield from self._finished(finished_at)

    def _forgotten(self) -> Iterator[Telling]:
        due = self._due()
        yield self._received(due.due_at)
        days = self.dice.number(25, 70)
        yield from self._finished(self._moment_on(self._working_days_after(due.due_on, days)))

    def _finish(self, due: Due) -> datetime:
        dice = self.dice
        lateness = self.office.lateness * (0.25 if self.is_quick else 1.6)
        if dice.chance(lateness):
            days = (1, 2, dice.number(3, 5), dice.number(6, 12), dice.number(30, 70))[
                dice.pick((80, 20) if self.is_quick else (40, 22, 20, 12, 6))
            ]
            return self._moment_on(self._working_days_after(due.due_on, days))
        if self.is_quick:
            minutes = timedelta(minutes=dice.number(10, 150))
            done = self.calendar.add_working_time(self.received_at, minutes)
            return min(done, due.due_at)
        span = self.calendar.working_days_between(self.day, due.due_on)
        if span < 2 or dice.chance(0.36):
            return min(self._moment_on(due.due_on), due.due_at)
        return self._moment_on(self._working_days_after(self.day, dice.number(1, span - 1)))

    def _finished(self, at: datetime, **more: Any) -> Iterator[Telling]:
        dice = self.dice
        outcome = Outcome.REFUSED if dice.chance(0.025) else Outcome.GRANTED
        if outcome is Outcome.REFUSED or dice.chance(0.1):
            yield self._told(at, Status.FINISHED, finished_at=at, outcome=outcome, **more)
            return
        method = (ReturnMethod.COUNTER, ReturnMethod.ONLINE, ReturnMethod.POST)[
            dice.pick((60, 28, 12))
        ]
        later = timedelta(minutes=dice.number(5, 90))
        returned_at = self.calendar.next_working_instant(at + later)
        if self.is_quick:  # handed over at the counter at once: told once
            later = timedelta(minutes=dice.number(1, 10))
            returned_at = at + later
        else:
            yield self._told(at, Status.FINISHED, finished_at=at, outcome=outcome, **more)
        yield self._told(
            returned_at,
            Status.RETURNED,
            finished_at=at,
            outcome=outcome,
            returned_at=returned_at,
            return_method=method,
            **more,
        )

    def _withdrawn(self) -> Iterator[Telling]:
        yield self._received(self._due().due_at)
        ended_at = self._moment_on(self._working_days_after(self.day, self.dice.number(1, 3)))
        yield self._told(ended_at, Status.WITHDRAWN, ended_at=ended_at)

    def _paused(self) -> Iterator[Telling]:
        dice = self.dice
        yield self._received(self._due().due_at)
        kind = (PauseKind.SUPPLEMENT, PauseKind.PAYMENT, PauseKind.OTHER_AGENCY)[
            dice.pick((70, 15, 15))
        ]
        began = self._moment_on(self._working_days_after(self.day, 1))
        days = dice.number(9, 25) if dice.chance(0.2) else dice.number(2, 7)
        ended = self._moment_on(self._working_days_after(self.day, 1 + days))
        waiting = {
            PauseKind.SUPPLEMENT: Status.AWAITING_SUPPLEMENT,
            PauseKind.PAYMENT: Status.AWAITING_PAYMENT,
        }.get(kind, Status.PROCESSING)
        yield self._told(began, waiting, pauses=(PauseTold(kind.value, began),))
        due = self._due((Pause(kind, began, ended, DEFAULT_POLICIES[kind]),))
        pauses = (PauseTold(kind.value, began, ended),)
        yield self._told(ended, Status.PROCESSING, pauses=pauses, due_at=due.due_at)
        resumed_on = self.calendar.local_date(ended)
        left = self.calendar.working_days_between(resumed_on, due.due_on)
        days = dice.number(1, 6) if dice.chance(self.office.lateness) else -dice.number(0, 2)
        on = self._working_days_after(resumed_on, max(1, left + days))
        finished_at = self._moment_on(on)
        yield from self._finished(finished_at, pauses=pauses)

    def _extended(self) -> Iterator[Telling]:
        due = self._due()
        yield self._received(due.due_at)
        span = self.calendar.working_days_between(self.day, due.due_on)
        issued_at = self._moment_on(self._working_days_after(self.day, max(span - 1, 1)))
        new_on = self._working_days_after(due.due_on, self.dice.number(3, 6))
        new_due_at = self.calendar.sessions_on(new_on)[-1][1]
        extension = ExtensionTold(issued_at, new_due_at)
        yield self._told(issued_at, Status.PROCESSING, extension=extension)
        late = 8 if self.dice.chance(0.2) else 2
        finished_at = self._moment_on(self._working_days_after(due.due_on, late))
        yield from self._finished(finished_at, extension=extension)

    def _reopened(self) -> Iterator[Telling]:
        yield from self._ordinary()
        due = self._due()
        again = self._moment_on(self._working_days_after(due.due_on, 15))
        yield self._told(again, Status.PROCESSING, finished_at=None, returned_at=None)
        yield from self._finished(again + timedelta(minutes=50))

    def _without_due(self) -> Iterator[Telling]:
        self.procedure = replace(self.procedure, code=UNKNOWN_PROCEDURE)
        yield self._received(None)
        yield from self._finished(self._moment_on(self._working_days_after(self.day, 4)))

    def _unknown_procedure(self) -> Iterator[Telling]:
        self.procedure = replace(self.procedure, code=UNKNOWN_PROCEDURE)
        due_on = self._working_days_after(self.day, 5)
        yield self._received(self.calendar.sessions_on(due_on)[-1][1])
        days = self.dice.number(2, 6)
        yield from self._finished(self._moment_on(self._working_days_after(self.day, days)))

    def _leg(self) -> Iterator[Telling]:
        """Tell of the leg of a joint dossier at another body, on a clock of its own."""
        day = self._working_days_after(self.day, 1)
        received_at = self._moment_on(day)
        due_on = self._working_days_after(day, 10)
        code = f"{JOINT_LEG_AT}-{self.code.removeprefix('H44.')}"
        common: Told = {
            "unit": JOINT_LEG_AT,
            "procedure": JOINT,
            "parent": self.code,
            "leg": JOINT_LEG,
            "channel": Channel.IN_PERSON,
            "applicant_type": ApplicantType.CITIZEN,
            "received_at": received_at,
            "due_at": self.calendar.sessions_on(due_on)[-1][1],
        }
        told: Told = {**common, "status": Status.PROCESSING}
        yield Telling(received_at, code, MessageKind.RECORD, told)
        days = 13 if self.dice.chance(0.2) else self.dice.number(5, 9)
        finished_at = self._moment_on(self._working_days_after(day, days))
        told = {**common, "status": Status.FINISHED, "finished_at": finished_at}
        yield Telling(finished_at, code, MessageKind.RECORD, told)

    def _apology(self, due: Due) -> Telling:
        at = self._moment_on(self._working_days_after(due.due_on, 1))
        return Telling(at, self.code, MessageKind.APOLOGY, {})

    # ---------------------------------------------------------------- days and words

    def _due(self, pauses: tuple[Pause, ...] = ()) -> Due:
        start = clock_start(self.calendar, self.limit, self.received_at)
        due = compute_due(self.calendar, self.limit, start, pauses)
        if due is None:
            raise ValueError(f"{self.procedure.code} has no limit")
        return due

    def _printed(self, due: Due) -> datetime | None:
        """Return the date on the slip: the law's, a day less as some offices promise, or none."""
        if self.dice.chance(0.05):
            return None
        if self.limit.kind is LimitKind.WORKING_DAYS and self.dice.chance(0.05):
            span = self.calendar.working_days_between(self.day, due.due_on)
            if span > 2:
                on = self._working_days_after(self.day, span - 1)
                return self.calendar.sessions_on(on)[-1][1]
        return due.due_at

    def _told(self, at: datetime, status: Status, **facts: Any) -> Telling:
        applicant = ApplicantType.BUSINESS if self.is_business else ApplicantType.CITIZEN
        told: Told = {
            "unit": self.office.unit,
            "procedure": self.procedure.code,
            "channel": self.channel,
            "applicant_type": applicant,
            "status": status,
        }
        told.update(facts)  # type: ignore[typeddict-item]  # names of facts, all from this module
        return Telling(at, self.code, MessageKind.RECORD, told)

    def _moment_on(self, day: date) -> datetime:
        """Return a moment of a working day, never in its last twenty minutes."""
        sessions = self.calendar.sessions_on(day)
        opens, closes = sessions[self.dice.pick([1.4] + [1.0] * (len(sessions) - 1))]
        minutes = int((closes - opens).total_seconds() // 60) - 20
        return opens.astimezone(UTC) + timedelta(minutes=self.dice.number(0, max(minutes, 1)))

    def _working_days_after(self, day: date, days: int) -> date:
        for _ in range(days):
            day = self.calendar.next_working_day(day)
        return day
