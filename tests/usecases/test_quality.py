"""The board of data quality: every count is that of its list, whatever was told."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.domain.dossier import Issue
from app.domain.period import Period
from app.domain.quality import Severity
from app.domain.record import Message
from app.domain.tally import Count
from app.store import units
from app.store.session import WriteSession
from app.usecases import ingest, quality, reporting
from app.usecases.ingest import Sender
from app.usecases.reporting import Extent, FlagOfPresentOnly, Question, TooManyParts
from tests.strategies import FIRST, histories
from tests.usecases.test_ingest import incoming, settled

NOW = datetime(2026, 7, 1, tzinfo=UTC)
UNITS_OWN = (Issue.DUE_CHANGED_AFTER_PASSING, Issue.PAUSE_LONGER_THAN_LIMIT, Issue.DATES_AHEAD)
SPRING = Period(date(2026, 3, 2), date(2026, 4, 20))


@pytest.fixture
def sender(session: WriteSession) -> Sender:
    """Give a sender; the units are put once for all examples of a test."""
    return settled(session)


def asked(session: WriteSession, unit: str = "H44", period: Period = SPRING) -> Question:
    """Return the question for a unit with all below it."""
    return Question(unit=units.get(session, unit), period=period, extent=Extent.SUBTREE)


def rows(session: WriteSession, question: Question, issue: Issue, period: Period) -> int:
    """Return how many rows the list behind a count has."""
    narrowed = Question(unit=question.unit, period=period, extent=question.extent, flag=issue)
    return len(reporting.dossiers_behind(session, narrowed, limit=1000, now=NOW))


@given(
    st.lists(histories(("A", "B")), min_size=1, max_size=4),
    st.integers(1, 50).map(lambda days: FIRST + timedelta(days=days)),
)
@settings(max_examples=12)
def test_each_count_of_the_board_is_the_length_of_its_list(
    session: WriteSession, sender: Sender, told: list[list[Message]], learned: datetime
) -> None:
    session.execute(text("SAVEPOINT example"))
    for number, messages in enumerate(told):
        some = incoming(messages, f"H44.1-260302-{number}")
        ingest.accept(session, some, by=sender, door="test", now=learned)

    for unit, issues in (("H44", list(Issue)), ("A", UNITS_OWN)):
        question = asked(session, unit)
        for line in quality.board(session, question, now=NOW).lines:
            if line.issue not in issues:
                continue
            assert line.count == rows(session, question, line.issue, SPRING), line.issue
            for month in line.trend:
                listed = rows(session, question, line.issue, month.period)
                assert month.count == listed, (line.issue, month.label)

    session.execute(text("ROLLBACK TO SAVEPOINT example"))


def test_an_empty_board_names_every_issue_and_the_weightiest_first(
    session: WriteSession, sender: Sender
) -> None:
    board = quality.board(session, asked(session), now=NOW)

    assert {line.issue for line in board.lines} == set(Issue)
    assert board.lines[0].severity is Severity.SERIOUS
    assert board.lines[-1].severity is Severity.INFORMATION
    assert {line.count for line in board.lines} == {0}
    assert {len(line.trend) for line in board.lines} == {2}


def test_a_board_of_one_issue_has_one_line(session: WriteSession, sender: Sender) -> None:
    board = quality.board(session, asked(session), only=Issue.NO_DUE, now=NOW)

    assert [line.issue for line in board.lines] == [Issue.NO_DUE]


def test_a_board_shows_three_years_at_most(session: WriteSession, sender: Sender) -> None:
    long = Period(date(2020, 1, 1), date(2026, 12, 31))

    with pytest.raises(TooManyParts):
        quality.board(session, asked(session, period=long), now=NOW)


def test_an_issue_across_dossiers_is_of_the_present_only(
    session: WriteSession, sender: Sender
) -> None:
    question = Question(
        unit=units.get(session, "H44"),
        period=SPRING,
        flag=Issue.CLOSED_IN_BULK,
        known_at=NOW - timedelta(days=1),
    )

    with pytest.raises(FlagOfPresentOnly):
        reporting.dossiers_behind(session, question, limit=10, now=NOW)


def test_a_flag_narrows_the_list_of_a_figure(session: WriteSession, sender: Sender) -> None:
    question = Question(unit=units.get(session, "H44"), period=SPRING, flag=Issue.NO_DUE)

    found = reporting.dossiers_behind(session, question, count=Count.RECEIVED, limit=10, now=NOW)

    assert found == []
