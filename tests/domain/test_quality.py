"""Rules of data quality: what each finds, what lies just beside it, and that all are named."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dossier import Issue, gather, in_order
from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion, OnlineLevel, Procedure
from app.domain.quality import ACROSS, OF_CHANGES, RULES, SEVERITIES, Case, find, overlong_at
from app.domain.reading import Clocked, Terms, read
from app.domain.record import Channel, Message, MessageKind, PauseTold, Status, Told
from app.i18n import Language, has_phrase
from app.rulebook.calendars import load_state_calendar
from tests.strategies import histories, message

HCM = ZoneInfo("Asia/Ho_Chi_Minh")
INTAKE = TimeLimit.working_hours(timedelta(hours=8))


def terms(limit: TimeLimit | None = None, online: OnlineLevel | None = None) -> Terms:
    """Return the state calendar and a procedure of five working days."""
    version = LimitVersion(limit or TimeLimit.working_days(5), date(2020, 1, 1))
    return Terms(load_state_calendar(), Procedure("P", (version,), online), INTAKE)


TERMS = terms()
UNITS = {(0, "A"): 1, (0, "B"): 2}


def at(day: int, hour: int = 9, minute: int = 0, month: int = 3) -> datetime:
    """Return an instant of March 2026 in Viet Nam; the second is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=HCM)


DUE = at(9, 17)


def record(
    stamp: datetime,
    *,
    learned: datetime | None = None,
    stamped: bool = True,
    **facts: object,
) -> Message:
    """Return a record of a dossier received on Monday 2 March."""
    told = Told(unit="A", procedure="P", channel=Channel.IN_PERSON, received_at=at(2))
    told.update(facts)  # type: ignore[typeddict-item]  # the tests name facts by keyword
    return message(told, at=stamp, recorded_at=learned, stamped=stamped)


def correction(stamp: datetime, **facts: object) -> Message:
    """Return a correction."""
    told = Told()
    told.update(facts)  # type: ignore[typeddict-item]  # the tests name facts by keyword
    return message(told, at=stamp, kind=MessageKind.CORRECTION)


def clocked(*messages: Message, under: Terms = TERMS) -> Clocked:
    """Read messages in the order of arrival."""
    return read(gather(messages, UNITS), under)


def found(*messages: Message, code: str = "HS-1", under: Terms = TERMS) -> frozenset[Issue]:
    """Return what the rules find."""
    return find(code, messages, clocked(*messages, under=under))


def open_at(stamp: datetime, **facts: Any) -> Message:
    """Return a record that says the dossier is being worked on."""
    return record(stamp, status=Status.PROCESSING, due_at=DUE, **facts)


def finished(stamp: datetime, finish: datetime, **facts: Any) -> Message:
    """Return a record that tells of a finish."""
    return record(stamp, status=Status.FINISHED, due_at=DUE, finished_at=finish, **facts)


# ---------------------------------------------------------------- the list of rules


def test_every_issue_has_a_weight_and_sentences_in_both_languages() -> None:
    missing = [
        (language, code)
        for issue in Issue
        for code in (f"web.issue.{issue}", f"quality.{issue}")
        for language in Language
        if not has_phrase(language, code)
    ]

    assert set(SEVERITIES) == set(Issue)
    assert missing == []
    assert not ACROSS & set(RULES)


def test_a_plain_dossier_shows_nothing() -> None:
    assert found(open_at(at(3)), finished(at(9), at(9, 8))) == frozenset()


@given(histories(("A", "B")), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(messages: list[Message], random: Random) -> None:
    shuffled = random.sample(messages, k=len(messages))

    def rewritten(some: list[Message]) -> frozenset[Issue]:
        return found(*some) & {Issue.FINISH_BACKDATED, Issue.DATES_AHEAD}

    assert rewritten(messages) == rewritten(shuffled)


def test_a_year_without_a_calendar_finds_nothing_and_fails_nothing() -> None:
    received_at = datetime(2093, 3, 2, 9, tzinfo=HCM)
    late = received_at + timedelta(days=9)
    told = Told(unit="A", procedure="P", received_at=received_at, entered_at=late)

    assert Issue.RECEIPT_ENTERED_LATE not in found(message(told, at=late))


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize("name", ["received_at", "finished_at", "returned_at", "submitted_at"])
def test_a_date_to_come_is_noted(name: str) -> None:
    told: dict[str, Any] = {name: at(3, 9, 6)}

    assert Issue.DATES_AHEAD in found(record(at(3), learned=at(3), **told))
    assert Issue.DATES_AHEAD not in found(record(at(3), learned=at(3, 9, 1), **told))


@pytest.mark.parametrize(
    ("code", "facts", "differs"),
    [
        ("H44.100-260302-0012", {}, False),
        ("H44.100-260301-0012", {}, True),
        ("H44.100-260227-0012", {"submitted_at": at(27, month=2)}, False),
        ("H44.100-260227-0012", {"received_at": None}, False),
        ("H44.100-269999-0012", {}, False),
        ("HS-1", {}, False),
    ],
)
def test_the_day_in_a_number_is_held_against_the_receipt(
    code: str, facts: dict[str, Any], differs: bool
) -> None:
    issues = found(record(at(2), **facts), code=code)

    assert (Issue.NUMBER_DATE_DIFFERS in issues) is differs


@pytest.mark.parametrize(("entered", "late"), [(at(3), False), (at(4), True), (at(2), False)])
def test_a_receipt_typed_in_two_working_days_later_is_noted(entered: datetime, late: bool) -> None:
    assert (Issue.RECEIPT_ENTERED_LATE in found(record(at(5), entered_at=entered))) is late


def test_a_weekend_between_receipt_and_entry_is_no_delay() -> None:
    friday, monday = at(6), at(9)

    issues = found(record(at(9), received_at=friday, entered_at=monday))

    assert Issue.RECEIPT_ENTERED_LATE not in issues


# ---------------------------------------------------------------- rewritten dates


def test_a_finish_before_our_last_sight_of_it_open_is_noted() -> None:
    assert Issue.FINISH_BACKDATED in found(open_at(at(12)), finished(at(13), at(9, 16)))


@pytest.mark.parametrize(
    "later",
    [
        finished(at(13), at(12, 8)),
        finished(at(13), at(13)),
        correction(at(13), finished_at=at(9, 16), approved=True),
    ],
    ids=["the same day", "a later day", "approved by a superior"],
)
def test_other_finishes_are_not_back_dated(later: Message) -> None:
    assert Issue.FINISH_BACKDATED not in found(open_at(at(12)), later)


def test_a_correction_by_the_sender_alone_may_be_back_dated() -> None:
    told = correction(at(13), finished_at=at(9, 16))

    assert Issue.FINISH_BACKDATED in found(open_at(at(12)), told)


def test_a_snapshot_without_a_stamp_is_a_sight_of_the_moment_we_heard_it() -> None:
    unstamped = open_at(at(2), stamped=False, learned=at(12))

    assert Issue.FINISH_BACKDATED in found(unstamped, finished(at(13), at(9, 16)))


def test_older_news_that_arrives_late_is_no_sight_after_the_finish() -> None:
    told = finished(at(9, 17), at(9, 16))

    assert Issue.FINISH_BACKDATED not in found(told, open_at(at(5), learned=at(20)))


def test_a_due_date_moved_after_it_had_passed_is_noted() -> None:
    moved = record(at(10), status=Status.PROCESSING, due_at=at(20, 17))
    in_time = record(at(9), status=Status.PROCESSING, due_at=at(20, 17))

    assert Issue.DUE_CHANGED_AFTER_PASSING in found(open_at(at(3)), moved)
    assert Issue.DUE_CHANGED_AFTER_PASSING not in found(open_at(at(3)), in_time)


def test_a_due_date_that_follows_from_a_pause_is_no_change() -> None:
    pause = PauseTold("payment", at(4), at(30))
    resumed = record(at(31), status=Status.PROCESSING, due_at=at(2, 17, month=4), pauses=(pause,))

    assert Issue.DUE_CHANGED_AFTER_PASSING not in found(open_at(at(3)), resumed)


# ---------------------------------------------------------------- pauses


@pytest.mark.parametrize(("ended", "longer"), [(at(10, 23), False), (at(11, 1), True)])
def test_a_pause_longer_than_the_whole_limit_is_noted(ended: datetime, longer: bool) -> None:
    pause = PauseTold("supplement", at(3), ended)

    issues = found(record(at(12), due_at=DUE, pauses=(pause,)))

    assert (Issue.PAUSE_LONGER_THAN_LIMIT in issues) is longer


def test_an_open_pause_tells_from_when_on_it_is_too_long() -> None:
    paused = record(at(3), due_at=DUE, pauses=(PauseTold("supplement", at(3)),))

    assert overlong_at(clocked(paused)) == at(10, 23, 59).replace(second=59, microsecond=999999)
    assert Issue.PAUSE_LONGER_THAN_LIMIT not in found(paused)
    assert overlong_at(clocked(open_at(at(3)))) is None
    assert overlong_at(clocked(paused, under=terms(TimeLimit.none()))) is None


@pytest.mark.parametrize(
    ("opened", "noted"), [(at(5), False), (at(6), True), (at(9), True), (at(10), False)]
)
def test_a_pause_opened_within_a_working_day_before_due_is_noted(
    opened: datetime, noted: bool
) -> None:
    pause = PauseTold("payment", opened, at(16))

    issues = found(record(at(17), due_at=DUE, pauses=(pause,)))

    assert (Issue.PAUSE_JUST_BEFORE_DUE in issues) is noted


def test_a_limit_of_one_day_has_no_time_just_before_due() -> None:
    paused = record(at(5), due_at=at(3, 17), pauses=(PauseTold("payment", at(3), at(5)),))

    issues = found(paused, under=terms(TimeLimit.working_days(1)))

    assert Issue.PAUSE_JUST_BEFORE_DUE not in issues


# ---------------------------------------------------------------- catalogue


@pytest.mark.parametrize(
    ("channel", "level", "noted"),
    [
        (Channel.ONLINE, OnlineLevel.INFORMATION, True),
        (Channel.ONLINE, OnlineLevel.PARTIAL, False),
        (Channel.ONLINE, None, False),
        (Channel.POST, OnlineLevel.INFORMATION, False),
    ],
)
def test_a_procedure_that_only_informs_takes_nothing_online(
    channel: Channel, level: OnlineLevel | None, noted: bool
) -> None:
    issues = found(record(at(2), channel=channel), under=terms(online=level))

    assert (Issue.ONLINE_AT_INFORMATION_LEVEL in issues) is noted


def test_an_unknown_procedure_is_held_against_nothing() -> None:
    unknown = Terms(load_state_calendar(), None, INTAKE)

    issues = found(record(at(2), channel=Channel.ONLINE), under=unknown)

    assert issues == frozenset()


@given(histories(("A", "B")))
def test_no_rule_that_is_passed_over_would_have_found_anything(messages: list[Message]) -> None:
    for told in (messages[:1], messages):
        clocked = read(gather(told, UNITS), TERMS)
        case = Case("H44-260302-1", in_order(told), clocked)

        found = find("H44-260302-1", told, clocked)

        assert found == {issue for issue, rule in RULES.items() if rule(case)}
        if len(told) == 1 and not clocked.pauses:
            assert found.isdisjoint(OF_CHANGES)


@pytest.mark.parametrize(
    ("code", "differs"),
    [
        ("H44.1-260302-7", False),
        ("H44.1-260303-7", True),
        ("H44.1-261302-7", False),
        ("H44.1-260303", False),
        ("260303-7", False),
        ("H44-1-260303-260302-7", True),
        ("H44-260302-260303-7", False),
        ("H44-٢٦٠٣٠٣-7", True),
    ],
)
def test_the_first_six_digits_between_hyphens_are_the_day(code: str, differs: bool) -> None:
    one = record(at(2, 10))

    found = find(code, [one], read(gather([one], UNITS), TERMS))

    assert (Issue.NUMBER_DATE_DIFFERS in found) is differs
