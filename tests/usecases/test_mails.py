"""Digests: one for a slot, at least once, true when they go out, never a storm."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.domain.alert import Level
from app.domain.delivery import CLAIM, Answer, Failure
from app.domain.mail import Mail, Topic
from app.i18n import Language
from app.senders.seal import ADDRESSES, Sealer
from app.store import mails as rows
from app.store.session import Database, WriteSession
from app.store.tables import mail, subscription
from app.store.units import UnitRow
from app.usecases import mails, subscriptions
from app.usecases.mails import Postman, Sent
from app.usecases.subscriptions import Purpose
from tests.api.conftest import HandClock
from tests.factories import add_dossier, local, make_source, make_unit
from tests.fakes import RecordingPost, delivered
from tests.store.test_digests import raise_alert
from tests.usecases.test_subscriptions import ADDRESS, MAILING
from tests.usecases.test_subtree import holder_of

MONDAY = local("2026-08-10", 7, 40)


@pytest.fixture
def clock() -> HandClock:
    made = HandClock()
    made.now = local("2026-08-06", 9)
    return made


@pytest.fixture
def post() -> RecordingPost:
    return RecordingPost()


@pytest.fixture
def postman(post: RecordingPost, clock: HandClock) -> Postman:
    return Postman(post, MAILING, clock)


def subscribed(session: WriteSession, unit: UnitRow, now: datetime) -> UUID:
    row, _ = subscriptions.subscribe(
        session,
        MAILING,
        address=ADDRESS,
        unit=unit.code,
        level=Level.UNIT,
        language=Language.VI,
        topics=list(Topic),
        who=holder_of(unit),
        now=now,
    )
    token = MAILING.token(row.id, Purpose.CONFIRM)
    subscriptions.confirm(session, MAILING, row.id, token, now=now)
    session.execute(sa.delete(mail))
    return row.id


def go(database: Database, postman: Postman) -> Sent:
    with database.begin() as session:
        mails.plan_digests(session, now=postman.clock())
    return mails.send_due(database, postman)


def late(session: WriteSession, unit: UnitRow, *codes: str) -> None:
    source_id = make_source(session)
    for code in codes:
        add_dossier(session, unit, source_id, code, due_on="2026-08-06")
        raise_alert(session, unit, source_id, code)


def states(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(sa.select(mail.c.slot, mail.c.state).order_by(mail.c.slot))
        return [(row.slot, row.state) for row in rows]


def test_a_digest_goes_out_when_the_office_opens_and_once(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A", "B")
    moments = [local("2026-08-07", 7), local("2026-08-07", 7, 30), local("2026-08-07", 11)]

    done = []
    for clock.now in moments:
        done.append(go(database, postman).sent)

    assert done == [0, 1, 0]
    (sent,) = post.mails
    assert sent.to == ADDRESS
    assert sent.message_id == f"<{sent.id}@dung-han.vn>"
    assert "H44: 2 hồ sơ quá hạn" in sent.subject
    assert sent.leave_url is not None


def test_missed_days_and_nights_give_one_mail_that_tells_everything(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A", "B", "C")
    clock.now = local("2026-08-12", 14)

    go(database, postman)
    go(database, postman)

    (sent,) = post.mails
    assert "3 hồ sơ quá hạn" in sent.subject
    assert states(database) == [("2026-08-12", "sent")]


def test_what_was_missed_waits_for_office_hours(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")
    moments = [
        local("2026-08-07", 22),  # Friday night
        local("2026-08-09", 10),  # Sunday
        local("2026-08-10", 3),
        local("2026-08-10", 7, 30),
    ]

    told = []
    for clock.now in moments:
        go(database, postman)
        told.append(len(post.mails))

    assert told == [0, 0, 0, 1]
    assert states(database) == [("2026-08-10", "sent")]


def test_a_retry_waits_for_office_hours_too(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")
    post.reply = lambda _: Answer(451, Failure.STATUS, 1)
    clock.now = local("2026-08-07", 16, 55)
    go(database, postman)
    post.reply = delivered

    for clock.now in (local("2026-08-07", 20), local("2026-08-08", 9), local("2026-08-10", 2)):
        assert go(database, postman) == Sent()
    clock.now = local("2026-08-10", 8)
    go(database, postman)

    assert len(post.mails) == 2
    assert states(database) == [("2026-08-07", "superseded"), ("2026-08-10", "sent")]


def test_a_mail_server_that_is_away_for_days_leaves_one_mail_to_be_sent(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")
    post.reply = lambda _: Answer(None, Failure.CONNECTION, 1)
    for day in (7, 10, 11):
        for hour in (8, 12, 16):
            clock.now = local(date(2026, 8, day), hour)
            go(database, postman)
    post.mails.clear()
    post.reply = delivered
    clock.now = local("2026-08-12", 8)

    go(database, postman)

    (sent,) = post.mails
    assert "1 hồ sơ quá hạn" in sent.subject
    assert states(database) == [
        *((f"2026-08-{day:02}", "superseded") for day in (7, 10, 11)),
        ("2026-08-12", "sent"),
    ]


def test_after_an_outage_everything_goes_out_within_a_minute(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        province = make_unit(session)
        for n in range(6):
            unit = make_unit(session, f"H44.{n}", parent=province)
            subscribed(session, unit, clock())
            late(session, unit, f"A{n}")
    post.reply = lambda _: Answer(None, Failure.TIMEOUT, 1)
    clock.now = MONDAY
    for _ in range(480):  # two hours of ticks
        go(database, postman)
        clock.advance(timedelta(seconds=15))
    post.mails.clear()
    post.reply = delivered
    healed = clock()

    while len(post.mails) < 6 and clock() - healed < timedelta(minutes=1):
        go(database, postman)
        clock.advance(timedelta(seconds=15))

    assert len({one.message_id for one in post.mails}) == len(post.mails) == 6


def test_a_question_that_nobody_could_be_asked_is_given_up_in_the_end(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscriptions.subscribe(
            session,
            MAILING,
            address=ADDRESS,
            unit="H44",
            level=Level.UNIT,
            language=Language.VI,
            topics=[Topic.OVERDUE],
            who=holder_of(unit),
            now=clock(),
        )
    clock.advance(timedelta(days=15))

    assert mails.send_due(database, postman) == Sent(dead=1)
    assert post.mails == []


def test_a_repeated_attempt_is_recognisable_and_tells_what_is_true_by_then(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A", "B")
    answers = [Answer(451, Failure.STATUS, 1), Answer(250, None, 1)]
    post.reply = lambda _: answers.pop(0)
    clock.now = MONDAY
    first = go(database, postman)
    with database.begin() as session:
        session.execute(sa.text("UPDATE dossier SET is_current = false WHERE code = 'A'"))
    clock.advance(timedelta(minutes=10))

    second = go(database, postman)

    assert (first.failed, second.sent) == (1, 1)
    one, two = post.mails
    assert one.message_id == two.message_id
    assert "2 hồ sơ quá hạn" in one.subject
    assert "1 hồ sơ quá hạn" in two.subject
    assert "1 hồ sơ đã chuyển đi" in two.text


def test_a_crash_while_sending_means_the_same_mail_again_and_no_other_for_the_slot(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")

    def crash(_: Mail) -> Answer:
        raise KeyboardInterrupt

    post.reply = crash
    clock.now = MONDAY
    with pytest.raises(KeyboardInterrupt):
        go(database, postman)
    post.reply = delivered

    at_once = go(database, postman)
    clock.advance(CLAIM)
    after = go(database, postman)

    assert (at_once.sent, after.sent) == (0, 1)
    assert len({sent.message_id for sent in post.mails}) == 1
    assert states(database) == [("2026-08-10", "sent")]


def test_nothing_to_tell_is_no_mail(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        subscribed(session, make_unit(session), clock())
    clock.now = MONDAY

    assert go(database, postman) == Sent(empty=1)
    assert post.mails == []
    assert states(database) == [("2026-08-10", "empty")]


def test_an_alert_is_in_one_digest_and_no_alert_in_none(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
    told = []
    for day in range(7, 22):
        with database.begin() as session:
            late(session, unit, f"D{day}")
            at = local(date(2026, 8, day), 1)
            session.execute(
                sa.text("UPDATE alert SET raised_at = :at WHERE code = :code"),
                {"at": at, "code": f"D{day}"},
            )
        clock.now = local(date(2026, 8, day), 9)
        go(database, postman)
        told.append(len(post.mails))

    shown = [f"D{day}" for day in range(7, 22) if any(f"D{day} " in one.text for one in post.mails)]
    assert shown == [f"D{day}" for day in range(7, 22)]
    assert sum(one.text.count("https://dung-han.vn/dossiers/D") for one in post.mails) == 15
    assert told == [1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9, 10, 11]


def test_an_address_that_is_refused_for_good_is_asked_no_more(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")
    post.reply = lambda _: Answer(550, Failure.RECIPIENT_REFUSED, 1)
    clock.now = MONDAY

    done = go(database, postman)
    clock.now = local("2026-08-11", 8)
    later = go(database, postman)

    assert (done, later) == (Sent(failed=1, dead=1), Sent())
    with database.read() as session:
        row = session.execute(sa.select(subscription)).one()
        backlog = rows.backlog(session, now=clock(), dead_for=timedelta(days=3))
    assert row.disabled_reason == "recipient_refused"
    assert (backlog.pending, backlog.dead) == (0, 1)


def test_an_address_that_cannot_be_read_is_given_up_visibly(
    database: Database, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        subscribed(session, unit, clock())
        late(session, unit, "A")
    other = subscriptions.Mailing(Sealer(b"another" * 5, ADDRESSES), b"k", "https://x.vn")
    clock.now = MONDAY

    assert go(database, Postman(post, other, clock)) == Sent(dead=1)
    assert post.mails == []


def test_the_mail_that_asks_has_the_link_and_no_way_to_leave_yet(
    database: Database, postman: Postman, post: RecordingPost, clock: HandClock
) -> None:
    with database.begin() as session:
        unit = make_unit(session)
        row, _ = subscriptions.subscribe(
            session,
            MAILING,
            address=ADDRESS,
            unit="H44",
            level=Level.HEAD,
            language=Language.EN,
            topics=[Topic.OVERDUE],
            who=holder_of(unit),
            now=clock(),
        )

    mails.send_due(database, postman)

    (sent,) = post.mails
    assert MAILING.url(row.id, Purpose.CONFIRM) in sent.text
    assert sent.leave_url is None
