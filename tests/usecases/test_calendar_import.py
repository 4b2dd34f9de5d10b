"""What an import would change, and how the calendar would then be told."""

from datetime import UTC, date, datetime

from app.domain.calendar import DayException, ExceptionKind
from app.store.session import WriteSession
from app.usecases import calendar_import, calendars
from app.usecases.calendar_import import CSV

NOW = datetime(2026, 8, 10, tzinfo=UTC)


def _off(day: str, title: str = "Nghỉ bão") -> DayException:
    on = date.fromisoformat(day)
    return DayException(on=on, kind=ExceptionKind.OFF, title_vi=title, title_en=title)


def _dates(found: calendar_import.Plan) -> list[str]:
    return [day.on.isoformat() for day in found.spec.exceptions]


def test_what_has_no_title_gets_one_in_both_languages() -> None:
    read = calendar_import.read("date,kind,title_vi\n2026-08-06,off,\n2026-08-07,off,Bão\n", CSV)

    assert [(day.title_vi, day.title_en) for day in read] == [
        ("theo lịch đã khai", "as the calendar says"),
        ("Bão", "Bão"),
    ]


def test_years_that_the_file_does_not_name_stay(session: WriteSession) -> None:
    calendars.put_exceptions(
        session, "vn", [_off("2025-08-06"), _off("2026-08-06")], document=None, actor="t", now=NOW
    )

    found = calendar_import.plan(session, "vn", [_off("2026-08-07")])

    assert _dates(found) == ["2025-08-06", "2026-08-07"]
    assert [one.on.isoformat() for one in found.changes] == ["2026-08-06", "2026-08-07"]


def test_what_is_inherited_is_not_told_again(session: WriteSession) -> None:
    shipped = calendars.state_calendar(session).exceptions

    assert calendar_import.plan(session, "vn", shipped).changes == ()
    assert _dates(calendar_import.plan(session, "vn", shipped)) == []


def test_a_year_that_is_told_whole_keeps_all_that_the_file_says(session: WriteSession) -> None:
    shipped = [day for day in calendars.state_calendar(session).exceptions if day.on.year == 2026]

    found = calendar_import.plan(session, "vn", shipped[1:], years=frozenset({2026}))

    assert [one.on for one in found.changes] == [shipped[0].on]
    assert len(found.spec.exceptions) == len(shipped) - 1
    assert found.spec.years == {2026}


def test_a_plan_is_saved_as_a_version_with_its_document(session: WriteSession) -> None:
    found = calendar_import.plan(session, "vn", [_off("2026-08-07")], document="12/CĐ")

    put = calendar_import.change("vn", found, actor="t", now=NOW).save(session)

    assert (put.row.version, put.row.document) == (1, "12/CĐ")
    assert not put.calendar.is_working_day(date(2026, 8, 7))
