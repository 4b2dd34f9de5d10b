"""Digests by mail: asked for, confirmed by the address itself, ended by whoever reads them."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, StringConstraints
from starlette.responses import HTMLResponse

from app.api.docs import page as page_of
from app.api.doors import doors
from app.api.fields import In, Instant, Out, UnitCode, UnitsBelow
from app.api.pages import attempt_of, entry_of, link_next, spelled
from app.api.problems import problems
from app.deps import (
    CursorInvalid,
    Here,
    Installation,
    Language,
    Now,
    Page,
    Reading,
    Writing,
    needs,
    open_door,
)
from app.domain.alert import Level
from app.domain.mail import AddressInvalid, Topic
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.store.mails import AttemptRow, MailRow
from app.store.subscriptions import SubscriptionRow
from app.store.units import UnitUnknown
from app.usecases import subscriptions
from app.usecases.access import Principal
from app.usecases.subscriptions import (
    DomainRefused,
    LinkInvalid,
    Mailing,
    MailUnconfigured,
    Purpose,
    SubscriptionUnknown,
)
from app.usecases.subtree import subtree_of

router = doors("/v1/subscriptions", tag="alerts")

Manager = Annotated[Principal, needs("alerts:manage")]
Token = Annotated[str, Query(max_length=100, description="Mã trong thư. / The token of the mail.")]
EXAMPLE: Final[dict[str, JsonValue]] = {
    "address": "mot-cua@viet-tri.example.gov.vn",
    "unit": "H44.100",
    "level": "unit",
    "language": "vi",
    "topics": ["due_soon", "overdue", "source_silent"],
}
FORM_CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class SubscriptionIn(In):
    """An address that is to get digests."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    address: Annotated[str, StringConstraints(min_length=3, max_length=254)] = Field(
        description="Địa chỉ thư công vụ; được niêm phong, chỉ hiện dạng che. / An address of an "
        "office or an official; sealed, and shown masked only.",
        examples=["mot-cua@viet-tri.example.gov.vn"],
    )
    unit: UnitCode = Field(examples=["H44.100"])
    level: Annotated[Level, Field(strict=False)] = Field(
        Level.UNIT, description="Cấp nhận cảnh báo. / Whose alerts: those raised for this level."
    )
    language: Annotated[LanguageCode, Field(strict=False)] = LanguageCode.VI
    topics: Annotated[
        list[Annotated[Topic, Field(strict=False)]], Field(min_length=1, max_length=10)
    ] = Field(default=[Topic.DUE_SOON, Topic.OVERDUE, Topic.SOURCE_SILENT])


class SubscriptionOut(Out):
    """A subscription; of the address only the mask is shown."""

    id: UUID
    unit: str = Field(examples=["H44.100"])
    level: str = Field(examples=["unit"])
    language: str = Field(examples=["vi"])
    topics: list[str] = Field(examples=[["overdue"]])
    address: str = Field(description="Dạng che. / Masked.", examples=["m***@example.gov.vn"])
    created_at: datetime
    confirmed_at: Instant | None = Field(
        description="Null: địa chỉ chưa đồng ý. / Null: the address has not said yes."
    )
    told_until: Instant | None
    disabled_at: Instant | None
    disabled_reason: str | None

    @classmethod
    def of(cls, row: SubscriptionRow) -> "SubscriptionOut":
        """Return a subscription as it is shown."""
        return cls(
            id=row.id,
            unit=row.unit,
            level=row.level,
            language=row.language,
            topics=list(row.topics),
            address=row.address_masked,
            created_at=row.created_at,
            confirmed_at=row.confirmed_at,
            told_until=row.told_until,
            disabled_at=row.disabled_at,
            disabled_reason=row.disabled_reason,
        )


class SubscriptionsOut(Out):
    """A page of subscriptions, oldest first."""

    subscriptions: list[SubscriptionOut]
    next_cursor: str | None


class MailOut(Out):
    """A mail: what it was for, and what became of it."""

    id: UUID = Field(description="Phần đầu của Message-ID. / The local part of its Message-ID.")
    kind: str = Field(examples=["digest"])
    slot: str = Field(examples=["2026-08-10"])
    since: Instant | None
    until: Instant | None
    state: str = Field(examples=["sent"])
    attempts: int
    next_at: Instant | None
    last_status: int | None
    last_error: str | None
    found: dict[str, Any] = Field(description="Những gì thư đã nói. / What it told, counted.")
    created_at: Instant
    settled_at: Instant | None

    @classmethod
    def of(cls, row: MailRow) -> "MailOut":
        """Return a mail as it is shown."""
        return cls(
            id=row.id,
            kind=row.kind,
            slot=row.slot,
            since=row.since,
            until=row.until,
            state=row.state,
            attempts=row.attempts,
            next_at=row.next_at if row.state == "pending" else None,
            last_status=row.last_status,
            last_error=row.last_error,
            found=dict(row.found),
            created_at=row.created_at,
            settled_at=row.settled_at,
        )


class MailsOut(Out):
    """A page of mails, newest first."""

    mails: list[MailOut]
    next_cursor: str | None


class MailAttemptOut(Out):
    """One attempt to send one mail."""

    mail_id: UUID = Field(
        description="Phần đầu của Message-ID. / The local part of its Message-ID."
    )
    kind: str = Field(examples=["digest"])
    slot: str = Field(examples=["2026-08-10"])
    attempt: int = Field(description="Lần thứ mấy, từ 1. / Number of the attempt, from 1.")
    at: Instant
    status: int | None = Field(
        description="Mã trả lời SMTP; null: không có trả lời. / SMTP reply code, null without one.",
        examples=[451],
    )
    error: str | None = Field(
        description="Null: máy chủ đã nhận. / Null when the server took it; otherwise `status`, "
        "`recipient_refused`, `timeout`, `connection`, `tls`, `name_unknown` or `answer_invalid`.",
        examples=["status"],
    )
    milliseconds: int | None
    state: str = Field(description="Của thư hiện nay. / Of the mail now.", examples=["pending"])
    next_at: Instant | None = Field(
        description="Lần gửi tới của thư đang chờ. / The next attempt of a mail that waits."
    )

    @classmethod
    def of(cls, row: AttemptRow) -> "MailAttemptOut":
        """Return an attempt as it is shown."""
        return cls(
            mail_id=row.mail_id,
            kind=row.kind,
            slot=row.slot,
            attempt=row.attempt,
            at=row.at,
            status=row.status,
            error=row.error,
            milliseconds=row.milliseconds,
            state=row.state,
            next_at=row.next_at if row.state == "pending" else None,
        )


class MailAttemptsOut(Out):
    """A page of attempts, newest first."""

    attempts: list[MailAttemptOut]
    next_cursor: str | None


def mailing_of(here: Installation) -> Mailing:
    """Return what mails need to know of the installation.

    :raises MailUnconfigured: it has no mail server.
    """
    if here.mail_url is None:
        raise MailUnconfigured
    return subscriptions.mailing(here.secret, public_url=here.mail_url, domains=here.mail_domains)


@router.post(
    "",
    operation_id="addSubscription",
    summary="Ask that an address gets digests",
    status_code=201,
    response_model=SubscriptionOut,
    responses={
        200: {
            "model": SubscriptionOut,
            "description": "It was there; topics are set.",
        },
        **problems(UnitUnknown, AddressInvalid, DomainRefused, MailUnconfigured),
    },
)
def add_subscription(
    body: SubscriptionIn,
    response: Response,
    session: Writing,
    who: Manager,
    here: Here,
    now: Now,
) -> SubscriptionOut:
    """Đăng ký nhận bản tin tổng hợp; thư chỉ được gửi sau khi chính địa chỉ ấy xác nhận.

    Ask for digests of a unit and level. Nothing is sent but a mail that asks; digests begin when
    the address itself says yes. Asking again changes language and topics.
    """
    found, is_new = subscriptions.subscribe(
        session,
        mailing_of(here),
        address=body.address,
        unit=body.unit,
        level=body.level,
        language=body.language,
        topics=body.topics,
        who=who,
        now=now,
    )
    if not is_new:
        response.status_code = 200
    return SubscriptionOut.of(found)


@router.get(
    "",
    operation_id="listSubscriptions",
    summary="List subscriptions",
    responses=problems(UnitUnknown, CursorInvalid),
)
def list_subscriptions(
    request: Request,
    response: Response,
    session: Reading,
    who: Manager,
    page: Page,
    unit: UnitsBelow = None,
) -> SubscriptionsOut:
    """Các địa chỉ nhận bản tin, ở dạng che.

    Who gets digests, masked.
    """
    place = entry_of(page.position(unit=unit))
    found, has_more = subscriptions.list_subscriptions(
        session,
        within=subtree_of(session, who, unit),
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        after = page.cursor_after(spelled(found[-1].created_at, found[-1].id), unit=unit)
    link_next(request, response, after)
    return SubscriptionsOut(
        subscriptions=[SubscriptionOut.of(row) for row in found], next_cursor=after
    )


@router.get(
    "/{subscription_id}",
    operation_id="getSubscription",
    summary="Read a subscription",
    responses=problems(SubscriptionUnknown),
)
def get_subscription(subscription_id: UUID, session: Reading, who: Manager) -> SubscriptionOut:
    """Một đăng ký nhận bản tin.

    One subscription.
    """
    return SubscriptionOut.of(subscriptions.get(session, subscription_id, who=who))


@router.delete(
    "/{subscription_id}",
    operation_id="removeSubscription",
    summary="End a subscription and forget its address",
    status_code=204,
    responses=problems(SubscriptionUnknown),
)
def remove_subscription(subscription_id: UUID, session: Writing, who: Manager, now: Now) -> None:
    """Chấm dứt đăng ký và xóa địa chỉ; những thư đang chờ không được gửi nữa.

    End a subscription: the address is erased, and what waits is not sent.
    """
    subscriptions.unsubscribe(session, subscription_id, who=who, now=now)


@router.get(
    "/{subscription_id}/mails",
    operation_id="listMails",
    summary="Follow the mails of a subscription",
    responses=problems(SubscriptionUnknown, CursorInvalid),
)
def list_mails(
    subscription_id: UUID,
    request: Request,
    response: Response,
    session: Reading,
    who: Manager,
    page: Page,
) -> MailsOut:
    """Các thư đã gửi, đang chờ hoặc đã bỏ (`dead`), mới nhất trước.

    Mails sent, waiting or given up (`dead`), newest first.
    """
    place = entry_of(page.position())
    found, has_more = subscriptions.list_mails(
        session,
        subscription_id,
        who=who,
        after=place,
        limit=page.limit,
    )
    after = page.cursor_after(spelled(found[-1].created_at, found[-1].id)) if has_more else None
    link_next(request, response, after)
    return MailsOut(mails=[MailOut.of(row) for row in found], next_cursor=after)


@router.get(
    "/{subscription_id}/attempts",
    operation_id="listMailAttempts",
    summary="Show each attempt to send the mails of a subscription",
    responses=problems(SubscriptionUnknown, CursorInvalid),
)
def list_mail_attempts(
    subscription_id: UUID,
    request: Request,
    response: Response,
    session: Reading,
    who: Manager,
    page: Page,
) -> MailAttemptsOut:
    """Từng lần gửi thư: lúc nào, máy chủ trả lời gì, bao giờ gửi lại; mới nhất trước.

    Every attempt to send a mail: when, what the server answered, when the next one is; newest
    first.
    """
    place = attempt_of(page.position())
    found, has_more = subscriptions.list_attempts(
        session,
        subscription_id,
        who=who,
        after=place,
        limit=page.limit,
    )
    after = None
    if has_more:
        last = found[-1]
        after = page.cursor_after(spelled(last.at, last.mail_id, last.attempt))
    link_next(request, response, after)
    return MailAttemptsOut(attempts=[MailAttemptOut.of(row) for row in found], next_cursor=after)


# ---------------------------------------------------------------- said by the address itself


@router.get(
    "/{subscription_id}/confirmation",
    operation_id="askConfirmation",
    summary="Ask the reader of a mail whether digests may come",
    dependencies=[open_door],
    response_class=HTMLResponse,
    responses=problems(LinkInvalid, MailUnconfigured),
)
def ask_confirmation(
    subscription_id: UUID, session: Reading, here: Here, language: Language, token: Token = ""
) -> Response:
    """Trang có một nút bấm: mở liên kết chưa phải là đồng ý, vì máy quét thư cũng mở liên kết.

    A page with one button: opening the link says nothing yet, for mail scanners open links too.
    """
    found = subscriptions.look(session, mailing_of(here), subscription_id, Purpose.CONFIRM, token)
    return _asked("confirm", found, language)


@router.post(
    "/{subscription_id}/confirmation",
    operation_id="confirmSubscription",
    summary="Say yes to digests",
    dependencies=[open_door],
    response_class=HTMLResponse,
    responses=problems(LinkInvalid, MailUnconfigured),
)
def confirm_subscription(
    subscription_id: UUID,
    session: Writing,
    here: Here,
    language: Language,
    now: Now,
    token: Token = "",
) -> Response:
    """Đồng ý nhận bản tin; bấm lại lần nữa không sao.

    Say yes; saying it twice changes nothing.
    """
    found = subscriptions.confirm(session, mailing_of(here), subscription_id, token, now=now)
    return _done("confirmed", found.unit_name, language)


@router.get(
    "/{subscription_id}/removal",
    operation_id="askRemoval",
    summary="Ask the reader of a mail whether digests shall end",
    dependencies=[open_door],
    response_class=HTMLResponse,
    responses=problems(LinkInvalid, MailUnconfigured),
)
def ask_removal(
    subscription_id: UUID, session: Reading, here: Here, language: Language, token: Token = ""
) -> Response:
    """Trang có một nút bấm để thôi nhận bản tin.

    A page with one button that ends the digests.
    """
    found = subscriptions.look(session, mailing_of(here), subscription_id, Purpose.LEAVE, token)
    return _asked("leave", found, language)


@router.post(
    "/{subscription_id}/removal",
    operation_id="leaveSubscription",
    summary="End digests, by the reader of a mail",
    dependencies=[open_door],
    response_class=HTMLResponse,
    responses=problems(LinkInvalid, MailUnconfigured),
)
def leave_subscription(
    subscription_id: UUID,
    session: Writing,
    here: Here,
    language: Language,
    now: Now,
    token: Token = "",
) -> Response:
    """Thôi nhận bản tin; chương trình thư bấm một lần (RFC 8058) cũng gọi cửa này.

    End the digests; mail programs with a one-press button (RFC 8058) call this door too.
    """
    subscriptions.leave(session, mailing_of(here), subscription_id, token, now=now)
    return _done("left", "", language)


def _asked(what: str, found: SubscriptionRow, language: LanguageCode) -> Response:
    topics = [phrase(language, f"mail.topic.{topic}") for topic in found.topics]
    return _page(
        language,
        heading=phrase(language, f"subscription.page.{what}"),
        text=phrase(
            language,
            f"subscription.page.{what}_text",
            {
                "unit": found.unit_name,
                "address": found.address_masked,
                "topics": ", ".join(topics),
            },
        ),
        button=phrase(language, f"subscription.page.{what}_button"),
    )


def _done(what: str, unit: str, language: LanguageCode) -> Response:
    return _page(
        language,
        heading=phrase(language, f"subscription.page.{what}"),
        text=phrase(language, f"subscription.page.{what}_text", {"unit": unit}),
        button=None,
    )


def _page(language: LanguageCode, *, heading: str, text: str, button: str | None) -> Response:
    answer = page_of("subscription.html", language, heading=heading, text=text, button=button)
    answer.headers["Content-Security-Policy"] = FORM_CSP
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"] = language.value
    return answer
