"""Overdue dossiers: flagged once by the nightly job, and listed whenever asked."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.alert import (
    Ladder,
    Rung,
    Stage,
    alerts_of,
    last_due_day,
    recipient_of,
    working_days_late,
)
from app.domain.calendar import CalendarNeverOpens, CalendarYearMissing, WorkCalendar
from app.domain.dossier import ZONE
from app.domain.errors import Invalid
from app.domain.night import HOURLY
from app.domain.timeliness import JUST, Reading
from app.store import alerts, calendars, overdue, runs, units
from app.store.alerts import Addressed
from app.store.overdue import Candidate, Look, OverdueRow, Place
from app.store.runs import Claim
from app.store.session import ReadSession, WriteSession
from app.usecases import alert_settings, late_causes, outbox
from app.usecases.calendars import calendars_of, state_calendar
from app.usecases.catalogue import UnitLevel

BATCH: Final = 250
"""Dossiers that a transaction looks at, at most."""
MOST_AT_ONCE: Final = 100
"""Dossiers of which a transaction raises alerts, at most; so it is over in a moment."""
ADDED_UP: Final = ("raised", "digest_only", "queued")
LOOKED: Final = ("looked_at", "overdue", "in_time", "not_computable")
LONGEST_CLOSURE: Final = timedelta(days=31)
"""How far a run looks ahead where the calendar of the days to come is missing."""


@dataclass(eq=False, kw_only=True)
class MomentToCome(Invalid):
    """The list is asked for at an instant that has not come; what will be is not guessed."""

    code: ClassVar[str] = "overdue.moment_to_come"
    as_of: datetime
    now: datetime


class Apology(StrEnum):
    """Whether a letter of apology (văn bản xin lỗi) is owed for a late dossier."""

    NONE = "none"
    ISSUED = "issued"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Step:
    """What a run has found so far, and where it goes on (None when it is done)."""

    found: Mapping[str, int]
    after: Place | None
    lookout: "Lookout"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a dossier now: a unit, and, of a joint dossier, the leg."""

    unit: str
    leg: str | None


@dataclass(frozen=True, slots=True)
class LateDossier:
    """One line of the overdue list; ``late_working_days`` is None where no calendar can tell."""

    row: OverdueRow
    late_working_days: int | None
    holder: Holder
    apology: Apology
    late_cause: str | None = None


@dataclass(frozen=True, slots=True)
class OverduePage:
    """A page of the overdue list, worst first."""

    as_of: datetime
    reading: Reading
    total: int
    dossiers: list[LateDossier]
    after: Place | None


# ---------------------------------------------------------------- flagging


@dataclass(frozen=True, slots=True)
class Lookout:
    """What a run looks with: how far, and the ladders, calendars and ways up it met so far."""

    look: Look
    ladders: dict[int, Ladder] = field(default_factory=dict)
    ways_up: dict[int, tuple[Rung, ...]] = field(default_factory=dict)


def first_step(session: ReadSession, claim: Claim, *, now: datetime) -> Step:
    """Return where a run begins: at the start, with what earlier holders of the slot raised."""
    kept = {name: int(claim.found.get(name, 0)) for name in ADDED_UP}
    in_sight = _in_sight(session, claim.as_of)
    look = Look(
        as_of=claim.as_of,
        now=now,
        since=claim.as_of - JUST if claim.job == HOURLY else None,
        until=_midnight_after(max(in_sight.values())),
        warnings={stage.name: day for stage, day in in_sight.items() if stage.is_warning},
        overdue={stage.name: day for stage, day in in_sight.items() if not stage.is_warning},
    )
    return Step({**dict.fromkeys(LOOKED, 0), **kept}, None, Lookout(look))


def _in_sight(session: ReadSession, as_of: datetime) -> dict[Stage, date]:
    """Return for each stage the last due day for which it may have come, in any calendar."""
    state = state_calendar(session)
    own = {row.unit_id for row in calendars.every(session) if row.unit_id is not None}
    known = {id(each): each for each in [state, *calendars_of(session, own).values()]}
    today = state.local_date(as_of - JUST)
    return {
        stage: max(_last_due_day(calendar, today, stage) for calendar in known.values())
        for stage in alert_settings.every_stage(session)
    }


def _last_due_day(calendar: WorkCalendar, today: date, stage: Stage) -> date:
    try:
        return last_due_day(calendar, today, stage)
    except (CalendarYearMissing, CalendarNeverOpens):
        return today + LONGEST_CLOSURE if stage.is_warning else today


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), ZONE)


def flag_overdue(
    session: WriteSession, *, claim: Claim, step: Step, now: datetime, batch: int = BATCH
) -> Step:
    """Raise the alerts of the next batch of dossiers, as of the slot's moment.

    Alerts, what is to be sent of them and the renewal of the slot are one transaction; after the
    last batch the slot is closed in it. Raising again what was raised changes nothing.

    :raises RunLost: another process has taken the slot over; this batch is undone.
    """
    found = overdue.candidates(
        session, step.lookout.look, after=step.after, limit=batch, most=MOST_AT_ONCE
    )
    deserved, not_computable = _deserved(session, found.found, step.lookout, now=now)
    new = alerts.add(session, deserved, run=claim.slot, now=now)
    raised = [each for each in deserved if each.alert.id in new]
    to_send = [each for each in raised if not each.alert.is_digest_only]
    queued = outbox.queue_alerts(session, to_send, now=now)
    to_tell = {each.alert.dossier.key: each.alert.dossier.is_late for each in deserved}
    late = sum(to_tell.values())
    total = Counter(step.found)
    total.update(
        looked_at=found.looked_at,
        overdue=late,
        in_time=len(to_tell) - late,
        not_computable=not_computable,
        raised=len(raised),
        digest_only=len(raised) - len(to_send),
        queued=queued,
    )
    if found.after is None:
        if total["digest_only"]:
            kept = alerts.kept_for_digest(session, claim.slot)
            total["queued"] += outbox.queue_summaries(
                session, kept, run=claim.slot, as_of=claim.as_of, now=now
            )
        runs.finish(session, claim, found=total)
    else:
        runs.renew(session, claim, found=total)
    return Step(dict(total), found.after, step.lookout)


def _deserved(
    session: ReadSession, found: Sequence[Candidate], lookout: Lookout, *, now: datetime
) -> tuple[list[Addressed], int]:
    """Return the alerts that the dossiers deserve, and how many no calendar can judge."""
    _look_up(session, lookout, {each.dossier.key.unit_id for each in found})
    deserved: list[Addressed] = []
    not_computable = 0
    for each in found:
        unit_id = each.dossier.key.unit_id
        try:
            deserved += [
                Addressed(alert, recipient_of(alert.stage.level, lookout.ways_up[unit_id]))
                for alert in alerts_of(
                    lookout.ladders[unit_id],
                    each.dossier,
                    as_of=lookout.look.as_of,
                    now=now,
                    former=each.former,
                    told=each.told,
                )
            ]
        except (CalendarYearMissing, CalendarNeverOpens):
            not_computable += 1
    return deserved, not_computable


def _look_up(session: ReadSession, lookout: Lookout, unit_ids: Set[int]) -> None:
    """Learn the ladders and ways up of units that the run has not met yet."""
    unknown = unit_ids - lookout.ladders.keys()
    if not unknown:
        return
    settings = alert_settings.settings_of(session, unknown)
    kept = {(id(each.calendar), each.stages): each for each in lookout.ladders.values()}
    for unit_id, calendar in calendars_of(session, unknown).items():
        stages = settings[unit_id].stages
        key = (id(calendar), stages)  # calendars that are the same are the same value
        kept.setdefault(key, Ladder(calendar, stages))
        lookout.ladders[unit_id] = kept[key]
    lineages = units.lineages(session, unknown)
    above = units.by_id(session, {each for line in lineages.values() for each in line})
    for unit_id, line in lineages.items():
        lookout.ways_up[unit_id] = tuple(
            Rung(each, above[each].level == UnitLevel.PROVINCE) for each in reversed(line)
        )


# ---------------------------------------------------------------- listing


def list_overdue(
    session: ReadSession,
    *,
    lft: int,
    rgt: int,
    reading: Reading,
    now: datetime,
    as_of: datetime | None,
    after: Place | None,
    limit: int,
) -> OverduePage:
    """Return a page of the dossiers of a subtree that are overdue at an instant, worst first.

    :param as_of: the instant, exclusive; the present when None.
    :raises MomentToCome: the instant lies in the future.
    """
    moment = now if as_of is None else as_of
    if moment > now:
        raise MomentToCome(as_of=moment, now=now)
    rows = overdue.page(
        session,
        lft=lft,
        rgt=rgt,
        as_of=moment,
        reading=reading,
        open_now=as_of is None,
        after=after,
        limit=limit + 1,
    )
    shown = rows[:limit]
    legs = overdue.open_legs(session, [row.key for row in shown])
    held = calendars_of(session, {row.key.unit_id for row in shown})
    causes = late_causes.causes_of(session, [(row.key.source_id, row.key.code) for row in shown])
    lines = [
        LateDossier(
            row=row,
            late_working_days=_days_late(held[row.key.unit_id], row, moment),
            holder=holder_of(row, legs),
            apology=_apology(row, moment),
            late_cause=causes.get((row.key.source_id, row.key.code)),
        )
        for row in shown
    ]
    return OverduePage(
        as_of=moment,
        reading=reading,
        total=overdue.count(
            session, lft=lft, rgt=rgt, as_of=moment, reading=reading, open_now=as_of is None
        ),
        dossiers=lines,
        after=shown[-1].place if len(rows) > limit else None,
    )


def holder_of(row: OverdueRow, legs: Mapping[tuple[int, str], tuple[str, str | None]]) -> Holder:
    """Return who holds a dossier now: the newest open leg of a joint one, else its unit."""
    return Holder(*legs.get((row.key.source_id, row.key.code), (row.unit, row.leg)))


def _days_late(calendar: WorkCalendar, row: OverdueRow, as_of: datetime) -> int | None:
    try:
        return working_days_late(calendar, row.due_on, as_of)
    except CalendarYearMissing:
        return None


def _apology(row: OverdueRow, as_of: datetime) -> Apology:
    if row.apology_exempt:
        return Apology.EXEMPT
    issued = row.apology_at is not None and row.apology_at < as_of
    return Apology.ISSUED if issued else Apology.NONE
