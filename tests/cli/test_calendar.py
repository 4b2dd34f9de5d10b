"""Calendars by command: shown, checked, taken from a file, given as a file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import cli
from app.domain.calendar import ExceptionTwice
from app.feeds.calendar_file import CalendarFileUnreadable, read_icalendar
from app.rulebook.calendars import load_state_calendar
from app.store.session import Database
from app.usecases import calendars

Command = Callable[..., Result]
NEW_YEAR = "date,kind,title_vi,document\n2028-01-01,off,Tết Dương lịch,12/TB\n"


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch, migrated_url: str) -> Command:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", migrated_url)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "k" * 32)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setenv("COLUMNS", "100")  # a narrower table cuts its days short
    return lambda *more: CliRunner().invoke(cli.build(), ["calendar", *more])


def test_a_year_is_shown_with_its_documents(calendar: Command) -> None:
    shown = calendar("show", "--year", "2026")
    told = json.loads(calendar("show", "--year", "2027", "--json").stdout)

    assert shown.exit_code == 0
    assert "2026-01-10" in shown.stdout
    assert "make-up" in shown.stdout
    assert told["status"] == "estimated"
    assert {day["date"] for day in told["exceptions"]} >= {"2027-09-02"}


def test_the_check_warns_in_the_last_quarter(calendar: Command) -> None:
    before, after = (
        calendar("check", "--as-of", "2026-09-30"),
        calendar("check", "--as-of", "2026-10-01"),
    )

    assert (before.exit_code, after.exit_code) == (0, 1)
    assert "Official years: 2017" in before.stderr
    assert "2027 of vn is only estimated" in after.stderr
    assert "no year 2028" in calendar("check", "--as-of", "2027-12-31").stderr


def test_a_file_is_shown_before_it_is_saved(
    calendar: Command, tmp_path: Path, fresh_database: Database
) -> None:
    path = tmp_path / "2028.csv"
    path.write_text(NEW_YEAR, encoding="utf-8")

    shown = calendar("import", str(path), "--year", "2028")
    with fresh_database.read() as session:
        before = calendars.state_calendar(session).loaded_years or frozenset()
    saved = calendar("import", str(path), "--year", "2028", "--save")
    with fresh_database.read() as session:
        after = calendars.state_calendar(session)

    assert "Nothing is saved" in shown.stderr
    assert "2028-01-01: – → off (Tết Dương lịch)" in shown.stderr
    assert 2028 not in before
    assert "Saved: 1 days changed" in saved.stderr
    assert after.year_status(2028).value == "official"


def test_a_calendar_goes_out_as_a_file_and_comes_back(calendar: Command, tmp_path: Path) -> None:
    path = tmp_path / "vn.ics"

    written, printed = calendar("ics", "--output", str(path)), calendar("ics")
    again = calendar("import", str(path))

    assert written.exit_code == 0
    assert read_icalendar(path.read_text("utf-8")) == load_state_calendar().exceptions
    assert printed.stdout.startswith("BEGIN:VCALENDAR")
    assert "Preview: 0 days change" in again.stderr


def test_a_file_that_cannot_be_read_is_told(calendar: Command, tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text("date,kind\n2028-01-01,off\n2028-01-01,off\n")
    broken = tmp_path / "broken.csv"
    broken.write_text("date,kind\n2028-02-30,off\n")

    missing = calendar("import", str(tmp_path / "none.csv"))

    assert missing.exit_code == 1
    assert "cannot be opened" in missing.stderr
    assert isinstance(calendar("import", str(twice)).exception, ExceptionTwice)
    assert isinstance(calendar("import", str(broken)).exception, CalendarFileUnreadable)
