"""Calendars in layers: the state's, amended, and what units do differently."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import DayException, ExceptionKind, Session, week_of
from app.rulebook.calendars import load_state_calendar
from app.store.session import WriteSession
from app.store.units import UnitUnknown
from app.usecases import calendars, catalogue
from app.usecases.calendars import CalendarBound, CalendarSpec, CalendarUnknown
from app.usecases.catalogue import Change, SharedCatalogue, UnitLevel, UnitSpec
from app.usecases.subtree import Subtree

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
STORM = DayException(on=date(2026, 8, 4), kind=ExceptionKind.OFF, title_vi="Nghỉ do bão")
DAYS = ("mon", "tue", "wed", "thu", "fri")
MORNINGS = week_of({day: [Session(time(8), time(12))] for day in DAYS})


@pytest.fixture
def tree(session: WriteSession) -> dict[str, int]:
    """Give the numbers of units A, A.1 and B."""
    specs = [
        UnitSpec(code="A", name="A", level=UnitLevel.PROVINCE),
        UnitSpec(code="A.1", name="A.1", level=UnitLevel.COMMUNE, parent="A"),
        UnitSpec(code="B", name="B", level=UnitLevel.PROVINCE),
    ]
    done = catalogue.put_units(session, specs, actor="t", now=NOW)
    return {one.row.code: one.row.id for one in done}


def put(session: WriteSession, name: str, spec: CalendarSpec, **more: Subtree) -> Change:
    return calendars.put_calendar(session, name, spec, actor="t", now=NOW, **more).change


def reach(session: WriteSession, code: str) -> Subtree:
    row = catalogue.get_unit(session, code)
    return Subtree(row.lft, row.rgt)


def test_without_any_of_their_own_all_units_share_the_states(
    session: WriteSession, tree: dict[str, int]
) -> None:
    held = calendars.calendars_of(session, tree.values())

    assert all(each is load_state_calendar() for each in held.values())


def test_a_unit_follows_the_nearest_calendar_above(
    session: WriteSession, tree: dict[str, int]
) -> None:
    put(session, "A", CalendarSpec(unit="A", exceptions=(STORM,)))
    put(session, "A.1", CalendarSpec(unit="A.1", week=MORNINGS))

    held = calendars.calendars_of(session, tree.values())

    assert not held[tree["A"]].is_working_day(STORM.on)
    assert not held[tree["A.1"]].is_working_day(STORM.on)
    assert len(held[tree["A.1"]].sessions_on(date(2026, 8, 5))) == 1
    assert len(held[tree["A"]].sessions_on(date(2026, 8, 5))) == 2
    assert held[tree["B"]].is_working_day(STORM.on)


def test_the_states_calendar_is_amended_for_everybody(
    session: WriteSession, tree: dict[str, int]
) -> None:
    done = calendars.put_exceptions(session, "vn", [STORM], document="12/TB", actor="t", now=NOW)

    assert done.change is Change.CREATED
    assert not calendars.calendar_of(session, tree["B"]).is_working_day(STORM.on)
    assert calendars.state_calendar(session).version.endswith(load_state_calendar().version)
    taken_back = calendars.put_exceptions(
        session, "vn", [], removed=[STORM.on], document=None, actor="t", now=NOW
    )
    assert taken_back.row.version == 2
    assert calendars.calendar_of(session, tree["B"]).is_working_day(STORM.on)


def test_the_same_again_is_no_new_version(session: WriteSession, tree: dict[str, int]) -> None:
    spec = CalendarSpec(unit="A", exceptions=(STORM,))

    assert [put(session, "A", spec), put(session, "A", spec)] == [Change.CREATED, Change.UNCHANGED]


def test_a_calendar_may_stand_alone(session: WriteSession, tree: dict[str, int]) -> None:
    put(session, "x", CalendarSpec(stands_alone=True, week=MORNINGS, timezone="Europe/Berlin"))

    held = calendars.calendar_by_id(session, "x")

    assert (held.zone, held.loaded_years) == ("Europe/Berlin", None)


def test_what_may_not_be_is_refused(session: WriteSession, tree: dict[str, int]) -> None:
    low = reach(session, "A.1")
    put(session, "A", CalendarSpec(unit="A"))

    with pytest.raises(SharedCatalogue):
        put(session, "vn", CalendarSpec(), within=low)
    with pytest.raises(UnitUnknown):
        put(session, "new", CalendarSpec(unit="A"), within=low)
    with pytest.raises(CalendarUnknown):
        put(session, "A", CalendarSpec(unit="A.1"), within=low)
    with pytest.raises(CalendarBound):
        put(session, "other", CalendarSpec(unit="A"))
    with pytest.raises(CalendarBound):
        put(session, "A", CalendarSpec(unit="B"))
    with pytest.raises(CalendarUnknown):
        calendars.calendar_by_id(session, "nothing")
    with pytest.raises(CalendarUnknown):
        calendars.find_stored(session, "A", within=low)
    with pytest.raises(UnitUnknown):
        calendars.calendar_of_unit(session, "B", within=low)


sessions = st.sampled_from(
    [Session(time(7, 30), time(11, 30)), Session(time(13, 30, 15), time(23, 59))]
)
weeks = st.lists(st.sets(sessions, min_size=1).map(sorted), min_size=5, max_size=5).map(
    lambda days: week_of(dict(zip(DAYS, days, strict=True)))
)
exceptions = st.lists(
    st.one_of(
        st.builds(DayException, on=st.dates(), kind=st.just(ExceptionKind.OFF)),
        st.builds(
            DayException,
            on=st.dates(),
            kind=st.just(ExceptionKind.WORK),
            like=st.integers(0, 6),
            title_vi=st.just("Làm bù"),
            document=st.just("1/TB"),
            estimated=st.booleans(),
        ),
    ),
    max_size=4,
    unique_by=lambda each: each.on,
).map(tuple)


@given(
    st.builds(
        CalendarSpec,
        week=st.none() | weeks,
        reception=st.none() | weeks,
        exceptions=exceptions,
        yearly_off=st.frozensets(st.sampled_from([(1, 1), (9, 2)])),
        document=st.none() | st.just("1/TB"),
        unit=st.none() | st.just("A"),
    )
)
def test_what_is_kept_reads_back_as_it_was_told(spec: CalendarSpec) -> None:
    assert CalendarSpec.from_plain(spec.plain()) == spec
