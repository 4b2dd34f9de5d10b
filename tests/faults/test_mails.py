"""Mails under faults: at least once under one id, one for a slot, never a storm (P7, P8).

The mail server is a real one on a real socket; it refuses, drops and forgets to say that it took a
mail, and the process that sends is killed while it does.
"""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text

from app.domain.alert import Level
from app.domain.mail import Topic
from app.i18n import Language
from app.senders.mail import MailAccount, Security, SmtpSender
from app.store import mails as rows
from app.store.session import Database, WriteSession
from app.store.tables import alert, dossier, mail
from app.store.units import UnitRow
from app.usecases import mails, subscriptions
from app.usecases.mails import Postman
from app.usecases.subscriptions import Purpose
from tests.api.conftest import HandClock
from tests.factories import dossier_row, local, make_source, make_unit
from tests.faults.conftest import Scale
from tests.smtp import MailServer, mail_server
from tests.usecases.test_subscriptions import MAILING, SECRET
from tests.usecases.test_subtree import holder_of

pytestmark = [pytest.mark.fault, pytest.mark.must_run_in_ci]

ROOT = Path(__file__).parents[2]
SUBSCRIBED = local("2026-08-06", 9)
RAISED = local("2026-08-08", 1)
MONDAY = local("2026-08-10", 8)
MOST_ROUNDS = 230
"""So many rounds of six minutes end before the office opens again."""
KILLED_EACH = 4
"""Every so many mails the process that sends is killed."""

SENDER = """
import sys
from datetime import datetime, timedelta
from app.senders.mail import MailAccount, Security, SmtpSender
from app.store.session import Database
from app.usecases import mails, subscriptions
from app.usecases.mails import Postman

url, port, moment = sys.argv[1:]
now = datetime.fromisoformat(moment)
account = MailAccount(
    host="127.0.0.1", port=int(port), sender="dung-han@example.gov.vn", sender_name="x",
    security=Security.NONE,
)
mailing = subscriptions.mailing(%r, public_url="https://dung-han.vn")
mails.send_due(Database(url), Postman(SmtpSender(account), mailing, lambda: now))
"""


def sender_to(server: MailServer) -> SmtpSender:
    account = MailAccount(
        host="127.0.0.1",
        port=server.port,
        sender="dung-han@example.gov.vn",
        sender_name="Đúng Hạn",
        security=Security.NONE,
    )
    return SmtpSender(account)


def communes(session: WriteSession, number: int) -> list[UnitRow]:
    province = make_unit(session)
    return [make_unit(session, f"H44.{n}", parent=province) for n in range(1, number + 1)]


def subscribe(session: WriteSession, unit: UnitRow) -> None:
    row, _ = subscriptions.subscribe(
        session,
        MAILING,
        address=f"{unit.code.lower()}@example.gov.vn",
        unit=unit.code,
        level=Level.UNIT,
        language=Language.VI,
        topics=list(Topic),
        who=holder_of(unit),
        now=SUBSCRIBED,
    )
    token = MAILING.token(row.id, Purpose.CONFIRM)
    subscriptions.confirm(session, MAILING, row.id, token, now=SUBSCRIBED)
    session.execute(sa.delete(mail))


def fill(session: WriteSession, units: list[UnitRow], each: int) -> int:
    """Write late dossiers of each unit with an alert, in the manner of a late import."""
    source_id = make_source(session)
    for unit in units:
        row = dossier_row(unit, source_id, f"{unit.code}-0", due_on="2026-08-06")
        session.execute(sa.insert(dossier), [row])
        session.execute(
            text(
                "CREATE TEMP TABLE one ON COMMIT DROP AS SELECT * FROM dossier"
                " WHERE unit_id = :unit"
            ),
            {"unit": unit.id},
        )
        names = ", ".join(f'"{column.name}"' for column in dossier.c if column.name != "code")
        session.execute(
            text(
                f"INSERT INTO dossier (code, {names})"
                f" SELECT :unit || '-' || n, {names} FROM one, generate_series(1, :most) n"
            ),
            {"unit": unit.code, "most": each - 1},
        )
        session.execute(text("DROP TABLE one"))
    session.execute(
        sa.insert(alert).from_select(
            [
                *("unit_id", "source_id", "code", "episode", "stage", "id", "unit_lft", "level"),
                *("recipient_unit_id", "due_on", "due_at", "late_since", "occurred_at"),
                *("raised_at", "run", "is_digest_only"),
            ],
            sa.select(
                dossier.c.unit_id,
                dossier.c.source_id,
                dossier.c.code,
                sa.literal(1),
                sa.literal("overdue+1"),
                sa.func.gen_random_uuid(),
                dossier.c.unit_lft,
                sa.literal("unit"),
                dossier.c.unit_id,
                dossier.c.due_on,
                dossier.c.due_at,
                dossier.c.on_time_until,
                dossier.c.on_time_until,
                sa.literal(RAISED),
                sa.literal("2026-08-08"),
                sa.true(),
            ),
        )
    )
    return len(units) * each


def run(database: Database, postman: Postman) -> None:
    with database.begin() as session:
        mails.plan_digests(session, now=postman.clock(), limit=1_000)
    mails.send_due(database, postman)


def pending(database: Database, now: datetime) -> int:
    with database.read() as session:
        return rows.backlog(session, now=now, dead_for=timedelta(days=1)).pending


def test_a_late_import_and_three_missed_nights_are_one_mail_for_each_unit(
    fresh_database: Database, scale: Scale, tell: Callable[..., None]
) -> None:
    each = scale(10_000, 10_000)
    clock = HandClock()
    with fresh_database.begin() as session:
        units = communes(session, 10)
        for unit in units:
            subscribe(session, unit)
        rows = fill(session, units, each)
    clock.now = local("2026-08-12", 8)

    with mail_server() as server:
        postman = Postman(sender_to(server), MAILING, clock)
        began = time.monotonic()
        run(fresh_database, postman)
        seconds = time.monotonic() - began
        clock.advance(timedelta(hours=1))
        run(fresh_database, postman)
        sent = list(server.messages)

    sizes = [len(message.as_bytes()) for message in sent]
    tell(late_rows=rows, mails=len(sent), seconds=round(seconds, 1), largest_kb=max(sizes) // 1024)
    assert len(sent) == len(units)
    assert len({message["To"] for message in sent}) == len(units)
    bodies = [message.get_body(("plain",)) for message in sent]
    shown = f"{each:,}".replace(",", ".")
    assert all(body is not None and shown in body.get_content() for body in bodies)
    assert max(sizes) < 100_000
    assert rows == 100_000


def test_a_mail_server_in_trouble_gets_every_mail_at_least_once_under_its_id(
    fresh_database: Database, scale: Scale, seed: int, tell: Callable[..., None]
) -> None:
    chance = random.Random(seed)
    clock = HandClock()
    with fresh_database.begin() as session:
        units = communes(session, scale(40, 400))
        for unit in units:
            subscribe(session, unit)
        fill(session, units, 2)
    clock.now = MONDAY
    kinds = ["451 try later", "421 busy", "554 no", "drop", "lost", *[""] * 5]
    troubles = [chance.choice(kinds) for _ in range(2 * len(units))]
    rounds = 0
    with mail_server(MailServer(troubles=list(troubles))) as server:
        postman = Postman(sender_to(server), MAILING, clock)
        while (rounds == 0 or pending(fresh_database, clock())) and rounds < MOST_ROUNDS:
            run(fresh_database, postman)
            clock.advance(timedelta(minutes=6))
            rounds += 1
        sent = Counter(message["Message-ID"] for message in server.messages)
        addressed = Counter(message["To"] for message in server.messages)

    used = troubles[: len(troubles) - len(server.troubles)]
    injected = Counter(one for one in used if one)
    tell(units=len(units), rounds=rounds, faults=injected.total(), copies=sent.total())
    assert injected.total() >= len(units) // 3
    assert len(sent) == len(addressed) == len(units)
    with fresh_database.read() as session:
        states = Counter(session.execute(sa.select(mail.c.state)).scalars())
    assert states == {"sent": len(units)}


@dataclass
class DeadlyServer(MailServer):
    """Takes each mail, and now and then kills whoever sends before it can hear so."""

    victim: subprocess.Popen[bytes] | None = None
    heard: int = 0
    kills: int = 0

    async def handle_DATA(  # noqa: N802 -- the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail; every few, kill its sender in the middle of the answer."""
        answer = await super().handle_DATA(server, session, envelope)
        self.heard += 1
        if self.heard % KILLED_EACH == 0 and self.victim is not None:
            self.victim.send_signal(signal.SIGKILL)
            self.kills += 1
        return answer


def test_a_killed_sender_sends_the_same_mail_again_and_no_second_one_for_the_slot(
    migrated_url: str, scale: Scale, tell: Callable[..., None]
) -> None:
    database = Database(migrated_url)
    with database.begin() as session:
        units = communes(session, scale(24, 240))
        for unit in units:
            subscribe(session, unit)
        fill(session, units, 1)
    now = MONDAY
    with database.begin() as session:
        mails.plan_digests(session, now=now, limit=1_000)
    with mail_server(DeadlyServer()) as server:
        assert isinstance(server, DeadlyServer)
        while pending(database, now):
            command = [sys.executable, "-c", SENDER % SECRET, migrated_url, str(server.port)]
            server.victim = subprocess.Popen([*command, now.isoformat()], cwd=ROOT)
            server.victim.wait(180)
            now += timedelta(minutes=2)  # what was claimed is free again
        sent = Counter(message["Message-ID"] for message in server.messages)
        addressed = {message["To"] for message in server.messages}
    with database.begin() as session:
        mails.plan_digests(session, now=now, limit=1_000)

    tell(units=len(units), kills=server.kills, copies=sent.total())
    assert server.kills >= len(units) // KILLED_EACH
    assert len(sent) == len(addressed) == len(units)
    assert sent.total() > len(units)
    assert pending(database, now) == 0
    database.dispose()
