"""When a dossier in hand is worth an alert, which alert it is, and whom it is for.

An alert belongs to one *episode* (one due date of one dossier) and one *stage* (a number of
working days before or after it). Its id is made from these alone, so whoever raises it, however
often, raises the same one.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.calendar import WorkCalendar
from app.domain.timeliness import JUST, State

NAMESPACE: Final = uuid.UUID("6f1f5c1e-2b0b-5d0c-9c5e-7a4c0b6f2d11")
"""What makes our alert ids ours; it never changes."""

LATE_HISTORY: Final = timedelta(days=2)
"""A stage that came longer than this before we could know of it is not sent out one by one."""


class Level(StrEnum):
    """Who is to know of a stage (cấp nhận cảnh báo); the order is that of climbing."""

    UNIT = "unit"
    """The officers of the unit that holds the dossier."""
    HEAD = "head"
    """Its head."""
    PARENT = "parent"
    """The unit above it."""
    PROVINCE = "province"
    """The province, or, where the tree has none, the unit at its top."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A rung of the ladder (mốc cảnh báo): so many working days after the due day, or before it.

    ``since`` is when the office set the rung up; what had come by then is not told afterwards.
    """

    offset: int
    level: Level = Level.UNIT
    since: datetime | None = None

    @property
    def name(self) -> str:
        """Return the permanent name: ``due-2``, ``due``, ``overdue+5``."""
        if self.offset > 0:
            return f"overdue+{self.offset}"
        return f"due-{-self.offset}" if self.offset else "due"

    @property
    def is_warning(self) -> bool:
        """Tell whether the stage comes before the dossier is late."""
        return self.offset <= 0


STAGES: Final = (
    Stage(-2, Level.UNIT),
    Stage(0, Level.UNIT),
    Stage(1, Level.HEAD),
    Stage(5, Level.PARENT),
    Stage(10, Level.PROVINCE),
)
"""The ladder of an office that has set up none."""


@dataclass(frozen=True, slots=True)
class DossierKey:
    """What identifies one stay of a dossier at a unit."""

    unit_id: int
    source_id: int
    code: str


@dataclass(frozen=True, slots=True)
class InHand:
    """A dossier that a unit holds with its clock running, and the due moment (hạn trả) it has.

    ``late_since`` is None while it is in time. ``running_since`` is when the present stretch of
    being open began: at the receipt, after a pause, after a transfer.
    """

    key: DossierKey
    unit: str
    source: str
    unit_lft: int
    due_on: date
    due_at: datetime
    late_since: datetime | None
    running_since: datetime
    received_at: datetime | None
    first_recorded_at: datetime

    @property
    def is_late(self) -> bool:
        """Tell whether the due moment has passed."""
        return self.late_since is not None


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell about one episode of one dossier (cảnh báo)."""

    id: uuid.UUID
    dossier: InHand
    episode: int
    stage: Stage
    occurred_at: datetime
    is_digest_only: bool


def overdue_since(
    edge_at: Sequence[datetime], edge_state: Sequence[int], as_of: datetime
) -> datetime | None:
    """Return when the present stretch of lateness began, or None if there is none.

    ``as_of`` is exclusive, as everywhere: what counts is the state at the last instant before it.
    """
    return _stretch(edge_at, edge_state, as_of, (State.OPEN_OVERDUE,))


def running_since(
    edge_at: Sequence[datetime], edge_state: Sequence[int], as_of: datetime
) -> datetime | None:
    """Return when the present stretch of being open with a due date began, None without one."""
    return _stretch(edge_at, edge_state, as_of, (State.OPEN_IN_TIME, State.OPEN_OVERDUE))


def _stretch(
    edge_at: Sequence[datetime],
    edge_state: Sequence[int],
    as_of: datetime,
    wanted: tuple[State, ...],
) -> datetime | None:
    since = None
    for at, state in zip(edge_at, edge_state, strict=True):
        if at >= as_of:
            break
        if state not in wanted:
            since = None
        elif since is None:
            since = at
    return since


def stage_begins_at(calendar: WorkCalendar, due_on: date, stage: Stage) -> datetime:
    """Return the local midnight that opens the stage's working day.

    That is the n-th working day after the due day, or before it; the stage of the due day opens
    with that day itself.

    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: there is no such day.
    """
    day = due_on
    for _ in range(stage.offset):
        day = calendar.next_working_day(day)
    for _ in range(-stage.offset):
        day = _previous_working_day(calendar, day)
    return datetime.combine(day, time(), ZoneInfo(calendar.zone))


def _previous_working_day(calendar: WorkCalendar, day: date) -> date:
    before = day - timedelta(days=1)
    while not calendar.is_working_day(before):
        before -= timedelta(days=1)
    return before


def last_due_day(calendar: WorkCalendar, day: date, stage: Stage) -> date:
    """Return the last due day for which a stage may have come on a day.

    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: there is no working day ahead.
    """
    if stage.is_warning:
        last = day
        for _ in range(1 - stage.offset):
            last = calendar.next_working_day(last)
    else:
        last = day + timedelta(days=1)
        for _ in range(stage.offset):
            last = _previous_working_day(calendar, last)
    return last - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The stages that hold at a unit with the calendar it lives by; what it computed is kept."""

    calendar: WorkCalendar
    stages: tuple[Stage, ...] = STAGES
    _begun: dict[date, tuple[tuple[Stage, datetime], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def beginnings(self, due_on: date) -> tuple[tuple[Stage, datetime], ...]:
        """Return when each stage of a due day begins, in the order of coming.

        :raises CalendarYearMissing: a year on the way is not loaded.
        :raises CalendarNeverOpens: a stage has no working day.
        """
        known = self._begun.get(due_on)
        if known is None:
            ordered = sorted(self.stages, key=_offset)
            known = tuple(
                (stage, stage_begins_at(self.calendar, due_on, stage)) for stage in ordered
            )
            self._begun[due_on] = known
        return known

    def reached(self, dossier: InHand, *, as_of: datetime) -> tuple[tuple[Stage, datetime], ...]:
        """Return the stages that hold before ``as_of``, each with the instant at which it came.

        Of a dossier in time that is the newest stage alone: warnings of before say no more than
        it does. Of one that is late it is every stage after the due day, each being for another
        level. A warning whose day had begun when the dossier was received is none: the limit is
        shorter than the warning.

        :raises CalendarYearMissing: a year on the way is not loaded.
        :raises CalendarNeverOpens: a stage has no working day.
        """
        began = self.beginnings(dossier.due_on)
        if dossier.late_since is None:
            newest = [(stage, at) for stage, at in began if stage.is_warning and at < as_of][-1:]
            came = [(stage, at) for stage, at in newest if _fits(dossier, at)]
            since = dossier.running_since
        else:
            came = [(stage, at) for stage, at in began if not stage.is_warning]
            since = dossier.late_since
        reached = ((stage, max(at, since)) for stage, at in came)
        return tuple(
            (stage, at)
            for stage, at in reached
            if at < as_of and (stage.since is None or at >= stage.since)
        )


def _offset(stage: Stage) -> int:
    return stage.offset


def _fits(dossier: InHand, at: datetime) -> bool:
    return dossier.received_at is None or dossier.received_at <= at


def working_days_late(calendar: WorkCalendar, due_on: date, as_of: datetime) -> int:
    """Count the working days after the due day up to and including the day of ``as_of``.

    The day of ``as_of`` is that of the last instant before it.

    :raises CalendarYearMissing: a year of them is not loaded.
    """
    return max(0, calendar.working_days_between(due_on, calendar.local_date(as_of - JUST)))


def working_days_left(calendar: WorkCalendar, due_on: date, as_of: datetime) -> int:
    """Count the working days after the day of ``as_of`` up to and including the due day.

    :raises CalendarYearMissing: a year of them is not loaded.
    """
    return max(0, calendar.working_days_between(calendar.local_date(as_of - JUST), due_on))


def episode_of(due_at: datetime, former: Mapping[datetime, int]) -> int:
    """Return the number of a due moment's episode, given those alerted before by due moment."""
    return former.get(due_at) or max(former.values(), default=0) + 1


def alert_id(*, unit: str, source: str, code: str, episode: int, stage: str) -> uuid.UUID:
    """Return the stable id of an alert, the same on every machine and in every run."""
    return uuid.uuid5(NAMESPACE, "\x1f".join((unit, source, code, str(episode), stage)))


def alerts_of(
    ladder: Ladder,
    dossier: InHand,
    *,
    as_of: datetime,
    now: datetime,
    former: Mapping[datetime, int],
    told: Iterable[str] = (),
) -> list[Alert]:
    """Return the alerts that a dossier deserves by ``as_of`` beside those told of this due moment.

    A look that was missed is made up for at ``now``; a warning that another stage has overtaken
    by then is dropped. What came more than ``LATE_HISTORY`` before this look, or before the
    dossier reached us, was hidden from the looks in between: it is history that arrives late,
    and goes to the digest. So do all stages of a dossier that was late for as long when it first
    reached us.

    :param former: the numbers of the episodes alerted before, by due moment.
    :param told: names of the stages already raised for this due moment.
    :raises CalendarYearMissing: a year on the way is not loaded.
    :raises CalendarNeverOpens: a stage has no working day.
    """
    known = frozenset(told)
    new = [each for each in ladder.reached(dossier, as_of=as_of) if each[0].name not in known]
    if not new or (not dossier.is_late and _is_overtaken(ladder, dossier.due_on, as_of, now)):
        return []
    episode = episode_of(dossier.due_at, former)
    heard_at = max(dossier.first_recorded_at, as_of)
    late_since = dossier.late_since
    was_late = late_since is not None and dossier.first_recorded_at > late_since + LATE_HISTORY
    return [
        Alert(
            id=alert_id(
                unit=dossier.unit,
                source=dossier.source,
                code=dossier.key.code,
                episode=episode,
                stage=stage.name,
            ),
            dossier=dossier,
            episode=episode,
            stage=stage,
            occurred_at=at,
            is_digest_only=was_late or heard_at > at + LATE_HISTORY,
        )
        for stage, at in new
    ]


def _is_overtaken(ladder: Ladder, due_on: date, as_of: datetime, now: datetime) -> bool:
    """Tell whether another warning came between a look and the making up for it."""
    return any(stage.is_warning and as_of <= at < now for stage, at in ladder.beginnings(due_on))


@dataclass(frozen=True, slots=True)
class Rung:
    """A unit on the way up from a dossier."""

    unit_id: int
    is_province: bool


def recipient_of(level: Level, way_up: Sequence[Rung]) -> int:
    """Return the unit that is to know, given the way up from the dossier's unit to the top.

    :raises ValueError: the way is empty.
    """
    if not way_up:
        raise ValueError("a dossier has a unit")
    match level:
        case Level.UNIT | Level.HEAD:
            return way_up[0].unit_id
        case Level.PARENT:
            return way_up[min(1, len(way_up) - 1)].unit_id
        case Level.PROVINCE:
            provinces = [rung.unit_id for rung in way_up if rung.is_province]
            return provinces[0] if provinces else way_up[-1].unit_id
