from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import DayException, ExceptionKind, ExceptionTwice, Session
from app.feeds.body import BodyEncoding
from app.feeds.calendar_file import (
    CalendarFileUnreadable,
    preview,
    read_csv,
    read_icalendar,
    text_of,
    to_icalendar,
)
from app.rulebook.calendars import load_state_calendar
from tests.clock_strategies import calendar, exceptions, hours, make_up, off

STAMP = datetime(2026, 11, 1, tzinfo=UTC)
MORNING = Session.parse("07:30", "11:30")


def test_the_state_calendar_goes_out_and_comes_back_unchanged() -> None:
    state = load_state_calendar()

    text = to_icalendar(state, stamped_at=STAMP)

    assert read_icalendar(text) == state.exceptions
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert text.endswith("END:VCALENDAR\r\n")


@given(exceptions())
def test_any_exceptions_go_out_and_come_back_unchanged(found: tuple[DayException, ...]) -> None:
    office = calendar(found)

    assert read_icalendar(to_icalendar(office, stamped_at=STAMP)) == office.exceptions


def test_titles_with_every_special_character_survive() -> None:
    odd = DayException(
        on=date(2026, 9, 2),
        kind=ExceptionKind.OFF,
        title_vi="Nghỉ bão; cấp 10, gió \\ mưa\ntheo công điện",
        title_en="Storm",
        document="CĐ 1; 2",
    )

    assert read_icalendar(to_icalendar(calendar([odd]), stamped_at=STAMP)) == (odd,)


def test_the_title_follows_the_language() -> None:
    holiday = DayException(
        on=date(2026, 9, 2), kind=ExceptionKind.OFF, title_vi="Quốc khánh", title_en="National Day"
    )

    assert "SUMMARY:National Day\r\n" in to_icalendar(
        calendar([holiday]), stamped_at=STAMP, language="en"
    )
    assert "SUMMARY:Quốc khánh\r\n" in to_icalendar(calendar([holiday]), stamped_at=STAMP)


def test_a_foreign_event_over_several_days_is_that_many_days_off() -> None:
    text = "\n".join(
        [
            "BEGIN:VCALENDAR",
            "BEGIN:VEVENT",
            "DTSTART;VALUE=DATE:20260216",
            "DTEND;VALUE=DATE:20260221",
            "SUMMARY:Tết Nguyên",
            "  đán",
            "END:VEVENT",
            "BEGIN:VEVENT",
            "DTSTART:20260301T010000Z",
            "SUMMARY:a meeting",
            "END:VEVENT",
            "BEGIN:VEVENT",
            "DTSTART;VALUE=DATE:20260302",
            "STATUS:CANCELLED",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
    )

    found = read_icalendar(text)

    assert [day.on.day for day in found] == [16, 17, 18, 19, 20]
    assert {day.title_vi for day in found} == {"Tết Nguyên đán"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("date,kind\n2026-01-01,off", "1"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT", "2"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026-01-01\nEND:VEVENT", "2"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260105\nDTEND:20260105\nEND:VEVENT", "2"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260105\nDTEND:20990105\nEND:VEVENT", "2"),
        (
            "BEGIN:VCALENDAR\n\nBEGIN:VEVENT\nDTSTART:20260105\nX-DUNGHAN-KIND:rest\nEND:VEVENT",
            "3",
        ),
    ],
)
def test_a_calendar_that_cannot_be_read_is_refused_with_its_line(text: str, line: str) -> None:
    with pytest.raises(CalendarFileUnreadable) as refusal:
        read_icalendar(text)

    assert refusal.value.line == line


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for reader in (read_csv, read_icalendar):
        try:
            found = reader("BEGIN:VCALENDAR\n" + text if reader is read_icalendar else text)
        except CalendarFileUnreadable:
            continue
        assert isinstance(found, tuple)


def test_a_spreadsheet_is_read_as_people_write_it() -> None:
    text = (
        "\ufeffDate;Kind;Sessions;Like;Title_vi;Document\r\n"
        "31/08/2026;off;;;Nghỉ hoán đổi;TB 1\r\n"
        "2026-08-22;work;;mon;Làm bù;TB 1\r\n"
        ";;;;;\r\n"
        '2026-08-21;HOURS;"07:30-11:30; 13:30–15:00";;Đóng cửa sớm;\r\n'
    )

    found = read_csv(text)

    assert [(day.on, day.kind) for day in found] == [
        (date(2026, 8, 31), ExceptionKind.OFF),
        (date(2026, 8, 22), ExceptionKind.WORK),
        (date(2026, 8, 21), ExceptionKind.HOURS),
    ]
    assert found[1].like == 0
    assert found[2].sessions == (MORNING, Session.parse("13:30", "15:00"))
    assert (found[0].document, found[2].document) == ("TB 1", None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1"),
        ("day,kind\n2026-01-01,off", "1"),
        ("date,kind\n2026-02-30,off", "2"),
        ("date,kind\n2026-01-01,off\n2026-01-02,rest", "3"),
        ("date,kind,sessions\n2026-01-01,work,7h", "2"),
        ("date,kind,sessions\n2026-01-01,off,07:30-11:30", "2"),
        ("date,kind,like\n2026-01-01,work,someday", "2"),
        ("date,kind\n2026-01-01,off,surplus", "2"),
        ('date,kind\n"2026-01-01,off', "2"),
    ],
)
def test_a_spreadsheet_that_cannot_be_read_is_refused_with_its_line(text: str, line: str) -> None:
    with pytest.raises(CalendarFileUnreadable) as refusal:
        read_csv(text)

    assert refusal.value.line == line


def test_the_preview_lists_what_is_added_changed_and_dropped() -> None:
    current = (*off("2025-09-01", "2026-04-30", "2026-05-01"), make_up("2026-08-22"))
    incoming = (*off("2026-04-30", "2026-09-02"), hours("2026-08-22", MORNING))

    changes = preview(current, incoming)

    assert [
        (change.on.isoformat(), change.before is not None, change.after is not None)
        for change in changes
    ] == [
        ("2026-05-01", True, False),
        ("2026-08-22", True, True),
        ("2026-09-02", False, True),
    ]
    assert preview(current, ()) == ()


def test_a_date_named_twice_in_an_import_is_refused() -> None:
    with pytest.raises(ExceptionTwice) as refusal:
        preview((), off("2026-04-30", "2026-04-30"))

    assert refusal.value.day == "2026-04-30"


def test_years_that_are_replaced_whole_lose_what_the_file_leaves_out() -> None:
    changes = preview(off("2026-04-30", "2027-04-30"), (), years={2027})

    assert [(one.on, one.after) for one in changes] == [(date(2027, 4, 30), None)]


def test_a_file_that_is_not_utf_8_is_refused() -> None:
    assert text_of("\ufeffngày".encode()) == "ngày"
    with pytest.raises(BodyEncoding):
        text_of("ngày".encode("utf-16"))
