"""Late dossiers by the state of their letter."""

from datetime import date, timedelta

from app.domain.letter import LetterState
from app.domain.period import Period
from app.domain.timeliness import State
from app.store import letters, tables
from app.store.letters import Wanted
from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import (
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
)

NOW = local("2026-08-20", 9)
DUE = date(2026, 8, 6)
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


def wanted(unit: UnitRow, state: LetterState, period: Period = AUGUST) -> Wanted:
    return Wanted(
        unit.lft,
        unit.rgt,
        state,
        period.first,
        period.last,
        period.begins,
        period.ends,
        NOW,
    )


def codes(session: WriteSession, asked: Wanted) -> list[str]:
    found = [row.place.code for row in letters.page(session, asked, after=None, limit=99)]
    assert letters.count(session, asked) == len(found)
    return found


def fill(session: WriteSession) -> UnitRow:
    unit, source_id = make_unit(session), make_source(session)
    late = finished_course(local("2026-08-01", 9), DUE, local("2026-08-10", 9))
    good = finished_course(local("2026-08-01", 9), DUE, local("2026-08-05", 9))
    issued = {"apology_at": local("2026-08-07", 10)}
    exempt = {"apology_exempt": True}
    add_dossier(session, unit, source_id, "open", due_on=DUE)
    add_dossier(session, unit, source_id, "late", due_on=DUE, course=late)
    add_dossier(session, unit, source_id, "good", due_on=DUE, course=good)
    add_dossier(session, unit, source_id, "ahead", due_on="2026-08-28")
    add_dossier(session, unit, source_id, "july", due_on="2026-07-28")
    add_dossier(session, unit, source_id, "open-issued", due_on=DUE, **issued)
    add_dossier(session, unit, source_id, "late-issued", due_on=DUE, course=late, **issued)
    add_dossier(session, unit, source_id, "open-exempt", due_on=DUE, **exempt)
    add_dossier(session, unit, source_id, "leg", due_on=DUE, is_counted=False)
    return unit


def test_each_late_dossier_is_in_the_list_of_its_letter(session: WriteSession) -> None:
    unit = fill(session)

    found = {state: set(codes(session, wanted(unit, state))) for state in LetterState}

    assert found == {
        LetterState.OWED: {"open", "late"},
        LetterState.ISSUED: {"open-issued", "late-issued"},
        LetterState.EXEMPT: {"open-exempt"},
    }
    july = Period(date(2026, 7, 1), date(2026, 7, 31))
    assert codes(session, wanted(unit, LetterState.OWED, july)) == ["july"]
    assert codes(session, wanted(unit, LetterState.ISSUED, july)) == []


def test_a_list_goes_on_where_it_stopped(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    for n in range(5):
        add_dossier(session, unit, source_id, f"D{n}", due_on=DUE - timedelta(days=n % 2))
    asked = wanted(unit, LetterState.OWED)

    seen, after = [], None
    while page := letters.page(session, asked, after=after, limit=2):
        seen += [row.place.code for row in page]
        after = page[-1].place

    assert seen == ["D1", "D3", "D0", "D2", "D4"]


def test_the_index_of_letters_names_the_state_of_the_domain() -> None:
    index = next(one for one in tables.dossier.indexes if one.name == "ix_dossier_letter_owed")

    where = str(index.dialect_options["postgresql"]["where"])
    assert f"= {State.FINISHED_LATE:d} " in where
