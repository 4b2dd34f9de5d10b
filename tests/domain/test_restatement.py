"""Why a closed figure is another one today."""

from datetime import UTC, datetime

import pytest

from app.domain.record import Message, MessageKind, Told
from app.domain.restatement import Cause, Seen, causes
from tests.strategies import message

AT = datetime(2026, 8, 9, tzinfo=UTC)
BEFORE = Seen(frozenset({1}), 7, is_counted=True, has_succeeded=False)


def told(kind: MessageKind, reason: str | None = None) -> Message:
    return message(Told() if reason is None else Told(reason=reason), at=AT, kind=kind)


@pytest.mark.parametrize(
    ("kind", "reason", "cause"),
    [
        (MessageKind.RECORD, None, Cause.TOLD_AGAIN),
        (MessageKind.STEP, None, Cause.LATE_EVENT),
        (MessageKind.PAUSE, None, Cause.LATE_EVENT),
        (MessageKind.RESUME, None, Cause.LATE_EVENT),
        (MessageKind.EXTENSION, None, Cause.EXTENSION),
        (MessageKind.TRANSFER, None, Cause.TRANSFER),
        (MessageKind.CORRECTION, None, Cause.CORRECTION),
        (MessageKind.REOPENING, None, Cause.REOPENING),
        (MessageKind.VOID, None, Cause.VOID),
        (MessageKind.APOLOGY, None, Cause.APOLOGY),
        (MessageKind.CALENDAR_CHANGE, "vn@2", Cause.CALENDAR_CHANGE),
        (MessageKind.CALENDAR_CHANGE, "1.001193@2", Cause.RULE_CHANGE),
    ],
)
def test_what_was_told_is_the_cause(kind: MessageKind, reason: str | None, cause: Cause) -> None:
    assert causes([told(kind, reason)], before=BEFORE, now=BEFORE, calendars={"vn"}) == (cause,)


def test_a_dossier_that_was_unknown_arrived_late_or_was_understood() -> None:
    news = [told(MessageKind.RECORD), told(MessageKind.CORRECTION)]

    assert causes(news, before=None, now=BEFORE, calendars=()) == (Cause.LATE_ARRIVAL,)
    assert causes([], before=None, now=BEFORE, calendars=()) == (Cause.MAPPING,)


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        (Seen(frozenset({2}), 7, is_counted=True, has_succeeded=False), Cause.MAPPING),
        (Seen(frozenset({1}), 8, is_counted=True, has_succeeded=False), Cause.MAPPING),
        (None, Cause.MAPPING),
        (Seen(frozenset({1}), 7, is_counted=False, has_succeeded=False), Cause.TWIN),
        (Seen(frozenset({1, 2}), 7, is_counted=True, has_succeeded=True), Cause.SUCCESSION),
        (BEFORE, Cause.REFOLDED),
    ],
)
def test_what_nobody_told_is_seen_by_what_changed(now: Seen | None, cause: Cause) -> None:
    assert causes([], before=BEFORE, now=now, calendars=()) == (cause,)


def test_several_causes_stand_side_by_side() -> None:
    now = Seen(frozenset({1}), 7, is_counted=False, has_succeeded=False)

    found = causes([told(MessageKind.VOID)], before=BEFORE, now=now, calendars=())

    assert found == (Cause.VOID, Cause.TWIN)
