"""The account of a due date as a page to print and sign: one table, no script, nothing loaded."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse

from app.api.docs import page
from app.domain.deadline import Due
from app.domain.ledger import Ledger, LedgerRow, LedgerUnit, PauseEffect
from app.domain.limits import LimitKind, TimeLimit
from app.domain.timeliness import Reading
from app.i18n import Language, format_day, format_instant, format_number, phrase
from app.usecases.dossiers import HeldLimit, Whole

SECONDS_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table, worded."""

    on: str
    reason: str
    counted: str
    total: str
    is_counted: bool


@dataclass(frozen=True, slots=True)
class PauseLine:
    """One pause with its effect, worded."""

    kinds: str
    begins: str
    ends: str
    effect: str


@dataclass(frozen=True, slots=True)
class _Words:
    """Words of one language, times of one zone."""

    language: Language
    zone: ZoneInfo

    def say(self, code: str, **params: object) -> str:
        return phrase(self.language, code, params)

    def day(self, on: date) -> str:
        weekday = self.say(f"web.weekday.{on.weekday()}")
        return f"{weekday} {format_day(self.language, on)}"

    def due(self, due: Due | None) -> str:
        """Write a due date, to the minute where it is judged by instant."""
        if due is None:
            return self.say("due_date.none")
        if not due.by_instant:
            return self.day(due.due_on)
        return format_instant(self.language, due.due_at, self.zone)

    def amount(self, amount: Fraction, unit: LedgerUnit) -> str:
        """Write days as a number, working time as hours and minutes."""
        if unit is LedgerUnit.DAYS:
            return format_number(self.language, _decimal(amount))
        minutes, seconds = divmod(int(amount), SECONDS_PER_MINUTE)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")

    def line(self, row: LedgerRow, unit: LedgerUnit) -> Line:
        """Write one row."""
        on = self.day(row.on)
        if row.opens_at is not None and row.closes_at is not None:
            opens, closes = (at.astimezone(self.zone) for at in (row.opens_at, row.closes_at))
            on += f", {opens:%H:%M}–{closes:%H:%M}"
        document = str(row.params.get("document") or "")
        reason = self.say(row.code, **row.params)
        return Line(
            on=on,
            reason=f"{reason} ({document})" if document else reason,
            counted=self.amount(row.counted, unit) if row.counted else "",
            total=self.amount(row.running_total, unit),
            is_counted=bool(row.counted),
        )

    def pause(self, effect: PauseEffect) -> PauseLine:
        """Write one pause."""
        span = effect.span
        if not effect.effective:
            said = self.say("due_date.pause.too_late")
        elif effect.due_before == effect.due_after:
            said = self.say("due_date.pause.unmoved")
        else:
            said = self.say(
                f"due_date.pause.{span.policy.value}",
                old=self.due(effect.due_before),
                new=self.due(effect.due_after),
            )
        ends = span.ended_at
        return PauseLine(
            kinds=", ".join(self.say(f"ledger.paused_{kind.value}") for kind in span.kinds),
            begins=format_instant(self.language, span.started_at, self.zone),
            ends="" if ends is None else format_instant(self.language, ends, self.zone),
            effect=said,
        )

    def limit(self, limit: TimeLimit | None) -> str:
        """Write a limit."""
        if limit is None:
            return self.say("web.limit.unknown")
        if limit.kind is LimitKind.SAME_DAY:
            return self.say("web.limit.same_day", cutoff=f"{limit.cutoff:%H:%M}")
        value = limit.value or Fraction(0)
        if limit.duration is not None:
            value = Fraction(int(limit.duration.total_seconds()), 3600)
        shown = format_number(self.language, _decimal(value))
        return self.say(f"web.limit.{limit.kind.value}", value=shown)


def _decimal(amount: Fraction) -> Decimal:
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return exact.to_integral_value() if amount.denominator == 1 else exact.normalize()


def printed(
    whole: Whole,
    account: Ledger,
    held: HeldLimit | None,
    *,
    reading: Reading,
    start: str,
    zone: ZoneInfo,
    language: Language,
) -> HTMLResponse:
    """Return the account of a due date as a page to print."""
    words, left = _Words(language, zone), account.suspended
    due = account.due if left is None else left.due_before
    answer = page(
        "due_date.html",
        language,
        code=str(whole.row["code"]),
        source=whole.found.source,
        unit=whole.found.unit,
        procedure=whole.found.procedure or "",
        reading=words.say(f"web.reading.{reading.value}"),
        as_of=format_instant(language, whole.as_of, zone),
        result=words.due(due),
        is_provisional=account.due is not None and account.due.provisional,
        if_ended=None if left is None else words.due(left.due_if_ended),
        left=None if left is None else _left(words, account),
        promised=None if account.promised is None else words.due(account.promised),
        limit=words.limit(account.limit),
        basis=account.legal_basis or "",
        is_unverified=held is not None and not held.is_verified,
        version="" if held is None else f"{held.procedure}@{held.revision}",
        started=format_instant(language, account.started_at, zone),
        start=words.say(start),
        calendar=f"{account.calendar_id}@{account.calendar_version}",
        lines=[words.line(row, account.unit) for row in account.rows],
        pauses=[words.pause(effect) for effect in account.pauses],
        total=words.amount(account.total, account.unit),
        difference=whole.clocked.due_difference_working_days or None,
    )
    answer.headers["Content-Language"] = language.value
    answer.headers["Vary"] = "Authorization, Accept-Language"
    return answer


def _left(words: _Words, account: Ledger) -> str:
    left = account.suspended
    if left is not None and left.days_left is not None:
        return words.say("due_date.left.days", number=words.amount(left.days_left, LedgerUnit.DAYS))
    if left is not None and left.time_left is not None:
        seconds = Fraction(int(left.time_left.total_seconds()))
        return words.say("due_date.left.time", time=words.amount(seconds, LedgerUnit.SECONDS))
    return words.say("due_date.left.day_anew")
