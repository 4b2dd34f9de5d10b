"""How late and how long: what SQL groups is what a plain count of the facts gives."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import DayException, ExceptionKind
from app.domain.canonical import told_of
from app.domain.dossier import ZONE
from app.domain.edges import in_force
from app.domain.lateness import Lateness, lateness_of
from app.domain.period import Period
from app.domain.reading import Clocked
from app.domain.record import Message, PauseTold, Status
from app.domain.tally import FINISHED, LEG_COUNTS, Count, Tally, identities
from app.domain.timeliness import JUST, Reading, State
from app.domain.verdict import classify
from app.store.session import WriteSession
from app.usecases import calendars, reporting, spreads
from app.usecases.calendars import CalendarSpec
from app.usecases.reporting import Question
from app.usecases.spreads import Include, LatenessOfLateOnly
from tests.strategies import FIRST, histories, message
from tests.usecases import test_reporting as twin
from tests.usecases.test_reporting import CALENDAR, FEW, LATER, World

EVERYTHING = frozenset(Include)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


# ---------------------------------------------------------------- counting day by day


def _local(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def _working_days(after: date, upto: date) -> list[date]:
    days = [after + timedelta(days=number) for number in range(1, (upto - after).days + 1)]
    return [day for day in days if CALENDAR.is_working_day(day)]


def _taken(clocked: Clocked, finished_at: datetime) -> int:
    """Count the working days of which neither a pause nor a closed time held the last close."""
    start = clocked.start
    assert start is not None
    stopped = [(one.started_at, one.ended_at or finished_at) for one in clocked.pauses]
    stopped += [
        (one.at, one.reopened_at)
        for one in clocked.history.closings
        if one.reopened_at is not None and one.at < one.reopened_at <= finished_at
    ]
    found = 0
    for day in _working_days(_local(start), _local(finished_at)):
        close = CALENDAR.almanac.last_close(day.toordinal())
        closes = datetime.fromtimestamp(close / 1e6, UTC)
        inside = [
            begin for begin, end in stopped if max(begin, start) < closes <= min(end, finished_at)
        ]
        found += not inside
    return found


def _expected(
    world: World, reading: Reading, period: Period, until: datetime, known_at: datetime | None
) -> dict[str, Counter[object]]:
    """Count late ones by class and finishes by days, for each unit, from the facts alone."""
    found: dict[str, Counter[object]] = {}
    for messages in world.told.values():
        known = [one for one in messages if known_at is None or one.recorded_at <= known_at]
        if not known:
            continue
        clocked = twin._read(world, known)  # the twin of the figures
        course = clocked.courses[reading]
        for at, unit, what in twin._flows(clocked, reading):  # as above
            if not (period.begins <= at < until) or not what.startswith("finished_"):
                continue
            cell = found.setdefault(world.codes[unit], Counter())
            cell["taken", _taken(clocked, at)] += 1
            if what == "finished_late":
                due = in_force(course.standings, at)
                assert due is not None
                late = len(_working_days(due.due_on, _local(at)))
                cell["finished_late", lateness_of(late)] += 1
        now = classify(clocked.history, clocked.terms, reading=reading, as_of=until)
        if now is not None and now[0] is State.OPEN_OVERDUE:
            due = in_force(course.standings, until - JUST)
            assert due is not None
            late = len(_working_days(due.due_on, _local(until - JUST)))
            cell = found.setdefault(world.codes[now[1]], Counter())
            cell["open_overdue", lateness_of(late)] += 1
    return found


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_what_is_grouped_is_what_the_facts_say_day_by_day(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = twin._world(session, told)  # the twin of the figures
    question, until = twin._asked(world, data)  # as above

    found = spreads.spreads(session, question, group_by=["unit"], include=EVERYTHING, now=LATER)

    expected = _expected(world, question.reading, question.period, until, question.known_at)
    for code in world.codes.values():
        spread = found.of({"unit": code}).spread
        counted: Counter[object] = Counter()
        for name in ("finished_late", "open_overdue"):
            for one, number in getattr(spread, name).items():
                counted[name, one] += number
        for days, number in spread.taken.items():
            counted["taken", days] += number
        assert counted == expected.get(code, Counter())


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_classes_add_up_to_the_figure_and_open_lists_of_as_many(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world = twin._world(session, told)  # the twin of the figures
    question, _ = twin._asked(world, data)  # as above
    tally = reporting.figures(session, question, definitions=[], now=LATER).total.tally

    spread = spreads.spreads(session, question, include=EVERYTHING, now=LATER).total.spread

    assert sum(spread.finished_late.values()) == tally[Count.FINISHED_LATE]
    assert sum(spread.open_overdue.values()) == tally[Count.OPEN_OVERDUE]
    assert sum(spread.taken.values()) == tally.sum(FINISHED)
    for count in (Count.FINISHED_LATE, Count.OPEN_OVERDUE):
        for late in Lateness:
            groups = spreads.late_groups(session, question, count, late, now=LATER)
            listed = reporting.dossiers_behind(
                session, question, count=count, late=groups, limit=500, now=LATER
            )
            assert len(listed) == getattr(spread, count.value).get(late, 0)


# ---------------------------------------------------------------- by example


def _at(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def _record(**facts: object) -> Message:
    told = {
        "unit": "A",
        "procedure": "P",
        "received_at": _at(2),
        "due_at": _at(9, 10),
        "status": Status.PROCESSING,
        **facts,
    }
    return message(told_of(told), at=_at(31))


def _ask(session: WriteSession, *told: Message, **more: object) -> spreads.RowSpread:
    world = twin._world(session, [[one] for one in told])  # the twin
    question = Question(unit=world.root, period=MARCH, **more)  # type: ignore[arg-type]  # fields
    return spreads.spreads(session, question, include=EVERYTHING, now=LATER).total


def test_ranks_are_of_the_days_that_finishes_took(session: WriteSession) -> None:
    pause = (PauseTold("payment", _at(3), _at(5)),)
    found = _ask(
        session,
        _record(finished_at=_at(4)),
        _record(finished_at=_at(6), pauses=pause),
        _record(finished_at=_at(16)),
    )

    assert found.spread.taken == {2: 2, 10: 1}
    assert (found.spread.days_at(50), found.spread.days_at(90)) == (2, 10)
    assert found.spread.finished_late == {Lateness.SOME: 1}


def test_the_oldest_in_hand_is_the_one_whose_clock_started_first(session: WriteSession) -> None:
    found = _ask(session, _record(received_at=_at(5)), _record(), _record(finished_at=_at(4)))

    oldest = found.oldest
    assert oldest is not None
    assert oldest.code.endswith("-1")
    assert (oldest.started_on, oldest.working_days) == (date(2026, 3, 2), 21)
    assert found.spread.open_overdue == {Lateness.MANY: 2}


def test_a_unit_counts_by_its_own_calendar_as_it_was_known(session: WriteSession) -> None:
    world = twin._world(session, [[_record(finished_at=_at(12))]])  # the twin
    off = CalendarSpec(
        unit=world.root.code,
        exceptions=(DayException(on=date(2026, 3, 11), kind=ExceptionKind.OFF),),
    )
    calendars.put_calendar(session, world.root.code, off, actor="t", now=LATER)

    def late(known_at: datetime | None) -> dict[Lateness, int]:
        question = Question(unit=world.root, period=MARCH, known_at=known_at)
        groups = {
            one: spreads.late_groups(session, question, Count.FINISHED_LATE, one, now=LATER)
            for one in Lateness
        }
        spread = spreads.spreads(session, question, include=EVERYTHING, now=LATER).total.spread
        assert {one for one, found in groups.items() if found} == spread.finished_late.keys()
        return spread.finished_late

    now = spreads.Offices(session, None)
    before = spreads.Offices(session, LATER - JUST)
    for offices in (now, before):
        offices.load([world.root.id])
    assert now.days_late(world.root.id, date(2026, 3, 9), date(2026, 3, 12)) == 2
    assert before.days_late(world.root.id, date(2026, 3, 9), date(2026, 3, 12)) == 3
    assert late(None) == late(LATER - JUST) == {Lateness.FEW: 1}


def test_only_counts_of_late_dossiers_are_listed_by_lateness(session: WriteSession) -> None:
    world = twin._world(session, [[_record()]])  # the twin
    question = Question(unit=world.root, period=MARCH)

    with pytest.raises(LatenessOfLateOnly):
        spreads.late_groups(session, question, Count.RECEIVED, Lateness.FEW, now=LATER)


def test_parts_of_time_have_their_own_spread(session: WriteSession) -> None:
    world = twin._world(session, [[_record(finished_at=_at(12))]])  # the twin
    period = Period(date(2026, 3, 1), date(2026, 4, 30))
    question = Question(unit=world.root, period=period)

    found = spreads.spreads(
        session, question, group_by=["month", "child"], include=EVERYTHING, now=LATER
    )

    child = f"{world.root.code}.A"
    assert set(found.rows) == {(("child", child), ("month", "2026-03"))}
    assert found.of({"child": child, "month": "2026-03"}).spread.taken == {8: 1}
    assert found.of({"child": child, "month": "2026-04"}).spread.taken == {}


# ---------------------------------------------------------------- legs of joint dossiers


def _joint(
    session: WriteSession, told: list[list[Message]]
) -> tuple[World, dict[str, list[Message]]]:
    """Tell a parent, legs of it and dossiers of their own; return the world and its legs."""
    parent = f"R{next(twin._roots) + 1}-0"  # the number of the root that comes next
    first = replace(_record(), recorded_at=FIRST)
    legs = [
        [replace(one, told={**one.told, "parent": parent}) for one in messages] for messages in told
    ]
    world = twin._world(session, [[first], *legs, *told])  # the twin of the figures
    upto = len(told)
    mine = {code: one for code, one in world.told.items() if 0 < int(code.split("-")[1]) <= upto}
    return world, mine


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=2), data=st.data())
def test_legs_are_counted_by_themselves_and_in_no_other_figure(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    world, legs = _joint(session, told)
    others = {code: one for code, one in world.told.items() if code not in legs}
    question, until = twin._asked(world, data)  # as above
    judged = (question.reading, question.period, until, question.known_at)

    figures = reporting.figures(session, question, group_by=["unit"], definitions=[], now=LATER)
    found = spreads.spreads(session, question, group_by=["unit"], include=EVERYTHING, now=LATER)
    wide = reporting.with_rows(figures, found.rows, group_by=["unit"], definitions=[])

    of_legs = twin._tallies(replace(world, told=legs), *judged)
    of_others = twin._tallies(replace(world, told=others), *judged)
    shown = {str(row.keys["unit"]): row for row in wide.rows}
    for code in world.codes.values():
        keys = {"unit": code}
        counted, wanted = found.of(keys).legs, of_legs.get(code, Counter())
        assert {one: counted[one] for one in LEG_COUNTS.values()} == {
            one: wanted[one.value] for one in LEG_COUNTS.values()
        }
        plain, wanted = (
            shown[code].tally if code in shown else Tally(),
            of_others.get(code, Counter()),
        )
        assert plain[Count.RECEIVED] == wanted["received"]
        assert code in shown or not sum(counted.values)
    total = found.total.legs
    assert Tally.total(row.legs for row in found.rows.values()) == total
    assert identities(total)["I1"] == 0
    assert {row.tally for row in wide.rows if row not in figures.rows} <= {Tally()}
    for one in LEG_COUNTS.values():
        behind = reporting.dossiers_behind(
            session, replace(question, legs=True), count=one, limit=500, now=LATER
        )
        assert len(behind) == total[one]
        assert {row.code for row in behind} <= set(legs)


def test_a_unit_with_legs_alone_has_a_row_when_legs_are_asked_for(session: WriteSession) -> None:
    parent = f"R{next(twin._roots) + 1}-0"
    world = twin._world(session, [[_record()], [_record(unit="B", parent=parent)]])
    question, by = Question(unit=world.root, period=MARCH), ["unit", "month"]
    figures = reporting.figures(session, question, group_by=by, definitions=[], now=LATER)
    legs = frozenset({Include.LEGS})

    found = spreads.spreads(session, question, group_by=by, include=legs, now=LATER)
    wide = reporting.with_rows(figures, found.rows, group_by=by, definitions=[])

    (a, b) = sorted(world.codes.values())
    assert [dict(row.keys) for row in figures.rows] == [{"unit": a, "month": "2026-03"}]
    assert [row.keys["unit"] for row in wide.rows] == [a, b]
    assert wide.rows[1].tally == Tally()
    assert wide.total == figures.total
    assert found.of(wide.rows[1].keys).legs[Count.RECEIVED] == 1
