"""Dossiers that have exactly the totals of a printed report, and what is read back of them.

Everything follows from the report alone: the same report gives the same dossiers anywhere, so
sending them twice changes nothing. Every dossier ends at last; those that the report has in hand
end after its period, which the figures of the period must not see.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Final

from app.domain.calendar import WorkCalendar
from app.domain.dossier import ZONE
from app.domain.procedure import OnlineLevel
from app.domain.record import Channel
from app.domain.tally import Count
from app.rulebook.published import Fate, Figure, Group, Report, Way

OFFICE_OPENS: Final = time(8, 0)
FINISHED_BY: Final = time(15, 0)
PROMISED_FOR: Final = time(17, 0)
HANDLED_IN: Final = 3
"""Working days from receipt to the promise."""
REACH: Final = 12
"""Working days looked at before and after the period."""
PROCEDURES: Final[Mapping[OnlineLevel | None, str]] = {
    OnlineLevel.FULL: "SO-IN.TOAN-TRINH",
    OnlineLevel.PARTIAL: "SO-IN.MOT-PHAN",
    OnlineLevel.INFORMATION: "SO-IN.THONG-TIN",
    None: "SO-IN.THU-TUC",
}


def scaled(report: Report, scale: int) -> Report:
    """Return a report with one dossier for ``scale``, its sums intact.

    Groups are cut by the largest remainder, so that they add up to the rounded whole.
    """
    if scale == 1:
        return report
    whole = sum(group.size for group in report.groups)
    sizes = _apportioned([group.size for group in report.groups], _rounded(whole, scale))
    groups = tuple(
        Group(size, group.fate) for size, group in zip(sizes, report.groups, strict=True)
    )
    return replace(
        report,
        groups=groups,
        carried_over=_rounded(report.carried_over, scale),
        ways=tuple(replace(way, size=_rounded(way.size, scale)) for way in report.ways),
    )


def _rounded(number: int, scale: int) -> int:
    return (2 * number + scale) // (2 * scale)


def _apportioned(sizes: Sequence[int], total: int) -> list[int]:
    whole = sum(sizes) or 1
    shares = [size * total // whole for size in sizes]
    order = sorted(range(len(sizes)), key=lambda place: -(sizes[place] * total % whole))
    for place in islice(order, total - sum(shares)):
        shares[place] += 1
    return shares


def procedures() -> list[dict[str, object]]:
    """Return the procedures that the dossiers name, as they are told to the catalogue."""
    return [
        {
            "code": code,
            "name": f"Thủ tục của số liệu công bố ({'chưa rõ mức' if level is None else level})",
            **({} if level is None else {"online_level": level.value}),
        }
        for level, code in PROCEDURES.items()
    ]


def units(report: Report) -> list[dict[str, object]]:
    """Return the units of a report, its own first, as they are told to the catalogue."""
    own: dict[str, object] = {
        "code": report.unit_code,
        "name": report.unit_name,
        "level": report.unit_level,
    }
    below: list[dict[str, object]] = [
        {
            "code": _unit_code(report, number),
            "name": f"{report.unit_name}, đơn vị {number + 1}",
            "level": "commune",
            "parent": report.unit_code,
        }
        for number in range(report.below)
    ]
    return [own, *below]


def _unit_code(report: Report, number: int) -> str:
    if not report.below:
        return report.unit_code
    return f"{report.unit_code}.{number % report.below + 1:03}"


def size_of(report: Report) -> int:
    """Return how many dossiers a report has."""
    return sum(group.size for group in report.groups)


# ---------------------------------------------------------------- dossiers


@dataclass(frozen=True, slots=True)
class _Days:
    """The working days before, in and after the period of a report."""

    before: tuple[date, ...]
    within: tuple[date, ...]
    after: tuple[date, ...]

    @classmethod
    def of(cls, report: Report, calendar: WorkCalendar) -> "_Days":
        def working(first: date, step: int) -> Iterator[date]:
            day = first
            while True:
                if calendar.is_working_day(day):
                    yield day
                day += timedelta(days=step)

        length = (report.last - report.first).days + 1
        days = (report.first + timedelta(days=number) for number in range(length))
        return cls(
            before=tuple(islice(working(report.first - timedelta(days=1), -1), REACH)),
            within=tuple(day for day in days if calendar.is_working_day(day)),
            after=tuple(islice(working(report.last + timedelta(days=1), 1), REACH)),
        )


def records(report: Report, calendar: WorkCalendar) -> Iterator[dict[str, object]]:
    """Give the dossiers of a report as native records."""
    days = _Days.of(report, calendar)
    ways = _ways(report)
    number = 0
    for group in report.groups:
        for place in range(group.size):
            is_carried = number < report.carried_over
            way = Way(1, Channel.UNKNOWN, None) if is_carried else next(ways)
            received, due, finished = _course(group.fate, place, days, is_carried=is_carried)
            end = _at(finished, FINISHED_BY, number)
            yield {
                "code": f"{report.id}-{number:06}",
                "unit": _unit_code(report, number),
                "procedure": PROCEDURES[way.online_level],
                "channel": way.channel.value,
                "status": "finished",
                "outcome": "granted",
                "received_at": _at(received, OFFICE_OPENS, number),
                "due_at": _at(due, PROMISED_FOR, 0),
                "finished_at": end,
                "source_updated_at": end,
            }
            number += 1


def _ways(report: Report) -> Iterator[Way]:
    for way in report.ways:
        for _ in range(way.size):
            yield way
    while True:
        yield Way(1, Channel.UNKNOWN, None)


def _course(fate: Fate, place: int, days: _Days, *, is_carried: bool) -> tuple[date, date, date]:
    """Return the days of receipt, promise and finish of a dossier; it is spread over the period."""
    before = days.before[place % len(days.before)] if is_carried else None
    received, due, finished = _spread(fate, place, days)
    return before or received, due, finished


def _spread(fate: Fate, place: int, days: _Days) -> tuple[date, date, date]:
    within = days.within
    last = len(within) - 1
    begins = place % (last - HANDLED_IN)
    due = within[begins + HANDLED_IN]
    after = days.after[place % len(days.after)]
    match fate:
        case Fate.ON_TIME:
            day = place % len(within)
            due = within[min(day + HANDLED_IN, last)]
            return within[day], due, due
        case Fate.LATE:
            return within[begins], due, within[begins + HANDLED_IN + 1]
        case Fate.OPEN_OVERDUE:
            return within[begins], due, after
        case Fate.OPEN_IN_TIME:
            return within[last - place % HANDLED_IN], after, after


def _at(day: date, wall: time, number: int) -> str:
    moment = datetime.combine(day, wall, ZONE) + timedelta(seconds=number % 5_400)
    return moment.isoformat()


# ---------------------------------------------------------------- what is expected and read back


def expected(report: Report) -> dict[Count, int]:
    """Return the counts that the dossiers of a report must give, worked out from its groups."""
    sizes = dict.fromkeys(Fate, 0)
    for group in report.groups:
        sizes[group.fate] += group.size
    received = size_of(report) - report.carried_over
    came = dict.fromkeys(Channel, 0)
    levels = dict.fromkeys(OnlineLevel, 0)
    for way in report.ways:
        came[way.channel] += way.size
        if way.channel is Channel.ONLINE and way.online_level is not None:
            levels[way.online_level] += way.size
    came[Channel.UNKNOWN] += received - sum(came.values())
    return {
        Count.CARRIED_OVER: report.carried_over,
        Count.RECEIVED: received,
        Count.RECEIVED_ONLINE: came[Channel.ONLINE],
        Count.RECEIVED_IN_PERSON: came[Channel.IN_PERSON],
        Count.RECEIVED_BY_POST: came[Channel.POST],
        Count.RECEIVED_UNKNOWN_CHANNEL: came[Channel.UNKNOWN],
        Count.SUBMITTED_ONLINE_FULL: levels[OnlineLevel.FULL],
        Count.SUBMITTED_ONLINE_PARTIAL: levels[OnlineLevel.PARTIAL],
        Count.SUBMITTED_ONLINE_INFORMATION: levels[OnlineLevel.INFORMATION],
        Count.SUBMITTED_ONLINE_UNKNOWN: came[Channel.ONLINE] - sum(levels.values()),
        Count.FINISHED_ON_TIME: sizes[Fate.ON_TIME],
        Count.FINISHED_LATE: sizes[Fate.LATE],
        Count.FINISHED_LATE_WITHOUT_APOLOGY: sizes[Fate.LATE],
        Count.OPEN_IN_TIME: sizes[Fate.OPEN_IN_TIME],
        Count.OPEN_OVERDUE: sizes[Fate.OPEN_OVERDUE],
        Count.OPEN_OVERDUE_WITHOUT_APOLOGY: sizes[Fate.OPEN_OVERDUE],
        Count.DUE: size_of(report) - sizes[Fate.OPEN_IN_TIME],
        Count.DUE_MET: sizes[Fate.ON_TIME],
        Count.PROGRESS_766_RECEIVED: size_of(report),
        Count.PROGRESS_766_ON_TIME: sizes[Fate.ON_TIME] + sizes[Fate.OPEN_IN_TIME],
    }


@dataclass(frozen=True, slots=True)
class FigureRead:
    """One printed number beside the one read back; None where we count no such thing."""

    figure: Figure
    wanted: int | None
    read: int | None


@dataclass(frozen=True, slots=True)
class RateRead:
    """What one definition gives, and the printed percentages that it equals."""

    definition: str
    numerator: int
    denominator: int
    percent: str | None
    printed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report as printed beside the service's own figures."""

    figures: tuple[FigureRead, ...]
    rates: tuple[RateRead, ...]
    different: Mapping[str, tuple[int, int]]
    identities: Mapping[str, int]

    @property
    def is_equal(self) -> bool:
        """Tell whether every count is as expected and every identity holds."""
        return not self.different and not any(self.identities.values())


def compare(
    report: Report,
    counts: Mapping[str, int],
    rates: Iterable[tuple[str, int, int, str | None]],
    identities: Mapping[str, int],
) -> Comparison:
    """Lay the figures that were read back beside those that were printed.

    :param rates: definition, numerator, denominator and percent of each rate.
    """
    wanted = {count.value: number for count, number in expected(report).items()}
    figures = tuple(
        FigureRead(
            figure,
            sum(wanted.get(count.value, 0) for count in figure.counts) if figure.counts else None,
            sum(counts[count.value] for count in figure.counts) if figure.counts else None,
        )
        for figure in report.figures
    )
    return Comparison(
        figures=figures,
        rates=tuple(
            RateRead(name, numerator, denominator, percent, _printed(report, percent))
            for name, numerator, denominator, percent in rates
        ),
        different={
            name: (wanted.get(name, 0), number)
            for name, number in counts.items()
            if wanted.get(name, 0) != number
        },
        identities=identities,
    )


def _printed(report: Report, percent: str | None) -> tuple[str, ...]:
    shown = None if percent is None else percent.replace(".", ",")
    return tuple(rate.printed for rate in report.rates if rate.printed == shown)
