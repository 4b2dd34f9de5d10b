"""The shortest way to what is counted says the same as the long one, or nothing."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import plain_reading, quality
from app.domain.dossier import Issue, gather
from app.domain.edges import Edge
from app.domain.limits import TimeLimit
from app.domain.pauses import PauseKind
from app.domain.plain_reading import Line, Plain
from app.domain.procedure import LimitVersion, OnlineLevel, Procedure
from app.domain.reading import Clocked, Terms, read
from app.domain.record import Channel, Message, MessageKind, PauseTold, Status, Told
from app.domain.timeliness import Reading
from app.rulebook.calendars import load_state_calendar
from tests.strategies import histories, instants, message, plain_histories

HCM = ZoneInfo("Asia/Ho_Chi_Minh")
CALENDAR = load_state_calendar()
INTAKE = TimeLimit.working_hours(timedelta(hours=8))
UNITS = {(0, "A"): 1, (0, "B"): 2}
LIMITS = (
    TimeLimit.working_days(5),
    TimeLimit.working_days(Fraction(5, 2)),
    TimeLimit.working_days(4_000),  # needs years that are not loaded
    TimeLimit.calendar_days(7),
    TimeLimit.working_hours(timedelta(hours=20)),
    TimeLimit.same_day(),
    TimeLimit.none(),
)
CODES = ("HS-1", "H44-260302-0001", "H44-260417-0001", "H44-269999-0001", "H-26-1")


def at(day: int, hour: int = 9) -> datetime:
    """Return an instant of March 2026 in Viet Nam; the second is a Monday."""
    return datetime(2026, 3, day, hour, tzinfo=HCM)


def procedure(
    limit: TimeLimit, *, since: date = date(2020, 1, 1), level: OnlineLevel | None = None
) -> Procedure:
    """Return a procedure with one limit."""
    return Procedure("P", (LimitVersion(limit, since),), level)


FIVE_DAYS = procedure(TimeLimit.working_days(5))
procedures = st.one_of(
    st.builds(procedure, st.sampled_from([LIMITS[0], LIMITS[2], LIMITS[3]])),
    st.none(),
    st.builds(
        procedure,
        st.sampled_from(LIMITS),
        since=st.sampled_from([date(2020, 1, 1), date(2026, 3, 20)]),
        level=st.sampled_from([None, *OnlineLevel]),
    ),
)


def shortest(messages: list[Message], known: Procedure | None, code: str = "HS-1") -> Plain | None:
    """Take the shortest way."""
    return plain_reading.read(
        code,
        messages,
        gather(messages, UNITS),
        calendar=CALENDAR,
        procedure=known,
        intake_limit=lambda _: INTAKE,
    )


def line_of(edges: tuple[Edge, ...], clocked: Clocked) -> Line:
    """Return edges as one list for each of their parts."""
    days = [clocked.days_taken(edge) for edge in edges]
    line: Line = {
        "edge_at": [edge.at for edge in edges],
        "edge_state": [edge.state for edge in edges],
        "edge_flow": [edge.flow for edge in edges],
        "edge_due": [edge.due_on for edge in edges],
    }
    if any(one is not None for one in days):
        line["edge_days"] = days
    return line


def longest(messages: list[Message], known: Procedure | None, code: str = "HS-1") -> Plain:
    """Say by the long way what the shortest one says; the issues are in order."""
    clocked = read(gather(messages, UNITS), Terms(CALENDAR, known, INTAKE))
    promised = clocked.edges(Reading.PROMISED)
    others = [
        (one, clocked.due(one), line_of(clocked.edges(one), clocked))
        for one in (Reading.EXTENDED, Reading.AS_SENT, Reading.STATUTORY)
        if (clocked.due(one), clocked.edges(one)) != (clocked.due(Reading.PROMISED), promised)
    ]
    assert clocked.start is not None
    return Plain(
        None if clocked.limit is None else clocked.limit.kind,
        clocked.start,
        clocked.due(Reading.PROMISED),
        clocked.due_origin,
        line_of(promised, clocked),
        others,
        promised[-1].state.in_hand,
        [one.started_at for one in clocked.pauses if one.kind is PauseKind.SUPPLEMENT],
        sorted(clocked.issues | quality.find(code, messages, clocked)),
    )


def in_order(found: Plain) -> Plain:
    """Return what was found with its issues in order."""
    found.issues.sort()
    return found


@settings(max_examples=600)
@given(st.one_of(plain_histories(), histories(("A",))), procedures, st.sampled_from(CODES))
def test_the_shortest_way_says_what_the_long_one_says(
    messages: list[Message], known: Procedure | None, code: str
) -> None:
    found = shortest(messages, known, code)

    if found is not None:
        assert in_order(found) == longest(messages, known, code)


RECEIVED = Told(unit="A", procedure="P", received_at=at(2), due_at=at(9, 17))
FINISHED = Told(**{**RECEIVED, "finished_at": at(6), "status": Status.FINISHED})
RETURNED = Told(**{**FINISHED, "returned_at": at(7), "status": Status.RETURNED})
PAUSED_FROM, PAUSED_UNTIL = at(4, 10), at(6, 8)


@settings(max_examples=300)
@given(
    st.sampled_from(PauseKind),
    st.sampled_from([None, at(3, 17), at(4, 17), at(9, 17), at(20, 17)]),
    st.sampled_from([None, at(6, 8), at(9, 11), at(27)]),
    st.sampled_from([None, procedure(TimeLimit.working_days(1)), FIVE_DAYS]),
    st.sampled_from([None, at(10, 17), at(30, 17)]),
)
def test_a_dossier_that_was_paused_once_is_plain(
    kind: PauseKind,
    due_at: datetime | None,
    finished_at: datetime | None,
    known: Procedure | None,
    named: datetime | None,
) -> None:
    told = Told(unit="A", procedure="P", received_at=at(2), due_at=due_at, finished_at=finished_at)
    paused = Told(**{**told, "pauses": (PauseTold(kind.value, PAUSED_FROM, PAUSED_UNTIL, named),)})
    messages = [message(told, at=at(2)), message(paused, at=at(28))]
    if due_at is None:
        del told["due_at"], paused["due_at"]

    found = shortest(messages[1:], known)

    assert found is not None
    assert in_order(found) == longest(messages[1:], known)
    if finished_at is None:
        found = shortest(messages, known)
        assert found is not None
        assert in_order(found) == longest(messages, known)


@pytest.mark.parametrize(
    ("started_at", "ended_at"),
    [(at(2), at(3)), (at(1), at(3)), (at(3), at(3)), (at(3), None), (at(3), at(7))],
)
def test_a_pause_that_does_not_lie_between_receipt_and_end_is_left_to_the_long_way(
    started_at: datetime, ended_at: datetime | None
) -> None:
    told = Told(**{**FINISHED, "pauses": (PauseTold("payment", started_at, ended_at),)})

    assert shortest([message(told, at=at(9))], FIVE_DAYS) is None


@given(instants, instants, st.sampled_from(LIMITS[:1] + LIMITS[2:4]))
def test_a_receipt_and_a_finish_are_always_plain(
    received_at: datetime, finished_at: datetime, limit: TimeLimit
) -> None:
    told = Told(unit="A", procedure="P", received_at=received_at, finished_at=finished_at)
    messages = [message(told, at=max(received_at, finished_at))]

    found = shortest(messages, procedure(limit))

    assert found is not None
    assert in_order(found) == longest(messages, procedure(limit))


def test_a_dossier_told_three_times_on_its_way_is_plain() -> None:
    messages = [
        message(told, at=moment)
        for told, moment in ((RECEIVED, at(2)), (FINISHED, at(6)), (RETURNED, at(7)))
    ]

    found = shortest(messages, FIVE_DAYS)

    assert found is not None
    assert in_order(found) == longest(messages, FIVE_DAYS)
    assert not found.is_open


def test_a_dossier_that_was_never_entered_at_once_is_noticed() -> None:
    told = Told(**{**RECEIVED, "entered_at": at(5), "channel": Channel.ONLINE})
    informing = procedure(TimeLimit.working_days(5), level=OnlineLevel.INFORMATION)

    found = shortest([message(told, at=at(5))], informing, "H44-260417-0001")

    assert found is not None
    assert set(found.issues) == {
        Issue.RECEIPT_ENTERED_LATE,
        Issue.NUMBER_DATE_DIFFERS,
        Issue.ONLINE_AT_INFORMATION_LEVEL,
    }


@pytest.mark.parametrize(
    "told",
    [
        Told(unit="A", procedure="P", submitted_at=at(2)),
        Told(**{**RECEIVED, "parent": "HS-0"}),
        Told(**{**RECEIVED, "pauses": (PauseTold("other", at(3)),)}),
        Told(**{**RECEIVED, "status": Status.STOPPED, "ended_at": at(5)}),
    ],
)
def test_what_is_not_plain_is_left_to_the_long_way(told: Told) -> None:
    assert shortest([message(told, at=at(5))], FIVE_DAYS) is None


@pytest.mark.parametrize(
    "news",
    [
        message(Told(**{**RECEIVED, "due_at": at(12, 17)}), at=at(5)),
        message(Told(unit="B"), at=at(5), kind=MessageKind.TRANSFER),
        message(Told(**{**RECEIVED, "unit": "B"}), at=at(5)),
        message(Told(**{**FINISHED, "finished_at": at(5)}), at=at(8)),
        message(Told(reason="?"), at=at(5), kind=MessageKind.VOID),
    ],
)
def test_news_of_another_kind_is_left_to_the_long_way(news: Message) -> None:
    known = [message(RECEIVED, at=at(2)), message(FINISHED, at=at(6))]

    assert shortest(known, FIVE_DAYS) is not None
    assert shortest([*known, news], FIVE_DAYS) is None


@pytest.mark.parametrize("limit", [LIMITS[1], *LIMITS[4:]])
def test_limits_that_are_no_days_are_left_to_the_long_way(limit: TimeLimit) -> None:
    assert shortest([message(RECEIVED, at=at(2))], procedure(limit)) is None
