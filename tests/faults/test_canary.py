"""No trace of a person: what is seeded into every field is found nowhere afterwards.

Every field of every payload, known and unknown, carries numbers, addresses and names that occur
nowhere else in the world; then every place where the service leaves something is searched.
"""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.clock import system_clock
from app.domain.alert import Level
from app.domain.mail import Topic, is_open_for_mail
from app.i18n import Language
from app.jobs import Worker
from app.rulebook.calendars import load_state_calendar
from app.senders.seal import Sealer
from app.store import units, webhooks
from app.store.session import Database
from app.usecases import mails, subscriptions
from app.usecases.mails import Postman
from app.usecases.outbox import Courier
from app.usecases.runs import Duty
from app.usecases.subscriptions import Purpose
from app.usecases.webhooks import new_secret
from tests.api.conftest import HandClock
from tests.fakes import RecordingPost, RecordingSender
from tests.faults.harness import SECRET, Service, database_of, furnish
from tests.faults.payloads import (
    Fields,
    a_national_record,
    a_national_step,
    a_record,
    an_event,
)
from tests.usecases.test_subtree import holder_of

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

NUMBERS: Final = ("001987654321", "0912876543", "+84912876543", "198765432", "001 987 654 321")
ADDRESS: Final = "canary.chim@vidu-canary.vn"
SUBSCRIBER: Final = "nguoi-nhan-ban-tin@vidu.gov.vn"
"""The one address that is kept, sealed: it too must be found nowhere."""
NIGHTS: Final = 16
"""So many nights after a day a due date two days from it is past, though it be before Tết."""
URL: Final = "https://dung-han.vidu.gov.vn"
NAME: Final = "Trần Thị Hoàng Yến Canary"
CODES: Final = frozenset({"code", "MaHoSo", "parent", "leg", "other_codes", "MaHoSoKhac"})
"""Numbers of dossiers are what a sender says they are: masked, all dossiers would be one."""
WORDS: Final = frozenset(
    {
        *("unit", "procedure", "case", "document", "reason", "DonViXuLy", "MaTTHC"),
    }
)
"""Where a name of a person cannot be told from the name of an office, a procedure or a letter."""
PERSONS: Final[Fields] = {
    "ChuHoSo": "", "SoGiayToChuHoSo": "", "MaDoiTuong": "", "Email": "", "SoDienThoai": "",
    "Fax": "", "TrichYeuHoSo": "", "ThongTinTra": "", "ThongTinKhac": "", "GhiChu": "",
    "NguoiXuLy": "", "ChucDanh": "", "NoiDungXuLy": "", "DinhDanhCHS": "", "NoiNopHoSo": "",
}  # fmt: skip


EXTRA: Final = ("applicant_key", "case", "unit", "reason", "hoTenNguoiNop", "NgayTra")
"""Fields that the payloads themselves leave out, and one that nobody knows."""


@dataclass
class Sent:
    """What was sent and what came back."""

    answers: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    payloads: int = 0


def test_nothing_of_a_person_is_found_anywhere(
    migrated_url: str, folder: Path, tell: Callable[..., None]
) -> None:
    with database_of(migrated_url) as database:
        key = furnish(database, environment="test")
        _subscribe(database)
        service = Service(folder, url=migrated_url, environment="test", LOG_LEVEL="debug")
        with service:
            sent = _send_everything(service, key)
            sent.answers += [_get(service, path, key) for path in ("/metrics", *_READ)]
        _run_the_nights(database)
        sent_mails = _send_mails(database)
        places = dict(_places(database))
    places |= {f"mail[{n}]": told for n, told in enumerate(sent_mails)}
    posts, waiting, kept = (
        sum(table in name for name in places) for table in ("].payload", "].raw", "].told")
    )
    places |= {f"answer[{n}]": answer for n, answer in enumerate(sent.answers)}
    places["log of the service"] = service.log.read_text(errors="replace")
    found = {name: hits for name, told in places.items() if (hits := _hits(told))}
    tell(
        payloads=sent.payloads,
        places=len(places),
        records=kept,
        quarantined=waiting,
        webhook_payloads=posts,
        mails=len(sent_mails),
        hits=len(found),
    )

    assert found == {}
    assert not any(SUBSCRIBER in told or "nguoi-nhan" in told for told in places.values())
    assert 500 not in sent.statuses
    assert min(kept, waiting, posts) > 20, "too little was kept to look at"
    assert len(sent_mails) > len(Level), "no digest was looked at, only what asks for a consent"
    assert "request" in places["log of the service"]


def test_the_search_finds_what_is_there() -> None:
    assert _hits("called 0912 876 543") == []
    assert _hits("x001987654321x") == [NUMBERS[0]]
    assert _hits(json.dumps({"a": NAME})) == [NAME]
    assert _hits(ADDRESS.upper()) == [ADDRESS]


# ---------------------------------------------------------------- what is sent


def _a_fresh_record(number: int) -> Fields:
    """Return a record of today, which becomes overdue while the service knows it."""
    now = system_clock()
    return a_record(number) | {
        "submitted_at": None,
        "received_at": (now - timedelta(hours=1)).isoformat(),
        "due_at": (now + timedelta(days=2)).isoformat(),
        "pauses": None,
        "source_updated_at": now.isoformat(),
    }


def _canaries() -> tuple[str, ...]:
    return (*NUMBERS, ADDRESS, NAME, f"{NAME} - {NUMBERS[0]} - {ADDRESS}")


def _variants(make: Callable[[int], Fields], first: int) -> Iterator[Fields]:
    """Return a payload for each field and canary: alone in its field, and beside what was there."""
    number = first
    names = dict.fromkeys((*make(0), *EXTRA, *PERSONS))
    for name in names:
        for canary in _canaries():
            if name in CODES or (name in WORDS and NAME in canary):
                continue
            for value in (canary, f"gọi {canary} nhé", [canary], {canary: canary}):
                number += 1
                yield make(number) | {name: value}


def _send_everything(service: Service, key: str) -> Sent:
    sent = Sent()
    doors: tuple[tuple[str, str, Callable[[int], Fields]], ...] = (
        ("/v1/dossiers/batch?verbose=true", "dossiers", _a_fresh_record),
        ("/v1/events/batch?verbose=true", "events", an_event),
        ("/v1/adapters/national/DongBoHoSoMC", "", a_national_record),
        ("/v1/adapters/national/CapNhatTienDoHoSoMC", "", a_national_step),
    )
    for number, (path, name, make) in enumerate(doors):
        told = list(_variants(make, number * 100_000))
        for start in range(0, len(told), 500):
            part = told[start : start + 500]
            body: object = {name: part} if name else part
            _post(service, "POST", path, key, json.dumps(body), sent)
        sent.payloads += len(told)
    for number, canary in enumerate(_canaries()):
        record = a_record(900_000 + number)
        for wrong in ({"unit": 7, "x": canary}, {canary: 1}, {"received_at": canary}):
            path = f"/v1/dossiers/HS-{900_000 + number}"
            _post(service, "PUT", path, key, json.dumps(record | wrong), sent)
        for broken in ('{"a": "' + canary, canary, '{"dossiers": "' + canary + '"}'):
            _post(service, "POST", "/v1/dossiers/batch", key, broken, sent)
            _post(service, "POST", "/v1/adapters/national", key, broken, sent)
            _post(service, "PUT", "/v1/units/H44.9", key, broken, sent)
    return sent


def _post(service: Service, method: str, path: str, key: str, body: str, sent: Sent) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if "batch" in path:
        headers["Idempotency-Key"] = uuid4().hex
    connection.request(method, path, body.encode(), headers)
    answer = connection.getresponse()
    sent.answers.append(answer.read().decode())
    sent.statuses[answer.status] = sent.statuses.get(answer.status, 0) + 1
    connection.close()


_READ: Final = (
    "/v1/quarantine?limit=500",
    "/v1/dossiers/HS-000001",
    "/v1/dossiers/HS-000001/timeline",
    "/v1/alerts?limit=500",
    "/v1/overdue?unit=H44&limit=500",
    "/v1/letters?state=owed&unit=H44&limit=500",
    "/v1/letters/HS-000001.html",
    "/v1/late-causes?unit=H44",
)


def _get(service: Service, path: str, key: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    told = connection.getresponse().read().decode()
    connection.close()
    return told


# ---------------------------------------------------------------- what is left behind


def _subscribe(database: Database) -> None:
    webhook_id, now = uuid4(), datetime(2026, 8, 1, tzinfo=UTC)
    with database.begin() as session:
        webhooks.add(
            session,
            webhook_id=webhook_id,
            unit_id=int(session.scalar(text("SELECT id FROM unit WHERE code = 'H44'"))),
            url="https://receiver.invalid/hook",
            events=["dossier.overdue"],
            secret=Sealer(SECRET.encode()).seal(new_secret(), owner=str(webhook_id)),
            now=now,
        )


def _run_the_nights(database: Database) -> None:
    """Let the dossiers become overdue night by night, which queues what receivers are told."""
    clock = HandClock()
    clock.now = system_clock()
    worker = Worker(
        database,
        duty=Duty(clock=clock, owner="test"),
        courier=Courier(RecordingSender(), Sealer(SECRET.encode()), clock),
    )
    for _ in range(NIGHTS):
        clock.advance(timedelta(days=1))
        worker.do_nights()


def _send_mails(database: Database) -> list[str]:
    """Return the mails that a unit gets of it all, and the addresses of none."""
    post, later = RecordingPost(), system_clock() + timedelta(days=NIGHTS)
    while not is_open_for_mail(load_state_calendar(), now=later):
        later += timedelta(hours=1)
    postman = Postman(post, subscriptions.mailing(SECRET.encode(), public_url=URL), lambda: later)
    with database.begin() as session:
        unit = units.get(session, "H44")
        for level in Level:
            row, _ = subscriptions.subscribe(
                session,
                postman.mailing,
                address=SUBSCRIBER,
                unit="H44",
                level=level,
                language=Language.VI,
                topics=list(Topic),
                who=holder_of(unit),
                now=later - timedelta(days=9),
            )
            token = postman.mailing.token(row.id, Purpose.CONFIRM)
            subscriptions.confirm(
                session, postman.mailing, row.id, token, now=later - timedelta(days=9)
            )
        session.execute(text("UPDATE alert SET recipient_unit_id = :unit"), {"unit": unit.id})
        session.execute(text("UPDATE alert SET raised_at = :at"), {"at": later - timedelta(days=3)})
    with database.begin() as session:
        mails.plan_digests(session, now=later)
    mails.send_due(database, postman)
    return [one.subject + one.text + one.html for one in post.mails]


def _places(database: Database) -> Iterator[tuple[str, str]]:
    """Return every row of every table as text, bytes read as text too."""
    with database.read() as session:
        tables = session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).all()
        for table in tables:
            rows = session.execute(text(f'SELECT * FROM "{table}"')).mappings()
            for number, row in enumerate(rows):
                for name, value in row.items():
                    yield f"{table}[{number}].{name}", _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _hits(told: str) -> list[str]:
    """Return the canaries in a text, however JSON or a log may have written them."""
    plain = told.casefold()
    escaped = json.dumps(NAME)[1:-1].casefold()
    wanted = {**{number: number for number in NUMBERS}, ADDRESS: ADDRESS, NAME: NAME}
    found = [name for name, needle in wanted.items() if needle.casefold() in plain]
    if escaped in plain and NAME not in found:
        found.append(NAME)
    return [name for name in found if name != "198765432" or _is_alone(plain)]


def _is_alone(plain: str) -> bool:
    """Tell whether the nine digits stand by themselves, not as a part of a longer number."""
    return re.search(r"(?<!\d)198765432(?!\d)", plain) is not None
