"""The account of a due date as it is answered: rows, pauses, what is left, the result."""

from datetime import datetime, tzinfo
from fractions import Fraction
from typing import Any

from pydantic import Field

from app.api.fields import Out
from app.domain.deadline import Due, Suspended
from app.domain.ledger import Ledger, LedgerRow, PauseEffect
from app.i18n import Language as LanguageCode
from app.i18n import phrase


def number(value: Fraction) -> int | float:
    """Write an exact number as JSON: whole where it is whole."""
    return value.numerator if value.denominator == 1 else float(value)


def shown(instant: datetime | None, zone: tzinfo | None) -> str | None:
    """Write an instant in an offset, None for none."""
    return None if instant is None else instant.astimezone(zone).isoformat()


class RowOut(Out):
    """One day, or one part of a session, and why it counts or not."""

    date: str
    counted: int | float = Field(description="Số được tính, theo `ledger_unit`. / What it adds.")
    skipped_because: str | None = Field(description="Lý do không tính. / Why it adds nothing.")
    running_total: int | float
    reason: str = Field(description="Mã lý do. / Code of the reason, counted or not.")
    sentence: str = Field(description="Diễn giải. / The same in the caller's language.")
    opens_at: str | None
    closes_at: str | None

    @classmethod
    def of(cls, row: LedgerRow, zone: tzinfo | None, language: LanguageCode) -> "RowOut":
        """Return a row of a ledger."""
        return cls(
            date=row.on.isoformat(),
            counted=number(row.counted),
            skipped_because=None if row.counted else row.reason.value,
            running_total=number(row.running_total),
            reason=row.reason.value,
            sentence=phrase(language, row.code, row.params),
            opens_at=shown(row.opens_at, zone),
            closes_at=shown(row.closes_at, zone),
        )


class DueOut(Out):
    """A due date and the instants that judge it."""

    due_at: str
    due_on: str
    early_before: str
    on_time_until: str
    provisional: bool

    @classmethod
    def of(cls, due: Due | None, zone: tzinfo | None) -> "DueOut | None":
        """Return a due date, None when there is none."""
        if due is None:
            return None
        return cls(
            due_at=due.due_at.astimezone(zone).isoformat(),
            due_on=due.due_on.isoformat(),
            early_before=due.early_before.astimezone(zone).isoformat(),
            on_time_until=due.on_time_until.astimezone(zone).isoformat(),
            provisional=due.provisional,
        )


class PauseOut(Out):
    """A pause, overlapping ones as one, and what it did."""

    kinds: list[str]
    started_at: str
    ended_at: str | None
    policy: str
    effective: bool = Field(description="false: bắt đầu sau khi đã quá hạn. / Began too late.")
    due_before: DueOut | None
    due_after: DueOut | None

    @classmethod
    def of(cls, effect: PauseEffect, zone: tzinfo | None) -> "PauseOut":
        """Return a pause with its effect."""
        span = effect.span
        return cls(
            kinds=[kind.value for kind in span.kinds],
            started_at=span.started_at.astimezone(zone).isoformat(),
            ended_at=shown(span.ended_at, zone),
            policy=span.policy.value,
            effective=effect.effective,
            due_before=DueOut.of(effect.due_before, zone),
            due_after=DueOut.of(effect.due_after, zone),
        )


class SuspendedOut(Out):
    """What is left while a pause is open."""

    kinds: list[str]
    since: str
    days_left: int | float | None
    working_seconds_left: int | float | None
    due_before: DueOut | None = Field(description="Hạn trước khi tạm dừng. / Before the pause.")
    due_if_ended: DueOut | None = Field(
        description="Hạn nếu kết thúc lúc `at`. / If the pause ended at `at`."
    )

    @classmethod
    def of(
        cls, found: Suspended | None, zone: tzinfo | None, *, has_end: bool
    ) -> "SuspendedOut | None":
        """Return what is left; None when no pause is open."""
        if found is None:
            return None
        return cls(
            kinds=[kind.value for kind in found.span.kinds],
            since=found.span.started_at.astimezone(zone).isoformat(),
            days_left=None if found.days_left is None else number(found.days_left),
            working_seconds_left=None
            if found.time_left is None
            else number(Fraction(found.time_left.total_seconds())),
            due_before=DueOut.of(found.due_before, zone),
            due_if_ended=DueOut.of(found.due_if_ended, zone) if has_end else None,
        )


class LedgerOut(Out):
    """A due date with the account of every day."""

    due_at: str | None = Field(description="null: không có hạn hoặc đang dừng. / None, or paused.")
    due_on: str | None
    early_before: str | None
    on_time_until: str | None
    by_instant: bool | None = Field(description="Xét theo giờ hay theo ngày. / By instant or day.")
    provisional: bool = Field(description="Dựa vào ngày nghỉ dự kiến. / Rests on estimated days.")
    clock_start_at: str
    clock_start_reason: str
    calendar: dict[str, str]
    suspended: SuspendedOut | None
    pauses: list[PauseOut]
    ledger_unit: str = Field(description="`days` hoặc `seconds`.")
    ledger: list[RowOut]


def members_of(
    account: Ledger,
    *,
    due: Due | None,
    suspended: SuspendedOut | None,
    zone: tzinfo | None,
    language: LanguageCode,
) -> dict[str, Any]:
    """Return the members of a ``LedgerOut``; ``due`` is None while a pause is open."""
    shown_due = DueOut.of(due, zone)
    judged = {} if shown_due is None else shown_due.model_dump(exclude={"provisional"})
    nothing = dict.fromkeys(("due_at", "due_on", "early_before", "on_time_until"))
    return {
        **(nothing | judged),
        "by_instant": None if due is None else due.by_instant,
        "provisional": account.due is not None and account.due.provisional,
        "clock_start_at": account.started_at.astimezone(zone).isoformat(),
        "clock_start_reason": phrase(language, account.start_code),
        "calendar": {"id": account.calendar_id, "version": account.calendar_version},
        "suspended": suspended,
        "pauses": [PauseOut.of(effect, zone) for effect in account.pauses],
        "ledger_unit": account.unit.value,
        "ledger": [RowOut.of(row, zone, language) for row in account.rows],
    }
