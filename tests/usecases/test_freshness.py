"""Ingest notes when a source was heard; silence shows for a unit and for the whole."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.frozen import Gap
from app.domain.record import Channel, MessageKind, Told
from app.store.access import WHOLE
from app.store.session import WriteSession
from app.usecases import freshness, ingest
from app.usecases.freshness import Lapse, Marks
from app.usecases.ingest import Incoming, Sender
from app.usecases.subtree import Subtree
from tests.usecases.test_ingest import settled

EVERYWHERE = Subtree(*WHOLE)
MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def sender(session: WriteSession) -> Sender:
    return settled(session)


def tell(
    session: WriteSession,
    sender: Sender,
    now: datetime,
    unit: str = "A",
    kind: MessageKind = MessageKind.RECORD,
) -> None:
    """Tell of one dossier of a unit at a moment."""
    told = Told(unit=unit, procedure="P", channel=Channel.ONLINE, received_at=MONDAY)
    record = Incoming(0, f"HS-{unit}", kind, MONDAY, MONDAY, True, told)
    ingest.accept(session, [record], by=sender, door="test", now=now)


def test_a_source_is_judged_for_each_unit_and_as_a_whole(
    session: WriteSession, sender: Sender
) -> None:
    for day in range(5):
        tell(session, sender, MONDAY + timedelta(days=day), "A")
    for day in (0, 1, 14):
        tell(session, sender, MONDAY + timedelta(days=day), "B")

    (found,) = freshness.sources(session, within=EVERYWHERE, now=MONDAY + timedelta(days=14))

    assert found.freshness.last_heard_on == date(2026, 3, 16)
    assert not found.freshness.is_silent
    assert {one.unit: one.freshness.is_silent for one in found.units} == {"A": True, "B": False}


def test_the_same_news_again_is_a_sign_of_life(session: WriteSession, sender: Sender) -> None:
    for day in range(3):
        tell(session, sender, MONDAY + timedelta(days=day))

    (found,) = freshness.sources(session, within=EVERYWHERE, now=MONDAY + timedelta(days=2))

    assert (found.freshness.rhythm, found.freshness.quiet) == (1, 0)


def test_a_word_of_our_own_is_no_sign_of_life(session: WriteSession, sender: Sender) -> None:
    tell(session, sender, MONDAY)
    tell(session, sender, MONDAY + timedelta(days=3), kind=MessageKind.CALENDAR_CHANGE)

    assert session.scalar(text("SELECT max(heard_on) FROM source_heard")) == date(2026, 3, 2)


def test_the_local_day_counts(session: WriteSession, sender: Sender) -> None:
    tell(session, sender, datetime(2026, 3, 2, 18, 0, tzinfo=UTC))

    assert session.scalar(text("SELECT max(heard_on) FROM source_heard")) == date(2026, 3, 3)


def test_a_source_is_silent_when_no_unit_hears_it(session: WriteSession, sender: Sender) -> None:
    for day in range(3):
        tell(session, sender, MONDAY + timedelta(days=day), "AB"[day % 2])

    early = freshness.silent_sources(session, now=MONDAY + timedelta(days=7))
    late = freshness.silent_sources(session, now=MONDAY + timedelta(days=9))

    assert early == {}
    assert late == {"s": date(2026, 3, 4)}


def test_data_are_missing_from_the_day_on_which_a_sender_fell_silent(
    session: WriteSession, sender: Sender
) -> None:
    for day in range(5):
        tell(session, sender, MONDAY + timedelta(days=day), "A")
    for day in (0, 1, 14):
        tell(session, sender, MONDAY + timedelta(days=day), "B")
    now = MONDAY + timedelta(days=14)
    silent = Gap(date(2026, 3, 6), ("s",))

    def gaps(until: date) -> dict[str, Gap]:
        return freshness.gaps(session, within=EVERYWHERE, until=until, now=now)

    assert gaps(date(2026, 3, 31)) == gaps(date(2026, 3, 7)) == {"A": silent}
    assert gaps(date(2026, 3, 6)) == {}


def test_marks_reach_from_a_unit_to_those_above_it() -> None:
    older, newer = Gap(date(2026, 3, 2), ("a", "b")), Gap(date(2026, 3, 6), ("c",))
    marks = Marks(
        {"P.1": (Lapse(newer),), "P.2.1": (Lapse(older),)},
        {"P": None, "P.1": "P", "P.2": "P", "P.2.1": "P.2"},
    )
    until = date(2026, 3, 31)

    assert marks.own("P", until=until) is None
    assert marks.own("P.1", until=until) == newer
    assert marks.own("P.1", until=date(2026, 3, 6)) is None
    assert marks.below("P.2", until=until) == older
    assert marks.below("P", until=until) == Gap(date(2026, 3, 2), ("a", "b", "c"))
    assert marks.below("P", until=date(2026, 3, 4)) == older
    assert marks.below("P.1", until=date(2026, 3, 4)) is None


def test_a_retired_source_marks_no_period_that_ends_after_its_last_day() -> None:
    lapse = Lapse(Gap(date(2026, 3, 6), ("s",)), retired_from=date(2026, 4, 1))
    marks = Marks({"P": (lapse,)}, {"P": None})

    assert marks.own("P", until=date(2026, 3, 31)) == lapse.gap
    assert marks.own("P", until=date(2026, 4, 1)) is None
    assert marks.below("P", until=date(2026, 4, 30)) is None
