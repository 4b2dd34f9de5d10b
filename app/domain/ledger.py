"""Why this date: the account of a due date, day by day or session by session (sổ tính hạn).

Each row is counted or skipped for a reason that is a code; its sentence lives in the catalogues
under ``ledger.<reason>``. Counted rows sum to the limit.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from app.domain.almanac import SECOND, Almanac, instant_of, micros
from app.domain.calendar import DayKind, WorkCalendar
from app.domain.deadline import (
    HALF,
    Due,
    Suspended,
    compute_due,
    due_phases,
    paused_from,
    suspension,
    wall_time_on,
)
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import Pause, PausePolicy, PauseSpan, united

ONE: Final = Fraction(1)
NOTHING: Final = Fraction(0)
NO_PARAMS: Final[Mapping[str, object]] = MappingProxyType({})


class LedgerUnit(StrEnum):
    """What the rows count."""

    DAYS = "days"
    SECONDS = "seconds"


class Reason(StrEnum):
    """Why a row is counted or skipped."""

    WORKING_DAY = "working_day"
    HALF_DAY = "half_day"
    MAKE_UP_DAY = "make_up_day"
    CHANGED_HOURS = "changed_hours"
    RECEPTION_DAY = "reception_day"
    CALENDAR_DAY = "calendar_day"
    RECEIVED_IN_TIME = "received_in_time"
    SESSION = "session"
    START_DAY = "start_day"
    BEFORE_START = "before_start"
    WEEKEND = "weekend"
    DAY_OFF = "day_off"
    YEARLY_OFF = "yearly_off"
    RECEPTION_ONLY = "reception_only"
    PAUSED = "paused"
    RESTARTED = "restarted"
    AFTER_CUTOFF = "after_cutoff"
    AFTER_CLOSE = "after_close"
    ROLLED_TO = "rolled_to"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One day, or one part of a session when ``opens_at`` is given.

    ``counted`` and ``running_total`` are in the unit of the ledger.
    """

    on: date
    reason: Reason
    counted: Fraction
    running_total: Fraction
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    params: Mapping[str, object] = field(default_factory=lambda: NO_PARAMS)

    @property
    def code(self) -> str:
        """Return the key of the sentence that says why."""
        if self.reason is Reason.PAUSED:
            return f"ledger.paused_{self.params['kind']}"
        return f"ledger.{self.reason.value}"


@dataclass(frozen=True, slots=True)
class PauseEffect:
    """A pause and what it did: nothing when it began after the due moment."""

    span: PauseSpan
    effective: bool
    due_before: Due | None
    due_after: Due | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The whole account of one due date."""

    calendar_id: str
    calendar_version: str
    limit: TimeLimit | None
    promised: Due | None
    received_at: datetime
    started_at: datetime
    unit: LedgerUnit
    rows: tuple[LedgerRow, ...]
    pauses: tuple[PauseEffect, ...]
    due: Due | None
    suspended: Suspended | None

    @property
    def total(self) -> Fraction:
        """Return the sum of the counted rows: the limit."""
        return self.rows[-1].running_total if self.rows else NOTHING

    @property
    def legal_basis(self) -> str | None:
        """Return the text that sets the limit."""
        return None if self.limit is None else self.limit.legal_basis

    @property
    def start_code(self) -> str:
        """Return the key of the sentence that says why the clock started then."""
        moved = self.started_at != self.received_at
        return "ledger.start_at_opening" if moved else "ledger.start_at_receipt"


@dataclass(slots=True)
class _Rows:
    """Rows being written, with their running total."""

    rows: list[LedgerRow] = field(default_factory=list)
    total: Fraction = NOTHING

    def add(
        self,
        ordinal: int,
        reason: Reason,
        counted: Fraction = NOTHING,
        *,
        part: tuple[int, int] | None = None,
        params: Mapping[str, object] = NO_PARAMS,
    ) -> None:
        """Write one row."""
        self.total += counted
        self.rows.append(
            LedgerRow(
                date.fromordinal(ordinal),
                reason,
                counted,
                self.total,
                None if part is None else instant_of(part[0]),
                None if part is None else instant_of(part[1]),
                params,
            )
        )


@dataclass(frozen=True, slots=True)
class _Account:
    """What the rows are written from: where counting began last, and which pauses it skips."""

    calendar: WorkCalendar
    almanac: Almanac
    start: int
    base: int
    skips: tuple[PauseSpan, ...]
    due: Due

    @property
    def start_on(self) -> int:
        """Return the local day of the clock start."""
        return self.almanac.local_ordinal(self.start)

    @property
    def base_on(self) -> int:
        """Return the local day from which the limit runs."""
        return self.almanac.local_ordinal(self.base)

    @property
    def due_on(self) -> int:
        """Return the due day."""
        return self.due.due_on.toordinal()


def explain(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    received_at: datetime,
    pauses: Collection[Pause] = (),
    *,
    promised: Due | None = None,
    finish: datetime | None = None,
    at: datetime | None = None,
) -> Ledger:
    """Account for a due date, or for a promise that a sender told us.

    With ``at``, a pause that is still open is taken to end then, and ``suspended`` says what is
    left; without it an open pause has moved nothing yet.

    :raises NaiveInstant: if an instant has no offset.
    :raises CalendarYearMissing: if a year that it needs is not loaded.
    :raises CalendarNeverOpens: if no working day lies ahead.
    """
    suspended = None
    started_at = _started_at(calendar, limit, promised, received_at)
    if at is not None and finish is None:
        suspended = suspension(calendar, limit, started_at, pauses, at=at, promised=promised)
        pauses = [_ended(pause, at) for pause in pauses]
    phases = due_phases(calendar, limit, started_at, pauses, promised=promised, finish=finish)
    spans = united(pauses, started_at, finish)
    dues = [phase.due for phase in phases]
    effects = tuple(
        PauseEffect(span, True, dues[index], dues[index + 1])
        if index + 1 < len(phases)
        else PauseEffect(span, False, dues[-1], dues[-1])
        for index, span in enumerate(spans)
    )
    standing = [phase for phase in phases if phase.due is not None]
    due = standing[-1].due if standing else None
    passed = tuple(phase.span for phase in standing if phase.span is not None)
    return Ledger(
        calendar_id=calendar.id,
        calendar_version=calendar.version,
        limit=limit,
        promised=promised,
        received_at=received_at,
        started_at=started_at,
        unit=_unit(limit, promised),
        rows=() if due is None else _rows(calendar, limit, promised, received_at, passed, due),
        pauses=effects,
        due=due,
        suspended=suspended,
    )


def _ended(pause: Pause, at: datetime) -> Pause:
    if pause.ended_at is not None:
        return pause
    return Pause(
        pause.kind,
        pause.started_at,
        max(at, pause.started_at),
        pause.policy,
        pause.inferred,
        pause.new_due_at,
    )


def _counts_time(limit: TimeLimit | None, promised: Due | None) -> bool:
    half = limit is not None and limit.is_half
    if promised is not None:
        return promised.by_instant and not half
    return limit is not None and limit.kind is LimitKind.WORKING_HOURS


def _unit(limit: TimeLimit | None, promised: Due | None) -> LedgerUnit:
    return LedgerUnit.SECONDS if _counts_time(limit, promised) else LedgerUnit.DAYS


def _started_at(
    calendar: WorkCalendar, limit: TimeLimit | None, promised: Due | None, received_at: datetime
) -> datetime:
    if not _counts_time(limit, promised):
        return received_at
    almanac = calendar.almanac
    moment = almanac.checked(received_at, "start")
    opening = almanac.next_working(moment)
    return received_at if opening == moment else instant_of(opening)


def _rows(
    calendar: WorkCalendar,
    limit: TimeLimit | None,
    promised: Due | None,
    received_at: datetime,
    spans: tuple[PauseSpan, ...],
    due: Due,
) -> tuple[LedgerRow, ...]:
    kind = None if limit is None else limit.kind
    almanac = calendar.almanac
    if kind is LimitKind.SAME_DAY and limit is not None and limit.reception:
        almanac = calendar.same_day_almanac
    raw = kind is LimitKind.CALENDAR_DAYS and promised is None
    again = kind is LimitKind.SAME_DAY
    start = base = micros(received_at)
    skips: tuple[PauseSpan, ...] = ()
    for span in spans:
        begin, end = micros(span.started_at), micros(span.ended_at or span.started_at)
        if not raw and not almanac.between(begin, end):
            continue
        if again or span.policy is PausePolicy.RESTART:
            base, skips = (end if raw else almanac.next_working(end)), ()
        else:
            skips = (*skips, span)
    account = _Account(calendar, almanac, start, base, skips, due)
    rows = _Rows()
    if _counts_time(limit, promised):
        _write_sessions(account, rows)
    elif again and limit is not None and _follows_receipt(account, limit, promised):
        _write_same_day(account, rows, limit)
    elif raw and limit is not None:
        _write_calendar_days(account, rows, limit.value or NOTHING)
    else:
        _write_working_days(account, rows, ends_half=due.by_instant)
    return tuple(rows.rows)


def _follows_receipt(account: _Account, limit: TimeLimit, promised: Due | None) -> bool:
    """Ask whether the due day is that of the rule of receipt, whoever named it."""
    if promised is None:
        return True
    received = instant_of(account.base)
    due = compute_due(account.calendar, limit, received)
    return due is not None and due.due_on == account.due.due_on


def _idle(account: _Account, ordinal: int) -> tuple[Reason, Mapping[str, object]]:
    """Say why a day is no working day."""
    day = date.fromordinal(ordinal)
    exception = account.calendar.exception_on(day)
    match account.calendar.day_kind(day):
        case DayKind.YEARLY_OFF:
            return Reason.YEARLY_OFF, NO_PARAMS
        case DayKind.RECEPTION:
            return Reason.RECEPTION_ONLY, NO_PARAMS
        case DayKind.OFF if exception is not None:
            return Reason.DAY_OFF, {
                "title_vi": exception.title_vi,
                "title_en": exception.title_en,
                "document": exception.document or "",
            }
        case _:
            return Reason.WEEKEND, NO_PARAMS


def _working(account: _Account, ordinal: int) -> tuple[Reason, Mapping[str, object]]:
    """Say what kind of working day a day is."""
    day = date.fromordinal(ordinal)
    exception = account.calendar.exception_on(day)
    params: Mapping[str, object] = NO_PARAMS
    if exception is not None:
        params = {
            "title_vi": exception.title_vi,
            "title_en": exception.title_en,
            "document": exception.document or "",
        }
    match account.calendar.day_kind(day):
        case DayKind.MAKE_UP:
            return Reason.MAKE_UP_DAY, params
        case DayKind.CHANGED_HOURS:
            return Reason.CHANGED_HOURS, params
        case DayKind.RECEPTION:
            return Reason.RECEPTION_DAY, params
        case _:
            return Reason.WORKING_DAY, NO_PARAMS


def _skipping(ordinal: int, spans: tuple[tuple[int, int, PauseSpan], ...]) -> PauseSpan | None:
    for first, last, span in spans:
        if first <= ordinal < last:
            return span
    return None


def _day_skips(account: _Account, *, raw: bool) -> tuple[tuple[int, int, PauseSpan], ...]:
    almanac = account.almanac

    def day(moment: int) -> int:
        return almanac.local_ordinal(moment) if raw else paused_from(almanac, moment)

    return tuple(
        (
            max(account.base_on + 1, day(micros(span.started_at))),
            day(micros(span.ended_at or span.started_at)),
            span,
        )
        for span in account.skips
    )


def _paused(span: PauseSpan) -> Mapping[str, object]:
    return {"kind": span.kinds[0].value}


def _write_before_base(account: _Account, rows: _Rows) -> None:
    """Write the start day, and the days that a restart made void."""
    rows.add(account.start_on, Reason.START_DAY)
    for ordinal in range(account.start_on + 1, account.base_on + 1):
        if account.almanac.is_working(ordinal):
            rows.add(ordinal, Reason.RESTARTED)
        else:
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)


def _write_working_days(account: _Account, rows: _Rows, *, ends_half: bool) -> None:
    _write_before_base(account, rows)
    skips = _day_skips(account, raw=False)
    for ordinal in range(account.base_on + 1, account.due_on + 1):
        span = _skipping(ordinal, skips)
        if not account.almanac.is_working(ordinal):
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)
        elif span is not None:
            rows.add(ordinal, Reason.PAUSED, params=_paused(span))
        elif ends_half and ordinal == account.due_on:
            rows.add(ordinal, Reason.HALF_DAY, HALF)
        else:
            reason, params = _working(account, ordinal)
            rows.add(ordinal, reason, ONE, params=params)


def _write_calendar_days(account: _Account, rows: _Rows, number: Fraction) -> None:
    _write_before_base(account, rows)
    skips = _day_skips(account, raw=True)
    for ordinal in range(account.base_on + 1, account.due_on + 1):
        span = _skipping(ordinal, skips)
        if span is not None:
            rows.add(ordinal, Reason.PAUSED, params=_paused(span))
        elif rows.total < number:
            rows.add(ordinal, Reason.CALENDAR_DAY, ONE)
        elif account.almanac.is_working(ordinal):
            rows.add(ordinal, Reason.ROLLED_TO)
        else:
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)


def _write_same_day(account: _Account, rows: _Rows, limit: TimeLimit) -> None:
    almanac, received_on = account.almanac, account.base_on
    for ordinal in range(account.start_on, received_on):
        if almanac.is_working(ordinal):
            rows.add(ordinal, Reason.RESTARTED)
        else:
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)
    for ordinal in range(received_on, account.due_on + 1):
        if not almanac.is_working(ordinal):
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)
        elif ordinal == account.due_on == received_on:
            rows.add(ordinal, Reason.RECEIVED_IN_TIME, ONE)
        elif ordinal == account.due_on:
            reason, params = _working(account, ordinal)
            rows.add(ordinal, reason, ONE, params=params)
        elif account.base > wall_time_on(almanac, ordinal, limit.cutoff):
            rows.add(ordinal, Reason.AFTER_CUTOFF, params={"cutoff": f"{limit.cutoff:%H:%M}"})
        else:
            rows.add(ordinal, Reason.AFTER_CLOSE)


def _write_sessions(account: _Account, rows: _Rows) -> None:
    until = micros(account.due.on_time_until)
    for ordinal in range(account.start_on, account.due_on + 1):
        sessions = account.almanac.sessions(ordinal)
        if not sessions:
            reason, params = _idle(account, ordinal)
            rows.add(ordinal, reason, params=params)
        for opened, closed in sessions:
            if opened >= until:
                continue
            for begin, end, reason, params in _parts(account, opened, min(closed, until)):
                counted = Fraction(end - begin, SECOND) if reason is Reason.SESSION else NOTHING
                rows.add(ordinal, reason, counted, part=(begin, end), params=params)


def _parts(
    account: _Account, opened: int, closed: int
) -> Iterator[tuple[int, int, Reason, Mapping[str, object]]]:
    """Cut a session at the start, at the last restart and at the pauses."""
    cuts = [(account.start, Reason.BEFORE_START, NO_PARAMS)]
    cuts.append((account.base, Reason.RESTARTED, NO_PARAMS))
    for span in account.skips:
        cuts.append((micros(span.started_at), Reason.SESSION, NO_PARAMS))
        cuts.append((micros(span.ended_at or span.started_at), Reason.PAUSED, _paused(span)))
    cuts.append((closed, Reason.SESSION, NO_PARAMS))
    for cut, reason, params in cuts:
        end = min(cut, closed)
        if end > opened:
            yield opened, end, reason, params
            opened = end
