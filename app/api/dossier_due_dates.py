"""Why a dossier is due when it is: the account of one reading, as data or as a page to print."""

from datetime import tzinfo
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from fastapi import Query, Response
from pydantic import Field

from app.api.doors import doors
from app.api.due_date_page import printed
from app.api.fields import CodeInPath, Day, Instant, Out
from app.api.ledgers import DueOut, LedgerOut, SuspendedOut, members_of, number
from app.api.problems import problems
from app.deps import Language, Now, Reading, needs
from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.ledger import Ledger
from app.domain.timeliness import Reading as DueReading
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.usecases import dossiers
from app.usecases.access import Principal
from app.usecases.catalogue import plain_limit
from app.usecases.dossiers import (
    DossierAmbiguous,
    DossierUnknown,
    DueDateMissing,
    HeldLimit,
    Whole,
)
from app.usecases.subtree import reach_of

router = doors("/v1/dossiers", tag="dossiers")

ReadingAsked = Annotated[
    DueReading, Query(description="Cách đọc hạn trả. / Reading of the due date.")
]
SourceAsked = Annotated[
    str | None, Query(max_length=100, description="Hệ thống nguồn. / Source system.")
]
JustBefore = Annotated[
    Instant | None, Query(description="Như ngay trước lúc này. / As just before this instant.")
]


class Format(StrEnum):
    """How the account is answered."""

    JSON = "json"
    HTML = "html"


class HeldLimitOut(Out):
    """The time limit that binds the dossier, and where it stands in the catalogue."""

    kind: str
    value: int | float | None = None
    duration: str | None = None
    cutoff: str | None = None
    reception: bool | None = None
    legal_basis: str | None
    is_verified: bool = Field(description="Đã đối chiếu văn bản. / Compared with the text.")
    note: str | None = Field(description="Lời nhắc khi chưa đối chiếu. / A word if it was not.")
    procedure: str
    revision: int = Field(description="Lần khai trong danh mục. / State of the catalogue.")
    valid_from: Day
    valid_to: Day | None
    case: str | None
    channel: str | None
    pauses: dict[str, str] = Field(description="`shift` or `restart` for each kind of pause.")

    @classmethod
    def of(cls, held: HeldLimit | None, language: LanguageCode) -> "HeldLimitOut | None":
        """Return a limit, None when the catalogue has none for the dossier."""
        if held is None:
            return None
        version = held.version
        plain: dict[str, Any] = plain_limit(version.limit)
        return cls(
            **plain,
            is_verified=held.is_verified,
            note=None if held.is_verified else phrase(language, "due_date.unverified"),
            procedure=held.procedure,
            revision=held.revision,
            valid_from=version.valid_from,
            valid_to=version.valid_to,
            case=version.case,
            channel=None if version.channel is None else version.channel.value,
            pauses={kind.value: policy.value for kind, policy in version.policies.items()},
        )


class DossierDueDateOut(LedgerOut):
    """The due date of a dossier under one reading, with the account of every day."""

    code: str
    source: str
    reading: str
    promised: DueOut | None = Field(
        description="Ngày hẹn trước khi tạm dừng; null: tự tính. / The promise before pauses."
    )
    received_at: str = Field(description="Lúc tiếp nhận đủ hồ sơ. / Receipt of all papers.")
    limit: HeldLimitOut | None
    total: int | float = Field(description="Tổng số đã tính, theo `ledger_unit`. / Sum counted.")
    due_difference_working_days: int | None = Field(
        description="Ngày hẹn trừ ngày theo luật định. / The promise less what the law gives."
    )
    as_of: Instant

    @classmethod
    def of(
        cls,
        whole: Whole,
        account: Ledger,
        held: HeldLimit | None,
        *,
        reading: DueReading,
        zone: tzinfo,
        language: LanguageCode,
    ) -> "DossierDueDateOut":
        """Return the account; while a pause is open there is no due date but what is left."""
        left = account.suspended
        members = members_of(
            account,
            due=account.due if left is None else None,
            suspended=SuspendedOut.of(left, zone, has_end=True),
            zone=zone,
            language=language,
        )
        members["clock_start_reason"] = phrase(language, start_code(whole, account))
        return cls(
            **members,
            code=str(whole.row["code"]),
            source=whole.found.source,
            reading=reading.value,
            promised=DueOut.of(account.promised, zone),
            received_at=account.received_at.astimezone(zone).isoformat(),
            limit=HeldLimitOut.of(held, language),
            total=number(account.total),
            due_difference_working_days=whole.clocked.due_difference_working_days,
            as_of=whole.as_of,
        )


def start_code(whole: Whole, account: Ledger) -> str:
    """Return the key of the sentence that says why the clock started then."""
    history = whole.clocked.history
    if history.clock_start_at != history.received_at:
        return "ledger.start_at_competent_unit"
    return account.start_code


@router.get(
    "/{code}/due-date",
    operation_id="explainDueDate",
    summary="Account day by day for the due date of a dossier",
    response_model=DossierDueDateOut,
    responses={
        200: {"content": {"text/html": {}}, "description": "JSON, or a page to print."},
        **problems(
            DossierUnknown,
            DossierAmbiguous,
            DueDateMissing,
            CalendarYearMissing,
            CalendarNeverOpens,
        ),
    },
)
def explain_due_date(
    code: CodeInPath,
    session: Reading,
    who: Annotated[Principal, needs("dossiers:read")],
    now: Now,
    language: Language,
    reading: ReadingAsked = DueReading.PROMISED,
    source: SourceAsked = None,
    as_of: JustBefore = None,
    form: Annotated[
        Format, Query(alias="format", description="`html`: trang để in. / A page to print.")
    ] = Format.JSON,
) -> Response:
    """Vì sao hồ sơ có hạn trả này: từng ngày tính hay không, lý do, các lần tạm dừng, căn cứ.

    Why the dossier is due then: each day counted or skipped with its reason, each pause with its
    effect, the calendar, the limit and its legal basis. `format=html` is a page to print.
    """
    whole = dossiers.get_dossier(
        session, code, within=reach_of(who), source=source, as_of=as_of or now
    )
    account, calendar = dossiers.explain_due_date(whole, reading=reading)
    held = dossiers.find_limit(session, whole)
    zone = ZoneInfo(calendar.zone)
    if form is Format.HTML:
        return printed(
            whole,
            account,
            held,
            reading=reading,
            start=start_code(whole, account),
            zone=zone,
            language=language,
        )
    out = DossierDueDateOut.of(whole, account, held, reading=reading, zone=zone, language=language)
    return Response(
        orjson.dumps(out.model_dump(mode="json")),
        media_type="application/json",
        headers={"Vary": "Authorization, Accept-Language", "Content-Language": language.value},
    )
