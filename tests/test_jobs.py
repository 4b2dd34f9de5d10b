"""The ticker: what a process does beside serving."""

import queue
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from app.clock import system_clock
from app.domain.alert import Level
from app.domain.delivery import Answer, Letter, answered
from app.domain.mail import Topic
from app.domain.record import MessageKind, Status, Told
from app.i18n import Language
from app.jobs import (
    Every,
    PullUnconfigured,
    StatusMalformed,
    Worker,
    courier_of,
    duty_of,
    owner_name,
    postman_of,
    worker_of,
)
from app.senders.seal import Sealer
from app.settings import Settings
from app.store import freshness, outbox, successions, webhooks
from app.store.outbox import Event, Post
from app.store.session import Database, ReadSession
from app.store.tables import (
    alert,
    api_key,
    dossier,
    dossier_change,
    fact_year,
    idempotency,
    job_slot,
)
from app.store.units import UnitRow
from app.usecases import ingest, subscriptions
from app.usecases.ingest import Incoming, Sender
from app.usecases.outbox import Courier
from app.usecases.runs import Duty
from app.usecases.webhooks import new_secret
from tests.factories import add_dossier, local, make_source, make_unit
from tests.fakes import FakeIgate, RecordingSender, igate_item
from tests.smtp import mail_server
from tests.usecases.test_subtree import holder_of

NOW = local("2026-08-07", 8)
SEALER = Sealer(b"k" * 32)


def worker_on(
    database: Database, sender: RecordingSender | None = None, now: datetime = NOW
) -> Worker:
    return Worker(
        database,
        duty=Duty(clock=lambda: now, owner="test"),
        courier=Courier(sender or RecordingSender(), SEALER, lambda: now),
    )


def add_receiver(database: Database, unit: UnitRow, url: str, events: int) -> UUID:
    webhook_id = uuid4()
    with database.begin() as session:
        webhooks.add(
            session,
            webhook_id=webhook_id,
            unit_id=unit.id,
            url=url,
            events=["dossier.overdue"],
            secret=SEALER.seal(new_secret(), owner=str(webhook_id)),
            now=NOW,
        )
        posts = [
            Post(Event(unit.id, uuid4(), webhook_id), "dossier.overdue", {"n": n})
            for n in range(events)
        ]
        outbox.append(session, posts, now=NOW)
    return webhook_id


def arrivals() -> tuple[queue.Queue[str], RecordingSender]:
    """Return where the addresses of letters come in, and who takes them all."""
    arrived: queue.Queue[str] = queue.Queue()

    def answer(letter: Letter) -> Answer:
        arrived.put(letter.url)
        return answered(200, milliseconds=1)

    return arrived, RecordingSender(answer)


def slots(session: ReadSession) -> dict[str, str]:
    rows = session.execute(sa.select(job_slot.c.job, job_slot.c.state))
    return {row.job: row.state for row in rows}


def test_a_tick_plans_the_night_and_does_it(database: Database) -> None:
    with database.begin() as session:
        add_dossier(session, make_unit(session), make_source(session), "A")

    for _ in range(2):
        worker_on(database).do_nights()

    with database.read() as session:
        assert session.execute(sa.select(alert.c.code)).scalars().all() == ["A"]
        assert slots(session) == {"nightly": "done", "hourly": "done", "index-feed": "done"}


def test_a_night_moves_what_slipped_past_a_succession(database: Database) -> None:
    with database.begin() as session:
        province = make_unit(session)
        old, new = (make_unit(session, f"H44.{n}", parent=province) for n in (100, 101))
        by = Sender(make_source(session), None, province.id, province.lft, province.rgt)
        at = NOW - timedelta(days=40)
        told = Told(unit=old.code, received_at=at, status=Status.PROCESSING)
        one = Incoming(
            index=0,
            code="A",
            kind=MessageKind.RECORD,
            at=at,
            source_updated_at=at,
            stamped=True,
            told=told,
        )
        ingest.accept(session, [one], by=by, door="native", now=at)
        successions.add(
            session,
            unit_id=old.id,
            kind="merger",
            effective_on=NOW.date() - timedelta(days=30),
            successor_ids=[new.id],
            heir_id=new.id,
            children_to_id=None,
            former_valid_to=None,
            document="1/NQ",
            actor="test",
            now=NOW,
        )

    worker_on(database).do_nights()

    with database.read() as session:
        held = session.scalars(sa.select(dossier.c.unit_id).where(dossier.c.is_current))
        assert held.all() == [new.id]


def test_a_night_forgets_the_answers_that_nobody_may_ask_for_again(database: Database) -> None:
    with database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        key_id = session.scalar(
            sa.insert(api_key)
            .values(
                prefix="p",
                digest=b"d",
                name="n",
                source_id=source_id,
                unit_id=unit.id,
                scopes=["admin"],
            )
            .returning(api_key.c.id)
        )
        for key, days in (("old", 15), ("new", 13)):
            session.execute(
                sa.insert(idempotency).values(
                    key_id=key_id,
                    route="POST /x",
                    key=key,
                    fingerprint=b"f",
                    status=200,
                    body=b"{}",
                    created_at=NOW - timedelta(days=days),
                )
            )

    worker_on(database).do_nights()

    with database.read() as session:
        assert session.scalars(sa.select(idempotency.c.key)).all() == ["new"]


def test_a_night_that_breaks_is_given_back_and_the_ticker_lives(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.begin() as session:
        add_dossier(
            session, make_unit(session), make_source(session), "A", edge_state=[30, 31], due_at=None
        )

    worker_on(database).do_nights()

    with database.read() as session:
        assert slots(session) == {"nightly": "failed", "hourly": "done", "index-feed": "done"}
    assert "run failed" in caplog.messages


def mail_settings(**more: object) -> Settings:
    told: dict[str, object] = {
        "hash_key": "k" * 32,
        "public_url": "https://dung-han.vn/",
        "smtp_host": "127.0.0.1",
        "smtp_security": "none",
        "mail_from": "dung-han@example.gov.vn",
        **more,
    }
    return Settings(**told)  # type: ignore[arg-type] # pydantic reads them


def test_a_tick_asks_an_address_by_a_real_mail_server(fresh_database: Database) -> None:
    with mail_server() as server:
        settings = mail_settings(smtp_port=server.port)
        worker = worker_of(settings, fresh_database, clock=lambda: NOW)
        with fresh_database.begin() as session:
            unit = make_unit(session)
            subscriptions.subscribe(
                session,
                subscriptions.mailing(b"k" * 32, public_url="https://dung-han.vn"),
                address="mot-cua@example.gov.vn",
                unit="H44",
                level=Level.UNIT,
                language=Language.VI,
                topics=[Topic.OVERDUE],
                who=holder_of(unit),
                now=NOW,
            )
        worker.send_mails()
        worker.send_mails()
        (message,) = server.messages

    assert message["To"] == "mot-cua@example.gov.vn"
    body = message.get_body(("plain",))
    assert body is not None
    assert "https://dung-han.vn/v1/subscriptions/" in body.get_content()


def test_without_a_mail_server_there_is_nobody_to_send() -> None:
    assert postman_of(mail_settings(smtp_host=None)) is None


def test_a_tick_notices_a_silence_and_lives_through_trouble(
    fresh_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with fresh_database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        for day in (20, 21, 22):
            freshness.hear(session, source_id, [unit.id], on=local(f"2026-07-{day}").date())

    worker_on(fresh_database).do_silences()
    worker_on(fresh_database).do_silences()

    assert caplog.messages == ["silences noticed"]


def test_a_database_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    worker = worker_on(away)

    worker.do_nights()
    worker.send_post()
    worker.do_silences()
    worker.send_mails()  # it has no mail server

    assert caplog.messages == [
        "nights wait for the database",
        "the post waits for the database",
        "silences wait for the database",
    ]
    away.dispose()


def test_a_slow_receiver_keeps_nobody_waiting(fresh_database: Database) -> None:
    """P16 in small: one receiver holds its courier, the others get their post meanwhile."""
    with fresh_database.begin() as session:
        unit = make_unit(session)
    release = threading.Event()
    arrived: queue.Queue[str] = queue.Queue()

    def answer(letter: Letter) -> Answer:
        if "slow" in letter.url:
            release.wait(180)
        else:
            arrived.put(letter.url)
        return answered(200, milliseconds=1)

    add_receiver(fresh_database, unit, "https://slow.example/", 30)
    for n in range(3):
        add_receiver(fresh_database, unit, f"https://well.example/{n}", 10)

    worker = worker_on(fresh_database, RecordingSender(answer))
    try:
        with worker:
            seen = [arrived.get(timeout=60) for _ in range(30)]
            with fresh_database.read() as reader:
                waiting = outbox.backlog(reader, now=NOW, dead_for=timedelta(days=1)).pending
            release.set()
    finally:
        release.set()

    assert len(seen) == 30
    assert waiting >= 30


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (None, NOW + timedelta(seconds=20)),
        (NOW, NOW + timedelta(seconds=20)),
        (NOW - timedelta(seconds=5), NOW + timedelta(seconds=15)),
        (NOW - timedelta(days=9_000), NOW + timedelta(seconds=20)),
    ],
)
def test_a_tick_makes_up_for_none_that_it_missed(
    previous: datetime | None, expected: datetime
) -> None:
    assert Every(timedelta(seconds=20)).get_next_fire_time(previous, NOW) == expected


def test_a_clock_that_was_years_behind_is_followed_at_once(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session)
    arrived, sender = arrivals()

    with worker_on(fresh_database, sender) as worker:
        for tick in worker._ticker.get_jobs():  # as they are once the clock was set right
            tick.modify(next_run_time=system_clock() - timedelta(days=9_000))
        add_receiver(fresh_database, unit, "https://well.example/", 1)

        assert arrived.get(timeout=60) == "https://well.example/"


def test_a_clock_that_is_set_back_leaves_no_tick_waiting(
    fresh_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with fresh_database.begin() as session:
        unit = make_unit(session)
    arrived, sender = arrivals()

    with worker_on(fresh_database, sender) as worker:
        for tick in worker._ticker.get_jobs():  # as they are once the clock was seven hours ahead
            tick.modify(next_run_time=system_clock() + timedelta(hours=7))
        add_receiver(fresh_database, unit, "https://well.example/", 1)

        worker.resume_ticks(now=system_clock())

        assert arrived.get(timeout=60) == "https://well.example/"
        told = caplog.messages.count("the clock was set back")
        worker.resume_ticks(now=system_clock())
    assert told == 4
    assert caplog.messages.count("the clock was set back") == told


def test_a_courier_of_the_settings_may_go_where_they_say(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("DUNGHAN_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/8")
    settings = Settings()

    def fixed() -> datetime:
        return datetime(2026, 8, 7, tzinfo=UTC)

    worker = worker_of(settings, database, clock=fixed)
    courier = courier_of(settings, fixed)

    sealed = courier.sealer.seal("whsec_eA==", owner="one")
    assert SEALER.open(sealed, owner="one") == "whsec_eA=="
    assert courier.clock() == duty_of(fixed).clock() == fixed()
    assert worker.owner != owner_name()


def igate_settings(fake: FakeIgate, **more: object) -> Settings:
    told: dict[str, object] = {
        "igate_url": fake.url,
        "igate_token_url": fake.token_url,
        "igate_client_id": "dung-han",
        "igate_client_secret": "right",
        "igate_source": "igate",
        "igate_statuses": "2=processing, 5=returned",
        "igate_minutes": 15,
        "webhook_allow_networks": "127.0.0.0/8",
        "hash_key": "k" * 32,
    }
    return Settings.model_validate(told | more)


def test_a_pull_that_the_settings_name_is_done_once_in_its_time(fresh_database: Database) -> None:
    with FakeIgate([igate_item(n) for n in range(3)]).serve() as fake:
        worker = worker_of(igate_settings(fake), fresh_database, clock=lambda: NOW)

        worker.do_pull()
        worker.do_pull()

    assert len(fake.asked) == 1
    with fresh_database.read() as session:
        (run,) = session.execute(sa.select(job_slot.c.job, job_slot.c.state, job_slot.c.found))
    assert (run.job, run.state, run.found["accepted"]) == ("pull-igate", "done", 3)


def test_a_pull_that_is_refused_is_given_back_to_be_tried_again(fresh_database: Database) -> None:
    with FakeIgate(secret="another").serve() as fake:
        worker_of(igate_settings(fake), fresh_database, clock=lambda: NOW).do_pull()

    with fresh_database.read() as session:
        assert session.scalar(sa.select(job_slot.c.state)) == "failed"


@pytest.mark.parametrize(
    ("setting", "missing"),
    [
        ("igate_url", "DUNGHAN_IGATE_URL"),
        ("igate_client_secret", "DUNGHAN_IGATE_CLIENT_SECRET"),
        ("igate_source", "DUNGHAN_IGATE_SOURCE"),
    ],
)
def test_a_pull_without_its_settings_stops_the_start(
    database: Database, setting: str, missing: str
) -> None:
    fake = FakeIgate(url="http://127.0.0.1:1")

    with pytest.raises(PullUnconfigured) as refused:
        worker_of(igate_settings(fake, **{setting: None}), database)

    assert refused.value.missing == missing


@pytest.mark.parametrize("told", ["2", "2=", "=processing", "2=nothing"])
def test_a_status_that_cannot_be_meant_stops_the_start(database: Database, told: str) -> None:
    fake = FakeIgate(url="http://127.0.0.1:1")

    with pytest.raises(StatusMalformed):
        worker_of(igate_settings(fake, igate_statuses=told), database)


def test_without_the_settings_nothing_is_pulled(database: Database) -> None:
    worker_on(database).do_pull()

    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(job_slot)) == 0


def test_what_was_written_is_folded_into_the_facts(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        add_dossier(session, make_unit(session), make_source(session), "HS-1")
    worker = worker_on(fresh_database)

    worker.fold_facts()

    with fresh_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(dossier_change)) == 0
        assert session.scalar(sa.select(fact_year.c.received_in_person)) == 1


def test_folding_waits_for_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    away = Database("postgresql+psycopg://nobody@/nothing?host=/nowhere")

    worker_on(away).fold_facts()

    assert "facts wait for the database" in caplog.text
