import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from app.domain.calendar import ExceptionKind, YearStatus
from app.rulebook.calendars import (
    FOLDER,
    CalendarDataBroken,
    load_state_calendar,
    read_state_calendar,
    year_status,
)

SWAPS = {
    "2018-12-31": "2019-01-05",
    "2019-04-29": "2019-05-04",
    "2024-04-29": "2024-05-04",
    "2025-05-02": "2025-04-26",
    "2026-01-02": "2026-01-10",
    "2026-08-31": "2026-08-22",
}
WEEKDAYS_OFF = {
    2017: "01-02 01-26 01-27 01-30 01-31 02-01 04-06 05-01 05-02 09-04",
    2018: "01-01 02-14 02-15 02-16 02-19 02-20 04-25 04-30 05-01 09-03 12-31",
    2019: "01-01 02-04 02-05 02-06 02-07 02-08 04-15 04-29 04-30 05-01 09-02",
    2020: "01-01 01-23 01-24 01-27 01-28 01-29 04-02 04-30 05-01 09-02",
    2021: "01-01 02-10 02-11 02-12 02-15 02-16 04-21 04-30 05-03 09-02 09-03",
    2022: "01-03 01-31 02-01 02-02 02-03 02-04 04-11 05-02 05-03 09-01 09-02",
    2023: "01-02 01-20 01-23 01-24 01-25 01-26 05-01 05-02 05-03 09-01 09-04",
    2024: "01-01 02-08 02-09 02-12 02-13 02-14 04-18 04-29 04-30 05-01 09-02 09-03",
    2025: "01-01 01-27 01-28 01-29 01-30 01-31 04-07 04-30 05-01 05-02 09-01 09-02",
    2026: "01-01 01-02 02-16 02-17 02-18 02-19 02-20 04-27 04-30 05-01 08-31 09-01 09-02 11-24",
    2027: "01-01 02-04 02-05 02-08 02-09 02-10 04-16 04-30 05-03 09-02 09-03 11-24",
}


@pytest.mark.parametrize("year", sorted(WEEKDAYS_OFF))
def test_the_days_of_each_year_are_those_of_its_notices(year: int) -> None:
    state = load_state_calendar()
    whole_year = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]

    weekdays_off = [
        f"{day:%m-%d}" for day in whole_year if day.weekday() < 5 and not state.is_working_day(day)
    ]
    saturdays_worked = [
        day.isoformat() for day in whole_year if day.weekday() >= 5 and state.is_working_day(day)
    ]

    assert weekdays_off == WEEKDAYS_OFF[year].split()
    assert saturdays_worked == sorted(
        made_up for made_up in SWAPS.values() if made_up.startswith(str(year))
    )


@pytest.mark.parametrize(("swapped", "made_up"), sorted(SWAPS.items()))
def test_a_swapped_day_is_off_and_made_up_with_its_own_hours(swapped: str, made_up: str) -> None:
    state = load_state_calendar()

    exception = state.exception_on(date.fromisoformat(made_up))

    assert not state.is_working_day(date.fromisoformat(swapped))
    assert exception is not None
    assert exception.kind is ExceptionKind.WORK
    assert exception.like == date.fromisoformat(swapped).weekday()
    assert len(state.sessions_on(date.fromisoformat(made_up))) == 2


def test_each_day_names_its_document_or_is_marked_estimated() -> None:
    for day in load_state_calendar().exceptions:
        assert day.document or day.estimated, day.on
        assert day.title_vi, day.on
        assert day.title_en, day.on


def test_only_the_tet_of_2018_is_without_a_document() -> None:
    undocumented = [day.on for day in load_state_calendar().exceptions if not day.document]

    assert undocumented == [date(2018, 2, number) for number in range(14, 21)]


def test_the_status_of_the_years() -> None:
    assert [year for year in range(2016, 2029) if year_status(year) is YearStatus.OFFICIAL] == [
        2017,
        *range(2019, 2027),
    ]
    assert year_status(2018) is YearStatus.ESTIMATED
    assert year_status(2027) is YearStatus.ESTIMATED
    assert year_status(2016) is YearStatus.MISSING
    assert year_status(2028) is YearStatus.MISSING
    assert load_state_calendar().is_estimated(date(2027, 6, 15))
    assert not load_state_calendar().is_estimated(date(2018, 6, 15))


def test_vietnamese_culture_day_is_off_from_2026_on() -> None:
    state = load_state_calendar()

    assert state.is_working_day(date(2025, 11, 24))
    assert not state.is_working_day(date(2026, 11, 24))


def test_the_version_changes_with_the_data(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    before = read_state_calendar(folder).version

    (folder / "2017.toml").write_text(
        (folder / "2017.toml").read_text(encoding="utf-8") + "\n# looked at again\n",
        encoding="utf-8",
    )

    assert read_state_calendar(folder).version != before
    assert before == load_state_calendar().version


def _copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "calendar"))


def _change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def _empty(folder: Path) -> None:
    for path in folder.glob("2*.toml"):
        path.unlink()


MISTAKES = {
    "unknown key in a day": (
        _change("2017.toml", 'kind = "off"', 'knd = "off"'),
        "unknown key knd",
    ),
    "unknown key of the year": (_change("2017.toml", "year = 2017", "year = 2017\nx = 1"), "key x"),
    "another year inside": (_change("2017.toml", "year = 2017", "year = 2018"), "must be 2017"),
    "a date of another year": (_change("2017.toml", "date = 2017", "date = 2016"), "day of 2017"),
    "an instant for a date": (
        _change("2017.toml", "date = 2017-01-01", "date = 2017-01-01T00:00:00"),
        "day of 2017",
    ),
    "days out of order": (
        _change("2017.toml", "date = 2017-01-01", "date = 2017-12-01"),
        "in order",
    ),
    "a date twice": (_change("2017.toml", "date = 2017-01-02", "date = 2017-01-01"), "2017-01-01"),
    "no document": (
        _change("2017.toml", 'document = "Công văn', 'vi = "x"\n#'),
        "2017.toml",
    ),
    "no title": (_change("2017.toml", 'vi = "Tết Dương lịch"', 'vi = " "'), "vi must be a text"),
    "neither document nor mark": (
        _change("2018.toml", "estimated = true", "estimated = false"),
        "name the document",
    ),
    "a mark that is no flag": (
        _change("2018.toml", "estimated = true", 'estimated = "yes"'),
        "true or false",
    ),
    "another source": (
        _change("2018.toml", 'source = "unverified"', 'source = "hearsay"'),
        "can only be unverified",
    ),
    "document and unverified": (
        _change("2018.toml", 'source = "unverified"', 'source = "unverified"\ndocument = "x"'),
        "is not unverified",
    ),
    "a settled day in an estimated year": (
        _change("2027.toml", 'khoản 1"\nestimated = true', 'khoản 1"'),
        "every day is estimated",
    ),
    "another kind": (_change("2017.toml", 'kind = "off"', 'kind = "rest"'), "off, work or hours"),
    "a weekday that is none": (_change("2019.toml", 'like = "mon"', 'like = "m"'), "like must be"),
    "a make-up day like a Sunday": (
        _change("2019.toml", 'like = "mon"', 'like = "sun"'),
        "exception_sessions",
    ),
    "sessions that are no list": (
        _change("2017.toml", 'kind = "off"', 'kind = "hours"\nsessions = "all day"'),
        "list of pairs",
    ),
    "a session that is no pair": (
        _change("2017.toml", 'kind = "off"', 'kind = "hours"\nsessions = [["07:30"]]'),
        "pair of wall times",
    ),
    "a session that ends before it begins": (
        _change("2017.toml", 'kind = "off"', 'kind = "hours"\nsessions = [["17:00", "07:30"]]'),
        "session_invalid",
    ),
    "a day off with sessions": (
        _change("2017.toml", 'kind = "off"', 'kind = "off"\nsessions = [["07:30", "11:30"]]'),
        "exception_sessions",
    ),
    "a zone that does not exist": (
        _change("state.toml", "Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Min"),
        "zone_unknown",
    ),
    "a weekday of the week": (_change("state.toml", "mon =", "monday ="), "unknown key monday"),
    "no week": (_change("state.toml", "[week]", "[weeks]"), "unknown key weeks"),
    "a week that is no table": (
        lambda folder: (folder / "state.toml").write_text(
            'id = "vn"\nzone = "UTC"\nweek = 5\n', encoding="utf-8"
        ),
        "week must be a table",
    ),
    "no TOML": (_change("2017.toml", "year = 2017", "year: 2017"), "2017.toml"),
    "no day at all": (
        lambda folder: (folder / "2017.toml").write_text("year = 2017\n", encoding="utf-8"),
        "no day",
    ),
    "a day that is no table": (
        lambda folder: (folder / "2017.toml").write_text(
            "year = 2017\nday = [1]\n", encoding="utf-8"
        ),
        "must be a table",
    ),
    "no year": (_empty, "no year"),
}


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_a_malformed_file_stops_the_start_and_is_named(name: str, tmp_path: Path) -> None:
    mistake, message = MISTAKES[name]
    folder = _copy(tmp_path)

    mistake(folder)

    with pytest.raises(CalendarDataBroken, match=message):
        read_state_calendar(folder)
