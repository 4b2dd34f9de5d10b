"""P12: whatever is sent is stored, or known already, or in quarantine, or refused at the door.

Nothing is lost between the four, no good record suffers from a bad one beside it, and no payload
makes the service fail.
"""

import http.client
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import text

from app.store.session import Database
from tests.faults.conftest import Scale
from tests.faults.harness import Service, database_of, differing, furnish
from tests.faults.payloads import (
    Body,
    Fields,
    a_national_record,
    a_national_step,
    a_record,
    an_event,
    broken,
    mutated,
    write,
)

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
BROKEN: Final = 0.06
"""Share of requests whose body is broken as a whole."""


@dataclass(frozen=True, slots=True)
class Door:
    """A way in: how its payloads are made and how several of them make a body."""

    name: str
    path: str
    make: Callable[[int], Fields]
    pack: Callable[[list[str]], str]
    media_type: str = JSON
    most: int = 24
    method: str = "POST"
    is_national: bool = False


def _listed(name: str) -> Callable[[list[str]], str]:
    return lambda parts: '{"' + name + '": [' + ",".join(parts) + "]}"


def _array(parts: list[str]) -> str:
    return "[" + ",".join(parts) + "]"


def _alone(parts: list[str]) -> str:
    return parts[0]


DOORS: Final = (
    Door("batch", "/v1/dossiers/batch?verbose=true", a_record, _listed("dossiers")),
    Door("ndjson", "/v1/dossiers/batch?verbose=true", a_record, "\n".join, NDJSON),
    Door("events", "/v1/events/batch?verbose=true", an_event, _listed("events")),
    Door("single", "/v1/dossiers/{code}", a_record, _alone, most=1, method="PUT"),
    Door(
        "national",
        "/v1/adapters/national/DongBoHoSoMC?isUpdating=False",
        a_national_record,
        _array,
        is_national=True,
    ),
    Door(
        "national steps",
        "/v1/adapters/national/CapNhatTienDoHoSoMC",
        a_national_step,
        _array,
        is_national=True,
    ),
)


@dataclass
class Books:
    """What was sent and what the answers said of it."""

    sent: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    good: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Load:
    """One request: its payloads as texts, and which of them must be taken, by place and code."""

    door: Door
    parts: list[str]
    good: dict[int, str]
    is_broken: bool


def test_everything_sent_is_stored_or_known_or_in_quarantine_or_refused(
    migrated_url: str, folder: Path, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    random = Random(seed)
    books = Books()
    with database_of(migrated_url) as database:
        key = furnish(database, environment="test")
        with Service(folder, url=migrated_url, environment="test") as service:
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
            while books.sent < scale(5_000, 200_000):
                load = _load(random, books.sent)
                _send(connection, key, load, random, books)
            connection.close()
            tail = service.tail
        _balance(database, books)
        differ = differing(database)
    tell(
        sent=books.sent,
        verdicts=dict(books.verdicts),
        refused_at_the_door=dict(books.refused),
        faults_in_quarantine=len(books.faults),
        differing=differ,
    )
    assert books.wrong == [], tail
    assert books.sent == books.verdicts.total() + books.refused.total()
    assert differ == 0
    assert len(books.faults) > 25, "the payloads were not hostile enough"
    assert len(books.refused) > 5, "the bodies were not hostile enough"


def _load(random: Random, number: int) -> Load:
    door = random.choices(DOORS, weights=(5, 5, 3, 40, 5, 3))[0]
    is_broken = random.random() < BROKEN
    parts: list[str] = []
    good: dict[int, str] = {}
    for place in range(random.randint(1, door.most)):
        fields = door.make(number + place)
        if random.random() < 0.7:
            part = write(mutated(fields, random))
        else:
            part = write(fields)
            good[place] = str(fields.get("code", fields.get("MaHoSo")))
        parts.append(part.replace("\n", " ") if door.media_type == NDJSON else part)
    return Load(door, parts, good, is_broken)


def _send(
    connection: http.client.HTTPConnection, key: str, load: Load, random: Random, books: Books
) -> None:
    door = load.door
    packed = door.pack(load.parts)
    if load.is_broken:
        body = broken(packed, random, kind=door.media_type)
    else:
        body = Body(packed.encode(), {"Content-Type": door.media_type})
    path = door.path.format(code=f"HS-{books.sent:06}")
    headers = body.headers | {"Authorization": f"Bearer {key}"}
    connection.request(door.method, path, body.content, headers)
    answer = connection.getresponse()
    status, raw = answer.status, answer.read()
    told = json.loads(raw)
    before = books.verdicts.total() + books.refused.total()
    if status >= 500:
        books.wrong.append(f"{door.name}: {status} {raw[:300]!r}")
    elif door.is_national and told.get("error_code") in {"0", "1"}:
        _national(load, told, books)
    elif "error_code" in told:
        books.refused[f"envelope {told['error_code']}"] += len(load.parts)
    elif door.method == "PUT":
        _single(load, status, told, books)
    elif status == 200:
        _batch(load, told, books)
    else:
        books.refused[str(told["code"])] += len(load.parts)
    counted = books.verdicts.total() + books.refused.total() - before
    # a broken body of lines may hold fewer or more lines than were packed
    books.sent += counted if load.is_broken and status == 200 else len(load.parts)


def _single(load: Load, status: int, told: dict[str, Any], books: Books) -> None:
    if status in {200, 201}:
        books.verdicts[told["verdict"]] += 1
    elif "quarantine_id" in told:
        books.verdicts["quarantined"] += 1
        _count_faults(told, books)
        if load.good and not load.is_broken:
            books.wrong.append(f"single: {load.parts[0][:200]} {told}")
    else:
        books.refused[str(told["code"])] += 1
    if status in {200, 201} and load.good:
        books.good += load.good.values()


def _batch(load: Load, told: dict[str, Any], books: Books) -> None:
    results = told["results"]
    found = Counter(result["verdict"] for result in results)
    books.verdicts += found
    summary = {word: told[word] for word in ("accepted", "unchanged", "stale", "quarantined")}
    if any(found[word] != count for word, count in summary.items()):
        books.wrong.append(f"{load.door.name}: {summary} of {found}")
    for result in results:
        if result["verdict"] == "quarantined":
            _count_faults(result["problem"], books)
    if load.is_broken:
        return
    if len(results) != len(load.parts):
        books.wrong.append(f"{load.door.name}: {len(results)} of {len(load.parts)} judged")
    by_place = {result["index"]: result["verdict"] for result in results}
    for place, code in load.good.items():
        books.good.append(code)
        if by_place.get(place) not in {"accepted", "unchanged", "stale"}:
            books.wrong.append(f"{load.door.name}: good {code} was {by_place.get(place)}")


def _national(load: Load, told: dict[str, Any], books: Books) -> None:
    results = told["result"]
    taken = [result["error_code"] == "0" for result in results]
    books.verdicts["taken"] += sum(taken)
    books.verdicts["quarantined"] += len(taken) - sum(taken)
    if (told["error_code"] == "0") != all(taken):
        books.wrong.append(f"{load.door.name}: {told['error_code']} of {taken}")
    if load.is_broken:
        return
    if len(taken) != len(load.parts):
        books.wrong.append(f"{load.door.name}: {len(taken)} of {len(load.parts)} judged")
    for place, code in load.good.items():
        books.good.append(code)
        if not taken[place]:
            books.wrong.append(f"{load.door.name}: good {code} was not taken {results[place]}")


def _count_faults(problem: dict[str, Any], books: Books) -> None:
    for fault in problem["errors"]:
        books.faults[fault["code"]] += 1


def _balance(database: Database, books: Books) -> None:
    """Hold what the answers said against what is stored, and see that no good record is missing."""
    with database.read() as session:
        rows = session.scalar(text("SELECT count(*) FROM dossier_record"))
        waiting = session.scalar(text("SELECT count(*) FROM quarantine"))
        known = set(session.scalars(text("SELECT code FROM locator")))
        faults = session.execute(
            text(
                "SELECT f->>'code' AS code, count(*) AS times FROM quarantine,"
                " jsonb_array_elements(faults) f WHERE door LIKE 'native%' GROUP BY 1"
            )
        )
        stored = {str(row.code): int(row.times) for row in faults}
    said = books.verdicts
    kept = said["accepted"] + said["stale"] + said["taken"]
    waits = said["quarantined"]
    books.wrong += [
        line
        for line, is_wrong in (
            (f"{waiting} in quarantine, {waits} said", waiting != waits),
            (f"{rows} stored, {kept} said", rows != kept),
            (f"reasons {stored} stored, {books.faults} said", stored != dict(books.faults)),
        )
        if is_wrong
    ]
    books.wrong += [f"good {code} is missing" for code in set(books.good) - known]
