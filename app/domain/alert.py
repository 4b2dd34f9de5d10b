"""When a dossier that nobody has finished is worth an alert, and which alert it is.

An alert belongs to one *episode* (one due date that passed) and one *stage* (a number of working
days after it). Its id is made from these alone, so whoever raises it, however often, raises the
same one.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.calendar import WorkCalendar
from app.domain.timeliness import JUST, State

NAMESPACE: Final = uuid.UUID("6f1f5c1e-2b0b-5d0c-9c5e-7a4c0b6f2d11")
"""What makes our alert ids ours; it never changes."""

LATE_HISTORY: Final = timedelta(days=2)
"""History that reaches us later than this after the event is not sent out one by one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A rung of the ladder: so many working days after the due day (mốc cảnh báo)."""

    name: str
    offset: int

    def __post_init__(self) -> None:
        """Refuse a rung that does not lie after the due day."""
        if self.offset < 1:
            raise ValueError("an overdue stage begins on the first working day after the due day")


STAGES: Final = (Stage("overdue+1", 1),)


@dataclass(frozen=True, slots=True)
class DossierKey:
    """What identifies one stay of a dossier at a unit."""

    unit_id: int
    source_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A dossier in hand whose due moment (hạn trả) has passed."""

    key: DossierKey
    unit: str
    source: str
    unit_lft: int
    due_on: date
    due_at: datetime
    late_since: datetime
    first_recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell about one episode of one dossier (cảnh báo)."""

    id: uuid.UUID
    overdue: Overdue
    episode: int
    stage: str
    occurred_at: datetime
    is_digest_only: bool


def overdue_since(
    edge_at: Sequence[datetime], edge_state: Sequence[int], as_of: datetime
) -> datetime | None:
    """Return when the present stretch of lateness began, or None if there is none.

    ``as_of`` is exclusive, as everywhere: what counts is the state at the last instant before it.
    """
    since = None
    for at, state in zip(edge_at, edge_state, strict=True):
        if at >= as_of:
            break
        if state != State.OPEN_OVERDUE:
            since = None
        elif since is None:
            since = at
    return since


def stage_begins_at(calendar: WorkCalendar, due_on: date, stage: Stage) -> datetime:
    """Return the local midnight that opens the stage's working day.

    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: there is no such day.
    """
    day = due_on
    for _ in range(stage.offset):
        day = calendar.next_working_day(day)
    return datetime.combine(day, time(), ZoneInfo(calendar.zone))


def stages_reached(
    calendar: WorkCalendar, overdue: Overdue, *, as_of: datetime, stages: Iterable[Stage] = STAGES
) -> list[tuple[Stage, datetime]]:
    """Return the stages that have come before ``as_of``, each with the instant at which it came.

    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: a stage has no working day.
    """
    came = [(stage, stage_begins_at(calendar, overdue.due_on, stage)) for stage in stages]
    reached = [(stage, max(at, overdue.late_since)) for stage, at in came]
    return [(stage, at) for stage, at in reached if at < as_of]


def working_days_late(calendar: WorkCalendar, due_on: date, as_of: datetime) -> int:
    """Count the working days after the due day up to and including the day of ``as_of``.

    The day of ``as_of`` is that of the last instant before it.

    :raises CalendarYearMissing: a year of them is not loaded.
    """
    return max(0, calendar.working_days_between(due_on, calendar.local_date(as_of - JUST)))


def episode_of(due_at: datetime, former: Mapping[int, datetime]) -> int:
    """Return the number of a due moment's episode, given the due moments alerted before."""
    known = [episode for episode, moment in former.items() if moment == due_at]
    return known[0] if known else max(former, default=0) + 1


def alert_id(*, unit: str, source: str, code: str, episode: int, stage: str) -> uuid.UUID:
    """Return the stable id of an alert, the same on every machine and in every run."""
    return uuid.uuid5(NAMESPACE, "\x1f".join((unit, source, code, str(episode), stage)))


def alerts_of(
    calendar: WorkCalendar,
    overdue: Overdue,
    *,
    as_of: datetime,
    former: Mapping[int, datetime],
    stages: Iterable[Stage] = STAGES,
) -> list[Alert]:
    """Return every alert that the dossier deserves by ``as_of``, raised before or not.

    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: a stage has no working day.
    """
    episode = episode_of(overdue.due_at, former)
    return [
        Alert(
            id=alert_id(
                unit=overdue.unit,
                source=overdue.source,
                code=overdue.key.code,
                episode=episode,
                stage=stage.name,
            ),
            overdue=overdue,
            episode=episode,
            stage=stage.name,
            occurred_at=at,
            is_digest_only=overdue.first_recorded_at > at + LATE_HISTORY,
        )
        for stage, at in stages_reached(calendar, overdue, as_of=as_of, stages=stages)
    ]
