"""The demonstration province: told once, continued later, never on another's database."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.period import Period
from app.domain.tally import Count
from app.rulebook.demo_province import PROVINCE
from app.rulebook.metrics import load_metrics
from app.senders.guard import networks
from app.senders.seal import Sealer
from app.store import installation, units
from app.store.session import Database, WriteSession
from app.usecases import access, demo, reporting, webhooks
from app.usecases.access import Keyring
from app.usecases.catalogue import EVERYWHERE
from app.usecases.demo import NotADemo, OnlyADemo
from app.usecases.reporting import Question
from tests.factories import make_unit

NOW = datetime(2026, 8, 20, 3, 30, tzinfo=UTC)
LOOPBACK = networks(["127.0.0.1/32"])


def keyring() -> Keyring:
    return Keyring(secret=b"a secret of the tests", environment="demo")


def test_the_province_is_told_with_every_kind_of_dossier_and_true_identities(
    session: WriteSession,
) -> None:
    seeded = demo.seed(session, now=NOW, dossiers=900)

    province = units.get(session, PROVINCE)
    period = Period((NOW - timedelta(days=80)).date(), NOW.date())
    found = reporting.figures(
        session,
        Question(province, period),
        group_by=["unit"],
        definitions=[load_metrics().default],
        now=NOW,
    )
    tally = found.total.tally
    assert seeded.is_first
    assert seeded.sent > 1_000
    for count in (
        *(Count.RECEIVED, Count.FINISHED_EARLY, Count.FINISHED_ON_TIME, Count.FINISHED_LATE),
        *(Count.WITHDRAWN, Count.REFUSED_AT_INTAKE, Count.OPEN_IN_TIME, Count.OPEN_OVERDUE),
        *(Count.RECEIVED_BY_POST, Count.FINISHED_LATE_WITH_APOLOGY, Count.INTAKE_LATE),
    ):
        assert tally[count] > 0, count
    assert all(residual == 0 for residual in found.total.identities.values())


def test_what_is_first_known_is_known_near_the_event(session: WriteSession) -> None:
    demo.seed(session, now=NOW, dossiers=100)

    province = units.get(session, PROVINCE)
    period = Period((NOW - timedelta(days=60)).date(), (NOW - timedelta(days=30)).date())
    definition = [load_metrics().default]
    then = NOW - timedelta(days=28)
    known_then = reporting.figures(
        session, Question(province, period, known_at=then), definitions=definition, now=NOW
    )
    known_now = reporting.figures(
        session, Question(province, period), definitions=definition, now=NOW
    )
    assert known_then.total.tally[Count.RECEIVED] == known_now.total.tally[Count.RECEIVED] > 0


def test_a_later_start_tells_only_what_happened_since(session: WriteSession) -> None:
    first = demo.seed(session, now=NOW, dossiers=200)

    again = demo.seed(session, now=NOW, dossiers=200)
    later = demo.seed(session, now=NOW + timedelta(days=4), dossiers=200)

    assert not again.is_first
    assert again.sent <= first.sent * 0.02
    assert 0 < later.sent < first.sent / 4


def test_a_database_in_use_is_left_alone(session: WriteSession) -> None:
    make_unit(session, "H21")

    with pytest.raises(NotADemo):
        demo.seed(session, now=NOW)
    with pytest.raises(NotADemo):
        demo.is_told(session)
    with pytest.raises(NotADemo):
        demo.may_be_demo(session)
    assert installation.purpose(session) is None


def test_a_database_of_real_work_is_left_alone(session: WriteSession) -> None:
    demo.declare_production(session, now=NOW)

    with pytest.raises(NotADemo):
        demo.seed(session, now=NOW)
    with pytest.raises(NotADemo):
        demo.may_be_demo(session)


def test_the_demonstration_never_serves_real_work(session: WriteSession) -> None:
    demo.seed(session, now=NOW, dossiers=50)

    with pytest.raises(OnlyADemo):
        demo.declare_production(session, now=NOW)


def test_a_database_without_tables_may_become_the_demonstration(empty_url: str) -> None:
    empty = Database(empty_url)
    with empty.read() as session:
        demo.may_be_demo(session)
    empty.dispose()


def test_each_start_gets_a_key_of_its_own_and_the_one_before_ends(session: WriteSession) -> None:
    demo.seed(session, now=NOW, dossiers=50)
    ring = keyring()
    first = demo.fresh_key(session, ring, now=NOW)

    second = demo.fresh_key(session, ring, now=NOW)

    assert access.authenticate(session, ring, second, now=NOW).unit_code == "H44"
    with pytest.raises(access.Unauthenticated):
        access.authenticate(session, ring, first, now=NOW)


def test_a_receiver_is_registered_once_for_each_address(session: WriteSession) -> None:
    demo.seed(session, now=NOW, dossiers=50)
    sealer = Sealer(b"a secret of the tests")

    def register(port: int) -> str:
        return demo.receiver_secret(
            session,
            sealer,
            url=f"http://127.0.0.1:{port}/demo/receiver",
            allowed=LOOPBACK,
            who=demo.operator(session),
            now=NOW,
        )

    secrets = {register(8000), register(8000), register(8001)}

    listed, _ = webhooks.list_webhooks(session, within=EVERYWHERE, after=None, limit=10)
    assert len(secrets) == 3
    assert [row.url for row in listed] == ["http://127.0.0.1:8001/demo/receiver"]
