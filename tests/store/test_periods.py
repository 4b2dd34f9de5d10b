"""Closed periods as rows: written once, found around the tree, summed again."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.domain.frozen import Closing, FrozenRow, FrozenUnit, Gap
from app.domain.restatement import Seen
from app.store import periods
from app.store.periods import PeriodRow
from app.store.session import WriteSession
from app.store.tables import dossier
from app.store.units import UnitRow
from tests.factories import add_dossier, make_source, make_unit

NOW = datetime(2026, 8, 5, 2, 0, tzinfo=UTC)
ROWS = [
    FrozenRow("promised", "A", "F", "P", False, (3, 1)),
    FrozenRow("promised", "A", "F", "P", True, (4, 0)),
    FrozenRow("promised", "A", None, None, False, (1, 1)),
    FrozenRow("promised", "B", "F", "Q", False, (5, 2)),
    FrozenRow("extended", "A", "F", "P", False, (3, 0)),
]


def closing_of(unit: UnitRow, at: datetime = NOW, month: int = 7) -> Closing:
    return Closing(
        unit=unit.code,
        first=date(2026, month, 1),
        last=date(2026, month, 28),
        kind=None,
        label=None,
        as_of=at,
        known_at=at,
        closed_at=at,
        closed_by="t",
        document=None,
        readings=("promised", "extended"),
        counts=("received", "finished_late"),
        definitions=("on_time_of_finished@1",),
        default_definition="on_time_of_finished@1",
        units=(FrozenUnit(unit.code, unit.name, unit.level, None),),
        gaps={unit.code: Gap(date(2026, 7, 2), ("mot-cua",))},
    )


def add(session: WriteSession, unit: UnitRow, at: datetime = NOW, month: int = 7) -> uuid.UUID:
    identifier = uuid.uuid4()
    closing = closing_of(unit, at, month)
    assert periods.add(session, identifier, unit.id, closing, ROWS, digest="d")
    return identifier


def found(session: WriteSession, identifier: uuid.UUID) -> PeriodRow:
    one = periods.find(session, identifier)
    assert one is not None
    return one


def test_a_closed_period_is_given_back_as_it_was_written(session: WriteSession) -> None:
    unit = make_unit(session)

    one = found(session, add(session, unit))

    assert one.closing == closing_of(unit)
    assert (one.unit_lft, one.unit_rgt, one.rows, one.digest) == (unit.lft, unit.rgt, 5, "d")
    assert sorted(periods.rows_of(session, one), key=lambda row: row.order) == sorted(
        ROWS, key=lambda row: row.order
    )
    assert periods.find(session, uuid.uuid4()) is None


def test_the_same_days_of_a_unit_are_written_once(session: WriteSession) -> None:
    unit = make_unit(session)
    add(session, unit)

    assert not periods.add(session, uuid.uuid4(), unit.id, closing_of(unit), ROWS, digest="e")
    assert periods.find_closed(session, unit.id, date(2026, 7, 1), date(2026, 7, 28)) is not None
    assert periods.find_closed(session, unit.id, date(2026, 7, 1), date(2026, 7, 27)) is None


def test_periods_are_found_below_a_unit_and_above_it_newest_first(session: WriteSession) -> None:
    root = make_unit(session)
    left = make_unit(session, "H44.1", parent=root)
    right = make_unit(session, "H44.2", parent=root)
    made = {
        unit.code: add(session, unit, NOW + timedelta(days=day))
        for day, unit in enumerate((root, left, right))
    }

    def codes(unit: UnitRow, after: tuple[datetime, uuid.UUID] | None = None) -> list[str]:
        page = periods.page(session, lft=unit.lft, rgt=unit.rgt, after=after, limit=10)
        return [one.closing.unit for one in page]

    assert codes(root) == ["H44.2", "H44.1", "H44"]
    assert codes(left) == ["H44.1", "H44"]
    assert codes(root, (NOW + timedelta(days=1), made["H44.1"])) == ["H44"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {("A", None, None): (8, 2), ("B", None, None): (5, 2)}),
        ({"exclude_same_day": True}, {("A", None, None): (4, 2), ("B", None, None): (5, 2)}),
        ({"units": ["B"]}, {("B", None, None): (5, 2)}),
        ({"field": "~"}, {("A", None, None): (1, 1)}),
        ({"procedure": "P"}, {("A", None, None): (7, 1)}),
        ({"reading": "extended"}, {("A", None, None): (3, 0)}),
        (
            {"by_field": True, "by_procedure": True, "units": ["A"]},
            {("A", "F", "P"): (7, 1), ("A", None, None): (1, 1)},
        ),
    ],
)
def test_rows_are_added_up_as_asked(
    session: WriteSession, asked: dict[str, object], expected: dict[object, tuple[int, int]]
) -> None:
    one = found(session, add(session, make_unit(session)))
    plain: dict[str, object] = {
        "reading": "promised",
        "units": ["A", "B"],
        "by_field": False,
        "by_procedure": False,
        "exclude_same_day": False,
        "unknown": "~",
    }

    sums = periods.sums(session, one, **(plain | asked))  # type: ignore[arg-type]  # by keyword

    assert {(row.unit, row.field, row.procedure): row.counts for row in sums} == expected


def test_what_is_believed_of_a_dossier_is_seen_now_and_then(session: WriteSession) -> None:
    unit = make_unit(session)
    source_id = make_source(session)
    add_dossier(session, unit, source_id, "D", first_recorded_at=NOW)
    session.execute(sa.update(dossier).values(recorded_at=NOW))
    key = (source_id, "D")

    assert periods.seen(session, [key], known_at=None) == {
        key: Seen(frozenset({unit.id}), None, is_counted=True, has_succeeded=False)
    }
    assert periods.seen(session, [key], known_at=NOW).keys() == {key}
    assert periods.seen(session, [key], known_at=NOW - timedelta(seconds=1)) == {}
    assert periods.source_codes(session) == {source_id: "mot-cua"}
