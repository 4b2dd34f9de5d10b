"""Mails as values: addresses, slots, and what makes a mail the same mail again."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.mail import (
    AddressInvalid,
    MailKind,
    is_open_for_mail,
    look_again_at,
    mail_id,
    masked,
    message_id,
    opened,
    read_address,
)
from app.rulebook.calendars import load_state_calendar
from tests.factories import local

STATE = load_state_calendar()
MOMENTS = st.integers(0, 60 * 24 * 360).map(lambda n: local("2026-01-03") + timedelta(minutes=n))


def test_an_address_is_kept_with_its_domain_in_small_letters() -> None:
    assert read_address(" Mot.Cua@Viet-Tri.GOV.vn ") == "Mot.Cua@viet-tri.gov.vn"
    assert masked("mot.cua@viet-tri.gov.vn") == "m***@viet-tri.gov.vn"


@pytest.mark.parametrize(
    "told",
    [
        "",
        "a",
        "a@b",
        "a b@c.vn",
        "a@c.vn\r\nBcc: x@y.vn",
        "a@c.vn,b@c.vn",
        "A <a@c.vn>",
        "a..b@c.vn",
        "ă@c.vn",
        "a@-c.vn",
        "a" * 65 + "@c.vn",
        "a@" + "b." * 130 + "vn",
    ],
)
def test_what_is_no_plain_address_is_refused(told: str) -> None:
    with pytest.raises(AddressInvalid):
        read_address(told)


def test_the_id_of_a_mail_follows_from_its_subscription_and_slot() -> None:
    one = uuid4()
    ids = {
        mail_id(subscription=who, kind=kind, slot=slot)
        for who in (one, uuid4())
        for kind in MailKind
        for slot in ("2026-08-10", "2026-08-11")
    }

    assert len(ids) == 8
    again = mail_id(subscription=one, kind=MailKind.DIGEST, slot="2026-08-10")
    assert again in ids
    assert message_id(again, host="x.vn") == f"<{again}@x.vn>"


def test_office_hours_begin_on_working_days_only() -> None:
    saturday, monday = local("2026-08-08", 9), local("2026-08-10", 7, 29)

    slots = [opened(STATE, now=moment) for moment in (saturday, monday, local("2026-08-10", 7, 30))]

    assert [slot.key if slot else None for slot in slots] == [
        "2026-08-07",
        "2026-08-07",
        "2026-08-10",
    ]


@given(now=MOMENTS)
def test_no_slot_is_missed_by_looking_when_told(now: datetime) -> None:
    seen, moment = set(), now
    for _ in range(12):
        slot = opened(STATE, now=moment)
        if slot is not None:
            assert slot.at <= moment
            seen.add(slot.key)
        later = look_again_at(STATE, now=moment)
        assert moment < later <= moment + timedelta(days=1)
        moment = later
    first, last = date.fromisoformat(min(seen)), date.fromisoformat(max(seen))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert seen == {day.isoformat() for day in days if STATE.is_working_day(day)}


@pytest.mark.parametrize(
    ("day", "hour", "minute", "is_open"),
    [
        (7, 7, 29, False),
        (7, 7, 30, True),
        (7, 12, 30, True),
        (7, 16, 59, True),
        (7, 20, 0, False),
        (8, 9, 0, False),
        (10, 0, 0, False),
    ],
)
def test_digests_go_out_between_opening_and_closing(
    day: int, hour: int, minute: int, is_open: bool
) -> None:
    now = local(date(2026, 8, day), hour, minute)

    assert is_open_for_mail(STATE, now=now) is is_open


def test_an_hour_that_the_office_set_up_after_closing_is_kept() -> None:
    times = (time(19),)
    moments = [local("2026-08-07", hour) for hour in (18, 19, 20)]

    assert [is_open_for_mail(STATE, now=now, digest_at=times) for now in moments] == [
        False,
        True,
        False,
    ]
    assert is_open_for_mail(STATE, now=local("2040-08-10", 9))
    assert not is_open_for_mail(STATE, now=local("2040-08-11", 9))


def test_an_office_may_set_up_times_of_its_own_on_working_days() -> None:
    times = (time(14), time(8, 30))
    moments = [
        local("2026-08-10", 8),
        local("2026-08-10", 8, 30),
        local("2026-08-10", 13, 59),
        local("2026-08-10", 15),
        local("2026-08-15", 15),
    ]

    slots = [opened(STATE, now=moment, digest_at=times) for moment in moments]

    assert [slot.key if slot else None for slot in slots] == [
        "2026-08-07T14:00",
        "2026-08-10T08:30",
        "2026-08-10T08:30",
        "2026-08-10T14:00",
        "2026-08-14T14:00",
    ]
    assert look_again_at(STATE, now=moments[1], digest_at=times) == local("2026-08-10", 14)


def test_without_a_calendar_a_digest_still_goes_out_on_weekdays() -> None:
    friday = opened(STATE, now=local("2040-08-10", 8))

    assert friday is not None
    assert friday.key == "2040-08-10"
    sunday = opened(STATE, now=local("2040-08-12", 9))
    assert sunday == friday
