"""Sheets are filled only on request, and nothing told by hand is lost."""

from datetime import UTC, date, datetime

import pytest

from app.domain.assessment import read_period
from app.domain.petition import Petition, PetitionKind
from app.domain.publication import Publication
from app.feeds.sheet import ColumnsMissing
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import catalogue, filling, inputs, registers
from app.usecases.access import OPERATOR
from app.usecases.catalogue import ProcedureSpec
from app.usecases.filling import COLUMNS
from app.usecases.inputs import Tell
from app.usecases.registers import Filed, Posting, Teller
from app.usecases.subtree import Subtree
from tests.factories import make_unit
from tests.files import as_csv

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
TODAY = date(2026, 8, 10)
PROFILE = "qd766.profile-2026"
JULY = read_period("2026-07")
HEADER = [one.names[0] for one in COLUMNS]


@pytest.fixture
def province(session: WriteSession) -> UnitRow:
    """Give a province with two communes, one of which keeps its registers."""
    root = make_unit(session, "H44")
    make_unit(session, "H44.1", parent=root)
    make_unit(session, "H44.2", parent=root)
    catalogue.put_procedure(session, ProcedureSpec(code="P", name="P"), actor="t", now=NOW)
    by = Teller("t", Subtree(root.lft, root.rgt), NOW, TODAY)
    told = [
        Petition(date(2026, 7, 1), answered_on=date(2026, 7, 6), satisfied=True),
        Petition(date(2026, 7, 1), answered_on=date(2026, 7, 30), satisfied=False),
    ]
    filed = [
        Filed("H44.1", str(place), PetitionKind.REFLECTION, one) for place, one in enumerate(told)
    ]
    registers.put_petitions(session, filed, by=by)
    public = Publication(date(2026, 1, 1), at_office_on=date(2026, 2, 1))
    registers.put_postings(session, [Posting("H44.1", "P", public)], by=by)
    return root


def held(session: WriteSession, row: UnitRow | str) -> dict[str, object]:
    code = row if isinstance(row, str) else row.code
    found = inputs.put(session, PROFILE, JULY, code, {}, who=OPERATOR, now=NOW)
    return {name: one.value for name, one in found.sheet.inputs.items()}


def fill(session: WriteSession, root: UnitRow) -> filling.Filled:
    return filling.from_registers(session, PROFILE, JULY, root=root, who=OPERATOR, now=NOW)


def test_a_unit_gets_what_it_and_those_below_told_and_a_silent_one_gets_nothing(
    session: WriteSession, province: UnitRow
) -> None:
    done = fill(session, province)

    counts = {
        "pet_total": "2",
        "pet_on_time": "1",
        "pet_rated": "2",
        "pet_satisfied": "1",
        "updated_on_time": "0",
        "update_due": "0",
        "content_full": "0",
        "content_total": "1",
    }
    assert held(session, "H44.1") == counts
    assert held(session, province) == counts
    assert held(session, "H44.2") == {}
    assert done.changed == {"H44": 8, "H44.1": 8}
    assert done.refused == ()


def test_filling_again_writes_nothing_and_a_number_told_by_hand_stays(
    session: WriteSession, province: UnitRow
) -> None:
    by_hand = {"pet_total": Tell(3, None, "đếm lại")}
    inputs.put(session, PROFILE, JULY, "H44.1", by_hand, who=OPERATOR, now=NOW)
    fill(session, province)

    again = fill(session, province)

    assert held(session, "H44.1")["pet_total"] == "3"
    assert again.changed == {"H44": 0, "H44.1": 0}


def test_a_file_writes_units_apart_and_names_what_it_could_not(
    session: WriteSession, province: UnitRow
) -> None:
    rows: list[list[object]] = [
        ["H44.1", "synced", "1869", ""],
        ["H44.1", "online", "6.31", "cổng quốc gia"],
        ["H44.2", "synced", "10", ""],
        ["H44.2", "no_such", "1", ""],
        ["H44.1", "synced", "1", ""],
        ["H44.9", "synced", "1", ""],
        ["", "synced", "1", ""],
    ]

    done = filling.from_file(
        session, PROFILE, JULY, as_csv(rows, HEADER), who=OPERATOR, now=NOW, author="B"
    )

    assert done.changed == {"H44.1": 2}
    assert held(session, "H44.1") == {"synced": "1869", "online": "6.31"}
    assert held(session, "H44.2") == {}
    assert [(place, [one.code for one in faults]) for place, faults in done.refused] == [
        ("6", ["input.twice"]),
        ("8", ["field.missing"]),
        ("H44.2", ["input.unknown"]),
        ("H44.9", ["unit.unknown"]),
    ]
    assert province.code == "H44"


def test_a_table_of_something_else_is_refused(session: WriteSession) -> None:
    with pytest.raises(ColumnsMissing):
        filling.from_file(session, PROFILE, JULY, as_csv([["a"]], ["x"]), who=OPERATOR, now=NOW)
