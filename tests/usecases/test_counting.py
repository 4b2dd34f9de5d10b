"""Facts or scan: whichever answers, the numbers and the rows are the same."""

from dataclasses import replace
from datetime import date

from app.domain.period import Period
from app.domain.tally import Count
from app.store import facts, folding
from app.store.session import WriteSession
from app.store.tallies import Dimension, Scope, Span
from app.usecases import counting
from tests.factories import add_dossier, finished_course, local, make_source, make_unit

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))
WANTED = (Count.FINISHED_ON_TIME, Count.FINISHED_LATE)


def _spans() -> list[Span]:
    return [Span(one.begins, one.ends, one.first, one.last) for one in (MARCH, APRIL)]


def _scope(session: WriteSession) -> Scope:
    root = make_unit(session)
    for number, commune in enumerate(
        make_unit(session, f"H44.{100 + n}", parent=root) for n in range(3)
    ):
        course = (
            finished_course(
                local("2026-03-02", 9), date(2026, 3, 9), local(date(2026, 3, 6 + 20 * number), 9)
            )
            if number < 2
            else None
        )
        add_dossier(session, commune, make_source(session), f"HS-{number}", course=course)
    folding.fold(session, limit=2)
    return Scope(root.lft, root.rgt)


def test_a_question_that_only_the_scan_can_answer_has_the_same_rows(session: WriteSession) -> None:
    scope = _scope(session)
    by_scan = replace(scope, known_at=local("2027-01-01"))
    assert facts.counts(session, by_scan, _spans()) is None

    for by in ((), (Dimension.UNIT,), (Dimension.CHANNEL, Dimension.LEVEL)):
        fast = counting.counts(session, scope, _spans(), by=by)

        assert fast == counting.counts(session, by_scan, _spans(), by=by)
        assert {type(value) for row in fast[0] for value in row.tally.values} == {int}
        assert [sum(row.tally[Count.RECEIVED] for row in rows) for rows in fast] == [2, 0]


def test_what_passed_holds_the_wanted_counts_alone_either_way(session: WriteSession) -> None:
    scope = _scope(session)

    fast = counting.passing(session, scope, _spans(), wanted=WANTED)

    assert [tally[Count.FINISHED_LATE] for tally in fast] == [1, 0]
    assert [tally[Count.RECEIVED] for tally in fast] == [0, 0]
    scanned = replace(scope, known_at=local("2027-01-01"))
    assert fast == counting.passing(session, scanned, _spans(), wanted=WANTED)
