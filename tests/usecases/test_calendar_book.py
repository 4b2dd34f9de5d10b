"""Calendars by the moment of knowledge: the state's, the unit's, and those of units above."""

from datetime import UTC, date, datetime, timedelta

from app.domain.calendar import DayException, ExceptionKind
from app.store.session import WriteSession
from app.usecases import calendar_book, calendars
from tests.factories import make_unit

NOW = datetime(2026, 3, 2, tzinfo=UTC)
FRIDAY = date(2026, 3, 6)


def _close(session: WriteSession, calendar: str, day: date, when: datetime) -> None:
    exception = DayException(on=day, kind=ExceptionKind.OFF, title_vi="Nghỉ")
    calendars.put_exceptions(session, calendar, [exception], document="1", actor="t", now=when)


def test_without_any_version_the_shipped_calendar_holds(session: WriteSession) -> None:
    unit = make_unit(session)

    book = calendar_book.of_units(session, [unit.id])

    assert book.at(unit.id, NOW).is_working_day(FRIDAY)


def test_a_version_holds_from_the_moment_it_was_known(session: WriteSession) -> None:
    unit = make_unit(session)
    _close(session, "vn", FRIDAY, NOW)

    book = calendar_book.of_units(session, [unit.id])

    assert book.at(unit.id, NOW - timedelta(seconds=1)).is_working_day(FRIDAY)
    assert not book.at(unit.id, NOW).is_working_day(FRIDAY)


def test_a_unit_inherits_from_the_units_above_it(session: WriteSession) -> None:
    province = make_unit(session)
    commune = make_unit(session, "H44.100", parent=province)
    other = make_unit(session, "H56")
    spec = calendars.CalendarSpec(
        unit="H44",
        exceptions=(DayException(on=FRIDAY, kind=ExceptionKind.OFF, title_vi="Nghỉ bão"),),
    )
    calendars.put_calendar(session, "h44", spec, actor="t", now=NOW)

    book = calendar_book.of_units(session, [commune.id, other.id])

    assert not book.at(commune.id, NOW).is_working_day(FRIDAY)
    assert book.at(other.id, NOW).is_working_day(FRIDAY)
