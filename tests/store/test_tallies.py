"""Counting in SQL: the last edge before an instant, and lists as long as their figures.

That the counts are those of the Python decision is held in tests/usecases/test_reporting.py.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from app.domain.period import Period
from app.domain.tally import CATALOGUE_COUNTS, COUNTS, Count
from app.domain.timeliness import Reading, State
from app.store import procedures, tallies
from app.store.session import WriteSession
from app.store.tallies import CONDITIONS, Dimension, Listed, Scope, Span
from app.usecases import catalogue
from app.usecases.catalogue import ProcedureSpec
from tests.factories import (
    Course,
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
    open_course,
)

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


def span(period: Period = MARCH) -> Span:
    """Return a period to its end."""
    return Span(period.begins, period.ends, period.first, period.last)


def test_every_count_of_dossiers_has_one_condition() -> None:
    assert set(CONDITIONS) == set(COUNTS) - CATALOGUE_COUNTS


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize("known_at", [None, local("2026-03-20")])
def test_every_figure_is_as_long_as_its_list(
    session: WriteSession, reading: Reading, known_at: object
) -> None:
    unit = make_unit(session)
    for number in range(4):
        add_dossier(session, unit, make_source(session), f"HS-{number}", course=_course(number))
    scope = Scope(unit.lft, unit.rgt, reading=reading, known_at=known_at)  # type: ignore[arg-type]  # None or an instant

    rows = tallies.counts(session, scope, span())
    for count in CONDITIONS:
        found = tallies.listed(session, scope, span(), count=count, limit=100)

        assert len(found) == sum(row.tally[count] for row in rows), count


def test_pages_of_many_units_are_the_list_in_its_order(session: WriteSession) -> None:
    province = make_unit(session)
    units = [make_unit(session, f"H44.{number}", parent=province) for number in range(100, 125)]
    for number in (0, 1, 7, 7, 7, 8, 21, 24, 24):
        made = number + session.scalar(text("SELECT count(*) FROM dossier"))
        add_dossier(session, units[number], make_source(session), f"HS-{made}", course=_course(0))
    scope = Scope(province.lft, province.rgt)
    whole = tallies.listed(session, scope, span(), limit=100)

    for size in (1, 2, 4, 9):
        paged: list[Listed] = []
        while found := tallies.listed(
            session, scope, span(), after=paged[-1].place if paged else None, limit=size
        ):
            assert len(found) == min(size, len(whole) - len(paged))
            paged += found

        assert paged == whole
    assert [one.place for one in whole] == sorted(one.place for one in whole)
    assert len(whole) == 9


def test_an_edge_counts_from_the_instant_after_it(session: WriteSession) -> None:
    unit = make_unit(session)
    add_dossier(session, unit, make_source(session), "HS-1", course=_course(0))
    scope = Scope(unit.lft, unit.rgt)
    lapse = local("2026-03-10")

    for ends, expected in ((lapse, State.OPEN_IN_TIME), (lapse + _STEP, State.OPEN_OVERDUE)):
        upto = Span(MARCH.begins, ends, MARCH.first, date(2026, 3, 10))
        found = tallies.listed(session, scope, upto, limit=9)

        assert [one.state for one in found] == [expected]


def test_children_add_up_to_the_whole(session: WriteSession) -> None:
    province = make_unit(session)
    communes = [make_unit(session, f"H44.{n}", parent=province) for n in (100, 101)]
    for number, commune in enumerate((*communes, communes[0])):
        add_dossier(session, commune, make_source(session), f"HS-{number}", course=_course(number))
    scope = Scope(province.lft, province.rgt)

    rows = tallies.counts(session, scope, span(), by=[Dimension.CHILD], of=province.id)
    whole = tallies.counts(session, scope, span())

    assert [(row.keys, row.tally[Count.RECEIVED]) for row in rows] == [
        (("H44.100",), 2),
        (("H44.101",), 1),
    ]
    assert whole[0].tally == rows[0].tally + rows[1].tally


def test_the_field_of_a_procedure_is_that_which_was_known(session: WriteSession) -> None:
    unit = make_unit(session)
    for field, day in (("OLD", "2026-03-03"), ("NEW", "2026-03-20")):
        catalogue.put_procedures(
            session,
            [ProcedureSpec(code="1.1", name="P", field=field)],
            actor="test",
            now=local(day),
        )
    number = procedures.by_code(session, ["1.1"])["1.1"].id
    course = _course(0)
    add_dossier(
        session,
        unit,
        make_source(session),
        "HS-1",
        course=course,
        procedure_id=number,
        recorded_at=local("2026-03-05"),
    )

    for known_at, field in (
        (local("2026-03-10"), "OLD"),
        (local("2026-03-25"), "NEW"),
        (None, "NEW"),
    ):
        scope = Scope(unit.lft, unit.rgt, known_at=known_at)
        rows = tallies.counts(session, scope, span(), by=[Dimension.FIELD])
        found = tallies.listed(session, replace(scope, field=field), span(), limit=9)

        assert [row.keys for row in rows] == [(field,)]
        assert [one.code for one in found] == ["HS-1"]


_STEP = timedelta(microseconds=1)


def _course(number: int) -> Course:
    received_at = local("2026-03-02", 9)
    due_on = date(2026, 3, 9)
    if number == 0:
        return open_course(received_at, due_on)
    return finished_course(received_at, due_on, local(date(2026, 3, 6 + number), 9))
