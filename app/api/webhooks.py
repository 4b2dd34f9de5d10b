"""Receivers of signed events (Standard Webhooks)."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.doors import doors
from app.api.fields import In, Instant, Out, UnitCode, UnitsBelow
from app.api.pages import attempt_of, entry_of, link_next, spelled
from app.api.problems import problems
from app.deps import CursorInvalid, Here, Installation, Now, Page, Reading, Writing, needs
from app.senders.guard import UrlAddressRefused, UrlMalformed, UrlNotHttps, UrlPortRefused
from app.senders.seal import Sealer
from app.store.outbox import Attempt
from app.store.units import UnitUnknown
from app.store.webhooks import WebhookRow
from app.usecases import webhooks
from app.usecases.access import Principal
from app.usecases.outbox import OVERDUE
from app.usecases.subtree import subtree_of
from app.usecases.webhooks import (
    LONGEST_OVERLAP_HOURS,
    OVERLAP_HOURS,
    EventUnknown,
    NewWebhook,
    ReplayUnbounded,
    WebhookUnknown,
)

router = doors("/v1/webhooks", tag="webhooks")

Reader = Annotated[Principal, needs("dossiers:read")]
Manager = Annotated[Principal, needs("alerts:manage")]


class WebhookIn(In):
    """A receiver to be registered."""

    url: str = Field(
        min_length=1, max_length=2000, examples=["https://mot-cua.example.gov.vn/dung-han"]
    )
    unit: UnitCode = Field(
        description="Events of this unit and of all below it are sent.",
        examples=["H44"],
    )
    events: list[str] = Field(default=[OVERDUE], min_length=1, max_length=20)


class WebhookOut(Out):
    """A receiver; its secret is shown only when it is made."""

    id: UUID
    url: str
    unit: str = Field(examples=["H44"])
    events: list[str] = Field(examples=[[OVERDUE]])
    created_at: datetime
    is_enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None = Field(
        description="`gone` when the receiver answered 410.", examples=[None]
    )
    failures: int = Field(description="Failed attempts since the last acknowledgement.")
    previous_secret_until: datetime | None = Field(
        description="Until then the secret before the present one signs as well."
    )

    @classmethod
    def of(cls, row: WebhookRow) -> "WebhookOut":
        """Return a receiver as it is shown."""
        return cls(**_shown(row))


class NewWebhookOut(WebhookOut):
    """A receiver with its new secret."""

    secret: str = Field(description="Shown this once.", examples=["whsec_…"])

    @classmethod
    def made(cls, new: NewWebhook) -> "NewWebhookOut":
        """Return a receiver as it is shown the one time that its secret is."""
        return cls(**_shown(new.webhook), secret=new.secret)


class WebhooksOut(Out):
    """A page of receivers, oldest first."""

    webhooks: list[WebhookOut]
    next_cursor: str | None


class ReplayIn(In):
    """What is to be sent again: one event, or those queued in a span of time."""

    event_id: UUID | None = Field(default=None, strict=False)
    since: Instant | None = None
    until: Instant | None = Field(default=None, description="Exclusive.")


class TrialOut(Out):
    """A test event that is on its way."""

    event_id: UUID


class ReplayOut(Out):
    """How many events are on their way again."""

    queued: int


class DeliveryOut(Out):
    """One attempt to deliver one event."""

    event_id: UUID = Field(description="The `webhook-id` of the request.")
    type: str = Field(examples=[OVERDUE])
    attempt: int
    at: datetime
    status: int | None = Field(description="HTTP status of the answer, null when there was none.")
    error: str | None = Field(
        description="Null when acknowledged; otherwise `status`, `timeout`, `connection`, `tls`, "
        "`address_refused`, `name_unknown`, `answer_invalid` or `secret_unreadable`."
    )
    milliseconds: int | None
    state: str = Field(description="Of the event now: `pending`, `delivered` or `dead`.")
    next_at: datetime | None = Field(description="The next attempt of a pending event.")

    @classmethod
    def of(cls, attempt: Attempt) -> "DeliveryOut":
        """Return an attempt as it is shown."""
        return cls(
            event_id=attempt.event.event_id,
            type=attempt.event_type,
            attempt=attempt.attempt,
            at=attempt.at,
            status=attempt.status,
            error=attempt.error,
            milliseconds=attempt.milliseconds,
            state=attempt.state,
            next_at=attempt.next_at if attempt.state == "pending" else None,
        )


class DeliveriesOut(Out):
    """A page of the delivery log, newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


@router.post(
    "",
    operation_id="addWebhook",
    summary="Register a receiver of events",
    status_code=201,
    responses=problems(
        UnitUnknown, EventUnknown, UrlMalformed, UrlNotHttps, UrlPortRefused, UrlAddressRefused
    ),
)
def add_webhook(
    body: WebhookIn, session: Writing, here: Here, who: Manager, now: Now
) -> NewWebhookOut:
    """Đăng ký nơi nhận cảnh báo; khóa ký chỉ hiện một lần trong câu trả lời này.

    Registers a receiver; the secret that signs is shown in this answer and never again.
    """
    new = webhooks.add_webhook(
        session,
        sealer_of(here),
        url=body.url,
        unit=body.unit,
        events=body.events,
        allowed=here.webhook_networks,
        who=who,
        now=now,
    )
    return NewWebhookOut.made(new)


@router.get(
    "",
    operation_id="listWebhooks",
    summary="List receivers of events",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_webhooks(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    unit: UnitsBelow = None,
) -> WebhooksOut:
    """Các nơi nhận cảnh báo của đơn vị, cũ nhất trước.

    Receivers of a unit and of all below it, oldest first.
    """
    place = entry_of(page.position(unit=unit))
    found, has_more = webhooks.list_webhooks(
        session,
        within=subtree_of(session, who, unit),
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        after = page.cursor_after(spelled(found[-1].created_at, found[-1].id), unit=unit)
    link_next(request, response, after)
    return WebhooksOut(webhooks=[WebhookOut.of(row) for row in found], next_cursor=after)


@router.get(
    "/{webhook_id}",
    operation_id="getWebhook",
    summary="Show a receiver",
    responses=problems(WebhookUnknown),
)
def get_webhook(webhook_id: UUID, session: Reading, who: Reader) -> WebhookOut:
    """Một nơi nhận cảnh báo; khóa ký không bao giờ hiện lại.

    One receiver; its secret is never shown again.
    """
    return WebhookOut.of(webhooks.get_webhook(session, webhook_id, who=who))


@router.delete(
    "/{webhook_id}",
    operation_id="removeWebhook",
    summary="Take a receiver away",
    status_code=204,
    responses=problems(WebhookUnknown),
)
def remove_webhook(webhook_id: UUID, session: Writing, who: Manager, now: Now) -> None:
    """Bỏ một nơi nhận; những gì còn chờ gửi được chuyển vào mục không gửi được.

    Takes a receiver away; what still waits for it goes to the dead letters.
    """
    webhooks.remove_webhook(session, webhook_id, who=who, now=now)


@router.post(
    "/{webhook_id}/test",
    operation_id="testWebhook",
    summary="Send a test event",
    status_code=202,
    responses=problems(WebhookUnknown),
)
def test_webhook(webhook_id: UUID, session: Writing, who: Manager, now: Now) -> TrialOut:
    """Xếp một bản tin thử `webhook.test` vào hàng gửi; xem kết quả ở nhật ký gửi.

    Queues a `webhook.test` event; the delivery log shows what came of it.
    """
    return TrialOut(event_id=webhooks.try_webhook(session, webhook_id, who=who, now=now))


@router.post(
    "/{webhook_id}/rotate",
    operation_id="rotateWebhookSecret",
    summary="Change the secret of a receiver",
    responses=problems(WebhookUnknown),
)
def rotate_webhook_secret(
    webhook_id: UUID,
    session: Writing,
    here: Here,
    who: Manager,
    now: Now,
    overlap_hours: Annotated[
        int,
        Query(
            ge=0,
            le=LONGEST_OVERLAP_HOURS,
            description="Số giờ khóa cũ còn ký. / For so long the old secret signs as well.",
        ),
    ] = OVERLAP_HOURS,
) -> NewWebhookOut:
    """Cấp khóa ký mới; trong thời gian chuyển tiếp mỗi bản tin mang cả hai chữ ký.

    A new secret; during the overlap every event carries both signatures.
    """
    new = webhooks.rotate_secret(
        session,
        sealer_of(here),
        webhook_id,
        overlap=timedelta(hours=overlap_hours),
        who=who,
        now=now,
    )
    return NewWebhookOut.made(new)


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    summary="Show the delivery log of a receiver",
    responses=problems(WebhookUnknown, CursorInvalid),
)
def list_deliveries(
    request: Request,
    response: Response,
    webhook_id: UUID,
    session: Reading,
    who: Reader,
    page: Page,
) -> DeliveriesOut:
    """Từng lần gửi, kết quả và trạng thái hiện nay của bản tin, mới nhất trước.

    Every attempt with its answer and the present state of its event, newest first.
    """
    place = attempt_of(page.position())
    found, has_more = webhooks.list_deliveries(
        session,
        webhook_id,
        who=who,
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        last = found[-1]
        after = page.cursor_after(spelled(last.at, last.event.event_id, last.attempt))
    link_next(request, response, after)
    return DeliveriesOut(deliveries=[DeliveryOut.of(each) for each in found], next_cursor=after)


@router.post(
    "/{webhook_id}/replay",
    operation_id="replayEvents",
    summary="Send events again",
    status_code=202,
    responses=problems(WebhookUnknown, ReplayUnbounded),
)
def replay_events(
    webhook_id: UUID, body: ReplayIn, session: Writing, who: Manager, now: Now
) -> ReplayOut:
    """Gửi lại một bản tin, hoặc mọi bản tin trong một khoảng thời gian, với mã và nội dung như cũ.

    Sends one event again, or those of a span of time, under the same ids and with the same bodies.
    """
    queued = webhooks.replay(
        session,
        webhook_id,
        event_id=body.event_id,
        since=body.since,
        until=body.until,
        who=who,
        now=now,
    )
    return ReplayOut(queued=queued)


def sealer_of(here: Installation) -> Sealer:
    """Return what seals the secrets of this installation's receivers."""
    return Sealer(here.secret)


def _shown(row: WebhookRow) -> dict[str, object]:
    return {
        "id": row.id,
        "url": row.url,
        "unit": row.unit,
        "events": list(row.events),
        "created_at": row.created_at,
        "is_enabled": row.disabled_at is None,
        "disabled_at": row.disabled_at,
        "disabled_reason": row.disabled_reason,
        "failures": row.failures,
        "previous_secret_until": row.previous_until,
    }
