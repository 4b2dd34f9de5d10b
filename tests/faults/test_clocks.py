"""P9: the zone of a machine and the steps of its clock change no figure and no alert."""

import hashlib
import http.client
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from app.clock import system_clock
from app.jobs import Worker
from app.store.session import Database
from app.store.tables import alert
from app.usecases.runs import Duty
from tests.factories import add_dossiers, dossier_row, local, make_source, make_unit
from tests.faults.conftest import Scale
from tests.faults.harness import PATIENCE, UNITS, Cluster, Service, database_of, furnish
from tests.faults.nursery import courier

pytestmark = pytest.mark.fault

ZONES: Final = (
    "UTC",
    "Asia/Ho_Chi_Minh",
    "America/New_York",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Europe/London",
)
EDGES: Final = (
    "2026-01-01T00:00:00+07:00",
    "2025-12-31T23:59:59+07:00",
    "2026-02-28T23:59:59+07:00",
    "2024-02-29T12:00:00+07:00",
    "2026-03-08T02:30:00+07:00",  # an hour that New York skips
    "2026-03-29T01:30:00+07:00",  # an hour that London skips
    "2026-06-30T23:59:59.999999+07:00",
    "2026-07-01T00:00:00+07:00",
)
"""Moments at which a wrong zone would move a dossier to another day, month or year."""


def records() -> Iterator[dict[str, object]]:
    """Tell dossiers received, due and finished at the edges."""
    for n, received in enumerate(EDGES):
        for days in (2, 5):
            due = datetime.fromisoformat(received) + timedelta(days=days)
            for late in (None, -1, 0, 1):
                done = None if late is None else (due + timedelta(seconds=late)).isoformat()
                yield {
                    "code": f"Z-{n}-{days}-{late}",
                    "unit": UNITS[n % len(UNITS)],
                    "procedure": "1.001193",
                    "channel": "online",
                    "received_at": received,
                    "due_at": due.isoformat(),
                    "status": "processing" if done is None else "finished",
                    "finished_at": done,
                    "source_updated_at": "2026-08-01T00:00:00Z",
                }


def asked(service: Service, key: str, path: str, told: object = None) -> bytes:
    """Ask a service and return the bytes of its answer of success."""
    line = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        if told is None:
            line.request("GET", path, headers=headers)
        else:
            line.request("POST", path, json.dumps(told), headers)
        answer = line.getresponse()
        body = answer.read()
    finally:
        line.close()
    assert answer.status in {200, 201}, (path, answer.status, body, service.tail)
    return body


def reports(service: Service, key: str, known_at: str) -> dict[str, bytes]:
    """Read every report at one moment and one state of knowledge."""
    as_of = "2026-08-31T17:00:00Z"
    year = f"/v1/statistics?unit=H44&from=2025-12-01&to=2026-08-31&known_at={known_at}"
    due: dict[str, object] = {
        "calendar": {"id": "vn"},
        "limit": {"kind": "working_hours", "duration": "PT12H30M"},
        "start": "2025-12-31T16:10:00+07:00",
    }
    return {
        "statistics by month": asked(service, key, f"{year}&group_by=unit,month"),
        "statistics by day": asked(service, key, f"{year}&group_by=day&include=lateness,durations"),
        "overdue": asked(service, key, f"/v1/overdue?unit=H44&as_of={as_of}&limit=100"),
        "due date": asked(service, key, "/v1/due-dates/calculate", due),
        "index feed": asked(
            service, key, f"/v1/index-feed/2026?unit=H44&as_of={as_of}&known_at={known_at}"
        ),
    }


@pytest.mark.must_run_in_ci
def test_reports_are_equal_byte_by_byte_in_six_zones(
    folder: Path, tell: Callable[..., None]
) -> None:
    """Real servers, each started in a zone, and a PostgreSQL whose own zone is foreign too."""
    with Cluster(folder / "data", timezone="America/New_York") as cluster:
        with database_of(cluster.url) as database:
            key = furnish(database)
        with ExitStack() as stack:
            services = {}
            for zone in ZONES:
                place = folder / zone.replace("/", "-")
                place.mkdir()
                service = Service(place, url=cluster.url, SCHEDULER="false")
                service.environment["TZ"] = zone
                services[zone] = stack.enter_context(service)
            told = list(records())
            sent = json.loads(
                asked(services["America/New_York"], key, "/v1/dossiers/batch", {"dossiers": told})
            )
            known_at = system_clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            found = {zone: reports(each, key, known_at) for zone, each in services.items()}
    hashes = {
        name: {hashlib.sha256(of[name]).hexdigest() for of in found.values()}
        for name in found["UTC"]
    }
    late = json.loads(found["UTC"]["overdue"])["total"]
    tell(
        zones=len(found),
        dossiers=sent["accepted"],
        overdue=late,
        bytes=sum(map(len, found["UTC"].values())),
        reports=len(hashes),
        differing=sum(len(one) != 1 for one in hashes.values()),
    )
    assert sent["accepted"] == len(told)
    assert late == 2 * len(EDGES)
    for name in hashes:
        for zone in ZONES:
            assert found[zone][name] == found["UTC"][name], (name, zone)


FIRST, LAST = date(2026, 12, 24), date(2027, 1, 12)
DUE_DAYS: Final = (date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 4))
NEW_YEAR: Final = date(2027, 1, 1)
STAGES: Final = {"due-2": -2, "due": 0, "overdue+1": 1, "overdue+5": 5}


def workdays_from(day: date, number: int) -> date:
    """Count working days by hand: Mondays to Fridays but for New Year's Day."""
    step = timedelta(days=1 if number > 0 else -1)
    while number:
        day += step
        if day.weekday() < 5 and day != NEW_YEAR:
            number -= 1 if number > 0 else -1
    return day


def steps_of(chance: random.Random, number: int) -> Iterator[datetime]:
    """Tell a clock that goes on by hours, and jumps back and forward by hours in between.

    It never jumps ahead of the true time by itself: an alert before the true time is early.
    """
    truth = local(FIRST, 0, 30)
    end = local(LAST, 12)
    stride = (end - truth) / number
    for n in range(number):
        yield truth
        yield truth - timedelta(hours=chance.choice((1, 2, 7, 25)), seconds=chance.randrange(60))
        truth += stride
        if n % 5 == 0:
            midnight = truth.replace(hour=17, minute=0, second=0, microsecond=0)  # in UTC
            yield min(truth, midnight)
            yield min(truth, midnight) - timedelta(microseconds=1)
    yield end


def test_a_clock_that_jumps_over_midnight_and_new_year_tells_nothing_early_or_twice(
    fresh_database: Database, scale: Scale, seed: int, tell: Callable[..., None]
) -> None:
    """The whole work of a ticker, its clock stepping back and forward by hours."""
    chance = random.Random(seed)
    dossiers = scale(300, 20_000)
    with fresh_database.begin() as session:
        province = make_unit(session)
        unit = make_unit(session, "H44.1", parent=province)
        source_id = make_source(session)
        add_dossiers(
            session,
            (
                dossier_row(
                    unit,
                    source_id,
                    f"D{n:05}",
                    due_on=DUE_DAYS[n % 3],
                    received_at=local("2026-12-01", 9),
                )
                for n in range(dossiers)
            ),
        )
    at = [local(FIRST)]
    newest = at[0]
    worker = Worker(
        fresh_database,
        duty=Duty(clock=lambda: at[0], owner="test"),
        courier=courier(lambda: at[0]),
    )
    steps, back, early = 0, 0, 0
    seen: set[tuple[str, str, datetime]] = set()
    rows: list[tuple[str, str, datetime]] = []
    for moment in steps_of(chance, scale(60, 2_000)):
        steps, back = steps + 1, back + (moment < newest)
        at[0], newest = moment, max(newest, moment)
        worker.do_nights()
        with fresh_database.read() as reader:
            found = reader.execute(sa.select(alert.c.code, alert.c.stage, alert.c.occurred_at))
            rows = [(str(row.code), str(row.stage), row.occurred_at) for row in found]
        early += sum(row[2] > newest for row in set(rows) - seen)
        seen |= set(rows)
    expected = {
        (f"D{n:05}", stage, local(workdays_from(DUE_DAYS[n % 3], offset)))
        for n in range(dossiers)
        for stage, offset in STAGES.items()
        if workdays_from(DUE_DAYS[n % 3], offset) <= LAST
    }
    double = sum(times - 1 for times in Counter((code, stage) for code, stage, _ in rows).values())
    tell(
        steps=steps,
        back=back,
        alerts=len(rows),
        expected=len(expected),
        early=early,
        double=double,
    )
    assert back > steps // 4
    assert (early, double) == (0, 0)
    assert set(rows) == expected
