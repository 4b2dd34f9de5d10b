"""Due dates by calculation alone: nothing is stored, and every day is accounted for.

Instants are answered in the offset of the start that was asked with.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from app.api.calendars import WRONG, WorkingTimeIn
from app.api.doors import doors
from app.api.fields import In, Instant, Out, Text, ToldInstant, UnitCode, Word
from app.api.ledgers import LedgerOut, SuspendedOut, members_of, number
from app.api.limits import LimitIn, PolicyTold
from app.api.problems import Refused, at, each_at, problems
from app.deps import AnyKey, Here, Installation, Language
from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import EndBeforeStart, elapsed, suspension
from app.domain.faults import Fault
from app.domain.ledger import explain
from app.domain.limits import (
    LimitNotDivisible,
    LimitNotPositive,
    LimitValueMissing,
    LimitValueUnexpected,
    TimeLimit,
)
from app.domain.pauses import DEFAULT_POLICIES, Pause, PauseEndsBeforeStart, PauseKind
from app.store.units import UnitUnknown
from app.usecases import calendars
from app.usecases.access import Principal
from app.usecases.calendars import CalendarSpec, CalendarUnknown
from app.usecases.subtree import reach_of

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
    return tuple(each_at("/pauses", told, PauseIn.to_pause))


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


class CalculationOut(LedgerOut):
    """A due date with the account of every day."""


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
    return CalculationOut(
        **members_of(account, due=due, suspended=suspended, zone=zone, language=language)
    )


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
