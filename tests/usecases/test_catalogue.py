"""Units and procedures: told, changed, kept as revisions."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, PauseKind, PausePolicy
from app.domain.procedure import LimitVersion, OnlineLevel
from app.domain.record import Channel
from app.store.procedures import ProcedureUnknown
from app.store.session import WriteSession
from app.store.tables import audit, procedure_revision, unit_revision
from app.store.units import UnitUnknown
from app.usecases import catalogue
from app.usecases.catalogue import (
    Change,
    DatedLimit,
    LimitTwice,
    ParentLoop,
    ParentUnknown,
    ProcedureSpec,
    ProcedureTwice,
    RootForbidden,
    SharedCatalogue,
    UnitLevel,
    UnitSpec,
    UnitTwice,
    ValidityReversed,
)
from app.usecases.subtree import Subtree

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


def unit(code: str, parent: str | None = None, **changes: object) -> UnitSpec:
    values: dict[str, object] = {"name": code, "level": UnitLevel.COMMUNE, "parent": parent}
    return UnitSpec(code=code, **(values | changes))  # type: ignore[arg-type]  # a factory


def put(
    session: WriteSession, *specs: UnitSpec, within: Subtree = catalogue.EVERYWHERE
) -> list[Change]:
    done = catalogue.put_units(session, specs, actor="test", now=NOW, within=within)
    return [one.change for one in done]


class TestUnits:
    def test_parents_may_come_after_their_children(self, session: WriteSession) -> None:
        changes = put(session, unit("A.1.1", "A.1"), unit("A.1", "A"), unit("A"))

        assert changes == [Change.CREATED] * 3
        assert catalogue.get_unit(session, "A.1.1").depth == 2

    def test_the_same_again_changes_nothing_and_leaves_no_line(self, session: WriteSession) -> None:
        put(session, unit("A"))

        assert put(session, unit("A")) == [Change.UNCHANGED]
        assert session.scalar(sa.select(sa.func.count()).select_from(unit_revision)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(audit)) == 1

    def test_every_state_is_kept_with_who_told_it(self, session: WriteSession) -> None:
        put(session, unit("A"))
        put(session, unit("A", name="Tên mới"))

        told = sa.select(unit_revision.c.seq, unit_revision.c.spec).order_by(unit_revision.c.seq)
        rows = session.execute(told).all()
        assert [(seq, spec["name"]) for seq, spec in rows] == [(1, "A"), (2, "Tên mới")]
        line = session.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(1)).one()
        assert (line.action, line.before["name"], line.after["name"]) == (
            "unit.put",
            "A",
            "Tên mới",
        )

    def test_a_unit_moves_with_all_below_it(self, session: WriteSession) -> None:
        put(session, unit("A"), unit("B"), unit("A.1", "A"), unit("A.1.1", "A.1"))

        put(session, unit("A.1", "B"))

        new_root, leaf = catalogue.get_unit(session, "B"), catalogue.get_unit(session, "A.1.1")
        assert new_root.lft < leaf.lft <= new_root.rgt

    def test_what_cannot_be_is_refused(self, session: WriteSession) -> None:
        put(session, unit("A"), unit("A.1", "A"))
        a1 = catalogue.get_unit(session, "A.1")
        below = Subtree(a1.lft, a1.rgt)

        with pytest.raises(ParentLoop):
            put(session, unit("A", "A.1"))
        with pytest.raises(ParentLoop):
            put(session, unit("X", "Y"), unit("Y", "X"))
        with pytest.raises(ParentUnknown):
            put(session, unit("X", "nothing"))
        with pytest.raises(UnitTwice):
            put(session, unit("X"), unit("X"))
        with pytest.raises(RootForbidden):
            put(session, unit("X"), within=below)
        with pytest.raises(ParentUnknown):
            put(session, unit("X", "A"), within=below)
        with pytest.raises(UnitUnknown):
            put(session, unit("A", name="changed"), within=below)
        with pytest.raises(UnitUnknown):
            catalogue.get_unit(session, "A", within=below)
        with pytest.raises(ValidityReversed):
            unit("X", valid_from=date(2026, 1, 2), valid_to=date(2026, 1, 1))

    def test_a_province_is_told_at_once(self, session: WriteSession) -> None:
        specs = [unit("H44"), *(unit(f"H44.{number}", "H44") for number in range(162))]

        assert put(session, *specs) == [Change.CREATED] * 163
        assert put(session, *specs) == [Change.UNCHANGED] * 163


def limit(**changes: object) -> DatedLimit:
    values: dict[str, object] = {
        "limit": TimeLimit.working_days(5),
        "valid_from": date(2025, 7, 1),
    }
    return DatedLimit(LimitVersion(**(values | changes)))  # type: ignore[arg-type]  # a factory


def procedure(code: str = "1.001193", *limits: DatedLimit) -> ProcedureSpec:
    return ProcedureSpec(code=code, name="Đăng ký khai sinh", limits=limits)


kinds = st.one_of(
    st.integers(1, 100).map(lambda n: TimeLimit.working_days(Fraction(n, 2))),
    st.integers(1, 100).map(TimeLimit.calendar_days),
    st.timedeltas(timedelta(microseconds=1), timedelta(hours=900)).map(TimeLimit.working_hours),
    st.times(timezones=st.none()).map(
        lambda wall: TimeLimit.same_day(wall.replace(microsecond=0), reception=False)
    ),
    st.just(TimeLimit.none()),
)
versions = st.builds(
    LimitVersion,
    limit=kinds,
    valid_from=st.dates(date(2017, 1, 1), date(2030, 1, 1)),
    valid_to=st.none() | st.dates(date(2031, 1, 1), date(2040, 1, 1)),
    case=st.none() | st.sampled_from(["urgent", "plain"]),
    channel=st.none() | st.sampled_from(list(Channel)),
    policies=st.just({**DEFAULT_POLICIES, PauseKind.OTHER: PausePolicy.RESTART}),
)


class TestProcedures:
    @given(
        st.lists(
            st.builds(DatedLimit, versions, st.booleans()),
            max_size=3,
            unique_by=lambda one: (one.version.valid_from, one.version.case, one.version.channel),
        ),
        st.none() | st.sampled_from(list(OnlineLevel)),
    )
    def test_what_is_kept_reads_back_as_it_was_told(
        self, limits: list[DatedLimit], online: OnlineLevel | None
    ) -> None:
        spec = ProcedureSpec(
            code="1", name="X", online_level=online, limits=tuple(limits), level=UnitLevel.COMMUNE
        )

        assert ProcedureSpec.from_plain(spec.plain()) == spec

    def test_a_procedure_is_created_unchanged_and_updated(self, session: WriteSession) -> None:
        first = catalogue.put_procedure(session, procedure(), actor="test", now=NOW)
        again = catalogue.put_procedure(session, procedure(), actor="test", now=NOW)
        changed = procedure("1.001193", limit())
        third = catalogue.put_procedure(session, changed, actor="test", now=NOW)

        assert [one.change for one in (first, again, third)] == [
            Change.CREATED,
            Change.UNCHANGED,
            Change.UPDATED,
        ]
        assert third.row.revision == 2
        count = sa.select(sa.func.count()).select_from(procedure_revision)
        assert session.scalar(count) == 2
        number, known = catalogue.known_procedures(session, ["1.001193"])["1.001193"]
        assert number == first.row.id
        assert known == changed.procedure

    def test_what_cannot_be_is_refused(self, session: WriteSession) -> None:
        with pytest.raises(LimitTwice):
            procedure("1", limit(), limit(limit=TimeLimit.none()))
        with pytest.raises(ValidityReversed):
            procedure("1", limit(valid_to=date(2025, 6, 30)))
        with pytest.raises(ProcedureTwice):
            catalogue.put_procedures(session, [procedure(), procedure()], actor="t", now=NOW)
        with pytest.raises(ProcedureUnknown):
            catalogue.get_procedure(session, "nothing")

    def test_only_a_whole_tree_may_change_what_all_share(self, session: WriteSession) -> None:
        put(session, unit("A"), unit("A.1", "A"))
        root, low = catalogue.get_unit(session, "A"), catalogue.get_unit(session, "A.1")

        catalogue.require_shared(catalogue.EVERYWHERE)
        catalogue.require_shared(Subtree(root.lft, root.rgt))
        with pytest.raises(SharedCatalogue):
            catalogue.require_shared(Subtree(low.lft, low.rgt))


def test_a_limit_is_written_with_the_members_of_its_kind() -> None:
    hours = TimeLimit(LimitKind.WORKING_HOURS, Fraction(9, 2))

    assert catalogue.plain_limit(hours) == {
        "kind": "working_hours",
        "legal_basis": None,
        "duration": "PT4H30M",
    }
    assert catalogue.plain_limit(TimeLimit.same_day(time(14, 30)))["cutoff"] == "14:30"
    assert catalogue.plain_limit(TimeLimit.working_days(Fraction(5, 2)))["value"] == 2.5
