"""A source that was replaced owes nothing from its day on; what was before stays as it was."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.frozen import Gap
from app.store import units
from app.store.access import WHOLE
from app.store.retirements import Retirement
from app.store.session import WriteSession
from app.usecases import freshness, retirements, silences
from app.usecases.ingest import Sender
from app.usecases.retirements import Retired, SenderUnknown
from app.usecases.subtree import Subtree
from tests.usecases.test_freshness import EVERYWHERE, MONDAY, tell
from tests.usecases.test_ingest import settled
from tests.usecases.test_subtree import holder_of

LATER = MONDAY + timedelta(days=30)
RETIRED = date(2026, 3, 9)


@pytest.fixture
def sender(session: WriteSession) -> Sender:
    """Give a source that told of two units for a week, and then of nothing."""
    found = settled(session)
    for day in range(5):
        for unit in "AB":
            tell(session, found, MONDAY + timedelta(days=day), unit)
    return found


def retire(
    session: WriteSession, unit: str, from_on: date | None = RETIRED, source: str = "s"
) -> list[Retirement]:
    row = units.get(session, unit)
    return retirements.put(
        session,
        row,
        source,
        from_on=from_on,
        reason="thay hệ thống",
        who=holder_of(row),
        now=LATER,
    )


def gaps(session: WriteSession, until: date) -> dict[str, Gap]:
    return freshness.gaps(session, within=EVERYWHERE, until=until, now=LATER)


def test_only_the_units_named_are_left_out_and_only_from_the_day_on(
    session: WriteSession, sender: Sender
) -> None:
    silent = Gap(date(2026, 3, 6), ("s",))
    before = gaps(session, date(2026, 3, 31))

    retire(session, "A", date(2026, 3, 24))

    assert before == {"A": silent, "B": silent}
    assert gaps(session, date(2026, 3, 31)) == {"B": silent}
    assert gaps(session, date(2026, 3, 24)) == {"B": silent}
    assert gaps(session, date(2026, 3, 23)) == {"A": silent, "B": silent}


def test_one_that_sent_until_its_last_day_marks_nothing_at_all(
    session: WriteSession, sender: Sender
) -> None:
    retire(session, "A")

    assert set(gaps(session, date(2026, 3, 8))) == {"B"}


def test_a_source_retired_everywhere_is_silent_no_more(
    session: WriteSession, sender: Sender
) -> None:
    silences.notice(session, now=LATER)
    retire(session, "A")
    one = (silences.notice(session, now=LATER), freshness.silent_sources(session, now=LATER))
    retire(session, "B")
    both = (silences.notice(session, now=LATER), freshness.silent_sources(session, now=LATER))

    (shown,) = freshness.sources(session, within=EVERYWHERE, now=LATER)
    (silence,) = silences.list_silences(session, within=Subtree(*WHOLE))

    assert one == ((0, 0), {"s": date(2026, 3, 6)})
    assert both == ((0, 1), {})
    assert silence.resolved_at == LATER
    assert (shown.retired_from, shown.freshness.is_silent) == (RETIRED, False)
    assert {unit.retired_from for unit in shown.units} == {RETIRED}


def test_a_day_to_come_changes_nothing_yet(session: WriteSession, sender: Sender) -> None:
    for unit in "AB":
        retire(session, unit, date(2026, 5, 1))

    assert freshness.silent_sources(session, now=LATER) == {"s": date(2026, 3, 6)}
    assert set(gaps(session, date(2026, 3, 31))) == {"A", "B"}


def test_taking_it_back_and_saying_it_twice(session: WriteSession, sender: Sender) -> None:
    retire(session, "A")
    twice = retire(session, "A")
    back = retire(session, "A", None)

    assert [one.from_on for one in twice] == [RETIRED]
    assert [one.from_on for one in back] == [None, RETIRED]
    assert set(gaps(session, date(2026, 3, 31))) == {"A", "B"}
    found = session.execute(
        text("SELECT before, after FROM audit WHERE action = 'retirement.put' ORDER BY id")
    ).all()
    assert [row.after["from"] for row in found] == ["2026-03-09", None]
    assert found[1].before == {"from": "2026-03-09", "reason": "thay hệ thống"}


def test_the_nearest_word_counts() -> None:
    def word(lft: int, rgt: int, from_on: date | None) -> Retirement:
        at = datetime(2026, 8, 1, tzinfo=UTC)
        return Retirement("s", lft, str(lft), lft, rgt, from_on, "x", "t", at)

    held = Retired([word(1, 100, RETIRED), word(10, 19, None), word(20, 29, date(2026, 4, 1))])

    assert held.from_on("s", 50) == RETIRED
    assert held.from_on("s", 12) is None
    assert held.from_on("s", 20) == date(2026, 4, 1)
    assert held.from_on("other", 50) is None
    assert held.wholly("s", [50, 20]) == date(2026, 4, 1)
    assert held.wholly("s", [50, 12]) is None
    assert held.wholly("s", []) is None


def test_a_source_that_nobody_knows_cannot_be_retired(
    session: WriteSession, sender: Sender
) -> None:
    with pytest.raises(SenderUnknown):
        retire(session, "A", source="nobody")
