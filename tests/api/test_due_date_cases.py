"""Cases of our own through the HTTP door, each worked out by hand from the rules of the clock.

Without another date every case begins on Monday 3 August 2026 at 09:10 in Viet Nam, in an office
that is open from Monday to Friday, 07:30-11:30 and 13:30-17:00: working days are 4, 5, 6, 7, 10,
11, 12, 13, 14, 17, 18, 19 August.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import MakeKey, as_key

HOURS = [["07:30", "11:30"], ["13:30", "17:00"]]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), HOURS)
EVERY_WEEKDAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROUND_THE_CLOCK = {name: [["00:00", "24:00"]] for name in EVERY_WEEKDAY}
OFFICE: dict[str, Any] = {"timezone": "Asia/Ho_Chi_Minh", "week": WEEK}
SATURDAYS = {**OFFICE, "reception": {"sat": [["07:30", "11:30"]]}}
STATE = {"id": "vn"}
START = "03 09:10"


def office(*exceptions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**OFFICE, "exceptions": list(exceptions), **more}


def on(day: int, kind: str, *sessions: list[str], **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"date": f"2026-08-{day:02}", "kind": kind, **more}
    return {**told, "sessions": list(sessions)} if sessions else told


def when(text: str) -> str:
    """Write ``05 09:00`` as an instant of August 2026; anything longer is one already."""
    if "T" in text:
        return text
    return f"2026-08-{text[:2]}T{text[3:]}{'' if text.count(':') == 2 else ':00'}+07:00"


def shift(begins: str, ends: str | None, kind: str = "payment") -> dict[str, Any]:
    return _pause("shift", begins, ends, kind)


def restart(begins: str, ends: str | None, kind: str = "supplement") -> dict[str, Any]:
    return _pause("restart", begins, ends, kind)


def _pause(policy: str, begins: str, ends: str | None, kind: str) -> dict[str, Any]:
    ended_at = None if ends is None else when(ends)
    return {"kind": kind, "policy": policy, "started_at": when(begins), "ended_at": ended_at}


DAYS, HALF, HALF_DAY, RAW, HOUR = (
    {"kind": "working_days", "value": 5},
    {"kind": "working_days", "value": 2.5},
    {"kind": "working_days", "value": 0.5},
    {"kind": "calendar_days", "value": 5},
    {"kind": "working_hours", "value": 1},
)
ONE_DAY = {"kind": "working_days", "value": 1}
EIGHT_HOURS = {"kind": "working_hours", "duration": "PT8H"}
SAME_DAY = {"kind": "same_day"}


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence, the request, and the due moment."""

    says: str
    limit: dict[str, Any]
    due: str
    pauses: list[dict[str, Any]] = field(default_factory=list)
    start: str = START
    calendar: dict[str, Any] = field(default_factory=lambda: OFFICE)
    at: str | None = None
    due_on: str | None = None


CASES = [
    # whole working days
    Case("day 1 is the day after receipt", ONE_DAY, "04 17:00"),
    Case("five days pass a weekend", DAYS, "10 17:00"),
    Case("received at a minute to midnight", ONE_DAY, "04 17:00", start="03 23:59"),
    Case("received half past midnight", ONE_DAY, "05 17:00", start="2026-08-03T17:30:00Z"),
    Case("received on Saturday", ONE_DAY, "10 17:00", start="08 10:00"),
    Case("shift skips its days", DAYS, "12 17:00", [shift("05 09:00", "07 09:00")]),
    Case("shift within a day skips none", DAYS, "10 17:00", [shift("05 09:00", "05 16:00")]),
    Case("shift from evening to dawn", DAYS, "11 17:00", [shift("05 18:00", "07 06:00")]),
    Case("shift over a weekend alone", DAYS, "10 17:00", [shift("07 17:00", "10 07:30")]),
    Case("shift from the day of receipt", DAYS, "11 17:00", [shift("03 10:00", "05 10:00")]),
    Case("shift from the due day on", DAYS, "12 17:00", [shift("10 08:00", "12 08:00")]),
    Case("shift after the due day", DAYS, "10 17:00", [shift("11 08:00", "13 08:00")]),
    Case("shift in the evening of the due day", DAYS, "10 17:00", [shift("10 20:00", "12 08:00")]),
    Case("restart counts anew", DAYS, "14 17:00", [restart("05 09:00", "07 09:00")]),
    Case("restart that ends on Saturday", DAYS, "17 17:00", [restart("05 09:00", "08 10:00")]),
    Case("restart outside office hours", DAYS, "10 17:00", [restart("08 08:00", "09 20:00")]),
    Case("restart of one hour", DAYS, "12 17:00", [restart("05 09:00", "05 10:00")]),
    Case("restart after the due day", DAYS, "10 17:00", [restart("11 08:00", "13 08:00")]),
    Case(
        "overlapping shifts count once",
        DAYS,
        "13 17:00",
        [shift("05 09:00", "07 09:00"), shift("06 09:00", "10 09:00", "other_agency")],
    ),
    Case(
        "a pause within a pause",
        DAYS,
        "13 17:00",
        [shift("05 09:00", "10 09:00"), shift("06 09:00", "07 09:00", "stopped")],
    ),
    Case(
        "touching shifts are one",
        DAYS,
        "12 17:00",
        [shift("05 09:00", "06 09:00"), shift("06 09:00", "07 09:00")],
    ),
    Case(
        "a restart among overlapping pauses restarts",
        DAYS,
        "17 17:00",
        [shift("05 09:00", "07 09:00"), restart("06 09:00", "10 09:00")],
    ),
    Case(
        "two shifts apart",
        DAYS,
        "12 17:00",
        [shift("04 08:00", "05 08:00"), shift("07 08:00", "10 08:00")],
    ),
    Case(
        "a shift, then a restart",
        DAYS,
        "14 17:00",
        [shift("04 08:00", "05 08:00"), restart("06 08:00", "07 08:00")],
    ),
    Case(
        "a restart, then a shift",
        DAYS,
        "13 17:00",
        [restart("04 08:00", "05 08:00"), shift("06 08:00", "07 08:00")],
    ),
    Case(
        "two restarts",
        DAYS,
        "14 17:00",
        [restart("04 08:00", "05 08:00"), restart("06 08:00", "07 08:00")],
    ),
    Case(
        "a pause on the due day as moved",
        DAYS,
        "12 17:00",
        [shift("04 08:00", "05 08:00"), shift("11 08:00", "12 08:00")],
    ),
    Case(
        "a pause after the due day as moved",
        DAYS,
        "11 17:00",
        [shift("04 08:00", "05 08:00"), shift("12 08:00", "13 08:00")],
    ),
    # half days
    Case("two and a half days", HALF, "06 11:30"),
    Case("half a day", HALF_DAY, "04 11:30"),
    Case(
        "half of a day with one session",
        HALF,
        "06 10:00",
        calendar=office(on(6, "hours", ["08:00", "12:00"])),
    ),
    Case("half days under a shift", HALF, "07 11:30", [shift("04 08:00", "05 08:00")]),
    Case("half days under a restart", HALF, "10 11:30", [restart("04 08:00", "05 08:00")]),
    Case("a pause at the very half", HALF, "07 11:30", [shift("06 11:30", "07 08:00")]),
    Case("a pause a minute after the half", HALF, "06 11:30", [shift("06 11:31", "10 08:00")]),
    Case("a restart a minute after the half", HALF, "06 11:30", [restart("06 11:31", "10 08:00")]),
    # calendar days
    Case("calendar days", {"kind": "calendar_days", "value": 10}, "13 17:00"),
    Case("calendar days that end on Saturday", RAW, "10 17:00"),
    Case("calendar days that end on a day off", RAW, "11 17:00", calendar=office(on(10, "off"))),
    Case(
        "calendar days that end on a make-up day",
        RAW,
        "08 17:00",
        calendar=office(on(8, "work", like="fri")),
    ),
    Case("calendar days under a shift", RAW, "10 17:00", [shift("05 09:00", "07 09:00")]),
    Case("a shift over Saturday and Sunday", RAW, "10 17:00", [shift("08 00:00", "10 00:00")]),
    Case(
        "a shift whose end rolls over",
        {"kind": "calendar_days", "value": 3},
        "10 17:00",
        [shift("06 08:00", "08 08:00")],
    ),
    Case("no rolling into a paused day", RAW, "12 17:00", [shift("09 10:00", "12 10:00")]),
    Case("calendar days under a restart", RAW, "13 17:00", [restart("05 09:00", "08 09:00")]),
    Case("calendar days and a pause of hours", RAW, "10 17:00", [shift("05 09:00", "05 16:00")]),
    Case("calendar days and a late pause", RAW, "10 17:00", [restart("11 00:00", "12 10:00")]),
    # working hours
    Case("eight hours are more than a day", EIGHT_HOURS, "04 09:40"),
    Case("an hour from the very close of the morning", HOUR, "03 14:30", start="03 11:30"),
    Case("an hour up to the very close", HOUR, "03 11:30", start="03 10:30"),
    Case("from lunch", {"kind": "working_hours", "value": 0.5}, "03 14:00", start="03 12:00"),
    Case("from Saturday", {"kind": "working_hours", "value": 2}, "10 09:30", start="08 10:00"),
    Case("from the evening", HOUR, "04 08:30", start="03 18:00"),
    Case(
        "one second", {"kind": "working_hours", "duration": "PT1S"}, "04 07:30:01", start="03 17:00"
    ),
    Case("hours under a shift", EIGHT_HOURS, "04 13:40", [shift("03 10:00", "03 14:00")]),
    Case("hours and a shift over lunch", EIGHT_HOURS, "04 09:40", [shift("03 11:30", "03 13:30")]),
    Case("hours under a restart", EIGHT_HOURS, "04 14:30", [restart("03 10:00", "03 14:00")]),
    Case(
        "hours and a restart over lunch", EIGHT_HOURS, "04 09:40", [restart("03 11:30", "03 13:30")]
    ),
    Case("a shift at the due moment", EIGHT_HOURS, "04 09:40", [shift("04 09:40", "04 10:40")]),
    Case("a restart at the due moment", EIGHT_HOURS, "05 11:10", [restart("04 09:40", "04 10:40")]),
    Case(
        "a restart a second too late", EIGHT_HOURS, "04 09:40", [restart("04 09:40:01", "04 10:40")]
    ),
    Case(
        "overlapping pauses of hours count once",
        EIGHT_HOURS,
        "04 13:40",
        [shift("03 10:00", "03 13:40"), shift("03 11:00", "03 14:00", "other")],
    ),
    # the same day
    Case("in the day, a second before the cut-off", SAME_DAY, "03 17:00", start="03 14:59:59"),
    Case("in the day, at the cut-off", SAME_DAY, "03 17:00", start="03 15:00:00"),
    Case("in the day, a second after the cut-off", SAME_DAY, "04 17:00", start="03 15:00:01"),
    Case("in the day, before opening", SAME_DAY, "03 17:00", start="03 05:00"),
    Case(
        "in the day, with a cut-off of its own",
        {**SAME_DAY, "cutoff": "10:00"},
        "04 17:00",
        start="03 10:01",
    ),
    Case("in the day, on Friday afternoon", SAME_DAY, "10 17:00", start="07 16:00"),
    Case(
        "in the day, after an early close",
        SAME_DAY,
        "06 17:00",
        start="05 14:30",
        calendar=office(on(5, "hours", ["07:30", "14:00"])),
    ),
    Case(
        "in the day, on a Saturday of reception",
        SAME_DAY,
        "08 11:30",
        start="08 08:00",
        calendar=SATURDAYS,
    ),
    Case(
        "in the day, after reception closed",
        SAME_DAY,
        "10 17:00",
        start="08 12:00",
        calendar=SATURDAYS,
    ),
    Case(
        "in the day, moved to reception", SAME_DAY, "08 11:30", start="07 16:00", calendar=SATURDAYS
    ),
    Case(
        "in the day, reception not counted",
        {**SAME_DAY, "reception": False},
        "10 17:00",
        start="07 16:00",
        calendar=SATURDAYS,
    ),
    Case("in the day, under a shift", SAME_DAY, "04 17:00", [shift("03 10:00", "04 09:00")]),
    Case("in the day, under a restart", SAME_DAY, "05 17:00", [restart("03 10:00", "04 16:00")]),
    Case(
        "in the day, a shift up to the evening",
        SAME_DAY,
        "05 17:00",
        [shift("03 10:00", "04 16:00")],
    ),
    Case("in the day, a pause over lunch", SAME_DAY, "03 17:00", [restart("03 12:00", "03 13:00")]),
    Case("reception is no working day", ONE_DAY, "10 17:00", start="07 09:00", calendar=SATURDAYS),
    # exceptions
    Case(
        "a make-up Saturday inside the limit",
        DAYS,
        "08 17:00",
        calendar=office(on(8, "work", like="fri")),
    ),
    Case("a make-up morning", DAYS, "08 11:30", calendar=office(on(8, "work", ["07:30", "11:30"]))),
    Case(
        "a make-up day in a pause",
        DAYS,
        "11 17:00",
        [shift("07 08:00", "10 08:00")],
        calendar=office(on(8, "work", like="fri")),
    ),
    Case(
        "a half-day closure on the due day",
        DAYS,
        "10 11:30",
        calendar=office(on(10, "hours", ["07:30", "11:30"])),
    ),
    Case(
        "hours on a half-day closure",
        EIGHT_HOURS,
        "04 15:10",
        calendar=office(on(3, "hours", ["07:30", "11:30"])),
    ),
    Case("a storm", DAYS, "11 17:00", calendar=office(on(7, "off"))),
    Case("a yearly day off", DAYS, "11 17:00", calendar=office(yearly_off=["08-10"])),
    Case("29 February", ONE_DAY, "2028-02-29T17:00:00+07:00", start="2028-02-28T09:00:00+07:00"),
    Case(
        "29 February off every year",
        ONE_DAY,
        "2028-03-01T17:00:00+07:00",
        start="2028-02-28T09:00:00+07:00",
        calendar=office(yearly_off=["02-29"]),
    ),
    # the calendar of the state
    Case(
        "over the year's end",
        ONE_DAY,
        "2026-01-05T17:00:00+07:00",
        start="2025-12-31T09:00:00+07:00",
        calendar=STATE,
    ),
    Case(
        "the swapped Saturday of January 2026",
        DAYS,
        "2026-01-10T17:00:00+07:00",
        start="2026-01-05T09:00:00+07:00",
        calendar=STATE,
    ),
    Case(
        "over Tết",
        DAYS,
        "2026-02-26T17:00:00+07:00",
        start="2026-02-12T09:00:00+07:00",
        calendar=STATE,
    ),
    Case(
        "a pause over Tết",
        DAYS,
        "2026-03-02T17:00:00+07:00",
        [shift("2026-02-13T08:00:00+07:00", "2026-02-24T08:00:00+07:00")],
        start="2026-02-12T09:00:00+07:00",
        calendar=STATE,
    ),
    Case(
        "a supplement over Tết",
        DAYS,
        "2026-03-03T17:00:00+07:00",
        [restart("2026-02-13T08:00:00+07:00", "2026-02-24T08:00:00+07:00")],
        start="2026-02-12T09:00:00+07:00",
        calendar=STATE,
    ),
    # pauses that are open
    Case(
        "an open shift that ended now", DAYS, "17 17:00", [shift("05 10:00", None)], at="12 08:00"
    ),
    Case(
        "an open restart that ended now",
        DAYS,
        "19 17:00",
        [restart("05 10:00", None)],
        at="12 08:00",
    ),
    Case(
        "open hours that ended now",
        EIGHT_HOURS,
        "05 07:40",
        [shift("03 10:00", None)],
        at="04 08:00",
    ),
    Case(
        "an open pause of calendar days", RAW, "17 17:00", [shift("05 10:00", None)], at="12 08:00"
    ),
    Case(
        "an open pause begun too late", DAYS, "10 17:00", [shift("11 10:00", None)], at="12 08:00"
    ),
    # midnight and other zones
    Case(
        "a close at midnight belongs to its day",
        {"kind": "working_hours", "value": 2},
        "2026-08-04T00:00:00+07:00",
        start="03 22:00",
        calendar={**OFFICE, "week": {"mon": [["22:00", "24:00"]], "tue": HOURS}},
        due_on="2026-08-03",
    ),
    Case(
        "23:59 means midnight",
        {"kind": "working_hours", "value": 2},
        "2026-08-04T00:00:00+07:00",
        start="03 22:00",
        calendar={**OFFICE, "week": {"mon": [["22:00", "23:59"]], "tue": HOURS}},
        due_on="2026-08-03",
    ),
    Case(
        "Berlin loses an hour in spring",
        {"kind": "working_hours", "value": 24},
        "2026-03-29T22:00:00Z",
        start="2026-03-28T23:00:00+01:00",
        calendar={"timezone": "Europe/Berlin", "week": ROUND_THE_CLOCK},
        due_on="2026-03-29",
    ),
    Case(
        "New York gains an hour in autumn",
        {"kind": "working_hours", "value": 26},
        "2026-11-02T05:00:00Z",
        start="2026-10-31T23:00:00-04:00",
        calendar={"timezone": "America/New_York", "week": ROUND_THE_CLOCK},
        due_on="2026-11-01",
    ),
    Case(
        "London's days are days in spring too",
        DAYS,
        "2026-04-02T17:00:00+01:00",
        start="2026-03-26T09:00:00+00:00",
        calendar={"timezone": "Europe/London", "week": WEEK},
    ),
    Case(
        "Tehran works from Saturday",
        ONE_DAY,
        "2026-08-08T17:00:00+03:30",
        start="2026-08-05T09:00:00+03:30",
        calendar={
            "timezone": "Asia/Tehran",
            "week": dict.fromkeys(("sat", "sun", "mon", "tue", "wed"), HOURS),
        },
    ),
]


@pytest.fixture
def key(make_key: MakeKey) -> dict[str, str]:
    """Give a key that may calculate."""
    return as_key(make_key(["dossiers:read"]))


def calculate(client: TestClient, key: dict[str, str], case: Case) -> dict[str, Any]:
    body = {
        "calendar": case.calendar,
        "limit": case.limit,
        "start": when(case.start),
        "pauses": case.pauses,
        "at": None if case.at is None else when(case.at),
    }
    answer = client.post("/v1/due-dates/calculate", json=body, headers=key)
    assert answer.status_code == 200, (case.says, answer.text)
    found: dict[str, Any] = answer.json()
    return found


def amount(limit: dict[str, Any]) -> float:
    """Return what the rows of the ledger must sum to."""
    match limit["kind"]:
        case "same_day":
            return 1
        case "working_hours":
            hours = {"PT8H": 8, "PT1S": 1 / 3600}
            return round(3600 * (limit.get("value") or hours[limit["duration"]]))
        case _:
            return float(limit["value"])


def test_every_case_is_told_once() -> None:
    assert len(CASES) >= 100
    assert len({case.says for case in CASES}) == len(CASES)


def test_every_case_of_our_own_holds(client: TestClient, key: dict[str, str]) -> None:
    wrong: list[tuple[object, ...]] = []

    for case in CASES:
        found = calculate(client, key, case)
        expected = datetime.fromisoformat(when(case.due))
        if datetime.fromisoformat(found["due_at"]) != expected:
            wrong.append((case.says, case.due, found["due_at"]))
        if found["due_on"] != (case.due_on or expected.date().isoformat()):
            wrong.append((case.says, case.due_on, found["due_on"]))
        counted = sum(row["counted"] for row in found["ledger"])
        if counted != amount(case.limit):
            wrong.append((case.says, amount(case.limit), counted))

    assert wrong == []


def test_the_instants_that_judge_agree_with_the_due_day(
    client: TestClient, key: dict[str, str]
) -> None:
    for case in CASES:
        found = calculate(client, key, case)
        due, early, until = (
            datetime.fromisoformat(found[name])
            for name in ("due_at", "early_before", "on_time_until")
        )
        assert early <= due <= until, case.says
        assert found["by_instant"] is (due == until), case.says


@pytest.mark.parametrize("kind", ["supplement", "payment", "stopped", "other_agency", "other"])
@pytest.mark.parametrize(("policy", "due_on"), [("shift", "2026-08-12"), ("restart", "2026-08-14")])
def test_every_kind_of_pause_takes_either_policy(
    client: TestClient, key: dict[str, str], kind: str, policy: str, due_on: str
) -> None:
    pause = _pause(policy, "05 09:00", "07 09:00", kind)

    found = calculate(client, key, Case(kind, DAYS, "", [pause]))

    assert (found["due_on"], found["pauses"][0]["kinds"]) == (due_on, [kind])


@pytest.mark.parametrize(
    ("kind", "due_on"),
    [("supplement", "2026-08-14"), ("payment", "2026-08-12"), ("other", "2026-08-12")],
)
def test_without_a_policy_only_a_supplement_restarts(
    client: TestClient, key: dict[str, str], kind: str, due_on: str
) -> None:
    pause = _pause("shift", "05 09:00", "07 09:00", kind)
    del pause["policy"]

    assert calculate(client, key, Case(kind, DAYS, "", [pause]))["due_on"] == due_on


def test_no_limit_is_no_due_date(client: TestClient, key: dict[str, str]) -> None:
    found = calculate(client, key, Case("none", {"kind": "none"}, ""))

    assert (found["due_at"], found["ledger"]) == (None, [])


@pytest.mark.parametrize(
    ("start", "end", "pauses", "seconds", "days"),
    [
        ("03 09:10", "04 09:40", [], 28_800, 1),
        ("03 09:10", "03 09:10", [], 0, 0),
        ("07 16:00", "10 08:00", [], 5_400, 1),
        ("08 08:00", "09 20:00", [], 0, 0),
        ("03 09:10", "04 13:40", [shift("03 10:00", "03 14:00")], 28_800, 1),
        ("03 09:10", "12 17:00", [shift("05 09:00", "07 09:00")], 156_000, 5),
        ("03 09:10", "12 17:00", [restart("05 09:00", "07 09:00")], 156_000, 5),
        (
            "03 09:10",
            "12 17:00",
            [shift("05 09:00", "06 09:00"), shift("06 08:00", "07 09:00")],
            156_000,
            5,
        ),
        ("03 09:10", "06 17:00", [shift("05 09:00", None)], 53_400, 1),
    ],
)
def test_working_time_is_measured_less_the_pauses(
    client: TestClient,
    key: dict[str, str],
    start: str,
    end: str,
    pauses: list[dict[str, Any]],
    seconds: int,
    days: int,
) -> None:
    body = {"calendar": OFFICE, "start": when(start), "end": when(end), "pauses": pauses}

    answer = client.post("/v1/due-dates/elapsed", json=body, headers=key)

    assert answer.json() == {"working_seconds": seconds, "working_days": days}


EVERY_DAY = [f"{date(2028, 1, 1) + timedelta(days=number):%m-%d}" for number in range(366)]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"start": "2026-08-03 09:10:00"}, "/start", "field.no_offset"),
        ({"at": "2026-08-03T09:10:00"}, "/at", "field.no_offset"),
        (
            {"pauses": [{"kind": "other", "started_at": "2026-08-03T09:10:00"}]},
            "/pauses/0/started_at",
            "field.no_offset",
        ),
        (
            {
                "pauses": [
                    {
                        "kind": "other",
                        "started_at": "2026-08-03T09:10:00Z",
                        "ended_at": "2026-08-05T09:10:00",
                    }
                ]
            },
            "/pauses/0/ended_at",
            "field.no_offset",
        ),
        ({"limit": {"kind": "working_days", "value": 0}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "working_days", "value": -1}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "calendar_days", "value": 0}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "calendar_days", "value": -1}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "calendar_days", "value": 1.5}}, "/limit", "limit.not_divisible"),
        ({"limit": {"kind": "working_hours", "value": 0}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "working_hours", "duration": "PT0S"}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "working_hours", "value": -1}}, "/limit", "limit.not_positive"),
        ({"limit": {"kind": "same_day", "value": 1}}, "/limit", "limit.value_unexpected"),
        ({"limit": {"kind": "none", "duration": "PT1H"}}, "/limit", "limit.value_unexpected"),
        (
            {"calendar": {**OFFICE, "timezone": "Asia/Saigon_"}},
            "/calendar",
            "calendar.zone_unknown",
        ),
        ({"calendar": {**OFFICE, "timezone": "+07:00"}}, "/calendar", "calendar.zone_unknown"),
        ({"calendar": {"week": {}}}, "/calendar", "calendar.no_sessions"),
        ({"calendar": office(yearly_off=["02-30"])}, "/calendar/yearly_off/0", None),
        (
            {"calendar": office(on(3, "off"), on(3, "off"))},
            "/calendar",
            "calendar.exception_twice",
        ),
        (
            {"calendar": office(on(3, "off", ["07:30", "11:30"]))},
            "/calendar/exceptions/0",
            "calendar.exception_sessions",
        ),
    ],
)
def test_bad_input_is_refused_at_its_place(
    client: TestClient, key: dict[str, str], changes: dict[str, Any], pointer: str, code: str | None
) -> None:
    body = {"calendar": OFFICE, "limit": DAYS, "start": when(START), "pauses": []} | changes

    answer = client.post("/v1/due-dates/calculate", json=body, headers=key)

    assert answer.status_code == 422, answer.text
    fault = answer.json()["errors"][0]
    assert (fault["pointer"], fault["code"]) == (pointer, code or "calendar.yearly_off_invalid")


def test_a_calendar_that_never_opens_is_an_error_and_no_loop(
    client: TestClient, key: dict[str, str]
) -> None:
    calendar = office(yearly_off=EVERY_DAY)
    for limit in (DAYS, HALF, RAW, HOUR, SAME_DAY):
        body = {"calendar": calendar, "limit": limit, "start": when(START)}
        answer = client.post("/v1/due-dates/calculate", json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "calendar.never_opens")


@pytest.mark.parametrize(
    ("start", "year"),
    [
        ("2016-12-28T09:00:00+07:00", "2016"),
        ("2027-12-29T09:00:00+07:00", "2028"),
        ("2030-01-01T09:00:00+07:00", "2030"),
    ],
)
def test_a_year_outside_those_loaded_is_named(
    client: TestClient, key: dict[str, str], start: str, year: str
) -> None:
    asked = {"calendar": STATE, "start": start}
    ends = {"end": "2032-01-01T09:00:00+07:00"}

    due = client.post("/v1/due-dates/calculate", json={**asked, "limit": DAYS}, headers=key)
    spent = client.post("/v1/due-dates/elapsed", json=asked | ends, headers=key)

    assert (due.status_code, due.json()["params"]["year"]) == (422, year)
    assert (spent.status_code, spent.json()["code"]) == (422, "calendar.year_missing")


def test_a_date_that_rests_on_estimated_days_is_provisional(
    client: TestClient, key: dict[str, str]
) -> None:
    firm = Case("2025", DAYS, "", start="2025-08-04T09:00:00+07:00", calendar=STATE)
    guess = Case("2027", DAYS, "", start="2027-08-30T09:00:00+07:00", calendar=STATE)

    assert calculate(client, key, firm)["provisional"] is False
    assert calculate(client, key, guess)["provisional"] is True
