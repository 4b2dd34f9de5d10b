"""Causes of lateness as use cases: what may be named, and that the counts add up."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.late_cause import UNCLASSIFIED, CauseGroup
from app.domain.period import Period
from app.domain.tally import Count
from app.rulebook.late_causes import load_late_causes
from app.rulebook.metrics import load_metrics
from app.store.session import Database, WriteSession
from app.usecases import late_causes, reporting
from app.usecases.late_causes import LateCauseReserved, LateCauseUnknown, OwnCause
from app.usecases.reporting import Question
from tests.factories import add_dossier, finished_course, local, make_source, make_unit
from tests.usecases.test_subtree import holder_of

NOW = local("2026-08-20")
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
POWER = OwnCause("mat-dien", CauseGroup.EVENTS, "Mất điện")


def test_a_cause_of_a_sibling_may_not_be_named(session: WriteSession) -> None:
    province, source_id = make_unit(session), make_source(session)
    mine, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    add_dossier(session, mine, source_id, "A", due_on="2026-08-06")
    whole = holder_of(province)
    for unit in (mine, other):
        late_causes.put_causes(session, [POWER], unit=unit.code, who=whole, now=NOW)

    said = late_causes.put_cause(session, "A", "H44.1:mat-dien", source=None, who=whole, now=NOW)

    assert [one.cause for one in said] == ["H44.1:mat-dien"]
    for cause in ("H44.2:mat-dien", "nothing"):
        with pytest.raises(LateCauseUnknown):
            late_causes.put_cause(session, "A", cause, source=None, who=whole, now=NOW)


def test_a_retired_cause_may_no_longer_be_named_but_is_still_shown(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    add_dossier(session, unit, source_id, "A")
    who = holder_of(unit)
    late_causes.put_causes(session, [POWER], unit="H44", who=who, now=NOW)
    late_causes.put_cause(session, "A", "H44:mat-dien", source=None, who=who, now=NOW)
    gone = OwnCause("mat-dien", CauseGroup.EVENTS, "Mất điện", is_retired=True)
    late_causes.put_causes(session, [gone], unit="H44", who=who, now=NOW)

    with pytest.raises(LateCauseUnknown):
        late_causes.put_cause(session, "A", "H44:mat-dien", source=None, who=who, now=NOW)

    assert late_causes.list_causes(session, who=who, unit="H44")[-1].is_retired


def test_a_shipped_code_is_not_given_another_meaning(session: WriteSession) -> None:
    unit = make_unit(session)

    with pytest.raises(LateCauseReserved):
        late_causes.put_causes(
            session,
            [OwnCause("applicant", CauseGroup.UNIT, "Khác")],
            unit="H44",
            who=holder_of(unit),
            now=NOW,
        )


def test_a_bulk_judges_each_dossier_on_its_own_and_may_be_repeated(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    for code in "AB":
        add_dossier(session, unit, source_id, code)
    asked = [("A", None), ("X", None), ("B", None)]

    first, second = (
        late_causes.assign(session, asked, "applicant", who=holder_of(unit), now=NOW)
        for _ in range(2)
    )

    assert (first.assigned, first.unchanged) == (2, 0)
    assert (second.assigned, second.unchanged) == (0, 2)
    assert [(one.index, one.error.code) for one in first.refused] == [(1, "dossier.unknown")]


@settings(max_examples=15)
@given(
    told=st.lists(
        st.tuples(
            st.integers(1, 19),  # due day
            st.one_of(st.none(), st.integers(0, 12)),  # finished so many days later
            st.one_of(st.none(), st.sampled_from([*load_late_causes(), UNCLASSIFIED])),
        ),
        max_size=12,
    )
)
def test_the_lines_add_up_to_the_statistics(
    database: Database, told: list[tuple[int, int | None, str | None]]
) -> None:
    with database.begin() as session:
        unit, source_id = make_unit(session, f"T{id(told)}"), make_source(session)
        who = holder_of(unit)
        for n, (day, after, cause) in enumerate(told):
            due = date(2026, 8, day)
            begins = local(due) - timedelta(days=9)
            course = None
            if after is not None:
                course = finished_course(begins, due, local(due) + timedelta(days=after))
            code = f"{unit.code}-{n}"
            add_dossier(
                session, unit, source_id, code, due_on=due, received_at=begins, course=course
            )
            if cause is not None:
                late_causes.put_cause(session, code, cause, source=None, who=who, now=NOW)
        question = Question(unit=unit, period=AUGUST)

        found = late_causes.count_by_cause(session, question, now=NOW)
        figures = reporting.figures(
            session, question, definitions=[load_metrics().default], now=NOW
        )

        tally = figures.total.tally
        assert sum(line.finished_late for line in found.lines) == tally[Count.FINISHED_LATE]
        assert sum(line.open_overdue for line in found.lines) == tally[Count.OPEN_OVERDUE]
        assert found.lines[-1].id == UNCLASSIFIED
