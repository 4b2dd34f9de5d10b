"""Due dates by calculation alone: nothing is stored, and every day is accounted for.

Instants are answered in the offset of the start that was asked with.
"""

from datetime import datetime, tzinfo
from fractions import Fraction
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from app.api.calendars import WRONG, WorkingTimeIn
from app.api.doors import doors
from app.api.fields import In, Instant, Out, Text, ToldInstant, UnitCode, Word
from app.api.limits import LimitIn, PolicyTold
from app.api.problems import Refused, at, problems
from app.api.units import reach_of
from app.deps import AnyKey, Here, Installation, Language
from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import Due, EndBeforeStart, Suspended, elapsed, suspension
from app.domain.faults import Fault
from app.domain.ledger import Ledger, LedgerRow, PauseEffect, explain
from app.domain.limits import (
    LimitNotDivisible,
    LimitNotPositive,
    LimitValueMissing,
    LimitValueUnexpected,
    TimeLimit,
)
from app.domain.pauses import DEFAULT_POLICIES, Pause, PauseEndsBeforeStart, PauseKind
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.store.units import UnitUnknown
from app.usecases import calendars
from app.usecases.access import Principal
from app.usecases.calendars import CalendarSpec, CalendarUnknown

router = doors("/v1/due-dates", tag="due-dates")

HOURS: JsonValue = [["07:30", "11:30"], ["13:30", "17:00"]]
INLINE: dict[str, JsonValue] = {
    "timezone": "Asia/Ho_Chi_Minh",
    "week": {"mon": HOURS, "tue": HOURS, "wed": HOURS, "thu": HOURS, "fri": HOURS},
    "exceptions": [
        {"date": "2026-04-30", "kind": "off"},
        {"date": "2026-01-10", "kind": "work", "sessions": [["07:30", "11:30"]]},
    ],
    "yearly_off": ["01-01"],
}
COMPUTING = (
    CalendarUnknown,
    UnitUnknown,
    CalendarYearMissing,
    CalendarNeverOpens,
    PauseEndsBeforeStart,
    *WRONG,
)


class CalendarTold(WorkingTimeIn):
    """A calendar: by its id, by the unit that keeps it, or told whole and standing alone."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "vn"}, {"unit": "H44.100"}, INLINE]}
    )

    id: Word | None = Field(None, description="Mã lịch; `vn` là lịch chung. / Id; `vn`: the state.")
    unit: UnitCode | None = Field(None, description="Lịch của đơn vị. / The calendar of a unit.")
    timezone: Text | None = Field(None, description="Múi giờ của lịch khai. / Zone of one told.")

    def to_calendar(self, here: Installation, who: Principal) -> WorkCalendar:
        """Return the calendar that is meant.

        :raises Refused: it is not told in exactly one way, or cannot be.
        :raises CalendarUnknown: there is none of this id that the caller may see.
        :raises UnitUnknown: there is no such unit that the caller may see.
        """
        told = self.model_fields_set
        if self.week is not None and not told & {"id", "unit"}:
            return self.to_spec().alone("inline", "-")
        if self.id is not None and told == {"id"}:
            with here.database.read() as session:
                return calendars.calendar_by_id(session, self.id, within=reach_of(who))
        if self.unit is not None and told == {"unit"}:
            with here.database.read() as session:
                return calendars.calendar_of_unit(session, self.unit, within=reach_of(who))
        raise Refused(faults=(Fault("", "calendar.reference"),))

    def to_spec(self) -> CalendarSpec:
        """Return what is told; the place of what cannot be is named."""
        return CalendarSpec(
            week=self.to_week(),
            exceptions=self.to_exceptions(),
            yearly_off=self.to_yearly_off(),
            reception=self.to_reception(),
            timezone=self.timezone or calendars.ZONE,
        )


class PauseIn(In):
    """One interval in which the clock stands still; open while it has no end."""

    kind: PauseKind = Field(strict=False, description="Lý do tạm dừng. / Why the clock stands.")
    policy: PolicyTold | None = Field(
        None, description="`shift` cộng dồn, `restart` tính lại từ đầu. / What it does."
    )
    started_at: Instant
    ended_at: Instant | None = None

    def to_pause(self) -> Pause:
        """Return the pause; without a policy, the one that holds for its kind.

        :raises PauseEndsBeforeStart: it ends before it begins.
        """
        policy = self.policy or DEFAULT_POLICIES[self.kind]
        return Pause(self.kind, self.started_at, self.ended_at, policy)


PausesIn = Annotated[list[PauseIn], Field(max_length=200)]


def pauses_of(told: list[PauseIn]) -> tuple[Pause, ...]:
    """Return pauses, naming the place of one that cannot be."""
    made = []
    for index, each in enumerate(told):
        with at(f"/pauses/{index}"):
            made.append(each.to_pause())
    return tuple(made)


class CalculationIn(In):
    """A limit that runs on a calendar from a start, with its pauses."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calendar": INLINE,
                    "limit": {"kind": "working_days", "value": 5},
                    "start": "2026-04-28T09:10:00+07:00",
                    "pauses": [],
                    "at": None,
                },
                {
                    "calendar": {"id": "vn"},
                    "limit": {"kind": "working_hours", "duration": "PT4H30M"},
                    "start": "2026-04-28T09:10:00+07:00",
                    "pauses": [
                        {
                            "kind": "supplement",
                            "policy": "shift",
                            "started_at": "2026-04-28T10:00:00+07:00",
                            "ended_at": "2026-05-04T08:00:00+07:00",
                        }
                    ],
                },
            ]
        }
    )

    calendar: CalendarTold
    limit: LimitIn
    start: ToldInstant = Field(description="Lúc tiếp nhận đủ hồ sơ. / Receipt of all papers.")
    pauses: PausesIn = Field(default_factory=list)
    at: Instant | None = Field(
        None,
        description="Coi như lần tạm dừng đang mở kết thúc lúc này. / When it ends.",
    )

    def to_limit(self) -> TimeLimit:
        """Return the limit, naming its place when it cannot be."""
        with at("/limit"):
            return self.limit.to_limit()

    def to_calendar(self, here: Installation, who: Principal) -> WorkCalendar:
        """Return the calendar, naming its place when it cannot be."""
        with at("/calendar"):
            return self.calendar.to_calendar(here, who)


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


class CalculationOut(Out):
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

    @classmethod
    def of(
        cls,
        account: Ledger,
        suspended: SuspendedOut | None,
        due: Due | None,
        zone: tzinfo | None,
        language: LanguageCode,
    ) -> "CalculationOut":
        """Return the account of a due date."""
        shown_due = DueOut.of(due, zone)
        judged = {} if shown_due is None else shown_due.model_dump(exclude={"provisional"})
        nothing = dict.fromkeys(("due_at", "due_on", "early_before", "on_time_until"))
        return cls(
            **(nothing | judged),
            by_instant=None if due is None else due.by_instant,
            provisional=account.due is not None and account.due.provisional,
            clock_start_at=account.started_at.astimezone(zone).isoformat(),
            clock_start_reason=phrase(language, account.start_code),
            calendar={"id": account.calendar_id, "version": account.calendar_version},
            suspended=suspended,
            pauses=[PauseOut.of(effect, zone) for effect in account.pauses],
            ledger_unit=account.unit.value,
            ledger=[RowOut.of(row, zone, language) for row in account.rows],
        )


class ElapsedIn(In):
    """A stretch of time on a calendar."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calendar": INLINE,
                    "start": "2026-04-28T09:10:00+07:00",
                    "end": "2026-04-28T09:40:00+07:00",
                    "pauses": [],
                }
            ]
        }
    )

    calendar: CalendarTold
    start: Instant
    end: Instant
    pauses: PausesIn = Field(default_factory=list)

    def to_calendar(self, here: Installation, who: Principal) -> WorkCalendar:
        """Return the calendar, naming its place when it cannot be."""
        with at("/calendar"):
            return self.calendar.to_calendar(here, who)


class ElapsedOut(Out):
    """Working time and whole working days, less the pauses."""

    working_seconds: int | float
    working_days: int


def number(value: Fraction) -> int | float:
    """Write an exact number as JSON: whole where it is whole."""
    return value.numerator if value.denominator == 1 else float(value)


def shown(instant: datetime | None, zone: tzinfo | None) -> str | None:
    """Write an instant in an offset, None for none."""
    return None if instant is None else instant.astimezone(zone).isoformat()


@router.post(
    "/calculate",
    operation_id="calculateDueDate",
    summary="Calculate a due date and account for every day",
    responses=problems(
        LimitNotPositive,
        LimitNotDivisible,
        LimitValueMissing,
        LimitValueUnexpected,
        *COMPUTING,
    ),
)
def calculate(body: CalculationIn, here: Here, who: AnyKey, language: Language) -> CalculationOut:
    """Tính hạn trả từ lịch, thời hạn, lúc tiếp nhận và các lần tạm dừng; không lưu gì.

    Calculate a due date from a calendar, a limit, a start and pauses; nothing is stored. While a
    pause is open there is no due date; with `at` it is taken to end then.
    """
    calendar, limit = body.to_calendar(here, who), body.to_limit()
    pauses, zone = pauses_of(body.pauses), body.start.tzinfo
    account = explain(calendar, limit, body.start, pauses, at=body.at)
    left, due = account.suspended, account.due
    is_open = next((pause for pause in pauses if pause.ended_at is None), None)
    if body.at is None and is_open is not None:
        since = max(is_open.started_at, body.start)
        left = suspension(calendar, limit, body.start, pauses, at=since)
        due = due if left is None else None
    suspended = SuspendedOut.of(left, zone, has_end=body.at is not None)
    return CalculationOut.of(account, suspended, due, zone, language)


@router.post(
    "/elapsed",
    operation_id="measureWorkingTime",
    summary="Measure working time between two instants",
    responses=problems(EndBeforeStart, *COMPUTING),
)
def measure(body: ElapsedIn, here: Here, who: AnyKey) -> ElapsedOut:
    """Đo thời gian làm việc và số ngày làm việc giữa hai thời điểm, trừ các lần tạm dừng.

    Measure the working time and the working days between two instants, less the pauses.
    """
    calendar, pauses = body.to_calendar(here, who), pauses_of(body.pauses)
    with at("/end"):
        spent = elapsed(calendar, body.start, body.end, pauses)
    return ElapsedOut(
        working_seconds=number(spent.working_seconds), working_days=spent.working_days
    )
