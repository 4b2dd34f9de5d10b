"""Figures from the facts: whatever was told, folded or not, they are those of the scan."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.domain.limits import TimeLimit
from app.domain.period import Period
from app.domain.procedure import LimitVersion, OnlineLevel
from app.domain.record import Message
from app.domain.tally import COUNTS
from app.domain.timeliness import JUST, Reading
from app.store import facts, folding, tallies
from app.store import units as units_of
from app.store.session import WriteSession
from app.store.tallies import Dimension, Scope, Span
from app.store.trees import Units
from app.store.units import UnitRow
from app.usecases import catalogue, ingest
from app.usecases.catalogue import DatedLimit, ProcedureSpec, UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender
from tests.factories import add_dossier, make_source, make_unit
from tests.strategies import FIRST, histories, instants

SOME = settings(
    max_examples=(settings().max_examples + 1) // 2, suppress_health_check=list(HealthCheck)
)
FEW = settings(SOME, max_examples=settings().max_examples // 5)
LIMITS = {
    "P": (TimeLimit.working_days(5), OnlineLevel.FULL, "đất đai"),
    "H": (TimeLimit.same_day(), OnlineLevel.PARTIAL, "hộ tịch"),
}
DAYS = st.integers(-2, 75).map(lambda n: (FIRST + timedelta(days=n)).date())
_roots = count(1)


def _tree(session: WriteSession) -> tuple[UnitRow, Sender]:
    specs = [
        ProcedureSpec(
            code=code,
            name=code,
            online_level=level,
            field=field,
            limits=(DatedLimit(LimitVersion(limit, date(2020, 1, 1))),),
        )
        for code, (limit, level, field) in LIMITS.items()
    ]
    catalogue.put_procedures(session, specs, actor="test", now=FIRST)
    root = make_unit(session, f"F{next(_roots)}")
    for name in "AB":
        make_unit(session, f"{root.code}.{name}", parent=root, name=name)
    return root, Sender(make_source(session), None, root.id, root.lft, root.rgt)


def _tell(
    session: WriteSession,
    told: Sequence[Sequence[Message]],
    data: st.DataObject,
) -> tuple[UnitRow, datetime]:
    """Tell dossiers in random batches, fold between them, and return when the last was told."""
    session.execute(text("DELETE FROM fact_state"))  # of the examples before
    session.execute(text("DELETE FROM dossier_change"))
    root, by = _tree(session)
    coming = sorted(
        (message.recorded_at, number, place)
        for number, messages in enumerate(told)
        for place, message in enumerate(messages)
    )
    now = FIRST
    while coming:
        batch = [coming.pop(0) for _ in range(min(len(coming), data.draw(st.integers(1, 3))))]
        now = max(now + timedelta(minutes=1), batch[-1][0])
        records = [
            Incoming(
                index=index,
                code=f"{root.code}-{number}",
                kind=told[number][place].kind,
                at=told[number][place].at,
                source_updated_at=told[number][place].source_updated_at,
                stamped=told[number][place].stamped,
                told=told[number][place].told,
            )
            for index, (_, number, place) in enumerate(batch)
        ]
        ingest.accept(session, records, by=by, door="native", now=now)
        for _ in range(data.draw(st.integers(0, 2), "folds")):
            folding.fold(session, limit=data.draw(st.sampled_from([1, 2, 1000]), "limit"))
        if data.draw(st.integers(0, 3), "sums") == 0:
            folding.roll_up(session)
    return root, now


def _spans(data: st.DataObject, told_at: datetime) -> list[Span]:
    """Draw periods one after another; the last may be seen from within its last day."""
    first = data.draw(DAYS, "first")
    found = []
    for _ in range(data.draw(st.integers(1, 3), "parts")):
        period = Period(first, first + timedelta(days=data.draw(st.sampled_from([0, 6, 30, 61]))))
        found.append(Span(period.begins, period.ends, period.first, period.last))
        first = period.last + timedelta(days=1)
    last = found[-1]
    ends = data.draw(st.one_of(st.none(), instants, st.just(told_at), st.just(told_at + JUST)))
    if ends is not None and last.begins < ends < last.ends:
        day = Period(last.first, (ends - JUST).astimezone(last.begins.tzinfo).date()).last
        found[-1] = Span(last.begins, ends, last.first, day)
    return found


GROUPINGS: list[tuple[Dimension, ...]] = [
    (),
    (Dimension.UNIT,),
    (Dimension.CHILD,),
    (Dimension.LEVEL, Dimension.CHANNEL),
]


@SOME
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_facts_are_what_the_scan_counts(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    root, told_at = _tell(session, told, data)
    for _ in range(4):
        spans = _spans(data, told_at)
        scope = Scope(
            root.lft,
            data.draw(st.sampled_from([root.lft, root.rgt])),
            reading=data.draw(st.sampled_from([Reading.PROMISED, Reading.EXTENDED])),
            exclude_same_day=data.draw(st.booleans()),
            channel=data.draw(st.sampled_from([None, None, "online", "unknown"])),
            units=data.draw(st.sampled_from(Units)),
        )
        by = data.draw(st.sampled_from(GROUPINGS))
        note(f"{scope} {spans} {by}")

        found = facts.counts(session, scope, spans, by=by, of=root.id)

        if found is None:
            assert spans[-1].ends < told_at
            continue
        for span, rows in zip(spans, found, strict=True):
            scanned = tallies.counts(session, scope, span, by=by, of=root.id)
            assert _shown(rows) == _shown(scanned)


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_a_few_counts_of_units_are_those_among_all(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    root, told_at = _tell(session, told, data)
    span = _spans(data, told_at)[-1]
    scope = Scope(
        root.lft,
        root.rgt,
        reading=data.draw(st.sampled_from([Reading.PROMISED, Reading.EXTENDED])),
        exclude_same_day=data.draw(st.booleans()),
        units=data.draw(st.sampled_from(Units)),
    )
    wanted = data.draw(st.lists(st.sampled_from(COUNTS), min_size=1, max_size=4, unique=True))

    found = facts.sums(session, scope, span, wanted=wanted)

    rows = facts.counts(session, scope, [span], by=[Dimension.UNIT])
    assert (found is None) == (rows is None)
    if rows is not None:
        told_of = {row.keys[0]: tuple(row.tally[one] for one in wanted) for row in rows[0]}
        assert found == {unit: values for unit, values in told_of.items() if any(values)}


def test_sums_of_those_above_are_read_while_the_tree_is_theirs(session: WriteSession) -> None:
    root = make_unit(session)
    below = [make_unit(session, f"H44.{name}", parent=root) for name in "AB"]
    for number, one in enumerate(below):
        add_dossier(session, one, make_source(session), f"HS-{number}")
    period = Period(FIRST.date(), date(2026, 12, 31))
    span = Span(period.begins, period.ends, period.first, period.last)
    scope = Scope(root.lft, root.rgt)
    counted = [_shown(tallies.counts(session, scope, span))]
    while folding.fold(session, limit=1000):
        pass
    folding.roll_up(session)
    assert not folding.is_stale(session)
    session.execute(text("DELETE FROM fact_month WHERE slice < 100"))

    by_sums = facts.counts(session, scope, [span])
    make_unit(session, "H44.C", parent=root)

    assert by_sums is not None
    assert [_shown(rows) for rows in by_sums] == counted
    assert folding.is_stale(session)
    by_units = facts.counts(session, scope, [span])
    assert by_units is not None
    assert [_shown(rows) for rows in by_units] != counted


def test_a_plan_for_any_unit_serves_no_unit_with_others_below_while_the_log_holds_more(
    session: WriteSession,
) -> None:
    root = make_unit(session)
    below = make_unit(session, "H44.A", parent=root)
    folding.roll_up(session)
    add_dossier(session, below, make_source(session), "HS-1")
    period = Period(FIRST.date(), date(2026, 12, 31))
    span = Span(period.begins, period.ends, period.first, period.last)
    scopes = [Scope(unit.lft, unit.rgt) for unit in (root, below)]

    found = [facts.counts(session, scope, [span]) for scope in scopes]

    scanned = [[tallies.counts(session, scope, span)] for scope in scopes]
    assert [[_shown(rows) for rows in one or ()] for one in found] == [
        [_shown(rows) for rows in one] for one in scanned
    ]
    kept = [str(row[0]) for row in session.ask(b"SELECT statement FROM pg_prepared_statements")]
    with_log = [one for one in kept if "tail AS MATERIALIZED" in one]
    assert with_log, "a unit alone is asked by a plan that is kept"
    assert not [one for one in with_log if "f.unit_id = $" in one]


def test_a_new_name_leaves_the_sums_of_those_above_as_good_as_they_were(
    session: WriteSession,
) -> None:
    root = make_unit(session)
    other = make_unit(session, "H45")
    below = [make_unit(session, f"H44.{name}", parent=root) for name in "AB"]
    make_unit(session, "H45.A", parent=other)
    for number, one in enumerate(below):
        add_dossier(session, one, make_source(session), f"HS-{number}")
    period = Period(FIRST.date(), date(2026, 12, 31))
    span = Span(period.begins, period.ends, period.first, period.last)
    scope = Scope(root.lft, root.rgt)
    counted = [_shown(tallies.counts(session, scope, span))]
    while folding.fold(session, limit=1000):
        pass
    folding.roll_up(session)
    session.execute(text("DELETE FROM fact_month WHERE slice < 100"))

    session.execute(text("UPDATE unit SET name = 'A new name' WHERE code = 'H44.A'"))
    make_unit(session, "H45.B", parent=other)

    assert folding.is_stale(session)
    by_sums = facts.counts(session, scope, [span])
    assert by_sums is not None
    assert [_shown(rows) for rows in by_sums] == counted


def _change_tree(session: WriteSession, root: UnitRow, data: st.DataObject, turn: int) -> None:
    """Rename, move, add or end a unit."""
    change = data.draw(st.sampled_from(["name", "move", "back", "add", "end", "begin"]), "change")
    note(change)
    match change:
        case "name":
            wanted = {"code": f"{root.code}.A", "name": f"A {turn}"}
            session.execute(text("UPDATE unit SET name = :name WHERE code = :code"), wanted)
        case "move" | "back":
            parent = f"{root.code}.A" if change == "move" else root.code
            moved = UnitSpec(
                code=f"{root.code}.B", name="B", level=UnitLevel.COMMUNE, parent=parent
            )
            catalogue.put_units(session, [moved], actor="test", now=FIRST)
        case "add":
            parent = data.draw(st.sampled_from([root.code, f"{root.code}.A"]), "below")
            added = UnitSpec(
                code=f"{root.code}.{turn}", name=str(turn), level=UnitLevel.COMMUNE, parent=parent
            )
            catalogue.put_units(session, [added], actor="test", now=FIRST)
        case _:  # it ends, or it never did
            heir = f"{root.code}.A" if change == "end" else None
            session.execute(
                text(
                    "UPDATE unit SET heir_id = (SELECT id FROM unit h WHERE h.code = :heir)"
                    " WHERE code = :code"
                ),
                {"heir": heir, "code": f"{root.code}.B"},
            )


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=2), data=st.data())
def test_sums_of_those_above_follow_the_tree(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    root, told_at = _tell(session, told, data)
    folding.fold(session, limit=1)
    folding.roll_up(session)
    for turn in range(3):
        _change_tree(session, root, data, turn)
        what = data.draw(st.sampled_from(["follow", "fold", "build", "wait"]), "then")
        if what == "follow":
            folding.follow_tree(session)
            assert not folding.is_stale(session)
        elif what == "fold":
            folding.fold(session, limit=2)
        elif what == "build":
            units = session.scalars(text("SELECT id FROM unit WHERE name = 'B'")).all()
            folding.build(session, units)
        span = _spans(data, told_at)[-1]
        for code in (root.code, f"{root.code}.A"):
            place = units_of.get(session, code)
            scope = Scope(place.lft, place.rgt)
            found = facts.counts(session, scope, [span])
            if found is not None:
                assert _shown(found[0]) == _shown(tallies.counts(session, scope, span))

    folding.follow_tree(session)

    assert not folding.is_stale(session)
    assert folding.compare_above(session) == []
    followed = _stored(session)
    folding.roll_up(session)
    assert _stored(session) == followed


def test_only_what_moved_is_summed_anew(session: WriteSession) -> None:
    roots = [make_unit(session, code) for code in ("H44", "H45", "H46")]
    for root in roots:
        for name in "AB":
            unit = make_unit(session, f"{root.code}.{name}", parent=root)
            add_dossier(session, unit, make_source(session), f"HS-{unit.code}")
    folding.fold(session, limit=1000)
    folding.roll_up(session)
    place = text(
        "SELECT unit_id, slice, day, reading, ctid, xmin FROM fact_month WHERE slice >= 100"
        " AND unit_id = :unit ORDER BY 1, 2, 3, 4"
    )
    untouched = session.execute(place, {"unit": roots[2].id}).all()
    moved = UnitSpec(code="H44.B", name="B", level=UnitLevel.COMMUNE, parent="H45")
    catalogue.put_units(session, [moved], actor="test", now=FIRST)

    folding.follow_tree(session)

    assert untouched
    assert session.execute(place, {"unit": roots[2].id}).all() == untouched
    assert folding.compare_above(session) == []
    held = text(
        "SELECT u.code FROM fact_lineage l JOIN unit u ON u.id = l.unit_id"
        " WHERE above_id = :unit ORDER BY 1"
    )
    assert session.scalars(held, {"unit": roots[0].id}).all() == ["H44", "H44.A"]
    assert session.scalars(held, {"unit": roots[1].id}).all() == ["H44.B", "H45", "H45.A", "H45.B"]


def _shown(rows: Sequence[tallies.Row]) -> dict[object, dict[str, int]]:
    return {
        row.keys: {name: value for name, value in row.tally.to_dict().items() if value}
        for row in rows
        if any(row.tally.values)
    }


MONTHS = [
    Period(date(2026, month, 1), date(2026, month, last))
    for month, last in ((3, 31), (4, 30), (5, 31))
]


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_facts_of_procedures_are_what_the_scan_counts(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    root, _ = _tell(session, told, data)
    spans = [Span(one.begins, one.ends, one.first, one.last) for one in MONTHS]
    if data.draw(st.booleans(), "as one quarter"):
        spans = [Span(spans[0].begins, spans[2].ends, spans[0].first, spans[2].last)]
    by = data.draw(st.sampled_from([(Dimension.PROCEDURE,), (Dimension.FIELD, Dimension.UNIT), ()]))
    scope = Scope(
        root.lft,
        root.rgt,
        reading=data.draw(st.sampled_from([Reading.PROMISED, Reading.EXTENDED])),
        procedure=data.draw(st.sampled_from([None, "P", tallies.UNKNOWN])),
    )

    found = facts.counts(session, scope, spans, by=by, of=root.id)

    assert found is not None
    for span, rows in zip(spans, found, strict=True):
        assert _shown(rows) == _shown(tallies.counts(session, scope, span, by=by, of=root.id))


@FEW
@given(told=st.lists(histories(("A", "B")), min_size=1, max_size=3), data=st.data())
def test_a_recount_finds_no_difference_and_building_is_folding(
    session: WriteSession, told: list[list[Message]], data: st.DataObject
) -> None:
    root, _ = _tell(session, told, data)
    below = text("SELECT id FROM unit WHERE lft BETWEEN :lft AND :rgt")
    units = session.scalars(below, {"lft": root.lft, "rgt": root.rgt}).all()

    assert folding.compare(session, units) == []
    assert folding.compare_above(session) == []

    session.execute(text("SAVEPOINT told"))
    while folding.fold(session, limit=1000):
        pass
    folded = _stored(session)
    assert folding.compare(session, units) == []
    assert folding.compare_above(session) == []
    session.execute(text("ROLLBACK TO told"))
    folding.build(session, units)

    assert folding.waiting(session) == 0
    assert _stored(session) == folded
    assert folding.compare(session, units) == []
    assert folding.compare_above(session) == []
    folding.roll_up(session)
    assert folding.compare_above(session) == []


def _stored(session: WriteSession) -> list[tuple[object, ...]]:
    """Return every number of the facts that is not 0."""
    found: list[tuple[object, ...]] = []
    for table in ("fact_day", "fact_month", "fact_year", "fact_procedure_month"):
        rows = session.execute(text(f"SELECT * FROM {table}")).mappings()
        keys = ("unit_id", "procedure_id", "day", "reading", "slice")
        found += [
            (table, *(row.get(key) for key in keys), name, value)
            for row in rows
            for name, value in row.items()
            if name not in keys and value
        ]
    corners = session.execute(text("SELECT * FROM fact_corner WHERE n <> 0"))
    found += [("corner", *row) for row in corners]
    return sorted(found, key=repr)
