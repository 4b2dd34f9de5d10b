"""When an issue was first and last known, over all that was ever believed of a dossier."""

from datetime import timedelta

from sqlalchemy import text

from app.domain.dossier import Issue
from app.store import quality, trees
from app.store.session import WriteSession
from app.store.trees import Tree
from app.store.units import UnitRow
from tests.factories import add_dossier, local, make_source, make_unit

BEGINS, ENDS = local("2026-08-01"), local("2026-09-01")
FIRST_KNOWN = local("2026-08-04", 9)
NOW_KNOWN = FIRST_KNOWN + timedelta(days=9)


def test_an_issue_is_known_from_the_first_version_that_shows_it(session: WriteSession) -> None:
    unit = make_unit(session, "H44")
    add_dossier(
        session, unit, make_source(session), "D-1", issues=["no_due"], recorded_at=NOW_KNOWN
    )
    _believed(session, FIRST_KNOWN, ["no_due"], version=2)
    _believed(session, FIRST_KNOWN - timedelta(days=1), ["unknown_unit"], version=1)

    found = quality.counts(session, tree=_tree(session, unit), begins=BEGINS, ends=ENDS)

    shown = found[Issue.NO_DUE]
    assert (shown.count, shown.first_seen, shown.last_seen) == (1, FIRST_KNOWN, NOW_KNOWN)
    assert Issue.UNKNOWN_UNIT not in found


def test_a_part_counts_what_waited_at_its_end(session: WriteSession) -> None:
    unit = make_unit(session, "H44")
    received_at = local("2026-08-03", 9)
    add_dossier(
        session, unit, make_source(session), "D-1", issues=["no_due"], received_at=received_at
    )
    halves = [(BEGINS, local("2026-08-02")), (local("2026-08-02"), ENDS), (ENDS, ENDS)]

    found = quality.counts(
        session, tree=_tree(session, unit), begins=BEGINS, ends=ENDS, parts=halves
    )

    assert dict(found[Issue.NO_DUE].parts) == {2: 1, 3: 1}


def _tree(session: WriteSession, unit: UnitRow) -> Tree:
    return trees.of(session, lft=unit.lft, rgt=unit.rgt)


def _believed(session: WriteSession, known: object, issues: list[str], *, version: int) -> None:
    session.execute(
        text(
            "INSERT INTO dossier_past (unit_id, source_id, code, version, recorded_at,"
            " superseded_at, unit_lft, channel, applicant_type, is_leg, is_counted, apology_exempt,"
            " supplement_at, edge_at, edge_state, edge_flow, edge_due, readings, issues)"
            " SELECT unit_id, source_id, code, :version, :known, now(), unit_lft, channel,"
            " applicant_type, is_leg, is_counted, apology_exempt, supplement_at, edge_at,"
            " edge_state, edge_flow, edge_due, '{}', :issues FROM dossier"
        ),
        {"version": version, "known": known, "issues": issues},
    )
