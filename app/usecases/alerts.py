"""Alerts: read by those who answer for the unit, and acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.domain.alert import DossierKey
from app.domain.errors import NotFound
from app.domain.mute import NoteReason
from app.store import alerts, audit, mutes
from app.store.alerts import AlertRow
from app.store.mutes import Told
from app.store.session import ReadSession, WriteSession
from app.usecases.access import Principal
from app.usecases.subtree import Subtree


@dataclass(eq=False, kw_only=True)
class AlertUnknown(NotFound):
    """No alert has this id, or none within the caller's units."""

    code: ClassVar[str] = "alert.unknown"
    id: str


def list_alerts(
    session: ReadSession,
    *,
    within: Subtree,
    stage: str | None,
    run: str | None = None,
    since: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[AlertRow], bool]:
    """Return a page of the alerts of a subtree, newest first, and whether there are more."""
    found = alerts.page(
        session,
        lft=within.lft,
        rgt=within.rgt,
        stage=stage,
        run=run,
        since=since,
        after=after,
        limit=limit + 1,
    )
    return found[:limit], len(found) > limit


def acknowledge(
    session: WriteSession,
    alert_id: UUID,
    *,
    reason: NoteReason | None = None,
    who: Principal,
    now: datetime,
) -> AlertRow:
    """Note that somebody has taken note of an alert; the first one stays on record.

    :raises AlertUnknown: there is none within what the caller may see.
    """
    found = _get(session, alert_id, who)
    told = None if reason is None else reason.value
    if not alerts.acknowledge(session, alert_id, by=who.actor, reason=told, now=now):
        return found
    audit.append(
        session,
        actor=who.actor,
        action="alert.acknowledge",
        subject=str(alert_id),
        after={"code": found.code, "stage": found.stage, "reason": told},
    )
    return _get(session, alert_id, who)


def muted_until(
    session: ReadSession, rows: Sequence[AlertRow], *, now: datetime
) -> dict[UUID, datetime]:
    """Return until when alerts are muted, for those that are."""
    told = [Told(DossierKey(r.unit_id, r.source_id, r.code), r.unit_lft, r.stage) for r in rows]
    found = mutes.muted_until(session, told, now=now)
    return {rows[n].id: until for n, until in found.items()}


def _get(session: ReadSession, alert_id: UUID, who: Principal) -> AlertRow:
    found = alerts.find(session, alert_id, lft=who.lft, rgt=who.rgt)
    if found is None:
        raise AlertUnknown(id=str(alert_id))
    return found
