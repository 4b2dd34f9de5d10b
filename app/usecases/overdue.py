"""Overdue dossiers: flagged once by the nightly job, and listed whenever asked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.alert import (
    STAGES,
    Alert,
    Overdue,
    Stage,
    alerts_of,
    working_days_late,
)
from app.domain.calendar import CalendarNeverOpens, CalendarYearMissing, WorkCalendar
from app.domain.errors import Invalid
from app.domain.timeliness import Reading
from app.store import alerts, overdue, runs
from app.store.overdue import OverdueRow, Place
from app.store.runs import Claim
from app.store.session import ReadSession, WriteSession
from app.usecases import late_causes, outbox
from app.usecases.calendars import calendars_of

BATCH: Final = 500
ADDED_UP: Final = ("raised", "digest_only", "queued")
LOOKED: Final = ("looked_at", "overdue", "not_computable")


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


def first_step(claim: Claim) -> Step:
    """Return where a run begins: at the start, with what earlier holders of the slot raised."""
    kept = {name: int(claim.found.get(name, 0)) for name in ADDED_UP}
    return Step({**dict.fromkeys(LOOKED, 0), **kept}, None)


def flag_overdue(
    session: WriteSession,
    *,
    claim: Claim,
    step: Step,
    now: datetime,
    batch: int = BATCH,
    stages: Sequence[Stage] = STAGES,
) -> Step:
    """Raise the alerts of the next batch of overdue dossiers, as of the slot's moment.

    Alerts, what is to be sent of them and the renewal of the slot are one transaction; after the
    last batch the slot is closed in it. Raising again what was raised changes nothing.

    :raises RunLost: another process has taken the slot over; this batch is undone.
    """
    found = overdue.candidates(
        session,
        as_of=claim.as_of,
        stages=[stage.name for stage in stages],
        after=step.after,
        limit=batch,
    )
    deserved, not_computable = _deserved(session, found.overdue, as_of=claim.as_of, stages=stages)
    new = alerts.add(session, deserved, run=claim.slot, now=now)
    raised = [alert for alert in deserved if alert.id in new]
    to_send = [alert for alert in raised if not alert.is_digest_only]
    queued = outbox.queue_alerts(session, to_send, now=now)
    total = Counter(step.found)
    total.update(
        looked_at=found.looked_at,
        overdue=len(found.overdue),
        not_computable=not_computable,
        raised=len(raised),
        digest_only=len(raised) - len(to_send),
        queued=queued,
    )
    if found.after is None:
        runs.finish(session, claim, found=total)
    else:
        runs.renew(session, claim, found=total)
    return Step(dict(total), found.after)


def _deserved(
    session: ReadSession,
    late: Sequence[Overdue],
    *,
    as_of: datetime,
    stages: Sequence[Stage],
) -> tuple[list[Alert], int]:
    """Return the alerts that the dossiers deserve, and how many no calendar can judge."""
    former = alerts.former(session, [each.key for each in late])
    calendars = calendars_of(session, {each.key.unit_id for each in late})
    deserved: list[Alert] = []
    not_computable = 0
    for each in late:
        calendar = calendars[each.key.unit_id]
        before = former.get(each.key, {})
        try:
            deserved += alerts_of(calendar, each, as_of=as_of, former=before, stages=stages)
        except (CalendarYearMissing, CalendarNeverOpens):
            not_computable += 1
    return deserved, not_computable


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
    calendars = calendars_of(session, {row.key.unit_id for row in shown})
    causes = late_causes.causes_of(session, [(row.key.source_id, row.key.code) for row in shown])
    lines = []
    for row in shown:
        held_by, leg = legs.get((row.key.source_id, row.key.code), (row.unit, row.leg))
        lines.append(
            LateDossier(
                row=row,
                late_working_days=_days_late(calendars[row.key.unit_id], row, moment),
                holder=Holder(held_by, leg),
                apology=_apology(row, moment),
                late_cause=causes.get((row.key.source_id, row.key.code)),
            )
        )
    return OverduePage(
        as_of=moment,
        reading=reading,
        total=overdue.count(
            session, lft=lft, rgt=rgt, as_of=moment, reading=reading, open_now=as_of is None
        ),
        dossiers=lines,
        after=shown[-1].place if len(rows) > limit else None,
    )


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
