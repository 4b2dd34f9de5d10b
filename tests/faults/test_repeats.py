"""P5: sending again, in any order and at the same moment, has one effect."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.record import (
    Channel,
    ExtensionTold,
    Message,
    MessageKind,
    PauseTold,
    Status,
    Told,
)
from app.store.session import Database, WriteSession
from app.usecases import ingest
from app.usecases.ingest import Incoming, Sender
from tests.faults.conftest import Scale
from tests.faults.harness import Service, database_of, differing, furnish
from tests.faults.proxy import Fault, Proxy
from tests.faults.senders import Crowd, account_of
from tests.strategies import FIRST, message

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

NOW = datetime(2026, 2, 1, tzinfo=UTC)
TIMES = 10
"""How often each request is sent, at the same moment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of many equal requests was told."""

    status: int
    is_replayed: bool
    told: dict[str, Any]


@pytest.fixture
def furnished(migrated_url: str, folder: Path) -> Iterator[tuple[Service, str, Database]]:
    """Give a service on a database of its own, a key, and the database."""
    with database_of(migrated_url) as database:
        key = furnish(database, environment="test")
        service = Service(folder, url=migrated_url, environment="test")
        with service:
            yield service, key, database


def test_the_same_request_many_times_at_once_has_one_effect(
    furnished: tuple[Service, str, Database],
    seed: int,
    scale: Scale,
    tell: Callable[..., None],
) -> None:
    service, key, database = furnished
    requests = scale(40, 400)
    replayed: Counter[str] = Counter()
    wrong: list[str] = []
    for number in range(requests):
        has_key = number % 2 == 0
        found = _at_once(service, key, number, has_key=has_key)
        kinds = Counter(_kind(answer) for answer in found)
        wanted = (
            Counter({"first": 1, "replayed": TIMES - 1})
            if has_key
            else Counter({"first": 1, "unchanged": TIMES - 1})
        )
        replayed += kinds
        if kinds != wanted or len({json.dumps(a.told) for a in found if has_key}) > 1:
            wrong.append(f"{number}: {kinds}")

    with database.read() as session:
        kept = session.scalar(text("SELECT count(*) FROM dossier_record"))
        versions = session.scalar(text("SELECT max(version) FROM dossier"))
    differ = differing(database)
    tell(requests=requests * TIMES, records=kept, differing=differ, answers=dict(replayed))
    assert wrong == []
    assert (kept, versions, differ) == (requests, 1, 0)


def test_a_sender_that_never_hears_the_answer_may_send_again(
    furnished: tuple[Service, str, Database],
    folder: Path,
    seed: int,
    scale: Scale,
    tell: Callable[..., None],
) -> None:
    """The wire is cut after the commit and before the answer, again and again."""
    service, key, database = furnished
    random = Random(seed)
    cuts = scale(60, 2_000)
    stop = threading.Event()
    with Proxy(("127.0.0.1", service.port)) as wire:
        with Crowd(folder, wire.port, key, seed=seed, size=4) as journal:
            while wire.injected < cuts and not journal.violations:
                wire.fault = Fault.CUT_ANSWER
                stop.wait(random.uniform(0.02, 0.2))
                wire.fault = Fault.NONE
                stop.wait(random.uniform(0.02, 0.2))
                if random.random() < 0.2:
                    wire.cut()
        injected = wire.injected
    found = account_of(database, list(journal.marks()))
    differ = differing(database)
    tell(
        cuts=injected,
        acks=found.acknowledged,
        lost=found.lost,
        doubled=found.doubled,
        differing=differ,
        seen=dict(journal.seen),
    )
    assert journal.violations == [], service.tail
    assert journal.seen["acks after a resend"] > 0, "no cut met a call: nothing was tested"
    assert (found.lost, found.doubled, found.behind, differ) == (0, 0, 0, 0)


def test_any_order_repetition_and_batching_of_many_histories_ends_alike(
    fresh_database: Database, seed: int, scale: Scale, tell: Callable[..., None]
) -> None:
    """Each schedule is one history, told once in order and once shuffled, repeated, rebatched."""
    random = Random(seed)
    schedules = scale(1_000, 20_000)
    told = 0
    furnish(fresh_database)
    with fresh_database.begin() as session:
        orderly, disorderly = _sender(session, "orderly"), _sender(session, "disorderly")
    for first in range(0, schedules, 500):
        # plain running numbers: those of two sources are never one dossier
        histories = {f"{first + n + 1:06}": _history(random) for n in range(500)}
        told += _tell(fresh_database, orderly, _rounds(histories), size=1_000)
        told += _tell(fresh_database, disorderly, _chaos(histories, random), size=377)

    with fresh_database.begin() as session:
        different = session.scalar(text(_DIFFERENT), {"a": orderly.source_id})
        dossiers = session.scalar(text("SELECT count(DISTINCT code) FROM dossier"))
    differ = differing(fresh_database)
    tell(schedules=dossiers, messages=told, ending_differently=different, differing=differ)
    assert (dossiers, different, differ) == (schedules, 0, 0)


# ---------------------------------------------------------------- many at once


def _at_once(service: Service, key: str, number: int, *, has_key: bool) -> list[Answer]:
    start = threading.Barrier(TIMES)
    record = {
        "unit": "H44.100",
        "procedure": "1.001193",
        "received_at": (FIRST + timedelta(minutes=number)).isoformat(),
        "status": "processing",
    }
    code = f"HS-{number:05}"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    if has_key:
        headers["Idempotency-Key"] = f"key-{number}"
        method, path = "POST", "/v1/dossiers/batch?verbose=true"
        body = json.dumps({"dossiers": [record | {"code": code}]})
    else:
        method, path, body = "PUT", f"/v1/dossiers/{code}", json.dumps(record)

    def send(_: int) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        connection.connect()
        start.wait(60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return Answer(answer.status, answer.headers.get("Idempotency-Replayed") == "true", told)

    with ThreadPoolExecutor(TIMES) as pool:
        return list(pool.map(send, range(TIMES)))


def _kind(answer: Answer) -> str:
    """Name what an answer says of the one record: first, replayed, unchanged, or what it is."""
    if answer.is_replayed:
        return "replayed"
    verdict = answer.told.get("verdict")
    if answer.told.get("accepted") == 1 or (verdict == "accepted" and answer.status == 201):
        return "first"
    return str(verdict or answer.status)


# ---------------------------------------------------------------- random schedules

_DIFFERENT = """
    WITH shown AS (
        SELECT d.source_id = :a AS is_orderly, d.code,
               jsonb_agg(to_jsonb(d) - 'version' - 'recorded_at' - 'source_id'
                         - 'first_recorded_at' - 'home_unit_id' ORDER BY d.unit_id) AS rows,
               (SELECT jsonb_agg(to_jsonb(r) - 'source_id' ORDER BY r.unit_id, r.reading)
                  FROM dossier_reading r
                 WHERE r.source_id = d.source_id AND r.code = d.code) AS readings
          FROM dossier d GROUP BY d.source_id, d.code)
    SELECT count(*) FROM (SELECT code, rows, readings FROM shown WHERE is_orderly) a
      FULL JOIN (SELECT code, rows, readings FROM shown WHERE NOT is_orderly) b USING (code)
     WHERE a.rows IS DISTINCT FROM b.rows OR a.readings IS DISTINCT FROM b.readings
"""


def _sender(session: WriteSession, code: str) -> Sender:
    number = session.scalar(
        text("INSERT INTO source (code, name) VALUES (:code, :code) RETURNING id"), {"code": code}
    )
    root = session.execute(text("SELECT id, lft, rgt FROM unit WHERE code = 'H44'")).one()
    return Sender(number, None, root.id, root.lft, root.rgt)


Sent = tuple[str, Message]


def _rounds(histories: dict[str, list[Message]]) -> list[Sent]:
    """Return every message, each history in its own order."""
    return [(code, one) for code, told in histories.items() for one in told]


def _chaos(histories: dict[str, list[Message]], random: Random) -> list[Sent]:
    """Return every message at least once, in no order."""
    sent = _rounds(histories)
    sent += random.sample(sent, k=len(sent) // 2)
    random.shuffle(sent)
    return sent


def _tell(database: Database, by: Sender, sent: list[Sent], *, size: int) -> int:
    for start in range(0, len(sent), size):
        batch = [
            Incoming(index, code, one.kind, one.at, one.source_updated_at, one.stamped, one.told)
            for index, (code, one) in enumerate(sent[start : start + size])
        ]
        with database.begin() as session:
            ingest.accept(session, batch, by=by, door="test", now=NOW)
    return len(sent)


def _history(random: Random) -> list[Message]:
    """Return what is told of one dossier: a record, then up to five records and events."""
    others = [
        _record(random) if random.random() < 0.5 else _event(random)
        for _ in range(random.randint(0, 5))
    ]
    return [_record(random), *others]


def _moment(random: Random) -> datetime:
    """Return one of the sixty days after the first, often one that others have too."""
    if random.random() < 0.5:
        return FIRST + timedelta(hours=3 * random.randint(0, 480))
    return FIRST + timedelta(minutes=random.randint(0, 86_400))


def _record(random: Random) -> Message:
    told = Told(unit=random.choice(("H44.100", "H44.101")), procedure=random.choice("PH?"))
    told["channel"] = random.choice(list(Channel))
    if random.random() < 0.6:
        told["status"] = random.choice(list(Status))
    for name in ("received_at", "due_at", "finished_at", "submitted_at", "ended_at", "returned_at"):
        if random.random() < 0.5:
            is_null = name != "due_at" and random.random() < 0.3
            told[name] = None if is_null else _moment(random)
    if random.random() < 0.4:
        told["pauses"] = tuple(_pause(random) for _ in range(random.randint(0, 3)))
    if random.random() < 0.2:
        told["extension"] = ExtensionTold(_moment(random), _moment(random), "12/TB")
    return message(told, at=_moment(random))


def _pause(random: Random) -> PauseTold:
    started_at = _moment(random)
    length = random.choice((None, 0, random.randint(1, 28_800)))
    ended_at = None if length is None else started_at + timedelta(minutes=length)
    return PauseTold(random.choice(("supplement", "payment", "other")), started_at, ended_at)


def _event(random: Random) -> Message:
    kind = random.choice(
        [one for one in MessageKind if one not in {MessageKind.RECORD, MessageKind.CALENDAR_CHANGE}]
    )
    told = Told()
    match kind:
        case MessageKind.STEP:
            told["status"] = random.choice(list(Status))
        case MessageKind.PAUSE | MessageKind.RESUME:
            told["pause_kind"] = random.choice(("supplement", "payment", "other"))
        case MessageKind.EXTENSION:
            told["due_at"] = _moment(random)
        case MessageKind.TRANSFER:
            told["unit"] = random.choice(("H44.100", "H44.101"))
        case MessageKind.CORRECTION:
            told["finished_at"] = _moment(random)
            told["approved"] = random.random() < 0.5
        case MessageKind.APOLOGY:
            told["exempt"] = random.random() < 0.5
        case _:
            told["reason"] = "test"
    return message(told, at=_moment(random), kind=kind)
