"""Due dates beside the plain day counting of `holidays` and `numpy`: one run, one table.

    python -m bench.due_dates [--count 20000] [--rounds 5]

Ours are 20,000 due dates of 30 working days over five years on the state calendar, half of them
with two pauses, each with its four judging instants. The peers count the n-th working day only:
no hours, no pauses, no instants. Before any time is shown, our dates without pauses are checked
against a recount by each peer that is given the same days off and make-up days.
"""

import argparse
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from app.domain.calendar import WorkCalendar
from app.domain.deadline import Pause, PauseKind, PausePolicy, TimeLimit, compute_due
from app.rulebook.calendars import load_state_calendar

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST = date(2021, 6, 1)
DAYS = 5 * 365
NUMBER = 30
LIMIT = TimeLimit.working_days(NUMBER)


def draw(count: int) -> list[tuple[datetime, tuple[Pause, ...]]]:
    rng = random.Random(2026)
    cases = []
    for index in range(count):
        day = FIRST + timedelta(days=rng.randrange(DAYS))
        start = datetime(day.year, day.month, day.day, 7, 30, tzinfo=ZONE)
        start += timedelta(minutes=rng.randrange(570))
        pauses: tuple[Pause, ...] = ()
        if index % 2:
            begin = start + timedelta(days=rng.randrange(1, 10), minutes=rng.randrange(600))
            end = begin + timedelta(days=rng.randrange(1, 20))
            again = end + timedelta(days=rng.randrange(1, 5))
            pauses = (
                Pause(PauseKind.PAYMENT, begin, end, PausePolicy.SHIFT),
                Pause(
                    PauseKind.SUPPLEMENT,
                    again,
                    again + timedelta(days=rng.randrange(1, 20)),
                    PausePolicy.RESTART,
                ),
            )
        cases.append((start, pauses))
    return cases


def off_and_made_up(calendar: WorkCalendar) -> tuple[list[date], list[date]]:
    years = range(FIRST.year, FIRST.year + 7)
    days = [day for day in calendar.exceptions if day.on.year in years]
    off = [day.on for day in days if not calendar.is_working_day(day.on)]
    made_up = [day.on for day in days if calendar.is_working_day(day.on)]
    return off, made_up


def numpy_plain(days: list[date], off: list[date]) -> Callable[[], list[date]]:
    def run() -> list[date]:
        starts = np.array(days, dtype="datetime64[D]")
        calendar = np.busdaycalendar(holidays=off)
        moved = np.busday_offset(starts, 0, roll="backward", busdaycal=calendar)
        return np.busday_offset(moved, NUMBER, busdaycal=calendar).tolist()

    return run


def numpy_one_by_one(days: list[date], off: list[date]) -> Callable[[], list[date]]:
    calendar = np.busdaycalendar(holidays=off)

    def run() -> list[date]:
        return [
            np.busday_offset(
                np.busday_offset(day, 0, roll="backward", busdaycal=calendar),
                NUMBER,
                busdaycal=calendar,
            ).item()
            for day in days
        ]

    return run


def holidays_plain(days: list[date]) -> Callable[[], list[date]]:
    vietnam = holidays.country_holidays("VN", years=range(FIRST.year, FIRST.year + 7))

    def run() -> list[date]:
        return [vietnam.get_nth_working_day(day, NUMBER) for day in days]

    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    calendar = load_state_calendar()
    cases = draw(asked.count)
    days = [start.date() for start, _ in cases]
    off, made_up = off_and_made_up(calendar)

    def ours() -> list[date]:
        return [
            due.due_on
            for start, pauses in cases
            if (due := compute_due(calendar, LIMIT, start, pauses))
        ]

    def ours_plain() -> list[date]:
        return [due.due_on for start, _ in cases if (due := compute_due(calendar, LIMIT, start))]

    runs: dict[str, Callable[[], list[date]]] = {
        "Đúng Hạn, half with two pauses": ours,
        "Đúng Hạn, no pauses": ours_plain,
        "holidays.get_nth_working_day": holidays_plain(days),
        "numpy.busday_offset, one call each": numpy_one_by_one(days, off),
        "numpy.busday_offset, one array": numpy_plain(days, off),
    }
    check(ours_plain(), runs, days, made_up)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(asked.rounds):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begun)
    show(times, asked.count)
    return 0


def check(
    plain: list[date],
    runs: dict[str, Callable[[], list[date]]],
    days: list[date],
    made_up: list[date],
) -> None:
    """Recount: numpy knows no make-up days, so dates whose span holds one are compared apart."""
    counted = runs["numpy.busday_offset, one array"]()
    apart = 0
    for ours, theirs, start in zip(plain, counted, days, strict=True):
        if any(start < day <= theirs for day in made_up):
            apart += 1
            continue
        assert ours == theirs, (start, ours, theirs)
    wrong = [
        (start, ours, theirs)
        for ours, theirs, start in zip(
            plain, runs["holidays.get_nth_working_day"](), days, strict=True
        )
        if ours != theirs
    ]
    swapped, made_up_on = date(2026, 1, 2), date(2026, 1, 10)
    assert all(start < made_up_on and swapped <= max(ours, theirs) for start, ours, theirs in wrong)
    print(f"checked {len(plain)} dates against numpy ({apart} span a make-up day, set apart)")
    print(f"and against holidays ({len(wrong)} differ by the swap of 2026-01-02, which it lacks)")


def show(times: dict[str, list[float]], count: int) -> None:
    base = statistics.median(next(iter(times.values())))
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.machine()}, holidays {version('holidays')}, numpy {version('numpy')}"
    )
    print(f"{count} due dates of {NUMBER} working days, medians of interleaved rounds")
    print(f"{'':<38}{'total':>10}{'each':>12}{'against ours':>15}")
    for name, taken in times.items():
        median = statistics.median(taken)
        each = median / count * 1e6
        print(f"{name:<38}{median:>8.3f} s{each:>9.2f} µs{median / base:>13.2f} ×")


if __name__ == "__main__":
    sys.exit(main())
