"""Alerts about overdue dossiers, and their acknowledgement."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.doors import doors
from app.api.fields import Instant, Out, UnitsBelow
from app.api.pages import entry_of, link_next, spelled
from app.api.problems import problems
from app.deps import CursorInvalid, Now, Page, Reading, Writing, needs
from app.domain.mute import NoteReason
from app.store.alerts import AlertRow
from app.store.units import UnitUnknown
from app.usecases import alerts
from app.usecases.access import Principal
from app.usecases.alerts import AlertUnknown
from app.usecases.subtree import subtree_of

router = doors("/v1/alerts", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]
Manager = Annotated[Principal, needs("alerts:manage")]


class AlertOut(Out):
    """One alert: a stage of an episode of a dossier, raised once."""

    id: UUID = Field(description="Stable: the same dossier, episode and stage give the same id.")
    code: str = Field(examples=["H44.100-260803-0012"])
    source: str
    unit: str = Field(examples=["H44.100"])
    episode: int = Field(description="Rises when a dossier gets another due date and misses it.")
    stage: str = Field(examples=["overdue+1"])
    level: str = Field(
        description="Whom the stage is for: `unit`, `head`, `parent` or `province`.",
        examples=["head"],
    )
    recipient: str = Field(description="The unit that is to know.", examples=["H44.100"])
    due_on: date
    due_at: datetime
    late_since: datetime | None = Field(description="Null of a warning before the due moment.")
    occurred_at: datetime = Field(description="When the stage came, whenever it was noticed.")
    raised_at: datetime
    run: str = Field(description="The night or hour that raised it.", examples=["2026-08-10"])
    is_digest_only: bool = Field(description="Old when it reached us, so not sent one by one.")
    recipients: list[str]
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_reason: str | None = Field(examples=["in_hand"])
    muted_until: Instant | None = Field(
        description="Đang tạm ẩn đến lúc này; xem /v1/mutes. / Not sent until then."
    )

    @classmethod
    def of(cls, row: AlertRow, muted_until: datetime | None = None) -> "AlertOut":
        """Return an alert as it is shown."""
        return cls(
            id=row.id,
            code=row.code,
            source=row.source,
            unit=row.unit,
            episode=row.episode,
            stage=row.stage,
            level=row.level,
            recipient=row.recipient,
            due_on=row.due_on,
            due_at=row.due_at,
            late_since=row.late_since,
            occurred_at=row.occurred_at,
            raised_at=row.raised_at,
            run=row.run,
            is_digest_only=row.is_digest_only,
            recipients=[f"webhook:{webhook_id}" for webhook_id in row.recipients],
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=row.acknowledged_by,
            acknowledged_reason=row.acknowledged_reason,
            muted_until=muted_until,
        )


class AlertsOut(Out):
    """A page of alerts, newest first."""

    alerts: list[AlertOut]
    next_cursor: str | None


@router.get(
    "",
    operation_id="listAlerts",
    summary="List alerts, newest first",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_alerts(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    now: Now,
    unit: UnitsBelow = None,
    stage: Annotated[
        str | None, Query(max_length=40, description="Mốc cảnh báo. / For example `overdue+1`.")
    ] = None,
    run: Annotated[
        str | None,
        Query(max_length=40, description="Lần chạy đã phát. / The run that raised them."),
    ] = None,
    since: Annotated[
        Instant | None,
        Query(description="Phát từ thời điểm này. / Raised at or after this instant."),
    ] = None,
) -> AlertsOut:
    """Cảnh báo đã phát: mỗi hồ sơ, mỗi lần trễ và mỗi mốc chỉ một lần.

    Alerts that were raised: once for each dossier, episode and stage.
    """
    filters = {"unit": unit, "stage": stage, "run": run, "since": since}
    place = entry_of(page.position(**filters))
    found, has_more = alerts.list_alerts(
        session,
        within=subtree_of(session, who, unit),
        stage=stage,
        run=run,
        since=since,
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        after = page.cursor_after(spelled(found[-1].raised_at, found[-1].id), **filters)
    link_next(request, response, after)
    muted = alerts.muted_until(session, found, now=now)
    return AlertsOut(
        alerts=[AlertOut.of(row, muted.get(row.id)) for row in found], next_cursor=after
    )


@router.post(
    "/{alert_id}/acknowledge",
    operation_id="acknowledgeAlert",
    summary="Take note of an alert",
    responses=problems(AlertUnknown),
)
def acknowledge_alert(
    alert_id: UUID,
    session: Writing,
    who: Manager,
    now: Now,
    reason: Annotated[
        NoteReason | None, Query(description="Lý do ghi nhận. / Why it may rest.")
    ] = None,
) -> AlertOut:
    """Ghi nhận đã biết cảnh báo; người ghi nhận đầu tiên được giữ lại.

    Somebody has taken note; the first to do so stays on record, so repeating is harmless.
    """
    row = alerts.acknowledge(session, alert_id, reason=reason, who=who, now=now)
    return AlertOut.of(row, alerts.muted_until(session, [row], now=now).get(row.id))
