"""Calendars by the moment of knowledge: the state's, the unit's, and those of units above."""

from datetime import UTC, date, datetime, timedelta

from app.domain.calendar import DayException, ExceptionKind
from app.store import units
from app.store.session import WriteSession
from app.usecases import calendar_book, calendars, catalogue
from app.usecases.catalogue import UnitLevel, UnitSpec
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

    for _ in range(2):  # whichever moment was asked for before
        assert book.at(unit.id, NOW - timedelta(seconds=1)).is_working_day(FRIDAY)
        assert not book.at(unit.id, NOW).is_working_day(FRIDAY)
        assert book.at(unit.id, NOW + timedelta(days=1)) is book.at(unit.id, NOW)


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


def test_a_unit_that_moved_keeps_what_was_above_it_for_what_was_known_before(
    session: WriteSession,
) -> None:
    def tell(code: str, parent: str | None, when: datetime) -> None:
        level = UnitLevel.COMMUNE if parent else UnitLevel.PROVINCE
        spec = UnitSpec(code=code, name=code, level=level, parent=parent)
        catalogue.put_unit(session, spec, actor="t", now=when)

    tell("H44", None, NOW)
    tell("H56", None, NOW)
    tell("H44.D", "H44", NOW)
    tell("H44.1", "H44.D", NOW)
    for name, code, day in (("h44", "H44", FRIDAY), ("h56", "H56", FRIDAY - timedelta(days=1))):
        off = DayException(on=day, kind=ExceptionKind.OFF, title_vi="Nghỉ bão")
        spec = calendars.CalendarSpec(unit=code, exceptions=(off,))
        calendars.put_calendar(session, name, spec, actor="t", now=NOW)
    tell("H44.D", "H56", NOW + timedelta(days=1))
    tell("H44.1", "H44", NOW + timedelta(days=2))
    commune = units.get(session, "H44.1").id

    book = calendar_book.of_units(session, [commune])

    # below H44 by its district, then below H56 with it, then below H44 by itself
    for days, is_off_at_h44 in ((-1, True), (0, True), (1, False), (2, True)):
        calendar = book.at(commune, NOW + timedelta(days=days, hours=1))
        if days >= 0:
            assert calendar.is_working_day(FRIDAY) is not is_off_at_h44
            assert calendar.is_working_day(FRIDAY - timedelta(days=1)) is is_off_at_h44
        else:
            assert calendar.is_working_day(FRIDAY)  # no calendar of a unit was known
