"""Trees: of today, of a day, as known at a moment, with each unit shown once."""

from dataclasses import dataclass, field
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.store import access, trees, units
from app.store.session import WriteSession
from app.store.trees import Units, timeline
from app.usecases import catalogue
from app.usecases.catalogue import UnitLevel, UnitSpec
from tests.factories import local
from tests.store.test_successions import follow

BEFORE = local("2025-06-01", 8)
AFTER = local("2025-07-02", 8)
REFORM = date(2025, 7, 1)


def tell(session: WriteSession, *specs: UnitSpec, now: datetime = BEFORE) -> None:
    """Tell units."""
    catalogue.put_units(session, specs, actor="test", now=now)


def spec(
    code: str, parent: str | None, level: str = "commune", since: date | None = None
) -> UnitSpec:
    """Return what is told of a unit."""
    return UnitSpec(code=code, name=code, level=UnitLevel(level), parent=parent, parent_since=since)


@dataclass
class Asked:
    """A question about the tree below one unit."""

    session: WriteSession
    root: str = "H44"
    options: dict[str, object] = field(default_factory=dict)

    def shown(self, root: str = "H44", *, own: bool = False, **options: object) -> dict[str, str]:
        """Return the code under which each unit is shown."""
        return {old: new for old, new, _, _ in self.rows(root, own=own, **options)}

    def rows(
        self, root: str, *, own: bool = False, **options: object
    ) -> list[tuple[str, str, str, str | None]]:
        """Return each unit with the code, level and child that show it."""
        top = units.get(self.session, root)
        tree = trees.of(
            self.session,
            lft=top.lft,
            rgt=top.lft if own else top.rgt,
            above=top.id,
            **options,  # type: ignore[arg-type]  # the options of trees.of by name
        )
        found = self.session.execute(
            text(
                f"WITH shown AS ({tree.relation}) SELECT u.code, w.unit, w.level, w.child"
                " FROM shown w JOIN unit u ON u.id = w.unit_id ORDER BY u.code"
            ),
            tree.parameters,
        )
        return [(row[0], row[1], row[2], row[3]) for row in found]


@pytest.fixture
def asked(session: WriteSession) -> Asked:
    """Return a province with two districts of two communes each, before the reform."""
    tell(
        session,
        spec("H44", None, "province"),
        *(spec(f"H44.{d}", "H44", "district") for d in "AB"),
        *(spec(f"H44.{d}.{n}", f"H44.{d}") for d in "AB" for n in (1, 2)),
    )
    return Asked(session)


EVERY = {"H44", "H44.A", "H44.A.1", "H44.A.2", "H44.B", "H44.B.1", "H44.B.2"}


def test_without_changes_all_trees_are_one(asked: Asked) -> None:
    for options in (
        {"units": Units.AS_NOW},
        {"units": Units.AS_WAS, "day": date(2020, 1, 1)},
        {"units": Units.AS_NOW, "known_at": AFTER},
    ):
        assert asked.shown(**options) == {code: code for code in EVERY}
        assert asked.shown("H44.A", **options) == {
            code: code for code in EVERY if code.startswith("H44.A")
        }
        assert asked.shown(own=True, **options) == {"H44": "H44"}


def test_children_are_those_of_the_unit_asked_for(asked: Asked) -> None:
    rows = asked.rows("H44")

    assert [(code, child) for code, _, _, child in rows][:4] == [
        ("H44", None),
        ("H44.A", "H44.A"),
        ("H44.A.1", "H44.A"),
        ("H44.A.2", "H44.A"),
    ]


def test_a_unit_that_moved_counts_where_it_stood_on_the_day(asked: Asked) -> None:
    tell(asked.session, spec("H44.A.1", "H44", since=REFORM), now=AFTER)

    for day, below in ((date(2025, 6, 30), {"H44.A", "H44.A.1", "H44.A.2"}), (REFORM, None)):
        found = asked.shown("H44.A", units=Units.AS_WAS, day=day)
        assert set(found) == (below or {"H44.A", "H44.A.2"})
    assert set(asked.shown("H44.A")) == {"H44.A", "H44.A.2"}
    rows = {code: child for code, _, _, child in asked.rows("H44", units=Units.AS_WAS, day=REFORM)}
    assert rows["H44.A.1"] == "H44.A.1"
    before = asked.rows("H44", units=Units.AS_WAS, day=date(2025, 6, 30))
    assert {code: child for code, _, _, child in before}["H44.A.1"] == "H44.A"


def test_a_move_without_a_day_was_always_so_and_was_not_known_before(asked: Asked) -> None:
    tell(asked.session, spec("H44.A.1", "H44.B"), now=AFTER)

    assert "H44.A.1" in asked.shown("H44.B", units=Units.AS_WAS, day=date(2020, 1, 1))
    assert "H44.A.1" in asked.shown("H44.A", known_at=BEFORE)
    assert "H44.A.1" not in asked.shown("H44.A", known_at=AFTER)


def test_a_level_told_later_was_another_before(asked: Asked) -> None:
    tell(asked.session, spec("H44.A.1", "H44.A", "service_point"), now=AFTER)

    levels = {code: level for code, _, level, _ in asked.rows("H44", known_at=BEFORE)}

    assert levels["H44.A.1"] == "commune"
    assert {code: level for code, _, level, _ in asked.rows("H44")}["H44.A.1"] == "service_point"


def test_a_unit_that_ceased_is_shown_as_its_successor_today_and_as_itself_at_its_time(
    asked: Asked,
) -> None:
    old, new = (units.get(asked.session, code) for code in ("H44.A.1", "H44.B.1"))
    follow(asked.session, old, new, day=REFORM)

    assert asked.shown()["H44.A.1"] == "H44.B.1"
    assert asked.shown("H44.B")["H44.A.1"] == "H44.B.1"
    assert "H44.A.1" not in asked.shown("H44.A")
    assert asked.shown("H44.B.1", own=True) == {"H44.A.1": "H44.B.1", "H44.B.1": "H44.B.1"}
    assert asked.shown("H44.A.1", own=True) == {}
    assert asked.shown(units=Units.AS_WAS, day=REFORM)["H44.A.1"] == "H44.A.1"
    rows = {code: child for code, _, _, child in asked.rows("H44")}
    assert rows["H44.A.1"] == "H44.B"


def test_a_succession_is_not_known_before_it_was_told(asked: Asked) -> None:
    old, new = (units.get(asked.session, code) for code in ("H44.A.1", "H44.B.1"))
    follow(asked.session, old, new, day=REFORM)

    assert asked.shown(known_at=AFTER)["H44.A.1"] == "H44.A.1"
    assert asked.shown(known_at=local("2026-07-03"))["H44.A.1"] == "H44.B.1"


def test_a_unit_that_was_not_known_is_in_no_tree_of_that_time(asked: Asked) -> None:
    tell(asked.session, spec("H44.C", "H44", "district"), now=AFTER)

    assert "H44.C" not in asked.shown(known_at=BEFORE)
    assert asked.shown("H44.C", known_at=BEFORE) == {}


def test_places_are_those_under_which_figures_are_shown(asked: Asked) -> None:
    old, new = (units.get(asked.session, code) for code in ("H44.A.1", "H44.B.1"))
    follow(asked.session, old, new, day=REFORM)
    tell(asked.session, spec("H44.A.2", "H44", since=REFORM), now=AFTER)
    root = units.get(asked.session, "H44")

    for options in (
        {"units": Units.AS_NOW},
        {"units": Units.AS_NOW, "known_at": BEFORE},
        {"units": Units.AS_WAS, "day": REFORM},
        {"units": Units.AS_WAS, "day": date(2025, 6, 30)},
    ):
        found = trees.places(asked.session, lft=root.lft, rgt=root.rgt, **options)
        assert {one.code for one in found} == set(asked.shown(**options).values())
        parents = {one.code: one.parent for one in found}
        moved = options.get("day") == REFORM or options == {"units": Units.AS_NOW}
        assert parents["H44.A.2"] == ("H44" if moved else "H44.A")


def test_the_whole_installation_is_every_root(asked: Asked) -> None:
    tell(asked.session, spec("H15", None, "province"), now=AFTER)
    lft, rgt = access.WHOLE

    for known_at, expected in ((None, EVERY | {"H15"}), (BEFORE, EVERY)):
        tree = trees.of(asked.session, lft=lft, rgt=rgt, known_at=known_at)
        codes = asked.session.scalars(
            text(f"WITH shown AS ({tree.relation}) SELECT unit FROM shown"), tree.parameters
        )
        assert set(codes) == expected


def test_a_day_told_again_corrects_the_day_and_no_day_the_parent() -> None:
    first, second = date(2025, 7, 1), date(2025, 8, 1)

    assert timeline([("A", None), ("P", first)]) == [(None, "A"), (first, "P")]
    assert timeline([("A", None), ("P", first), ("P", second)]) == [(None, "A"), (second, "P")]
    assert timeline([("A", None), ("P", second), ("P", first)]) == [(None, "A"), (first, "P")]
    assert timeline([("A", None), ("P", first), ("Q", None)]) == [(None, "Q")]
    assert timeline([("A", None), ("P", first), ("Q", first)]) == [(None, "A"), (first, "Q")]


_days = st.integers(1, 28).map(lambda day: date(2025, 7, day))


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.one_of(st.none(), _days)), min_size=1))
def test_the_last_told_parent_holds_today(told: list[tuple[str, date | None]]) -> None:
    found = timeline([(parent, since) for parent, since in told])

    assert found[0][0] is None
    assert found[-1][1] == told[-1][0]
    days = [since for since, _ in found[1:]]
    assert days == sorted(set(days), key=lambda day: day or REFORM)
